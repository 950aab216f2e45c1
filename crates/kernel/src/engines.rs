//! The stores that this process has open. Opening a directory twice joins the same engine.

use karyon_log::{RealDisk, StoreId};
use karyon_model::{Code, Error, Result};
use karyon_store::{Clock, Options, Recovery, Store};
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// One opening of a store. The store closes with its last one.
pub struct OpenStore {
    engine: Engine,
    path: Option<PathBuf>,
    closed: AtomicBool,
}

#[derive(Clone)]
struct Engine {
    store: Arc<Store>,
    recovery: Recovery,
}

/// The engines by directory, with how often each is open.
static ENGINES: LazyLock<Mutex<HashMap<PathBuf, (Engine, usize)>>> = LazyLock::new(Mutex::default);

/// Opens the store in a directory, which is made if need be.
pub fn open(path: &str, checkpoint_bytes: u64) -> Result<OpenStore> {
    let io_error = |error: std::io::Error| {
        let message = format!("cannot open {path:?}: {error}; check the path and its permissions");
        Error::new(Code::Io, message).with("path", path)
    };
    if Path::new(path).exists() && !Path::new(path).is_dir() {
        let message = format!("{path:?} is a file; name a directory");
        return Err(Error::new(Code::NotADirectory, message).with("path", path));
    }
    std::fs::create_dir_all(path).map_err(io_error)?;
    let path = std::fs::canonicalize(path).map_err(io_error)?;
    // Held while opening: whoever opens the same directory meanwhile joins.
    let mut engines = ENGINES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((engine, openings)) = engines.get_mut(&path) {
        *openings += 1;
        return Ok(OpenStore::new(engine.clone(), Some(path)));
    }
    let (store, recovery) = Store::open(Options {
        disk: Arc::new(RealDisk::new(&path)),
        clock: wall_clock(),
        fresh_id: random_id(),
        process: std::process::id(),
        checkpoint_bytes,
        threads: true,
    })
    .map_err(|error| error.with("directory", path.display()))?;
    let engine = Engine { store, recovery };
    engines.insert(path.clone(), (engine.clone(), 1));
    Ok(OpenStore::new(engine, Some(path)))
}

/// A store that keeps nothing.
pub fn memory() -> OpenStore {
    let recovery = Recovery { created: true, checkpoint: 0, replayed: 0, sealed: true, cut: None };
    OpenStore::new(Engine { store: Store::memory(wall_clock()), recovery }, None)
}

impl OpenStore {
    fn new(engine: Engine, path: Option<PathBuf>) -> OpenStore {
        OpenStore { engine, path, closed: AtomicBool::new(false) }
    }

    /// The store, shared with every other opening of the directory.
    pub fn store(&self) -> &Arc<Store> {
        &self.engine.store
    }

    /// What the first opening found.
    pub fn recovery(&self) -> &Recovery {
        &self.engine.recovery
    }

    /// Ends this opening; the last one writes what waits and frees the directory. Closing again does nothing.
    pub fn close(&self) -> Result<()> {
        if self.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let Some(path) = &self.path else { return self.store().close() };
        let mut engines = ENGINES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, openings)) = engines.get_mut(path) {
            *openings -= 1;
            if *openings > 0 {
                return Ok(());
            }
            engines.remove(path);
        }
        self.store().close()
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

/// A random id from the keys that the standard library draws from the operating system for its hash maps.
fn random_id() -> StoreId {
    let draw = || RandomState::new().build_hasher().finish().to_le_bytes();
    let mut id = [0; 16];
    id[..8].copy_from_slice(&draw());
    id[8..].copy_from_slice(&draw());
    StoreId(id)
}
