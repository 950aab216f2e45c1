//! Numbers that stand for things inside one store. They never leave it in packages or digests.

use crate::limits::KEY_BYTES_MAX;
use crate::value::NAME_RESERVED;
use crate::{Code, Error, Result, ensure};

/// A commit's dense sequence number: the only order there is. The first commit is 1; 0 is the empty store.
pub type Seq = u64;

/// An interned label, edge type, property name or principal.
pub type NameId = u32;

/// An interned node or edge. Ids are never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EntityId {
    /// A node.
    Node(u32),
    /// An edge.
    Edge(u32),
}

impl EntityId {
    /// One number for both kinds: the id, then one bit for the kind.
    pub fn packed(self) -> u64 {
        match self {
            EntityId::Node(id) => u64::from(id) << 1,
            EntityId::Edge(id) => u64::from(id) << 1 | 1,
        }
    }

    /// Reads what `packed` made; `None` when the id is beyond 32 bits.
    pub fn unpack(packed: u64) -> Option<EntityId> {
        let id = u32::try_from(packed >> 1).ok()?;
        Some(if packed & 1 == 0 { EntityId::Node(id) } else { EntityId::Edge(id) })
    }
}

/// Refuses a node's or edge's key that is too long. Every other text is a key, the empty one for edges only.
pub fn check_key(key: &str) -> Result<&str> {
    if key.len() <= KEY_BYTES_MAX {
        return Ok(key);
    }
    let message = format!("a key of {} bytes is over the limit of {KEY_BYTES_MAX}; hash it", key.len());
    Err(Error::new(Code::KeySize, message).with("limit", KEY_BYTES_MAX).with("bytes", key.len()))
}

/// Refuses a label, edge type or property name that is empty, too long or reserved.
pub fn check_name(name: &str) -> Result<&str> {
    ensure(!name.is_empty(), Code::KeySize, "a label, edge type or property name is empty; name it")?;
    ensure(name != NAME_RESERVED, Code::NameReserved, "the name \"__proto__\" is refused; rename it")?;
    check_key(name)
}
