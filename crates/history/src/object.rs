//! What has versions: nodes, edges, and the lists that say what belongs where.

/// A versioned object. Its key bytes have a fixed width and sort by object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ObjectId {
    /// A node's existence, labels and properties.
    Node(u32),
    /// An edge's existence and properties.
    Edge(u32),
    /// The edges of one type that leave a node.
    Out(u32, u32),
    /// The edges of one type that enter a node.
    In(u32, u32),
    /// The nodes with a label.
    Label(u32),
    /// The nodes with a value of an indexed property.
    Posting(u32),
    /// A node or edge as a layer has it: the layer, and the copy's number in it.
    Copy(u32, u32),
    /// What a list of a layer has more or less: the layer, and the difference's number in it.
    Difference(u32, u32),
    /// A full page of the index of commits, which never changes.
    Commits(u32),
}

impl ObjectId {
    /// The key under which an object's chapters are kept: kind, two big-endian numbers.
    pub fn key(self) -> [u8; 9] {
        let (kind, a, b) = match self {
            ObjectId::Node(id) => (b'N', id, 0),
            ObjectId::Edge(id) => (b'E', id, 0),
            ObjectId::Out(node, kind) => (b'O', node, kind),
            ObjectId::In(node, kind) => (b'I', node, kind),
            ObjectId::Label(name) => (b'L', name, 0),
            ObjectId::Posting(id) => (b'P', id, 0),
            ObjectId::Copy(layer, number) => (b'Y', layer, number),
            ObjectId::Difference(layer, number) => (b'D', layer, number),
            ObjectId::Commits(page) => (b'C', page, 0),
        };
        let mut key = [kind; 9];
        key[1..5].copy_from_slice(&a.to_be_bytes());
        key[5..9].copy_from_slice(&b.to_be_bytes());
        key
    }

    /// The object of a key; `None` when it is of none.
    pub fn from_key(key: [u8; 9]) -> Option<ObjectId> {
        let [kind, a0, a1, a2, a3, b0, b1, b2, b3] = key;
        let (a, b) = (u32::from_be_bytes([a0, a1, a2, a3]), u32::from_be_bytes([b0, b1, b2, b3]));
        Some(match kind {
            b'N' => ObjectId::Node(a),
            b'E' => ObjectId::Edge(a),
            b'O' => ObjectId::Out(a, b),
            b'I' => ObjectId::In(a, b),
            b'L' => ObjectId::Label(a),
            b'P' => ObjectId::Posting(a),
            b'Y' => ObjectId::Copy(a, b),
            b'D' => ObjectId::Difference(a, b),
            b'C' => ObjectId::Commits(a),
            _ => return None,
        })
    }

    /// Whether the object is a list, whose run is bounded by its bytes alone.
    pub fn is_list(self) -> bool {
        !matches!(self, ObjectId::Node(_) | ObjectId::Edge(_) | ObjectId::Copy(..) | ObjectId::Commits(_))
    }
}
