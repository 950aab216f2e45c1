//! Forks: made, merged into what they stand on, or into one beside them, in one commit.

use crate::revert::Report;
use crate::store::{Author, Committed, Store};
use karyon_graph::{Prefer, Purpose, Transaction};
use karyon_model::{Result, Seq};

impl Store {
    /// Makes a layer above a version of the base (0) or of another layer. Returns its number.
    ///
    /// Cost: one small commit, however large what it stands on.
    pub fn fork(
        &self,
        name: &str,
        (parent, from): (u32, Seq),
        author: Author<'_>,
    ) -> Result<(u32, Committed)> {
        let head = self.body()?.graph.head();
        let purpose = Purpose::Fork { name: name.into(), parent, from };
        let committed = self.commit(&Transaction::with(head, purpose), author)?;
        Ok((self.body()?.graph.layer_named(name)?, committed))
    }

    /// Merges a layer into another one that stands on the same, or else into that: three-way, slot by slot, in one commit; see
    /// `Graph::plan_merge`. Does nothing where there is nothing to take over, or when something clashes and nobody is preferred.
    ///
    /// Cost: what was ever changed in the layer.
    pub fn merge(
        &self,
        (layer, into): (u32, Option<u32>),
        prefer: Prefer,
        author: Author<'_>,
    ) -> Result<Report> {
        self.commit_planned(false, author, |body| body.graph.plan_merge(layer, into, prefer))
    }
}
