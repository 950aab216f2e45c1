//! The timers of cells, by the host's numbers.

use crate::deadlines::DeadlineKey;
use crate::id::CellId;
use std::collections::HashMap;

/// An armed timer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timer {
    pub cell: CellId,
    pub key: DeadlineKey,
    pub due_us: u64,
    /// 0: once.
    pub period_us: u64,
    /// It keeps the program alive.
    pub referenced: bool,
}

impl Timer {
    /// When a periodic timer falls due next: on its own beat, past the beats it missed.
    pub fn next_us(&self, now_us: u64) -> u64 {
        let missed = now_us.saturating_sub(self.due_us) / self.period_us.max(1);
        self.due_us + (missed + 1) * self.period_us
    }
}

/// All armed timers. Looked up, never walked.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    armed: HashMap<u32, Timer>,
    referenced: u32,
}

impl Timers {
    pub fn get(&self, number: u32) -> Option<&Timer> {
        self.armed.get(&number)
    }

    pub fn set(&mut self, number: u32, timer: Timer) {
        self.clear(number);
        self.referenced += u32::from(timer.referenced);
        self.armed.insert(number, timer);
    }

    pub fn clear(&mut self, number: u32) -> Option<Timer> {
        let timer = self.armed.remove(&number)?;
        self.referenced -= u32::from(timer.referenced);
        Some(timer)
    }

    /// How many keep the program alive.
    pub fn referenced(&self) -> u32 {
        self.referenced
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deadlines::Deadlines;

    #[test]
    fn a_periodic_timer_keeps_its_beat_and_skips_what_it_missed() {
        let key = Deadlines::default().arm(0, ());
        let timer = Timer { cell: CellId::new(0, 0), key, due_us: 100, period_us: 10, referenced: true };
        assert_eq!(timer.next_us(100), 110);
        assert_eq!(timer.next_us(109), 110);
        assert_eq!(timer.next_us(125), 130);
    }

    #[test]
    fn only_referenced_timers_count_as_such() {
        let key = Deadlines::default().arm(0, ());
        let timer = Timer { cell: CellId::new(0, 0), key, due_us: 1, period_us: 0, referenced: true };
        let mut timers = Timers::default();
        timers.set(3, timer);
        timers.set(4, Timer { referenced: false, ..timer });
        assert_eq!(timers.referenced(), 1);
        assert!(timers.clear(3).is_some() && timers.clear(3).is_none());
        assert_eq!(timers.referenced(), 0);
    }
}
