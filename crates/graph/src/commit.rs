//! Commits: validate, carry out, ask the gate, record; or take everything back.
//!
//! Validation is backward: a transaction aborts when something that it read, or a slot that it writes, was changed by a
//! commit later than its snapshot. Every read is an object, lists and absences included, so phantoms are covered.

use crate::draft::{Draft, Outcome};
use crate::entity::{Effect, Entity, Slot, Undo, decode_delta};
use crate::gate::Gate;
use crate::head::Graph;
use crate::overlay::entity_id;
use crate::plan::{Surface, perform};
use crate::reads::Read;
use crate::tables::Direction;
use crate::transaction::Transaction;
use crate::versioned::Object;
use karyon_model::limits::PARENTS_MAX;
use karyon_model::{Code, CommitRecord, EntityId, Error, NameId, OperationReader, Result, Seq, Target, Verb};
use std::collections::BTreeSet;

/// What a transaction built on: the commits that wrote what it read, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parents {
    /// At most `PARENTS_MAX`.
    pub exact: Vec<Seq>,
    /// Whether older ones were left out.
    pub coarse: bool,
}

impl Graph {
    /// Validates a transaction and commits it at `head() + 1`. When it fails nothing has changed.
    ///
    /// `name` is the committing principal, to be defined in the log with its first commit.
    pub fn commit(
        &mut self,
        transaction: &Transaction,
        principal: &str,
        gate: &dyn Gate,
    ) -> Result<(Outcome, NameId, Parents)> {
        let parents = self.validate(transaction)?;
        let mut draft = Draft::new(self);
        match carry_out(&mut draft, transaction, principal, gate) {
            Ok(principal) => Ok((draft.finish()?, principal, parents)),
            Err(error) => {
                draft.roll_back();
                Err(error)
            }
        }
    }

    /// Repeats a commit of the log at `head() + 1`. After an error the graph is of no use.
    pub fn replay(&mut self, record: &CommitRecord<'_>) -> Result<Outcome> {
        let mut draft = Draft::new(self);
        if draft.graph().head + 1 != record.header.seq {
            return Err(Error::new(
                Code::Damaged,
                format!("version {} follows version {} in the log", record.header.seq, draft.graph().head),
            ));
        }
        if record.header.layer != 0 {
            let message = "the log has commits of other layers; open the store with a newer Karyon";
            return Err(Error::new(Code::FormatNewer, message));
        }
        for operation in OperationReader::new(record.operations) {
            draft.replay(operation?)?;
        }
        draft.finish()
    }

    fn validate(&self, transaction: &Transaction) -> Result<Parents> {
        let snapshot = transaction.snapshot();
        let mut parents = BTreeSet::new();
        for read in transaction.reads.iter() {
            let last = self.last_change(read);
            if last > snapshot {
                return Err(self.conflict(read, last, snapshot));
            }
            parents.insert(last);
        }
        if self.head > snapshot {
            for verb in transaction.verbs() {
                self.validate_write(&verb?, snapshot)?;
            }
        }
        parents.remove(&0);
        let coarse = parents.len() > PARENTS_MAX;
        Ok(Parents { exact: parents.into_iter().rev().take(PARENTS_MAX).collect(), coarse })
    }

    /// The newest commit that changed what was read; 0 when none ever did.
    fn last_change(&self, read: &Read) -> Seq {
        let list = |node: u32, direction, kind| self.node(node).list(direction, kind).map_or(0, Object::last);
        match read {
            Read::Entity(id) => self.object(*id).last(),
            Read::Never(identity) => {
                entity_id(self, &identity.target()).map_or(0, |id| self.object(id).last())
            }
            Read::List(node, direction, kind) => list(*node, *direction, *kind),
            Read::Lists(node, direction) => {
                let lists = self.node(*node).lists(*direction);
                lists.iter().map(|list| list.1.last()).max().unwrap_or(0)
            }
            Read::Label(name) => self.labels.get(name).map_or(0, Object::last),
            Read::Nodes => self.membership,
        }
    }

    fn conflict(&self, read: &Read, by: Seq, snapshot: Seq) -> Error {
        let what = match read {
            Read::Entity(EntityId::Node(id)) => format!("node {:?}", self.node(*id).key),
            Read::Entity(EntityId::Edge(id)) => self.edge_text(*id),
            Read::Never(identity) => format!("{identity:?}"),
            Read::List(node, direction, kind) => {
                let kind = self.names.text(*kind);
                format!("the {kind} edges ({direction:?}) of {:?}", self.node(*node).key)
            }
            Read::Lists(node, direction) => {
                format!("the edges ({direction:?}) of {:?}", self.node(*node).key)
            }
            Read::Label(name) => format!("the nodes labelled {:?}", self.names.text(*name)),
            Read::Nodes => "the set of nodes".into(),
        };
        conflict_error(&what, "read", by, snapshot)
    }

    fn edge_text(&self, id: u32) -> String {
        let edge = self.edge(id);
        let (from, to) = (&self.node(edge.from).key, &self.node(edge.to).key);
        format!("edge {from:?} -{}-> {to:?} with key {:?}", self.names.text(edge.kind), edge.key)
    }

    fn validate_write(&self, verb: &Verb<'_>, snapshot: Seq) -> Result<()> {
        let (target, whole, names) = match verb {
            Verb::Put { key, .. } | Verb::Remove { key, .. } => (Target::Node(key), true, vec![]),
            Verb::Patch { target, labels, drop, changes } => {
                let properties =
                    changes.iter().filter_map(|change| self.names.get(change.0)).map(Slot::Property);
                let labels =
                    labels.iter().chain(drop).filter_map(|label| self.names.get(label)).map(Slot::Label);
                (*target, false, properties.chain(labels).collect())
            }
            Verb::Link { edge, changes } => {
                let properties =
                    changes.iter().filter_map(|change| self.names.get(change.0)).map(Slot::Property);
                (Target::Edge(*edge), false, properties.collect())
            }
            Verb::Unlink { edge } => (Target::Edge(*edge), true, vec![]),
            Verb::Increment { target, .. } => (*target, false, vec![]),
            Verb::Splice { target, name, .. } | Verb::Append { target, name, .. } => {
                (*target, false, self.names.get(name).map(Slot::Property).into_iter().collect())
            }
        };
        let Some(id) = entity_id(self, &target) else { return Ok(()) };
        let object = self.object(id);
        if object.last() <= snapshot || !self.touches(id, snapshot, whole, &names)? {
            return Ok(());
        }
        let what = match id {
            EntityId::Node(id) => format!("node {:?}", self.node(id).key),
            EntityId::Edge(id) => self.edge_text(id),
        };
        Err(conflict_error(&what, "write", object.last(), snapshot))
    }

    /// Whether commits after the snapshot changed the object's existence or one of these slots.
    fn touches(&self, id: EntityId, snapshot: Seq, whole: bool, slots: &[Slot]) -> Result<bool> {
        if whole {
            return Ok(true);
        }
        let Some(deltas) = self.object(id).deltas_after(snapshot) else {
            // The open run begins later than the snapshot: the rest of what came after is in chapters.
            let mut hit = false;
            self.visit_changes(id, snapshot, self.head, &mut |change| {
                hit = change.slot == Slot::Existence || slots.contains(&change.slot);
                !hit
            })?;
            return Ok(hit);
        };
        for delta in deltas {
            let changed = decode_delta(delta)?;
            let hit = |undo: &Undo| undo.slot() == Slot::Existence || slots.contains(&undo.slot());
            if changed.iter().any(hit) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn conflict_error(what: &str, action: &str, by: Seq, snapshot: Seq) -> Error {
    Error::new(
        Code::Conflict,
        format!("{what}, which this transaction {action}s as of version {snapshot}, was changed by version {by}; run it again"),
    )
    .with("what", what)
    .with("action", action)
    .with("by", by)
    .with("snapshot", snapshot)
}

fn carry_out(
    draft: &mut Draft<'_>,
    transaction: &Transaction,
    principal: &str,
    gate: &dyn Gate,
) -> Result<NameId> {
    let principal = draft.name(principal)?;
    for verb in transaction.verbs() {
        perform(draft, &verb?)?;
    }
    for (id, undo) in draft.touched() {
        match id {
            EntityId::Node(_) => {
                gate.write_node(&mut labels_before_and_after(draft.entity(id), undo), draft.graph().names())?;
            }
            EntityId::Edge(id) => gate.write_edge(draft.graph().edge(id).kind, draft.graph().names())?,
        }
    }
    Ok(principal)
}

fn labels_before_and_after(now: &Entity, undo: &[Undo]) -> impl Iterator<Item = NameId> {
    let gone = undo.iter().filter_map(|undo| match undo {
        Undo::Label(name, Some(_)) => Some(*name),
        _ => None,
    });
    now.labels().chain(gone)
}

impl Surface for Draft<'_> {
    type Handle = EntityId;

    fn name(&mut self, text: &str) -> Result<NameId> {
        Draft::name(self, text)
    }

    fn find(&mut self, target: &Target<'_>) -> Result<Option<EntityId>> {
        Ok(entity_id(self.graph(), target).filter(|id| self.entity(*id).is_alive()))
    }

    fn claim(&mut self, target: &Target<'_>) -> Result<EntityId> {
        match target {
            Target::Node(key) => Ok(EntityId::Node(self.node(key)?)),
            Target::Edge(edge) => {
                let (from, to) = (self.node(edge.from)?, self.node(edge.to)?);
                let kind = Draft::name(self, edge.kind)?;
                Ok(EntityId::Edge(self.edge(from, kind, to, edge.key)?))
            }
        }
    }

    fn state(&self, handle: EntityId) -> &Entity {
        self.entity(handle)
    }

    fn apply(&mut self, handle: EntityId, effect: Effect<'_>) -> Result<()> {
        Draft::apply(self, handle, effect)
    }

    fn incident(&mut self, key: &str) -> Result<Vec<EntityId>> {
        let Some(node) = self.graph().node_id(key) else { return Ok(Vec::new()) };
        let mut edges = BTreeSet::new();
        for direction in [Direction::Out, Direction::In] {
            for (_, list) in self.graph().node(node).lists(direction) {
                edges.extend(list.state().as_slice());
            }
        }
        Ok(edges.into_iter().map(EntityId::Edge).collect())
    }
}
