//! The timers of cells, by the host's numbers.

use super::*;

/// An armed timer. When it falls due is the time in its key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timer {
    cell: CellId,
    key: DeadlineKey,
    /// 0: once.
    period_us: u64,
    /// It keeps the program alive.
    referenced: bool,
}

impl Timer {
    /// When a periodic timer falls due next: on its own beat, past the beats it missed.
    fn next_us(&self, now_us: u64) -> u64 {
        let (due_us, _) = self.key;
        let missed = now_us.saturating_sub(due_us) / self.period_us.max(1);
        due_us + (missed + 1) * self.period_us
    }
}

impl Scheduler {
    /// Arms a timer with its first delay and its period.
    pub(super) fn set_timer(
        &mut self,
        number: u32,
        cell: CellId,
        times_ms: [u32; 2],
        referenced: bool,
    ) -> Taken {
        let in_range = times_ms.iter().all(|time_ms| *time_ms <= DELAY_MAX_MS);
        let fits = in_range && self.timers.len() < TIMERS_MAX as usize;
        require(fits, || "a timer too many, or out of range")?;
        let [delay_ms, period_ms] = times_ms;
        let Some(owner) = self.table.get_mut(cell) else {
            self.effects.push_back(Effect::TimerOver { timer: number });
            return Ok(());
        };
        owner.rare_mut().timers.insert(number);
        let key = self.arm_in(delay_ms, Due::Timer(number));
        self.stats.referenced_timers += u64::from(referenced);
        self.timers.insert(number, Timer { cell, key, period_us: u64::from(period_ms) * 1_000, referenced });
        Ok(())
    }

    pub(super) fn cancel_timer(&mut self, number: u32) {
        let Some(timer) = self.timers.remove(&number) else { return };
        self.deadlines.cancel(Some(timer.key));
        self.stats.referenced_timers -= u64::from(timer.referenced);
        if let Some(rare) = self.table.rare_mut(timer.cell) {
            rare.timers.remove(&number);
        }
    }

    pub(super) fn timer_due(&mut self, number: u32) {
        let Some(timer) = self.timers.get_mut(&number) else { return };
        let again = timer.period_us != 0;
        self.effects.push_back(Effect::Timer { timer: number, again });
        if again {
            timer.key = self.deadlines.arm(timer.next_us(self.now_us), Due::Timer(number));
        } else {
            self.cancel_timer(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_periodic_timer_keeps_its_beat_and_skips_what_it_missed() {
        let timer = Timer { cell: CellId::new(0, 0), key: (100, 1), period_us: 10, referenced: true };
        assert_eq!(timer.next_us(100), 110);
        assert_eq!(timer.next_us(109), 110);
        assert_eq!(timer.next_us(125), 130);
    }

    #[test]
    fn only_referenced_timers_count_as_such() {
        let mut scheduler = Scheduler::new(0);
        let cell = scheduler.spawn(scheduler.root(), "a", false, CellOptions::default(), None).unwrap();
        scheduler.set_timer(3, cell, [1, 0], true).unwrap();
        scheduler.set_timer(4, cell, [1, 0], false).unwrap();
        assert_eq!(scheduler.stats().referenced_timers, 1);
        scheduler.cancel_timer(3);
        scheduler.cancel_timer(3);
        assert_eq!(scheduler.stats().referenced_timers, 0);
    }
}
