//! Room in mailboxes, in words that the host reads and takes from without a crossing.
#![allow(unsafe_code)] // Zeroed memory that costs nothing until it is touched; argued below.

#[cfg(all(loom, test))]
use ::loom::sync::atomic::{AtomicBool, AtomicI32};
use std::fmt;
use std::sync::atomic::Ordering::Relaxed;
#[cfg(not(all(loom, test)))]
use std::sync::atomic::{AtomicBool, AtomicI32};

/// The word of a cell that takes no messages any more: of one that stops, is gone, or is a supervisor.
pub const CLOSED: i32 = i32::MIN;

/// One word per cell index: how many more messages its mailbox takes now.
///
/// The host takes one before it writes a message that counts and never adds; the scheduler gives back when a message
/// leaves the mailbox. Messages that return (not run, deferred, delivered again) may take the word below zero.
/// The scheduler and its host share one thread: the words are atomic so that writes from outside of Rust are defined,
/// and relaxed because nothing else hangs on their order. Once they are shared with other threads, every change is one atomic step.
pub struct Credits {
    words: Box<[AtomicI32]>,
    shared: AtomicBool,
}

impl fmt::Debug for Credits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credits({})", self.words.len())
    }
}

#[cfg(not(all(loom, test)))]
impl Default for Credits {
    fn default() -> Self {
        let words = Box::into_raw(vec![0_i32; crate::limits::CELLS_MAX as usize].into_boxed_slice());
        // SAFETY: the memory came from a box of as many words, which have the size and alignment of atomic ones.
        let words = unsafe { Box::from_raw(words as *mut [AtomicI32]) };
        Credits { words, shared: AtomicBool::new(false) }
    }
}

impl Credits {
    /// The words, for the host.
    pub fn words(&self) -> &[AtomicI32] {
        &self.words
    }

    /// Other threads take too from now on.
    pub fn share(&self) {
        self.shared.store(true, Relaxed);
    }

    /// What the host does before a message that counts; false when there is no room.
    pub fn take(&self, index: usize) -> bool {
        if self.shared.load(Relaxed) {
            let less = |room| (room > 0).then(|| room - 1);
            return self.words[index].fetch_update(Relaxed, Relaxed, less).is_ok();
        }
        let room = self.get(index);
        if room > 0 {
            self.set(index, room - 1);
        }
        room > 0
    }

    pub(crate) fn get(&self, index: usize) -> i32 {
        self.words[index].load(Relaxed)
    }

    pub(crate) fn set(&self, index: usize, room: i32) {
        self.words[index].store(room, Relaxed);
    }

    /// Whatever others do to it meanwhile.
    pub(crate) fn close(&self, index: usize) {
        self.words[index].swap(CLOSED, Relaxed);
    }

    pub(crate) fn add(&self, index: usize, change: i32) {
        if self.shared.load(Relaxed) {
            self.words[index].fetch_add(change, Relaxed);
        } else {
            self.set(index, self.get(index) + change);
        }
    }
}

/// Every order in which the kernel's thread and those of workers can come: `.ci/loom`.
#[cfg(test)]
#[cfg(loom)]
mod loom {
    use super::*;
    use ::loom::sync::Arc;
    use ::loom::thread;

    impl Default for Credits {
        fn default() -> Self {
            Credits { words: Box::new([AtomicI32::new(0)]), shared: AtomicBool::new(false) }
        }
    }

    /// What a worker does, word for word: `takeShared` and `takeBack` in `ts/cells/scheduler.ts`.
    fn change(credits: &Credits, by: i32) {
        let mut room = credits.get(0);
        while room != CLOSED {
            match credits.words()[0].compare_exchange(room, room + by, Relaxed, Relaxed) {
                Ok(_) => return,
                Err(was) => room = was,
            }
        }
    }

    /// Two workers take one each while the kernel does something; the word at the end.
    fn takers(shared: bool, kernel: impl Fn(&Credits) + Send + Sync + Copy + 'static) -> i32 {
        let credits = Arc::new(Credits::default());
        if shared {
            credits.share();
        }
        credits.set(0, 5);
        let workers = [0, 1].map(|_| {
            let credits = Arc::clone(&credits);
            thread::spawn(move || change(&credits, -1))
        });
        kernel(&credits);
        workers.into_iter().for_each(|worker| worker.join().unwrap());
        credits.get(0)
    }

    #[test]
    fn no_credit_is_lost_or_doubled() {
        ::loom::model(|| {
            let left = takers(true, |credits| {
                assert!(credits.take(0));
                credits.add(0, 1);
            });
            assert_eq!(left, 3);
        });
    }

    #[test]
    fn what_is_closed_stays_closed() {
        ::loom::model(|| assert_eq!(takers(true, |credits| credits.close(0)), CLOSED));
    }

    #[test]
    #[should_panic(expected = "a credit was lost")]
    fn finds_that_unshared_words_are_not_enough() {
        ::loom::model(|| assert_eq!(takers(false, |credits| credits.add(0, 1)), 4, "a credit was lost"));
    }
}
