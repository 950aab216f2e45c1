//! Rebuilding the index of the past from the log, while the store is already in use.

use crate::open::finish_erasing;
use crate::store::Store;
use karyon_history::{Chapter, Chapters, History, ObjectId, Progress};
use karyon_log::Frame;
use karyon_model::Cursor;
use karyon_model::{Code, CommitRecord, Error, Result, Seq, require, unless};
use std::ops::ControlFlow;
use std::sync::{Arc, Weak};

/// Commits between two looks at whether the store is still there.
const PROGRESS_STEP: Seq = 4096;

/// What the rebuild looks back at: it has sealed all that was before, so what it does not find has never been.
pub(crate) struct Sealed(pub(crate) Arc<Chapters>);

impl History for Sealed {
    fn seal(&self, object: ObjectId, chapter: &Chapter) -> Result<()> {
        self.0.seal(object, chapter)
    }

    fn find(&self, object: ObjectId, seq: Seq) -> Result<Option<Arc<Chapter>>> {
        unless(Code::HistoryBuilding, self.0.find(object, seq)).map(Option::flatten)
    }

    fn chapters(&self, object: ObjectId) -> Result<Vec<Chapter>> {
        self.0.chapters(object)
    }

    /// What once was made on a version was made while that was kept.
    fn check(&self, _: Seq) -> Result<()> {
        Ok(())
    }
}

/// Hands the commits of a frame to `visit`, in order.
pub(crate) fn visit_commits(
    frame: &Frame<'_>,
    visit: &mut dyn FnMut(CommitRecord<'_>) -> Result<()>,
) -> Result<()> {
    let mut cursor = Cursor::new(&frame.payload);
    for at in 0..frame.commit_count {
        visit(CommitRecord::decode(&mut cursor, frame.first_seq + Seq::from(at), frame.base_time)?)?;
    }
    cursor.expect(cursor.is_empty(), "a frame with more than its commits")
}

/// Rebuilds what lies before `until`. A log that cannot be read closes the past with its own error; the present stays.
pub(crate) fn rebuild(store: &Weak<Store>, until: Seq) {
    let Err(error) = read_past(store, until) else { return finish_erasing(store) };
    if let Some(store) = store.upgrade() {
        store.history.set_progress(Progress::Failed(error));
        store.notify();
    }
}

/// Reads the log up to `until` through a graph of its own, seals the chapters on the way and puts the rows in front.
fn read_past(store: &Weak<Store>, until: Seq) -> Result<()> {
    let Some(owner) = store.upgrade() else { return Ok(()) };
    let Some(persistence) = &owner.persistence else { return Ok(()) };
    let (reader, history, end) = (persistence.reader(), owner.history.clone(), persistence.head());
    let archive = persistence.archive.lock().clone();
    drop(owner);
    let mut past = archive.load(Arc::new(Sealed(history.clone())), Some(&history))?;
    let mut gone = false;
    reader.read(&end, &mut |frame, end| {
        visit_commits(frame, &mut |commit| {
            if commit.header.seq > until {
                return Ok(());
            }
            past.replay(&*history, &commit)
        })?;
        let done = past.graph.head();
        if done >= until {
            return Ok(ControlFlow::Break(()));
        }
        if history.is_due() {
            // What cannot be written stays in memory: the past can be asked for all the same.
            let _ = history.write(*end);
        }
        if done % PROGRESS_STEP < Seq::from(frame.commit_count) {
            history.set_progress(Progress::Building { done, total: until });
            let closed = |store: Arc<Store>| store.pipeline().is_ok_and(|pipeline| pipeline.closed);
            gone = store.upgrade().is_none_or(closed);
        }
        Ok(if gone { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    let Some(store) = store.upgrade().filter(|_| !gone) else { return Ok(()) };
    require(past.graph.head() == until, || log_too_short(until))?;
    history.set_progress(Progress::Ready);
    store.notify();
    Ok(())
}

pub(crate) fn log_too_short(checkpoint: Seq) -> Error {
    Error::new(Code::Damaged, format!("the log does not go through version {checkpoint} of the checkpoint"))
}
