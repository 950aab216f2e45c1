//! Commits that are planned, as reverts of a principal's writes and merges of forks are.

use crate::store::{Author, Body, Committed, Store};
use karyon_graph::Plan;
use karyon_model::limits::WRITE_ATTEMPTS_MAX;
use karyon_model::{Code, Result, Seq};

/// What was planned, and done of it.
#[derive(Debug)]
pub struct Report {
    /// What it changes, and what stands against that.
    pub plan: Plan,
    /// The commit; `None` when there was none to be made. It may change nothing, see [`Plan::transaction`].
    pub committed: Option<Committed>,
}

impl Store {
    /// Takes back what a principal, by its exact name, wrote after a version, and nobody else's work; a dry run only says what would
    /// be done. History is never edited.
    ///
    /// Writers who overwrote each other can be reverted in any order, and at once: one waits for the other.
    ///
    /// Cost: the changes of the principal and of those reverted before, and the past of what they touched.
    pub fn revert(&self, (name, since): (&str, Seq), dry_run: bool, author: Author<'_>) -> Result<Report> {
        let _turn = self.reverting.lock();
        self.commit_planned(dry_run, author, |body| {
            // Which commits were reverted before must be known, however far back.
            self.progress().check()?;
            let principal = body.graph.names().get(name);
            principal.map_or(Ok(Plan::default()), |it| body.graph.plan_revert(&body.commits, it, since))
        })
    }

    /// Commits what is planned, unless it is a dry run; plans it anew where others have changed meanwhile what it is about. Does nothing
    /// where there is nothing to be done, or when something clashes and nobody is preferred.
    pub fn commit_planned(
        &self,
        dry_run: bool,
        author: Author<'_>,
        plan: impl Fn(&Body) -> Result<Plan>,
    ) -> Result<Report> {
        let mut attempts = 0;
        loop {
            let mut plan = plan(&*self.body()?)?;
            let transaction = plan.transaction.take().filter(|_| !dry_run);
            attempts += 1;
            match transaction.map(|transaction| self.commit(&transaction, author)).transpose() {
                // A node may have been linked since, or removed.
                Err(error)
                    if [Code::Conflict, Code::HasEdges, Code::NodeMissing].contains(&error.code())
                        && attempts < WRITE_ATTEMPTS_MAX => {}
                committed => return Ok(Report { plan, committed: committed? }),
            }
        }
    }
}
