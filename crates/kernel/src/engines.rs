//! The stores that this process has open. Opening a directory twice joins the same engine.

use karyon_history::SledDirectory;
use karyon_log::{Disk, RealDisk, StoreId, identity};
use karyon_model::{Code, Error, Result, require};
use karyon_store::{Clock, Copied, Moment, Options, Recovery, Store};
use std::collections::HashMap;
use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// One opening of a store. The store closes with its last one.
pub struct OpenStore {
    /// The store, shared with every other opening of the directory.
    pub store: Arc<Store>,
    /// What the first opening found.
    pub recovery: Recovery,
    place: Option<Place>,
    closed: AtomicBool,
}

/// What tells directories apart, whatever they are called: one that was moved is the same, one that was deleted and made
/// again is another.
type Place = String;

/// An engine that is open.
struct Running {
    store: Arc<Store>,
    recovery: Recovery,
    openings: usize,
    /// Keeps its place from becoming another directory's.
    _hold: Option<File>,
}

static ENGINES: LazyLock<Mutex<HashMap<Place, Running>>> = LazyLock::new(Mutex::default);

/// Opens the store in a directory, which is made if need be.
///
/// A relaxed one acknowledges commits before they are on disk; who joins must want the same. Its other options count for all.
pub fn open(path: &str, checkpoint_bytes: u64, memory_bytes: usize, relaxed: bool) -> Result<OpenStore> {
    let (path, asked) = (directory(path)?, path);
    // Held while opening: whoever opens the same directory meanwhile joins.
    let mut engines = ENGINES.lock().unwrap_or_else(PoisonError::into_inner);
    let (place, hold) = place_of(&path).map_err(refused(asked))?;
    if let Some(running) = engines.get_mut(&place) {
        if running.store.relaxed != relaxed {
            let message =
                "the store is open here with another durability; open it with the same, or close it first";
            return Err(Error::new(Code::Argument, message).with("directory", path.display().to_string()));
        }
        running.openings += 1;
        return Ok(OpenStore::new(running.store.clone(), running.recovery.clone(), Some(place)));
    }
    // What the standard library draws from the operating system for its hash maps is random.
    let draw = || u128::from(RandomState::new().build_hasher().finish());
    let (store, recovery) = Store::open(Options {
        disk: Arc::new(RealDisk::new(&path)),
        directory: Arc::new(SledDirectory::new(path.join("history").join("directory"))),
        clock: wall_clock(),
        fresh_id: StoreId((draw() << 64 | draw()).to_le_bytes()),
        process: std::process::id(),
        checkpoint_bytes,
        memory_bytes,
        relaxed,
        threads: true,
    })
    .map_err(|error| error.with("directory", path.display().to_string()))?;
    let running = Running { store: store.clone(), recovery: recovery.clone(), openings: 1, _hold: hold };
    engines.insert(place.clone(), running);
    Ok(OpenStore::new(store, recovery, Some(place)))
}

/// Copies the durable state of an open store to a directory, which is made if need be.
pub fn backup(store: &Store, to: &str) -> Result<Copied> {
    store.backup(Arc::new(RealDisk::new(directory(to)?)), std::process::id())
}

/// Copies the store in one directory to another, which is made if need be, as of a moment; or what is whole of it.
pub fn restore(from: &str, to: &str, at: Option<Moment>, salvage: bool) -> Result<Copied> {
    let target: Arc<dyn Disk> = Arc::new(RealDisk::new(directory(to)?));
    karyon_store::restore(Arc::new(RealDisk::new(from)), (target, std::process::id()), at, salvage)
}

fn refused(path: &str) -> impl Fn(io::Error) -> Error {
    move |error| {
        let message = format!("cannot open {path:?}: {error}; check the path and its permissions");
        Error::new(Code::Io, message).with("path", path)
    }
}

/// The directory at a path, made if need be.
fn directory(path: &str) -> Result<PathBuf> {
    let directory = Path::new(path);
    let message = || format!("{path:?} is a file; name a directory");
    let refusal = || Error::new(Code::NotADirectory, message()).with("path", path);
    require(directory.is_dir() || !directory.exists(), refusal)?;
    create_durably(directory).and_then(|()| std::fs::canonicalize(directory)).map_err(refused(path))
}

/// Makes a directory and those above it, and what names them durable: a store in a directory that a power cut takes away
/// has lost everything.
fn create_durably(path: &Path) -> io::Result<()> {
    let above: Vec<_> = path.ancestors().skip(1).collect();
    let existing = above.iter().position(|directory| directory.is_dir()).unwrap_or(above.len());
    std::fs::create_dir_all(path)?;
    for directory in above.iter().take(existing + 1) {
        let here = directory.as_os_str().is_empty();
        match RealDisk::new(if here { Path::new(".") } else { directory }).sync_dir("") {
            // Whoever may not look into a directory could not have made one there.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            synced => synced?,
        }
    }
    Ok(())
}

fn place_of(path: &Path) -> io::Result<(Place, Option<File>)> {
    let hold = cfg!(unix).then(|| File::open(path)).transpose()?;
    // Where there are no such numbers an open directory cannot be moved.
    let known = hold.as_ref().map(File::metadata).transpose()?.as_ref().and_then(identity);
    let place = known.map(|(device, number)| format!("{device}:{number}"));
    Ok((place.unwrap_or_else(|| path.display().to_string()), hold))
}

/// A store that keeps nothing; its clock, in µs since 1970, is the system's, or one that is set by hand.
pub fn memory(memory_bytes: usize, clock: Option<Arc<AtomicI64>>) -> Result<OpenStore> {
    let recovery = Recovery { created: true, checkpoint: 0, replayed: 0, sealed: true, cut: None };
    let clock =
        clock.map_or_else(wall_clock, |clock| -> Clock { Arc::new(move || clock.load(Ordering::Relaxed)) });
    let store = Store::memory(clock);
    store.limit_memory(memory_bytes)?;
    Ok(OpenStore::new(store, recovery, None))
}

impl OpenStore {
    fn new(store: Arc<Store>, recovery: Recovery, place: Option<Place>) -> OpenStore {
        OpenStore { store, recovery, place, closed: AtomicBool::new(false) }
    }

    /// Ends this opening; the last one writes what waits and frees the directory. Closing again does nothing.
    pub fn close(&self) -> Result<()> {
        if self.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let Some(place) = &self.place else { return self.store.close() };
        let mut engines = ENGINES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = engines.get_mut(place) {
            running.openings -= 1;
            if running.openings > 0 {
                return Ok(());
            }
            engines.remove(place);
        }
        self.store.close()
    }
}

impl Drop for OpenStore {
    /// Whoever forgot to close, or whose environment went away: waits for the disk, and what it would report nobody hears.
    fn drop(&mut self) {
        let _ = self.close();
    }
}

fn wall_clock() -> Clock {
    Arc::new(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
    })
}
