//! The writer: turns what waits into frames, one sync for all that wait, and says what is durable.

use crate::checkpoint::{Anchor, CheckpointWriter};
use crate::layout::io_error;
use crate::store::Store;
use crossbeam::channel::{Receiver, Sender, bounded};
use karyon_graph::ImageWriter;
use karyon_log::{ChainPoint, Disk, FrameDraft, Lock, Log, LogReader, StoreId};
use karyon_model::{Code, Error, Result};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// The disk side of a store.
pub(crate) struct Persistence {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) id: StoreId,
    pub(crate) reader: LogReader,
    log: Mutex<Log>,
    head: Mutex<ChainPoint>,
    doorbell: Sender<()>,
    bell: Receiver<()>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    lock: Mutex<Option<Box<dyn Lock>>>,
    frames: AtomicU64,
    tail_bytes: AtomicU64,
    checkpoint_bytes: u64,
    last_image_bytes: AtomicU64,
    checkpointing: AtomicBool,
    /// Held by whoever writes a checkpoint: there is one half-written file.
    checkpoint_turn: Mutex<()>,
    ended: AtomicBool,
}

impl Persistence {
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        id: StoreId,
        log: Log,
        head: ChainPoint,
        lock: Box<dyn Lock>,
        checkpoint_bytes: u64,
        last_image_bytes: u64,
    ) -> Persistence {
        let (doorbell, bell) = bounded(1);
        Persistence {
            disk,
            id,
            reader: log.reader(),
            head: Mutex::new(head),
            doorbell,
            bell,
            threads: Mutex::default(),
            lock: Mutex::new(Some(lock)),
            frames: AtomicU64::new(0),
            tail_bytes: AtomicU64::new(log.tail_bytes()),
            log: Mutex::new(log),
            checkpoint_bytes,
            last_image_bytes: AtomicU64::new(last_image_bytes),
            checkpointing: AtomicBool::new(false),
            checkpoint_turn: Mutex::default(),
            ended: AtomicBool::new(false),
        }
    }

    /// Wakes the writer. A bell that is already ringing is enough: the writer takes everything that waits.
    pub(crate) fn ring(&self) {
        let _ = self.doorbell.try_send(());
    }

    pub(crate) fn written(&self) -> (u64, u64) {
        (self.frames.load(Ordering::Relaxed), self.tail_bytes.load(Ordering::Relaxed))
    }

    /// The end of the durable commits. A seal may stand behind it.
    pub(crate) fn head(&self) -> ChainPoint {
        *lock(&self.head)
    }

    pub(crate) fn adopt(&self, thread: JoinHandle<()>) {
        let mut threads = lock(&self.threads);
        threads.retain(|thread| !thread.is_finished());
        threads.push(thread);
    }
}

/// A panic while one of these was held is reported by the thread's own failure; the value inside is whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store {
    /// Writes one frame with everything that waits, syncs it and moves the watermark. False when nothing waited.
    ///
    /// This is all that the writer thread does; a store without threads is driven with it.
    pub fn write_frame(&self) -> Result<bool> {
        let Some(persistence) = &self.persistence else { return Ok(false) };
        let mut log = lock(&persistence.log);
        let Some(batch) = self.pipeline()?.next() else { return Ok(false) };
        let last = batch.last();
        let draft = FrameDraft {
            first_seq: batch.first,
            commit_count: batch.count,
            base_time: batch.base_time,
            payload: &batch.payload,
        };
        if let Err(error) = log.append(&draft).and_then(|_| log.sync()) {
            drop(log);
            self.pipeline()?.fail(error.clone());
            self.notify();
            return Err(error);
        }
        *lock(&persistence.head) = log.head();
        persistence.frames.fetch_add(1, Ordering::Relaxed);
        persistence.tail_bytes.fetch_add(batch.payload.len() as u64 + 128, Ordering::Relaxed);
        self.advance(last);
        // After the acknowledgement: preparing the next segment must not make anyone wait. While the disk takes no more,
        // the active segment may still have room: a frame that finds none fails.
        if let Err(error) = log.prepare_ahead()
            && error.code() != Code::Io
        {
            drop(log);
            self.pipeline()?.fail(error.clone());
            self.notify();
            return Err(error);
        }
        Ok(true)
    }

    /// Starts the writer thread.
    pub(crate) fn start_writer(self: &Arc<Store>) -> Result<()> {
        let Some(persistence) = &self.persistence else { return Ok(()) };
        let (store, bell) = (Arc::downgrade(self), persistence.bell.clone());
        let thread = std::thread::Builder::new().name("karyon-writer".into()).spawn(move || {
            // The bell outlives the store only until its last owner drops the sender.
            while bell.recv().is_ok() {
                let Some(store) = store.upgrade() else { return };
                if !store.drain() {
                    return;
                }
            }
        });
        persistence.adopt(thread.map_err(io_error("the writer thread", "start"))?);
        Ok(())
    }

    /// Writes until nothing waits. False when the writer's work is over.
    fn drain(self: &Arc<Store>) -> bool {
        let written = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            while self.write_frame()? {
                self.checkpoint_if_due();
            }
            self.pipeline().map(|pipeline| pipeline.is_closed())
        }));
        match written {
            Ok(Ok(closed)) => !closed,
            Ok(Err(_)) => false,
            Err(_) => {
                let failure =
                    Error::new(Code::Panic, "the writer failed, a defect in Karyon; open the store again");
                if let Ok(mut pipeline) = self.pipeline() {
                    pipeline.fail(failure);
                }
                self.notify();
                false
            }
        }
    }

    fn checkpoint_if_due(self: &Arc<Store>) {
        let Some(persistence) = &self.persistence else { return };
        let due = persistence.checkpoint_bytes.max(persistence.last_image_bytes.load(Ordering::Relaxed));
        let tail = persistence.tail_bytes.load(Ordering::Relaxed);
        if tail < due || persistence.checkpointing.swap(true, Ordering::AcqRel) {
            return;
        }
        let store = Arc::downgrade(self);
        let thread = std::thread::Builder::new().name("karyon-checkpoint".into()).spawn(move || {
            if let Some(store) = store.upgrade() {
                // A checkpoint that fails costs time at the next opening, never data: the log has everything.
                let _ = store.checkpoint();
                if let Some(persistence) = &store.persistence {
                    persistence.checkpointing.store(false, Ordering::Release);
                }
            }
        });
        match thread {
            Ok(thread) => persistence.adopt(thread),
            Err(_) => persistence.checkpointing.store(false, Ordering::Release),
        }
    }

    /// Writes a checkpoint of the head, also while commits go on. Returns its version, or `None` for a memory store.
    ///
    /// Readers and writers wait for one block of the image at a time, about 256 KiB. Fails with `Closed` after `close`, as
    /// the directory may be another's by then.
    pub fn checkpoint(&self) -> Result<Option<u64>> {
        let Some(persistence) = &self.persistence else { return Ok(None) };
        let _turn = lock(&persistence.checkpoint_turn);
        if persistence.ended.load(Ordering::Acquire) {
            return Err(Error::new(Code::Closed, "the store is closed; open it again"));
        }
        let tail = persistence.head();
        let tail_bytes = persistence.tail_bytes.load(Ordering::Relaxed);
        let mut image = ImageWriter::new(&self.body()?.graph);
        let seq = image.seq();
        let anchor = Anchor { seq, time: self.time_of(seq)?, tail };
        let mut file = CheckpointWriter::create(persistence.disk.clone(), persistence.id, &anchor)?;
        loop {
            let block = image.next_block(&self.body()?.graph)?;
            let Some(block) = block else { break };
            file.block(&block)?;
        }
        // The image may not be ahead of the log: it is put in its place once its version is durable.
        while self.durable() < seq {
            if let Some(failure) = self.failure()? {
                return Err(failure);
            }
            if !self.write_frame()? && self.durable() < seq {
                std::thread::yield_now();
            }
        }
        let bytes = file.publish()?;
        persistence.last_image_bytes.store(bytes, Ordering::Relaxed);
        persistence.tail_bytes.fetch_sub(tail_bytes, Ordering::Relaxed);
        Ok(Some(seq))
    }

    /// Ends the store: what waits is written, the log is sealed, the directory is free. Closing again does nothing.
    ///
    /// Fails when the log had failed before: what was acknowledged is safe, what was not is lost.
    pub fn close(&self) -> Result<()> {
        let Some(persistence) = &self.persistence else {
            self.pipeline()?.close();
            return Ok(());
        };
        if persistence.ended.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let closed = self.pipeline().map(|mut pipeline| pipeline.close());
        persistence.ring();
        let own = std::thread::current().id();
        // Again until none is left: the writer may have started a checkpoint just before its end.
        loop {
            let threads = std::mem::take(&mut *lock(&persistence.threads));
            if threads.is_empty() {
                break;
            }
            for thread in threads {
                if thread.thread().id() != own {
                    let _ = thread.join();
                }
            }
        }
        let sealed = closed.and_then(|()| self.write_rest(persistence));
        self.notify();
        // The directory is free whatever has happened, and not before the last checkpoint has ended.
        let _turn = lock(&persistence.checkpoint_turn);
        drop(lock(&persistence.lock).take());
        sealed
    }

    fn write_rest(&self, persistence: &Persistence) -> Result<()> {
        if let Some(failure) = self.failure()? {
            return Err(failure);
        }
        while self.write_frame()? {}
        // What `now` has answered stays before every later commit, though the clock may be put back meanwhile.
        let floor = self.pipeline()?.floor();
        lock(&persistence.log).seal(floor)
    }
}
