//! Reverting a principal's writes in one compensating commit.

use crate::store::{Author, Committed, Store};
use karyon_graph::{Gate, RevertPlan};
use karyon_model::limits::WRITE_ATTEMPTS_MAX;
use karyon_model::{Code, Result, Seq};

/// Whose writes to take back.
#[derive(Clone, Copy, Debug)]
pub struct RevertRequest<'a> {
    /// The principal's exact name.
    pub principal: &'a str,
    /// Commits after this one.
    pub since: Seq,
    /// Only say what would be done.
    pub dry_run: bool,
}

/// What a revert did, or would do.
#[derive(Debug)]
pub struct RevertReport {
    /// What it restores, what stays and why, and what was built on it.
    pub plan: RevertPlan,
    /// The compensating commit; `None` for a dry run or when there was nothing to take back. It may restore nothing: that the
    /// principal was reverted is noted also where others have written over everything.
    pub committed: Option<Committed>,
}

impl Store {
    /// Takes back what a principal wrote after a version, and nobody else's work. History is never edited.
    ///
    /// Writers who overwrote each other can be reverted in any order.
    ///
    /// Cost: the changes of the principal and of those reverted before, and the past of what they touched.
    pub fn revert(
        &self,
        request: RevertRequest<'_>,
        author: Author<'_>,
        gate: &dyn Gate,
    ) -> Result<RevertReport> {
        let mut attempts = 0;
        loop {
            let body = self.body()?;
            // Which commits were reverted before must be known, however far back.
            self.progress().check()?;
            let mut plan = match body.graph.names().get(request.principal) {
                Some(principal) => body.graph.plan_revert(&body.commits, principal, request.since)?,
                None => RevertPlan::default(),
            };
            drop(body);
            let transaction = plan.transaction.take().filter(|_| !request.dry_run);
            attempts += 1;
            match transaction.map(|transaction| self.commit(&transaction, author, gate)).transpose() {
                Err(error) if error.code() == Code::Conflict && attempts < WRITE_ATTEMPTS_MAX => {}
                committed => return Ok(RevertReport { plan, committed: committed? }),
            }
        }
    }
}
