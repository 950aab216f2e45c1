//! The read set: what a transaction has seen, also where it saw nothing.

use crate::overlay::Identity;
use crate::tables::Direction;
use hashbrown::HashSet;
use karyon_model::limits::READS_MAX;
use karyon_model::{Code, EntityId, Error, NameId, Result, Target};

/// One thing that was read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Read {
    /// A node or edge as a whole.
    Entity(EntityId),
    /// A key or identity that was never committed.
    Never(Identity),
    /// A node's edges of one type.
    List(u32, Direction, NameId),
    /// A node's edges of every type.
    Lists(u32, Direction),
    /// The nodes with a label.
    Label(NameId),
    /// Which nodes exist.
    Nodes,
}

impl Read {
    pub(crate) fn entity(id: Option<EntityId>, target: &Target<'_>) -> Read {
        id.map_or_else(|| Read::Never(target.into()), Read::Entity)
    }
}

/// The set, bounded by `READS_MAX`.
#[derive(Debug, Default)]
pub(crate) struct Reads(HashSet<Read>);

impl Reads {
    pub(crate) fn add(&mut self, read: Read) -> Result<()> {
        if self.0.len() >= READS_MAX {
            let message =
                format!("the transaction has read more than {READS_MAX} things; read from a view instead");
            return Err(Error::new(Code::TransactionSize, message).with("limit", READS_MAX));
        }
        self.0.insert(read);
        Ok(())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Read> {
        self.0.iter()
    }
}
