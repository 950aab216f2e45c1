//! Every bound of the scheduler, in one place.

/// The most cells and supervisors alive at once; supervisors and the root count.
pub const CELLS_MAX: u32 = 1_000_000;
/// The mailbox limit of a cell that names none, in messages.
pub const MAILBOX_DEFAULT: u32 = 1_000;
/// The largest mailbox limit that a cell may ask for, in messages.
pub const MAILBOX_MAX: u32 = 1_000_000;
/// The most `deliver` calls that may wait for room in one mailbox.
pub const WAITERS_MAX: usize = 10_000;
/// The most control messages that may wait in one mailbox, beside its limit.
pub const CONTROL_MAX: usize = 1_000;
/// The most timers that all cells together may have armed.
pub const TIMERS_MAX: u32 = 1_000_000;
/// The longest delay, period or time limit, in milliseconds: what one timer of the host can wait.
pub const DELAY_MAX_MS: u32 = 2_147_483_647;
/// The deepest path below the root.
pub const DEPTH_MAX: u32 = 64;
/// The longest name of a cell, in bytes of UTF-8.
pub const NAME_BYTES_MAX: usize = 255;
/// The most messages issued in one crossing.
pub const BATCH_MAX: usize = 1_024;
/// The most messages of one cell in one batch: past this nothing is won by batching, and the others wait longer.
pub const RUN_MAX: usize = 64;
/// The most messages that the host of a remote cell is handed ahead of their turns.
pub const FLIGHT_MAX: usize = 1_024;
/// The most records that the host writes before it must cross.
pub const OUTBOX_MAX: usize = 4_096;
/// The most effects handed over in one crossing; the rest follows in the next.
pub const EFFECTS_MAX: usize = 4_096;
/// How often a message is delivered again after a conflict before the conflict is its outcome.
pub const REDELIVERIES_MAX: u32 = 5;
/// The most restarts that a policy may allow in its window.
pub const INTENSITY_MAX: u32 = 10_000;
/// Restarts that a cell without a written supervisor may have within [`PERIOD_DEFAULT_MS`].
pub const INTENSITY_DEFAULT: u32 = 5;
/// The window of a cell without a written supervisor, in milliseconds.
pub const PERIOD_DEFAULT_MS: u32 = 10_000;
/// How long a turn past its time limit may go on after its signal was aborted, in milliseconds.
pub const TURN_GRACE_MS: u32 = 100;
/// How long a turn may go on after its cell was told to stop, where nothing else is said, in milliseconds.
pub const SHUTDOWN_DEFAULT_MS: u32 = 5_000;
/// What stands for as long as it takes.
pub const SHUTDOWN_INFINITE: u32 = u32::MAX;
