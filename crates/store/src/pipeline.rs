//! The commit pipeline: stamps commits with their time and gathers them into frames. A pure state machine.

use karyon_log::Frame;
use karyon_model::limits::{COMMIT_QUEUE_MAX, FRAME_BYTES_MAX};
use karyon_model::{Code, CommitHeader, Error, Result, bounded, encode_commit, ensure};
use std::collections::VecDeque;

/// Commits that are published and not yet on disk, and the clock's rules.
#[derive(Debug, Default)]
pub(crate) struct Pipeline {
    /// The newest commit's time, or the newest time that was handed out or asked for: later commits are later.
    pub(crate) floor: i64,
    /// Frames to be written, each what shares one sync.
    batches: VecDeque<Frame<'static>>,
    /// Commits in the batches.
    pub(crate) waiting: usize,
    /// Why everything is refused, if it is.
    pub(crate) failure: Option<Error>,
    pub(crate) closed: bool,
}

impl Pipeline {
    pub(crate) fn new(last_time: i64) -> Pipeline {
        Pipeline { floor: last_time, ..Pipeline::default() }
    }

    /// Refuses a commit that could not be made durable.
    pub(crate) fn admit(&self) -> Result<()> {
        self.failure.clone().map_or(Ok(()), Err)?;
        self.check_open()?;
        bounded(self.waiting < COMMIT_QUEUE_MAX, Code::Busy, COMMIT_QUEUE_MAX, || {
            format!("{COMMIT_QUEUE_MAX} commits wait for the disk; await some of them first")
        })
    }

    pub(crate) fn check_open(&self) -> Result<()> {
        ensure(!self.closed, Code::Closed, "the store is closed; open it again")
    }

    /// The time of the next commit: the clock's, but always after everything before.
    pub(crate) fn stamp(&mut self, clock: i64) -> i64 {
        self.floor = clock.max(self.floor + 1);
        self.floor
    }

    /// A moment that lies after every commit so far and before every later one. Time ends with the close, whose seal keeps
    /// the newest moment for the next opening.
    pub(crate) fn now(&mut self, clock: i64) -> i64 {
        if !self.closed {
            self.floor = clock.max(self.floor);
        }
        self.floor
    }

    /// Queues a published commit for the disk.
    pub(crate) fn push(&mut self, header: &CommitHeader, operations: &[u8]) {
        let fits = |batch: &Frame<'_>| {
            batch.payload.len() + operations.len() + MARGIN <= FRAME_BYTES_MAX
                && batch.commit_count < COUNT_MAX
        };
        if !self.batches.back().is_some_and(fits) {
            self.batches.push_back(Frame::empty(header.seq, header.time));
        }
        let Some(batch) = self.batches.back_mut() else { return };
        encode_commit(header, operations, batch.base_time, batch.payload.to_mut());
        batch.commit_count += 1;
        self.waiting += 1;
    }

    /// The next frame to write: everything that has gathered since the last one.
    pub(crate) fn next(&mut self) -> Option<Frame<'static>> {
        let batch = self.batches.pop_front()?;
        self.waiting -= batch.commit_count as usize;
        Some(batch)
    }

    /// Refuses everything from now on: the log cannot be trusted with more.
    pub(crate) fn fail(&mut self, error: Error) {
        self.batches.clear();
        self.waiting = 0;
        self.failure.get_or_insert(error);
    }
}

/// Bytes left to a record's header, with the most parents.
const MARGIN: usize = 1024;
/// Commits of one frame.
const COUNT_MAX: u32 = COMMIT_QUEUE_MAX as u32;

#[cfg(test)]
mod tests {
    use super::*;
    use karyon_model::{Seq, Trust};

    fn header(seq: Seq, time: i64) -> CommitHeader {
        CommitHeader {
            seq,
            time,
            layer: 0,
            principal: 0,
            incarnation: 0,
            on_behalf_of: None,
            trust: Trust::FULL,
            cause: None,
            parents: Vec::new(),
            coarse: false,
            reverts: None,
        }
    }

    #[test]
    fn times_rise_when_the_clock_steps_back_and_stay_after_what_was_asked() {
        let mut pipeline = Pipeline::new(100);
        assert_eq!(pipeline.stamp(50), 101);
        assert_eq!(pipeline.stamp(500), 500);
        assert_eq!(pipeline.now(700), 700);
        assert_eq!(pipeline.stamp(700), 701);
        assert_eq!(pipeline.now(0), 701);
        pipeline.closed = true;
        assert_eq!((pipeline.now(900), pipeline.floor), (701, 701), "nothing is handed out behind the seal");
    }

    #[test]
    fn what_waits_together_shares_a_frame() {
        let mut pipeline = Pipeline::new(0);
        (1..=3).for_each(|seq| pipeline.push(&header(seq, 10 * seq as i64), b"operations"));
        let batch = pipeline.next().unwrap();
        assert_eq!((batch.first_seq, batch.commit_count, batch.base_time), (1, 3, 10));
        assert!(pipeline.next().is_none());
    }

    #[test]
    fn a_full_queue_and_a_failed_log_refuse_with_their_codes() {
        let mut pipeline = Pipeline::new(0);
        (1..=COMMIT_QUEUE_MAX as Seq).for_each(|seq| pipeline.push(&header(seq, 0), b""));
        assert_eq!(pipeline.admit().unwrap_err().code(), Code::Busy);
        pipeline.next().unwrap();
        assert!(pipeline.admit().is_ok());
        pipeline.fail(Error::new(Code::SyncFailed, "test"));
        assert_eq!(pipeline.admit().unwrap_err().code(), Code::SyncFailed);
    }
}
