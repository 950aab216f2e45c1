//! The disks that can be found after a power cut.

use super::sim::SimDisk;
use super::volume::{Operation, Volume};

/// What becomes of what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// All of it is lost.
    Dropped,
    /// All of it survives.
    Kept,
    /// Each sector, length and directory entry for itself, as the seed has it.
    Torn(u64),
}

impl Fate {
    /// The two extremes, and `count` torn fates that follow from `seed`.
    pub fn spread(seed: u64, count: u64) -> impl Iterator<Item = Fate> {
        let mut random = crate::Random::new(seed);
        let torn = (0..count).map(move |_| Fate::Torn(random.next_u64()));
        [Fate::Dropped, Fate::Kept].into_iter().chain(torn)
    }
}

/// Walks through everything that was done to a disk, stopping before the first operation and after each.
pub struct Crashes {
    volume: Volume,
    operations: Vec<Operation>,
    /// How many of the operations the volume has seen; `None` before the start.
    done: Option<usize>,
}

impl Crashes {
    pub(super) fn new(volume: Volume, operations: Vec<Operation>) -> Self {
        Crashes { volume, operations, done: None }
    }

    /// The next moment at which power could be cut.
    #[allow(clippy::should_implement_trait, reason = "what it returns borrows from it")]
    pub fn next(&mut self) -> Option<Crash<'_>> {
        let done = match self.done {
            None => 0,
            Some(done) => {
                let operation = self.operations.get(done)?;
                self.volume.apply(operation).expect("an operation that was recorded can be repeated");
                done + 1
            }
        };
        self.done = Some(done);
        Some(Crash { operations: done, volume: &self.volume })
    }
}

/// A moment at which power is cut.
pub struct Crash<'a> {
    /// How many operations had been done.
    pub operations: usize,
    volume: &'a Volume,
}

impl Crash<'_> {
    /// The disk that is found afterwards. Its own recording begins anew.
    pub fn disk(&self, fate: Fate) -> SimDisk {
        SimDisk::of(self.volume.after(fate))
    }

    /// The disk as it is if only the process is killed: all is seen, and what was not synced may still be
    /// lost by a later power cut. Its recording begins anew.
    pub fn killed(&self) -> SimDisk {
        SimDisk::of(self.volume.clone())
    }
}
