//! Chapters: an anchor and its run of undo deltas, kept in memory or on disk; and the index of commits.
//!
//! This room does not know what a transaction is. What it keeps is derived: it can be rebuilt from the log, the same
//! sealed records byte for byte, because where a run is cut depends only on the object's own changes.

mod chapter;
mod chapters;
mod commits;
mod directory;
mod horizon;
mod object;
mod run;
mod table;

pub use chapter::Chapter;
pub use chapters::Chapters;
pub use commits::{Commit, Commits, PAGE_COMMITS, Touched};
pub use directory::{Directory, SledDirectory};
pub use horizon::Horizon;
pub use object::{Direction, ObjectId};
pub use run::{RUN_DELTAS_MAX, RUN_DELTAS_MIN, Run};
pub use table::{Key, Record, end_of, object_of, records, unpacked};

use karyon_model::{Code, Error, Result, Seq};
use std::sync::Arc;

/// Where sealed chapters are kept.
pub trait History: Send + Sync {
    /// Keeps a sealed chapter. Sealing the same chapter again changes nothing.
    fn seal(&self, object: ObjectId, chapter: &Chapter) -> Result<()>;

    /// The chapter that holds the object as it was at `seq`, or `None` when no sealed chapter covers that moment.
    ///
    /// Fails with `HistoryBuilding` while the answer is not known yet, with `Horizon` when what it was then is not kept, with
    /// `Damaged` when the record's checksum is wrong.
    fn find(&self, object: ObjectId, seq: Seq) -> Result<Option<Arc<Chapter>>>;

    /// Every sealed chapter of an object that is kept, oldest first.
    fn chapters(&self, object: ObjectId) -> Result<Vec<Chapter>>;

    /// Fails with `Horizon` for a version as of which not everything is kept, or soon will not be.
    fn check(&self, seq: Seq) -> Result<()>;
}

/// How far an index of the past has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Every moment can be asked for.
    Ready,
    /// Commits up to `done` of `total` have been read from the log.
    Building {
        /// Commits read.
        done: Seq,
        /// Commits to read.
        total: Seq,
    },
    /// The log could not be read: what is not indexed yet never will be.
    Failed(Error),
}

impl Progress {
    /// The error for a question that cannot be answered yet.
    pub fn check(&self) -> Result<()> {
        match self {
            Progress::Ready => Ok(()),
            Progress::Failed(error) => Err(error.clone()),
            Progress::Building { done, total } => {
                let commits = format!("{done} of {total} commits");
                let message = format!(
                    "the index of the past is being rebuilt: {commits}; await graph.ready('history')"
                );
                Err(Error::new(Code::HistoryBuilding, message).with("done", *done).with("total", *total))
            }
        }
    }
}
