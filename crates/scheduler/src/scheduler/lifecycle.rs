//! One cell's life: start, death, restart, stop.

use super::*;

impl Scheduler {
    /// Lets the waiting incarnation begin.
    pub(super) fn start(&mut self, id: CellId) {
        let is_supervised = self.supervisor_of(id).is_some();
        let Some(cell) = self.table.get_mut(id) else { return };
        cell.phase = Phase::Starting;
        if cell.supervision.is_some() {
            self.line_up(id);
        } else if cell.options.has_init {
            let incarnation = cell.incarnation;
            self.open_turn(id, INIT_TURN, None);
            self.effects.push_back(Effect::Init { cell: id, incarnation });
        } else {
            let is_told = cell.incarnation > 1 || is_supervised;
            self.effects.extend(is_told.then_some(Effect::Began { cell: id }));
            self.is_up(id);
        }
    }

    /// A cell has begun: its turns may run.
    pub(super) fn is_up(&mut self, id: CellId) {
        let Some(cell) = self.table.get_mut(id) else { return };
        cell.phase = Phase::Live;
        self.wake(id);
        self.tell_above(id);
    }

    /// Starts a waiting cell once neither a wait, nor a child, nor what its supervisor brings down or up stands before it.
    pub(super) fn start_when_clear(&mut self, id: CellId) {
        let waits = |cell: &Cell| cell.phase == Phase::Waiting && cell.is_down();
        if !self.table.get(id).is_some_and(waits) {
            return;
        }
        if self.stands_in_line(id) {
            self.tell_above(id);
        } else {
            self.start(id);
        }
    }

    /// The cell above may have waited for what this one has become.
    pub(super) fn tell_above(&mut self, id: CellId) {
        let Some(parent) = self.table.get(id).map(|cell| cell.parent) else { return };
        if self.table.get(parent).is_some_and(|above| above.phase != Phase::Live || above.ending.is_some()) {
            self.controls.push_back(Control::Changed(parent));
        }
    }

    /// Ends the living incarnation: its turn, asks and timers. The mailbox stays, deferred messages come back to it.
    pub(super) fn kill(&mut self, id: CellId, death: Death) {
        let Some(cell) = self.table.get_mut(id) else { return };
        let runs_turns = cell.supervision.is_none() && cell.parent != CellId::NONE;
        if !runs_turns || !matches!(cell.phase, Phase::Live | Phase::Starting) {
            return;
        }
        cell.phase = Phase::Held;
        cell.undefer();
        let incarnation = cell.incarnation;
        let ended = cell.rare.as_deref_mut().map(|rare| {
            rare.finishes = None;
            (std::mem::take(&mut rare.asks), std::mem::take(&mut rare.timers), rare.lease.take())
        });
        let (asks, timers, lease) = ended.unwrap_or_default();
        self.deadlines.cancel(lease.map(|lease| lease.key));
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
        self.recall(id);
    }

    /// The incarnation failed: restart it, or not, as its policy and windows say.
    pub(super) fn fail(&mut self, id: CellId, death: Death) {
        self.kill(id, death);
        let supervisor = self.supervisor_of(id);
        let Some(cell) = self.table.get_mut(id) else { return };
        let gone = if cell.supervision.is_some() { Gone::GaveUp } else { Gone::Failed };
        match supervisor {
            _ if cell.ending.is_some() => self.continue_end(id),
            None if cell.supervision.is_some() => {
                let parent = cell.parent;
                let is_top = self.table.get(parent).is_none_or(|above| above.parent == CellId::NONE);
                self.effects.extend(is_top.then_some(Effect::RootFailed { cell: id }));
                self.stop(id, gone);
                // A cell is linked to the supervisors that it has spawned.
                if !is_top {
                    self.fail(parent, Death::Linked);
                }
            }
            // Its worker is lost, and that is not its doing, whatever it is.
            _ if death == Death::Collateral => self.restart(id, death, 0),
            _ if cell.options.restart == Restart::Temporary => self.stop(id, gone),
            Some(above) => self.child_failed(above, id, death),
            None => match cell.rare_mut().window.allow(&RestartPolicy::default(), self.now_us) {
                Some(_) => self.restart(id, death, 0),
                None => self.stop(id, Gone::GaveUp),
            },
        }
    }

    /// An incarnation that has not begun ended, with one to which it is linked: the next one waits in its place, as long.
    pub(super) fn fail_waiting(&mut self, id: CellId, incarnation: u32) {
        let waits = |cell: &&Cell| cell.phase == Phase::Waiting && !cell.is_stopping();
        let cell = self.table.get(id).filter(|cell| cell.incarnation == incarnation).filter(waits);
        match cell.map(|cell| cell.options.restart) {
            Some(Restart::Temporary) => self.stop(id, Gone::Failed),
            Some(_) => self.renew(id, Death::Linked),
            None => {}
        }
    }

    /// A new incarnation takes the place of the dead one after a wait.
    pub(super) fn restart(&mut self, id: CellId, death: Death, delay_us: u64) {
        self.kill(id, death);
        self.renew(id, death);
        if let Some(cell) = self.table.get_mut(id).filter(|_| delay_us != 0) {
            cell.rare_mut().wait = Some(self.deadlines.arm(self.now_us + delay_us, Due::Restart(id)));
        }
        self.start_when_clear(id);
    }

    /// A new incarnation takes the place of the dead one, and waits. What a supervisor counted is forgotten.
    pub(super) fn renew(&mut self, id: CellId, death: Death) {
        let Some(cell) = self.table.get_mut(id) else { return };
        cell.phase = Phase::Waiting;
        cell.incarnation = cell.incarnation.wrapping_add(1);
        if let Some(own) = &mut cell.supervision {
            own.window = RestartWindow::default();
        }
        let incarnation = cell.incarnation;
        self.stats.restarts += 1;
        self.effects.push_back(Effect::Restarted { cell: id, incarnation, death });
        self.stop_together(id, Gone::Stopped);
    }

    /// After a conflict: a new incarnation, uncounted, and the message before all others.
    pub(super) fn redeliver(&mut self, id: CellId, incarnation: u32, message: Option<Message>) {
        let alive = self.is_alive(id, incarnation);
        if alive {
            self.kill(id, Death::Conflict);
        }
        match (self.table.get_mut(id), message) {
            (Some(cell), Some(message)) => {
                cell.put_back(message);
                self.occupy(id, message);
            }
            (None, Some(message)) => self.lose(id, message, Lost::Stopped, AskEnd::Stopped),
            (_, None) => {}
        }
        if self.table.get(id).is_some_and(|cell| cell.ending.is_some()) {
            self.continue_end(id);
        } else if alive {
            self.restart(id, Death::Conflict, 0);
        }
    }

    /// Stops the cell and all below it for good; what runs gets its signal aborted and a last while.
    pub(super) fn stop(&mut self, id: CellId, gone: Gone) {
        self.end(id, Ending::Gone(gone));
    }

    /// The cell and all below it come down, for good or for a while.
    pub(super) fn end(&mut self, id: CellId, ending: Ending) {
        let Some(cell) = self.table.get_mut(id) else { return };
        if cell.is_stopping() || cell.ending == Some(ending) {
            return;
        }
        cell.ending = Some(ending);
        if ending == Ending::Hold && cell.supervision.is_some() {
            return self.fall(id, 0, Then::Hold);
        }
        if ending != Ending::Hold {
            if let Some(own) = &mut cell.supervision {
                own.fall = None;
                self.deadlines.cancel(own.wait.take().map(|(_, key)| key));
            }
            self.credits.close(id.index());
        }
        self.cancel_wait(id);
        self.stop_together(id, ending.below());
        self.continue_end(id);
    }

    /// What is told to stop is cut short, with all below it.
    pub(super) fn cut_short(&mut self, id: CellId) {
        self.children(id).to_vec().into_iter().for_each(|child| self.cut_short(child));
        if let Some(cell) = self.table.get_mut(id) {
            cell.options.shutdown_ms = 0;
            self.continue_end(id);
        }
    }

    /// The cell is to end: now if it is idle, else when its turn is over.
    pub(super) fn finish(&mut self, id: CellId, incarnation: u32, death: Death) {
        if !self.is_alive(id, incarnation) {
            return;
        }
        let Some(cell) = self.table.get_mut(id) else { return };
        if cell.turn != Turn::None {
            cell.rare_mut().finishes = Some(death);
            self.recall(id);
        } else if death != Death::Ended
            || cell.ending.map_or(cell.options.restart == Restart::Permanent, |ending| ending == Ending::Hold)
        {
            self.fail(id, death);
        } else {
            self.stop(id, Gone::Ended);
        }
    }

    /// A turn or an `init` is over, or something below is up, down or gone: an end or a start may have waited for it.
    pub(super) fn changed(&mut self, id: CellId) {
        let Some(cell) = self.table.get(id) else { return };
        let finishes = cell.rare.as_deref().and_then(|rare| rare.finishes);
        if cell.supervision.as_ref().is_some_and(|own| own.fall.is_some()) {
            self.continue_fall(id);
        } else if cell.ending.is_some() {
            self.continue_end(id);
        } else if let Some(death) = finishes.filter(|_| cell.turn == Turn::None) {
            self.finish(id, cell.incarnation, death);
        } else if cell.supervision.is_some() && cell.phase == Phase::Starting {
            self.rise(id);
        } else if cell.phase == Phase::Waiting {
            self.start_when_clear(id);
        }
    }

    /// Children first, in reverse order of their start; then the turn; then the cell.
    fn continue_end(&mut self, id: CellId) {
        let Some(ending) = self.table.get(id).and_then(|cell| cell.ending) else { return };
        if !self.stop_children(id, ending.below()) || !self.recall(id) {
            return;
        }
        let Some(cell) = self.table.get(id) else { return };
        if cell.turn == Turn::None || cell.options.shutdown_ms == 0 {
            self.come_down(id);
        } else {
            self.hasten_turn(id);
        }
    }

    /// It has come down as it should.
    pub(super) fn come_down(&mut self, id: CellId) {
        match self.table.get(id).and_then(|cell| cell.ending) {
            Some(Ending::Gone(gone)) => self.remove(id, gone),
            Some(Ending::Hold) => {
                self.kill(id, Death::Supervisor);
                if let Some(cell) = self.table.get_mut(id) {
                    cell.ending = None;
                    // A supervisor that had started counts anew.
                    cell.phase = if cell.supervision.is_some() { Phase::Held } else { cell.phase };
                }
                #[cfg(not(karyon_broken = "fall"))]
                self.tell_above(id);
            }
            None => {}
        }
    }

    /// Children among whom there is no order stop all at once: those of a cell, and those of one kind.
    fn stop_together(&mut self, id: CellId, gone: Gone) {
        let own = self.table.supervision_mut(id);
        if own.is_none_or(|own| own.policy.strategy == Strategy::SimpleOneForOne) {
            self.children(id).to_vec().into_iter().rev().for_each(|child| self.stop(child, gone));
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
        self.names.release(&cell, id);
        let waiters = cell.rare.map(|rare| rare.waiters).unwrap_or_default();
        for message in cell.mailbox.into_iter().chain(waiters) {
            self.lose(id, message, Lost::Stopped, AskEnd::Stopped);
        }
        self.effects.push_back(Effect::Gone { cell: id, gone });
        let parent = cell.parent;
        // It has no place any more, and is passed over as one of those before it.
        let at = self.children(parent).partition_point(|child| self.place(*child) < cell.options.place);
        if let Some(rare) = self.table.get_mut(parent).and_then(|above| above.rare.as_deref_mut()) {
            let found = at.checked_sub(1).filter(|at| rare.children[*at] == id);
            // Children of one place, or that were started before the count of all came round.
            let found = found.or_else(|| rare.children.iter().rposition(|child| *child == id));
            found.map(|at| rare.children.remove(at));
            self.controls.push_back(Control::Changed(parent));
        }
        self.keep_place(parent, &cell.options);
        let by_itself = cell.options.significant && matches!(gone, Gone::Ended | Gone::Failed | Gone::GaveUp);
        if let Some(above) = self.table.get(parent).filter(|above| by_itself && self.shuts_down(above)) {
            self.controls.push_back(Control::ShutDown(parent, above.incarnation));
        }
    }
}
