//! Reverting a principal's writes in one compensating commit.

use crate::store::{Author, Body, Committed, Store};
use karyon_graph::{RevertPlan, Transaction};
use karyon_model::limits::WRITE_ATTEMPTS_MAX;
use karyon_model::{Code, Result, Seq};

/// What a revert did, or would do. A commit may restore nothing: that the principal was reverted is noted also where others have written
/// over everything.
pub type RevertReport = Report<RevertPlan>;

/// What was planned, and done of it.
#[derive(Debug)]
pub struct Report<P> {
    /// What it changes, and what stands against that.
    pub plan: P,
    /// The commit; `None` when there was none to be made.
    pub committed: Option<Committed>,
}

impl Store {
    /// Takes back what a principal, by its exact name, wrote after a version, and nobody else's work; a dry run only says what would
    /// be done. History is never edited.
    ///
    /// Writers who overwrote each other can be reverted in any order.
    ///
    /// Cost: the changes of the principal and of those reverted before, and the past of what they touched.
    pub fn revert(
        &self,
        (principal, since): (&str, Seq),
        dry_run: bool,
        author: Author<'_>,
    ) -> Result<RevertReport> {
        self.commit_planned(author, |body| {
            // Which commits were reverted before must be known, however far back.
            self.progress().check()?;
            let mut plan = match body.graph.names().get(principal) {
                Some(principal) => body.graph.plan_revert(&body.commits, principal, since)?,
                None => RevertPlan::default(),
            };
            let transaction = plan.transaction.take().filter(|_| !dry_run);
            Ok((plan, transaction))
        })
    }

    /// Commits what is planned; plans it anew where others have changed meanwhile what it is about.
    pub(crate) fn commit_planned<P>(
        &self,
        author: Author<'_>,
        plan: impl Fn(&Body) -> Result<(P, Option<Transaction>)>,
    ) -> Result<Report<P>> {
        let mut attempts = 0;
        loop {
            let (plan, transaction) = plan(&*self.body()?)?;
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
