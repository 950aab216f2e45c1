//! One cell or supervisor as data.

use crate::deadlines::DeadlineKey;
use crate::limits::FLIGHT_MAX;
use crate::restart::RestartWindow;
use crate::{CellId, CellOptions, Death, Gone, SupervisorPolicy};
use std::collections::{BTreeSet, VecDeque};

/// A message as the scheduler sees it: where the host keeps its payload, and how often it was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// The host's slot. It stays taken until the message has its outcome and its ask, if any, is settled.
    pub slot: u32,
    /// How often it was delivered again after a conflict.
    pub redeliveries: u8,
    /// It goes before all that are not, and takes no room in the mailbox.
    pub control: bool,
    /// It is never dropped to make room.
    pub owed: bool,
    /// The host of a remote cell has it.
    pub handed: bool,
}

impl Message {
    pub fn new(slot: u32) -> Self {
        Message { slot, redeliveries: 0, control: false, owed: false, handed: false }
    }
}

/// Where an incarnation stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// `init` is to run or runs; messages wait. Of a supervisor: children of it come down to come up again, or come up, one after the other.
    Starting,
    /// Turns may run; all children are up.
    #[default]
    Live,
    /// The next incarnation starts when the wait, if any ([`Rare::wait`]), and all children are over, and its supervisor's turn has come to it.
    Waiting,
    /// The last incarnation is dead; the next one begins when the supervisor above starts it.
    Held,
}

/// How a cell and all below it come down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// For a while: its supervisor starts it again. Its mailbox stays.
    Hold,
    /// For good.
    Gone(Gone),
}

impl Ending {
    /// What becomes of those below.
    pub fn below(self) -> Gone {
        match self {
            Ending::Gone(Gone::Failed | Gone::GaveUp | Gone::SupervisorGaveUp) => Gone::SupervisorGaveUp,
            _ => Gone::Stopped,
        }
    }
}

/// What runs now.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Nothing.
    #[default]
    None,
    /// Messages of the current batch.
    Issued,
    /// A turn or an `init` that returned a promise, or an `init` that was not answered yet.
    Open(Box<OpenTurn>),
}

/// A turn between its return and its settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpenTurn {
    /// The host's number, or `INIT_TURN`.
    pub number: u32,
    /// `None` for an `init`.
    pub message: Option<Message>,
    /// Its time limit, or the end of its grace.
    pub deadline: Option<DeadlineKey>,
    /// Its time limit passed and its signal was aborted.
    pub late: bool,
    /// It was told that the cell stops.
    pub stopping: bool,
}

/// What a supervisor has beyond a cell.
#[derive(Debug, Default)]
pub(crate) struct Supervision {
    pub policy: SupervisorPolicy,
    pub window: RestartWindow,
    /// The place of the next child.
    pub next_place: u32,
    pub fall: Option<Fall>,
    /// Children that are to come up, by place, each when the static one before it is up.
    pub rise: VecDeque<(u32, CellId)>,
    /// Those from this place on wait for this first.
    pub wait: Option<(u32, DeadlineKey)>,
    /// Places of children that are gone and whose specification stays.
    pub vacant: BTreeSet<u32>,
    /// Those of them that are to come up again: whoever stands behind waits until the host has said who takes them.
    pub due: BTreeSet<u32>,
}

/// Children of a supervisor come down, the last one first.
#[derive(Debug)]
pub(crate) struct Fall {
    /// The place of the first that does.
    pub from: u32,
    /// Those that are still to, ascending.
    pub left: Vec<CellId>,
    pub then: Then,
}

/// What follows when they are down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// They are started again, after so many microseconds.
    Rise(u64),
    /// The supervisor has failed in this way.
    Fail(Death),
    /// The supervisor above goes on.
    Hold,
}

impl Then {
    /// Of two, the one that weighs more is what follows: the longer wait, and rather a failure.
    pub fn weight(self) -> (u8, u64) {
        match self {
            Then::Rise(delay_us) => (0, delay_us),
            Then::Fail(_) => (1, 0),
            Then::Hold => (2, 0),
        }
    }
}

/// What few cells have, or only for a while.
#[derive(Debug, Default)]
pub(crate) struct Rare {
    /// In the order of their start.
    pub children: Vec<CellId>,
    /// What its next incarnation waits for.
    pub wait: Option<DeadlineKey>,
    pub deferred: VecDeque<Message>,
    /// Something was deferred since its behaviour last changed, whatever became of it: a remote cell begins nothing then until it was asked.
    pub put_aside: bool,
    /// Deliveries that wait for room.
    pub waiters: VecDeque<Message>,
    /// Open asks that this incarnation made, by slot.
    pub asks: BTreeSet<u32>,
    /// Armed timers of this incarnation.
    pub timers: BTreeSet<u32>,
    /// Its own failures: for its window where nobody else counts, and for the growth of its waits.
    pub window: RestartWindow,
    /// It begins no turn any more, and ends so when the one that runs is over.
    pub finishes: Option<Death>,
    pub lease: Option<Lease>,
    /// Of a remote cell: what its host was handed and has no outcome, in order; but for the message whose turn goes on.
    pub flight: VecDeque<Message>,
    /// The host was asked for it back.
    pub recalled: bool,
}

/// A lease that runs: past its period the incarnation is warned, half a period later it begins no turn any more, another half later it
/// is dead.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lease {
    /// When the next of these is due.
    pub key: DeadlineKey,
    pub period_ms: u32,
    /// How many of them were.
    pub steps: u32,
}

/// Small, for a million of them: what few need is in a box.
#[derive(Debug, Default)]
pub(crate) struct Cell {
    /// Those of control first.
    pub mailbox: VecDeque<Message>,
    pub turn: Turn,
    pub phase: Phase,
    /// It stands in the ready queue.
    pub queued: bool,
    /// No turn begins until somebody says otherwise.
    pub paused: bool,
    pub options: CellOptions,
    pub incarnation: u32,
    pub depth: u32,
    /// The root has none.
    pub parent: CellId,
    /// Of its handle.
    pub generation: u16,
    pub name: Box<str>,
    /// It comes down.
    pub ending: Option<Ending>,
    pub supervision: Option<Box<Supervision>>,
    pub rare: Option<Box<Rare>>,
}

impl Cell {
    /// For those who add; those who only look allocate nothing.
    pub fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// It was told to stop for good.
    pub fn is_stopping(&self) -> bool {
        matches!(self.ending, Some(Ending::Gone(_)))
    }

    /// Nothing of it runs, and it waits for its supervisor.
    pub fn is_down(&self) -> bool {
        let falls = self.supervision.as_ref().map_or(self.last_child().is_some(), |own| own.fall.is_some());
        let recalled = self.rare.as_deref().is_some_and(|rare| rare.recalled);
        let waits = self.rare.as_deref().is_some_and(|rare| rare.wait.is_some());
        self.ending.is_none()
            && !falls
            && !recalled
            && (self.phase == Phase::Held || self.phase == Phase::Waiting && !waits)
    }

    /// How many messages, the first ones, are of control.
    pub fn controls(&self) -> usize {
        self.mailbox.partition_point(|message| message.control)
    }

    /// Something may be started below: it does not come down, not even to fail once all below has; and there is an incarnation to which
    /// it would belong.
    pub fn takes_children(&self) -> bool {
        let lives = matches!(self.phase, Phase::Starting | Phase::Live);
        let stays = self
            .supervision
            .as_ref()
            .map_or(lives, |own| own.fall.as_ref().is_none_or(|fall| matches!(fall.then, Then::Rise(_))));
        self.ending.is_none() && stays
    }

    pub fn last_child(&self) -> Option<CellId> {
        self.rare.as_deref().and_then(|rare| rare.children.last().copied())
    }

    /// Messages that count against the limit of the mailbox.
    pub fn depth_of_mailbox(&self) -> usize {
        let waiting = self.mailbox.len() - self.controls();
        let handed = |rare: &Rare| rare.flight.iter().filter(|message| !message.control).count();
        waiting + self.rare.as_deref().map_or(0, |rare| rare.deferred.len() + handed(rare))
    }

    /// How many messages may be issued to a remote cell now. One that drops its oldest message keeps all but one here, to drop.
    pub fn window(&self) -> usize {
        let most = if self.options.drop_oldest { 1 } else { FLIGHT_MAX };
        match self.rare.as_deref() {
            Some(rare) if rare.recalled => 0,
            Some(rare) => most.saturating_sub(rare.flight.len()),
            None => most,
        }
    }

    /// The last messages of the flight were not handed over: they stand where they stood.
    pub fn take_back(&mut self, messages: usize) {
        let Some(rare) = self.rare.as_deref_mut() else { return };
        let back = rare.flight.split_off(rare.flight.len().saturating_sub(messages));
        back.into_iter().rev().for_each(|message| self.put_first(message));
    }

    /// A turn may begin now.
    pub fn is_runnable(&self) -> bool {
        self.phase == Phase::Live
            && if self.options.remote { self.window() > 0 } else { self.turn == Turn::None }
            && self.ending.is_none()
            && !self.paused
            && !self.mailbox.is_empty()
            && !self.is_quiescent()
    }

    /// It begins no turn any more: it is about to end, or its lease has run out.
    pub fn is_quiescent(&self) -> bool {
        let rare = self.rare.as_deref();
        rare.is_some_and(|rare| rare.finishes.is_some() || rare.lease.is_some_and(|lease| lease.steps > 1))
    }

    /// Brings a message back to where it came from: before all others of its class, and before those that a host still has.
    pub fn put_back(&mut self, message: Message) {
        let message = Message { handed: false, ..message };
        if let Some(rare) = self.rare.as_deref_mut().filter(|rare| !rare.flight.is_empty()) {
            return rare.flight.push_front(message);
        }
        self.put_first(message);
    }

    fn put_first(&mut self, message: Message) {
        let at = if message.control { 0 } else { self.controls() };
        self.mailbox.insert(at, message);
    }

    /// Takes the oldest message that counts against the limit.
    pub fn take_oldest(&mut self) -> Option<Message> {
        let droppable = |message: &Message| !message.control && !message.owed;
        let drop = |from: &mut VecDeque<Message>| from.remove(from.iter().position(droppable)?);
        drop(&mut self.mailbox).or_else(|| drop(&mut self.rare.as_deref_mut()?.deferred))
    }

    /// Deferred messages come back, before all others, in their order. They counted all the time.
    pub fn undefer(&mut self) {
        let Some(rare) = self.rare.as_deref_mut() else { return };
        rare.put_aside = false;
        for message in std::mem::take(&mut rare.deferred).into_iter().rev() {
            self.put_back(message);
        }
    }
}
