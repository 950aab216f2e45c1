//! What was counted.

/// Counts since the start, and what is open now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Messages that the host wrote down, of every kind.
    pub sent: u64,
    /// Outcome: turns that ended well.
    pub ended: u64,
    /// Outcome: turns that ended with a failure.
    pub failed: u64,
    /// Outcome: messages not taken.
    pub refused: u64,
    /// Outcome: dead letters.
    pub dead_letters: u64,
    /// Outcome: conflicts past the last attempt.
    pub conflicts: u64,
    /// New incarnations after the first ones.
    pub restarts: u64,
    /// Cells and supervisors alive, without the root.
    pub cells: u64,
    /// Asks without an answer.
    pub asks: u64,
    /// Timers that keep the program alive.
    pub referenced_timers: u64,
}

impl Stats {
    /// Messages without an outcome.
    pub fn in_flight(&self) -> u64 {
        self.sent - self.ended - self.failed - self.refused - self.dead_letters - self.conflicts
    }
}
