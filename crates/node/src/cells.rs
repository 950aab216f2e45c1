//! The cell scheduler for JavaScript: one crossing for each batch, over memory that both sides see.
#![allow(unsafe_code)] // Views over Rust's memory are handed to JavaScript; argued at each.

use crate::direct::{Direct, direct_function};
use crate::environment::{Environment, with_environment};
use crate::thrown::{Thrown, guarded, native_failure, thrown};
use karyon_model::Code;
use karyon_scheduler::{
    Backoff, CellId, CellOptions, Port, ProtocolError, Restart, RestartPolicy, SpawnError, header, limits,
};
use napi::Env;
use napi::bindgen_prelude::{Float64Array, Function, Int32Array, Uint32Array};
use napi_derive::napi;
use std::sync::Arc;

/// The memory of one scheduler, as views that keep it alive.
#[napi(object)]
pub struct CellMemory {
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
}

/// The scheduler's counts.
#[napi(object)]
pub struct CellCounts {
    /// Messages of every kind.
    pub sent: f64,
    /// Turns that ended well.
    pub ended: f64,
    /// Turns that failed.
    pub failed: f64,
    /// Messages not taken.
    pub refused: f64,
    /// Dead letters.
    pub dead_letters: f64,
    /// Conflicts past the last attempt.
    pub conflicts: f64,
    /// Restarts.
    pub restarts: f64,
    /// Cells and supervisors alive.
    pub cells: f64,
    /// Asks without an answer.
    pub asks: f64,
}

/// The bounds that JavaScript checks before it writes a record.
#[napi(object)]
pub struct CellLimits {
    /// The default limit of a mailbox.
    pub mailbox_default: u32,
    /// The largest limit of a mailbox.
    pub mailbox_max: u32,
    /// Timers armed at once.
    pub timers_max: u32,
    /// The longest delay, in milliseconds.
    pub delay_max_ms: u32,
    /// Records in the outbox.
    pub outbox_max: u32,
    /// Messages in a batch.
    pub batch_max: u32,
    /// Restarts in a window.
    pub intensity_max: u32,
}

/// Opens a scheduler with nothing but a root.
#[napi]
pub fn cells_open(env: Env, seed: f64) -> Result<u32, Thrown> {
    guarded(|| with_environment(&env, |state| Ok(state.cells.insert(Port::new(seed.to_bits())))))
}

/// Closes a scheduler; its memory lives as long as its views.
#[napi]
pub fn cells_close(env: Env, handle: u32) -> Result<(), Thrown> {
    guarded(|| {
        with_environment(&env, |state| {
            state.cells.remove(handle);
            Ok(())
        })
    })
}

/// The bounds of every scheduler.
#[napi]
pub fn cells_limits() -> CellLimits {
    CellLimits {
        mailbox_default: limits::MAILBOX_DEFAULT,
        mailbox_max: limits::MAILBOX_MAX,
        timers_max: limits::TIMERS_MAX,
        delay_max_ms: limits::DELAY_MAX_MS,
        outbox_max: limits::OUTBOX_MAX as u32,
        batch_max: limits::BATCH_MAX as u32,
        intensity_max: limits::INTENSITY_MAX,
    }
}

/// The supervisor above all others.
#[napi]
pub fn cells_root(env: Env, handle: u32) -> Result<u32, Thrown> {
    guarded(|| with_environment(&env, |state| Ok(state.cells.get(handle)?.scheduler.root().word())))
}

/// Views over the shared memory of a scheduler.
#[napi]
pub fn cells_memory(env: Env, handle: u32) -> Result<CellMemory, Thrown> {
    guarded(|| {
        with_environment(&env, |state| {
            let port = state.cells.get(handle)?;
            let exchange = port.exchange();
            let words = |words: &[std::sync::atomic::AtomicU32]| {
                let owner = Arc::clone(exchange);
                let first = words.as_ptr().cast_mut().cast::<u32>();
                // SAFETY: the words are atomics, so they may be written through shared references and from outside; they
                // have the size and alignment of u32. `owner` keeps them in place until JavaScript drops the view. Both
                // sides run on the environment's thread, never at the same time.
                unsafe { Uint32Array::with_external_data(first, words.len(), move |_, _| drop(owner)) }
            };
            let (outbox, inbox, effects) =
                (words(&exchange.outbox), words(&exchange.inbox), words(&exchange.effects));
            let owner = Arc::clone(exchange);
            let first = exchange.header.as_ptr().cast_mut().cast::<f64>();
            // SAFETY: as above; the words hold the bits of f64.
            let header =
                unsafe { Float64Array::with_external_data(first, header::WORDS, move |_, _| drop(owner)) };
            let owner = Arc::clone(port.credits());
            let (first, count) = (owner.words().as_ptr().cast_mut().cast::<i32>(), owner.words().len());
            // SAFETY: as above, for i32.
            let credits = unsafe { Int32Array::with_external_data(first, count, move |_, _| drop(owner)) };
            Ok(CellMemory { header, outbox, inbox, effects, credits })
        })
    })
}

struct Cross;

impl Direct for Cross {
    fn run(state: &mut Environment, handle: u32) -> Result<(), Thrown> {
        state.cells.get(handle)?.cross().map_err(defect)
    }
}

/// The function that crosses: records in; effects and the next batch out.
#[napi]
pub fn cells_crossing(env: Env, handle: u32) -> Result<Function<'static, (), ()>, Thrown> {
    guarded(|| direct_function::<Cross>(&env, handle))
}

/// Takes the records only: for a full outbox in the middle of a batch.
#[napi]
pub fn cells_absorb(env: Env, handle: u32) -> Result<(), Thrown> {
    guarded(|| with_environment(&env, |state| state.cells.get(handle)?.absorb().map_err(defect)))
}

/// What a cell is spawned with.
#[napi(object)]
pub struct CellSpawn {
    /// The name, or what a numbered name begins with.
    pub name: String,
    /// A taken name gets a number.
    pub numbered: bool,
    /// 0 transient, 1 permanent, 2 temporary.
    pub restart: u32,
    /// It has an `init`.
    pub has_init: bool,
    /// Messages that may wait.
    pub mailbox_limit: u32,
    /// The longest turn in milliseconds; 0 is no limit.
    pub turn_timeout_ms: u32,
}

/// Starts a cell; its handle.
#[napi]
pub fn cells_spawn(env: Env, handle: u32, parent: u32, spawn: CellSpawn) -> Result<u32, Thrown> {
    guarded(|| {
        with_environment(&env, |state| {
            let options = CellOptions {
                restart: match spawn.restart {
                    1 => Restart::Permanent,
                    2 => Restart::Temporary,
                    _ => Restart::Transient,
                },
                has_init: spawn.has_init,
                mailbox_limit: spawn.mailbox_limit,
                turn_timeout_ms: spawn.turn_timeout_ms,
            };
            let scheduler = &mut state.cells.get(handle)?.scheduler;
            let cell = scheduler.spawn(CellId::from_word(parent), &spawn.name, spawn.numbered, options);
            cell.map(CellId::word).map_err(|error| refused(error, &spawn.name))
        })
    })
}

/// What a supervisor is spawned with.
#[napi(object)]
pub struct SupervisorSpawn {
    /// The name, or what a numbered name begins with.
    pub name: String,
    /// A taken name gets a number.
    pub numbered: bool,
    /// Restarts allowed in the period.
    pub intensity: u32,
    /// The period in milliseconds.
    pub period_ms: u32,
    /// The wait before the first restart in milliseconds.
    pub initial_ms: f64,
    /// What each further one multiplies it by.
    pub factor: f64,
    /// The longest wait in milliseconds.
    pub max_ms: f64,
    /// The share of a wait that chance may take away.
    pub jitter: f64,
}

/// Starts a supervisor; its handle.
#[napi]
pub fn cells_spawn_supervisor(
    env: Env,
    handle: u32,
    parent: u32,
    spawn: SupervisorSpawn,
) -> Result<u32, Thrown> {
    guarded(|| {
        with_environment(&env, |state| {
            let SupervisorSpawn { initial_ms, factor, max_ms, jitter, .. } = spawn;
            let backoff = Backoff { initial_ms, factor, max_ms, jitter };
            let policy = RestartPolicy { intensity: spawn.intensity, period_ms: spawn.period_ms, backoff };
            let scheduler = &mut state.cells.get(handle)?.scheduler;
            let cell =
                scheduler.spawn_supervisor(CellId::from_word(parent), &spawn.name, spawn.numbered, policy);
            cell.map(CellId::word).map_err(|error| refused(error, &spawn.name))
        })
    })
}

/// The name that a living cell got.
#[napi]
pub fn cells_name(env: Env, handle: u32, cell: u32) -> Result<String, Thrown> {
    guarded(|| {
        with_environment(&env, |state| {
            let scheduler = &state.cells.get(handle)?.scheduler;
            scheduler
                .name(CellId::from_word(cell))
                .map(str::to_owned)
                .ok_or_else(|| refused(SpawnError::ParentGone, ""))
        })
    })
}

/// The scheduler's counts.
#[napi]
pub fn cells_counts(env: Env, handle: u32) -> Result<CellCounts, Thrown> {
    guarded(|| {
        with_environment(&env, |state| {
            let stats = state.cells.get(handle)?.scheduler.stats();
            Ok(CellCounts {
                sent: stats.sent as f64,
                ended: stats.ended as f64,
                failed: stats.failed as f64,
                refused: stats.refused as f64,
                dead_letters: stats.dead_letters as f64,
                conflicts: stats.conflicts as f64,
                restarts: stats.restarts as f64,
                cells: stats.cells as f64,
                asks: stats.asks as f64,
            })
        })
    })
}

fn defect(error: ProtocolError) -> Thrown {
    native_failure(&error.to_string())
}

fn refused(error: SpawnError, name: &str) -> Thrown {
    let code = match error {
        SpawnError::CellCount => Code::CellCount,
        SpawnError::NameTaken => Code::CellName,
        SpawnError::ParentGone => Code::CellDead,
        SpawnError::NameInvalid | SpawnError::Depth => Code::Argument,
    };
    let advice = match error {
        SpawnError::CellCount => {
            format!("{} cells are alive, which is the most; stop some first", limits::CELLS_MAX)
        }
        SpawnError::NameTaken => {
            format!("a living sibling is called {name:?}; choose another name or stop it first")
        }
        SpawnError::NameInvalid => {
            format!("{name:?} is no name: 1 to {} bytes without a slash are", limits::NAME_BYTES_MAX)
        }
        SpawnError::ParentGone => "the cell that would be the parent is gone or stops".to_owned(),
        SpawnError::Depth => format!("a path may have {} parts; spawn it higher up", limits::DEPTH_MAX),
    };
    thrown(code, advice)
}
