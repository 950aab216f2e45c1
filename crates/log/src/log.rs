//! The writing end of the log.

use std::io;
use std::sync::Arc;

use karyon_model::{Code, Error, Result};

use crate::chain::{ChainPoint, Position, StoreId};
use crate::disk::{Disk, File, OpenMode};
use crate::failure::{io_failed, poisoned, sync_failed};
use crate::frame::{self, FrameDraft, FrameView, Kind, MIN_FRAME_BYTES};
use crate::open;
use crate::reader::LogReader;
use crate::recovery::Recovery;
use crate::segment::{self, LOG_DIRECTORY, SEGMENT_HEADER_BYTES, SegmentHeader, SegmentSizes};
use crate::walk::SegmentFile;
use crate::zeros::write_zeros;

/// The sequence number of a store's first commit.
pub const FIRST_SEQ: u64 = 1;

/// The log of one store, open for writing. It is the only one of its store: its owner holds the store's lock.
///
/// One frame is in flight at a time: [`append`](Log::append) writes it, [`sync`](Log::sync) makes it durable.
/// After an `ERR_KARYON_SYNC_FAILED` nothing is known of the disk; every later call fails with it until the log
/// is opened again.
///
/// ```
/// # use std::sync::Arc;
/// # use karyon_log::{FrameDraft, Log, RealDisk, StoreId};
/// # let directory = std::env::temp_dir().join(format!("karyon-log-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory).unwrap();
/// # let store = StoreId(*b"an example store");
/// let disk = Arc::new(RealDisk::new(&directory));
/// let mut log = Log::create(disk.clone(), store)?;
/// log.append(&FrameDraft { first_seq: 1, commit_count: 1, base_time: 0, payload: b"a commit" })?;
/// log.sync()?;
/// drop(log);
///
/// let mut found = Vec::new();
/// let (_log, recovery) = Log::open(disk, store, None, &mut |frame| Ok(found.push(frame.payload.to_vec())))?;
/// assert_eq!((found, recovery.last_seq), (vec![b"a commit".to_vec()], 1));
/// # std::fs::remove_dir_all(&directory).unwrap();
/// # Ok::<(), karyon_model::Error>(())
/// ```
pub struct Log {
    disk: Arc<dyn Disk>,
    store: StoreId,
    sizes: SegmentSizes,
    head: ChainPoint,
    active: Segment,
    prepared: Option<Segment>,
    /// Length of the segments before the active one.
    closed_bytes: u64,
    tail_bytes: u64,
    /// The frame being written; kept for its memory.
    buffer: Vec<u8>,
    /// The time that the last frame seals, if it is a seal.
    sealed: Option<i64>,
    /// Whether a frame was written that is not synced.
    in_flight: bool,
    poisoned: bool,
}

/// A segment that is written to.
struct Segment {
    number: u32,
    file: Box<dyn File>,
    /// How far zeros or frames have been written and synced.
    len: u64,
    /// Whether its header is written.
    begun: bool,
}

impl From<SegmentFile> for Segment {
    fn from(SegmentFile { number, file, header, len, .. }: SegmentFile) -> Self {
        // A crash may have left a prepared file with half a sector at its end.
        let len = if header.is_some() { len } else { len - len % SEGMENT_HEADER_BYTES as u64 };
        Segment { number, file, len, begun: header.is_some() }
    }
}

impl Segment {
    /// Creates the file of segment `number`, or takes up what an interrupted attempt left of it: zeros.
    fn create(disk: &dyn Disk, number: u32) -> io::Result<Segment> {
        let path = segment::path(number);
        let file = match disk.open(&path, OpenMode::CreateNew) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                disk.open(&path, OpenMode::ReadWrite)
            }
            file => file,
        }?;
        let len = file.len()?;
        Ok(Segment { number, file, len: len - len % SEGMENT_HEADER_BYTES as u64, begun: false })
    }

    /// Writes and syncs zeros up to `len`. That the zeros cannot be written is what `unwritten` says it is: they
    /// stand behind everything, and are written again. A failed sync is never retried.
    fn extend(&mut self, len: u64, unwritten: Failure) -> Result<()> {
        if len > self.len {
            let path = segment::path(self.number);
            write_zeros(self.file.as_ref(), self.len, len - self.len)
                .map_err(|error| unwritten("prepare", &path, &error))?;
            self.file.sync_data().map_err(|error| sync_failed("sync", &path, &error))?;
            self.len = len;
        }
        Ok(())
    }
}

/// What an error of the operating system becomes: [`io_failed`] or [`sync_failed`].
type Failure = fn(&str, &str, &io::Error) -> Error;

impl Log {
    /// Creates an empty log. What an earlier, interrupted attempt left is taken up; a log that holds frames
    /// is refused.
    pub fn create(disk: Arc<dyn Disk>, store: StoreId) -> Result<Log> {
        Log::create_sized(disk, store, SegmentSizes::default())
    }

    /// [`create`](Log::create) with segments of other lengths; the log must be opened with the same.
    pub fn create_sized(disk: Arc<dyn Disk>, store: StoreId, sizes: SegmentSizes) -> Result<Log> {
        disk.create_dir(LOG_DIRECTORY).map_err(|error| io_failed("create", LOG_DIRECTORY, &error))?;
        Segment::create(disk.as_ref(), 1)
            .map_err(|error| io_failed("create", &segment::path(1), &error))?
            .extend(sizes.smallest, io_failed)?;
        for directory in [LOG_DIRECTORY, ""] {
            disk.sync_dir(directory).map_err(|error| sync_failed("sync", directory, &error))?;
        }
        let (log, recovery) = Log::open_sized(disk, store, sizes, None, &mut |_| Ok(()))?;
        if recovery.last_seq >= FIRST_SEQ {
            let message =
                format!("{LOG_DIRECTORY} already holds commits; open the store instead of creating it");
            return Err(Error::new(Code::Argument, message).with("commits", recovery.last_seq));
        }
        Ok(log)
    }

    /// Opens the log: walks the chain from `start` (a checkpoint's point, or the beginning) to its end,
    /// handing each frame of commits to `visit`, cuts an unfinished write, and makes durable what was read.
    ///
    /// Fails with `ERR_KARYON_DAMAGED`, `ERR_KARYON_SEGMENT_MISSING` or `ERR_KARYON_FORMAT_NEWER`, naming
    /// segment and offset, and then has changed nothing. Reads the log from `start` on once, at the speed of
    /// SHA-256.
    pub fn open(
        disk: Arc<dyn Disk>,
        store: StoreId,
        start: Option<ChainPoint>,
        visit: &mut dyn FnMut(&FrameView<'_>) -> Result<()>,
    ) -> Result<(Log, Recovery)> {
        Log::open_sized(disk, store, SegmentSizes::default(), start, visit)
    }

    /// [`open`](Log::open) for a log that was created with segments of other lengths.
    pub fn open_sized(
        disk: Arc<dyn Disk>,
        store: StoreId,
        sizes: SegmentSizes,
        start: Option<ChainPoint>,
        visit: &mut dyn FnMut(&FrameView<'_>) -> Result<()>,
    ) -> Result<(Log, Recovery)> {
        let opened = open::open(disk.as_ref(), store, sizes, start, visit)?;
        let log = Log {
            disk,
            store,
            sizes,
            head: opened.end,
            closed_bytes: opened.log_bytes - opened.active.len,
            active: opened.active.into(),
            prepared: opened.prepared.map(Segment::from),
            tail_bytes: opened.walked_bytes,
            buffer: Vec::new(),
            sealed: opened.recovery.sealed_time.filter(|_| opened.recovery.sealed),
            in_flight: false,
            poisoned: false,
        };
        Ok((log, opened.recovery))
    }

    /// Writes a frame of commits and returns where it begins. It is durable after the next
    /// [`sync`](Log::sync); a frame that still waits for one is synced first.
    ///
    /// Fails with `ERR_KARYON_ARGUMENT` or `ERR_KARYON_TRANSACTION_SIZE`, changing nothing, if the draft is
    /// not the next frame or too large, and with `ERR_KARYON_SYNC_FAILED` if the disk fails or has failed.
    pub fn append(&mut self, draft: &FrameDraft<'_>) -> Result<Position> {
        if draft.first_seq != self.head.next_seq {
            let message = format!("the next commit is {}, not {}", self.head.next_seq, draft.first_seq);
            return Err(Error::new(Code::Argument, message));
        }
        self.write_frame(Kind::Commits, draft)
    }

    /// Makes the frame that was written last durable. One `fdatasync`; nothing if there is none to sync.
    pub fn sync(&mut self) -> Result<()> {
        self.guarded(Log::sync_in_flight)
    }

    /// Writes zeros ahead of the frames, one slice (a mebibyte, or twice the last frame) at a time; call it
    /// after each [`sync`](Log::sync), when nobody waits. Does nothing while the active segment is not yet
    /// half full.
    ///
    /// Fails with `ERR_KARYON_IO` when the disk takes no more, which costs nothing yet: frames are written as
    /// long as the active segment has room, and the next call tries again.
    pub fn prepare_ahead(&mut self) -> Result<()> {
        self.guarded(|log| {
            if u64::from(log.head.position.offset) * 2 < log.active.len {
                return Ok(());
            }
            let target = log.sizes.target(log.closed_bytes + log.active.len, 0);
            // Twice the last frame, so that the segment is ready before the other half of the active one is
            // full.
            let slice =
                log.sizes.slice.max((2 * log.buffer.len()).next_multiple_of(SEGMENT_HEADER_BYTES) as u64);
            let prepared = log.prepared(io_failed)?;
            prepared.extend((prepared.len + slice).min(target), io_failed)
        })
    }

    /// Marks a clean close with a durable frame, which keeps the newest time that its owner has handed out, µs
    /// since 1970. The log may still be written to; that ends the mark.
    pub fn seal(&mut self, time: i64) -> Result<()> {
        if self.sealed.is_some_and(|sealed| sealed >= time) {
            return Ok(());
        }
        self.write_frame(Kind::Seal, &FrameDraft::empty(self.head.next_seq, time))?;
        self.sync()?;
        self.sealed = Some(time);
        Ok(())
    }

    /// The end of the chain: behind the frame that was appended last, synced or not.
    pub fn head(&self) -> ChainPoint {
        self.head
    }

    /// Bytes of the frames behind the `start` that the log was opened with, those appended since included.
    /// Never shrinks.
    pub fn tail_bytes(&self) -> u64 {
        self.tail_bytes
    }

    /// A reader of the frames, for any thread.
    pub fn reader(&self) -> LogReader {
        LogReader::new(self.disk.clone(), self.store)
    }

    fn write_frame(&mut self, kind: Kind, draft: &FrameDraft<'_>) -> Result<Position> {
        self.sync()?;
        // Encoded before anything is written, so that a draft that is refused changes nothing.
        frame::encode(self.store, &self.head, kind, draft, &mut self.buffer)?;
        self.sealed = None;
        self.guarded(|log| {
            if !log.fits(log.buffer.len()) {
                // The sector map depends on where the payload lies, and may be longer there.
                log.make_room(log.buffer.len() + log.buffer.len() / SEGMENT_HEADER_BYTES + MIN_FRAME_BYTES)?;
                frame::encode(log.store, &log.head, kind, draft, &mut log.buffer)?;
            }
            let position = log.head.position;
            log.write_buffer()?;
            Ok(position)
        })
    }

    /// Whether a frame of this length fits, with room for the one that says where the log goes on.
    fn fits(&self, frame_len: usize) -> bool {
        u64::from(self.head.position.offset) + (frame_len + MIN_FRAME_BYTES) as u64 <= self.active.len
    }

    /// Makes the active segment one that has room for a frame of this length.
    fn make_room(&mut self, frame_len: usize) -> Result<()> {
        let needed = self.sizes.target(0, (frame_len + MIN_FRAME_BYTES) as u64);
        if !self.active.begun {
            return self.active.extend(needed, sync_failed);
        }
        // The next segment's file is durable before the active one says that the log goes on there: where
        // that is said and the file is missing, somebody removed it.
        self.prepared(sync_failed)?.extend(needed, sync_failed)?;
        let draft = FrameDraft::empty(self.head.next_seq, 0);
        frame::encode(self.store, &self.head, Kind::Continued, &draft, &mut self.buffer)?;
        self.write_buffer()?;
        self.sync_in_flight()?;
        if let Some(prepared) = self.prepared.take() {
            self.closed_bytes += self.active.len;
            self.active = prepared;
            self.head.position =
                Position { segment: self.active.number, offset: SEGMENT_HEADER_BYTES as u32 };
        }
        Ok(())
    }

    /// Writes the frame in the buffer at the head, after the segment's header if it is the first.
    fn write_buffer(&mut self) -> Result<()> {
        let path = segment::path(self.active.number);
        let failed = |error: io::Error| sync_failed("write", &path, &error);
        self.in_flight = true;
        if !self.active.begun {
            let header = SegmentHeader {
                store: self.store,
                number: self.active.number,
                next_seq: self.head.next_seq,
                previous_hash: self.head.hash,
                capacity: u32::try_from(self.active.len).unwrap_or(u32::MAX),
            };
            self.active.file.write_at(0, &header.to_bytes()).map_err(failed)?;
            self.active.begun = true;
        }
        let at = self.head.position;
        self.active.file.write_at(u64::from(at.offset), &self.buffer).map_err(failed)?;
        let header = frame::Header::decode(self.store, at, &self.buffer);
        let Some(end) = header.and_then(|header| header.end(&self.buffer)) else {
            return Err(Error::new(Code::Panic, "a frame that was just encoded cannot be decoded"));
        };
        self.head = end;
        self.tail_bytes += self.buffer.len() as u64;
        Ok(())
    }

    fn sync_in_flight(&mut self) -> Result<()> {
        if self.in_flight {
            let synced = self.active.file.sync_data();
            synced.map_err(|error| sync_failed("sync", &segment::path(self.active.number), &error))?;
            self.in_flight = false;
        }
        Ok(())
    }

    /// The segment after the active one, whose file is created if need be.
    fn prepared(&mut self, uncreated: Failure) -> Result<&mut Segment> {
        let segment = match self.prepared.take() {
            Some(segment) => segment,
            None => {
                let number = self.active.number + 1;
                let segment = Segment::create(self.disk.as_ref(), number)
                    .map_err(|error| uncreated("create", &segment::path(number), &error))?;
                let synced = self.disk.sync_dir(LOG_DIRECTORY);
                synced.map_err(|error| sync_failed("sync", LOG_DIRECTORY, &error))?;
                segment
            }
        };
        Ok(self.prepared.insert(segment))
    }

    /// Runs something that writes; its failure ends all writing, since what is on disk is then unknown. Only
    /// `ERR_KARYON_IO` says that nothing was lost.
    fn guarded<T>(&mut self, write: impl FnOnce(&mut Log) -> Result<T>) -> Result<T> {
        if self.poisoned {
            return Err(poisoned());
        }
        // Set while it runs, so that a panic in between poisons too.
        self.poisoned = true;
        let result = write(self);
        self.poisoned = result.as_ref().is_err_and(|error| error.code() != Code::Io);
        result
    }
}
