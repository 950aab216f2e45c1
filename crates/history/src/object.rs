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
            ObjectId::Commits(page) => (b'C', page, 0),
        };
        let mut key = [kind; 9];
        key[1..5].copy_from_slice(&a.to_be_bytes());
        key[5..9].copy_from_slice(&b.to_be_bytes());
        key
    }

    /// Whether the object is a list, whose run is bounded by its bytes alone.
    pub fn is_list(self) -> bool {
        !matches!(self, ObjectId::Node(_) | ObjectId::Edge(_) | ObjectId::Commits(_))
    }
}
