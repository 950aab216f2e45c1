//! Revert: what one principal wrote since a moment is taken back, slot by slot, and nobody else's work is lost.
//!
//! A revert sees through what it takes back, through what earlier reverts took back, and through the reverts themselves.
//! The newest change of a slot that it does not see through says what the slot is to hold: where that is what it holds,
//! someone else has changed it since, and it is kept and reported. So writers who overwrote each other can be taken back in
//! any order. A node or edge that only such writers made goes when nobody else has built on it.

use crate::patches::{Patches, Plan};
use crate::{Encoded, Entity, Graph, Purpose, Slot, Transaction};
use hashbrown::{HashMap, HashSet};
use karyon_history::{Commit, Commits};
use karyon_model::{EdgeKey, EntityId, NameId, Result, Reverted, Seq, Target};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// The commits that a revert is about.
struct Scope {
    /// The principal's, after the moment.
    own: HashSet<Seq>,
    /// Those that are seen through, the own ones among them.
    through: HashSet<Seq>,
    /// No commit up to this one is seen through.
    oldest: Seq,
    /// Whether some of the principal's were not taken back before.
    fresh: bool,
    /// What the own ones have changed, and what all that are seen through have.
    touched: [BTreeSet<EntityId>; 2],
}

impl Scope {
    fn new(commits: &Commits, head: Seq, principal: NameId, since: Seq) -> Result<Scope> {
        let oldest = commits.all_reverts().map(|(_, reverted)| reverted.since).fold(since, Seq::min);
        let (own, through, touched) = (HashSet::new(), HashSet::new(), Default::default());
        let mut scope = Scope { own, through, oldest, fresh: false, touched };
        // The reverts of each principal: when, and how far back.
        let mut reverts: HashMap<NameId, Vec<(Seq, Seq)>> = HashMap::new();
        for (seq, reverted) in commits.all_reverts() {
            reverts.entry(reverted.principal).or_default().push((seq, reverted.since));
        }
        commits.visit(oldest, head, &mut |Commit { header, touched: changed }| {
            let seq = header.seq;
            if header.layer != 0 {
                return Ok(true);
            }
            let own = header.principal == principal && seq > since;
            let covers = |(revert, since): &(Seq, Seq)| *since < seq && seq < *revert;
            let through = header.reverts.is_some()
                || reverts.get(&header.principal).is_some_and(|reverts| reverts.iter().any(covers));
            scope.fresh |= own && !through;
            for (wanted, set, touched) in [(own, 0, &mut scope.own), (own || through, 1, &mut scope.through)]
            {
                if wanted {
                    touched.insert(seq);
                    scope.touched[set].extend(changed.iter());
                }
            }
            Ok(true)
        })?;
        Ok(scope)
    }
}

/// A slot that has changed since the oldest commit that is seen through.
struct Written {
    /// What it is to hold.
    value: Option<Encoded>,
    /// Whether a change was found that is not seen through.
    settled: bool,
    /// Whether the principal changed it; and if someone else has since.
    own: Option<bool>,
}

type Slots = BTreeMap<Slot, Written>;

impl Graph {
    /// Plans the revert of a principal's commits after `since`, as of the head.
    pub fn plan_revert(&self, commits: &Commits, principal: NameId, since: Seq) -> Result<Plan> {
        let scope = Scope::new(commits, self.head(), principal, since)?;
        let mut written: BTreeMap<EntityId, Slots> = BTreeMap::new();
        for id in self.reach(&scope) {
            written.insert(id, self.written(id, &scope)?);
        }
        let mut patches = Patches::default();
        // Edges lean on nodes: whether one goes is asked before it is asked of its ends.
        let mut removed = HashSet::new();
        for (id, slots) in written.iter().rev() {
            let state = self.now(*id)?;
            let existence = slots.get(&Slot::Existence);
            if !state.is_alive() || existence.is_none_or(|written| written.value.is_some()) {
                continue;
            }
            if is_wanted(&state, slots) || self.has_other_edges(0, *id, &removed)? {
                if existence.is_some_and(|written| written.own == Some(false)) {
                    patches.obstruct(*id, Slot::Existence, "others have built on it");
                }
                continue;
            }
            removed.insert(*id);
            patches.remove(self, *id, false);
        }
        // Nodes come before edges here, so an edge finds the ends that come back with it.
        let stands = |node: u32| {
            let id = EntityId::Node(node);
            let state = self.now(id)?;
            let comes_back = || written.get(&id).is_some_and(|slots| is_wanted(&state, slots));
            Ok(!removed.contains(&id) && (state.is_alive() || comes_back()))
        };
        for (id, slots) in written.iter().filter(|(id, _)| !removed.contains(*id)) {
            self.restore(*id, slots, &stands, &mut patches)?;
        }
        let reverted = Purpose::Revert(Reverted { principal, since });
        let wanted = scope.fresh || patches.plan.changed > 0;
        let mut plan = patches.finish(wanted.then(|| Transaction::with(self.head(), reverted)))?;
        commits.visit(since, self.head(), &mut |Commit { header, .. }| {
            let reads_own = header.parents.iter().any(|parent| scope.own.contains(parent));
            plan.descendants.extend((reads_own && !scope.own.contains(&header.seq)).then_some(header.seq));
            Ok(true)
        })?;
        Ok(plan)
    }

    /// What the principal has touched, and what earlier reverts had to leave beside it: an end of an edge that goes, an edge
    /// of a node that comes back.
    fn reach(&self, scope: &Scope) -> BTreeSet<EntityId> {
        let [mut reach, beside] = scope.touched.clone();
        let ends = |edge: u32| [self.edge(edge).from, self.edge(edge).to];
        let nodes = |id: &EntityId| match *id {
            EntityId::Node(node) => [node, node],
            EntityId::Edge(edge) => ends(edge),
        };
        let near: HashSet<u32> = reach.iter().flat_map(nodes).collect();
        reach.extend(beside.into_iter().filter(|id| nodes(id).iter().any(|node| near.contains(node))));
        reach
    }

    fn written(&self, id: EntityId, scope: &Scope) -> Result<Slots> {
        let mut slots = Slots::new();
        // The newest removal that is not seen through: whatever was there before it is gone for good.
        let mut removal = 0;
        self.visit_changes((0, id), (scope.oldest, self.head()), &mut |change| {
            let through = scope.through.contains(&change.seq);
            if !through && change.slot == Slot::Existence && change.after.is_none() {
                removal = change.seq.max(removal);
            }
            let fresh = Written { value: change.after, settled: false, own: None };
            let slot = slots.entry(change.slot).or_insert(fresh);
            if scope.own.contains(&change.seq) {
                slot.own.get_or_insert(slot.settled);
            }
            if !slot.settled && (through || change.seq < removal) {
                slot.value = change.before.filter(|_| change.seq > removal);
            }
            slot.settled |= !through || change.seq < removal;
            Ok(true)
        })?;
        Ok(slots)
    }

    fn now(&self, id: EntityId) -> Result<Cow<'_, Entity>> {
        Ok(self.state_in(0, id, self.head())?.0)
    }

    /// Whether a node has edges in a layer beside those that go.
    pub(crate) fn has_other_edges(&self, layer: u32, id: EntityId, gone: &HashSet<EntityId>) -> Result<bool> {
        let EntityId::Node(node) = id else { return Ok(false) };
        let edges = self.incident_in(layer, node, self.head())?;
        Ok(edges.into_iter().any(|edge| !gone.contains(&EntityId::Edge(edge))))
    }

    fn restore(
        &self,
        id: EntityId,
        slots: &Slots,
        stands: &dyn Fn(u32) -> Result<bool>,
        patches: &mut Patches,
    ) -> Result<()> {
        let state = self.now(id)?;
        let alive = state.is_alive();
        if !alive && !is_wanted(&state, slots) {
            return Ok(());
        }
        if let EntityId::Edge(edge) = id
            && !alive
            && !(stands(self.edge(edge).from)? && stands(self.edge(edge).to)?)
        {
            if slots.values().any(|written| written.own.is_some()) {
                patches.obstruct(id, Slot::Existence, "an end of the edge is gone");
            }
            return Ok(());
        }
        let mut changes = Vec::new();
        for (slot, written) in slots {
            if written.own == Some(true) {
                patches.obstruct(id, *slot, "someone else has changed it since");
            }
            let value = written.value.as_deref();
            let differs = state.slot(*slot).map(|held| held.0) != value;
            if differs && (*slot != Slot::Existence || !alive) {
                changes.push((*slot, value));
            }
        }
        patches.set(self, id, !alive, &changes);
        Ok(())
    }

    /// Lends a node's key or an edge's identity.
    pub fn with_target<T>(&self, id: EntityId, lend: impl FnOnce(Target<'_>) -> T) -> T {
        match id {
            EntityId::Node(node) => lend(Target::Node(self.key(node))),
            EntityId::Edge(edge) => {
                let slot = self.edge(edge);
                let (from, to) = (self.key(slot.from), self.key(slot.to));
                let kind = self.names.text(slot.kind);
                lend(Target::Edge(EdgeKey { from, kind: &kind, to, key: self.tables.edge_key(slot) }))
            }
        }
    }
}

/// Whether it is to exist: someone who stays has made it, or has set something on it.
fn is_wanted(state: &Entity, slots: &Slots) -> bool {
    let untouched = |slot: Slot| !slots.contains_key(&slot);
    slots.values().any(|written| written.value.is_some()) || state.slots().any(untouched)
}
