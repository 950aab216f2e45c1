//! Reverting a principal's writes in one compensating commit.

use crate::store::{Author, Committed, Store};
use karyon_graph::{Gate, Kept, Transaction};
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
    /// The compensating commit; `None` for a dry run or when there was nothing to restore.
    pub committed: Option<Committed>,
    /// Slots restored.
    pub restored: usize,
    /// What stays, and why.
    pub kept: Vec<Kept>,
    /// Later commits of others that read what was taken back.
    pub descendants: Vec<Seq>,
}

impl Store {
    /// Takes back what a principal wrote after a version, and nobody else's work. History is never edited.
    ///
    /// Cost: the principal's changes and the past of what they touched.
    pub fn revert(
        &self,
        request: RevertRequest<'_>,
        author: Author<'_>,
        gate: &dyn Gate,
    ) -> Result<RevertReport> {
        let mut attempts = 0;
        loop {
            let body = self.body()?;
            if request.since < body.base_seq {
                self.progress().check()?;
            }
            let head = body.graph.head();
            let plan = match body.graph.names().get(request.principal) {
                Some(principal) => body.graph.plan_revert(&body.commits, principal, request.since)?,
                None => karyon_graph::RevertPlan::default(),
            };
            drop(body);
            let mut transaction = Transaction::new(head);
            transaction.push(plan.verbs.bytes())?;
            let committed = if request.dry_run || !transaction.is_dirty() {
                Ok(None)
            } else {
                self.commit(&transaction, author, gate).map(Some)
            };
            attempts += 1;
            match committed {
                Err(error) if error.code() == Code::Conflict && attempts < WRITE_ATTEMPTS_MAX => {}
                Err(error) => return Err(error),
                Ok(committed) => {
                    let (restored, kept, descendants) = (plan.restored, plan.kept, plan.descendants);
                    return Ok(RevertReport { committed, restored, kept, descendants });
                }
            }
        }
    }
}
