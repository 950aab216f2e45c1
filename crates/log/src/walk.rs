//! Reading the chain frame by frame: what opening, verifying and reading ranges have in common.

use karyon_model::Result;

use crate::chain::{ChainPoint, Hash, Position, StoreId};
use crate::disk::{Disk, File, OpenMode};
use crate::failure::{damaged, io_failed};
use crate::frame::{FRAME_HEADER_BYTES, FrameView, Header, Kind};
use crate::segment::{self, SEGMENT_HEADER_BYTES, SegmentHeader};

/// How much of a segment is read at once.
const WINDOW_BYTES: usize = 256 << 10;

/// A segment's file, open for reading, with the part of it that was read last.
pub(crate) struct SegmentFile {
    pub(crate) number: u32,
    pub(crate) file: Box<dyn File>,
    /// `None` while the segment is prepared and not begun: its first sector is zero.
    pub(crate) header: Option<SegmentHeader>,
    /// Where the segment ends: the capacity that its header states, or the file's end.
    pub(crate) len: u64,
    window: Vec<u8>,
    window_start: u64,
}

impl SegmentFile {
    pub(crate) fn open(disk: &dyn Disk, store: StoreId, number: u32, mode: OpenMode) -> Result<SegmentFile> {
        let path = segment::path(number);
        let file = disk.open(&path, mode).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => segment::missing(number),
            _ => io_failed("open", &path, &error),
        })?;
        let len = file.len().map_err(|error| io_failed("measure", &path, &error))?;
        let mut opened = SegmentFile { number, file, header: None, len, window: Vec::new(), window_start: 0 };
        let mut sector = [0; SEGMENT_HEADER_BYTES];
        let first = opened.bytes(0, SEGMENT_HEADER_BYTES)?;
        sector[..first.len()].copy_from_slice(first);
        if sector != [0; SEGMENT_HEADER_BYTES] {
            let header = SegmentHeader::decode(store, number, len, &sector)?;
            opened.len = u64::from(header.capacity);
            opened.header = Some(header);
        }
        Ok(opened)
    }

    /// `len` bytes from `offset` on, or as many as there are.
    pub(crate) fn bytes(&mut self, offset: u64, len: usize) -> Result<&[u8]> {
        let start = offset.min(self.len);
        let end = offset.saturating_add(len as u64).min(self.len).max(start);
        if start < self.window_start || end > self.window_start + self.window.len() as u64 {
            let room = usize::try_from(self.len - start).unwrap_or(usize::MAX);
            self.window.resize(len.max(WINDOW_BYTES).min(room), 0);
            self.window_start = start;
            self.file
                .read_exact_at(start, &mut self.window)
                .inspect_err(|_| self.window.clear())
                .map_err(|error| io_failed("read", &segment::path(self.number), &error))?;
        }
        Ok(&self.window[(start - self.window_start) as usize..(end - self.window_start) as usize])
    }

    /// One past the last byte from `offset` on that is not zero.
    pub(crate) fn written_end(&mut self, mut offset: u64) -> Result<Option<u64>> {
        let mut written = None;
        while offset < self.len {
            let window = self.bytes(offset, WINDOW_BYTES)?;
            // Equal to itself moved by one and zero at first: all zero, found out at the speed of memory.
            if window[0] != 0 || window[1..] != window[..window.len() - 1] {
                let last = window.iter().rposition(|&byte| byte != 0);
                written = last.map(|at| offset + at as u64 + 1).or(written);
            }
            offset += window.len() as u64;
        }
        Ok(written)
    }

    /// The frame at `offset` and its bytes, if a whole one begins there.
    pub(crate) fn frame_at(&mut self, store: StoreId, offset: u32) -> Result<Option<(Header, &[u8])>> {
        let position = Position { segment: self.number, offset };
        let bytes = self.bytes(u64::from(offset), FRAME_HEADER_BYTES)?;
        let Some(header) = Header::decode(store, position, bytes) else { return Ok(None) };
        let frame = self.bytes(u64::from(offset), header.frame_len())?;
        Ok(header.is_whole(frame).then_some((header, frame)))
    }
}

/// What stands at the next place of the chain.
pub(crate) enum Step<'a> {
    Commits(FrameView<'a>),
    /// The log was closed; the time that it keeps.
    Seal(i64),
    /// The chain goes on in the next segment, which is open now.
    Continued,
    /// No whole frame: the end, a torn frame or damage.
    Nothing,
}

/// A walk along the chain.
pub(crate) struct Walk<'d> {
    disk: &'d dyn Disk,
    store: StoreId,
    mode: OpenMode,
    pub(crate) segment: SegmentFile,
    pub(crate) point: ChainPoint,
}

impl<'d> Walk<'d> {
    /// A walk from a known point of the chain.
    pub(crate) fn from_point(
        disk: &'d dyn Disk,
        store: StoreId,
        mode: OpenMode,
        point: ChainPoint,
    ) -> Result<Walk<'d>> {
        let segment = SegmentFile::open(disk, store, point.position.segment, mode)?;
        let mut walk = Walk { disk, store, mode, segment, point };
        walk.check_start()?;
        Ok(walk)
    }

    /// A walk from the frame at `position`, whose word is taken for what came before it.
    pub(crate) fn from_position(disk: &'d dyn Disk, store: StoreId, position: Position) -> Result<Walk<'d>> {
        let mut segment = SegmentFile::open(disk, store, position.segment, OpenMode::Read)?;
        let Some((header, _)) = segment.frame_at(store, position.offset)? else {
            return Err(damaged(position.segment, position.offset, "no whole frame begins here"));
        };
        let point = ChainPoint { position, hash: header.previous_hash, next_seq: header.first_seq };
        Ok(Walk { disk, store, mode: OpenMode::Read, segment, point })
    }

    /// Takes one step. The walk stays where it is if there is no whole frame.
    pub(crate) fn step(&mut self) -> Result<Step<'_>> {
        let Position { segment: number, offset } = self.point.position;
        if self.segment.header.is_none() {
            return Ok(Step::Nothing);
        }
        let Some((header, bytes)) = self.segment.frame_at(self.store, offset)? else {
            return Ok(Step::Nothing);
        };
        if header.previous_hash != self.point.hash || header.first_seq != self.point.next_seq {
            return Err(damaged(number, offset, "the frame here does not follow the one before it"));
        }
        let Some(end) = header.end(bytes) else {
            return Err(damaged(number, offset, "the frame here ends past the last possible position"));
        };
        self.point = end;
        match header.kind {
            Kind::Seal => Ok(Step::Seal(header.base_time)),
            Kind::Continued => {
                self.enter_next_segment()?;
                Ok(Step::Continued)
            }
            Kind::Commits => {
                // Asked for again (it is at hand), so that the other arms may move on to the next segment.
                let bytes = self.segment.bytes(u64::from(offset), header.frame_len())?;
                Ok(Step::Commits(FrameView {
                    position: header.position,
                    first_seq: header.first_seq,
                    commit_count: header.commit_count,
                    base_time: header.base_time,
                    payload: &bytes[header.payload_range()],
                    previous_hash: header.previous_hash,
                    hash: end.hash,
                    end,
                }))
            }
        }
    }

    fn enter_next_segment(&mut self) -> Result<()> {
        let Some(number) = self.point.position.segment.checked_add(1) else {
            return Err(damaged(self.segment.number, self.point.position.offset, "no segment can follow"));
        };
        self.segment = SegmentFile::open(self.disk, self.store, number, self.mode)?;
        self.point.position = Position { segment: number, offset: SEGMENT_HEADER_BYTES as u32 };
        self.check_start()
    }

    /// What must hold where a walk enters a segment.
    fn check_start(&mut self) -> Result<()> {
        let Position { segment: number, offset } = self.point.position;
        let begins_segment = offset as usize == SEGMENT_HEADER_BYTES;
        match self.segment.header {
            Some(header) if begins_segment => {
                if header.previous_hash != self.point.hash || header.next_seq != self.point.next_seq {
                    return Err(damaged(number, 0, "it does not follow the segment before it"));
                }
            }
            None if begins_segment => {}
            _ => {
                // Every frame ends with a word that is not zero: a cheap proof that the log reaches up to
                // here.
                let before = self.segment.bytes(u64::from(offset.saturating_sub(4)), 4)?;
                if before.len() < 4 || before == [0; 4] || self.segment.header.is_none() {
                    return Err(damaged(
                        number,
                        offset,
                        "frames that a checkpoint holds are missing before here",
                    ));
                }
            }
        }
        Ok(())
    }
}

/// The point before a store's first frame.
pub(crate) fn genesis(store: StoreId) -> ChainPoint {
    ChainPoint {
        position: Position { segment: 1, offset: SEGMENT_HEADER_BYTES as u32 },
        hash: Hash::genesis(store),
        next_seq: crate::FIRST_SEQ,
    }
}
