//! Things that fall due: a heap, with handles so that each can be called off.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Called-off entries that may lie in the heap before it is cleaned.
const STALE_MIN: usize = 64;

/// What calls one deadline off. Void once it fell due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DeadlineKey {
    position: u32,
    generation: u32,
}

#[derive(Debug)]
struct Armed<T> {
    generation: u32,
    due: Option<T>,
}

/// The order of falling due: by time, then by the order of arming. The rest says what it was.
type Entry = Reverse<(u64, u64, u32, u32)>;

/// A set of deadlines. At most as many called-off entries as live ones stay in it, plus a constant.
#[derive(Debug)]
pub(crate) struct Deadlines<T> {
    heap: BinaryHeap<Entry>,
    armed: Vec<Armed<T>>,
    free: Vec<u32>,
    stale: usize,
    sequence: u64,
}

impl<T> Default for Deadlines<T> {
    fn default() -> Self {
        Deadlines { heap: BinaryHeap::new(), armed: Vec::new(), free: Vec::new(), stale: 0, sequence: 0 }
    }
}

impl<T> Deadlines<T> {
    pub fn arm(&mut self, at_us: u64, due: T) -> DeadlineKey {
        let position = self.free.pop().unwrap_or_else(|| {
            self.armed.push(Armed { generation: 0, due: None });
            self.armed.len() as u32 - 1
        });
        let armed = &mut self.armed[position as usize];
        armed.due = Some(due);
        let generation = armed.generation;
        self.sequence += 1;
        self.heap.push(Reverse((at_us, self.sequence, position, generation)));
        DeadlineKey { position, generation }
    }

    /// Calls a deadline off; nothing happens if it already fell due or was called off.
    pub fn cancel(&mut self, key: DeadlineKey) {
        if self.release(key).is_none() {
            return;
        }
        self.stale += 1;
        if self.stale > STALE_MIN && self.stale * 2 > self.heap.len() {
            let armed = &self.armed;
            self.heap.retain(|&Reverse((_, _, position, generation))| {
                armed[position as usize].generation == generation
            });
            self.stale = 0;
        }
    }

    /// The next that is due at `now_us`, oldest first.
    pub fn pop_due(&mut self, now_us: u64) -> Option<T> {
        while let Some(&Reverse((at_us, _, position, generation))) = self.heap.peek() {
            let stale = self.armed[position as usize].generation != generation;
            if !stale && at_us > now_us {
                return None;
            }
            self.heap.pop();
            if !stale {
                return self.release(DeadlineKey { position, generation });
            }
            self.stale -= 1;
        }
        None
    }

    /// When the next falls due.
    pub fn next_us(&mut self) -> Option<u64> {
        while let Some(&Reverse((at_us, _, position, generation))) = self.heap.peek() {
            if self.armed[position as usize].generation == generation {
                return Some(at_us);
            }
            self.heap.pop();
            self.stale -= 1;
        }
        None
    }

    fn release(&mut self, key: DeadlineKey) -> Option<T> {
        let armed = &mut self.armed[key.position as usize];
        if armed.generation != key.generation {
            return None;
        }
        armed.generation = armed.generation.wrapping_add(1);
        self.free.push(key.position);
        armed.due.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_fall_due_by_time_then_by_order_of_arming() {
        let mut deadlines = Deadlines::default();
        deadlines.arm(20, 'c');
        deadlines.arm(10, 'a');
        deadlines.arm(10, 'b');
        assert_eq!(deadlines.next_us(), Some(10));
        let due: Vec<_> = std::iter::from_fn(|| deadlines.pop_due(20)).collect();
        assert_eq!(due, ['a', 'b', 'c']);
    }

    #[test]
    fn a_cancelled_deadline_never_falls_due_and_its_key_is_void() {
        let mut deadlines = Deadlines::default();
        let key = deadlines.arm(10, 'a');
        deadlines.cancel(key);
        deadlines.arm(10, 'b');
        deadlines.cancel(key);
        assert_eq!((deadlines.pop_due(10), deadlines.pop_due(10)), (Some('b'), None));
        assert_eq!(deadlines.next_us(), None);
    }

    #[test]
    fn cancelled_deadlines_do_not_pile_up() {
        let mut deadlines = Deadlines::default();
        for at_us in 0..100_000 {
            let key = deadlines.arm(at_us, ());
            deadlines.cancel(key);
        }
        assert!(deadlines.heap.len() <= 2 * STALE_MIN);
        assert_eq!(deadlines.armed.len(), 1);
    }
}
