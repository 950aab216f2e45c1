//! Commits: validate, carry out, ask the gate, record; or take everything back.
//!
//! Validation is backward: a transaction aborts when something that it read, or a slot that it writes, was changed by a
//! commit later than its snapshot. Every read is an object, lists and absences included, so phantoms are covered.

use crate::draft::{Draft, Outcome};
use crate::entity::Slot;
use crate::gate::{Gate, Labels, ask, ask_sides};
use crate::head::Graph;
use crate::index::Index;
use crate::plan::{Surface, describe, perform, target};
use crate::transaction::{Declaration, Read, Transaction};
use crate::versioned::Object;
use karyon_model::limits::PARENTS_MAX;
use karyon_model::{Code, CommitRecord, EntityId, Error, NameId, OperationReader, Result, Seq, Verb};
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
    /// Validates a transaction and commits it at `head() + 1`. When it fails, or changes nothing (`None`), nothing has
    /// happened. What reverts is a commit in any case.
    ///
    /// `principal` is who commits, to be defined in the log with its first commit.
    pub fn commit(
        &mut self,
        transaction: &Transaction,
        principal: &str,
        gate: &dyn Gate,
    ) -> Result<Option<(Outcome, NameId, Parents)>> {
        let parents = self.validate_reads(transaction)?;
        let mut draft = Draft::new(self);
        let done = carry_out(&mut draft, transaction, principal, gate);
        let principal = match done {
            Ok(principal) if draft.has_changed() || transaction.reverts().is_some() => principal,
            done => {
                draft.roll_back();
                return done.map(|_| None);
            }
        };
        Ok(Some((draft.finish()?, principal, parents)))
    }

    /// Repeats a commit of the log at `head() + 1`. After an error the graph is of no use.
    pub fn replay(&mut self, record: &CommitRecord<'_>) -> Result<Outcome> {
        let mut draft = Draft::new(self);
        let (head, seq) = (draft.graph.head, record.header.seq);
        if head + 1 != seq {
            let message = format!("version {seq} follows version {head} in the log");
            return Err(Error::new(Code::Damaged, message));
        }
        if record.header.layer != 0 {
            let message = "the log has commits of other layers; open the store with a newer Karyon";
            return Err(Error::new(Code::FormatNewer, message));
        }
        for operation in OperationReader::new(record.operations) {
            draft.replay(operation?)?;
        }
        draft.index()?;
        draft.finish()
    }

    fn validate_reads(&self, transaction: &Transaction) -> Result<Parents> {
        let snapshot = transaction.snapshot();
        let mut parents = BTreeSet::new();
        for read in &transaction.reads {
            let last = self.last_change(read);
            if last > snapshot {
                return Err(conflict(&self.describe(read), "read", last, snapshot));
            }
            parents.insert(last);
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
            Read::Never(identity) => self.id_of(&identity.target()).map_or(0, |id| self.object(id).last()),
            Read::List(node, direction, kind) => list(*node, *direction, *kind),
            Read::Lists(node, direction) => {
                let lists = self.node(*node).lists(*direction);
                lists.iter().map(|list| list.1.last()).max().unwrap_or(0)
            }
            Read::Label(name) => self.labels.get(name).map_or(0, Object::last),
            Read::Value(index, key) => {
                let posting = self.indexes.all[*index as usize].postings.get(&**key);
                posting.map_or(0, |posting| self.indexes.postings[*posting as usize].nodes.last())
            }
            Read::Index(index) => self.indexes.all[*index as usize].last,
            Read::Nodes => self.membership,
        }
    }

    fn describe(&self, read: &Read) -> String {
        match read {
            Read::Entity(id) => self.with_target(*id, |target| describe(&target)),
            Read::Never(identity) => describe(&identity.target()),
            Read::List(node, direction, kind) => {
                let kind = self.names.text(*kind);
                format!("the {kind} edges ({direction:?}) of {:?}", self.node(*node).key)
            }
            Read::Lists(node, direction) => {
                format!("the edges ({direction:?}) of {:?}", self.node(*node).key)
            }
            Read::Label(name) => format!("the nodes labelled {:?}", self.names.text(*name)),
            Read::Value(index, _) | Read::Index(index) => {
                let Index { label, property, .. } = &self.indexes.all[*index as usize];
                format!(
                    "the nodes labelled {:?} by {:?}",
                    self.names.text(*label),
                    self.names.text(*property)
                )
            }
            Read::Nodes => "the set of nodes".into(),
        }
    }

    fn validate_write(&self, verb: &Verb<'_>, snapshot: Seq) -> Result<()> {
        let Some(id) = self.id_of(&target(verb)) else { return Ok(()) };
        let object = self.object(id);
        if object.last() <= snapshot {
            return Ok(());
        }
        let properties = |names: &mut dyn Iterator<Item = &str>| -> Vec<Slot> {
            names.filter_map(|name| self.names.get(name)).map(Slot::Property).collect()
        };
        let mut slots = match verb {
            Verb::Patch { changes, .. } | Verb::Link { changes, .. } => {
                properties(&mut changes.iter().map(|change| change.0))
            }
            Verb::Splice { name, .. } | Verb::Append { name, .. } => properties(&mut [*name].into_iter()),
            Verb::Increment { .. } | Verb::Put { .. } | Verb::Remove { .. } | Verb::Unlink { .. } => vec![],
        };
        if let Verb::Patch { labels, drop, .. } = verb {
            slots
                .extend(labels.iter().chain(drop).filter_map(|label| self.names.get(label)).map(Slot::Label));
        }
        let whole = matches!(verb, Verb::Put { .. } | Verb::Remove { .. } | Verb::Unlink { .. });
        if !whole && !self.touches(id, snapshot, &slots)? {
            return Ok(());
        }
        Err(conflict(&describe(&target(verb)), "write", object.last(), snapshot))
    }

    /// Whether commits after the snapshot changed the object's existence or one of these slots.
    fn touches(&self, id: EntityId, snapshot: Seq, slots: &[Slot]) -> Result<bool> {
        let now = self.object(id).state();
        let later = |slot: &Slot| now.slot(*slot).is_some_and(|(_, since)| since > snapshot);
        let mut hit = now.since() > snapshot || slots.iter().any(later);
        if !hit && slots.iter().any(|slot| now.slot(*slot).is_none()) {
            // What is not there now may have been there in between.
            self.visit_changes(id, snapshot, self.head, &mut |change| {
                hit = slots.contains(&change.slot);
                Ok(!hit)
            })?;
        }
        Ok(hit)
    }
}

fn conflict(what: &str, action: &str, by: Seq, snapshot: Seq) -> Error {
    let message = format!(
        "{what}, which this transaction {action}s as of version {snapshot}, was changed by version {by}; run it again"
    );
    let error = Error::new(Code::Conflict, message).with("what", what).with("action", action);
    error.with("by", by).with("snapshot", snapshot)
}

fn carry_out(
    draft: &mut Draft<'_>,
    transaction: &Transaction,
    principal: &str,
    gate: &dyn Gate,
) -> Result<NameId> {
    let snapshot = transaction.snapshot();
    if draft.graph.head > snapshot {
        for verb in transaction.verbs() {
            let verb = verb?;
            let valid = draft.graph.validate_write(&verb, snapshot);
            valid.or_else(|error| ask(draft, &verb, gate).and(Err(error)))?;
        }
    }
    let principal = draft.name(principal)?;
    if let Some(Declaration { label, property, rules }) = transaction.declares() {
        gate.write_node(&mut std::iter::empty(), draft.names())?;
        let (label, property) = (draft.name(label)?, draft.name(property)?);
        draft.declare(label, property, *rules)?;
    }
    for verb in transaction.verbs() {
        let verb = verb?;
        let bytes = draft.operations.len();
        let done = perform(draft, &verb);
        if done.is_err() || draft.operations.len() == bytes {
            ask(draft, &verb, gate)?;
        }
        done?;
    }
    for id in draft.touched() {
        ask_sides(gate, draft.names(), draft.sides_of(id), Labels::new())?;
    }
    draft.index()?;
    Ok(principal)
}
