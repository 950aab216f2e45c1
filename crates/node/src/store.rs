//! Opening, closing and watching stores.

use crate::environment::{Environment, Handle, answer, closed, enter, find, run};
use karyon_kernel::model::bytes::Cursor;
use karyon_kernel::model::{Code, Error, Result, Seq, Value};
use karyon_kernel::{
    Archived, Copied, Listener, Lost, Moment, OpenStore, Recovery, Retention, Session, Verified,
};
use napi::bindgen_prelude::{AsyncTask, Function};
use napi::threadsafe_function::ThreadsafeFunctionCallMode;
use napi::{Env, Task};
use napi_derive::napi;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// An opening of a store in one environment.
pub(crate) struct StoreHandle {
    pub(crate) open: Arc<OpenStore>,
    /// The newest version that the environment has been told is durable.
    pub(crate) visible: Rc<Cell<Seq>>,
    /// Tells the environment, as long as it is here.
    _listener: Option<Listener>,
    /// Set by hand, where time is simulated.
    clock: Option<Arc<AtomicI64>>,
}

fn keep(environment: &mut Environment, open: OpenStore) -> Result<f64> {
    let durable = open.store.durable();
    // All openings of one store in an environment see one version of it.
    let visible = environment.visible_of(&open.store).unwrap_or_else(|| Rc::new(Cell::new(durable)));
    let handle = StoreHandle { open: Arc::new(open), visible, _listener: None, clock: None };
    environment.keep(Handle::Store(handle))
}

/// What a task on a thread of the pool came to.
pub enum Outcome {
    Opened(OpenStore),
    Value(Value),
}

/// Runs on a thread of the pool. Resolves to a handle for `take_outcome`: between the settling of a promise and its continuation
/// other calls may use the exchange.
pub struct Background(Option<Box<dyn FnOnce() -> Result<Outcome> + Send>>);

impl Background {
    pub(crate) fn start(work: impl FnOnce() -> Result<Outcome> + Send + 'static) -> AsyncTask<Background> {
        AsyncTask::new(Background(Some(Box::new(work))))
    }
}

impl Task for Background {
    type Output = Result<Outcome>;
    type JsValue = f64;

    fn compute(&mut self) -> napi::Result<Result<Outcome>> {
        let Some(work) = self.0.take() else { return Ok(Err(closed("the work was done before"))) };
        let outcome = catch_unwind(AssertUnwindSafe(work));
        Ok(outcome
            .unwrap_or_else(|_| Err(Error::new(Code::Panic, "a defect in Karyon: a task panicked; reopen"))))
    }

    fn resolve(&mut self, env: Env, outcome: Result<Outcome>) -> napi::Result<f64> {
        Ok(enter(&env, |environment| environment.keep(Handle::Outcome(outcome))))
    }
}

/// Has a session do something with what is in the exchange, on a thread of the pool. Its outcome is a value.
pub(crate) fn in_background(
    env: &Env,
    session: u32,
    length: u32,
    work: impl FnOnce(&Session, Cursor<'_>) -> Result<Value> + Send + 'static,
) -> Option<AsyncTask<Background>> {
    find(env, |environment| {
        let session = environment.session(session)?.session;
        let input = environment.exchange.input(length as usize).to_vec();
        Ok(Background::start(move || work(&session, Cursor::new(&input)).map(Outcome::Value)))
    })
}

/// What a task came to: a number, or the length of an encoded value in the exchange.
#[napi]
pub fn take_outcome(env: &Env, outcome: u32) -> f64 {
    enter(env, |environment| match environment.release(outcome) {
        Some(Handle::Outcome(outcome)) => match outcome? {
            Outcome::Opened(open) => keep(environment, open),
            Outcome::Value(value) => environment.answer(&value),
        },
        _ => Err(closed("the outcome was taken before")),
    })
}

/// Opens the store in a directory. Its outcome is the store's handle. `checkpoint_bytes` 0 means the default,
/// `memory_bytes` 0 any number.
#[napi(ts_return_type = "Promise<number>")]
pub fn open_store(
    path: String,
    checkpoint_bytes: f64,
    memory_bytes: f64,
    relaxed: bool,
) -> AsyncTask<Background> {
    // The store's threads run code of this module: it must never be unmapped under them.
    napi::bindgen_prelude::retain_current_module_for_unload_safety();
    let work = move || karyon_kernel::open(&path, checkpoint_bytes as u64, memory_bytes as usize, relaxed);
    Background::start(move || work().map(Outcome::Opened))
}

/// A store that keeps nothing, and whose present takes at most so many bytes; 0 for any number. Returns its handle. With `clock`, in µs
/// since 1970, its time stands still until `set_clock` moves it.
#[napi]
pub fn memory_store(env: &Env, memory_bytes: f64, clock: Option<f64>) -> f64 {
    let clock = clock.map(|micros| Arc::new(AtomicI64::new(micros as i64)));
    enter(env, |environment| {
        let open = karyon_kernel::memory(memory_bytes as usize, clock.clone())?;
        let handle = keep(environment, open)?;
        environment.store(handle as u32)?.clock = clock;
        Ok(handle)
    })
}

/// Moves the clock of a store that was made with one.
#[napi]
pub fn set_clock(env: &Env, store: u32, micros: f64) -> f64 {
    run(env, |environment| {
        let clock = &environment.store(store)?.clock;
        clock.iter().for_each(|clock| clock.store(micros as i64, Ordering::Relaxed));
        Ok(())
    })
}

/// A number that all openings of one store share while one of them is open.
#[napi]
pub fn store_identity(env: &Env, store: u32) -> f64 {
    enter(env, |environment| Ok(Arc::as_ptr(&environment.store(store)?.open.store).addr() as f64))
}

/// What opening found, as an encoded map. Returns its length.
#[napi]
pub fn store_recovery(env: &Env, store: u32) -> f64 {
    enter(env, |environment| {
        let Recovery { created, checkpoint, replayed, sealed, cut } =
            environment.store(store)?.open.recovery.clone();
        let cut = cut.map(|cut| {
            Value::map([
                ("segment", Value::Integer(cut.segment.into())),
                ("offset", Value::Integer(cut.offset.into())),
                ("bytes", Value::Integer(cut.bytes as i64)),
                ("file", Value::text(cut.file)),
            ])
        });
        let mut entries = vec![
            ("created", Value::Bool(created)),
            ("checkpoint", Value::number(checkpoint)),
            ("replayed", Value::Integer(replayed as i64)),
            ("sealed", Value::Bool(sealed)),
        ];
        entries.extend(cut.map(|cut| ("cut", cut)));
        environment.answer(&Value::map(entries))
    })
}

/// Has `callback` called, on this environment's loop, some time after what is durable has changed. It keeps no process alive.
#[napi]
pub fn watch_store(env: &Env, store: u32, callback: Function<'_, (), ()>) -> f64 {
    run(env, |environment| {
        let handle = environment.store(store)?;
        // One waiting call is enough: it asks for the newest state when it runs.
        let built = callback.build_threadsafe_function::<()>().weak::<true>().max_queue_size::<1>().build();
        let wake =
            built.map_err(|error| Error::new(Code::Panic, format!("cannot watch the store: {error}")))?;
        let listener: Listener = Arc::new(move || {
            wake.call((), ThreadsafeFunctionCallMode::NonBlocking);
        });
        handle.open.store.listen(&listener)?;
        handle._listener = Some(listener);
        Ok(())
    })
}

/// Makes the newest durable version the one that this environment reads, and returns it. Fails with the reason when the store
/// has failed and nothing new is durable.
#[napi]
pub fn advance(env: &Env, store: u32) -> f64 {
    enter(env, |environment| {
        let handle = environment.store(store)?;
        let durable = handle.open.store.durable();
        if durable == handle.visible.get()
            && let Some(failure) = handle.open.store.failure()?
        {
            return Err(failure);
        }
        handle.visible.set(durable);
        Ok(durable as f64)
    })
}

/// Closes a store: what waits is written, the log is sealed. Its outcome is null.
#[napi(ts_return_type = "Promise<number>")]
pub fn close_store(env: &Env, store: u32) -> Option<AsyncTask<Background>> {
    find(env, |environment| {
        let open = environment.store(store)?.open.clone();
        Ok(Background::start(move || open.close().map(|()| Outcome::Value(Value::Null))))
    })
}

/// A time after every commit so far, in µs since 1970.
#[napi]
pub fn store_now(env: &Env, store: u32) -> f64 {
    enter(env, |environment| Ok(environment.store(store)?.open.store.now()? as f64))
}

/// The version that a time (µs) or version stands for. Fails when it is not settled.
#[napi]
pub fn resolve_moment(env: &Env, store: u32, is_time: bool, moment: f64) -> f64 {
    enter(env, |environment| {
        let handle = environment.store(store)?;
        let seq = handle.open.store.resolve(as_moment(is_time, moment))?;
        // What this environment has not been told of is not settled for it either: one run of JavaScript sees one state.
        if seq > handle.visible.get() {
            let message = format!("version {seq} is not settled yet; await graph.settled(…)");
            return Err(Error::new(Code::Unsettled, message).with("durable", handle.visible.get()));
        }
        Ok(seq as f64)
    })
}

/// The version that must be visible before a moment is settled, or −2 when it lies ahead of the clock.
#[napi]
pub fn settles_with(env: &Env, store: u32, is_time: bool, moment: f64) -> f64 {
    enter(env, |environment| {
        let seq = environment.store(store)?.open.store.settles_with(as_moment(is_time, moment))?;
        Ok(seq.map_or(-2.0, |seq| seq as f64))
    })
}

fn as_moment(is_time: bool, moment: f64) -> Moment {
    if is_time { Moment::Time(moment as i64) } else { Moment::Version(moment as u64) }
}

/// A version's time, in µs since 1970.
#[napi]
pub fn time_of_version(env: &Env, store: u32, version: f64) -> f64 {
    enter(env, |environment| Ok(environment.store(store)?.open.store.time_of(version as u64)? as f64))
}

/// 1 when every moment of the past can be asked for; otherwise a failure says how far the index is.
#[napi]
pub fn history_ready(env: &Env, store: u32) -> f64 {
    enter(env, |environment| environment.store(store)?.open.store.progress().check().map(|()| 1.0))
}

/// Counts and sizes, as an encoded map. For those who may see everything.
#[napi]
pub fn store_stats(env: &Env, session: u32) -> f64 {
    answer(env, session, |session, _| {
        session.check_sees_everything()?;
        let stats = session.store().stats()?;
        Ok(Value::map([
            ("head", Value::number(stats.head)),
            ("durable", Value::number(stats.durable)),
            ("nodes", Value::Integer(stats.nodes as i64)),
            ("edges", Value::Integer(stats.edges as i64)),
            ("memoryBytes", Value::Integer(stats.memory_bytes as i64)),
            ("waiting", Value::Integer(stats.waiting as i64)),
            ("frames", Value::Integer(stats.frames as i64)),
            ("tailBytes", Value::Integer(stats.tail_bytes as i64)),
            ("since", Value::number(stats.since)),
            ("archived", Value::number(stats.archived)),
        ]))
    })
}

/// Reads everything on disk again and compares it with memory. For those who may see everything. Its outcome is a map.
#[napi(ts_return_type = "Promise<number>")]
pub fn verify_store(env: &Env, session: u32) -> Option<AsyncTask<Background>> {
    in_background(env, session, 0, |session, _| {
        session.check_sees_everything()?;
        session.store().verify().map(verified_value)
    })
}

/// Copies everything durable to a directory. For those who may see everything. Its outcome is a map.
#[napi(ts_return_type = "Promise<number>")]
pub fn backup_store(env: &Env, session: u32, to: String) -> Option<AsyncTask<Background>> {
    in_background(env, session, 0, move |session, _| {
        session.check_sees_everything()?;
        karyon_kernel::backup(session.store(), &to).map(copied_value)
    })
}

/// Copies the store in one directory to another, as of a time (µs) or version if one is given; or what is whole of it. Its
/// outcome is a map.
#[napi(ts_return_type = "Promise<number>")]
pub fn restore_store(
    from: String,
    to: String,
    salvage: bool,
    is_time: bool,
    moment: Option<f64>,
) -> AsyncTask<Background> {
    let at = moment.map(|moment| as_moment(is_time, moment));
    let work = move || karyon_kernel::restore(&from, &to, at, salvage).map(copied_value);
    Background::start(move || work().map(Outcome::Value))
}

/// Lets go of the past before a version, but the newest `versions` of each node and edge and the last version of each `every` µs.
/// For those who may write everything. Its outcome is a map.
#[napi(ts_return_type = "Promise<number>")]
pub fn compact_store(
    env: &Env,
    session: u32,
    since: f64,
    versions: u32,
    every: f64,
) -> Option<AsyncTask<Background>> {
    let (since, versions, every) = (since as u64, versions as usize, every as u64);
    let retention = Retention { since, versions, every };
    in_background(env, session, 0, move |session, _| session.compact(&retention).map(archived_value))
}

/// Erases the node whose key is in the exchange. For those who may write everything. Its outcome is a map.
#[napi(ts_return_type = "Promise<number>")]
pub fn erase_node(env: &Env, session: u32, length: u32) -> Option<AsyncTask<Background>> {
    in_background(env, session, length, |session, mut input| session.erase(input.text()?).map(archived_value))
}

fn archived_value(archived: Archived) -> Value {
    let Archived { committed, since, kept, bytes } = archived;
    Value::map([
        ("version", Value::number(committed.seq)),
        ("time", Value::Timestamp(committed.time)),
        ("since", Value::number(since)),
        ("kept", Value::Integer(kept as i64)),
        ("bytesBefore", Value::Integer(bytes[0] as i64)),
        ("bytesAfter", Value::Integer(bytes[1] as i64)),
    ])
}

/// Keeps a version for a view, or ends that.
#[napi]
pub fn pin_version(env: &Env, session: u32, version: f64, pinned: bool) -> f64 {
    run(env, |environment| {
        let (session, version) = (environment.session(session)?, version as u64);
        let mut pins = session.pins.borrow_mut();
        if pinned {
            pins.push(session.store().pin(version)?);
        } else if let Some(at) = pins.iter().position(|pin| pin.seq == version) {
            pins.swap_remove(at);
        }
        Ok(())
    })
}

fn copied_value(copied: Copied) -> Value {
    let Copied { newest, bytes, damage, lost, checkpoint } = copied;
    let value_of = |part: Lost| {
        let mut entries = vec![
            ("segment", Value::Integer(part.position.segment.into())),
            ("offset", Value::Integer(part.position.offset.into())),
            ("bytes", Value::Integer(part.bytes as i64)),
            ("reason", Value::text(part.reason)),
        ];
        if let Some(whole) = part.whole {
            entries.push(("versions", Value::List(whole.map(|(version, _)| Value::number(version)).into())));
            entries.push(("times", Value::List(whole.map(|(_, time)| Value::Timestamp(time)).into())));
        }
        Value::map(entries)
    };
    let mut entries = vec![
        ("version", Value::number(newest.seq)),
        ("time", Value::Timestamp(newest.time)),
        ("bytes", Value::Integer(bytes as i64)),
    ];
    entries.extend(lost.map(|lost| ("lost", Value::List(lost.into_iter().map(value_of).collect()))));
    entries.extend(damage.map(|damage| ("damage", Value::text(damage.message()))));
    entries.extend(checkpoint.map(|version| ("checkpoint", Value::number(version))));
    Value::map(entries)
}

fn verified_value(verified: Verified) -> Value {
    let hex: String = verified.digest.iter().map(|byte| format!("{byte:02x}")).collect();
    Value::map([
        ("version", Value::number(verified.version)),
        ("frames", Value::Integer(verified.frames as i64)),
        ("nodes", Value::Integer(verified.nodes as i64)),
        ("edges", Value::Integer(verified.edges as i64)),
        ("chapters", Value::Integer(verified.chapters as i64)),
        ("digest", Value::text(hex)),
    ])
}
