//! One cell or supervisor as data.

use crate::deadlines::DeadlineKey;
use crate::effect::Gone;
use crate::id::CellId;
use crate::message::Message;
use crate::names::LastNumbers;
use crate::restart::{Restart, RestartPolicy, RestartWindow};
use std::collections::{BTreeSet, VecDeque};

/// Where an incarnation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// `init` is to run or runs; messages wait.
    Starting,
    /// Turns may run.
    Live,
    /// The last incarnation is dead; the next starts when the wait, if any, and all children are over.
    Waiting(Option<DeadlineKey>),
    /// The last incarnation is dead; the next starts when the supervisor above starts again.
    Held,
}

/// What runs now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Nothing.
    None,
    /// Messages of the current batch.
    Issued,
    /// A turn or an `init` that returned a promise, or an `init` that was not answered yet.
    Open(OpenTurn),
}

/// A turn between its return and its settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpenTurn {
    /// The host's number.
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
#[derive(Debug)]
pub(crate) struct Supervision {
    pub policy: RestartPolicy,
    pub window: RestartWindow,
}

/// What few cells have, or only for a while.
#[derive(Debug, Default)]
pub(crate) struct Rare {
    /// In the order of their start.
    pub children: Vec<CellId>,
    pub last_numbers: LastNumbers,
    pub deferred: VecDeque<Message>,
    /// Deliveries that wait for room.
    pub waiters: VecDeque<Message>,
    /// Open asks that this incarnation made, by slot.
    pub asks: BTreeSet<u32>,
    /// Armed timers of this incarnation.
    pub timers: BTreeSet<u32>,
    /// Its own failures: for its window where nobody else counts, and for the growth of its waits.
    pub window: RestartWindow,
    /// It wants to stop when its turn is over.
    pub stop_self: bool,
}

#[derive(Debug)]
pub(crate) struct Cell {
    pub mailbox: VecDeque<Message>,
    pub turn: Turn,
    pub phase: Phase,
    /// It stands in the ready queue.
    pub queued: bool,
    pub restart: Restart,
    pub has_init: bool,
    pub mailbox_limit: u32,
    pub turn_timeout_ms: u32,
    pub incarnation: u32,
    pub depth: u32,
    pub parent: Option<CellId>,
    pub name: Box<str>,
    /// Why it will be gone, once it is told to stop.
    pub stop: Option<Gone>,
    pub supervision: Option<Box<Supervision>>,
    rare: Option<Box<Rare>>,
}

impl Cell {
    pub fn new(parent: Option<CellId>, name: Box<str>, depth: u32) -> Self {
        Cell {
            mailbox: VecDeque::new(),
            turn: Turn::None,
            phase: Phase::Live,
            queued: false,
            restart: Restart::Transient,
            has_init: false,
            mailbox_limit: 0,
            turn_timeout_ms: 0,
            incarnation: 1,
            depth,
            parent,
            name,
            stop: None,
            supervision: None,
            rare: None,
        }
    }

    pub fn rare(&self) -> Option<&Rare> {
        self.rare.as_deref()
    }

    /// For those who would look only: allocates nothing.
    pub fn rare_if_any(&mut self) -> Option<&mut Rare> {
        self.rare.as_deref_mut()
    }

    /// For those who add.
    pub fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    pub fn last_child(&self) -> Option<CellId> {
        self.rare().and_then(|rare| rare.children.last().copied())
    }

    /// Messages that count against the limit of the mailbox.
    pub fn depth_of_mailbox(&self) -> usize {
        self.mailbox.len() + self.rare().map_or(0, |rare| rare.deferred.len())
    }

    /// A turn may begin now.
    pub fn is_runnable(&self) -> bool {
        self.phase == Phase::Live
            && self.turn == Turn::None
            && self.stop.is_none()
            && !self.mailbox.is_empty()
            && !self.rare().is_some_and(|rare| rare.stop_self)
    }

    /// Deferred messages come back, before all others, in their order. They counted all the time.
    pub fn undefer(&mut self) {
        let Some(rare) = self.rare.as_deref_mut() else { return };
        while let Some(message) = rare.deferred.pop_back() {
            self.mailbox.push_front(message);
        }
    }
}
