//! What reverts and merges have in common: a plan, many changes told as verbs, and what stands against one.

use crate::{Graph, Slot, Transaction};
use karyon_model::{EntityId, Result, Seq, Target, Verb};
use std::sync::Arc;

/// A slot that is not changed as it was asked for.
#[derive(Debug)]
pub struct Obstacle {
    /// Where.
    pub entity: EntityId,
    /// Which slot.
    pub slot: Slot,
    /// Why, for people.
    pub reason: &'static str,
}

/// What a revert or a merge would do.
#[derive(Debug, Default)]
pub struct Plan {
    /// What does it, to be committed; `None` when nothing is left to be done, or when a merge meets obstacles and nobody is preferred.
    ///
    /// It may be without verbs: that a principal was reverted counts also where others have written over all of it, because they may be
    /// reverted later, and that a layer was merged also where nothing was to be taken over.
    pub transaction: Option<Transaction>,
    /// How many existences, labels and properties it changes.
    pub changed: usize,
    /// Of a revert, what the principal wrote and that stays; of a merge, what both have changed.
    pub obstacles: Vec<Obstacle>,
    /// Of a revert, later commits of others that read what is taken back.
    pub descendants: Vec<Seq>,
}

/// A plan in the making, and its changes in an order in which they can be carried out: edges go before nodes, nodes come before edges.
#[derive(Debug, Default)]
pub(crate) struct Patches {
    pub(crate) plan: Plan,
    unlinks: Vec<u8>,
    removes: Vec<u8>,
    nodes: Vec<u8>,
    edges: Vec<u8>,
}

impl Patches {
    /// Notes what stands against a change.
    pub(crate) fn obstruct(&mut self, entity: EntityId, slot: Slot, reason: &'static str) {
        self.plan.obstacles.push(Obstacle { entity, slot, reason });
    }

    /// Has a node or edge go; a node with its edges where it is detached.
    pub(crate) fn remove(&mut self, graph: &Graph, id: EntityId, detach: bool) {
        self.plan.changed += 1;
        graph.with_target(id, |target| match target {
            Target::Node(key) => Verb::Remove { key, detach }.encode(&mut self.removes),
            Target::Edge(edge) => Verb::Unlink { edge }.encode(&mut self.unlinks),
        });
    }

    /// Has slots of a node or edge, which may be a new one, hold something, or nothing any more.
    pub(crate) fn set(&mut self, graph: &Graph, id: EntityId, is_new: bool, slots: &[(Slot, Option<&[u8]>)]) {
        if slots.is_empty() && !is_new {
            return;
        }
        self.plan.changed += slots.len();
        let (mut labels, mut drop, mut changes) = (Vec::new(), Vec::new(), Vec::new());
        let names: Vec<Arc<str>> = slots.iter().map(|(slot, _)| graph.slot_name(*slot)).collect();
        for ((slot, value), name) in slots.iter().zip(&names) {
            match slot {
                Slot::Existence => {}
                Slot::Label(_) if value.is_some() => labels.push(&**name),
                Slot::Label(_) => drop.push(&**name),
                Slot::Property(_) => changes.push((&**name, *value)),
            }
        }
        // A link says that the edge holds always, unless it is told otherwise.
        graph.with_target(id, |target| match target {
            Target::Edge(edge) if is_new => Verb::Link { edge, changes }.encode(&mut self.edges),
            target @ Target::Edge(_) => Verb::Patch { target, labels, drop, changes }.encode(&mut self.edges),
            target => Verb::Patch { target, labels, drop, changes }.encode(&mut self.nodes),
        });
    }

    /// The plan, and what is to ask for its changes, if something is.
    pub(crate) fn finish(mut self, transaction: Option<Transaction>) -> Result<Plan> {
        self.plan.transaction = transaction;
        if let Some(transaction) = &mut self.plan.transaction {
            let parts = [&self.unlinks, &self.removes, &self.nodes, &self.edges];
            parts.into_iter().try_for_each(|verbs| transaction.push(verbs))?;
        }
        Ok(self.plan)
    }
}

impl Graph {
    /// The label or property that a slot is about.
    fn slot_name(&self, slot: Slot) -> Arc<str> {
        match slot {
            Slot::Existence => Arc::default(),
            Slot::Label(name) | Slot::Property(name) => self.names.text(name),
        }
    }
}
