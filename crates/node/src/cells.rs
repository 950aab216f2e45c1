//! The cell scheduler for JavaScript: one crossing for each batch, over memory that both sides see.
#![allow(unsafe_code)] // Views over Rust's memory are handed to JavaScript; argued at each.

use crate::cell_crossing::crossing;
use crate::environment::{Handle, enter};
use karyon_kernel::model::{Code, Error};
use karyon_kernel::scheduler::{
    Backoff, CellId, CellOptions, Port, ProtocolError, Restart, RestartPolicy, SpawnError, header, limits,
};
use napi::Env;
use napi::bindgen_prelude::{Float64Array, Function, Int32Array, Uint32Array};
use napi_derive::napi;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

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

/// Opens a scheduler with nothing but a root; its handle.
#[napi]
pub fn open_cells(env: &Env, seed: f64) -> f64 {
    enter(env, |environment| {
        environment.keep(Handle::Cells(Rc::new(RefCell::new(Port::new(seed.to_bits())))))
    })
}

/// Closes a scheduler; its memory lives as long as its views.
#[napi]
pub fn close_cells(env: &Env, cells: u32) -> f64 {
    enter(env, |environment| {
        environment.cells(cells)?;
        environment.release(cells);
        Ok(0.0)
    })
}

/// The bounds of every scheduler.
#[napi]
pub fn cell_limits() -> CellLimits {
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
pub fn root_cell(env: &Env, cells: u32) -> f64 {
    enter(env, |environment| Ok(f64::from(environment.cells(cells)?.borrow().scheduler.root().word())))
}

/// Views over the shared memory of a scheduler; nothing if it is closed.
#[napi]
pub fn cell_memory(env: &Env, cells: u32) -> Option<CellMemory> {
    let mut memory = None;
    enter(env, |environment| {
        memory = Some(views(&environment.cells(cells)?.borrow()));
        Ok(0.0)
    });
    memory
}

fn views(port: &Port) -> CellMemory {
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
    let owner = Arc::clone(port.credits());
    let (first, count) = (owner.words().as_ptr().cast_mut().cast::<i32>(), owner.words().len());
    // SAFETY: as above, for i32.
    let credits = unsafe { Int32Array::with_external_data(first, count, move |_, _| drop(owner)) };
    CellMemory { header, outbox, inbox, effects, credits }
}

/// The function that crosses: records in; effects and the next batch out. Nothing if the scheduler is closed.
#[napi]
pub fn cell_crossing(env: &Env, cells: u32) -> Option<Function<'static, (), ()>> {
    let mut function = None;
    enter(env, |environment| {
        function = Some(crossing(env, &environment.cells(cells)?)?);
        Ok(0.0)
    });
    function
}

/// Takes the records only: for a full outbox in the middle of a batch.
#[napi]
pub fn absorb_cells(env: &Env, cells: u32) -> f64 {
    enter(env, |environment| {
        environment.cells(cells)?.borrow_mut().absorb().map_err(defect)?;
        Ok(0.0)
    })
}

/// A taken name gets a number.
const NUMBERED: u32 = 1;
/// The cell has an `init`.
const HAS_INIT: u32 = 2;
/// The cell is restarted after stops of its own too.
const PERMANENT: u32 = 4;
/// The cell is never restarted.
const TEMPORARY: u32 = 8;

/// Starts a cell; its handle. Flags: 1 a taken name gets a number, 2 it has an `init`, 4 permanent, 8 temporary.
#[napi]
pub fn spawn_cell(
    env: &Env,
    cells: u32,
    parent: u32,
    name: String,
    flags: u32,
    mailbox_limit: u32,
    turn_timeout_ms: u32,
) -> f64 {
    enter(env, |environment| {
        let options = CellOptions {
            restart: match flags {
                flags if flags & PERMANENT != 0 => Restart::Permanent,
                flags if flags & TEMPORARY != 0 => Restart::Temporary,
                _ => Restart::Transient,
            },
            has_init: flags & HAS_INIT != 0,
            mailbox_limit,
            turn_timeout_ms,
        };
        let port = environment.cells(cells)?;
        let scheduler = &mut port.borrow_mut().scheduler;
        let cell = scheduler.spawn(CellId::from_word(parent), &name, flags & NUMBERED != 0, options);
        cell.map(|cell| f64::from(cell.word())).map_err(|error| refused(error, &name))
    })
}

/// What a supervisor allows.
#[napi(object)]
pub struct SupervisorPolicy {
    /// Restarts in the period.
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

/// Starts a supervisor; its handle. Flags: 1 a taken name gets a number.
#[napi]
pub fn spawn_supervisor(
    env: &Env,
    cells: u32,
    parent: u32,
    name: String,
    flags: u32,
    policy: SupervisorPolicy,
) -> f64 {
    enter(env, |environment| {
        let SupervisorPolicy { intensity, period_ms, initial_ms, factor, max_ms, jitter } = policy;
        let backoff = Backoff { initial_ms, factor, max_ms, jitter };
        let policy = RestartPolicy { intensity, period_ms, backoff };
        let port = environment.cells(cells)?;
        let scheduler = &mut port.borrow_mut().scheduler;
        let parent = CellId::from_word(parent);
        let cell = scheduler.spawn_supervisor(parent, &name, flags & NUMBERED != 0, policy);
        cell.map(|cell| f64::from(cell.word())).map_err(|error| refused(error, &name))
    })
}

/// The name that a living cell got.
#[napi]
pub fn cell_name(env: &Env, cells: u32, cell: u32) -> Option<String> {
    let mut name = None;
    enter(env, |environment| {
        name = environment.cells(cells)?.borrow().scheduler.name(CellId::from_word(cell)).map(str::to_owned);
        Ok(0.0)
    });
    name
}

/// The scheduler's counts; nothing if it is closed.
#[napi]
pub fn cell_counts(env: &Env, cells: u32) -> Option<CellCounts> {
    let mut counts = None;
    enter(env, |environment| {
        let stats = environment.cells(cells)?.borrow().scheduler.stats();
        counts = Some(CellCounts {
            sent: stats.sent as f64,
            ended: stats.ended as f64,
            failed: stats.failed as f64,
            refused: stats.refused as f64,
            dead_letters: stats.dead_letters as f64,
            conflicts: stats.conflicts as f64,
            restarts: stats.restarts as f64,
            cells: stats.cells as f64,
            asks: stats.asks as f64,
        });
        Ok(0.0)
    });
    counts
}

fn defect(error: ProtocolError) -> Error {
    Error::new(Code::Panic, format!("a defect in Karyon: {error}; please report it"))
}

fn refused(error: SpawnError, name: &str) -> Error {
    let (cells, bytes, depth) = (limits::CELLS_MAX, limits::NAME_BYTES_MAX, limits::DEPTH_MAX);
    match error {
        SpawnError::CellCount => {
            let message = format!("{cells} cells are alive, which is the most; stop some first");
            Error::new(Code::CellCount, message).with("limit", cells)
        }
        SpawnError::NameTaken => {
            let message =
                format!("a living sibling is called {name:?}; choose another name or stop it first");
            Error::new(Code::CellName, message).with("name", name)
        }
        SpawnError::NameInvalid => {
            let message =
                format!("{name:?} is no name of a cell; it takes 1 to {bytes} bytes without a slash");
            Error::new(Code::Argument, message).with("name", name)
        }
        SpawnError::ParentGone => {
            Error::new(Code::CellDead, "the cell that would be the parent is gone or stops")
        }
        SpawnError::Depth => {
            let message = format!("a path has at most {depth} parts below the root; spawn it higher up");
            Error::new(Code::Argument, message).with("limit", depth)
        }
    }
}
