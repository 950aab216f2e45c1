//! The watchdog: a thread that looks at what the environments of this process do, whatever their event loops do.
//!
//! It never waits for JavaScript. It runs while any environment has a scheduler open.
#![allow(unsafe_code, reason = "a handler is called under a guard; argued there")]

use crate::cells::SharedPort;
use crate::environment::{enter, find};
use crate::thread::{Isolate, STEP_US, ThreadClock};
use karyon_kernel::model::{Code, Error, Result};
use karyon_kernel::scheduler::{Exchange, Finding, Look, Watch};
use napi::bindgen_prelude::{Function, JsValue, Unknown, retain_current_module_for_unload_safety, sys};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode::NonBlocking};
use napi::{Env, Status};
use napi_derive::napi;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::SeqCst};
use std::thread::{self, Thread};
use std::time::Duration;

/// Overruns that are kept for those who have not read them yet.
const OVERRUNS_MAX: usize = 256;
/// How soon to look again where the scheduler was at work, in microseconds.
const BUSY_US: u64 = 500;

/// The environment's one way to be woken; it keeps no program alive, and one call may wait.
type Wake = ThreadsafeFunction<(), (), (), Status, false, true, 1>;

/// One environment, as the watchdog sees it.
pub(crate) struct Watched {
    number: u32,
    clock: Option<ThreadClock>,
    pub(crate) isolate: Option<Isolate>,
    /// See `Look::beats`.
    beats: Arc<AtomicU64>,
    /// The next beat is worth a look.
    idle: AtomicBool,
    wake: Wake,
    /// What is known of it, and its schedulers by their handles.
    state: Mutex<(Watch, Vec<Open>)>,
}

/// A scheduler by its handle, and what it shares.
type Open = (u32, SharedPort, Arc<Exchange>);

struct Watchdog {
    environments: Vec<Arc<Watched>>,
    thread: Option<Thread>,
    overruns: VecDeque<Overrun>,
    told: u32,
}

static WATCHDOG: Mutex<Watchdog> =
    Mutex::new(Watchdog { environments: Vec::new(), thread: None, overruns: VecDeque::new(), told: 0 });
static ENVIRONMENTS: AtomicU32 = AtomicU32::new(0);

/// A synchronous stretch that went past its limit.
#[napi(object)]
#[derive(Clone)]
pub struct Overrun {
    /// Ascending.
    pub number: u32,
    /// Where it was: see `watch`.
    pub environment: u32,
    /// The handle of its scheduler and the path of its cell there; nothing for a stretch outside of turns.
    pub cells: Option<u32>,
    /// See above.
    pub path: Option<String>,
    /// The number of its turn.
    pub turn: Option<u32>,
    /// The CPU time that it had used, in milliseconds.
    pub cpu_ms: f64,
    /// It was told of before, and has used twice as much since, or more.
    pub again: bool,
}

/// Has this environment watched while it has a scheduler open, and `callback` called, on its loop, some time after there are
/// overruns, wherever they are; see `overruns`. Once for each environment; keeps no process alive. Returns the environment's number.
#[napi]
pub fn watch(env: &Env, callback: Function<'_, (), ()>) -> f64 {
    enter(env, |environment| {
        let beats = Arc::<AtomicU64>::default();
        let answered = Arc::clone(&beats);
        let wake = callback.build_threadsafe_function::<()>().weak::<true>().max_queue_size::<1>();
        let wake = wake.build_callback(move |_| {
            answered.fetch_add(1, SeqCst);
            Ok(())
        });
        let wake = wake.map_err(|error| Error::new(Code::Panic, format!("cannot be watched: {error}")))?;
        // The thread runs code of this module: it must never be unmapped under it.
        retain_current_module_for_unload_safety();
        let number = ENVIRONMENTS.fetch_add(1, SeqCst);
        let (clock, isolate) = (ThreadClock::of_this_thread(), Isolate::of_this_thread());
        let (idle, state) = (AtomicBool::new(false), Mutex::default());
        environment.watched =
            Some(Registration(Arc::new(Watched { number, clock, isolate, beats, idle, wake, state })));
        Ok(f64::from(number))
    })
}

/// Has the callback of another environment called on its loop, some time from now; nothing if it is gone or watches nothing. For any thread.
#[napi]
pub fn wake_environment(number: u32) {
    let found = WATCHDOG.lock().environments.iter().find(|other| other.number == number).cloned();
    if let Some(other) = found {
        other.wake.call((), NonBlocking);
    }
}

/// Overruns after this number, as far as they are kept: the last 256.
#[napi]
pub fn overruns(after: u32) -> Vec<Overrun> {
    WATCHDOG.lock().overruns.iter().filter(|overrun| overrun.number > after).cloned().collect()
}

/// The CPU time of this thread so far, in milliseconds; nothing where the system does not tell.
#[napi]
pub fn thread_cpu_ms(env: &Env) -> Option<f64> {
    find(env, |environment| {
        let clock = environment.watched.as_ref().and_then(|own| own.0.clock.as_ref());
        Ok(clock.and_then(ThreadClock::cpu_us).map(|us| us as f64 / 1e3))
    })
    .flatten()
}

/// Has Node treat an error as one that nobody caught: whoever handles that, all async scopes that are open are closed after it.
#[napi]
pub fn leave_async_scopes(env: &Env, error: Unknown) {
    // SAFETY: a value of this call. What comes of it is Node's to say.
    unsafe { sys::napi_fatal_exception(env.raw(), error.raw()) };
}

/// An environment's own hold on what watches it.
pub(crate) struct Registration(pub(crate) Arc<Watched>);

impl Drop for Registration {
    fn drop(&mut self) {
        self.0.close(None);
    }
}

impl Watched {
    /// Watches a scheduler from here on.
    pub(crate) fn open(self: &Arc<Self>, cells: u32, port: &SharedPort) -> Result<()> {
        let exchange = Arc::clone(port.lock().exchange());
        self.state.lock().1.push((cells, Arc::clone(port), exchange));
        let mut watchdog = WATCHDOG.lock();
        watchdog.environments.retain(|other| other.number != self.number);
        watchdog.environments.push(Arc::clone(self));
        if watchdog.thread.is_none() {
            let refused = |error| Error::new(Code::Io, format!("the system refuses a thread: {error}"));
            let thread = thread::Builder::new().name("karyon-watchdog".into()).spawn(watch_all);
            watchdog.thread = Some(thread.map_err(refused)?.thread().clone());
        }
        Ok(())
    }

    /// Watches a scheduler no more, or none any more.
    pub(crate) fn close(&self, cells: Option<u32>) {
        let mut state = self.state.lock();
        state.1.retain(|(open, ..)| cells.is_some_and(|cells| cells != *open));
        if state.1.is_empty() {
            drop(state);
            WATCHDOG.lock().environments.retain(|other| other.number != self.number);
            wake();
        }
    }

    /// A sign of life. The first after a pause wakes the watchdog.
    pub(crate) fn beat(&self) {
        self.beats.fetch_add(1, SeqCst);
        // One of both sees the other: this the pause, or who is about to pause this beat.
        if self.idle.load(SeqCst) && self.idle.swap(false, SeqCst) {
            wake();
        }
    }

    /// Looks once, and does what follows. When to look again, in microseconds.
    fn look(&self, overruns: &mut Vec<Overrun>) -> u64 {
        self.idle.store(false, SeqCst);
        let beats = self.beats.load(SeqCst);
        let mut state = self.state.lock();
        let (watch, cells) = &mut *state;
        let shortest_us = cells.iter().map(|(.., exchange)| exchange.shortest_us()).min().unwrap_or(0);
        let cpu_us = self.clock.as_ref().and_then(ThreadClock::cpu_us).unwrap_or(0);
        let outside = Look { cpu_us, turn: 0, limit_us: 0, shortest_us, beats };
        let running = cells.iter().find_map(|(handle, port, exchange)| {
            exchange.turn().map(|(word, number, place)| (*handle, port, exchange, word, number, place))
        });
        let (finding, of) = if let Some((handle, port, exchange, turn, number, place)) = running {
            // While it is at work nothing else runs there.
            let Some(port) = port.try_lock() else { return BUSY_US };
            let limit_us = port.scheduler.turn_cpu_us(place).map_or(0, |limit_us| limit_us + STEP_US);
            let finding = watch.look(Look { turn, limit_us, ..outside });
            let of = finding.tell.then(|| (handle, (port.scheduler.path(place), number as u32)));
            drop(port);
            exchange.tell_used(finding.sample_us);
            if let (Some(_), Some(isolate)) = (finding.overrun_us, self.isolate) {
                exchange.guard.strike(number, || isolate.terminate());
            }
            (finding, of)
        } else {
            (watch.look(outside), None)
        };
        let Finding { overrun_us, tell, again, ping, next_us, idle, .. } = finding;
        if tell {
            let (cells, of) = of.unzip();
            let ((path, turn), cpu_ms) = (of.unzip(), overrun_us.unwrap_or(0) as f64 / 1e3);
            overruns.push(Overrun { number: 0, environment: self.number, cells, path, turn, cpu_ms, again });
        }
        if ping {
            self.wake.call((), NonBlocking);
        }
        self.idle.store(idle, SeqCst);
        if idle && self.beats.load(SeqCst) != beats { BUSY_US } else { next_us }
    }
}

/// Has the watchdog look before the time that it has set itself.
pub(crate) fn wake() {
    WATCHDOG.lock().thread.iter().for_each(Thread::unpark);
}

/// The thread.
fn watch_all() {
    loop {
        let mut watchdog = WATCHDOG.lock();
        if watchdog.environments.is_empty() {
            watchdog.thread = None;
            return;
        }
        let environments = watchdog.environments.clone();
        drop(watchdog);
        let mut overruns = Vec::new();
        let next_us = environments.iter().map(|one| one.look(&mut overruns)).min().unwrap_or(0);
        if !overruns.is_empty() {
            overruns.into_iter().for_each(tell);
            for environment in &environments {
                environment.wake.call((), NonBlocking);
            }
        }
        thread::park_timeout(Duration::from_micros(next_us));
    }
}

/// Tells whoever sees the program's stderr, and keeps the overrun for those who ask.
fn tell(overrun: Overrun) {
    let Overrun { environment, path, cpu_ms, .. } = &overrun;
    let what = path.as_deref().unwrap_or("code outside of turns");
    let line = format!(
        "karyon: {what} keeps event loop {environment} busy: {cpu_ms:.0} ms of CPU time without a pause\n"
    );
    // In one piece. Nobody may be there to read it.
    let _ = std::io::stderr().write_all(line.as_bytes());
    let mut watchdog = WATCHDOG.lock();
    watchdog.told += 1;
    let overrun = Overrun { number: watchdog.told, ..overrun };
    if watchdog.overruns.len() == OVERRUNS_MAX {
        watchdog.overruns.pop_front();
    }
    watchdog.overruns.push_back(overrun);
}

/// Makes the function that calls a handler so that it can be stopped: handler, context, payload, number of the turn. Its answer is the
/// handler's; or none, and the header says that the turn was stopped.
pub(crate) fn guarding(
    env: &Env,
    exchange: Arc<Exchange>,
    isolate: Isolate,
) -> napi::Result<Function<'_, (), Unknown<'_>>> {
    env.create_function_from_closure("guard", move |call| {
        let env = call.env.raw();
        let [handler, context, payload] =
            [0, 1, 2].map(|at| call.get::<Unknown>(at).map(|value| value.raw()));
        let (handler, arguments, turn) = (handler?, [context?, payload?], call.get::<f64>(3)? as u64);
        let [mut nothing, mut answer, mut other] = [std::ptr::null_mut(); 3];
        // SAFETY: all values are those of this call, in whose scope they live. What is cleared is the termination, which is no exception that
        // anybody threw. Making a date fails where JavaScript may not run: then somebody ends the environment, which was called off too.
        unsafe {
            sys::napi_get_undefined(env, &raw mut nothing);
            exchange.guard.begin(turn);
            let status =
                sys::napi_call_function(env, nothing, handler, 2, arguments.as_ptr(), &raw mut answer);
            let completed = status == sys::Status::napi_ok;
            if exchange.guard.end(turn) {
                isolate.cancel_terminate();
                if !completed {
                    sys::napi_get_and_clear_last_exception(env, &raw mut other);
                    exchange.tell_stopped();
                }
                if sys::napi_create_date(env, 0.0, &raw mut other) != sys::Status::napi_ok {
                    isolate.terminate();
                }
            }
            // What the handler threw is still pending, and goes on from here.
            Ok(Unknown::from_raw_unchecked(env, if completed { answer } else { nothing }))
        }
    })
}
