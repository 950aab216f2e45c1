//! Reading frames while the log is being written.

use std::ops::ControlFlow;
use std::sync::Arc;

use karyon_model::{Error, Result};

use crate::failure::{damaged, expect};
use crate::frame::{Frame, Kind, MIN_FRAME_BYTES, Visit};
use crate::open::judge_end;
use crate::segment::{self, SegmentHeader, SegmentSizes};
use crate::segment_file::SegmentFile;
use crate::walk::Walk;
use crate::{ChainPoint, Disk, Log, OpenMode, Position, StoreId};

/// Reads frames that are durable, from any thread, while the log goes on being written. Cheap to clone.
#[derive(Clone)]
pub struct LogReader {
    /// Where its files are.
    pub disk: Arc<dyn Disk>,
    /// Whose log it is.
    pub store: StoreId,
    /// The point before the first frame.
    pub base: ChainPoint,
}

impl LogReader {
    /// A reader of the log of `store` on `disk`, which begins at `base`.
    pub fn new(disk: Arc<dyn Disk>, store: StoreId, base: ChainPoint) -> Self {
        LogReader { disk, store, base }
    }

    /// Hands the frames of commits from the first on, each with the point behind it, to `visit`, until it breaks or they reach `end`: a head
    /// that was synced, or a boundary. What stands behind is not looked at. Changes nothing.
    ///
    /// Each frame's checksum is checked, that it follows the one before it, and that the chain goes through `end`. Fails with
    /// `ERR_KARYON_DAMAGED` or `ERR_KARYON_SEGMENT_MISSING` at the first thing that is wrong.
    pub fn read(&self, end: &ChainPoint, visit: Visit<'_, ControlFlow<()>>) -> Result<()> {
        let mut walk = Walk::from_point(self, OpenMode::Read, self.base, false)?;
        while walk.point.position < end.position {
            let Position { segment, offset } = walk.point.position;
            match walk.step()? {
                Some((Kind::Commits, frame, point)) if visit(&frame, &point)?.is_break() => return Ok(()),
                Some(_) => {}
                None => return Err(damaged(segment, offset, "the frame here is not whole")),
            }
        }
        let Position { segment, offset } = walk.point.position;
        expect(walk.point == *end, segment, offset, "the chain ends here with another hash than the log's")
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
        let mut walk = Walk::from_point(self, OpenMode::Read, log.head(), true)?;
        let (mut damage, mut flow) = (None, ControlFlow::Continue(()));
        while flow.is_continue() {
            let SegmentFile { header, len, .. } = &walk.segment;
            // A file that was cut has no room for the frame that says where the log goes on.
            let capacity = header.map_or(len + MIN_FRAME_BYTES as u64, |header| header.capacity.into());
            damage = damage.or(walk.segment.damage.take());
            let (kind, frame, _) = match walk.step() {
                Ok(Some(found)) => found,
                Ok(None) => return Ok((log, damage.or_else(|| judge_end(&mut walk).err()))),
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
        let first = self.base.position.segment;
        let begun = (first..=segment::last(self)?).map(|number| {
            let mut file = SegmentFile::open(self, number, OpenMode::Read)?;
            file.damage.take().map_or(Ok(()), Err)?;
            let point =
                |header: SegmentHeader| ChainPoint::entering(number, header.next_seq, header.previous_hash);
            Ok(file.header.map(point))
        });
        begun.filter_map(Result::transpose).collect()
    }
}
