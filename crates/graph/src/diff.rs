//! What differs between two versions, from the index of commits: its cost is the changes, not the graph.

use crate::entity::Entity;
use crate::head::{Graph, object_id};
use karyon_history::Commits;
use karyon_model::{EntityId, Result, Seq};
use std::borrow::Cow;

/// A node or edge at the two versions; `None` where it did not exist.
pub type Sides<'a> = (Option<Cow<'a, Entity>>, Option<Cow<'a, Entity>>);

/// Where a page of differences begins: a commit, and how many of the nodes and edges that it changed are through. The first
/// page begins at the default.
pub type DiffStart = (Seq, usize);

impl Graph {
    /// Hands every node and edge that differs between two versions to `visit`, each once, in the order of its last change
    /// between them, until `visit` does not take one: the next page begins there.
    ///
    /// Cost: a look at each change of the commits from `start` on, and two reads for each node and edge that they changed.
    pub fn visit_differences(
        &self,
        commits: &Commits,
        (from, to): (Seq, Seq),
        start: DiffStart,
        visit: &mut dyn FnMut(EntityId, Sides<'_>) -> Result<bool>,
    ) -> Result<Option<DiffStart>> {
        let end = from.max(to);
        for seq in start.0.max(from.min(to) + 1)..=end {
            let through = if seq == start.0 { start.1 } else { 0 };
            for (at, id) in commits.touched(seq).iter().enumerate().skip(through) {
                // What a later commit changes again is told there.
                if self.object(*id).last_at(object_id(*id), end, &*self.history)? != seq {
                    continue;
                }
                let [before, after] = [from, to].map(|seq| self.entity_at(*id, seq));
                let sides = (before?.map(|found| found.0), after?.map(|found| found.0));
                let same = match &sides {
                    (None, None) => true,
                    (Some(before), Some(after)) => before.holds_the_same(after),
                    _ => false,
                };
                if !same && !visit(*id, sides)? {
                    return Ok(Some((seq, at)));
                }
            }
        }
        Ok(None)
    }
}
