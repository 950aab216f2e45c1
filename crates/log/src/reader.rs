//! Reading frames while the log is being written.

use std::ops::ControlFlow;
use std::sync::Arc;

use karyon_model::Result;

use crate::chain::{ChainPoint, Position, StoreId};
use crate::disk::{Disk, OpenMode};
use crate::failure::damaged;
use crate::frame::{FrameView, Kind};
use crate::log::Log;
use crate::open::{judge_end, walk_on};
use crate::recovery::Recovery;
use crate::segment::SegmentSizes;
use crate::walk::Walk;

/// Reads frames that are durable, from any thread, while the log goes on being written. Cheap to clone.
#[derive(Clone)]
pub struct LogReader {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) store: StoreId,
    /// Whether segments with a damaged header are read by their frames alone.
    forgiving: bool,
}

/// What [`LogReader::verify`] went over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Frames of commits.
    pub frames: u64,
    /// Commits in them.
    pub commits: u64,
}

impl LogReader {
    /// A reader of the log of `store` on `disk`, open for writing or not.
    pub fn new(disk: Arc<dyn Disk>, store: StoreId) -> Self {
        LogReader { disk, store, forgiving: false }
    }

    /// A reader that goes by the frames alone, which are chained from segment to segment: what the headers of the
    /// segments say is redundant. For salvage.
    pub fn forgiving(self) -> Self {
        LogReader { forgiving: true, ..self }
    }

    fn walk(&self, start: ChainPoint) -> Result<Walk<'_>> {
        Walk::from_point(self.disk.as_ref(), self.store, OpenMode::Read, start, self.forgiving)
    }

    /// Where a store's first frame begins.
    pub fn first(&self) -> Position {
        ChainPoint::genesis(self.store).position
    }

    /// Hands the frames of commits from the one that begins at `from` up to `until` (a point between two
    /// frames, not read beyond) to `visit`, until it breaks. `from` and `until` come from frames or heads
    /// that were synced.
    ///
    /// Each frame's checksum is checked, and that it follows the one before it.
    pub fn read_frames(
        &self,
        from: Position,
        until: Position,
        visit: &mut dyn FnMut(&FrameView<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        if from >= until {
            return Ok(());
        }
        read_on(&mut Walk::from_position(self.disk.as_ref(), self.store, from)?, until, visit)
    }

    /// Walks a log that nobody writes to from `start` (the beginning by default) to its end, as
    /// [`Log::open`](crate::Log::open) does, and changes nothing: an unfinished write is passed over, and damage
    /// fails as it does there. Where `visit` breaks, nothing behind is looked at; a [forgiving](LogReader::forgiving)
    /// reader does not judge the end.
    pub fn survey(
        &self,
        start: Option<ChainPoint>,
        visit: &mut dyn FnMut(&FrameView<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<Recovery> {
        let start = start.unwrap_or_else(|| ChainPoint::genesis(self.store));
        let mut walk = self.walk(start)?;
        let mut broken = false;
        let found = walk_on(&mut walk, &mut |frame| visit(frame).inspect(|flow| broken = flow.is_break()))?;
        if !broken && !self.forgiving {
            judge_end(&mut walk)?;
        }
        Ok(found)
    }

    /// Makes a log on `target`, where there is none, of the frames up to `end`, byte for byte: segments, hashes and
    /// store are the same. The last segment may not be durable before the log is [synced](crate::Log::sync).
    ///
    /// `end` is the end of a frame of commits that is durable, or the genesis. Reads, hashes and writes the log once;
    /// keeps one frame in memory.
    pub fn copy(&self, end: &ChainPoint, target: Arc<dyn Disk>, sizes: SegmentSizes) -> Result<Log> {
        let mut log = Log::create(target, self.store, sizes)?;
        if log.head() == *end {
            return Ok(log);
        }
        let mut walk = self.walk(log.head())?;
        while walk.point.position < end.position {
            let Position { segment, offset } = walk.point.position;
            let capacity = walk.segment.header.map_or(0, |header| header.capacity.into());
            match walk.step()? {
                Some((kind, frame)) => log.repeat(kind, &frame, capacity)?,
                None => return Err(damaged(segment, offset, "the frame here is not whole")),
            }
        }
        let Position { segment, offset } = walk.point.position;
        // Also what was written is bound to `end`: a copy that differs in a byte has another hash.
        if log.head() == *end { Ok(log) } else { Err(damaged(segment, offset, ANOTHER_HASH)) }
    }

    /// Checks the whole chain from the store's first frame to `head`, handing each frame of commits to
    /// `visit`. Changes nothing. Fails with `ERR_KARYON_DAMAGED` or `ERR_KARYON_SEGMENT_MISSING` at the first
    /// thing that is wrong.
    pub fn verify(
        &self,
        head: &ChainPoint,
        visit: &mut dyn FnMut(&FrameView<'_>) -> Result<()>,
    ) -> Result<Verified> {
        let mut verified = Verified { frames: 0, commits: 0 };
        let mut walk = self.walk(ChainPoint::genesis(self.store))?;
        read_on(&mut walk, head.position, &mut |frame| {
            verified.frames += 1;
            verified.commits += u64::from(frame.commit_count);
            visit(frame).map(ControlFlow::Continue)
        })?;
        if walk.point == *head {
            return Ok(verified);
        }
        let Position { segment, offset } = walk.point.position;
        Err(damaged(segment, offset, ANOTHER_HASH))
    }
}

const ANOTHER_HASH: &str = "the chain ends here with another hash than the log's";

/// Walks over frames that are known to be there, up to `until`.
fn read_on(
    walk: &mut Walk<'_>,
    until: Position,
    visit: &mut dyn FnMut(&FrameView<'_>) -> Result<ControlFlow<()>>,
) -> Result<()> {
    while walk.point.position < until {
        let Position { segment, offset } = walk.point.position;
        match walk.step()? {
            Some((Kind::Commits, frame)) if visit(&frame)?.is_break() => break,
            Some(_) => {}
            None => return Err(damaged(segment, offset, "the frame here is not whole")),
        }
    }
    Ok(())
}
