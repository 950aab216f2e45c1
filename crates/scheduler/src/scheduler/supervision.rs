//! Who is restarted, and who gives up.

use super::*;

impl Scheduler {
    /// Restarts a dead cell if the window that counts it allows: its supervisor's, or its own where nobody wrote one.
    pub(super) fn restart_if_allowed(&mut self, id: CellId, death: Death) {
        match (self.allow_restart(id), self.supervisor_of(id)) {
            (Some(delay_us), _) => self.restart(id, death, delay_us),
            (None, Some(supervisor)) => self.give_up(supervisor),
            (None, None) => self.stop(id, Gone::GaveUp),
        }
    }

    /// Counts one restart where it counts; how long it waits, in microseconds, or nothing if it is one too many.
    fn allow_restart(&mut self, id: CellId) -> Option<u64> {
        let now_us = self.now_us;
        let Some(supervisor) = self.supervisor_of(id) else {
            let window = &mut self.table.get_mut(id)?.rare_mut().window;
            return window.allow(&RestartPolicy::default(), now_us).map(|_| 0);
        };
        let supervision = self.table.get_mut(supervisor)?.supervision.as_mut()?;
        let policy = supervision.policy;
        supervision.window.allow(&policy, now_us)?;
        // Its supervisor counts; its own window only says how often it was in turn, for the wait.
        let uncounted = RestartPolicy { intensity: u32::MAX, ..policy };
        let earlier = self.table.get_mut(id)?.rare_mut().window.allow(&uncounted, now_us)?;
        Some(policy.backoff.delay_us(earlier, &mut self.random))
    }

    /// Stops the children of a supervisor that gave up, and passes the failure to the one above it, if any.
    fn give_up(&mut self, id: CellId) {
        self.effects.push_back(Effect::SupervisorGaveUp { cell: id });
        let Some(above) = self.supervisor_of(id) else {
            self.effects.push_back(Effect::RootFailed { cell: id });
            self.stop(id, Gone::GaveUp);
            return;
        };
        let Some(delay_us) = self.allow_restart(id) else { return self.give_up(above) };
        self.hold_children(id);
        if delay_us == 0 {
            self.release_children(id);
        } else {
            self.deadlines.arm(self.now_us + delay_us, Due::Restart(id));
        }
    }

    /// Kills all cells below, last started first, and keeps them down, their mailboxes with them.
    fn hold_children(&mut self, id: CellId) {
        for child in self.children(id).into_iter().rev() {
            let Some(cell) = self.table.get_mut(child) else { continue };
            if cell.supervision.is_some() {
                self.hold_children(child);
                continue;
            }
            if let Phase::Waiting(wait) = cell.phase {
                cell.phase = Phase::Held;
                self.deadlines.cancel(wait);
            }
            self.kill(child, Death::Supervisor);
            if self.is_stopping(child) {
                self.continue_stop(child);
            } else {
                self.stop_children(child, Gone::Stopped);
            }
        }
    }

    /// Starts all cells below again, in the order of their start. What happened before is forgotten.
    pub(super) fn release_children(&mut self, id: CellId) {
        let Some(cell) = self.table.get_mut(id) else { return };
        if cell.stop.is_some() {
            return;
        }
        if let Some(supervision) = &mut cell.supervision {
            supervision.window.clear();
        }
        for child in self.children(id) {
            let Some(cell) = self.table.get(child) else { continue };
            if cell.supervision.is_some() {
                self.release_children(child);
            } else if cell.phase == Phase::Held && cell.stop.is_none() {
                self.restart(child, Death::Supervisor, 0);
            }
        }
    }

    fn children(&self, id: CellId) -> Vec<CellId> {
        let rare = self.table.get(id).and_then(|cell| cell.rare.as_deref());
        rare.map_or_else(Vec::new, |rare| rare.children.clone())
    }

    /// The written supervisor directly above, if there is one.
    fn supervisor_of(&self, id: CellId) -> Option<CellId> {
        let parent = self.table.get(id)?.parent?;
        self.table.get(parent)?.supervision.as_ref().map(|_| parent)
    }
}
