//! Revert: what one principal wrote since a moment is taken back, slot by slot, and nobody else's work is lost.
//!
//! For every slot that the principal changed: if its present value is the principal's, it gets the newest value that
//! someone else gave it, or the one from before the moment; if someone else has changed it since, it is kept and reported.
//! A node or edge that the principal created goes only when nobody else has built on it.

use crate::entity::{Encoded, Slot};
use crate::head::Graph;
use crate::tables::Direction;
use hashbrown::HashSet;
use karyon_history::Commits;
use karyon_model::{EdgeKey, EntityId, NameId, Result, Seq, Target, Verb, VerbWriter};
use std::collections::{BTreeMap, BTreeSet};

/// What a revert would do.
#[derive(Debug, Default)]
pub struct RevertPlan {
    /// The verbs that take the writes back, for one transaction.
    pub verbs: VerbWriter,
    /// How many slots they restore.
    pub restored: usize,
    /// What stays, and why.
    pub kept: Vec<Kept>,
    /// Later commits of others that read what is taken back.
    pub descendants: Vec<Seq>,
}

/// Something that the principal wrote and that stays.
#[derive(Debug)]
pub struct Kept {
    /// Where.
    pub entity: EntityId,
    /// Which slot.
    pub slot: Slot,
    /// Why, for people.
    pub reason: &'static str,
}

/// A slot that the principal changed.
struct Written {
    /// Who changed it last: the principal?
    own: bool,
    /// What to restore.
    restored: Option<Encoded>,
}

type Slots = BTreeMap<Slot, Written>;

impl Graph {
    /// Plans the revert of a principal's commits after `since`, as of the head.
    pub fn plan_revert(&self, commits: &Commits, principal: NameId, since: Seq) -> Result<RevertPlan> {
        let by = |seq: Seq| commits.row(seq).is_some_and(|row| row.principal == principal);
        let reverted: HashSet<Seq> = (since + 1..=self.head()).filter(|seq| by(*seq)).collect();
        let mut plan = RevertPlan::default();
        let mut written: BTreeMap<EntityId, Slots> = BTreeMap::new();
        let touched: BTreeSet<_> =
            (since + 1..=self.head()).flat_map(|seq| commits.touched(seq).iter().copied()).collect();
        for id in touched {
            let slots = self.written(id, since, &reverted)?;
            if !slots.is_empty() {
                written.insert(id, slots);
            }
        }
        // Edges lean on nodes: what is created comes back nodes first, what goes away goes edges first.
        let edges_first = written.iter().rev().map(|(id, slots)| (*id, slots));
        let mut removed = HashSet::new();
        for (id, slots) in edges_first {
            if !goes(slots) || !self.object(id).state().is_alive() {
                continue;
            }
            if self.built_on(id, slots, &removed) {
                plan.kept.push(Kept { entity: id, slot: Slot::Existence, reason: "others have built on it" });
                continue;
            }
            removed.insert(id);
            plan.restored += 1;
            self.with_target(id, |target| match target {
                Target::Node(key) => drop(plan.verbs.push(&Verb::Remove { key, detach: false })),
                Target::Edge(edge) => drop(plan.verbs.push(&Verb::Unlink { edge })),
            });
        }
        // Nodes come before edges here, so an edge finds the ends that come back with it.
        let stands = |node: u32| {
            let id = EntityId::Node(node);
            let comes_back = || written.get(&id).is_some_and(comes_back);
            !removed.contains(&id) && (self.object(id).state().is_alive() || comes_back())
        };
        for (id, slots) in &written {
            if !removed.contains(id) {
                self.restore(*id, slots, &stands, &mut plan);
            }
        }
        plan.descendants = (since + 1..=self.head())
            .filter(|seq| !reverted.contains(seq))
            .filter(|seq| commits.parents(*seq).iter().any(|parent| reverted.contains(parent)))
            .collect();
        Ok(plan)
    }

    fn written(&self, id: EntityId, since: Seq, reverted: &HashSet<Seq>) -> Result<Slots> {
        let mut slots: BTreeMap<Slot, Written> = BTreeMap::new();
        let mut settled = HashSet::new();
        self.visit_changes(id, since, self.head(), &mut |change| {
            let own = reverted.contains(&change.seq);
            let slot = slots.entry(change.slot).or_insert(Written { own, restored: None });
            if own && !settled.contains(&change.slot) {
                slot.restored = change.before;
            } else {
                // Someone else's value: older changes do not matter any more.
                settled.insert(change.slot);
            }
            true
        })?;
        // A slot that only others changed is none of ours.
        let mut ours = HashSet::new();
        self.visit_changes(id, since, self.head(), &mut |change| {
            if reverted.contains(&change.seq) {
                ours.insert(change.slot);
            }
            true
        })?;
        slots.retain(|slot, _| ours.contains(slot));
        Ok(slots)
    }

    /// Whether others have set something on it, or linked it, that would go with it.
    fn built_on(&self, id: EntityId, slots: &Slots, gone: &HashSet<EntityId>) -> bool {
        let foreign = |slot: Slot| slots.get(&slot).is_none_or(|written| !written.own);
        let entity = self.object(id).state();
        if entity.slots().any(foreign) {
            return true;
        }
        let EntityId::Node(node) = id else { return false };
        [Direction::Out, Direction::In].into_iter().any(|direction| {
            let lists = self.node(node).lists(direction).iter();
            lists
                .flat_map(|list| list.1.state().as_slice())
                .any(|edge| !gone.contains(&EntityId::Edge(*edge)))
        })
    }

    fn restore(&self, id: EntityId, slots: &Slots, stands: &dyn Fn(u32) -> bool, plan: &mut RevertPlan) {
        let names = &self.names;
        let alive = self.object(id).state().is_alive();
        if !alive && !comes_back(slots) {
            return;
        }
        if let EntityId::Edge(edge) = id
            && !alive
        {
            let slot = self.edge(edge);
            if !(stands(slot.from) && stands(slot.to)) {
                plan.kept.push(Kept {
                    entity: id,
                    slot: Slot::Existence,
                    reason: "an end of the edge is gone",
                });
                return;
            }
        }
        let (mut labels, mut dropped, mut changes) = (Vec::new(), Vec::new(), Vec::new());
        for (slot, written) in slots {
            if !written.own {
                plan.kept.push(Kept { entity: id, slot: *slot, reason: "someone else has changed it since" });
                continue;
            }
            // What the principal took back itself needs no commit.
            if self.object(id).state().slot(*slot).map(|held| held.0) == written.restored.as_deref() {
                continue;
            }
            match slot {
                Slot::Existence => {}
                Slot::Label(name) if written.restored.is_some() => labels.push(names.text(*name)),
                Slot::Label(name) => dropped.push(names.text(*name)),
                Slot::Property(name) => changes.push((names.text(*name), written.restored.as_deref())),
            }
            plan.restored += 1;
        }
        let labels: Vec<&str> = labels.iter().map(|label| &**label).collect();
        let drop: Vec<&str> = dropped.iter().map(|label| &**label).collect();
        let changes: Vec<_> = changes.iter().map(|(name, value)| (&**name, *value)).collect();
        let unchanged = labels.is_empty() && drop.is_empty() && changes.is_empty();
        if alive && unchanged {
            return;
        }
        self.with_target(id, |target| match target {
            Target::Edge(edge) if !alive => {
                plan.verbs.push(&Verb::Link { edge, changes });
            }
            target => {
                plan.verbs.push(&Verb::Patch { target, labels, drop, changes });
            }
        });
    }

    /// Lends a node's key or an edge's identity.
    pub fn with_target<T>(&self, id: EntityId, lend: impl FnOnce(Target<'_>) -> T) -> T {
        match id {
            EntityId::Node(node) => lend(Target::Node(&self.node(node).key)),
            EntityId::Edge(edge) => {
                let slot = self.edge(edge);
                let (from, to) = (&*self.node(slot.from).key, &*self.node(slot.to).key);
                let kind = self.names.text(slot.kind);
                lend(Target::Edge(EdgeKey { from, kind: &kind, to, key: &slot.key }))
            }
        }
    }
}

fn comes_back(slots: &Slots) -> bool {
    slots.get(&Slot::Existence).is_some_and(|slot| slot.own && slot.restored.is_some())
}

fn goes(slots: &Slots) -> bool {
    slots.get(&Slot::Existence).is_some_and(|slot| slot.own && slot.restored.is_none())
}
