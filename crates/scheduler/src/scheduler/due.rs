//! What to do when something falls due.

use super::*;

/// Things that wait for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// A timer of a cell.
    Timer(u32),
    /// The patience of an asker.
    Ask(u32),
    /// The time limit of a turn.
    Turn(CellId),
    /// What a turn may take after its limit.
    TurnGrace(CellId),
    /// What a turn may take after its cell was told to stop.
    StopGrace(CellId),
    /// The wait before a restart.
    Restart(CellId),
    /// The lease of an incarnation, or what follows when it has run out.
    Lease(CellId),
}

impl Scheduler {
    pub(super) fn fall_due(&mut self, due: Due) {
        match due {
            Due::Timer(timer) => self.timer_due(timer),
            Due::Ask(slot) => self.settle_ask(slot, AskEnd::Timeout),
            Due::Turn(cell) => self.turn_is_late(cell),
            Due::TurnGrace(cell) => self.fail(cell, Death::Timeout),
            Due::StopGrace(cell) => self.come_down(cell),
            Due::Restart(cell) => self.restart_due(cell),
            Due::Lease(cell) => self.lease_due(cell),
        }
    }

    /// Arms a deadline, in milliseconds from now.
    pub(super) fn arm_in(&mut self, delay_ms: u32, due: Due) -> DeadlineKey {
        self.deadlines.arm(self.now_us + u64::from(delay_ms) * 1_000, due)
    }

    /// The open turn has this long from now, whatever it had before.
    pub(super) fn limit_turn(&mut self, id: CellId, limit_ms: u32, due: Due) {
        let key = self.arm_in(limit_ms, due);
        let Some(Turn::Open(turn)) = self.table.get_mut(id).map(|cell| &mut cell.turn) else { return };
        self.deadlines.cancel(turn.deadline.replace(key));
    }

    fn turn_is_late(&mut self, id: CellId) {
        let Some(Turn::Open(turn)) = self.table.get_mut(id).map(|cell| &mut cell.turn) else { return };
        turn.late = true;
        self.limit_turn(id, TURN_GRACE_MS, Due::TurnGrace(id));
        self.effects.push_back(Effect::Abort { cell: id, stop: false });
    }

    /// The turn of a cell that comes down learns of it, once, and gets a last while.
    pub(super) fn hasten_turn(&mut self, id: CellId) {
        let Some(cell) = self.table.get_mut(id) else { return };
        let (Turn::Open(turn), limit_ms) = (&mut cell.turn, cell.options.shutdown_ms) else { return };
        if std::mem::replace(&mut turn.stopping, true) {
            return;
        }
        let until_us = self.now_us + u64::from(limit_ms) * 1_000;
        // A stop lengthens nothing: a limit that ends sooner stays.
        if limit_ms != SHUTDOWN_INFINITE && turn.deadline.is_none_or(|(due_us, _)| due_us > until_us) {
            self.limit_turn(id, limit_ms, Due::StopGrace(id));
        }
        self.effects.push_back(Effect::Abort { cell: id, stop: true });
    }

    /// A lease runs from now on, or is over.
    pub(super) fn set_lease(&mut self, id: CellId, incarnation: u32, period_ms: u32) {
        if !self.is_alive(id, incarnation) {
            return;
        }
        let lease = (period_ms != 0).then(|| Lease {
            key: self.arm_in(period_ms, Due::Lease(id)),
            period_ms,
            steps: 0,
        });
        let Some(cell) = self.table.get_mut(id) else { return };
        let before = std::mem::replace(&mut cell.rare_mut().lease, lease);
        self.deadlines.cancel(before.map(|lease| lease.key));
        self.wake(id);
    }

    fn lease_due(&mut self, id: CellId) {
        let lease = self.table.get(id).and_then(|cell| cell.rare.as_deref()?.lease);
        let Some(Lease { period_ms, steps, .. }) = lease else { return };
        if steps > 1 {
            return self.fail(id, Death::Lease);
        }
        self.effects.push_back(Effect::Warned { cell: id, quiescent: steps > 0 });
        if steps > 0 {
            self.recall(id);
        }
        let key = self.arm_in(period_ms / 2, Due::Lease(id));
        if let Some(cell) = self.table.get_mut(id) {
            cell.rare_mut().lease = Some(Lease { key, period_ms, steps: steps + 1 });
        }
    }

    pub(super) fn cancel_wait(&mut self, id: CellId) {
        self.deadlines.cancel(self.table.rare_mut(id).and_then(|rare| rare.wait.take()));
    }

    fn restart_due(&mut self, id: CellId) {
        if self.table.supervision_mut(id).is_some_and(|own| own.wait.take().is_some()) {
            return self.rise(id);
        }
        let Some(cell) = self.table.get_mut(id) else { return };
        if cell.phase == Phase::Waiting {
            self.cancel_wait(id);
            self.start_when_clear(id);
        }
    }
}
