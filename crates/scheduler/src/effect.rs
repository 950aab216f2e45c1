//! What the scheduler tells the host: effects of four words, in the order in which they happened.

use crate::CellId;
use crate::words::{rows, word};

/// Words in an effect.
pub const EFFECT_WORDS: usize = 4;

word! {
    /// Why an incarnation ended.
    Death:
    /// A handler, or work it left running, threw or rejected.
    1 Error
    /// A turn left a state that breaks the invariant.
    2 Invariant
    /// A turn went past its time limit.
    3 Timeout
    /// A turn's transaction met a conflict. Not a crash: never counted.
    4 Conflict
    /// `init` failed.
    5 Init
    /// The cell ended its own work, and is permanent.
    6 Ended
    /// Its supervisor was restarted.
    7 Supervisor
    /// The cell stops for good.
    8 Stop
    /// It is a supervisor, whose children failed more often than its window allows.
    9 GaveUp
    /// Its lease was not renewed.
    10 Lease
    /// It has used up what it was given.
    11 Budget
    /// A cell that it is linked to has ended.
    12 Linked
    /// A turn went past its limit of CPU time, and was stopped.
    13 Cpu
    /// It was lost with its worker, by no doing of its own. Never counted.
    14 Collateral
}

word! {
    /// Why a cell is gone for good.
    Gone:
    /// It was told to stop.
    1 Stopped
    /// It failed and is never restarted.
    2 Failed
    /// It failed more often than its window allows.
    3 GaveUp
    /// Its supervisor gave up.
    4 SupervisorGaveUp
    /// It ended its own work; of a supervisor, its significant children did.
    5 Ended
}

word! {
    /// Why a message never had its turn, had it cut short, or had it for nothing.
    Lost:
    /// Refused: the mailbox, or the queue of those that wait for room, is full.
    1 Full
    /// Refused: the delivery was called off while it waited for room.
    2 Withdrawn
    /// Refused: the ask would close a cycle.
    3 Cycle
    /// Dead letter: its cell was gone, or stopped before the message's turn.
    4 Stopped
    /// Dead letter: its turn was cut short; what it did is not known.
    5 InTurn
    /// Its turn met a conflict, and this was the last attempt.
    6 Conflict
    /// Dead letter: the mailbox was full, and makes room by dropping its oldest.
    7 Dropped
}

word! {
    /// How an ask was settled.
    AskEnd:
    /// The reply is there.
    1 Replied
    /// The turn failed.
    2 Failed
    /// The turn met conflicts until the last attempt.
    3 Conflict
    /// No answer in time.
    4 Timeout
    /// The asker called it off.
    5 Abandoned
    /// It would have closed a cycle of cells that wait for each other; `AskPath` effects before it name them.
    6 Cycle
    /// The asked cell is gone.
    7 Stopped
    /// The incarnation that asked is dead.
    8 AskerDead
    /// The turn went past its time limit.
    9 TurnTimeout
    /// The turn was cut short.
    10 LostInTurn
    /// The mailbox was full.
    11 Refused
}

rows! {
    /// One thing that the host has to know or do.
    Effect of EFFECT_WORDS:
    /// Run the cell's `init` for this incarnation.
    1 Init { cell: CellId, incarnation: u32 }
    /// The incarnation is dead: nothing it does counts any more.
    2 Died { cell: CellId, incarnation: u32, death: Death }
    /// A new incarnation takes the place of one that died so; `Init` follows when it may start, or `Began`.
    3 Restarted { cell: CellId, incarnation: u32, death: Death }
    /// The cell is gone; its handle finds nothing from here on. What is lost that was sent to it is told still.
    4 Gone { cell: CellId, gone: Gone }
    /// A written supervisor had more failures than its window allows.
    5 SupervisorGaveUp { cell: CellId }
    /// A written supervisor with nobody above it gave up. (One that a cell has spawned takes that cell with it.)
    6 RootFailed { cell: CellId }
    /// Outcome: the message did not come to the end of a turn.
    7 Lost { cell: CellId, slot: u32, why: Lost }
    /// A delivery found room in the cell's mailbox.
    8 Admitted { cell: CellId, slot: u32 }
    /// The ask of this slot has its one answer.
    9 AskSettled { slot: u32, end: AskEnd }
    /// One cell of the cycle that the next `AskSettled` of this slot closes.
    10 AskPath { slot: u32, cell: CellId }
    /// A timer fell due; `again` if it will once more.
    11 Timer { timer: u32, again: bool }
    /// Abort the signal of the cell's running turn: because the cell stops (`stop`), or the turn is late.
    12 Abort { cell: CellId, stop: bool }
    /// A timer ended with its incarnation: its number is free.
    13 TimerOver { timer: u32 }
    /// A lease was not renewed in time; `quiescent` once no turn begins any more.
    14 Warned { cell: CellId, quiescent: bool }
    /// Let no further turn of the remote cell begin, and say with `Recalled` which message of its flight runs.
    15 Recall { cell: CellId }
    /// A child of the supervisor that ended is to come up with others: spawn it in its place, or say `Vacant`. Those behind wait for it.
    16 Vacant { cell: CellId, place: u32 }
    /// Nothing is told of a cell any more that is gone: its place may be another's from now on.
    17 Forgotten { cell: CellId }
    /// A cell without an `init` has started, which is a later incarnation or below a supervisor: others start at once.
    18 Began { cell: CellId }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_effect_is_read_as_it_was_written() {
        for number in 1..=18 {
            let effect = Effect::decode([number, 1, 2, 1]).unwrap();
            assert_eq!(Effect::decode(effect.encode()), Some(effect));
            assert_eq!(effect.encode()[0], number);
        }
    }
}
