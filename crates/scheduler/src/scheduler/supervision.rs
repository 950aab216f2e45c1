//! Who is started, who is restarted together, and who gives up: Erlang/OTP's `supervisor`, as one step after the other.
//!
//! OTP's supervisor waits for each child that it starts or ends; here it is told later, and goes on from there. Children come down from the
//! last to the first, each when the one after it is down ([`Fall`]), and come up from the first to the last, each when the one before it
//! is up. What fails meanwhile is counted and begins the fall anew, and no wait becomes shorter by it.
//!
//! Children that ended or were terminated have no cell here. Their places are kept: where a group or the whole supervisor starts again, the
//! host is asked to fill them, as OTP starts all that stands in its list. Beyond OTP: whoever is terminated while its group comes down stays away
//! until the next time, and a child that starts or waits by itself holds up nobody, as it would where a supervisor can do one thing at a time.

use super::*;

impl Scheduler {
    /// A new child starts: at once, or in its turn where it has one and its supervisor brings others up.
    pub(super) fn start_in_turn(&mut self, id: CellId, in_order: bool) {
        let line = (self.place(id), id);
        let above = self.supervisor_of(id);
        let phase = above.and_then(|above| self.table.get(above)).map_or(Phase::Live, |above| above.phase);
        match (phase, above.and_then(|above| self.table.supervision_mut(above))) {
            (Phase::Starting, Some(own)) if in_order => {
                let at = own.rise.partition_point(|before| *before < line);
                own.rise.insert(at, line);
                self.controls.extend(above.map(Control::Changed));
            }
            (Phase::Live | Phase::Starting, _) => self.start(id),
            _ => {}
        }
    }

    /// Its supervisor is down or brings it down, or starts it in its turn.
    pub(super) fn stands_in_line(&self, id: CellId) -> bool {
        let Some(above) = self.supervisor_of(id).and_then(|above| self.table.get(above)) else {
            return false;
        };
        let place = self.place(id);
        let brings = |own: &Supervision| {
            own.fall.as_ref().is_some_and(|fall| fall.from <= place)
                || own.rise.binary_search(&(place, id)).is_ok()
        };
        let lives = matches!(above.phase, Phase::Starting | Phase::Live);
        !lives || above.supervision.as_deref().is_some_and(brings)
    }

    /// A child is gone. Where its specification stays, it is started again with its group, or with its supervisor: those of an incarnation
    /// of the supervisor with their group alone.
    pub(super) fn keep_place(&mut self, above: CellId, options: &CellOptions) {
        let Some(own) = self.table.supervision_mut(above) else { return };
        let grouped =
            !options.dynamic || matches!(own.policy.strategy, Strategy::OneForAll | Strategy::RestForOne);
        if grouped && options.restart != Restart::Temporary {
            own.vacant.insert(options.place);
        }
    }

    /// Nobody takes a place that was to be filled, or nobody ever will.
    pub(super) fn leave_vacant(&mut self, id: CellId, place: u32, forget: bool) {
        let Some(own) = self.table.supervision_mut(id) else { return };
        let was_kept = own.due.remove(&place) | own.vacant.remove(&place);
        if was_kept && !forget {
            own.vacant.insert(place);
        }
        self.controls.push_back(Control::Changed(id));
    }

    /// A child failed: it is restarted, with those that its supervisor restarts together, if the window allows.
    pub(super) fn child_failed(&mut self, above: CellId, id: CellId, death: Death) {
        let place = self.place(id);
        let Some(cell) = self.table.get(above) else { return };
        let Some(own) = &cell.supervision else { return };
        let (strategy, falls) = (own.policy.strategy, own.fall.as_ref());
        // What was to come down is down.
        if cell.ending.is_some()
            || falls.is_some_and(|fall| fall.from <= place || !matches!(fall.then, Then::Rise(_)))
        {
            return self.controls.push_back(Control::Changed(above));
        }
        let allowed = self.allow_restart(above, id);
        #[cfg(karyon_broken = "window")]
        let allowed = allowed.or(Some(0));
        let Some(delay_us) = allowed else {
            self.effects.push_back(Effect::SupervisorGaveUp { cell: above });
            return self.fall(above, 0, Then::Fail(Death::GaveUp));
        };
        let from = match strategy {
            Strategy::OneForAll => 0,
            Strategy::RestForOne => place,
            Strategy::OneForOne | Strategy::SimpleOneForOne => return self.restart(id, death, delay_us),
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
        let Some(own) = self.table.supervision_mut(id) else { return };
        let wait = own.wait.take();
        let rest_us = |due_us: u64| Then::Rise(due_us.saturating_sub(self.now_us));
        let fall = own.fall.as_ref().map(|fall| (fall.from, fall.then));
        // What falls already goes on falling, further perhaps, and the weightier follows: so no wait is shortened, not one that runs either.
        let (from, then) = match fall.or(wait.map(|(from, (due_us, _))| (from, rest_us(due_us)))) {
            Some((first, before)) => {
                (first.min(from), std::cmp::max_by_key(before, then, |then| then.weight()))
            }
            None => (from, then),
        };
        // Who was told to stop before comes back, too; who is told so from now on stays away.
        own.due.append(&mut own.vacant.split_off(&from));
        self.deadlines.cancel(wait.map(|(_, key)| key));
        let children = self.children(id);
        let left = children[children.partition_point(|child| self.place(*child) < from)..].to_vec();
        let Some(cell) = self.table.get_mut(id) else { return };
        let Some(own) = &mut cell.supervision else { return };
        let is_ordered = own.policy.strategy != Strategy::SimpleOneForOne;
        let together = if is_ordered { vec![] } else { left.clone() };
        own.fall = Some(Fall { from, left, then });
        if cell.phase == Phase::Waiting {
            self.cancel_wait(id);
        } else {
            cell.phase = if let Then::Rise(_) = then { Phase::Starting } else { Phase::Held };
        }
        together.into_iter().rev().for_each(|child| _ = self.bring_down(child, then));
        self.continue_fall(id);
    }

    /// A child comes down for what follows. True when it is down, or gone if it is not to be started again.
    fn bring_down(&mut self, id: CellId, then: Then) -> bool {
        let Some(cell) = self.table.get(id) else { return true };
        // Dynamic children belong to an incarnation of their supervisor; temporary ones are never started again.
        let stays = cell.options.restart != Restart::Temporary
            && (!cell.options.dynamic || matches!(then, Then::Rise(_)));
        if !(stays && cell.is_down()) {
            self.end(id, if stays { Ending::Hold } else { Ending::Gone(Gone::Stopped) });
        }
        self.table.get(id).is_none_or(|cell| stays && cell.is_down())
    }

    pub(super) fn continue_fall(&mut self, id: CellId) {
        let (from, then) = loop {
            let fall = self.table.supervision_mut(id).and_then(|own| own.fall.as_ref());
            let Some(Fall { from, left, then }) = fall else { return };
            let (from, then) = (*from, *then);
            let Some(child) = left.last().copied() else { break (from, then) };
            if !self.bring_down(child, then) {
                return;
            }
            if let Some(fall) = self.table.supervision_mut(id).and_then(|own| own.fall.as_mut()) {
                fall.left.pop();
            }
        };
        let Some(own) = self.table.supervision_mut(id) else { return };
        own.fall = None;
        match then {
            Then::Rise(delay_us) => {
                let due_us = self.now_us + delay_us;
                own.wait = (delay_us != 0).then(|| (from, self.deadlines.arm(due_us, Due::Restart(id))));
                self.line_up(id);
            }
            Then::Fail(death) => self.fail(id, death),
            Then::Hold => self.come_down(id),
        }
    }

    /// The children of a supervisor that are down are to come up soon, and with them those whose places are due, and those that are spawned
    /// before it has come to that.
    pub(super) fn line_up(&mut self, id: CellId) {
        let down = |child: &&CellId| self.table.get(**child).is_some_and(Cell::is_down);
        let line = |child: &CellId| (self.place(*child), *child);
        let rise = self.children(id).iter().filter(down).map(line).collect();
        let Some(own) = self.table.supervision_mut(id) else { return };
        own.rise = rise;
        self.effects.extend(own.due.iter().map(|place| Effect::Vacant { cell: id, place: *place }));
        self.controls.push_back(Control::Changed(id));
    }

    /// Goes on starting those that are to come up, in their order, each when the one before is up. Cost: of those that it starts.
    pub(super) fn rise(&mut self, id: CellId) {
        while let Some(own) = self.table.supervision_mut(id) {
            let next = own.rise.front().copied();
            let place = next.map_or(u32::MAX, |(place, _)| place);
            let waits = own.wait.is_some_and(|(from, _)| from <= place);
            if waits || own.due.first().is_some_and(|due| *due <= place) {
                return;
            }
            let Some((_, child)) = next else { break };
            // Its next incarnation, or the one that waits.
            if let Some(down) = self.table.get(child).filter(|cell| cell.is_down()) {
                if down.phase == Phase::Held {
                    self.renew(child, Death::Supervisor);
                }
                self.start(child);
            }
            let passes =
                |cell: &Cell| cell.phase == Phase::Live || cell.options.dynamic || cell.is_stopping();
            #[cfg(not(karyon_broken = "rise"))]
            if !self.table.get(child).is_none_or(passes) {
                return;
            }
            if let Some(own) = self.table.supervision_mut(id) {
                own.rise.pop_front();
            }
        }
        let Some(cell) = self.table.get_mut(id) else { return };
        cell.phase = Phase::Live;
        self.tell_above(id);
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
