//! Merging a layer into what it stands on, or into another one that stands there: three-way, slot by slot.
//!
//! What a slot was when both had the same last is compared with what the layer and the other side have made of it: where only the layer has
//! changed it, the change is taken over; where both have, and not to the same, they clash. Both had the same last in the newest version of
//! any layer that has come into both, by whatever merges and forks ([`Graph::taken_in`]).
//!
//! A layer stands on a version that never changes. One that is to follow what goes on below is merged into a new one above the head.

use crate::entity::{Entity, Slot, same};
use crate::patches::{Patches, Plan};
use crate::{Graph, Layer, Purpose, Transaction};
use hashbrown::HashSet;
use karyon_model::{Code, EntityId, Result, Seq, ensure};
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Whose change counts where two clash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefer {
    /// Nobody's: nothing is merged then.
    Neither,
    /// That of what it is merged into.
    Other,
    /// The layer's.
    Layer,
}

/// A node or edge: as the layer had it before its changes, as it has it; as the other side had it then, as it has it.
struct Sides<'g> {
    old: Cow<'g, Entity>,
    layer: Cow<'g, Entity>,
    had: Cow<'g, Entity>,
    other: Cow<'g, Entity>,
    /// Something that is known no more has come into both since.
    doubtful: bool,
}

/// A merge in the making.
struct Merge<'g> {
    graph: &'g Graph,
    layer: u32,
    into: u32,
    prefer: Prefer,
    patches: Patches,
    /// What goes.
    gone: HashSet<EntityId>,
    /// Nodes that the merge brings.
    made: HashSet<EntityId>,
    /// The commits of what is taken over.
    parents: BTreeSet<Seq>,
}

impl Graph {
    /// Plans the merge of a layer into another one that stands on the same, or else into that, as of the head.
    ///
    /// Fails with `Layer` where `into` stands on something else. Cost: two reads at each side of whatever was ever changed in the layer.
    pub fn plan_merge(&self, layer: u32, into: Option<u32>, prefer: Prefer) -> Result<Plan> {
        let Some(Layer { parent, from, copies, .. }) = self.living(layer)? else {
            return Ok(Plan::default());
        };
        let (parent, head, into) = (*parent, self.head(), into.unwrap_or(*parent));
        let beside = self.living(into)?.is_some_and(|beside| into != layer && beside.parent == parent);
        let message =
            "a fork is merged into what it stands on, or into another fork of that; merge it step by step";
        ensure(into == parent || beside, Code::Layer, message)?;
        let (common, gone) = self.in_common(&self.taken_in(layer), &self.taken_in(into));
        let stood = self.living(into)?.filter(|_| beside).map_or(*from, |other| other.from.min(*from));
        let state = |layer: u32, id: EntityId, seq: Seq| self.state_in(layer, id, seq).map(|found| found.0);
        let mut merge = Merge {
            graph: self,
            layer,
            into,
            prefer,
            patches: Patches::default(),
            gone: HashSet::new(),
            made: HashSet::new(),
            parents: BTreeSet::new(),
        };
        let mut all = BTreeMap::new();
        // What it has not taken over from another one, it has decided against.
        let others = common.iter().filter(|(_, of)| *of > 0 && *of != parent);
        let others = others.flat_map(|(_, of)| self.layer(*of).copies.keys());
        for id in copies.keys().chain(others).copied() {
            // The newest that holds it.
            let held = |(seq, of): &&(Seq, u32)| *of == parent || self.found_in(*of, id, *seq).0 == *of;
            let (since, of) = common.iter().find(held).copied().unwrap_or_default();
            let olds = if of == parent { [*from, stood] } else { [since; 2] };
            let [old, had] = olds.map(|seq| state(of, id, seq));
            let (layer, other) = (state(layer, id, head)?, state(into, id, head)?);
            all.insert(id, Sides { old: old?, layer, had: had?, other, doubtful: gone > since });
        }
        // Which edges go is known before it is asked whether a node may; nodes come before edges, which find the ends that come with them.
        let moved = all.values().any(|sides| sides.doubtful || !same(&sides.old, &sides.layer));
        let (goes, stays): (Vec<_>, Vec<_>) =
            all.iter().partition(|(id, sides)| matches!(id, EntityId::Edge(_)) && !sides.layer.is_alive());
        goes.into_iter().chain(stays).try_for_each(|(id, sides)| merge.take(*id, sides))?;
        let Merge { patches, parents, .. } = merge;
        let undecided = prefer == Prefer::Neither && !patches.plan.obstacles.is_empty();
        patches.finish((!undecided && moved).then(|| {
            let mut transaction = Transaction::with(head, Purpose::Merge(layer)).in_layer(into);
            transaction.parents = parents.into_iter().collect();
            transaction
        }))
    }
}

impl Graph {
    /// What a layer has in it as of the head: of what it stands on, and of layers whose changes were merged into any of these, the newest
    /// version each. What a merged layer stands on does not come with its changes.
    fn taken_in(&self, layer: u32) -> BTreeMap<u32, Seq> {
        let mut known: BTreeMap<u32, Seq> = self.shown_by(layer, self.head()).collect();
        let of = (1..).zip(&self.layers);
        let mut merges: Vec<_> = of
            .flat_map(|(of, layer)| layer.merges.iter().map(move |(into, seq)| (*seq, of, *into)))
            .collect();
        // From the newest on: what came into another layer before it was merged comes with it.
        merges.sort_unstable();
        for (seq, of, into) in merges.into_iter().rev() {
            if known.get(&into).is_some_and(|newest| *newest >= seq) {
                let newest = known.entry(of).or_insert(seq);
                *newest = seq.max(*newest);
            }
        }
        known
    }

    /// The versions of layers, and of the base, that two have both taken in, the newest first. The newest of a layer that was dropped; 0
    /// where there is none.
    fn in_common(&self, one: &BTreeMap<u32, Seq>, other: &BTreeMap<u32, Seq>) -> (Vec<(Seq, u32)>, Seq) {
        let both = one.iter().filter_map(|(layer, seq)| Some((*seq.min(other.get(layer)?), *layer)));
        let (mut living, gone): (Vec<_>, Vec<_>) = both.partition(|(_, layer)| self.living(*layer).is_ok());
        living.sort_unstable_by_key(|both| Reverse(*both));
        (living, gone.into_iter().map(|gone| gone.0).max().unwrap_or(0))
    }

    /// The versions from which merges of living layers go on.
    ///
    /// Cost: a look at each two that stand on the same.
    pub fn merge_bases(&self) -> BTreeSet<Seq> {
        let of = (1..).zip(&self.layers).filter(|(_, layer)| layer.is_living());
        let mut beside: BTreeMap<u32, Vec<_>> = BTreeMap::new();
        for (number, Layer { parent, .. }) in of {
            let into = beside.entry(*parent).or_insert_with(|| vec![self.taken_in(*parent)]);
            into.push(self.taken_in(number));
        }
        let pairs = beside.values().flat_map(|all| {
            let two = move |at| all[..at].iter().flat_map(move |other| self.in_common(&all[at], other).0);
            (1..all.len()).flat_map(two)
        });
        pairs.map(|(seq, _)| seq).collect()
    }
}

impl Merge<'_> {
    /// Notes a clash. Whether the layer's side is taken all the same.
    fn clash(&mut self, entity: EntityId, slot: Slot, reason: &'static str) -> bool {
        self.patches.obstruct(entity, slot, reason);
        self.prefer == Prefer::Layer
    }

    fn take(&mut self, id: EntityId, sides: &Sides<'_>) -> Result<()> {
        let Sides { old, layer, had, other, doubtful } = sides;
        if (same(old, layer) && !doubtful) || same(layer, other) {
            return Ok(());
        }
        if !layer.is_alive() {
            let changed =
                *doubtful || !same(had, other) || self.graph.has_other_edges(self.into, id, &self.gone)?;
            let reason = "the fork has removed it, and the other side has changed or linked it";
            if other.is_alive() && (!changed || self.clash(id, Slot::Existence, reason)) {
                self.gone.insert(id);
                self.parents.insert(layer.since());
                // What is linked meanwhile does not go with it, unless it was decided so.
                self.patches.remove(self.graph, id, changed);
            }
            return Ok(());
        }
        if other.is_alive() {
            return self.take_slots(id, sides);
        }
        let reason = "the fork has changed it, and the other side has removed it";
        if ((had.is_alive() || *doubtful) && !self.clash(id, Slot::Existence, reason))
            || !self.bring_ends(id)?
        {
            return Ok(());
        }
        self.bring(id, layer);
        Ok(())
    }

    /// Takes over what the layer has changed of what exists at both sides.
    fn take_slots(&mut self, id: EntityId, sides: &Sides<'_>) -> Result<()> {
        let Sides { old, layer, had, other, doubtful } = sides;
        fn held(entity: &Entity, slot: Slot) -> Option<&[u8]> {
            entity.slot(slot).map(|held| held.0)
        }
        let slots: BTreeSet<Slot> = old.slots().chain(layer.slots()).collect();
        let mut changes = Vec::new();
        for slot in slots.into_iter().filter(|slot| *slot != Slot::Existence) {
            let (value, value_there) = (held(layer, slot), held(other, slot));
            let was = held(old, slot);
            if (was == value && !doubtful) || value == value_there {
                continue;
            }
            if (held(had, slot) == value_there && !doubtful) || self.clash(id, slot, "both have changed it") {
                // Of what was unset nobody but the copy itself can tell.
                let since = layer
                    .slot(slot)
                    .map_or_else(|| self.graph.last_in(self.layer, id, self.graph.head()), |held| Ok(held.1));
                self.parents.insert(since?);
                changes.push((slot, value));
            }
        }
        self.patches.set(self.graph, id, false, &changes);
        Ok(())
    }

    /// Whether the ends of an edge stand at the other side, once the merge is done.
    fn bring_ends(&mut self, id: EntityId) -> Result<bool> {
        let EntityId::Edge(edge) = id else { return Ok(true) };
        let slot = self.graph.edge(edge);
        for end in [slot.from, slot.to].map(EntityId::Node) {
            let stands = || self.graph.entity_in(self.into, end, self.graph.head());
            if self.made.contains(&end) || stands()?.is_some() {
                continue;
            }
            if !self.clash(id, Slot::Existence, "the other side has removed an end of the edge") {
                return Ok(false);
            }
            let state = self.graph.state_in(self.layer, end, self.graph.head())?.0;
            self.bring(end, &state);
        }
        Ok(true)
    }

    /// Brings a node or edge whole.
    fn bring(&mut self, id: EntityId, state: &Entity) {
        let whole = state.slots().filter(|slot| *slot != Slot::Existence);
        let whole: Vec<_> = whole.map(|slot| (slot, state.slot(slot).map(|held| held.0))).collect();
        let since = state.slots().filter_map(|slot| state.slot(slot).map(|held| held.1));
        self.parents.extend(since);
        self.patches.plan.changed += 1;
        self.made.insert(id);
        self.patches.set(self.graph, id, true, &whole);
    }
}
