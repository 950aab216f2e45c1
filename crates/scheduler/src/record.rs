//! What the host tells the scheduler: records of six words.

use crate::words::{rows, word};
use crate::{CellId, Death};

/// Words in a record.
pub const RECORD_WORDS: usize = 6;
/// What stands for the turn of an ask that was made in `init`.
pub const INIT_TURN: u32 = u32::MAX;
/// What stands for the turn of an ask that was made by work whose turn was over: no turn waits for the answer.
pub const NO_TURN: u32 = u32::MAX - 2;
/// What stands for a turn of which only its message is known.
pub(crate) const UNKNOWN_TURN: u32 = u32::MAX - 1;
/// What becomes of a record. What a host wrote that no host should fails, with words: a defect of its own, never a user's mistake.
pub type Taken<T = ()> = Result<T, &'static str>;
/// The slot of no message.
pub const NO_SLOT: u32 = u32::MAX;

word! {
    /// How a turn, or a cell's `init`, came out.
    Verdict:
    /// It is over and counts.
    0 Ended
    /// It threw or rejected.
    1 Failed
    /// It came through, and left a state that breaks the invariant.
    2 Invariant
    /// It came through, and its transaction met a conflict.
    3 Conflict
    /// The message waits until the cell changes its behaviour.
    4 Deferred
    /// It is over, counts, and changed the behaviour: deferred messages come back.
    5 Became
    /// Both of the last two.
    6 DeferredBecame
    /// It was not begun; the message stays where it was.
    7 NotRun
    /// It went past its limit of CPU time, and was stopped.
    8 Stopped
}

word! {
    /// Which messages go first, and what bounds them.
    Class:
    /// Behind those of control, within the limit of the mailbox.
    0 User
    /// Before all of users, and [`CONTROL_MAX`](crate::limits::CONTROL_MAX) at most.
    1 Control
    /// Behind all that was sent before, and never refused: who sends it has bounded it. It takes room that need not be there.
    2 Owed
}

impl Verdict {
    pub(crate) fn became(self) -> bool {
        matches!(self, Verdict::Became | Verdict::DeferredBecame)
    }
}

rows! {
    /// One thing that happened on the host's side. Slots, timers and turns are numbers of the host; a `slot` is a message's
    /// payload, and the name of its ask. `position` is a message's place in the batch.
    Record of RECORD_WORDS:
    /// A message, whose sender took one credit of the cell if it is of [`Class::User`].
    1 Send { cell: CellId, slot: u32, class: Class }
    /// A message whose sender waits for the answer; it took one credit too. `asker` is the cell that asks or
    /// [`CellId::NONE`], `turn` the turn in which it asks, [`INIT_TURN`] or [`NO_TURN`]. It waits `timeout_ms` milliseconds; 0 waits for ever.
    2 Ask { cell: CellId, slot: u32, asker: CellId, turn: u32, timeout_ms: u32 }
    /// A message that waits for room; no credit was taken.
    3 Deliver { cell: CellId, slot: u32 }
    /// A delivery to the cell that still waits for room is called off.
    4 Withdraw { cell: CellId, slot: u32 }
    /// The asker no longer wants the answer.
    5 Abandon { slot: u32 }
    /// The answer is there; the turn may have ended before, its commit durable only now.
    6 Reply { slot: u32 }
    /// A message of the batch returned a promise: its turn goes on, under the host's number `turn`.
    7 Async { position: u32, turn: u32 }
    /// A message of the batch came out other than [`Verdict::Ended`], which goes without saying.
    8 Result { position: u32, verdict: Verdict }
    /// A turn that went on, as named by `Async`, is over.
    9 Settled { cell: CellId, turn: u32, verdict: Verdict }
    /// A message to an idle cell was run by the host without being issued. It is the next in the batch now, for a record
    /// that says how it came out: those that simply ended are only counted.
    10 Adopt { cell: CellId, slot: u32 }
    /// The `init` of an incarnation is over: [`Verdict::Ended`], or it failed.
    11 Inited { cell: CellId, incarnation: u32, verdict: Verdict }
    /// The incarnation failed between its turns, by work that it left running or by what it is linked to; an older one than the
    /// living one changes nothing.
    12 Fail { cell: CellId, incarnation: u32, death: Death }
    /// Stop the cell and all below it, in order; `kill` cuts every turn short.
    13 Stop { cell: CellId, kill: bool }
    /// The incarnation ends when its turn is over: by itself ([`Death::Ended`]), or as a failure.
    14 Finish { cell: CellId, incarnation: u32, death: Death }
    /// Arms a timer of a cell, `delay_ms` milliseconds from now and from then on every `period_ms`; 0 is once. The number is
    /// the host's, taken until it falls due for the last time, is over or cancelled. `referenced` timers keep the program alive.
    15 TimerSet { timer: u32, cell: CellId, delay_ms: u32, period_ms: u32, referenced: bool }
    /// Calls a timer off.
    16 TimerCancel { timer: u32 }
    /// The lease of an incarnation runs for `period_ms` milliseconds from now; 0 ends it.
    17 Lease { cell: CellId, incarnation: u32, period_ms: u32 }
    /// No turn of the cell begins until it says the opposite.
    18 Pause { cell: CellId, paused: bool }
    /// A message that was issued to a remote cell has a turn that goes on, or may, under the host's number `turn`. With [`INIT_TURN`]: its
    /// `init` has begun.
    19 Opened { cell: CellId, slot: u32, turn: u32 }
    /// A message that was issued to a remote cell came out, and those before it simply ended; or with [`Verdict::NotRun`], it could not be handed
    /// over, and is refused.
    20 Out { cell: CellId, slot: u32, verdict: Verdict }
    /// The answer to `Recall`: which message of the flight runs, those before it having ended, or [`NO_SLOT`]. What was reported of others stands
    /// before it.
    21 Recalled { cell: CellId, slot: u32 }
    /// The answer to `Vacant` where nobody takes the place; to `forget` it is never to ask for it again.
    22 Vacant { cell: CellId, place: u32, forget: bool }
    /// A credit of the cell was taken for a message that is another's.
    23 Refund { cell: CellId }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_read_as_it_was_written() {
        for operation in 1..=23 {
            let words = [operation, 1, 2, 1, 4, 1];
            let record = Record::decode(words).unwrap();
            assert_eq!(Record::decode(record.encode()), Some(record));
            assert_eq!(record.encode()[0], operation);
        }
    }

    #[test]
    fn unknown_operations_and_verdicts_are_no_records() {
        assert_eq!(Record::decode([0; 6]), None);
        assert_eq!(Record::decode([24, 0, 0, 0, 0, 0]), None);
        assert_eq!(Record::decode([8, 0, 9, 0, 0, 0]), None);
    }
}
