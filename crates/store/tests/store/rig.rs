//! Opening stores on simulated and real disks.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use karyon_graph::{Open, Prefer, Purpose, Transaction};
use karyon_log::{Disk, StoreId};
use karyon_model::{Result, Seq};
use karyon_store::{Archived, Author, Committed, Options, Recovery, Report, Retention, Store};
use karyon_testkit::{FileDirectory, LogicalClock};

use crate::model::{Step, batch};

pub const STORE: StoreId = StoreId(*b"the tests' store");
/// The process that stores are opened for.
pub const PROCESS: u32 = 4711;
pub const ROOT: Author<'_> = Author { principal: "root", incarnation: 0, cause: None, gate: &Open };

pub fn options(disk: Arc<dyn Disk>, clock: &Arc<LogicalClock>) -> Options {
    let clock = clock.clone();
    Options {
        directory: Arc::new(FileDirectory(disk.clone())),
        disk,
        clock: Arc::new(move || clock.now()),
        fresh_id: STORE,
        process: PROCESS,
        checkpoint_bytes: 0,
        memory_bytes: 0,
        relaxed: false,
        threads: false,
    }
}

/// Opens a store that the test drives with `write_frame`.
pub fn open(disk: impl Disk + 'static) -> Result<(Arc<Store>, Recovery)> {
    Store::open(options(Arc::new(disk), &Arc::new(LogicalClock::new(1_000_000))))
}

pub fn memory() -> (Arc<Store>, Arc<LogicalClock>) {
    let clock = Arc::new(LogicalClock::new(1_000_000));
    let shown = clock.clone();
    (Store::memory(Arc::new(move || shown.now())), clock)
}

pub fn commit(store: &Store, steps: &[Step]) -> Result<Committed> {
    commit_at(store, store.begin()?.snapshot(), steps)
}

/// Commits what a transaction would that had read as of `snapshot`.
pub fn commit_at(store: &Store, snapshot: Seq, steps: &[Step]) -> Result<Committed> {
    let mut transaction = Transaction::new(snapshot);
    transaction.push(&batch(steps))?;
    store.commit(&transaction, ROOT)
}

/// Makes a fork above a version of the base (0) or of another one. Returns its number.
pub fn fork(store: &Store, name: &str, (parent, from): (u32, Seq)) -> Result<(u32, Committed)> {
    let forking = Purpose::Fork { name: name.into(), parent, from };
    let committed = store.commit(&Transaction::with(store.begin()?.snapshot(), forking), ROOT)?;
    Ok((store.body()?.graph.layer_named(name)?, committed))
}

/// Merges a fork into another one that stands on the same, or else into that.
pub fn merge(store: &Store, (layer, into): (u32, Option<u32>), prefer: Prefer) -> Result<Report> {
    store.commit_planned(false, ROOT, |body| body.graph.plan_merge(layer, into, prefer))
}

/// Commits and makes it durable.
pub fn write(store: &Store, steps: &[Step]) -> Result<Committed> {
    let committed = commit(store, steps)?;
    while store.write_frame()? {}
    Ok(committed)
}

/// Compacts while some versions are pinned. One that is not kept any more cannot be.
pub fn compact_with(store: &Arc<Store>, retention: &Retention, pins: &[Seq]) -> Result<Archived> {
    let pinned: Vec<_> = pins.iter().filter_map(|seq| store.pin(*seq).ok()).collect();
    let archived = store.compact(retention, ROOT);
    drop(pinned);
    archived
}

/// The seeds of a randomised test: some, or as many more as `KARYON_SEEDS_TIMES` says for a longer search.
pub fn seeds(from: u64, count: u64) -> std::ops::Range<u64> {
    let times = std::env::var("KARYON_SEEDS_TIMES").ok().and_then(|times| times.parse().ok());
    from..from + count * times.unwrap_or(1)
}

/// A directory of the operating system, removed at the end of the test.
pub struct Directory(PathBuf);

impl Directory {
    pub fn new(name: &str) -> Directory {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let unique =
            format!("karyon-{}-{}-{name}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(unique);
        std::fs::create_dir_all(&path).unwrap();
        Directory(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
