//! The cell scheduler for JavaScript: one crossing for each batch, over memory that both sides see.
#![allow(unsafe_code)] // Views over Rust's memory are handed to JavaScript; argued at each.

use crate::environment::{Handle, enter, find, run};
use crate::watchdog::{Watched, guarding, wake};
use karyon_kernel::model::{Code, Error, Result};
use karyon_kernel::scheduler::{
    AutoShutdown, Backoff, CellId, CellOptions, Credits, Port, Restart, RestartPolicy, STRETCH_US, Scheduler,
    Strategy, SupervisorPolicy, header, limits,
};
use napi::Env;
use napi::bindgen_prelude::{Float64Array, Function, Int32Array, Uint32Array, Unknown};
use napi_derive::napi;
use parking_lot::Mutex;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

/// A scheduler, held by its handle and by the function that crosses into it; and looked into by the watchdog.
pub(crate) type SharedPort = Arc<Mutex<Port>>;

/// One scheduler: its handle, and what JavaScript sees of it. The views keep its memory alive.
#[napi(object, object_from_js = false)]
pub struct Cells<'env> {
    /// Its number.
    pub handle: f64,
    /// The supervisor above all others.
    pub root: u32,
    /// Crosses: records in; effects and the next batch out.
    pub cross: Function<'env, (), f64>,
    /// See `karyon_scheduler::header`.
    pub header: Float64Array,
    /// Records of six words, to the scheduler.
    pub outbox: Uint32Array,
    /// Messages of two words (cell, slot), from the scheduler.
    pub inbox: Uint32Array,
    /// Effects of four words, from the scheduler.
    pub effects: Uint32Array,
    /// Room in each mailbox, by cell index.
    pub credits: Int32Array,
    /// One word: see `karyon_scheduler::guard`.
    pub turn: Int32Array,
    /// Calls a handler so that the watchdog can stop it: handler, context, payload, number of the turn. Nothing where Node does not
    /// export what that takes.
    #[napi(ts_type = "(handler: unknown, context: unknown, payload: unknown, turn: number) => unknown")]
    pub guard: Option<Function<'env, (), Unknown<'env>>>,
}

/// Opens a scheduler with nothing but a root; a shuffled one gives cells their turns in an order that follows from the seed.
#[napi]
pub fn open_cells<'env>(env: &'env Env, seed: f64, shuffled: bool) -> Option<Cells<'env>> {
    find(env, |environment| {
        let scheduler = Scheduler::new(seed.to_bits());
        let scheduler = if shuffled { scheduler.shuffled() } else { scheduler };
        let port = Arc::new(Mutex::new(Port::new(scheduler)));
        let handle = environment.keep(Handle::Cells(Arc::clone(&port)))?;
        let watched = environment.watched.as_ref().map(|own| Arc::clone(&own.0));
        if let Some(watched) = &watched {
            watched.open(handle as u32, &port)?;
        }
        views(env, handle, &port, watched)
    })
}

fn views<'env>(
    env: &'env Env,
    handle: f64,
    shared: &SharedPort,
    watched: Option<Arc<Watched>>,
) -> Result<Cells<'env>> {
    let port = shared.lock();
    let exchange = port.exchange();
    let words = |words: &[AtomicU32]| {
        let owner = Arc::clone(exchange);
        let first = words.as_ptr().cast_mut().cast::<u32>();
        // SAFETY: the words are atomics, so they may be written through shared references and from outside; they have
        // the size and alignment of u32. `owner` keeps them in place until JavaScript drops the view. Both sides run
        // on the environment's thread, never at the same time.
        unsafe { Uint32Array::with_external_data(first, words.len(), move |_, _| drop(owner)) }
    };
    let (outbox, inbox, effects) =
        (words(&exchange.outbox), words(&exchange.inbox), words(&exchange.effects));
    let owner = Arc::clone(exchange);
    let first = exchange.header.as_ptr().cast_mut().cast::<f64>();
    // SAFETY: as above; the words hold the bits of f64.
    let header = unsafe { Float64Array::with_external_data(first, header::WORDS, move |_, _| drop(owner)) };
    let credits = credit_words(port.scheduler.credits());
    let (owner, first) = (Arc::clone(exchange), exchange.guard.word.as_ptr().cast());
    // SAFETY: as above. The watchdog's thread writes it too: JavaScript takes and gives it by its atomic operations alone.
    let turn = unsafe { Int32Array::with_external_data(first, 1, move |_, _| drop(owner)) };
    let isolate = watched.as_ref().and_then(|own| own.isolate);
    let guard =
        isolate.map(|isolate| guarding(env, Arc::clone(exchange), isolate)).transpose().map_err(refused)?;
    let (root, cross) = (port.scheduler.root().0, crossing(env, shared, watched)?);
    Ok(Cells { handle, root, cross, header, outbox, inbox, effects, credits, turn, guard })
}

/// A view of the words from which senders take.
pub(crate) fn credit_words(credits: &Arc<Credits>) -> Int32Array {
    let owner = Arc::clone(credits);
    let (first, count) = (owner.words().as_ptr().cast_mut().cast::<i32>(), owner.words().len());
    // SAFETY: the words are atomics of the size and alignment of i32, so they may be written from outside, and `owner` keeps them in
    // place until JavaScript drops the view. Once several threads have one, each changes the words with Atomics only.
    unsafe { Int32Array::with_external_data(first, count, move |_, _| drop(owner)) }
}

/// A generated function would look the scheduler up by its handle, under a lock; this one owns what it needs.
fn crossing<'env>(
    env: &'env Env,
    port: &SharedPort,
    watched: Option<Arc<Watched>>,
) -> Result<Function<'env, (), f64>> {
    let port = Arc::clone(port);
    let function = env.create_function_from_closure("cross", move |call| {
        let crossed = catch_unwind(AssertUnwindSafe(|| {
            watched.iter().for_each(|watched| watched.beat());
            let mut port = port.lock();
            let shortest_us = port.exchange().shortest_us();
            port.cross()?;
            // What looks often enough for the limits so far may not for the new ones.
            if port.exchange().shortest_us() < shortest_us {
                wake();
            }
            Ok(())
        }));
        Ok(match crossed {
            Ok(Ok(())) => 0.0,
            Ok(Err(error)) => enter(call.env, |_| Err(defect(error))),
            Err(panic) => enter(call.env, |_| resume_unwind(panic)),
        })
    });
    function.map_err(refused)
}

fn refused(_: napi::Error) -> Error {
    Error::new(Code::Panic, "a defect in Karyon: Node refused to make a function")
}

fn defect(error: &str) -> Error {
    Error::new(
        Code::Panic,
        format!(
            "a defect in Karyon: the cell scheduler was told something impossible: {error}; please report it"
        ),
    )
}

/// Closes a scheduler; its memory lives as long as its views.
#[napi]
pub fn close_cells(env: &Env, cells: u32) -> f64 {
    run(env, |environment| {
        environment.cells(cells)?;
        environment.release(cells);
        if let Some(watched) = &environment.watched {
            watched.0.close(Some(cells));
        }
        Ok(())
    })
}

/// The bounds that JavaScript checks before it writes a record: the default and the largest limit of a mailbox, timers, the longest delay, records in
/// the outbox, restarts in a window, bytes of a name, and the defaults of a turn's stretch and of a shutdown. Times in milliseconds.
#[napi]
pub fn cell_limits() -> Vec<u32> {
    use limits::*;
    let [outbox, name, stretch_ms] = [OUTBOX_MAX as u32, NAME_BYTES_MAX as u32, (STRETCH_US / 1_000) as u32];
    let [mailbox, most, timers] = [MAILBOX_DEFAULT, MAILBOX_MAX, TIMERS_MAX];
    vec![mailbox, most, timers, DELAY_MAX_MS, outbox, INTENSITY_MAX, name, stretch_ms, SHUTDOWN_DEFAULT_MS]
}

/// Takes the records only: for a full outbox in the middle of a batch.
#[napi]
pub fn absorb_cells(env: &Env, cells: u32) -> f64 {
    run(env, |environment| environment.cells(cells)?.lock().absorb().map_err(defect))
}

/// Starts a cell or a supervisor on the terms in the header; its handle. Flags: 1 a taken name gets a number, 2 it has an `init`, 4 permanent,
/// 8 temporary, 16 significant, 32 dynamic, 64 drops the oldest message of a full mailbox, 128 a supervisor, 256 its turns run elsewhere. The place among the children of a
/// supervisor: 0 is after all others. Strategies: one for one, one for all, rest for one, simple one for one; auto-shutdown: never, any significant, all.
#[napi]
pub fn spawn_cell(env: &Env, cells: u32, parent: u32, name: String) -> f64 {
    use {AutoShutdown::*, Restart::*, Strategy::*};
    enter(env, |environment| {
        let port = environment.cells(cells)?;
        let mut port = port.lock();
        let terms = port.exchange().terms();
        let [flags, place, mailbox_limit, turn_timeout_ms, shutdown_ms, turn_cpu_ms, whole @ ..] =
            terms.map(|term| term as u32);
        let [numbered, has_init, _, _, significant, dynamic, drop_oldest, supervises, remote] =
            std::array::from_fn(|bit| flags >> bit & 1 != 0);
        let restart = [Transient, Permanent, Temporary, Permanent][(flags >> 2 & 3) as usize];
        let options = CellOptions {
            restart,
            place,
            mailbox_limit,
            turn_timeout_ms,
            shutdown_ms,
            turn_cpu_ms,
            has_init,
            significant,
            dynamic,
            drop_oldest,
            remote,
        };
        let (parent, scheduler) = (CellId(parent), &mut port.scheduler);
        let [strategy, auto_shutdown, intensity, period_ms, ..] = whole;
        let [.., initial_ms, factor, max_ms, jitter] = terms;
        let backoff = Backoff { initial_ms, factor, max_ms, jitter };
        let policy = supervises.then(|| SupervisorPolicy {
            restart: RestartPolicy { intensity, period_ms, backoff },
            strategy: [OneForOne, OneForAll, RestForOne, SimpleOneForOne][strategy.min(3) as usize],
            auto_shutdown: [Never, AnySignificant, AllSignificant][auto_shutdown.min(2) as usize],
        });
        scheduler.spawn(parent, &name, numbered, options, policy).map(|cell| f64::from(cell.0))
    })
}

/// The name that a living cell got.
#[napi]
pub fn cell_name(env: &Env, cells: u32, cell: u32) -> Option<String> {
    read(env, cells, |scheduler| scheduler.name(CellId(cell)).map(str::to_owned)).flatten()
}

/// The scheduler's counts: sent, ended, failed, refused, dead letters, conflicts, restarts, cells, asks. Nothing if it
/// is closed.
#[napi]
pub fn cell_counts(env: &Env, cells: u32) -> Option<Vec<f64>> {
    let of = read(env, cells, Scheduler::stats)?;
    let outcomes = [of.sent, of.ended, of.failed, of.refused, of.dead_letters, of.conflicts];
    let others = [of.restarts, of.cells, of.asks];
    Some(outcomes.into_iter().chain(others).map(|count| count as f64).collect())
}

fn read<T>(env: &Env, cells: u32, what: impl FnOnce(&Scheduler) -> T) -> Option<T> {
    find(env, |environment| Ok(what(&environment.cells(cells)?.lock().scheduler)))
}
