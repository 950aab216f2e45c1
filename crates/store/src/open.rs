//! Opening: lock, identify, load the newest whole checkpoint, replay the log's tail.

use crate::archive::{Archive, remove_older};
use crate::checkpoint::{Anchor, Loaded, load_all};
use crate::layout::{CHECKPOINTS, LOCK, OWNER, check_foreign, identify, io_error, remove, write_whole};
use crate::rebuild::{log_too_short, rebuild, visit_commits};
use crate::writer::Persistence;
use crate::{Author, Body, Clock, Store};
use karyon_graph::Open;
use karyon_history::{Chapters, Directory, History, Progress};
use karyon_log::{ChainPoint, Cut, Disk, Lock, Log, LogReader, OpenMode, SegmentSizes, StoreId};
use karyon_model::{Code, Error, Result, Seq, require};
use std::sync::{Arc, Weak};

/// A checkpoint is due when the log's tail has this many bytes, or as many as the last image if that is more.
const CHECKPOINT_BYTES: u64 = 64 * 1024 * 1024;

/// What a store is opened with: everything that a store cannot make up for itself.
pub struct Options {
    /// The store's directory.
    pub disk: Arc<dyn Disk>,
    /// The directory of the history's tables.
    pub directory: Arc<dyn Directory>,
    /// The wall clock.
    pub clock: Clock,
    /// A random id, used when the store is new.
    pub fresh_id: StoreId,
    /// This process, for whoever finds the store owned.
    pub process: u32,
    /// Bytes of log after which a checkpoint is due; 0 for the default of 64 MiB.
    pub checkpoint_bytes: u64,
    /// About how many bytes of memory the present may take; 0 for any number.
    pub memory_bytes: usize,
    /// Whether commits are acknowledged when they are published, and not when they are on disk.
    pub relaxed: bool,
    /// Whether the store writes and rebuilds on threads of its own. Without, `write_frame` drives it.
    pub threads: bool,
}

/// What opening found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// Whether the store was made by this opening.
    pub created: bool,
    /// The version of the checkpoint that it started from; 0 when the whole log was replayed.
    pub checkpoint: Seq,
    /// Commits replayed after the checkpoint.
    pub replayed: u64,
    /// Whether the last close was clean.
    pub sealed: bool,
    /// What was cut from a torn tail: it was never acknowledged.
    pub cut: Option<Cut>,
}

impl Store {
    /// Opens the store in a directory, or makes one in an empty directory.
    ///
    /// Cost: reading the newest checkpoint and replaying the log after it, about 1 µs per live node or commit.
    pub fn open(options: Options) -> Result<(Arc<Store>, Recovery)> {
        let (disk, threads) = (options.disk, options.threads);
        check_foreign(&*disk)?;
        let lock = take_lock(&*disk, options.process)?;
        let (id, created) = identify(&disk, options.fresh_id)?;
        let archive = Archive::find(disk.clone(), id)?;
        let history = Arc::new(open_history(&options.directory, &archive));
        let covered = || history.covered().map_or(0, |point| point.next_seq - 1);
        let shared: Arc<dyn History> = history.clone();
        let (mut checkpoints, mut contradicted) = (load_all(&archive, &shared)?, Vec::new());
        let recovered = loop {
            let (loaded, covered) = (checkpoints.next(), covered());
            // A commit of a fork is repeated on what the fork stands on, however long ago: without the tables only the whole log tells.
            let loaded = loaded
                .filter(|loaded| !has_forks(&loaded.body, loaded.anchor.seq) || covered >= loaded.anchor.seq);
            let path = loaded.as_ref().map(|loaded| loaded.path.clone());
            match (recover(&archive, &history, loaded), path) {
                // The log has forks behind the image, and the tables end before it or are of another log.
                (Ok(recovered), _)
                    if !(recovered.covers && covered >= recovered.base)
                        && has_forks(&recovered.body, recovered.base) =>
                {
                    history.reset();
                    history.forget();
                    drop(recovered);
                    break recover(&archive, &history, None)?;
                }
                (Ok(recovered), _) => break recovered,
                // Its place in the log is not what it says: the log is a restored backup, or is damaged.
                (Err(error), Some(path)) if ![Code::Io, Code::SyncFailed].contains(&error.code()) => {
                    contradicted.push(path);
                    history.forget();
                }
                (Err(error), _) => return Err(error),
            }
        };
        drop(checkpoints);
        // A log that grows to their place again must not meet them.
        remove(&*disk, CHECKPOINTS, &contradicted)?;
        remove_older(&*disk)?;
        let Recovered { body, log, tail, found, image_bytes, base, covers } = recovered;
        let head = body.graph.head();
        let recovery = Recovery {
            created,
            checkpoint: base,
            replayed: head - base.max(archive.log.base.next_seq - 1),
            sealed: found.sealed,
            cut: found.cut.clone(),
        };
        let until = match covers {
            true if covered() >= base => 0,
            true => base,
            // Tables of another log, or of a part that it has lost.
            false => {
                history.reset();
                head
            }
        };
        if until > 0 {
            history.set_progress(Progress::Building { done: 0, total: until });
        }
        let checkpoint_bytes = Some(options.checkpoint_bytes).filter(|bytes| *bytes > 0);
        let bytes = (checkpoint_bytes.unwrap_or(CHECKPOINT_BYTES), image_bytes);
        let mut store = Store::assemble(body, history, options.clock);
        store.persistence = Some(Persistence::new((log, tail, archive), lock, bytes));
        store.relaxed = options.relaxed;
        store.limit_memory(options.memory_bytes)?;
        let store = Arc::new(store);
        if let Some(time) = found.sealed_time {
            store.pipeline()?.now(time);
        }
        if threads {
            store.start_writer()?;
        }
        if until > 0 {
            store.beside("karyon-history", threads, move |store| rebuild(store, until))?;
        }
        // A rebuild finishes what was to be erased when it has ended.
        if store.is_erasing()? && store.progress() == Progress::Ready {
            store.beside("karyon-erase", threads, finish_erasing)?;
        }
        Ok((store, recovery))
    }

    /// Does something that takes long, on a thread of its own if there are any.
    pub(crate) fn beside(
        self: &Arc<Store>,
        name: &str,
        threads: bool,
        work: impl FnOnce(&Weak<Store>) + Send + 'static,
    ) -> Result<()> {
        let store = Arc::downgrade(self);
        if threads {
            return self.spawn(name, move || work(&store));
        }
        work(&store);
        Ok(())
    }
}

/// Whether there was a fork at a version, or has been since.
fn has_forks(body: &Body, since: Seq) -> bool {
    body.graph.layers().iter().any(|layer| layer.dropped.is_none_or(|dropped| dropped > since))
}

struct Recovered {
    body: Body,
    log: Log,
    /// Behind the last frame of commits, before a seal: whoever starts here learns whether the log was sealed.
    tail: ChainPoint,
    found: karyon_log::Recovery,
    image_bytes: u64,
    /// The checkpoint's version.
    base: Seq,
    /// Whether the log goes through the point up to which the history's tables cover it.
    covers: bool,
}

/// The history's tables; none, to be built again, when they are damaged. Where they cannot be read now, as on a full disk,
/// they are left alone, and the past is in memory this time.
fn open_history(directory: &Arc<dyn Directory>, archive: &Archive) -> Chapters {
    let LogReader { disk, store, .. } = &archive.log;
    let open = || Chapters::open(disk.clone(), directory.clone(), *store, archive.mark);
    let opened = open().or_else(|error| match error.code() {
        Code::Damaged => directory.clear().and_then(|()| open()),
        _ => Err(error),
    });
    let history = opened.unwrap_or_else(|_| Chapters::in_memory());
    history.set_horizon(archive.horizon.clone(), archive.mark);
    history
}

/// Finishes what a crash has interrupted, if it has: what was erased goes from the files.
pub(crate) fn finish_erasing(store: &Weak<Store>) {
    let root = Author { principal: "root", incarnation: 0, cause: None, gate: &Open };
    let finish = |store: Arc<Store>| match store.is_erasing() {
        Ok(true) => store.archive(None, None, root).map(drop),
        other => other.map(drop),
    };
    // Where the disk refuses it now, the next opening tries again.
    let _ = store.upgrade().map(finish);
}

fn recover(archive: &Archive, history: &Arc<Chapters>, loaded: Option<Loaded>) -> Result<Recovered> {
    let (mut body, Anchor { seq: base, mut tail }, through, image_bytes) = match loaded {
        Some(Loaded { anchor, through, body, bytes, .. }) => (body, anchor, through, bytes),
        None => {
            let body = archive.load(history.clone(), Some(history))?;
            (body, Anchor { seq: 0, tail: archive.log.base }, archive.log.base, 0)
        }
    };
    let covered = history.covered();
    let (mut covers, mut belongs) = (covered.is_none_or(|at| at == tail), through == tail);
    let LogReader { disk, store, base: start } = archive.log.clone();
    let points = (start, tail);
    let (log, found) = Log::open(disk, store, SegmentSizes::default(), points, &mut |frame, end| {
        tail = *end;
        covers |= covered == Some(tail);
        belongs |= through == tail;
        visit_commits(frame, &mut |commit| {
            if commit.header.seq <= base { Ok(()) } else { body.replay(&**history, &commit) }
        })
    })?;
    // Also a log that is long enough may be another: commits up to the image's version were not looked at.
    require(log.head().next_seq > base && belongs, || log_too_short(base))?;
    Ok(Recovered { body, log, tail, found, image_bytes, base, covers })
}

/// Takes the directory for this process. The lock goes with the process, however it ends.
pub(crate) fn take_lock(disk: &dyn Disk, process: u32) -> Result<Box<dyn Lock>> {
    let lock = disk.try_lock(LOCK).map_err(io_error(LOCK, "lock"))?.ok_or_else(|| owned(disk))?;
    write_whole(disk, OWNER, process.to_string().as_bytes())?;
    Ok(lock)
}

/// Somebody else has the lock.
pub(crate) fn owned(disk: &dyn Disk) -> Error {
    let mut text = [0; 16];
    let read = disk.open(OWNER, OpenMode::Read).and_then(|file| file.read_at(0, &mut text));
    let owner = read.ok().and_then(|count| std::str::from_utf8(&text[..count]).ok()?.parse::<u32>().ok());
    let who = owner.map_or("another process".into(), |owner| format!("process {owner}"));
    let message = format!("{who} has the store open; close it there or open another directory");
    let error = Error::new(Code::Owned, message);
    owner.into_iter().fold(error, |error, owner| error.with("pid", owner))
}
