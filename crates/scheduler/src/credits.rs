//! Room in mailboxes, in words that the host reads and takes from without a crossing.
#![allow(unsafe_code)] // Zeroed memory that costs nothing until it is touched; argued below.

use crate::limits::CELLS_MAX;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering::Relaxed};

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

impl Default for Credits {
    fn default() -> Self {
        let words = Box::into_raw(vec![0_i32; CELLS_MAX as usize].into_boxed_slice());
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

    pub(crate) fn add(&self, index: usize, change: i32) {
        if self.shared.load(Relaxed) {
            self.words[index].fetch_add(change, Relaxed);
        } else {
            self.set(index, self.get(index) + change);
        }
    }
}
