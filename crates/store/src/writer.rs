//! The writer: turns what waits into frames, one sync for all that wait, and says what is durable.

use crate::archive::Archive;
use crate::checkpoint::{self, Anchor};
use crate::layout::{files, io_error};
use crate::store::Store;
use crossbeam::channel::{Receiver, Sender, bounded};
use karyon_graph::ImageWriter;
use karyon_history::Progress;
use karyon_log::{ChainPoint, Disk, LOG_DIRECTORY, Lock, Log, LogReader};
use karyon_model::{Code, Error, Result, Seq};
use parking_lot::{Mutex, RwLock};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;

/// A clean close leaves no longer tail of the log to the next opening.
const CLOSE_CHECKPOINT_BYTES: u64 = 4 * 1024 * 1024;

/// The disk side of a store. A panic under one of its locks is reported by the thread's own failure; the value inside is whole.
pub(crate) struct Persistence {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) log: Mutex<Log>,
    /// What stands for the beginning of the log.
    pub(crate) archive: Mutex<Archive>,
    written: Mutex<Written>,
    doorbell: Sender<()>,
    bell: Receiver<()>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    lock: Mutex<Option<Box<dyn Lock>>>,
    checkpoint_bytes: u64,
    /// Held by whoever writes a checkpoint: there is one half-written file.
    pub(crate) checkpoint_turn: Mutex<()>,
    /// Shared by who reads the log from its beginning, and nobody else's while a part of it is let go. Taken after the other one.
    pub(crate) files: RwLock<()>,
}

/// How far the disk is.
#[derive(Clone, Copy)]
pub(crate) struct Written {
    /// The end of the durable commits. A seal may stand behind it.
    pub(crate) head: ChainPoint,
    /// Frames written by this process.
    pub(crate) frames: u64,
    /// Bytes of log that opening would have to replay.
    pub(crate) tail_bytes: u64,
    image_bytes: u64,
}

impl Persistence {
    pub(crate) fn new(
        (log, head, archive): (Log, ChainPoint, Archive),
        lock: Box<dyn Lock>,
        (checkpoint_bytes, image_bytes): (u64, u64),
    ) -> Persistence {
        let (doorbell, bell) = bounded(1);
        let written = Written { head, frames: 0, tail_bytes: log.tail_bytes(), image_bytes };
        Persistence {
            disk: archive.log.disk.clone(),
            log: Mutex::new(log),
            archive: Mutex::new(archive),
            written: Mutex::new(written),
            doorbell,
            bell,
            threads: Mutex::default(),
            lock: Mutex::new(Some(lock)),
            checkpoint_bytes,
            checkpoint_turn: Mutex::default(),
            files: RwLock::default(),
        }
    }

    /// Wakes the writer. A bell that is already ringing is enough: the writer takes everything that waits.
    pub(crate) fn ring(&self) {
        let _ = self.doorbell.try_send(());
    }

    /// A reader of the log from its beginning on.
    pub(crate) fn reader(&self) -> LogReader {
        self.archive.lock().log.clone()
    }

    /// Has the log go on in a segment of its own, so that it can be parted behind what is durable. Returns where that begins.
    pub(crate) fn rotate(&self) -> Result<ChainPoint> {
        let mut log = self.log.lock();
        let point = log.rotate()?;
        let mut written = self.written.lock();
        // A frame that was written and failed to sync is not durable, and the log is of no use then.
        debug_assert_eq!(written.head.next_seq, point.next_seq);
        written.head = point;
        Ok(point)
    }

    /// Bytes of the files of the log.
    pub(crate) fn log_bytes(&self) -> Result<u64> {
        let length = |path: &String| self.disk.length(path).map_err(io_error(path, "measure"));
        files(&*self.disk, LOG_DIRECTORY, "")?.iter().map(length).sum()
    }

    pub(crate) fn written(&self) -> Written {
        *self.written.lock()
    }

    /// The end of the durable commits.
    pub(crate) fn head(&self) -> ChainPoint {
        self.written().head
    }
}

impl Store {
    /// Writes one frame with everything that waits, syncs it and moves the watermark. False when nothing waited.
    ///
    /// This is all that the writer thread does; a store without threads is driven with it.
    pub fn write_frame(&self) -> Result<bool> {
        let Some(persistence) = &self.persistence else { return Ok(false) };
        let mut log = persistence.log.lock();
        let Some(batch) = self.pipeline()?.next() else { return Ok(false) };
        let done = log.append(&batch).and_then(|()| log.sync()).and_then(|()| {
            let mut written = persistence.written.lock();
            written.head = log.head();
            written.frames += 1;
            written.tail_bytes += batch.payload.len() as u64 + 128;
            drop(written);
            self.advance(log.head().next_seq - 1);
            // After the acknowledgement: preparing the next segment must not make anyone wait. While the disk takes no
            // more, the active segment may still have room: a frame that finds none fails.
            log.prepare_ahead().or_else(|error| if error.code() == Code::Io { Ok(()) } else { Err(error) })
        });
        drop(log);
        done.inspect_err(|error| self.fail(error.clone())).map(|()| true)
    }

    /// Refuses every write from now on.
    pub(crate) fn fail(&self, error: Error) {
        if let Ok(mut pipeline) = self.pipeline() {
            pipeline.fail(error);
        }
        self.notify();
    }

    /// Runs something on a thread that `close` waits for, unless a thread of that name is still at it.
    pub(crate) fn spawn(&self, name: &str, work: impl FnOnce() + Send + 'static) -> Result<()> {
        let Some(persistence) = &self.persistence else { return Ok(()) };
        let mut threads = persistence.threads.lock();
        threads.retain(|thread| !thread.is_finished());
        if threads.iter().all(|thread| thread.thread().name() != Some(name)) {
            let thread = std::thread::Builder::new().name(name.into()).spawn(work);
            threads.push(thread.map_err(io_error(name, "start"))?);
        }
        Ok(())
    }

    /// Starts the writer thread.
    pub(crate) fn start_writer(self: &Arc<Store>) -> Result<()> {
        let Some(persistence) = &self.persistence else { return Ok(()) };
        let (store, bell) = (Arc::downgrade(self), persistence.bell.clone());
        self.spawn("karyon-writer", move || {
            // The bell outlives the store only until its last owner drops the sender.
            while bell.recv().is_ok() {
                let Some(store) = store.upgrade() else { return };
                if !store.drain() {
                    return;
                }
            }
        })
    }

    /// Writes until nothing waits. False when the writer's work is over.
    fn drain(self: &Arc<Store>) -> bool {
        let written = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            while self.write_frame()? {
                self.checkpoint_if_due();
                self.write_history_if_due();
            }
            self.pipeline().map(|pipeline| pipeline.closed)
        }));
        if written.is_err() {
            self.fail(Error::new(Code::Panic, "the writer failed, a defect in Karyon; open the store again"));
        }
        matches!(written, Ok(Ok(false)))
    }

    fn checkpoint_if_due(self: &Arc<Store>) {
        let Some(persistence) = &self.persistence else { return };
        let Written { tail_bytes, image_bytes, .. } = persistence.written();
        if tail_bytes >= persistence.checkpoint_bytes.max(image_bytes) {
            // A checkpoint that fails costs time at the next opening, never data: the log has everything.
            let checkpoint = |store: &Weak<Store>| drop(store.upgrade().map(|store| store.checkpoint()));
            let _ = self.beside("karyon-checkpoint", true, checkpoint);
        }
    }

    fn write_history_if_due(self: &Arc<Store>) {
        let Some(persistence) = &self.persistence else { return };
        if self.history.is_due() && self.progress() == Progress::Ready {
            let durable = persistence.head();
            // What could not be written stays in memory, and is tried again with the next frame.
            let write =
                move |store: &Weak<Store>| drop(store.upgrade().map(|store| store.history.write(durable)));
            let _ = self.beside("karyon-history", true, write);
        }
    }

    /// Writes a checkpoint of the head, also while commits go on. Returns its version, or `None` for a memory store.
    ///
    /// Readers and writers wait for one block of the image at a time, about 256 KiB. Fails with `Closed` after `close`, as
    /// the directory may be another's by then.
    pub fn checkpoint(&self) -> Result<Option<u64>> {
        let Some(persistence) = &self.persistence else { return Ok(None) };
        let _turn = persistence.checkpoint_turn.lock();
        self.pipeline()?.check_open()?;
        let Written { head: tail, tail_bytes, .. } = persistence.written();
        let mut commits = Vec::new();
        let mut image = {
            // Between two commits: what is named in the middle of one is of no version yet.
            let _turn = self.pipeline()?;
            let body = self.body()?;
            body.commits.encode(&mut commits);
            ImageWriter::new(&body.graph)
        };
        let seq = image.seq();
        let disk = &*persistence.disk;
        let mut file = checkpoint::begin(&persistence.reader(), &Anchor { seq, tail })?;
        // The graph is held for one block.
        file.body(&commits, || image.next_block(&self.body()?.graph))?;
        // The image may not be ahead of the log: it is put in its place once its version is durable.
        self.make_durable(seq)?;
        // Whoever starts from the image finds every chapter before it in the tables. Where these cannot be written, the next
        // opening builds them again: a tail that no image cuts off would cost more.
        if self.progress() == Progress::Ready {
            let _ = self.history.write(persistence.head());
        }
        let bytes = checkpoint::publish(disk, file, seq, persistence.head())?;
        let mut written = persistence.written.lock();
        (written.image_bytes, written.tail_bytes) = (bytes, written.tail_bytes - tail_bytes);
        Ok(Some(seq))
    }

    /// Waits until a version is durable, and writes what is to be written for it.
    pub(crate) fn make_durable(&self, seq: Seq) -> Result<()> {
        while self.on_disk() < seq {
            self.failure()?.map_or(Ok(()), Err)?;
            if !self.write_frame()? && self.on_disk() < seq {
                std::thread::yield_now();
            }
        }
        Ok(())
    }

    /// Ends the store: what waits is written, the log is sealed, the directory is free. Closing again does nothing.
    ///
    /// Fails when the log had failed before: what was acknowledged is safe, what was not is lost.
    pub fn close(&self) -> Result<()> {
        if let Some(persistence) = &self.persistence
            && persistence.written().tail_bytes >= CLOSE_CHECKPOINT_BYTES
        {
            // Fails when the store is closed or has failed, which is told below; else it only costs the next opening time.
            let _ = self.checkpoint();
        }
        let closed = self.pipeline().map(|mut pipeline| std::mem::replace(&mut pipeline.closed, true));
        let Some(persistence) = &self.persistence else { return closed.map(drop) };
        if matches!(closed, Ok(true)) {
            return Ok(());
        }
        persistence.ring();
        let own = std::thread::current().id();
        // Again until none is left: the writer may have started a checkpoint just before its end.
        loop {
            let Some(thread) = persistence.threads.lock().pop() else { break };
            if thread.thread().id() != own {
                let _ = thread.join();
            }
        }
        let sealed = closed.and_then(|_| self.write_rest(persistence));
        self.notify();
        // The directory is free whatever has happened, and not before the last checkpoint has ended.
        let _turn = persistence.checkpoint_turn.lock();
        self.history.close();
        drop(persistence.lock.lock().take());
        sealed
    }

    fn write_rest(&self, persistence: &Persistence) -> Result<()> {
        self.failure()?.map_or(Ok(()), Err)?;
        while self.write_frame()? {}
        // What `now` has answered stays before every later commit, though the clock may be put back meanwhile.
        let floor = self.pipeline()?.floor;
        persistence.log.lock().seal(floor)
    }
}
