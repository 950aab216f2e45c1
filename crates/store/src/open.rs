//! Opening: lock, identify, load the newest whole checkpoint, replay the log's tail.

use crate::checkpoint::{Loaded, discard, load_all};
use crate::layout::{LOCK, OWNER, check_foreign, identify, io_error, write_whole};
use crate::pipeline::Pipeline;
use crate::rebuild::{rebuild, start, visit_commits};
use crate::store::{Body, Store, record};
use crate::time::Clock;
use crate::writer::Persistence;
use karyon_graph::Graph;
use karyon_history::{Commits, History, MemoryHistory, Progress};
use karyon_log::{ChainPoint, Cut, Disk, Lock, Log, OpenMode, SegmentSizes, StoreId};
use karyon_model::{Code, Error, Result, Seq};
use std::sync::Arc;

/// A checkpoint is due when the log's tail has this many bytes, or as many as the last image if that is more.
const CHECKPOINT_BYTES: u64 = 64 * 1024 * 1024;

/// What a store is opened with: everything that a store cannot make up for itself.
pub struct Options {
    /// The store's directory.
    pub disk: Arc<dyn Disk>,
    /// The wall clock.
    pub clock: Clock,
    /// A random id, used when the store is new.
    pub fresh_id: StoreId,
    /// This process, for whoever finds the store owned.
    pub process: u32,
    /// Bytes of log after which a checkpoint is due; 0 for the default of 64 MiB.
    pub checkpoint_bytes: u64,
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
        let Options { disk, clock, fresh_id, process, checkpoint_bytes, threads } = options;
        check_foreign(&*disk)?;
        let lock = take_lock(&*disk, process)?;
        let (id, created) = identify(&disk, fresh_id)?;
        let history = Arc::new(MemoryHistory::new());
        let shared: Arc<dyn History> = history.clone();
        let (mut recovered, mut contradicted) = (None, Vec::new());
        for loaded in load_all(&*disk, id, &shared)? {
            let path = loaded.path.clone();
            match recover(disk.clone(), id, &history, Some(loaded)) {
                Ok(found) => {
                    recovered = Some(found);
                    break;
                }
                Err(error) if [Code::Io, Code::SyncFailed].contains(&error.code()) => return Err(error),
                // Its place in the log is not what it says: the log is a restored backup, or is damaged.
                Err(_) => contradicted.push(path),
            }
        }
        let recovered = match recovered {
            Some(recovered) => recovered,
            None => recover(disk.clone(), id, &history, None)?,
        };
        discard(&*disk, &contradicted)?;
        let Recovered { body, log, tail, found, image_bytes, last_time } = recovered;
        let recovery = Recovery {
            created,
            checkpoint: body.base_seq,
            replayed: body.graph.head() - body.base_seq,
            sealed: found.sealed,
            cut: found.cut,
        };
        let base_seq = body.base_seq;
        if base_seq > 0 {
            history.set_progress(Progress::Building { done: 0, total: base_seq });
        }
        let checkpoint_bytes = if checkpoint_bytes == 0 { CHECKPOINT_BYTES } else { checkpoint_bytes };
        let persistence = Persistence::new(disk, id, log, tail, lock, checkpoint_bytes, image_bytes);
        let pipeline = Pipeline::new(last_time);
        let store = Arc::new(Store::assemble(body, history, pipeline, clock, Some(persistence)));
        if threads {
            store.start_writer()?;
        }
        match (base_seq, threads) {
            (0, _) => {}
            (until, true) => start(&store, until)?,
            (until, false) => rebuild(&Arc::downgrade(&store), until),
        }
        Ok((store, recovery))
    }
}

struct Recovered {
    body: Body,
    log: Log,
    /// Behind the last frame of commits, before a seal: whoever starts here learns whether the log was sealed.
    tail: ChainPoint,
    found: karyon_log::Recovery,
    image_bytes: u64,
    /// The newest time that was handed out, as far as the log knows.
    last_time: i64,
}

fn recover(
    disk: Arc<dyn Disk>,
    id: StoreId,
    history: &Arc<MemoryHistory>,
    loaded: Option<Loaded>,
) -> Result<Recovered> {
    let (mut graph, anchor, image_bytes) = match loaded {
        Some(Loaded { anchor, graph, bytes, .. }) => (graph, Some(anchor), bytes),
        None => (Graph::new(history.clone()), None, 0),
    };
    let (base_seq, base_time) = anchor.map_or((0, 0), |anchor| (anchor.seq, anchor.time));
    let mut commits = Commits::starting(base_seq + 1);
    let mut last_time = base_time;
    let mut tail = anchor.map_or_else(|| ChainPoint::genesis(id), |anchor| anchor.tail);
    let start = anchor.map(|anchor| anchor.tail);
    let (log, found) = Log::open(disk, id, SegmentSizes::default(), start, &mut |frame| {
        tail = frame.end;
        visit_commits(frame, &mut |commit| {
            if commit.header.seq <= base_seq {
                return Ok(());
            }
            let outcome = graph.replay(&commit)?;
            last_time = commit.header.time;
            record(&mut commits, &**history, &commit.header, &outcome)
        })
    })?;
    if log.head().next_seq <= base_seq {
        let message = format!("the log ends before version {base_seq} of the checkpoint");
        return Err(Error::new(Code::Damaged, message));
    }
    let last_time = found.sealed_time.map_or(last_time, |time| time.max(last_time));
    let body = Body { graph, commits, base_seq, base_time };
    Ok(Recovered { body, log, tail, found, image_bytes, last_time })
}

/// Takes the directory for this process. The lock goes with the process, however it ends.
fn take_lock(disk: &dyn Disk, process: u32) -> Result<Box<dyn Lock>> {
    if let Some(lock) = disk.try_lock(LOCK).map_err(io_error(LOCK, "lock"))? {
        write_whole(disk, OWNER, process.to_string().as_bytes())?;
        return Ok(lock);
    }
    let mut text = [0; 16];
    let read = disk.open(OWNER, OpenMode::Read).and_then(|file| file.read_at(0, &mut text));
    let owner =
        read.ok().and_then(|count| std::str::from_utf8(&text[..count]).ok()).unwrap_or("unknown").to_owned();
    let message = format!("process {owner} has the store open; close it there or open another directory");
    Err(Error::new(Code::Owned, message).with("pid", owner))
}
