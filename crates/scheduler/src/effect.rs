//! What the scheduler tells the host: effects of four words, in the order in which they happened.

/// Words in an effect.
pub const EFFECT_WORDS: usize = 4;

/// Why an incarnation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// A handler, or work it left running, threw or rejected.
    Error = 1,
    /// A turn left a state that breaks the invariant.
    Invariant = 2,
    /// A turn went past its time limit.
    Timeout = 3,
    /// A turn's transaction met a conflict. Not a crash: never counted.
    Conflict = 4,
    /// `init` failed.
    Init = 5,
    /// The cell ended its own work, and is permanent.
    Ended = 6,
    /// Its supervisor was restarted.
    Supervisor = 7,
    /// The cell stops for good.
    Stop = 8,
}

/// Why a cell is gone for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// It was stopped, or stopped itself.
    Stopped = 1,
    /// It failed and is never restarted.
    Failed = 2,
    /// It failed more often than its window allows.
    GaveUp = 3,
    /// Its supervisor gave up.
    SupervisorGaveUp = 4,
}

/// Why a message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The mailbox, or the queue of those that wait for room, is full.
    Full = 1,
    /// The delivery was called off while it waited for room.
    Withdrawn = 2,
    /// The ask would close a cycle.
    Cycle = 3,
}

/// Why a message that was taken never had its turn, or had it cut short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadLetter {
    /// Its cell was gone, or stopped before the message's turn.
    Stopped = 1,
    /// Its turn was cut short: what it did is not known.
    LostInTurn = 2,
}

/// How an ask was settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskEnd {
    /// The reply is there.
    Replied = 1,
    /// The turn failed.
    Failed = 2,
    /// The turn met conflicts until the last attempt.
    Conflict = 3,
    /// No answer in time.
    Timeout = 4,
    /// The asker called it off.
    Abandoned = 5,
    /// It would have closed a cycle of cells that wait for each other; `AskPath` effects before it name them.
    Cycle = 6,
    /// The asked cell is gone.
    Stopped = 7,
    /// The incarnation that asked is dead.
    AskerDead = 8,
    /// The turn went past its time limit.
    TurnTimeout = 9,
    /// The turn was cut short.
    LostInTurn = 10,
    /// The mailbox was full.
    Refused = 11,
}

/// One thing that the host has to know or do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Run the cell's `init`.
    Init {
        /// Whose.
        cell: u32,
        /// For which incarnation.
        incarnation: u32,
    },
    /// The incarnation is dead: nothing it does counts any more.
    Died {
        /// Whose.
        cell: u32,
        /// Which.
        incarnation: u32,
        /// Why.
        death: Death,
    },
    /// A new incarnation takes the dead one's place; `Init` follows when it may start.
    Restarted {
        /// Whose.
        cell: u32,
        /// The new one.
        incarnation: u32,
        /// Why the old one died.
        death: Death,
    },
    /// The cell is gone; its handle finds nothing from here on.
    Gone {
        /// Which.
        cell: u32,
        /// Why.
        gone: Gone,
    },
    /// A written supervisor had more failures than its window allows.
    SupervisorGaveUp {
        /// Which.
        cell: u32,
    },
    /// A written supervisor with nobody above it gave up.
    RootFailed {
        /// Which.
        cell: u32,
    },
    /// Outcome: not taken.
    Refused {
        /// By whom.
        cell: u32,
        /// The message.
        slot: u32,
        /// Why.
        refusal: Refusal,
    },
    /// Outcome: dead letter.
    DeadLetter {
        /// Of whom.
        cell: u32,
        /// The message.
        slot: u32,
        /// Why.
        reason: DeadLetter,
    },
    /// Outcome: conflict, after the last attempt.
    Conflict {
        /// Whose turn.
        cell: u32,
        /// The message.
        slot: u32,
    },
    /// A delivery found room.
    Admitted {
        /// Whose mailbox.
        cell: u32,
        /// The message.
        slot: u32,
    },
    /// An ask has its one answer.
    AskSettled {
        /// The ask.
        slot: u32,
        /// How.
        end: AskEnd,
    },
    /// One cell of the cycle that the next `AskSettled` of this slot closes.
    AskPath {
        /// The ask.
        slot: u32,
        /// The cell.
        cell: u32,
    },
    /// A timer fell due.
    Timer {
        /// Which.
        timer: u32,
        /// Whether it will again.
        again: bool,
    },
    /// Abort the signal of the running turn.
    Abort {
        /// Whose.
        cell: u32,
        /// The cell stops, rather than the turn being late.
        stop: bool,
    },
}

impl Effect {
    /// The four words of an effect.
    pub fn encode(self) -> [u32; EFFECT_WORDS] {
        match self {
            Effect::Init { cell, incarnation } => [1, cell, incarnation, 0],
            Effect::Died { cell, incarnation, death } => [2, cell, incarnation, death as u32],
            Effect::Restarted { cell, incarnation, death } => [3, cell, incarnation, death as u32],
            Effect::Gone { cell, gone } => [4, cell, gone as u32, 0],
            Effect::SupervisorGaveUp { cell } => [5, cell, 0, 0],
            Effect::RootFailed { cell } => [6, cell, 0, 0],
            Effect::Refused { cell, slot, refusal } => [7, cell, slot, refusal as u32],
            Effect::DeadLetter { cell, slot, reason } => [8, cell, slot, reason as u32],
            Effect::Conflict { cell, slot } => [9, cell, slot, 0],
            Effect::Admitted { cell, slot } => [10, cell, slot, 0],
            Effect::AskSettled { slot, end } => [11, slot, end as u32, 0],
            Effect::AskPath { slot, cell } => [12, slot, cell, 0],
            Effect::Timer { timer, again } => [13, timer, u32::from(again), 0],
            Effect::Abort { cell, stop } => [14, cell, u32::from(stop), 0],
        }
    }
}
