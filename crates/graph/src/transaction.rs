//! A transaction: a snapshot, the verbs asked for so far, and what was read, also where nothing was found.

use crate::gate::{Gate, ask};
use crate::head::Graph;
use crate::overlay::{Identity, Overlay, Private};
use crate::plan::{Surface, perform, target};
use hashbrown::HashSet;
use karyon_history::Direction;
use karyon_model::limits::{FRAME_BYTES_MAX, OPERATIONS_MAX, READS_MAX};
use karyon_model::{
    Code, EntityId, Error, NameId, Result, Reverted, Rules, Seq, Target, VerbReader, bounded,
};

/// Rules that shall hold for a property of the nodes with a label from a commit on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// The label.
    pub label: String,
    /// The property.
    pub property: String,
    /// What shall hold; nothing any more by default.
    pub rules: Rules,
}

/// What a transaction is for, beside its verbs. Only who may write everything can commit one, unless it reverts.
#[derive(Debug)]
pub enum Purpose {
    /// It takes back what a principal wrote.
    Revert(Reverted),
    /// It declares rules. Its commit fails with `Unique` or `Required` when the nodes there are break them. Cost: a pass over the nodes
    /// with the label.
    Declare(Declaration),
    /// It makes a layer. Itself it is one of the base.
    Fork {
        /// What no other living layer is called.
        name: String,
        /// What it stands on: the base (0) or another layer.
        parent: u32,
        /// The version of that.
        from: Seq,
    },
    /// It drops a layer.
    Drop(u32),
    /// It merges a layer into the one that it writes to.
    Merge(u32),
    /// It erases a node, by its key, now and in the past. Its commit fails with `NodeMissing` for a key that never was. Cost: a pass over
    /// all edges, labels and values of indexes.
    Erase(String),
    /// It says that the log up to a version is in an archive.
    Archive {
        /// The version.
        through: Seq,
        /// The archive's SHA-256.
        digest: [u8; 32],
    },
}

/// A transaction over one graph. Dropping it discards it.
#[derive(Debug, Default)]
pub struct Transaction {
    snapshot: Seq,
    layer: u32,
    pub(crate) purpose: Option<Purpose>,
    /// Commits that it comes from, beside those that wrote what it has read.
    pub(crate) parents: Vec<Seq>,
    /// Whether its commit validates only what it writes, and not what it has read, so that write skew is possible.
    pub snapshot_isolation: bool,
    pub(crate) verbs: Vec<u8>,
    count: usize,
    /// How many bytes of `verbs` the overlay has seen.
    overlaid: usize,
    /// Why a verb could not be carried out: from then on nothing can be read, and the commit fails with the same reason.
    broken: Option<Error>,
    pub(crate) overlay: Overlay,
    pub(crate) reads: HashSet<Read>,
}

impl Transaction {
    /// A transaction that reads as of `snapshot`.
    pub fn new(snapshot: Seq) -> Transaction {
        Transaction { snapshot, ..Transaction::default() }
    }

    /// The same in a layer.
    #[must_use]
    pub fn in_layer(self, layer: u32) -> Transaction {
        Transaction { layer, ..self }
    }

    /// A transaction that is a commit also when it has no verbs.
    pub fn with(snapshot: Seq, purpose: Purpose) -> Transaction {
        Transaction { snapshot, purpose: Some(purpose), ..Transaction::default() }
    }

    /// What it takes back, if that is what it is for.
    pub fn reverts(&self) -> Option<Reverted> {
        match self.purpose {
            Some(Purpose::Revert(reverted)) => Some(reverted),
            _ => None,
        }
    }

    /// The layer that it reads and writes; 0 is the base.
    pub fn layer(&self) -> u32 {
        self.layer
    }

    /// The version that it reads.
    pub fn snapshot(&self) -> Seq {
        self.snapshot
    }

    /// Whether it asks for anything.
    pub fn is_dirty(&self) -> bool {
        !self.verbs.is_empty() || self.purpose.is_some()
    }

    /// Adds a batch of verbs. Every verb is checked; a batch with a bad one is refused whole.
    ///
    /// What depends on the graph (a missing end, remaining edges) is checked when the transaction reads or commits.
    pub fn push(&mut self, batch: &[u8]) -> Result<()> {
        let count = VerbReader::new(batch).try_fold(self.count, |count, verb| verb.map(|_| count + 1))?;
        check_size(count, self.verbs.len() + batch.len())?;
        self.verbs.extend_from_slice(batch);
        self.count = count;
        Ok(())
    }

    /// Adds verbs that nothing is to be read through: whoever carries them out checks them.
    pub fn push_unread(&mut self, batch: &[u8]) -> Result<()> {
        self.verbs.extend_from_slice(batch);
        check_size(self.count, self.verbs.len())
    }

    pub(crate) fn verbs(&self) -> VerbReader<'_> {
        VerbReader::new(&self.verbs)
    }

    /// Carries out the verbs that the private copies have not seen yet, so that a read sees them.
    ///
    /// Whoever may not change something must not learn of it from what becomes of a verb: the gate is asked first.
    pub(crate) fn catch_up(&mut self, graph: &Graph, gate: &dyn Gate) -> Result<()> {
        self.broken.clone().map_or(Ok(()), Err)?;
        if self.overlaid == self.verbs.len() {
            return Ok(());
        }
        let fresh = &self.verbs[self.overlaid..];
        self.overlaid = self.verbs.len();
        let (layer, snapshot) = (self.layer, self.snapshot);
        let mut private =
            Private { graph, layer, snapshot, overlay: &mut self.overlay, reads: &mut self.reads };
        let carried_out = VerbReader::new(fresh).try_for_each(|verb| {
            let verb = verb?;
            if let [Some(before), _] = private.sides(&target(&verb))? {
                gate.write_node(&mut before.into_iter(), graph.names())?;
            }
            perform(&mut private, &verb).or_else(|error| ask(&private, &verb, gate).and(Err(error)))
        });
        self.broken = carried_out.as_ref().err().cloned();
        carried_out
    }
}

/// Refuses more verbs or bytes than a transaction may have.
pub(crate) fn check_size(verbs: usize, bytes: usize) -> Result<()> {
    let few = verbs <= OPERATIONS_MAX && bytes <= FRAME_BYTES_MAX;
    bounded(few, Code::TransactionSize, OPERATIONS_MAX, || {
        format!("the transaction has more than {OPERATIONS_MAX} verbs or {FRAME_BYTES_MAX} bytes; split it")
    })
}

/// One thing that was read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Read {
    /// A node or edge as a whole.
    Entity(EntityId),
    /// One that a scan has passed over, because it may not be seen.
    Hidden(EntityId),
    /// A key or identity that was never committed.
    Never(Identity),
    /// A node's edges of one type.
    List(u32, Direction, NameId),
    /// A node's edges of every type.
    Lists(u32, Direction),
    /// The nodes with a label.
    Label(NameId),
    /// The nodes with one value of an indexed property, by the value's key.
    Value(u32, Box<[u8]>),
    /// Which node holds which value of an indexed property.
    Index(u32),
    /// Which nodes exist.
    Nodes,
}

impl Read {
    pub(crate) fn entity(id: Option<EntityId>, target: &Target<'_>) -> Read {
        id.map_or_else(|| Read::Never(target.into()), Read::Entity)
    }
}

/// Adds to what was read, at most `READS_MAX` things.
pub(crate) fn note(reads: &mut HashSet<Read>, read: Read) -> Result<()> {
    bounded(reads.len() < READS_MAX, Code::TransactionSize, READS_MAX, || {
        format!("the transaction has read more than {READS_MAX} things; read from a view instead")
    })?;
    #[cfg(karyon_broken = "phantoms")]
    let Read::Entity(_) = read else { return Ok(()) };
    reads.insert(read);
    Ok(())
}
