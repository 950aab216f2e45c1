//! The store: one graph, one log, one history, shared by threads.
//!
//! The commit lock (`pipeline`) is taken first, the graph's lock second; neither is held across a write or a sync.

use crate::pipeline::Pipeline;
use crate::time::Clock;
use crate::writer::Persistence;
use karyon_graph::{Follower, Gate, Graph, Prepared, Transaction};
use karyon_history::{Chapters, Commits, History, Progress};
use karyon_model::limits::SNAPSHOTS_MAX;
use karyon_model::{Code, CommitHeader, CommitRecord, EntityId, Error, Result, Seq, Trust, bounded};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock, RwLockReadGuard, Weak};
use std::time::Duration;

/// Nodes, edges and lists that are published before it is asked whether somebody wants to read: some 200 µs.
const SLICE_OBJECTS: usize = 256;
/// How long whoever publishes stands back for those who read.
const SLICE_PAUSE: Duration = Duration::from_micros(50);

/// Told after every change of what is durable, and when the store has failed, as long as somebody holds it. Must not block.
pub type Listener = Arc<dyn Fn() + Send + Sync>;

/// What readers share.
pub struct Body {
    /// The graph; its head may be ahead of what is durable.
    pub graph: Graph,
    /// Who committed what, when.
    pub commits: Commits,
}

impl Body {
    /// An empty graph, whose past goes to `history`.
    pub(crate) fn empty(history: Arc<dyn History>) -> Body {
        Body { graph: Graph::new(history.clone()), commits: Commits::new(history) }
    }

    /// Repeats a commit of the log.
    pub(crate) fn replay(&mut self, history: &dyn History, commit: &CommitRecord<'_>) -> Result<()> {
        let touched = self.graph.replay(commit)?;
        self.record(history, &commit.header, &touched)
    }

    /// Notes a commit in the index, and seals a page of it that is full.
    fn record(&mut self, history: &dyn History, header: &CommitHeader, touched: &[EntityId]) -> Result<()> {
        let page = self.commits.push(header, touched);
        page.map_or(Ok(()), |(object, chapter)| history.seal(object, &chapter))
    }

    /// The newest commit.
    pub(crate) fn newest(&self) -> Committed {
        Committed { seq: self.graph.head(), time: self.commits.newest_time() }
    }
}

/// Who commits, as the log will say it, and who is asked whether it may.
#[derive(Clone, Copy)]
pub struct Author<'a> {
    /// Supervision path and name, stable across runs.
    pub principal: &'a str,
    /// Which incarnation; 0 for the program itself.
    pub incarnation: u32,
    /// The commit that made it act, if it says so.
    pub cause: Option<Seq>,
    /// Asked about everything that it changes.
    pub gate: &'a dyn Gate,
}

/// A published commit. It is durable once `durable()` has reached its number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// Its number.
    pub seq: Seq,
    /// Its time, µs since 1970.
    pub time: i64,
}

/// Counts and sizes.
#[derive(Clone, Copy, Debug)]
pub struct Stats {
    /// The newest published version.
    pub head: Seq,
    /// The newest durable version.
    pub durable: Seq,
    /// Nodes that exist at the head.
    pub nodes: usize,
    /// Edges that exist at the head.
    pub edges: usize,
    /// About how many bytes of memory the present takes.
    pub memory_bytes: usize,
    /// Commits that wait for the disk.
    pub waiting: usize,
    /// Frames written by this process.
    pub frames: u64,
    /// Bytes of log that opening would have to replay.
    pub tail_bytes: u64,
    /// The version from which on everything is kept; 0 when everything is.
    pub since: Seq,
    /// The version up to which an archive stands for the log; 0 when there is none.
    pub archived: Seq,
}

/// A temporal graph store.
pub struct Store {
    body: RwLock<Body>,
    /// How many want to read what is locked.
    readers: AtomicUsize,
    pub(crate) history: Arc<Chapters>,
    pipeline: Mutex<Pipeline>,
    durable: AtomicU64,
    pub(crate) clock: Clock,
    /// Whether commits are acknowledged as soon as they are published, before they are on disk.
    pub relaxed: bool,
    listeners: parking_lot::Mutex<Vec<Weak<dyn Fn() + Send + Sync>>>,
    /// Versions that are kept, each with how many pins it has.
    pub(crate) pins: parking_lot::Mutex<BTreeMap<Seq, usize>>,
    /// Held by whoever lets go of a part of the past; before every other lock.
    pub(crate) archiving: parking_lot::Mutex<()>,
    /// Held by whoever reverts, from the plan to the commit: what is planned depends on who was reverted before, also where that has changed nothing.
    pub(crate) reverting: parking_lot::Mutex<()>,
    pub(crate) persistence: Option<Persistence>,
}

impl Store {
    /// A store that keeps nothing: everything is as in a store on disk, and gone at exit.
    pub fn memory(clock: Clock) -> Arc<Store> {
        let history = Arc::new(Chapters::in_memory());
        Arc::new(Store::assemble(Body::empty(history.clone()), history, clock))
    }

    /// One that keeps nothing yet.
    pub(crate) fn assemble(body: Body, history: Arc<Chapters>, clock: Clock) -> Store {
        let Committed { seq, time } = body.newest();
        Store {
            body: RwLock::new(body),
            readers: AtomicUsize::new(0),
            history,
            pipeline: Mutex::new(Pipeline::new(time)),
            durable: AtomicU64::new(seq),
            clock,
            relaxed: false,
            listeners: Default::default(),
            pins: Default::default(),
            archiving: Default::default(),
            reverting: Default::default(),
            persistence: None,
        }
    }

    /// Refuses commits that make the present take more bytes of memory than this; 0 for any number.
    pub fn limit_memory(&self, bytes: usize) -> Result<()> {
        // Whoever reads would wait behind this, and this for a commit that is being carried out.
        let _turn = self.pipeline()?;
        self.change_body(|body| {
            body.graph.bytes_max = if bytes == 0 { usize::MAX } else { bytes };
            Ok(())
        })
    }

    /// The graph and the commits, for reading. Writers wait while this is held: hold it for one answer.
    pub fn body(&self) -> Result<RwLockReadGuard<'_, Body>> {
        if let Ok(body) = self.body.try_read() {
            return Ok(body);
        }
        self.readers.fetch_add(1, Ordering::Relaxed);
        let body = self.body.read();
        self.readers.fetch_sub(1, Ordering::Relaxed);
        body.map_err(|_| poisoned())
    }

    pub(crate) fn change_body<T>(&self, change: impl FnOnce(&mut Body) -> Result<T>) -> Result<T> {
        change(&mut *self.body.write().map_err(|_| poisoned())?)
    }

    pub(crate) fn pipeline(&self) -> Result<MutexGuard<'_, Pipeline>> {
        self.pipeline.lock().map_err(|_| poisoned())
    }

    /// The newest version that is on disk; in a store that keeps nothing, the newest published one.
    pub fn on_disk(&self) -> Seq {
        let head = self.persistence.as_ref().map(Persistence::head);
        head.map_or_else(|| self.durable(), |head| head.next_seq - 1)
    }

    /// The newest durable version: what `graph.get` reads. In a relaxed store the newest published one.
    pub fn durable(&self) -> Seq {
        // Pairs with the release in `advance`: who sees the number sees what was published before it.
        self.durable.load(Ordering::Acquire)
    }

    /// A transaction over the newest published version, durable or not: commits reach the disk in order, so if one that
    /// it reads is lost, so is it.
    pub fn begin(&self) -> Result<Transaction> {
        Ok(Transaction::new(self.body()?.graph.head()))
    }

    /// Has a follower made of the graph as it is, and told of every commit from then on. Commits wait until it is made.
    pub fn follow<F: Follower>(&self, make: impl FnOnce(&Graph) -> Result<Arc<F>>) -> Result<Arc<F>> {
        let _turn = self.pipeline()?;
        let follower = make(&self.body()?.graph)?;
        let weak = Arc::downgrade(&follower);
        self.change_body(|body| {
            body.graph.follow(weak);
            Ok(())
        })?;
        Ok(follower)
    }

    /// Validates and publishes a transaction on the caller's thread. Nothing has changed when it fails.
    ///
    /// A transaction that asked for no change is not validated: its snapshot is its place in the order. One whose verbs change
    /// nothing is, and then answers with the newest version, as there is nothing to log.
    pub fn commit(&self, transaction: &Transaction, author: Author<'_>) -> Result<Committed> {
        if !transaction.is_dirty() {
            let seq = transaction.snapshot();
            return Ok(Committed { seq, time: self.time_of(seq)? });
        }
        let mut pipeline = self.pipeline()?;
        pipeline.admit()?;
        let body = self.body()?;
        check_cause(author.cause, body.graph.head())?;
        let prepared = body.graph.prepare(transaction, author.principal, author.gate)?;
        let Some(mut prepared) = prepared else { return Ok(body.newest()) };
        let header = CommitHeader {
            seq: body.graph.head() + 1,
            time: pipeline.stamp((self.clock)()),
            layer: transaction.layer(),
            principal: prepared.principal,
            incarnation: author.incarnation,
            on_behalf_of: None,
            trust: Trust::FULL,
            cause: author.cause,
            parents: std::mem::take(&mut prepared.parents),
            coarse: prepared.coarse,
            reverts: transaction.reverts(),
        };
        drop(body);
        // What is published by half is of no version yet: reads go on, and no commit may follow.
        self.publish(&mut prepared, &header).inspect_err(|error| pipeline.fail(error.clone()))?;
        if self.persistence.is_some() {
            pipeline.push(&header, &prepared.operations);
        }
        let committed = Committed { seq: header.seq, time: header.time };
        drop(pipeline);
        self.persistence.as_ref().inspect(|persistence| persistence.ring());
        if self.persistence.is_none() || self.relaxed {
            self.advance(committed.seq);
        }
        Ok(committed)
    }

    /// Publishes a commit, and lets those who want to read come in between.
    fn publish(&self, prepared: &mut Prepared, header: &CommitHeader) -> Result<()> {
        while !self.change_body(|body| {
            while !body.graph.publish(prepared, SLICE_OBJECTS)? {
                if self.readers.load(Ordering::Relaxed) > 0 {
                    return Ok(false);
                }
            }
            body.record(&*self.history, header, &prepared.touched)?;
            Ok(true)
        })? {
            // The lock is not a fair one: it would be taken again before those who sleep are awake.
            std::thread::sleep(SLICE_PAUSE);
        }
        Ok(())
    }

    pub(crate) fn advance(&self, seq: Seq) {
        self.durable.fetch_max(seq, Ordering::Release);
        self.notify();
    }

    /// Why writes are refused, if they are.
    pub fn failure(&self) -> Result<Option<Error>> {
        Ok(self.pipeline()?.failure.clone())
    }

    /// How far the index of the past has come.
    pub fn progress(&self) -> Progress {
        self.history.progress()
    }

    /// Has `listener` called after every change of what is durable, until it is dropped.
    pub fn listen(&self, listener: &Listener) {
        self.listeners.lock().push(Arc::downgrade(listener));
    }

    pub(crate) fn notify(&self) {
        let mut listeners = self.listeners.lock();
        listeners.retain(|listener| listener.strong_count() > 0);
        let held: Vec<_> = listeners.iter().filter_map(Weak::upgrade).collect();
        // One that is called may listen anew.
        drop(listeners);
        held.iter().for_each(|listener| listener());
    }

    /// Keeps a version, whatever of the past is let go, until what is returned is dropped.
    ///
    /// Fails with `Horizon` for a version that is not kept, or soon will not be.
    pub fn pin(self: &Arc<Store>, seq: Seq) -> Result<Pin> {
        let mut pins = self.pins.lock();
        let open: usize = pins.values().sum();
        bounded(open < SNAPSHOTS_MAX, Code::SnapshotCount, SNAPSHOTS_MAX, || {
            format!("{SNAPSHOTS_MAX} snapshots and transactions are open; close some of them")
        })?;
        self.history.check(seq)?;
        *pins.entry(seq).or_default() += 1;
        Ok(Pin { store: self.clone(), seq })
    }

    /// Counts and sizes.
    pub fn stats(&self) -> Result<Stats> {
        let waiting = self.pipeline()?.waiting;
        let body = self.body()?;
        let (nodes, edges) = body.graph.live();
        let (head, memory_bytes) = (body.graph.head(), body.graph.bytes());
        drop(body);
        let written = self.persistence.as_ref().map(Persistence::written);
        let (frames, tail_bytes) = written.map_or((0, 0), |written| (written.frames, written.tail_bytes));
        let archive = self.persistence.as_ref().map(|persistence| persistence.archive.lock().clone());
        let (since, archived) =
            (self.history.horizon().since, archive.map_or(0, |archive| archive.log.base.next_seq - 1));
        let durable = self.on_disk();
        Ok(Stats { head, durable, nodes, edges, memory_bytes, waiting, frames, tail_bytes, since, archived })
    }
}

/// Keeps a version until it is dropped.
pub struct Pin {
    store: Arc<Store>,
    /// The version.
    pub seq: Seq,
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut pins = self.store.pins.lock();
        pins.entry(self.seq).and_modify(|count| *count -= 1);
        pins.retain(|_, count| *count > 0);
    }
}

/// The log keeps a cause as a step back: one that has not happened could not be read again.
fn check_cause(cause: Option<Seq>, head: Seq) -> Result<()> {
    let Some(cause) = cause.filter(|cause| *cause > head) else { return Ok(()) };
    let message = format!("the cause {cause} has not happened, version {head} is the newest; pass a version");
    Err(Error::new(Code::Argument, message).with("cause", cause).with("newest", head))
}

fn poisoned() -> Error {
    let message = "Karyon failed while it changed its memory, a defect; close and open the store again";
    Error::new(Code::Panic, message)
}
