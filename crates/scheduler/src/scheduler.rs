//! The state, and the round that moves it.

mod admission;
mod asking;
mod due;
mod flight;
mod lifecycle;
mod spawn;
mod supervision;
mod timers;
mod turns;

use crate::cell::{Cell, Ending, Fall, Lease, Message, OpenTurn, Phase, Rare, Supervision, Then, Turn};
use crate::deadlines::{DeadlineKey, Deadlines};
use crate::limits::*;
use crate::names::Names;
use crate::record::UNKNOWN_TURN;
use crate::restart::{Random, RestartWindow};
use crate::table::Table;
use crate::{
    AskEnd, AutoShutdown, CLOSED, CellId, Class, Credits, Death, Effect, Gone, INIT_TURN, Lost, NO_TURN,
    Record, Restart, RestartPolicy, Strategy, SupervisorPolicy, Taken, Verdict,
};
use asking::Ask;
pub(crate) use due::Due;
use karyon_model::require;
pub use spawn::CellOptions;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use timers::Timer;
use turns::Run;

/// A message to run now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Issue {
    /// By whom.
    pub cell: CellId,
    /// Which.
    pub slot: u32,
}

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

/// What must not happen while records are read; it is done once all of them are.
#[derive(Clone, Copy, Debug)]
enum Control {
    /// The incarnation failed in this way.
    Fail(CellId, u32, Death),
    /// The incarnation met a conflict; the message, if it has attempts left.
    Redeliver(CellId, u32, Option<Message>),
    /// And whether its turns and those below are cut short.
    Stop(CellId, bool),
    /// The incarnation ends in this way once its turn is over.
    Finish(CellId, u32, Death),
    /// A turn is over, or something below is up, down or gone, for which the cell may have waited.
    Changed(CellId),
    /// Deferred messages of a remote cell come back.
    Recall(CellId),
    /// Children of the incarnation that count have ended by themselves.
    ShutDown(CellId, u32),
}

/// Cells, their mailboxes and who restarts them. See the crate for how it is driven.
#[derive(Debug, Default)]
pub struct Scheduler {
    table: Table,
    names: Names,
    credits: Arc<Credits>,
    pub(crate) ready: VecDeque<CellId>,
    /// The buffer of a mailbox that was long and is empty.
    spare: VecDeque<Message>,
    batch: Vec<(CellId, u32, Message)>,
    runs: Vec<Run>,
    /// By slot; the timers by number. Looked up, never walked.
    asks: HashMap<u32, Ask>,
    deadlines: Deadlines,
    timers: HashMap<u32, Timer>,
    controls: VecDeque<Control>,
    pub(crate) effects: VecDeque<Effect>,
    random: Random,
    /// Cells that were started so far; it may come round.
    spawned: u32,
    /// Cells have their turns in an order that chance gives.
    shuffled: bool,
    root: CellId,
    now_us: u64,
    shortest_cpu_us: Option<u64>,
    /// Cells of which the host was told since the last step that they are gone.
    gone: Vec<CellId>,
    stats: Stats,
}

impl Scheduler {
    /// A scheduler with nothing but a root. All chance follows from the seed.
    ///
    /// ```
    /// use karyon_scheduler::{CellOptions, Class, Record, Scheduler};
    /// let mut scheduler = Scheduler::new(7);
    /// let cell = scheduler.spawn(scheduler.root(), "alice", false, CellOptions::default(), None)?;
    /// scheduler.credits().take(cell.index());
    /// scheduler.take(Record::Send { cell, slot: 0, class: Class::User })?;
    /// scheduler.step(0, 0);
    /// assert_eq!(scheduler.issue().map(|issue| issue.slot).collect::<Vec<_>>(), [0]);
    /// scheduler.step(1_000, 1); // the one message was run, and nothing else was reported: it ended
    /// assert_eq!(scheduler.stats().ended, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(seed: u64) -> Self {
        let root = Cell { name: "root".into(), incarnation: 1, parent: CellId::NONE, ..Cell::default() };
        let mut scheduler = Scheduler { random: Random(seed), ..Scheduler::default() };
        scheduler.root = scheduler.table.insert(root);
        scheduler
    }

    /// The same, but cells that are ready have their turns in any order, as chance has it: what must not hang on their order shows here.
    #[must_use]
    pub fn shuffled(self) -> Self {
        Scheduler { shuffled: true, ..self }
    }

    /// The supervisor above all others.
    pub fn root(&self) -> CellId {
        self.root
    }

    /// The words from which senders take.
    pub fn credits(&self) -> &Arc<Credits> {
        &self.credits
    }

    /// Counts since the start.
    pub fn stats(&self) -> Stats {
        Stats {
            cells: (self.table.len() as u64).saturating_sub(1),
            asks: self.asks.len() as u64,
            ..self.stats
        }
    }

    /// Messages that take room in a cell's mailbox: those that wait and those that are deferred.
    pub fn mailbox_len(&self, cell: CellId) -> Option<usize> {
        self.table.get(cell).map(Cell::depth_of_mailbox)
    }

    /// The cell was told to stop and is not gone yet.
    pub fn is_stopping(&self, cell: CellId) -> bool {
        self.table.get(cell).is_some_and(Cell::is_stopping)
    }

    /// When the next thing falls due, in microseconds of the host's clock.
    pub fn next_due_us(&self) -> Option<u64> {
        self.deadlines.next_us()
    }

    /// Takes one record. No cell dies here.
    pub fn take(&mut self, record: Record) -> Taken {
        match record {
            Record::Send { cell, slot, class: Class::User } => self.send(cell, Message::new(slot)),
            Record::Send { cell, slot, class: Class::Control } => self.send_control(cell, slot),
            Record::Send { cell, slot, class: Class::Owed } => self.send_owed(cell, slot),
            Record::Ask { cell, slot, asker, turn, timeout_ms } => {
                self.ask(cell, slot, asker, turn, timeout_ms);
            }
            Record::Deliver { cell, slot } => self.deliver(cell, slot),
            Record::Withdraw { cell, slot } => self.withdraw(cell, slot),
            Record::Abandon { slot } => self.settle_ask(slot, AskEnd::Abandoned),
            Record::Reply { slot } => self.settle_ask(slot, AskEnd::Replied),
            Record::Async { position, turn } => self.turn_went_async(position, turn)?,
            Record::Result { position, verdict } => self.turn_result(position, verdict)?,
            Record::Settled { cell, turn, verdict } => self.turn_settled(cell, turn, verdict)?,
            Record::Inited { cell, incarnation, verdict } => self.init_settled(cell, incarnation, verdict),
            Record::Fail { cell, incarnation, death } => {
                self.controls.push_back(Control::Fail(cell, incarnation, death));
            }
            Record::Stop { cell, kill } => self.controls.push_back(Control::Stop(cell, kill)),
            Record::Finish { cell, incarnation, death } => {
                self.controls.push_back(Control::Finish(cell, incarnation, death));
            }
            Record::TimerSet { timer, cell, delay_ms, period_ms, referenced } => {
                self.set_timer(timer, cell, [delay_ms, period_ms], referenced)?;
            }
            Record::TimerCancel { timer } => self.cancel_timer(timer),
            Record::Adopt { cell, slot } => self.adopt_message(cell, slot)?,
            Record::Lease { cell, incarnation, period_ms } => self.set_lease(cell, incarnation, period_ms),
            Record::Pause { cell, paused } => {
                if let Some(cell) = self.table.get_mut(cell) {
                    cell.paused = paused;
                }
                if paused {
                    self.recall(cell);
                }
                self.wake(cell);
            }
            Record::Opened { cell, slot, turn } => self.flight_opened(cell, slot, turn),
            Record::Out { cell, slot, verdict } => self.flight_out(cell, slot, verdict),
            Record::Recalled { cell, slot } => self.flight_recalled(cell, slot),
            Record::Refund { cell } => self.release(cell),
            Record::Vacant { cell, place, forget } => self.leave_vacant(cell, place, forget),
        }
        Ok(())
    }

    /// Messages to idle cells that the host ran without them being issued, and that ended: all there is to say of them.
    pub fn count_ended(&mut self, messages: u64) {
        self.stats.sent += messages;
        self.stats.ended += messages;
    }

    /// What time it is, before records are taken: deadlines that they set count from now, not from the last round, which may lie
    /// far back when nothing happened since.
    pub fn tell_time(&mut self, now_us: u64) {
        self.now_us = self.now_us.max(now_us);
    }

    /// Ends the batch that was out, of which the host got through `ran` messages; then failures, stops, deadlines.
    pub fn step(&mut self, now_us: u64, ran: usize) {
        self.tell_time(now_us);
        // What the host had said to them before it knew has been answered behind their end, and before this.
        self.effects.extend(self.gone.drain(..).map(|cell| Effect::Forgotten { cell }));
        self.conclude(ran);
        self.run_controls();
        while let Some(due) = self.deadlines.pop_due(self.now_us) {
            self.fall_due(due);
            self.run_controls();
        }
    }

    /// What happened since it was last asked, oldest first. The place of a cell is used again once it was told that it is forgotten.
    pub fn effects(&mut self) -> impl Iterator<Item = Effect> + '_ {
        std::iter::from_fn(|| {
            let effect = self.effects.pop_front();
            match effect {
                Some(Effect::Gone { cell, .. }) => self.gone.push(cell),
                Some(Effect::Forgotten { cell }) => self.table.free(cell),
                _ => {}
            }
            effect
        })
    }

    fn run_controls(&mut self) {
        while let Some(control) = self.controls.pop_front() {
            match control {
                Control::Fail(cell, incarnation, death) if self.is_alive(cell, incarnation) => {
                    self.fail(cell, death);
                }
                Control::Fail(cell, incarnation, Death::Linked) => self.fail_waiting(cell, incarnation),
                Control::Fail(..) => {}
                Control::Redeliver(cell, incarnation, message) => self.redeliver(cell, incarnation, message),
                Control::Stop(cell, kill) => {
                    // First, so that no turn is told to hurry: what it still did might be committed.
                    if kill {
                        self.cut_short(cell);
                    }
                    self.stop(cell, Gone::Stopped);
                }
                Control::Finish(cell, incarnation, death) => self.finish(cell, incarnation, death),
                Control::Changed(cell) => self.changed(cell),
                Control::Recall(cell) => self.recall_deferred(cell),
                Control::ShutDown(cell, incarnation) => self.shut_down(cell, incarnation),
            }
        }
    }

    /// The incarnation lives: its turns may run and what it does counts.
    fn is_alive(&self, cell: CellId, incarnation: u32) -> bool {
        self.table.get(cell).is_some_and(|cell| {
            cell.incarnation == incarnation && matches!(cell.phase, Phase::Live | Phase::Starting)
        })
    }

    /// Whose turn it is.
    fn next_ready(&mut self) -> Option<CellId> {
        let at = if self.shuffled { self.random.next() as usize % self.ready.len().max(1) } else { 0 };
        self.ready.remove(at)
    }

    /// Puts the cell into the ready queue if a turn may begin and it is not there yet.
    fn wake(&mut self, id: CellId) {
        if let Some(cell) = self.table.get_mut(id)
            && !cell.queued
            && cell.is_runnable()
        {
            cell.queued = true;
            self.ready.push_back(id);
        }
    }
}
