//! Opening, closing and watching stores.

use crate::environment::{Environment, Handle, answer, closed, enter, find, run};
use karyon_kernel::model::{Code, Error, Result, Seq};
use karyon_kernel::wire::Told;
use karyon_kernel::{Listener, Lookup, Moment, OpenStore};
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

pub(crate) fn keep(environment: &mut Environment, open: Arc<OpenStore>) -> Result<f64> {
    let durable = open.store.durable();
    // All openings of one store in an environment see one version of it.
    let visible = environment.visible_of(&open.store).unwrap_or_else(|| Rc::new(Cell::new(durable)));
    let handle = StoreHandle { open, visible, _listener: None, clock: None };
    environment.keep(Handle::Store(handle))
}

/// What a task on a thread of the pool came to.
pub enum Outcome {
    Opened(OpenStore),
    Answer(Vec<u8>),
    Lookup(Arc<Lookup>),
}

/// Runs on a thread of the pool. Resolves to a handle for `take_outcome`: between the settling of a promise and its continuation
/// other calls may use the exchange.
pub struct Background(Option<Box<dyn FnOnce() -> Result<Outcome> + Send>>);

/// What JavaScript gets of it.
pub(crate) type Promised = AsyncTask<Background>;

impl Background {
    pub(crate) fn start(work: impl FnOnce() -> Result<Outcome> + Send + 'static) -> Promised {
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

/// What a task came to: a handle, or the length of an answer in the exchange.
#[napi]
pub fn take_outcome(env: &Env, outcome: u32) -> f64 {
    enter(env, |environment| match environment.release(outcome) {
        Some(Handle::Outcome(outcome)) => match outcome? {
            Outcome::Opened(open) => keep(environment, Arc::new(open)),
            Outcome::Lookup(lookup) => environment.keep(Handle::Lookup(lookup)),
            Outcome::Answer(answer) => environment.answer(|_, out| {
                *out = answer;
                Ok(())
            }),
        },
        _ => Err(closed("the outcome was taken before")),
    })
}

/// Opens the store in a directory. Its outcome is the store's handle. `checkpoint_bytes` 0 means the default,
/// `memory_bytes` 0 any number.
#[napi(ts_return_type = "Promise<number>")]
pub fn open_store(path: String, checkpoint_bytes: f64, memory_bytes: f64, relaxed: bool) -> Promised {
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
        let handle = keep(environment, Arc::new(open))?;
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

/// What opening found, as a report.
#[napi]
pub fn store_recovery(env: &Env, store: u32) -> f64 {
    answer(env, |environment, out| {
        environment.store(store)?.open.recovery.tell(out);
        Ok(())
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
        handle.open.store.listen(&listener);
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
        if durable == handle.visible.get() {
            handle.open.store.failure()?.map_or(Ok(()), Err)?;
        }
        handle.visible.set(durable);
        Ok(durable as f64)
    })
}

/// Closes a store: what waits is written, the log is sealed. Its outcome is empty.
#[napi(ts_return_type = "Promise<number>")]
pub fn close_store(env: &Env, store: u32) -> Option<Promised> {
    find(env, |environment| {
        let open = environment.store(store)?.open.clone();
        Ok(Background::start(move || open.close().map(|()| Outcome::Answer(Vec::new()))))
    })
}

/// Answers a question about a store with a number. 0: one that all openings of it share while one of them is open. 1: a time after every
/// commit so far, in µs since 1970. 2: 1 when every moment of the past can be asked for; otherwise a failure says how far the index is.
/// 3: the time of the version. 4: the version that the moment stands for, a version or a time; it fails when that is not settled. 5: the
/// version that must be visible before the moment is settled, or −2 when it lies ahead of the clock.
#[napi]
pub fn ask_store(env: &Env, store: u32, question: u32, is_time: bool, moment: f64) -> f64 {
    enter(env, |environment| {
        let StoreHandle { open, visible, .. } = environment.store(store)?;
        let store = &open.store;
        Ok(match question {
            0 => Arc::as_ptr(store).addr() as f64,
            1 => store.now()? as f64,
            2 => store.progress().check().map(|()| 1.0)?,
            3 => store.time_of(moment as u64)? as f64,
            // What this environment has not been told of is not settled for it: one run of JavaScript sees one state.
            4 => store.resolve(as_moment(is_time, moment), visible.get())? as f64,
            _ => store.settles_with(as_moment(is_time, moment))?.map_or(-2.0, |seq| seq as f64),
        })
    })
}

fn as_moment(is_time: bool, moment: f64) -> Moment {
    if is_time { Moment::Time(moment as i64) } else { Moment::Version(moment as u64) }
}

/// Copies the store in one directory to another, as of a time (µs) or version if one is given; or what is whole of it. Its
/// outcome is a report.
#[napi(ts_return_type = "Promise<number>")]
pub fn restore_store(
    from: String,
    to: String,
    salvage: bool,
    is_time: bool,
    moment: Option<f64>,
) -> Promised {
    let at = moment.map(|moment| as_moment(is_time, moment));
    Background::start(move || {
        let mut out = Vec::new();
        karyon_kernel::restore(&from, &to, at, salvage)?.tell(&mut out);
        Ok(Outcome::Answer(out))
    })
}

/// Keeps a version for a view, or ends that.
#[napi]
pub fn pin_version(env: &Env, session: u32, version: f64, pinned: bool) -> f64 {
    run(env, |environment| {
        let (session, version) = (environment.session(session)?, version as u64);
        let mut pins = session.pins.borrow_mut();
        if pinned {
            pins.push(session.session.store().pin(version)?);
        } else if let Some(at) = pins.iter().position(|pin| pin.seq == version) {
            pins.swap_remove(at);
        }
        Ok(())
    })
}
