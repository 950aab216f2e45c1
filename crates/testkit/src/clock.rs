//! A clock that moves only when it is told to.

use std::sync::atomic::{AtomicI64, Ordering};

/// Time in µs since 1970, moved by hand. Shared by reference between threads.
#[derive(Debug, Default)]
pub struct LogicalClock {
    micros: AtomicI64,
}

impl LogicalClock {
    /// A clock that shows `micros`.
    pub const fn new(micros: i64) -> Self {
        LogicalClock { micros: AtomicI64::new(micros) }
    }

    /// The time it shows.
    pub fn now(&self) -> i64 {
        // The clock orders nothing but itself: no other memory is published through it.
        self.micros.load(Ordering::Relaxed)
    }

    /// Moves it by `micros`, backwards if negative, and returns the time it then shows. Stops at the ends of
    /// its range.
    pub fn advance(&self, micros: i64) -> i64 {
        let moved = |now: i64| Some(now.saturating_add(micros));
        let before = self.micros.fetch_update(Ordering::Relaxed, Ordering::Relaxed, moved);
        before.unwrap_or_else(|now| now).saturating_add(micros)
    }

    /// Sets it, as an operator would who corrects a wrong clock.
    pub fn set(&self, micros: i64) {
        self.micros.store(micros, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_moves_only_when_told_and_both_ways() {
        let clock = LogicalClock::new(10);
        assert_eq!((clock.now(), clock.now()), (10, 10));
        assert_eq!(clock.advance(-15), -5);
        clock.set(i64::MAX);
        assert_eq!(clock.advance(1), i64::MAX);
        assert_eq!(clock.now(), i64::MAX);
    }
}
