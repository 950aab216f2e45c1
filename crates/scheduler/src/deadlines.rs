//! Things that fall due, in order.

use crate::scheduler::Due;
use std::collections::BTreeMap;

/// What calls one deadline off: its time, and its number among all that were armed. Void once it fell due.
pub(crate) type DeadlineKey = (u64, u64);

/// A set of deadlines.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    armed: BTreeMap<DeadlineKey, Due>,
    count: u64,
}

impl Deadlines {
    pub fn arm(&mut self, at_us: u64, due: Due) -> DeadlineKey {
        self.count += 1;
        self.armed.insert((at_us, self.count), due);
        (at_us, self.count)
    }

    /// Calls a deadline off, if there is one; nothing happens if it already fell due or was called off.
    pub fn cancel(&mut self, key: Option<DeadlineKey>) {
        key.and_then(|key| self.armed.remove(&key));
    }

    /// The next that is due at `now_us`: the oldest, of equals the first that was armed.
    pub fn pop_due(&mut self, now_us: u64) -> Option<Due> {
        let first = self.armed.first_entry()?;
        if first.key().0 <= now_us { Some(first.remove()) } else { None }
    }

    /// When the next falls due.
    pub fn next_us(&self) -> Option<u64> {
        self.armed.first_key_value().map(|(&(at_us, _), _)| at_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_fall_due_by_time_then_by_order_of_arming() {
        let mut deadlines = Deadlines::default();
        deadlines.arm(20, Due::Ask(3));
        deadlines.arm(10, Due::Ask(1));
        deadlines.arm(10, Due::Ask(2));
        assert_eq!(deadlines.next_us(), Some(10));
        let due: Vec<_> = std::iter::from_fn(|| deadlines.pop_due(20)).collect();
        assert_eq!(due, [1, 2, 3].map(Due::Ask));
    }

    #[test]
    fn a_cancelled_deadline_never_falls_due_and_its_key_is_void() {
        let mut deadlines = Deadlines::default();
        let key = deadlines.arm(10, Due::Ask(1));
        deadlines.cancel(Some(key));
        deadlines.arm(10, Due::Ask(2));
        deadlines.cancel(Some(key));
        assert_eq!((deadlines.pop_due(10), deadlines.pop_due(10)), (Some(Due::Ask(2)), None));
        assert_eq!(deadlines.next_us(), None);
    }

    #[test]
    fn cancelled_deadlines_do_not_pile_up() {
        let mut deadlines = Deadlines::default();
        for at_us in 0..100_000 {
            let key = deadlines.arm(at_us, Due::Ask(0));
            deadlines.cancel(Some(key));
        }
        assert!(deadlines.armed.is_empty());
    }
}
