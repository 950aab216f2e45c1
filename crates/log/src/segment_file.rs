//! A segment's file: read through a window, and written to.

use std::io;

use karyon_model::{Code, Error, Result};

use crate::failure::{Failure, io_error, io_failed, sync_error};
use crate::frame::{FRAME_HEADER_BYTES, Header};
use crate::segment::{self, SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::{Disk, File, LogReader, OpenMode, Position, StoreId};

/// How much of a segment is read at once.
const WINDOW_BYTES: usize = 256 << 10;

/// A segment's file, open, with the part of it that was read last.
pub(crate) struct SegmentFile {
    pub(crate) number: u32,
    file: Box<dyn File>,
    /// `None` while the segment is prepared and not begun: its first sector is zero.
    pub(crate) header: Option<SegmentHeader>,
    /// Where the segment ends: the capacity that its header states, or the file's end.
    pub(crate) len: u64,
    window: Vec<u8>,
    window_start: u64,
    /// How much is read at once, at least; nothing beside what is needed where a sector may be bad.
    pub(crate) ahead: usize,
    /// What is wrong with its header. Whoever opens the file passes that on, or goes by the frames alone.
    pub(crate) damage: Option<Error>,
}

impl SegmentFile {
    fn new(number: u32, file: Box<dyn File>) -> io::Result<SegmentFile> {
        let len = file.len()?;
        let window = Vec::new();
        Ok(SegmentFile { number, file, header: None, len, window, window_start: 0, ahead: 0, damage: None })
    }

    /// Creates the file of segment `number`, or takes up what an interrupted attempt left of it: zeros.
    pub(crate) fn create(disk: &dyn Disk, number: u32) -> io::Result<SegmentFile> {
        SegmentFile::new(number, disk.create(&segment::path(number))?).map(SegmentFile::for_writing)
    }

    pub(crate) fn open(log: &LogReader, number: u32, mode: OpenMode) -> Result<SegmentFile> {
        let path = segment::path(number);
        let file = log.disk.open(&path, mode).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => segment::missing(number),
            _ => io_failed("open", &path, &error),
        })?;
        let mut opened = SegmentFile::new(number, file).map_err(io_error(&path, "measure"))?;
        let len = opened.len;
        let mut sector = opened.bytes(0, SEGMENT_HEADER_BYTES)?.to_vec();
        sector.resize(SEGMENT_HEADER_BYTES, 0);
        opened.ahead = WINDOW_BYTES;
        if sector != [0; SEGMENT_HEADER_BYTES] {
            match SegmentHeader::check(log.store, number, len, &sector) {
                Ok(header) => (opened.len, opened.header) = (u64::from(header.capacity), Some(header)),
                Err(error) if error.code() == Code::Damaged => opened.damage = Some(error),
                Err(error) => return Err(error),
            }
        }
        Ok(opened)
    }

    /// The same for writing: without what was read, and without half a sector that a crash may have left at the
    /// end of a prepared file.
    pub(crate) fn for_writing(self) -> SegmentFile {
        let whole = self.len - self.len % SEGMENT_HEADER_BYTES as u64;
        let len = if self.header.is_some() { self.len } else { whole };
        SegmentFile { len, window: Vec::new(), window_start: 0, ..self }
    }

    /// `len` bytes from `offset` on, or as many as there are.
    pub(crate) fn bytes(&mut self, offset: u64, len: usize) -> Result<&[u8]> {
        let start = offset.min(self.len);
        let end = offset.saturating_add(len as u64).min(self.len).max(start);
        if start < self.window_start || end > self.window_start + self.window.len() as u64 {
            let room = usize::try_from(self.len - start).unwrap_or(usize::MAX);
            self.window.resize(len.max(self.ahead).min(room), 0);
            self.window_start = start;
            self.file
                .read_exact_at(start, &mut self.window)
                .inspect_err(|_| self.window.clear())
                .map_err(io_error(&segment::path(self.number), "read"))?;
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
        let Some(header) = Header::at(store, position, bytes) else { return Ok(None) };
        let frame = self.bytes(u64::from(offset), header.frame_len())?;
        Ok(header.is_whole(frame).then_some((header, frame)))
    }

    /// Writes and syncs zeros up to `len`. That the zeros cannot be written is what `unwritten` says it is: they
    /// stand behind everything, and are written again. A failed sync is never retried.
    pub(crate) fn extend(&mut self, len: u64, unwritten: Failure) -> Result<()> {
        if len > self.len {
            let zeros = self.file.write_zeros(self.len, len - self.len);
            zeros.map_err(|error| unwritten("prepare", &segment::path(self.number), &error))?;
            self.sync()?;
            self.len = len;
        }
        Ok(())
    }

    pub(crate) fn write(&self, offset: u32, bytes: &[u8]) -> Result<()> {
        self.file.write_at(u64::from(offset), bytes).map_err(sync_error(&segment::path(self.number), "write"))
    }

    pub(crate) fn write_zeros(&self, offset: u32, len: u64) -> Result<()> {
        self.file.write_zeros(offset.into(), len).map_err(sync_error(&segment::path(self.number), "cut"))
    }

    pub(crate) fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(sync_error(&segment::path(self.number), "sync"))
    }
}
