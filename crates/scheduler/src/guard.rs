//! Who may end a turn that runs: one word that the turn's thread and the watchdog agree on.
//!
//! The watchdog marks the turn by its number, and strikes only what it has marked; the turn's end takes the mark off again. A turn in the
//! kernel is awaited: it marks itself when it comes out, and goes no further. While
//! a strike is on its way the end waits for it, so that whoever ends the turn can call it off before anything else runs.

#[cfg(all(loom, test))]
use loom::sync::{Mutex, atomic::AtomicU32};
use std::sync::PoisonError;
use std::sync::atomic::Ordering::SeqCst;
#[cfg(not(all(loom, test)))]
use std::sync::{Mutex, atomic::AtomicU32};

/// What the three low bits of the word say of the turn whose number is in the others: none runs.
pub const IDLE: u32 = 0;
/// It may be struck.
pub const RUNNING: u32 = 1;
/// It is in the kernel, which must not be left half-way: it may not be struck now.
pub const SHIELDED: u32 = 2;
/// It is struck.
pub const MARKED: u32 = 3;
/// It is in the kernel, and is to be struck when it comes out.
pub const AWAITED: u32 = 4;

/// The word, and the strike that may be on its way. One for each scheduler.
#[derive(Debug, Default)]
pub struct Guard {
    /// The host's side writes it as well, by compare-and-swap: between [`RUNNING`] and [`SHIELDED`], and from [`AWAITED`] to [`MARKED`].
    pub word: AtomicU32,
    striking: Mutex<()>,
}

impl Guard {
    /// The word while a turn runs; of its number the low 29 bits.
    fn running(turn: u64) -> u32 {
        (turn as u32) << 3 | RUNNING
    }

    /// A turn begins. The word says nothing of what ran before: its end came first, on this thread.
    pub fn begin(&self, turn: u64) {
        self.word.store(Self::running(turn), SeqCst);
    }

    /// The turn is over. Whether it was struck: then the strike is there by now, and has to be called off.
    pub fn end(&self, turn: u64) -> bool {
        if self.word.compare_exchange(Self::running(turn), IDLE, SeqCst, SeqCst).is_ok() {
            return false;
        }
        #[cfg(not(karyon_broken = "absorb"))]
        let _struck = self.striking.lock().unwrap_or_else(PoisonError::into_inner);
        self.word.swap(IDLE, SeqCst) & 7 == MARKED
    }

    /// Marks the turn and strikes it, if it still runs; again if it was struck before and goes on all the same. One that is in the kernel marks
    /// itself later, and is struck by the next call. Whether it was struck.
    pub fn strike(&self, turn: u64, strike: impl FnOnce()) -> bool {
        let _striking = self.striking.lock().unwrap_or_else(PoisonError::into_inner);
        let running = Self::running(turn);
        let marked = match self.word.compare_exchange(running, running | MARKED, SeqCst, SeqCst) {
            Ok(_) => true,
            Err(word) => word == running | MARKED,
        };
        if marked {
            strike();
        } else {
            let [shielded, awaited] = [SHIELDED, AWAITED].map(|state| running & !7 | state);
            let _ = self.word.compare_exchange(shielded, awaited, SeqCst, SeqCst);
        }
        marked
    }
}

#[cfg(test)]
mod tests {
    #[cfg(not(loom))]
    mod alone {
        use super::super::*;

        #[test]
        fn a_turn_that_runs_is_struck_and_one_that_ended_is_not() {
            let guard = Guard::default();
            guard.begin(7);
            assert!(!guard.strike(6, || unreachable!()));
            assert!(guard.strike(7, || ()));
            assert!(guard.end(7));
            assert!(!guard.strike(7, || unreachable!()));
            guard.begin(8);
            assert!(!guard.end(8));
        }

        #[test]
        fn a_turn_that_was_struck_and_goes_on_is_struck_again() {
            let guard = Guard::default();
            guard.begin(1);
            let mut strikes = 0;
            for _ in 0..3 {
                assert!(guard.strike(1, || strikes += 1));
            }
            assert!(guard.end(1));
            assert_eq!(strikes, 3);
        }

        #[test]
        fn what_is_in_the_kernel_is_not_struck_until_it_comes_out() {
            let guard = Guard::default();
            guard.begin(3);
            let running = guard.word.load(SeqCst);
            guard.word.store(running & !7 | SHIELDED, SeqCst);
            assert!(!guard.strike(2, || unreachable!()));
            assert_eq!(guard.word.load(SeqCst), running & !7 | SHIELDED);
            for _ in 0..2 {
                assert!(!guard.strike(3, || unreachable!()));
                assert_eq!(guard.word.load(SeqCst), running & !7 | AWAITED);
            }
            // It comes out.
            guard.word.store(running & !7 | MARKED, SeqCst);
            assert!(guard.strike(3, || ()));
            assert!(guard.end(3));
        }
    }

    /// Every order in which the two threads can come: `.ci/loom`.
    #[cfg(loom)]
    mod loom {
        use super::super::*;
        use ::loom::sync::Arc;
        use ::loom::sync::atomic::AtomicBool;
        use ::loom::thread;

        /// A thread's turns one after the other, of which the first is struck at any moment: what is on its way when a turn ends, the next
        /// one never meets.
        fn turns(body: impl Fn(&Guard) + Send + Sync + Copy + 'static) {
            ::loom::model(move || {
                let guard = Arc::new(Guard::default());
                // The engine's flag: whatever runs while it is up is terminated.
                let terminates = Arc::new(AtomicBool::new(false));
                let watchdog = {
                    let (guard, terminates) = (Arc::clone(&guard), Arc::clone(&terminates));
                    thread::spawn(move || guard.strike(1, || terminates.store(true, SeqCst)))
                };
                guard.begin(1);
                body(&guard);
                let struck = guard.end(1);
                if struck {
                    assert!(terminates.swap(false, SeqCst), "a turn is told to be struck before it was");
                }
                guard.begin(2);
                assert!(!terminates.load(SeqCst), "an innocent turn is hit");
                assert!(!guard.end(2), "an innocent turn is told to be struck");
                assert_eq!(watchdog.join().unwrap(), struck);
                assert!(!terminates.load(SeqCst), "an innocent turn is hit");
            });
        }

        #[test]
        fn a_strike_that_comes_as_the_turn_ends_is_absorbed() {
            turns(|_| ());
        }

        #[test]
        fn nothing_is_struck_while_it_is_in_the_kernel() {
            turns(|guard| {
                let running = Guard::running(1);
                let [shielded, awaited] = [SHIELDED, AWAITED].map(|state| running & !7 | state);
                if guard.word.compare_exchange(running, shielded, SeqCst, SeqCst).is_ok() {
                    let word = guard.word.swap(running, SeqCst);
                    assert!(word == shielded || word == awaited, "struck in the kernel");
                }
            });
        }
    }
}
