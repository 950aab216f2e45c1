//! Reading frames while the log is being written.

use std::ops::ControlFlow;
use std::sync::Arc;

use karyon_model::{Error, Result};

use crate::chain::{ChainPoint, Position, StoreId};
use crate::disk::{Disk, OpenMode};
use crate::failure::damaged;
use crate::frame::{Frame, Kind, MIN_FRAME_BYTES, Visit};
use crate::log::Log;
use crate::open::judge_end;
use crate::segment::{self, SegmentHeader, SegmentSizes};
use crate::segment_file::SegmentFile;
use crate::walk::Walk;

/// Reads frames that are durable, from any thread, while the log goes on being written. Cheap to clone.
#[derive(Clone)]
pub struct LogReader {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) store: StoreId,
    /// The point before the first frame.
    pub base: ChainPoint,
}

impl LogReader {
    /// A reader of the log of `store` on `disk`, which begins at `base`.
    pub fn new(disk: Arc<dyn Disk>, store: StoreId, base: ChainPoint) -> Self {
        LogReader { disk, store, base }
    }

    /// Hands the frames of commits, each with the point behind it, from the point `from` up to `until` (a position between two frames, not read
    /// beyond) to `visit`, until it breaks. Both come from frames or heads that were synced.
    ///
    /// Each frame's checksum is checked, and that it follows the one before it.
    pub fn read_frames(
        &self,
        from: ChainPoint,
        until: Position,
        visit: Visit<'_, ControlFlow<()>>,
    ) -> Result<()> {
        let mut walk = Walk::from_point(self.disk.as_ref(), self.store, OpenMode::Read, from, false)?;
        read_on(&mut walk, until, visit)
    }

    /// Makes a log on `target`, where there is none, of the frames from the first on, byte for byte: segments, hashes and
    /// store are the same. `take` is asked about each frame of commits: it goes on, or breaks and says whether this one
    /// is copied still; what stands behind is not looked at then. The log is durable after [`sync`](Log::sync).
    ///
    /// Where the source is damaged, the copy ends before, and the damage stands beside it; an unfinished write is none.
    /// That of a segment's header alone costs no frame. Fails when the copy cannot be written. Reads, hashes and writes
    /// each frame once, after zeros; keeps one in memory.
    pub fn copy(
        &self,
        target: Arc<dyn Disk>,
        sizes: SegmentSizes,
        take: &mut dyn FnMut(&Frame<'_>) -> Result<ControlFlow<bool>>,
    ) -> Result<(Log, Option<Error>)> {
        let mut log = Log::create(target, self.store, sizes, self.base)?;
        let mut walk = Walk::from_point(self.disk.as_ref(), self.store, OpenMode::Read, log.head(), true)?;
        let (mut damage, mut flow) = (None, ControlFlow::Continue(()));
        while flow.is_continue() {
            let SegmentFile { header, len, .. } = &walk.segment;
            // A file that was cut has no room for the frame that says where the log goes on.
            let capacity = header.map_or(len + MIN_FRAME_BYTES as u64, |header| header.capacity.into());
            damage = damage.or(walk.segment.damage.take());
            let (kind, frame, _) = match walk.step() {
                Ok(Some(found)) => found,
                Ok(None) => return Ok((log, damage.or_else(|| judge_end(&mut walk, self.base).err()))),
                Err(error) => return Ok((log, damage.or(Some(error)))),
            };
            if kind == Kind::Commits {
                flow = take(&frame)?;
            }
            if flow != ControlFlow::Break(false) {
                log.repeat(kind, &frame, capacity)?;
            }
        }
        Ok((log, damage))
    }

    /// Where the segments begin that are closed or begun, oldest first: points at which a log can be parted.
    pub fn boundaries(&self) -> Result<Vec<ChainPoint>> {
        let disk = self.disk.as_ref();
        let first = self.base.position.segment;
        let begun = (first..=segment::last(disk, self.base)?).map(|number| {
            let mut file = SegmentFile::open(disk, self.store, number, OpenMode::Read)?;
            file.damage.take().map_or(Ok(()), Err)?;
            let point =
                |header: SegmentHeader| ChainPoint::entering(number, header.next_seq, header.previous_hash);
            Ok(file.header.map(point))
        });
        begun.filter_map(Result::transpose).collect()
    }

    /// Checks the whole chain from the first frame to `head`, handing each frame of commits to
    /// `visit`, and returns how many there were. Changes nothing. Fails with `ERR_KARYON_DAMAGED` or `ERR_KARYON_SEGMENT_MISSING` at the first
    /// thing that is wrong.
    pub fn verify(&self, head: &ChainPoint, visit: Visit<'_, ()>) -> Result<u64> {
        let mut frames = 0;
        let mut walk = Walk::from_point(self.disk.as_ref(), self.store, OpenMode::Read, self.base, false)?;
        read_on(&mut walk, head.position, &mut |frame, end| {
            frames += 1;
            visit(frame, end).map(ControlFlow::Continue)
        })?;
        if walk.point == *head {
            return Ok(frames);
        }
        let Position { segment, offset } = walk.point.position;
        Err(damaged(segment, offset, "the chain ends here with another hash than the log's"))
    }
}

/// Walks over frames that are known to be there, up to `until`.
fn read_on(walk: &mut Walk<'_>, until: Position, visit: Visit<'_, ControlFlow<()>>) -> Result<()> {
    while walk.point.position < until {
        let Position { segment, offset } = walk.point.position;
        match walk.step()? {
            Some((Kind::Commits, frame, end)) if visit(&frame, &end)?.is_break() => break,
            Some(_) => {}
            None => return Err(damaged(segment, offset, "the frame here is not whole")),
        }
    }
    Ok(())
}
