//! Commits: validate, carry out beside the graph, ask the gate; then publish.
//!
//! Validation is backward: a transaction aborts when something that it read, or a slot that it writes, was changed by a
//! commit later than its snapshot. Every read is an object, lists and absences included, so phantoms are covered. Under
//! snapshot isolation only what is written is validated; what was read still gives the parents.

use crate::draft::{Draft, changed};
use crate::gate::{Gate, ask};
use crate::plan::{Operations, Surface, describe, perform, target};
use crate::publish::Publication;
use crate::transaction::{Declaration, Purpose, Read, Transaction, check_size};
use crate::{Graph, Index, Slot};
use karyon_history::ObjectId;
use karyon_model::limits::PARENTS_MAX;
use karyon_model::valid::HOLDS;
use karyon_model::{
    Code, CommitRecord, EntityId, Error, NameId, Operation, OperationReader, Result, Seq, Target, Verb,
    require, unless,
};
use std::collections::BTreeSet;

/// A commit that was carried out and is not published yet.
#[derive(Default)]
pub struct Prepared {
    /// What it did, encoded for the log.
    pub operations: Vec<u8>,
    /// The nodes and edges that it changes, ascending.
    pub touched: Vec<EntityId>,
    /// Who commits.
    pub principal: NameId,
    /// What it was built on: the commits that wrote what was read, newest first, at most `PARENTS_MAX`.
    pub parents: Vec<Seq>,
    /// Whether some of them were left out: older ones, or one that is not known.
    pub coarse: bool,
    pub(crate) publication: Publication,
}

impl Graph {
    /// Validates a transaction and carries it out beside the graph. When it fails, or changes nothing (`None`), nothing has
    /// happened. What reverts is a commit in any case.
    ///
    /// `principal` is who commits, to be defined in the log with its first commit.
    pub fn prepare(
        &self,
        transaction: &Transaction,
        principal: &str,
        gate: &dyn Gate,
    ) -> Result<Option<Prepared>> {
        self.living(transaction.layer())?;
        let (parents, coarse) = self.validate_reads(transaction)?;
        let mut draft = Draft::new(self, transaction.layer());
        let principal = draft.carry_out(transaction, principal, gate)?;
        let changed = draft.has_changed() || transaction.reverts().is_some();
        let prepared = Prepared { principal, parents, coarse, ..draft.finish()? };
        prepared.publication.check_bytes(self)?;
        Ok(changed.then_some(prepared))
    }

    /// Publishes up to `count` more of what was prepared as the next commit: nodes, edges, lists. True once the head has moved.
    ///
    /// Until then every version up to the head reads as before. After an error no commit may follow.
    pub fn publish(&mut self, prepared: &mut Prepared, count: usize) -> Result<bool> {
        prepared.publication.advance(self, count)
    }

    /// Repeats a commit of the log at `head() + 1`. Returns the nodes and edges that it changed. After an error the graph is of no use.
    pub fn replay(&mut self, record: &CommitRecord<'_>) -> Result<Vec<EntityId>> {
        self.living(record.header.layer)?;
        let mut draft = Draft::new(self, record.header.layer);
        let (head, seq) = (self.head, record.header.seq);
        let message = || format!("version {seq} follows version {head} in the log");
        require(head + 1 == seq, || Error::new(Code::Damaged, message()))?;
        // What follows each other on one node or edge, slot after slot, is carried out together.
        let mut run = Operations::new();
        for operation in OperationReader::new(record.operations) {
            let (operation, last) = (operation?, run.last().and_then(changed));
            let goes_on =
                |next: (EntityId, Slot)| last.is_some_and(|last| last.0 == next.0 && last.1 < next.1);
            if let (Some(last), false) = (last, changed(&operation).is_some_and(goes_on)) {
                draft.change(last.0, &run)?;
                run.clear();
            }
            draft.replay(&operation)?;
            run.extend(changed(&operation).map(|_| operation));
        }
        run.last().and_then(changed).map(|last| draft.change(last.0, &run)).transpose()?;
        let Prepared { touched, mut publication, .. } = draft.finish()?;
        publication.advance(self, usize::MAX)?;
        Ok(touched)
    }

    /// The commits that wrote what was read, newest first, and whether some are left out.
    fn validate_reads(&self, transaction: &Transaction) -> Result<(Vec<Seq>, bool)> {
        let (layer, snapshot) = (transaction.layer(), transaction.snapshot());
        #[cfg(karyon_broken = "reads")]
        let snapshot = self.head;
        let (mut parents, mut lost): (BTreeSet<Seq>, _) =
            (transaction.parents.iter().copied().collect(), false);
        for read in &transaction.reads {
            let last = self.last_change(layer, read, self.head)?;
            let holds = last <= snapshot || transaction.snapshot_isolation;
            require(holds, || conflict(&self.describe(read), "read", last, snapshot))?;
            // Which commit last changed the set of nodes, or an index, is known of the head alone.
            lost |= (last > snapshot || layer > 0) && matches!(read, Read::Nodes | Read::Index(_));
            let seen = if last > snapshot { self.last_change(layer, read, snapshot) } else { Ok(last) };
            // Who made it what was read may not be kept.
            let seen = unless(Code::Horizon, seen)?;
            lost |= seen.is_none();
            parents.extend(seen);
        }
        parents.remove(&0);
        let coarse = parents.len() > PARENTS_MAX || lost;
        Ok((parents.into_iter().rev().take(PARENTS_MAX).collect(), coarse))
    }

    /// The newest commit, as of `seq`, that changed what was read; 0 when none had, or when it is not known.
    fn last_change(&self, layer: u32, read: &Read, seq: Seq) -> Result<Seq> {
        let known = |last| if last <= seq { last } else { 0 };
        // Once an index is dropped, nothing is posted any more.
        let ruled = |index: u32| match self.indexes.all[index as usize].rules.last() {
            Some((since, rules)) if layer == 0 && !rules.indexed => known(*since),
            _ => 0,
        };
        let entity = |id| self.last_in(layer, id, seq);
        let listed = |list| self.list_last_in(layer, list, seq);
        match *read {
            Read::Entity(id) | Read::Hidden(id) => entity(id),
            Read::Never(ref identity) => self.id_of(&identity.target()).map_or(Ok(0), entity),
            Read::List(node, way, kind) => listed(ObjectId::Edges(way, node, kind)),
            Read::Lists(node, way) => {
                self.edge_lists(node, way).try_fold(0, |last, list| Ok(listed(list)?.max(last)))
            }
            Read::Label(name) => listed(ObjectId::Label(name)),
            Read::Value(index, ref key) => {
                let posting = self.indexes.all[index as usize].postings.get(&**key);
                let last = posting.map_or(Ok(0), |posting| listed(ObjectId::Posting(*posting)))?;
                Ok(last.max(ruled(index)))
            }
            Read::Index(index) => Ok(known(self.index_last_in(layer, index)).max(ruled(index))),
            Read::Nodes if layer > 0 => Ok(known(self.layer(layer).membership)),
            Read::Nodes => Ok(known(self.membership)),
        }
    }

    fn describe(&self, read: &Read) -> String {
        match read {
            Read::Entity(id) => self.with_target(*id, |target| describe(&target)),
            Read::Hidden(_) => "something that may not be seen".into(),
            Read::Never(identity) => describe(&identity.target()),
            Read::List(node, direction, kind) => {
                let kind = self.names.text(*kind);
                format!("the {kind} edges ({direction:?}) of {:?}", self.key(*node))
            }
            Read::Lists(node, direction) => format!("the edges ({direction:?}) of {:?}", self.key(*node)),
            Read::Label(name) => format!("the nodes labelled {:?}", self.names.text(*name)),
            Read::Value(index, _) | Read::Index(index) => {
                let Index { label, property, .. } = self.indexes.all[*index as usize];
                let [label, property] = [label, property].map(|name| self.names.text(name));
                format!("the nodes labelled {label:?} by {property:?}")
            }
            Read::Nodes => "the set of nodes".into(),
        }
    }

    fn validate_write(&self, verb: &Verb<'_>, transaction: &Transaction) -> Result<()> {
        if let Verb::Within { verb, .. } = verb {
            return self.validate_write(verb, transaction);
        }
        let snapshot = transaction.snapshot();
        #[cfg(karyon_broken = "writes")]
        let snapshot = self.head;
        let clash = |by| Err(conflict(&describe(&target(verb)), "write", by, snapshot));
        let Some(id) = self.id_of(&target(verb)) else {
            // It may be what was erased since, and would be there again.
            return if self.erased > snapshot { clash(self.erased) } else { Ok(()) };
        };
        let layer = transaction.layer();
        let last = self.last_in(layer, id, self.head)?;
        if last <= snapshot {
            return Ok(());
        }
        let property = |name| self.names.get(name).map(Slot::Property);
        let label = |name: &&str| self.names.get(name).map(Slot::Label);
        let slots: Vec<Slot> = match verb {
            Verb::Patch { labels, drop, changes, .. } => {
                let labels = labels.iter().chain(drop).filter_map(label);
                labels.chain(changes.iter().filter_map(|change| property(change.0))).collect()
            }
            Verb::Link { changes, .. } => {
                changes.iter().map(|change| change.0).chain([HOLDS]).filter_map(property).collect()
            }
            // An increment commutes, unless its transaction has seen what it adds to.
            Verb::Increment { .. } if !transaction.reads.contains(&Read::Entity(id)) => vec![],
            Verb::Splice { name, .. } | Verb::Append { name, .. } | Verb::Increment { name, .. } => {
                property(name).into_iter().collect()
            }
            Verb::Put { .. } | Verb::Remove { .. } | Verb::Unlink { .. } | Verb::Within { .. } => {
                return clash(last);
            }
        };
        if self.touches((layer, id), snapshot, &slots)? { clash(last) } else { Ok(()) }
    }

    /// Whether commits after the snapshot changed the object's existence or one of these slots.
    fn touches(&self, (layer, id): (u32, EntityId), snapshot: Seq, slots: &[Slot]) -> Result<bool> {
        let now = self.state_in(layer, id, self.head)?.0;
        let later = |slot: &Slot| now.slot(*slot).is_some_and(|(_, since)| since > snapshot);
        let mut hit = now.since() > snapshot || slots.iter().any(later);
        if !hit && slots.iter().any(|slot| now.slot(*slot).is_none()) {
            // What is not there now may have been there in between.
            let visited = self.visit_changes((layer, id), (snapshot, self.head), &mut |change| {
                hit = slots.contains(&change.slot);
                Ok(!hit)
            });
            // Nobody knows any more: it may have.
            hit |= unless(Code::Horizon, visited)?.is_none();
        }
        Ok(hit)
    }
}

pub(crate) fn conflict(what: &str, action: &str, by: Seq, snapshot: Seq) -> Error {
    let message = format!(
        "{what}, which this transaction {action}s as of version {snapshot}, was changed by version {by}; run it again"
    );
    let error = Error::new(Code::Conflict, message).with("what", what).with("action", action);
    error.with("by", by).with("snapshot", snapshot)
}

impl Draft<'_> {
    /// Returns the number of who commits.
    fn carry_out(&mut self, transaction: &Transaction, principal: &str, gate: &dyn Gate) -> Result<NameId> {
        let snapshot = transaction.snapshot();
        self.reserve(transaction.verbs.len());
        if self.graph.head > snapshot {
            for verb in transaction.verbs() {
                let verb = verb?;
                let valid = self.graph.validate_write(&verb, transaction);
                valid.or_else(|error| ask(self, &verb, gate).and(Err(error)))?;
            }
        }
        let principal = self.name(principal)?;
        if !matches!(transaction.purpose, None | Some(Purpose::Revert(_))) {
            gate.write_node(&mut std::iter::empty(), self.names())?;
        }
        match &transaction.purpose {
            Some(Purpose::Declare(Declaration { label, property, rules })) => {
                let (label, property) = (self.name(label)?, self.name(property)?);
                self.declare(label, property, *rules)?;
            }
            Some(Purpose::Fork { name, parent, from }) => {
                let name = self.name(name)?;
                self.fork(name, *parent, *from)?;
            }
            Some(Purpose::Drop(layer)) => self.drop_layer(*layer)?,
            Some(Purpose::Merge(layer)) => self.merge(*layer, snapshot)?,
            Some(Purpose::Erase(key)) => self.erase(key)?,
            Some(Purpose::Archive { through, digest }) => {
                self.act(&Operation::Archive { through: *through, digest });
            }
            Some(Purpose::Revert(_)) | None => {}
        }
        for (count, verb) in transaction.verbs().enumerate() {
            let verb = verb?;
            check_size(count + 1, 0)?;
            let bytes = self.operations.len();
            let done = perform(self, &verb);
            if done.is_err() || self.operations.len() == bytes {
                ask(self, &verb, gate)?;
            }
            done?;
        }
        self.ask_touched(gate)?;
        // An edge that goes with its node is written like one that is unlinked, though no verb names it.
        for id in self.touched().filter(|_| transaction.snapshot_isolation) {
            if self.state(id).since() > snapshot {
                let last = self.last(id)?;
                #[cfg(karyon_broken = "detach")]
                let last = 0;
                if last > snapshot {
                    let conflict = |it: Target<'_>| Err(conflict(&describe(&it), "remove", last, snapshot));
                    return self.graph.with_target(id, conflict);
                }
            }
        }
        Ok(principal)
    }
}
