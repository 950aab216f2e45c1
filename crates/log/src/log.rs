//! The writing end of the log.

use std::sync::Arc;

use karyon_model::{Code, Error, Result, ensure, require};

use crate::failure::{Failure, io_error, io_failed, sync_error, sync_failed};
use crate::frame::{self, Frame, Header, Kind, MIN_FRAME_BYTES};
use crate::segment::{self, LOG_DIRECTORY, SEGMENT_HEADER_BYTES, SegmentHeader, SegmentSizes};
use crate::segment_file::SegmentFile;
use crate::{ChainPoint, Disk, LogReader, StoreId};

/// The log of one store, open for writing. It is the only one of its store: its owner holds the store's lock.
///
/// One frame is in flight at a time: [`append`](Log::append) writes it, [`sync`](Log::sync) makes it durable.
/// After an `ERR_KARYON_SYNC_FAILED` nothing is known of the disk; every later call fails with it until the log
/// is opened again.
///
/// ```
/// # use std::sync::Arc;
/// # use karyon_log::{ChainPoint, Frame, Log, RealDisk, SegmentSizes, StoreId};
/// # let directory = std::env::temp_dir().join(format!("karyon-log-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory).unwrap();
/// # let store = StoreId(*b"an example store");
/// let disk = Arc::new(RealDisk::new(&directory));
/// let base = ChainPoint::genesis(store);
/// let mut log = Log::create(disk.clone(), store, SegmentSizes::default(), base)?;
/// log.append(&Frame { first_seq: 1, commit_count: 1, base_time: 0, payload: b"a commit".into() })?;
/// log.sync()?;
/// drop(log);
///
/// let mut found = Vec::new();
/// let keep = &mut |frame: &Frame<'_>, _: &ChainPoint| Ok(found.push(frame.payload.to_vec()));
/// let (log, _recovery) = Log::open(disk, store, SegmentSizes::default(), (base, base), keep)?;
/// assert_eq!((found, log.head().next_seq), (vec![b"a commit".to_vec()], 2));
/// # std::fs::remove_dir_all(&directory).unwrap();
/// # Ok::<(), karyon_model::Error>(())
/// ```
pub struct Log {
    /// Where it is kept, and where it begins.
    pub(crate) place: LogReader,
    pub(crate) sizes: SegmentSizes,
    pub(crate) head: ChainPoint,
    pub(crate) active: SegmentFile,
    pub(crate) prepared: Option<SegmentFile>,
    /// Length of the segments before the active one.
    pub(crate) closed_bytes: u64,
    pub(crate) tail_bytes: u64,
    /// The frame being written; kept for its memory.
    pub(crate) buffer: Vec<u8>,
    /// The time that the last frame seals, if it is a seal.
    pub(crate) sealed: Option<i64>,
    /// Whether a frame was written that is not synced.
    pub(crate) in_flight: bool,
    pub(crate) poisoned: bool,
}

impl Log {
    /// Creates an empty log that goes on from `base` (the genesis of a new store), which must be opened with the same
    /// sizes. What an earlier, interrupted attempt left is taken up; a log that holds frames is refused.
    pub fn create(disk: Arc<dyn Disk>, store: StoreId, sizes: SegmentSizes, base: ChainPoint) -> Result<Log> {
        disk.create_dir(LOG_DIRECTORY).map_err(io_error(LOG_DIRECTORY, "create"))?;
        let first = base.position.segment;
        SegmentFile::create(disk.as_ref(), first)
            .map_err(io_error(&segment::path(first), "create"))?
            .extend(sizes.smallest, io_failed)?;
        for directory in [LOG_DIRECTORY, ""] {
            disk.sync_dir(directory).map_err(sync_error(directory, "sync"))?;
        }
        let (log, _) = Log::open(disk, store, sizes, (base, base), &mut |_, _| Ok(()))?;
        if log.head.next_seq > base.next_seq {
            let message =
                format!("{LOG_DIRECTORY} already holds commits; open the store instead of creating it");
            return Err(Error::new(Code::Argument, message).with("commits", log.head.next_seq - 1));
        }
        Ok(log)
    }

    /// Writes a frame of commits. It is durable after the next [`sync`](Log::sync); a frame that still waits for one is
    /// synced first.
    ///
    /// Fails with `ERR_KARYON_ARGUMENT` or `ERR_KARYON_TRANSACTION_SIZE`, changing nothing, if the draft is
    /// not the next frame or too large, and with `ERR_KARYON_SYNC_FAILED` if the disk fails or has failed.
    pub fn append(&mut self, draft: &Frame<'_>) -> Result<()> {
        let (next, first) = (self.head.next_seq, draft.first_seq);
        let message = || format!("the next commit is {next}, not {first}");
        require(first == next, || Error::new(Code::Argument, message()))?;
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
            let mut next = log.next_segment(io_failed)?;
            let extended = next.extend((next.len + slice).min(target), io_failed);
            log.prepared = Some(next);
            extended
        })
    }

    /// Marks a clean close with a durable frame, which keeps the newest time that its owner has handed out, µs
    /// since 1970. The log may still be written to; that ends the mark.
    pub fn seal(&mut self, time: i64) -> Result<()> {
        if self.sealed.is_some_and(|sealed| sealed >= time) {
            return Ok(());
        }
        self.write_frame(Kind::Seal, &Frame::empty(self.head.next_seq, time))?;
        self.sync()?;
        self.sealed = Some(time);
        Ok(())
    }

    /// Goes on in a segment of its own, durably, so that everything so far lies in segments before it. Returns where it
    /// begins: from there on a log can be read without them.
    pub fn rotate(&mut self) -> Result<ChainPoint> {
        self.sync()?;
        self.guarded(|log| {
            if log.active.header.is_some() {
                log.sealed = None;
                // As long as nothing says that the log goes on there, nothing is lost when it cannot be prepared.
                let mut next = log.next_segment(io_failed)?;
                next.extend(log.sizes.target(0, 0), io_failed)?;
                log.go_on_in(next)?;
            }
            Ok(log.head)
        })
    }

    /// Lets go of every segment before the one that begins at `base`: what they hold stands elsewhere, durably.
    ///
    /// Fails with `ERR_KARYON_IO` when a file cannot be removed; the next opening removes it.
    pub fn cut(&mut self, base: ChainPoint) -> Result<()> {
        self.place.base = base;
        segment::forget(&self.place)?;
        self.closed_bytes = segment::measure(&self.place, self.active.number)?;
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

    fn write_frame(&mut self, kind: Kind, draft: &Frame<'_>) -> Result<()> {
        self.sync()?;
        // Encoded before anything is written, so that a draft that is refused changes nothing.
        let mut header = self.encode(kind, draft)?;
        self.sealed = None;
        self.guarded(|log| {
            if !log.fits(log.buffer.len()) {
                // The sector map depends on where the payload lies, and may be longer there.
                log.make_room(log.buffer.len() + log.buffer.len() / SEGMENT_HEADER_BYTES + MIN_FRAME_BYTES)?;
                header = log.encode(kind, draft)?;
            }
            log.write_buffer(&header)
        })
    }

    fn encode(&mut self, kind: Kind, draft: &Frame<'_>) -> Result<Header> {
        frame::encode(self.place.store, &self.head, kind, draft, &mut self.buffer)
    }

    /// Whether a frame of this length fits, with room for the one that says where the log goes on.
    fn fits(&self, frame_len: usize) -> bool {
        u64::from(self.head.position.offset) + (frame_len + MIN_FRAME_BYTES) as u64 <= self.active.len
    }

    /// Makes the active segment one that has room for a frame of this length.
    fn make_room(&mut self, frame_len: usize) -> Result<()> {
        let needed = self.sizes.target(0, (frame_len + MIN_FRAME_BYTES) as u64);
        if self.active.header.is_none() {
            return self.active.extend(needed, sync_failed);
        }
        // The next segment's file is durable before the active one says that the log goes on there: where
        // that is said and the file is missing, somebody removed it.
        let mut next = self.next_segment(sync_failed)?;
        next.extend(needed, sync_failed)?;
        self.go_on_in(next)
    }

    /// Says that the log goes on in the next segment, durably, and goes on there.
    fn go_on_in(&mut self, next: SegmentFile) -> Result<()> {
        let header = self.encode(Kind::Continued, &Frame::empty(self.head.next_seq, 0))?;
        self.write_buffer(&header)?;
        self.sync_in_flight()?;
        self.closed_bytes += self.active.len;
        self.head = ChainPoint::entering(next.number, self.head.next_seq, self.head.hash);
        self.active = next;
        Ok(())
    }

    /// Writes a frame of another log where it stands there, in a segment of the same length, not durable before that
    /// is full: half a copy is none.
    pub(crate) fn repeat(&mut self, kind: Kind, frame: &Frame<'_>, capacity: u64) -> Result<()> {
        if kind == Kind::Continued {
            let next = self.next_segment(sync_failed)?;
            return self.go_on_in(next);
        }
        if self.active.header.is_none() {
            self.active.extend(capacity.max(self.sizes.smallest), sync_failed)?;
        }
        self.sealed = (kind == Kind::Seal).then_some(frame.base_time);
        let header = self.encode(kind, frame)?;
        self.write_buffer(&header)
    }

    /// Writes the frame in the buffer at the head, after the segment's header if it is the first.
    fn write_buffer(&mut self, header: &Header) -> Result<()> {
        let beyond = || Error::new(Code::Panic, "a frame would end past the last possible position");
        let end = header.end(&self.buffer).ok_or_else(beyond)?;
        self.in_flight = true;
        if self.active.header.is_none() {
            let begun = SegmentHeader {
                number: self.active.number,
                store: self.place.store,
                next_seq: self.head.next_seq,
                previous_hash: self.head.hash,
                capacity: u32::try_from(self.active.len).unwrap_or(u32::MAX),
            };
            self.active.write(0, &begun.to_bytes())?;
            self.active.header = Some(begun);
        }
        self.active.write(self.head.position.offset, &self.buffer)?;
        self.head = end;
        self.tail_bytes += self.buffer.len() as u64;
        Ok(())
    }

    fn sync_in_flight(&mut self) -> Result<()> {
        if self.in_flight {
            self.active.sync()?;
            self.in_flight = false;
        }
        Ok(())
    }

    /// The segment after the active one, whose file is created if need be.
    fn next_segment(&mut self, uncreated: Failure) -> Result<SegmentFile> {
        if let Some(prepared) = self.prepared.take() {
            return Ok(prepared);
        }
        let number = self.active.number + 1;
        let disk = self.place.disk.as_ref();
        let next = SegmentFile::create(disk, number)
            .map_err(|error| uncreated("create", &segment::path(number), &error))?;
        disk.sync_dir(LOG_DIRECTORY).map_err(sync_error(LOG_DIRECTORY, "sync"))?;
        Ok(next)
    }

    /// Runs something that writes; its failure ends all writing, since what is on disk is then unknown. Only
    /// `ERR_KARYON_IO` says that nothing was lost.
    fn guarded<T>(&mut self, write: impl FnOnce(&mut Log) -> Result<T>) -> Result<T> {
        let message =
            "an earlier write or sync failed; nothing more is written until the store is opened again";
        ensure(!self.poisoned, Code::SyncFailed, message)?;
        // Set while it runs, so that a panic in between poisons too.
        self.poisoned = true;
        let result = write(self);
        self.poisoned = result.as_ref().is_err_and(|error| error.code() != Code::Io);
        result
    }
}
