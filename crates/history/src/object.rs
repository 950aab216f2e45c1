//! What has versions: nodes, edges, and the lists that say what belongs where.

use karyon_model::{EntityId, NameId};

/// Which end of an edge a list belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// Edges that leave the node.
    Out,
    /// Edges that enter the node.
    In,
}

impl Direction {
    /// Either.
    pub const BOTH: [Direction; 2] = [Direction::Out, Direction::In];
}

/// A versioned object. Its key bytes have a fixed width and sort by object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ObjectId {
    /// A node's existence, labels and properties, or an edge's existence and properties.
    Entity(EntityId),
    /// The edges of one direction and type of a node.
    Edges(Direction, u32, NameId),
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
            ObjectId::Entity(EntityId::Node(id)) => (b'N', id, 0),
            ObjectId::Entity(EntityId::Edge(id)) => (b'E', id, 0),
            ObjectId::Edges(Direction::Out, node, kind) => (b'O', node, kind),
            ObjectId::Edges(Direction::In, node, kind) => (b'I', node, kind),
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
            b'N' => ObjectId::Entity(EntityId::Node(a)),
            b'E' => ObjectId::Entity(EntityId::Edge(a)),
            b'O' => ObjectId::Edges(Direction::Out, a, b),
            b'I' => ObjectId::Edges(Direction::In, a, b),
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
        !matches!(self, ObjectId::Entity(_) | ObjectId::Copy(..) | ObjectId::Commits(_))
    }
}
