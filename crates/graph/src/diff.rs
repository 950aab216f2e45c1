//! What differs between two versions, from the index of commits: its cost is the changes, not the graph.

use crate::entity::Entity;
use crate::head::Graph;
use karyon_history::Commits;
use karyon_model::{EntityId, Result, Seq};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// The nodes and edges that commits in `(from, to]` touched, in order.
pub fn touched_between(commits: &Commits, from: Seq, to: Seq) -> BTreeSet<EntityId> {
    (from + 1..=to).flat_map(|seq| commits.touched(seq).iter().copied()).collect()
}

/// A node or edge at the two versions; `None` where it did not exist.
pub type Sides<'a> = (Option<Cow<'a, Entity>>, Option<Cow<'a, Entity>>);

impl Graph {
    /// A node or edge at two versions, or `None` when it holds the same at both.
    pub fn difference(&self, id: EntityId, from: Seq, to: Seq) -> Result<Option<Sides<'_>>> {
        let before = self.entity_at(id, from)?.map(|found| found.0);
        let after = self.entity_at(id, to)?.map(|found| found.0);
        let same = match (&before, &after) {
            (None, None) => true,
            (Some(before), Some(after)) => holds_the_same(before, after),
            _ => false,
        };
        Ok((!same).then_some((before, after)))
    }
}

fn holds_the_same(a: &Entity, b: &Entity) -> bool {
    let properties = |entity: &'_ Entity| {
        let properties = entity.properties().iter();
        properties.map(|property| (property.name, property.value.clone())).collect::<Vec<_>>()
    };
    a.labels().eq(b.labels()) && properties(a) == properties(b)
}
