//! What the host tells the scheduler: records of six words.

/// Words in a record.
pub const RECORD_WORDS: usize = 6;

/// How a turn, or a cell's `init`, came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is over and counts.
    Ended,
    /// It threw or rejected.
    Failed,
    /// It came through, and left a state that breaks the invariant.
    Invariant,
    /// It came through, and its transaction met a conflict.
    Conflict,
    /// The message waits until the cell changes its behaviour.
    Deferred,
    /// It is over, counts, and changed the behaviour: deferred messages come back.
    Became,
    /// Both of the last two.
    DeferredBecame,
    /// It was not begun; the message stays where it was.
    NotRun,
}

impl Verdict {
    const ALL: [Verdict; 8] = [
        Verdict::Ended,
        Verdict::Failed,
        Verdict::Invariant,
        Verdict::Conflict,
        Verdict::Deferred,
        Verdict::Became,
        Verdict::DeferredBecame,
        Verdict::NotRun,
    ];
}

/// One thing that happened on the host's side. Slots, timers and turns are numbers of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// A message, whose sender took one credit of the cell.
    Send {
        /// To whom.
        cell: u32,
        /// Its payload.
        slot: u32,
    },
    /// A message whose sender waits for the answer; it took one credit too.
    Ask {
        /// To whom.
        cell: u32,
        /// Its payload, and the name of the ask.
        slot: u32,
        /// The cell that asks, or [`CellId::NONE`](crate::CellId::NONE).
        asker: u32,
        /// The turn in which it asks.
        turn: u32,
        /// How long it waits, in milliseconds; 0 waits for ever.
        timeout_ms: u32,
    },
    /// A message that waits for room; no credit was taken.
    Deliver {
        /// To whom.
        cell: u32,
        /// Its payload.
        slot: u32,
    },
    /// A delivery that still waits for room is called off.
    Withdraw {
        /// To whom it was.
        cell: u32,
        /// Its payload.
        slot: u32,
    },
    /// The asker no longer wants the answer.
    Abandon {
        /// The ask.
        slot: u32,
    },
    /// The answer is there; the turn may have ended before, its commit durable only now.
    Reply {
        /// The ask.
        slot: u32,
    },
    /// A message of the batch returned a promise: its turn goes on.
    Async {
        /// Its place in the batch.
        position: u32,
        /// The host's number for the turn.
        turn: u32,
    },
    /// A message of the batch came out other than [`Verdict::Ended`], which goes without saying.
    Result {
        /// Its place in the batch.
        position: u32,
        /// How.
        verdict: Verdict,
    },
    /// A turn that went on is over.
    Settled {
        /// Whose.
        cell: u32,
        /// Which, as named by `Async`.
        turn: u32,
        /// How.
        verdict: Verdict,
    },
    /// `init` returned a promise.
    InitAsync {
        /// Whose.
        cell: u32,
        /// The host's number for it.
        turn: u32,
    },
    /// `init` is over: [`Verdict::Ended`], or it failed.
    Inited {
        /// Whose.
        cell: u32,
        /// The incarnation that it was for.
        incarnation: u32,
        /// How.
        verdict: Verdict,
    },
    /// Work that an incarnation left running after its turn failed, and the incarnation with it.
    Fail {
        /// Whose.
        cell: u32,
        /// Which incarnation; an older one than the living one changes nothing.
        incarnation: u32,
    },
    /// Stop the cell and all below it, in order.
    Stop {
        /// Which.
        cell: u32,
    },
    /// The cell stops by itself, when its turn is over.
    StopSelf {
        /// Which.
        cell: u32,
        /// Which incarnation wants it.
        incarnation: u32,
    },
    /// Arms a timer of a cell.
    TimerSet {
        /// The host's number, free until the timer fell due for the last time or was cancelled.
        timer: u32,
        /// Whose.
        cell: u32,
        /// When, in milliseconds from now.
        delay_ms: u32,
        /// How often from then on, in milliseconds; 0 is once.
        period_ms: u32,
        /// Whether it keeps the program alive.
        referenced: bool,
    },
    /// Calls a timer off.
    TimerCancel {
        /// Which.
        timer: u32,
    },
}

impl Record {
    /// Reads six words; `None` if they are no record.
    pub fn decode(words: [u32; RECORD_WORDS]) -> Option<Record> {
        let [operation, a, b, c, d, e] = words;
        let verdict = |word: u32| Verdict::ALL.get(word as usize).copied();
        Some(match operation {
            1 => Record::Send { cell: a, slot: b },
            2 => Record::Ask { cell: a, slot: b, asker: c, turn: d, timeout_ms: e },
            3 => Record::Deliver { cell: a, slot: b },
            4 => Record::Withdraw { cell: a, slot: b },
            5 => Record::Abandon { slot: a },
            6 => Record::Reply { slot: a },
            7 => Record::Async { position: a, turn: b },
            8 => Record::Result { position: a, verdict: verdict(b)? },
            9 => Record::Settled { cell: a, turn: b, verdict: verdict(c)? },
            10 => Record::InitAsync { cell: a, turn: b },
            11 => Record::Inited { cell: a, incarnation: b, verdict: verdict(c)? },
            12 => Record::Fail { cell: a, incarnation: b },
            13 => Record::Stop { cell: a },
            14 => Record::StopSelf { cell: a, incarnation: b },
            15 => Record::TimerSet { timer: a, cell: b, delay_ms: c, period_ms: d, referenced: e != 0 },
            16 => Record::TimerCancel { timer: a },
            _ => return None,
        })
    }

    /// The six words of a record.
    pub fn encode(self) -> [u32; RECORD_WORDS] {
        match self {
            Record::Send { cell, slot } => [1, cell, slot, 0, 0, 0],
            Record::Ask { cell, slot, asker, turn, timeout_ms } => [2, cell, slot, asker, turn, timeout_ms],
            Record::Deliver { cell, slot } => [3, cell, slot, 0, 0, 0],
            Record::Withdraw { cell, slot } => [4, cell, slot, 0, 0, 0],
            Record::Abandon { slot } => [5, slot, 0, 0, 0, 0],
            Record::Reply { slot } => [6, slot, 0, 0, 0, 0],
            Record::Async { position, turn } => [7, position, turn, 0, 0, 0],
            Record::Result { position, verdict } => [8, position, verdict as u32, 0, 0, 0],
            Record::Settled { cell, turn, verdict } => [9, cell, turn, verdict as u32, 0, 0],
            Record::InitAsync { cell, turn } => [10, cell, turn, 0, 0, 0],
            Record::Inited { cell, incarnation, verdict } => [11, cell, incarnation, verdict as u32, 0, 0],
            Record::Fail { cell, incarnation } => [12, cell, incarnation, 0, 0, 0],
            Record::Stop { cell } => [13, cell, 0, 0, 0, 0],
            Record::StopSelf { cell, incarnation } => [14, cell, incarnation, 0, 0, 0],
            Record::TimerSet { timer, cell, delay_ms, period_ms, referenced } => {
                [15, timer, cell, delay_ms, period_ms, u32::from(referenced)]
            }
            Record::TimerCancel { timer } => [16, timer, 0, 0, 0, 0],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_read_as_it_was_written() {
        for operation in 1..=16 {
            let words = [operation, 1, 2, 3, 4, 1];
            let record = Record::decode(words).unwrap();
            assert_eq!(Record::decode(record.encode()), Some(record));
            assert_eq!(record.encode()[0], operation);
        }
    }

    #[test]
    fn unknown_operations_and_verdicts_are_no_records() {
        assert_eq!(Record::decode([0; 6]), None);
        assert_eq!(Record::decode([17, 0, 0, 0, 0, 0]), None);
        assert_eq!(Record::decode([8, 0, 8, 0, 0, 0]), None);
    }
}
