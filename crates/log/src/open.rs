//! Opening a log: walk the chain to its end, judge what stands there, cut an unfinished write.
//!
//! Each step may be interrupted and is then done again: bytes are copied aside and synced before they are
//! zeroed, and a write that is half zeroed is still an unfinished write.

use std::sync::Arc;

use karyon_model::{Result, require};

use crate::failure::{damaged, io_error, sync_error};
use crate::frame::{Kind, Visit};
use crate::recovery::{Cut, Recovery, judge, judge_unbegun};
use crate::segment::{self, LOG_DIRECTORY, SegmentSizes};
use crate::segment_file::SegmentFile;
use crate::walk::Walk;
use crate::{ChainPoint, Disk, Log, LogReader, OpenMode, Position, StoreId};

/// The directory that keeps what was cut.
pub const ASIDE_DIRECTORY: &str = "aside";

impl Log {
    /// Opens the log that begins at `base`: walks the chain from `start` (a checkpoint's point, or `base`) to its end,
    /// handing each frame of commits and the point behind it to `visit`, cuts an unfinished write, makes durable what was read, and removes
    /// what is left of segments before `base`.
    ///
    /// Fails with `ERR_KARYON_DAMAGED`, `ERR_KARYON_SEGMENT_MISSING` or `ERR_KARYON_FORMAT_NEWER`, naming
    /// segment and offset, and then has changed nothing. Reads the log from `start` on once, at the speed of
    /// SHA-256.
    pub fn open(
        disk: Arc<dyn Disk>,
        store: StoreId,
        sizes: SegmentSizes,
        (base, start): (ChainPoint, ChainPoint),
        visit: Visit<'_, ()>,
    ) -> Result<(Log, Recovery)> {
        let place = LogReader::new(disk, store, base);
        let mut walk = Walk::from_point(&place, OpenMode::ReadWrite, start, false)?;
        let mut recovery = Recovery::default();
        let mut tail_bytes = 0;
        while let Some((kind, frame, end)) = walk.step()? {
            recovery.sealed = kind == Kind::Seal;
            match kind {
                Kind::Commits => {
                    visit(&frame, &end)?;
                    tail_bytes += u64::from(end.position.offset - end.frame);
                }
                Kind::Seal => recovery.sealed_time = recovery.sealed_time.max(Some(frame.base_time)),
                Kind::Continued => {}
            }
        }
        let (prepared, cuts) = judge_end(&mut walk)?;
        let Walk { segment: active, point: head, .. } = walk;
        let cut = || damaged(active.number, 0, format!("the file was cut to {} bytes", active.len));
        require(active.len >= sizes.smallest, cut)?;
        for (segment, cut) in [Some(&active), prepared.as_ref()].into_iter().zip(cuts) {
            if let (Some(segment), Some((offset, rest))) = (segment, cut) {
                let file = keep_aside(&*place.disk, segment.number, offset, &rest)?;
                // The zeros are synced with the rest of what was read.
                segment.write_zeros(offset, rest.len() as u64)?;
                recovery.cut = Some(Cut { segment: segment.number, offset, bytes: rest.len() as u64, file });
                recovery.sealed = false;
            }
        }
        make_durable(&place, &active, prepared.as_ref())?;
        segment::forget(&place)?;
        let closed_bytes = segment::measure(&place, active.number)?;
        let log = Log {
            place,
            sizes,
            head,
            active: active.for_writing(),
            prepared: prepared.map(SegmentFile::for_writing),
            closed_bytes,
            tail_bytes,
            buffer: Vec::new(),
            sealed: recovery.sealed_time.filter(|_| recovery.sealed),
            in_flight: false,
            poisoned: false,
        };
        Ok((log, recovery))
    }
}

/// What an unfinished write left: where it begins and its bytes.
type Unfinished = Option<(u32, Vec<u8>)>;

/// The segment that is prepared behind a walk's end, and what stands at the end and there; damage fails. Changes
/// nothing.
pub(crate) fn judge_end(walk: &mut Walk<'_>) -> Result<(Option<SegmentFile>, [Unfinished; 2])> {
    let mut prepared = prepared_segment(walk)?;
    let store = walk.log.store;
    let end = unfinished(store, &mut walk.segment, walk.point.position.offset)?;
    let behind = prepared.as_mut().map_or(Ok(None), |prepared| unfinished(store, prepared, 0))?;
    Ok((prepared, [end, behind]))
}

/// The segment after the active one, which must not have been begun: the active one does not say that it goes
/// on.
fn prepared_segment(walk: &Walk<'_>) -> Result<Option<SegmentFile>> {
    let Position { segment: active, offset } = walk.point.position;
    let behind = segment::last(walk.log)? - active;
    if behind == 0 {
        return Ok(None);
    }
    let mut prepared = SegmentFile::open(walk.log, active + 1, walk.mode)?;
    prepared.damage.take().map_or(Ok(()), Err)?;
    let reason = || format!("no whole frame stands here, but segment {} has been begun", active + 1);
    require(behind == 1 && prepared.header.is_none(), || damaged(active, offset, reason()))?;
    Ok(Some(prepared))
}

fn unfinished(store: StoreId, segment: &mut SegmentFile, offset: u32) -> Result<Unfinished> {
    let from = if segment.header.is_some() { offset } else { 0 };
    let Some(end) = segment.written_end(u64::from(from))? else { return Ok(None) };
    let (number, room) = (segment.number, segment.len - u64::from(from));
    let len = usize::try_from(end - u64::from(from)).unwrap_or(usize::MAX);
    let rest = segment.bytes(u64::from(from), len)?.to_vec();
    let verdict = match segment.header {
        Some(_) => judge(store, Position { segment: number, offset }, &rest, room),
        None => judge_unbegun(store, number, &rest),
    };
    verdict.map_err(|damage| damaged(number, from, damage))?;
    Ok(Some((from, rest)))
}

/// Copies the bytes of a cut to a file of their own, durably. A file that holds them already will do.
fn keep_aside(disk: &dyn Disk, number: u32, offset: u32, bytes: &[u8]) -> Result<String> {
    let path = format!("{ASIDE_DIRECTORY}/{number:010}-{offset:010}.{:08x}", crc32c::crc32c(bytes));
    let keep = || {
        disk.create_dir(ASIDE_DIRECTORY)?;
        disk.sync_dir("")?;
        let file = disk.create(&path)?;
        file.write_at(0, bytes)?;
        file.sync_data()?;
        disk.sync_dir(ASIDE_DIRECTORY)
    };
    keep().map_err(io_error(&path, "keep what was cut in"))?;
    Ok(path)
}

/// What was read may be known to the operating system alone, if the writer's process was killed before its
/// sync. It becomes durable before anybody builds on it.
fn make_durable(log: &LogReader, active: &SegmentFile, prepared: Option<&SegmentFile>) -> Result<()> {
    if active.number > log.base.position.segment {
        let path = segment::path(active.number - 1);
        let synced = log.disk.open(&path, OpenMode::ReadWrite).and_then(|file| file.sync_data());
        synced.map_err(sync_error(&path, "sync"))?;
    }
    [Some(active), prepared].into_iter().flatten().try_for_each(SegmentFile::sync)?;
    log.disk.sync_dir(LOG_DIRECTORY).map_err(sync_error(LOG_DIRECTORY, "sync"))
}
