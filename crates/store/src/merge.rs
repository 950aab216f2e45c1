//! Forks: made, merged into what they stand on, or into one beside them, in one commit.

use crate::store::{Author, Committed, Store};
use karyon_graph::{Gate, MergePlan, Prefer, Transaction};
use karyon_model::limits::WRITE_ATTEMPTS_MAX;
use karyon_model::{Code, Result, Seq};

/// What a merge did, or would do.
#[derive(Debug)]
pub struct MergeReport {
    /// What it takes over, and what both have changed.
    pub plan: MergePlan,
    /// The commit; `None` when there was nothing to take over, or when something clashes and nobody is preferred.
    pub committed: Option<Committed>,
}

impl Store {
    /// Makes a layer above a version of the base (0) or of another layer. Returns its number.
    ///
    /// Cost: one small commit, however large what it stands on.
    pub fn fork(
        &self,
        name: &str,
        (parent, from): (u32, Seq),
        author: Author<'_>,
        gate: &dyn Gate,
    ) -> Result<(u32, Committed)> {
        let head = self.body()?.graph.head();
        let committed = self.commit(&Transaction::forking(head, name, parent, from), author, gate)?;
        Ok((self.body()?.graph.layer_named(name)?, committed))
    }

    /// Merges a layer into another one that stands on the same, or else into that: three-way, slot by slot, in one commit; see
    /// `Graph::plan_merge`.
    ///
    /// Cost: what was ever changed in the layer.
    pub fn merge(
        &self,
        (layer, into): (u32, Option<u32>),
        prefer: Prefer,
        author: Author<'_>,
        gate: &dyn Gate,
    ) -> Result<MergeReport> {
        let mut attempts = 0;
        loop {
            let mut plan = self.body()?.graph.plan_merge(layer, into, prefer)?;
            let transaction = plan.transaction.take();
            attempts += 1;
            match transaction.map(|transaction| self.commit(&transaction, author, gate)).transpose() {
                // A node may have been linked since the plan was made, or removed.
                Err(error)
                    if [Code::Conflict, Code::HasEdges, Code::NodeMissing].contains(&error.code())
                        && attempts < WRITE_ATTEMPTS_MAX => {}
                committed => return Ok(MergeReport { plan, committed: committed? }),
            }
        }
    }
}
