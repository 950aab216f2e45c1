//! Reading frames while the log is being written.

use std::ops::ControlFlow;
use std::sync::Arc;

use karyon_model::Result;

use crate::chain::{ChainPoint, Position, StoreId};
use crate::disk::{Disk, OpenMode};
use crate::failure::damaged;
use crate::frame::FrameView;
use crate::walk::{Step, Walk};

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
        let mut walk = Walk::from_position(self.disk.as_ref(), self.store, from)?;
        while walk.point.position < until {
            if let Some(frame) = known_frame(&mut walk)?
                && visit(&frame)?.is_break()
            {
                break;
            }
        }
        Ok(())
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
        let disk = self.disk.as_ref();
        let mut walk = Walk::from_point(disk, self.store, OpenMode::Read, ChainPoint::genesis(self.store))?;
        while walk.point.position < head.position {
            if let Some(frame) = known_frame(&mut walk)? {
                visit(&frame)?;
                verified.frames += 1;
                verified.commits += u64::from(frame.commit_count);
            }
        }
        if walk.point == *head {
            Ok(verified)
        } else {
            let Position { segment, offset } = walk.point.position;
            Err(damaged(segment, offset, "the chain ends here with another hash than the log's"))
        }
    }
}

/// Steps over a frame that is known to be there; its view if it holds commits.
fn known_frame<'a>(walk: &'a mut Walk<'_>) -> Result<Option<FrameView<'a>>> {
    let Position { segment, offset } = walk.point.position;
    match walk.step()? {
        Step::Commits(frame) => Ok(Some(frame)),
        Step::Seal(_) | Step::Continued => Ok(None),
        Step::Nothing => Err(damaged(segment, offset, "the frame here is not whole")),
    }
}
