//! Who is started, who is restarted together, and who gives up: Erlang/OTP's `supervisor`, as one step after the other.
//!
//! OTP's supervisor waits for each child that it starts or ends; here it is told later, and goes on from there. Children come down from the
//! last to the first, each when the one after it is down ([`Fall`]), and come up from the first to the last, each when the one before it
//! is up. What fails meanwhile is counted and begins the fall anew.

use super::*;

impl Scheduler {
    /// A new child starts: at once, or below a supervisor when its turn has come.
    pub(super) fn start_in_turn(&mut self, id: CellId) {
        let is_dynamic = self.table.get(id).is_some_and(|cell| cell.options.dynamic);
        let Some(above) = self.supervisor_of(id).filter(|_| !is_dynamic) else {
            return self.start_when_clear(id);
        };
        let Some(cell) = self.table.get_mut(above) else { return };
        if matches!(cell.phase, Phase::Live | Phase::Starting) {
            cell.phase = Phase::Starting;
            self.rise(above);
        }
    }

    /// A child failed: it is restarted, with those that its supervisor restarts together, if the window allows.
    pub(super) fn child_failed(&mut self, above: CellId, id: CellId, death: Death) {
        let place = self.place(id);
        let Some(cell) = self.table.get(above) else { return };
        let falls = cell.supervision.as_ref().and_then(|own| own.fall.as_ref());
        // What was to come down is down.
        if cell.ending.is_some()
            || falls.is_some_and(|fall| fall.from <= place || !matches!(fall.then, Then::Rise(_)))
        {
            return self.controls.push_back(Control::Below(above));
        }
        let allowed = self.allow_restart(above, id);
        #[cfg(karyon_broken = "window")]
        let allowed = allowed.or(Some(0));
        let Some(delay_us) = allowed else {
            self.effects.push_back(Effect::SupervisorGaveUp { cell: above });
            return self.fall(above, 0, Then::Fail(Death::GaveUp));
        };
        let strategy =
            self.table.get(above).and_then(|cell| cell.supervision.as_ref().map(|own| own.policy.strategy));
        let from = match strategy {
            Some(Strategy::OneForAll) => 0,
            Some(Strategy::RestForOne) => place,
            _ => return self.restart(id, death, delay_us),
        };
        self.renew(id, death);
        self.fall(above, from, Then::Rise(delay_us));
    }

    /// Counts one restart; how long it waits, in microseconds, or nothing if it is one too many.
    fn allow_restart(&mut self, above: CellId, id: CellId) -> Option<u64> {
        let now_us = self.now_us;
        let supervision = self.table.get_mut(above)?.supervision.as_mut()?;
        let policy = supervision.policy.restart;
        supervision.window.allow(&policy, now_us)?;
        // Its supervisor counts; its own window only says how often it was in turn, for the wait.
        let uncounted = RestartPolicy { intensity: u32::MAX, ..policy };
        let earlier = self.table.get_mut(id)?.rare_mut().window.allow(&uncounted, now_us)?;
        Some(policy.backoff.delay_us(earlier, &mut self.random))
    }

    /// The children of a supervisor from a place on come down, and then something follows.
    pub(super) fn fall(&mut self, id: CellId, from: u32, then: Then) {
        // What falls already goes on falling, further perhaps, and the weightier follows.
        let (from, then) = match self.table.get(id).and_then(|cell| cell.supervision.as_ref()?.fall.as_ref())
        {
            Some(fall) if fall.then.weight() > then.weight() => (fall.from.min(from), fall.then),
            Some(fall) => (fall.from.min(from), then),
            None => (from, then),
        };
        let children = self.children(id);
        let left = children[children.partition_point(|child| self.place(*child) < from)..].to_vec();
        let Some(cell) = self.table.get_mut(id) else { return };
        let Some(own) = &mut cell.supervision else { return };
        own.fall = Some(Fall { from, left, then });
        if cell.phase == Phase::Waiting {
            self.cancel_wait(id);
        } else {
            cell.phase = Phase::Held;
        }
        self.continue_fall(id);
    }

    pub(super) fn continue_fall(&mut self, id: CellId) {
        let then = loop {
            let Some(own) = self.table.get(id).and_then(|cell| cell.supervision.as_ref()) else { return };
            let Some(Fall { left, then, .. }) = &own.fall else { return };
            let then = *then;
            let Some(child) = left.last().copied() else { break then };
            if let Some(cell) = self.table.get(child) {
                // Dynamic children belong to an incarnation of their supervisor; temporary ones are never started again.
                let stays = cell.options.restart != Restart::Temporary
                    && (!cell.options.dynamic || matches!(then, Then::Rise(_)));
                if !(stays && cell.is_down()) {
                    self.end(child, if stays { Ending::Hold } else { Ending::Gone(Gone::Stopped) });
                }
                if self.table.get(child).is_some_and(|cell| !(stays && cell.is_down())) {
                    return;
                }
            }
            if let Some(own) = self.table.get_mut(id).and_then(|cell| cell.supervision.as_mut())
                && let Some(fall) = &mut own.fall
            {
                fall.left.pop();
            }
        };
        let Some(cell) = self.table.get_mut(id) else { return };
        if let Some(own) = &mut cell.supervision {
            own.fall = None;
        }
        match then {
            Then::Rise(delay_us) => self.wait_to_start(id, delay_us),
            Then::Fail(death) => self.fail(id, death),
            Then::Hold => self.come_down(id),
        }
    }

    /// Starts the children of a supervisor that are down, in their order, each when the one before is up.
    pub(super) fn rise(&mut self, id: CellId) {
        for at in 0.. {
            let Some(child) = self.children(id).get(at).copied() else { break };
            let Some(cell) = self.table.get(child) else { continue };
            if cell.options.dynamic || cell.is_stopping() {
                continue;
            }
            if cell.is_down() {
                self.begin(child);
            }
            #[cfg(not(karyon_broken = "rise"))]
            if self.table.get(child).is_some_and(|cell| cell.phase != Phase::Live) {
                return;
            }
        }
        let Some(cell) = self.table.get_mut(id) else { return };
        cell.phase = Phase::Live;
        self.tell_above(id);
        let down = |child: &CellId| self.table.get(*child).is_some_and(Cell::is_down);
        let dynamic: Vec<_> = self.children(id).iter().copied().filter(down).collect();
        dynamic.into_iter().for_each(|child| self.begin(child));
    }

    /// A child that is down begins its next incarnation, or the one that waits.
    fn begin(&mut self, id: CellId) {
        if self.table.get(id).is_some_and(|cell| cell.phase == Phase::Held) {
            self.renew(id, Death::Supervisor);
        }
        self.start(id);
    }

    /// Children that count have ended by themselves: the supervisor stops, which its own may take for a failure.
    pub(super) fn shut_down(&mut self, id: CellId, incarnation: u32) {
        let now = |cell: &&Cell| cell.ending.is_none() && cell.incarnation == incarnation;
        let Some(cell) = self.table.get(id).filter(now) else { return };
        if cell.options.restart == Restart::Permanent && self.supervisor_of(id).is_some() {
            self.fall(id, 0, Then::Fail(Death::Ended));
        } else {
            self.stop(id, Gone::Ended);
        }
    }

    /// Whether a supervisor stops now that one of its significant children has ended by itself.
    pub(super) fn shuts_down(&self, above: &Cell) -> bool {
        let children = above.rare.as_deref().map_or(&[][..], |rare| &rare.children);
        let significant =
            |child: &CellId| self.table.get(*child).is_some_and(|cell| cell.options.significant);
        match above.supervision.as_ref().map(|own| own.policy.auto_shutdown) {
            Some(AutoShutdown::AnySignificant) => true,
            Some(AutoShutdown::AllSignificant) => !children.iter().any(significant),
            _ => false,
        }
    }

    pub(super) fn children(&self, id: CellId) -> &[CellId] {
        let rare = self.table.get(id).and_then(|cell| cell.rare.as_deref());
        rare.map_or(&[], |rare| &rare.children)
    }

    pub(super) fn place(&self, id: CellId) -> u32 {
        self.table.get(id).map_or(0, |cell| cell.options.place)
    }

    /// The written supervisor directly above, if there is one.
    pub(super) fn supervisor_of(&self, id: CellId) -> Option<CellId> {
        let parent = self.table.get(id)?.parent;
        self.table.get(parent)?.supervision.as_ref().map(|_| parent)
    }
}
