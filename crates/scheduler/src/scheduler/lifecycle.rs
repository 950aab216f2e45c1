//! One cell's life: start, death, restart, stop.

use super::*;

impl Scheduler {
    /// Lets the waiting incarnation begin.
    pub(super) fn start(&mut self, id: CellId) {
        let Some(cell) = self.table.get_mut(id) else { return };
        if !cell.options.has_init {
            cell.phase = Phase::Live;
            self.wake(id);
            return;
        }
        cell.phase = Phase::Starting;
        let incarnation = cell.incarnation;
        self.open_turn(id, INIT_TURN, None);
        self.effects.push_back(Effect::Init { cell: id, incarnation });
    }

    /// Starts a waiting cell once neither a wait nor a child stands before it.
    pub(super) fn start_when_clear(&mut self, id: CellId) {
        let clear = self.stop_children(id, Gone::Stopped);
        if clear && self.table.get(id).is_some_and(|cell| cell.phase == Phase::Waiting(None)) {
            self.start(id);
        }
    }

    /// Ends the living incarnation: its turn, asks and timers. The mailbox stays, deferred messages come back to it.
    pub(super) fn kill(&mut self, id: CellId, death: Death) {
        let Some(cell) = self.table.get_mut(id) else { return };
        let runs_turns = cell.supervision.is_none() && cell.parent.is_some();
        if !runs_turns || !matches!(cell.phase, Phase::Live | Phase::Starting) {
            return;
        }
        cell.phase = Phase::Held;
        cell.undefer();
        let incarnation = cell.incarnation;
        let ended = cell.rare.as_deref_mut().map(|rare| {
            rare.stop_self = false;
            (std::mem::take(&mut rare.asks), std::mem::take(&mut rare.timers))
        });
        let (asks, timers) = ended.unwrap_or_default();
        self.effects.push_back(Effect::Died { cell: id, incarnation, death });
        if let Some(message) = self.close_turn(id).and_then(|open| open.message) {
            let end = if death == Death::Timeout { AskEnd::TurnTimeout } else { AskEnd::LostInTurn };
            self.lose(id, message, Lost::InTurn, end);
        }
        for slot in asks {
            self.settle_ask(slot, AskEnd::AskerDead);
        }
        for timer in timers {
            self.cancel_timer(timer);
            self.effects.push_back(Effect::TimerOver { timer });
        }
    }

    /// The incarnation failed: restart it, or not, as its policy and windows say.
    pub(super) fn fail(&mut self, id: CellId, death: Death) {
        self.kill(id, death);
        let Some(cell) = self.table.get(id) else { return };
        if cell.stop.is_some() {
            self.continue_stop(id);
        } else if cell.options.restart == Restart::Temporary {
            self.stop(id, Gone::Failed);
        } else {
            self.restart_if_allowed(id, death);
        }
    }

    /// A new incarnation takes the place of the dead one after a wait.
    pub(super) fn restart(&mut self, id: CellId, death: Death, delay_us: u64) {
        self.kill(id, death);
        let wait = (delay_us != 0).then(|| self.deadlines.arm(self.now_us + delay_us, Due::Restart(id)));
        let Some(cell) = self.table.get_mut(id) else { return };
        cell.phase = Phase::Waiting(wait);
        cell.incarnation = cell.incarnation.wrapping_add(1);
        let incarnation = cell.incarnation;
        self.stats.restarts += 1;
        self.effects.push_back(Effect::Restarted { cell: id, incarnation, death });
        self.start_when_clear(id);
    }

    /// After a conflict: a new incarnation, uncounted, and the message before all others.
    pub(super) fn redeliver(&mut self, id: CellId, incarnation: u32, message: Option<Message>) {
        let alive = self.is_alive(id, incarnation);
        if alive {
            self.kill(id, Death::Conflict);
        }
        match (self.table.get_mut(id), message) {
            (Some(cell), Some(message)) => {
                cell.mailbox.push_front(message);
                self.occupy(id, 1);
            }
            (None, Some(message)) => self.lose(id, message, Lost::Stopped, AskEnd::Stopped),
            (_, None) => {}
        }
        if self.is_stopping(id) {
            self.continue_stop(id);
        } else if alive {
            self.restart(id, Death::Conflict, 0);
        }
    }

    /// Stops the cell and all below it; what runs gets its signal aborted and a last while.
    pub(super) fn stop(&mut self, id: CellId, gone: Gone) {
        let Some(cell) = self.table.get_mut(id) else { return };
        if cell.stop.is_some() {
            return;
        }
        cell.stop = Some(gone);
        self.credits.set(id.index(), CLOSED);
        if let Phase::Waiting(wait) = &mut cell.phase {
            self.deadlines.cancel(wait.take());
        }
        self.continue_stop(id);
    }

    /// The cell wants to end: now if it is idle, else when its turn is over.
    pub(super) fn stop_self(&mut self, id: CellId, incarnation: u32) {
        if !self.is_alive(id, incarnation) {
            return;
        }
        let Some(cell) = self.table.get_mut(id) else { return };
        if cell.turn != Turn::None {
            cell.rare_mut().stop_self = true;
        } else if cell.options.restart == Restart::Permanent && cell.stop.is_none() {
            self.fail(id, Death::Ended);
        } else {
            self.stop(id, Gone::Stopped);
        }
    }

    /// A turn or an `init` is over: a stop may have waited for it.
    pub(super) fn turn_over(&mut self, id: CellId) {
        let Some(cell) = self.table.get(id) else { return };
        if cell.turn != Turn::None {
            return;
        }
        if cell.stop.is_some() {
            self.continue_stop(id);
        } else if cell.rare.as_deref().is_some_and(|rare| rare.stop_self) {
            self.stop_self(id, cell.incarnation);
        }
    }

    /// A child is gone: a stop or a start may have waited for it.
    pub(super) fn child_gone(&mut self, id: CellId) {
        let Some(cell) = self.table.get(id) else { return };
        if cell.stop.is_some() {
            self.continue_stop(id);
        } else if cell.supervision.is_none() && matches!(cell.phase, Phase::Waiting(_)) {
            self.start_when_clear(id);
        } else if cell.phase == Phase::Held {
            self.stop_children(id, Gone::Stopped);
        }
    }

    /// Children first, in reverse order of their start; then the turn; then the cell.
    pub(super) fn continue_stop(&mut self, id: CellId) {
        let Some(gone) = self.table.get(id).and_then(|cell| cell.stop) else { return };
        let below = if gone == Gone::Stopped { Gone::Stopped } else { Gone::SupervisorGaveUp };
        if !self.stop_children(id, below) {
            return;
        }
        let Some(cell) = self.table.get(id) else { return };
        if cell.turn == Turn::None {
            self.remove(id, gone);
        } else {
            self.hasten_turn(id);
        }
    }

    /// Stops children from the last to the first, each when the one after it is gone. True when none is left.
    pub(super) fn stop_children(&mut self, id: CellId, gone: Gone) -> bool {
        while let Some(child) = self.table.get(id).and_then(|cell| cell.last_child()) {
            self.stop(child, gone);
            if self.table.get(child).is_some() {
                return false;
            }
        }
        true
    }

    fn remove(&mut self, id: CellId, gone: Gone) {
        self.kill(id, Death::Stop);
        let Some(cell) = self.table.remove(id) else { return };
        let waiters = cell.rare.map(|rare| rare.waiters).unwrap_or_default();
        for message in cell.mailbox.into_iter().chain(waiters) {
            self.lose(id, message, Lost::Stopped, AskEnd::Stopped);
        }
        self.effects.push_back(Effect::Gone { cell: id, gone });
        let Some(parent) = cell.parent else { return };
        if let Some(rare) = self.table.get_mut(parent).and_then(|above| above.rare.as_deref_mut()) {
            rare.names.release(&cell.name);
            // From the end: an ordered stop takes the last first.
            if let Some(place) = rare.children.iter().rposition(|&child| child == id) {
                rare.children.remove(place);
            }
            self.controls.push_back(Control::ChildGone(parent));
        }
    }
}
