//! The directory of the tables: which there are, where they say what is in them, and how much of the log they cover.

use karyon_model::{Code, Error, Result, ensure};
use parking_lot::Mutex;
use std::fs::{File, TryLockError};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A value that survives: what it says can be built again from the log.
pub trait Directory: Send + Sync {
    /// What was put last, if anything.
    fn load(&self) -> Result<Option<Vec<u8>>>;
    /// Puts another value in its place; durable when it returns.
    fn put(&self, value: &[u8]) -> Result<()>;
    /// Forgets it, also what cannot be read.
    fn clear(&self) -> Result<()>;
    /// Lets go of it: when this returns, whoever opens it next finds it free.
    fn close(&self);
}

/// The key of the value.
const KEY: &[u8] = b"W";
/// Memory that its store may leave unused.
const CACHE_BYTES: u64 = 8 * 1024 * 1024;
/// How long sled's threads are waited for at most: a busy machine takes some milliseconds, a thread that hangs never ends.
const RELEASE_MAX: Duration = Duration::from_secs(10);
/// The pause between two looks at the lock that they hold.
const RELEASE_PAUSE: Duration = Duration::from_millis(1);

/// The directory in sled, opened when there is something in it: a store that never wrote a table has none of its threads.
pub struct SledDirectory {
    folder: PathBuf,
    database: Mutex<Option<sled::Db>>,
    closed: AtomicBool,
}

impl SledDirectory {
    /// A directory in a folder of its own.
    pub fn new(folder: PathBuf) -> SledDirectory {
        SledDirectory { folder, database: Mutex::default(), closed: AtomicBool::new(false) }
    }

    fn with<T>(&self, act: impl FnOnce(&sled::Db) -> sled::Result<T>) -> Result<T> {
        // Whoever panicked with it has left it as it was: sled's own state is its own care.
        let mut database = self.database.lock();
        let closed = self.closed.load(Ordering::Relaxed);
        ensure(!closed, Code::Closed, "the history is closed; open the store again")?;
        // Flushed by `apply` alone: a background flush would only cost time, and its failure is never told.
        let config = sled::Config::new().path(&self.folder).cache_capacity(CACHE_BYTES).flush_every_ms(None);
        let open = database.take().map_or_else(|| guarded(|| config.open()), Ok)?;
        let done = guarded(|| act(database.insert(open)));
        // What failed once fails for good in sled, also when the disk has room again.
        if done.is_err() {
            self.release(&mut database);
        }
        done
    }

    /// Drops the database and waits until it can be opened again: a write of sled's goes on for a moment after it was told
    /// to be done, on a thread of sled's that nobody can join and that holds the lock of the file until then.
    fn release(&self, database: &mut Option<sled::Db>) {
        let Some(database) = database.take() else { return };
        let _ = catch_unwind(AssertUnwindSafe(move || drop(database)));
        let Ok(file) = File::options().write(true).open(self.folder.join("db")) else { return };
        let until = Instant::now() + RELEASE_MAX;
        while matches!(file.try_lock(), Err(TryLockError::WouldBlock)) && Instant::now() < until {
            std::thread::sleep(RELEASE_PAUSE);
        }
        // Not left to the end of `file`: a process that is being started has a copy of it, and would keep the lock.
        let _ = file.unlock();
    }
}

impl Drop for SledDirectory {
    fn drop(&mut self) {
        self.close();
    }
}

impl Directory for SledDirectory {
    fn load(&self) -> Result<Option<Vec<u8>>> {
        if !self.folder.exists() {
            return Ok(None);
        }
        self.with(|database| Ok(database.get(KEY)?.map(|value| value.to_vec())))
    }

    fn put(&self, value: &[u8]) -> Result<()> {
        let file = self.folder.join("db");
        self.with(|database| {
            database.insert(KEY, value)?;
            database.flush()?;
            // What sled calls a flush hands the bytes to the operating system and leaves them there.
            File::open(file)?.sync_all()?;
            Ok(())
        })
    }

    fn clear(&self) -> Result<()> {
        self.release(&mut self.database.lock());
        match std::fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => guarded(|| Err(error.into())),
            _ => Ok(()),
        }
    }

    fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.release(&mut self.database.lock());
    }
}

/// Runs what calls sled: it panics where others return an error.
fn guarded<T>(act: impl FnOnce() -> sled::Result<T>) -> Result<T> {
    let failed = |code, reason: String| {
        Error::new(code, format!("the directory of the history cannot be used: {reason}; it is built again"))
    };
    match catch_unwind(AssertUnwindSafe(act)) {
        Ok(Ok(done)) => Ok(done),
        // Somebody holds it, or the disk refuses it: it may be whole.
        Ok(Err(sled::Error::Io(error))) => Err(failed(Code::Io, error.to_string())),
        Ok(Err(error)) => Err(failed(Code::Damaged, error.to_string())),
        Err(_) => Err(failed(Code::Damaged, "sled panicked".into())),
    }
}
