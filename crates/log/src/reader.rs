//! Reading frames while the log is being written.

use std::ops::ControlFlow;
use std::sync::Arc;

use karyon_model::Result;

use crate::chain::{ChainPoint, Position, StoreId};
use crate::disk::{Disk, OpenMode};
use crate::failure::damaged;
use crate::frame::{FrameView, Kind};
use crate::walk::Walk;

/// Reads frames that are durable, from any thread, while the log goes on being written. Cheap to clone.
#[derive(Clone)]
pub struct LogReader {
    disk: Arc<dyn Disk>,
    store: StoreId,
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
    pub(crate) fn new(disk: Arc<dyn Disk>, store: StoreId) -> Self {
        LogReader { disk, store }
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

    /// Checks the whole chain from the store's first frame to `head`, handing each frame of commits to
    /// `visit`. Changes nothing. Fails with `ERR_KARYON_DAMAGED` or `ERR_KARYON_SEGMENT_MISSING` at the first
    /// thing that is wrong.
    pub fn verify(
        &self,
        head: &ChainPoint,
        visit: &mut dyn FnMut(&FrameView<'_>) -> Result<()>,
    ) -> Result<Verified> {
        let mut verified = Verified { frames: 0, commits: 0 };
        let start = ChainPoint::genesis(self.store);
        let mut walk = Walk::from_point(self.disk.as_ref(), self.store, OpenMode::Read, start)?;
        read_on(&mut walk, head.position, &mut |frame| {
            verified.frames += 1;
            verified.commits += u64::from(frame.commit_count);
            visit(frame).map(ControlFlow::Continue)
        })?;
        if walk.point == *head {
            return Ok(verified);
        }
        let Position { segment, offset } = walk.point.position;
        Err(damaged(segment, offset, "the chain ends here with another hash than the log's"))
    }
}

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
