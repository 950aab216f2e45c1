//! What reverts and merges have in common: many changes told as verbs, and what stands against one.

use crate::entity::Slot;
use crate::head::Graph;
use crate::transaction::Transaction;
use karyon_model::{EntityId, Result, Target, Verb, VerbWriter};
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

/// Changes in an order in which they can be carried out: edges go before nodes, nodes come before edges.
#[derive(Debug, Default)]
pub(crate) struct Patches {
    unlinks: VerbWriter,
    removes: VerbWriter,
    nodes: VerbWriter,
    edges: VerbWriter,
}

impl Patches {
    /// Has a node or edge go; a node with its edges where it is detached.
    pub(crate) fn remove(&mut self, graph: &Graph, id: EntityId, detach: bool) {
        graph.with_target(id, |target| match target {
            Target::Node(key) => self.removes.push(&Verb::Remove { key, detach }),
            Target::Edge(edge) => self.unlinks.push(&Verb::Unlink { edge }),
        });
    }

    /// Has slots of a node or edge, which may be a new one, hold something, or nothing any more.
    pub(crate) fn set(&mut self, graph: &Graph, id: EntityId, is_new: bool, slots: &[(Slot, Option<&[u8]>)]) {
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
            Target::Edge(edge) if is_new => self.edges.push(&Verb::Link { edge, changes }),
            target @ Target::Edge(_) => self.edges.push(&Verb::Patch { target, labels, drop, changes }),
            target => self.nodes.push(&Verb::Patch { target, labels, drop, changes }),
        });
    }

    /// Has a transaction ask for them.
    pub(crate) fn push_to(&self, transaction: &mut Transaction) -> Result<()> {
        let parts = [&self.unlinks, &self.removes, &self.nodes, &self.edges];
        parts.into_iter().try_for_each(|verbs| transaction.push(verbs.bytes()))
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
