//! A cache line of rows: tags, and the numbers that they stand for.
#![allow(unsafe_code, reason = "a hint to the processor, which reads nothing that a program would see")]

use crate::hash::Tag;
#[cfg(all(loom, test))]
use loom::sync::atomic::{AtomicU32, AtomicU64};
use std::sync::atomic::Ordering;
#[cfg(not(all(loom, test)))]
use std::sync::atomic::{AtomicU32, AtomicU64};

/// Rows of a line.
pub(crate) const ROWS: usize = 3;

/// Three rows, in one cache line. A row is written once: first its tag, then its number, which is 0 until then. Whoever sees a
/// number sees the tag; only the number can become another one later.
#[repr(align(64))]
#[derive(Default)]
pub(crate) struct Line {
    tags: [[AtomicU64; 2]; ROWS],
    /// One more than the number; rows are taken in order.
    numbers: [AtomicU32; ROWS],
}

#[cfg(not(all(loom, test)))]
const _: () = assert!(size_of::<Line>() == 64);

impl Line {
    /// One more than the number of a tag; 0 where it is not here.
    pub(crate) fn find(&self, tag: Tag) -> u32 {
        (0..ROWS).map(|row| self.number_if(row, halves(tag))).max().unwrap_or(0)
    }

    /// As `find`, but 0 as well where rows have the lower half of a tag in common. Which row it is in is not to be foreseen, so no branch asks.
    pub(crate) fn find_fast(&self, tag: Tag) -> u32 {
        let wanted = halves(tag);
        let is_at = |row: usize| usize::from(self.tags[row][0].load(Ordering::Relaxed) == wanted[0]);
        self.number_if((is_at(1) | (is_at(2) << 1)) % ROWS, wanted)
    }

    fn number_if(&self, row: usize, [low, high]: [u64; 2]) -> u32 {
        // Acquire: pairs with the release of `write`, so the tag is whole.
        let number = self.numbers[row].load(Ordering::Acquire);
        let [found_low, found_high] = &self.tags[row];
        let differs = (found_low.load(Ordering::Relaxed) ^ low) | (found_high.load(Ordering::Relaxed) ^ high);
        number & u32::from(differs == 0).wrapping_neg()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.numbers[ROWS - 1].load(Ordering::Acquire) != 0
    }

    /// Adds a row; false where there is no room. Only one thread may write.
    pub(crate) fn push(&self, tag: Tag, number: u32) -> bool {
        let free = self.numbers.iter().position(|number| number.load(Ordering::Relaxed) == 0);
        free.inspect(|row| self.write(*row, tag, number)).is_some()
    }

    /// Has a tag that is here stand for another number; false where it is not here. Only one thread may write.
    pub(crate) fn renumber(&self, tag: Tag, number: u32) -> bool {
        let row = (0..ROWS).find(|row| self.number_if(*row, halves(tag)) != 0);
        row.inspect(|row| self.numbers[*row].store(number + 1, Ordering::Release)).is_some()
    }

    /// Writes a row, be it in the place of another one: that only before the line is shown to anybody.
    pub(crate) fn write(&self, row: usize, tag: Tag, number: u32) {
        for (half, value) in self.tags[row].iter().zip(halves(tag)) {
            half.store(value, Ordering::Relaxed);
        }
        // Release: see `number_if`.
        self.numbers[row].store(number + 1, Ordering::Release);
    }

    /// A row, if it is there.
    pub(crate) fn row(&self, row: usize) -> Option<(Tag, u32)> {
        let number = self.numbers[row].load(Ordering::Acquire).checked_sub(1)?;
        let [low, high] = self.tags[row].each_ref().map(|half| half.load(Ordering::Relaxed));
        Some((Tag::from(high) << 64 | Tag::from(low), number))
    }

    /// All rows.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (Tag, u32)> {
        (0..ROWS).filter_map(|row| self.row(row))
    }

    /// Has the processor fetch the line, where it is known how; nothing waits for it.
    pub(crate) fn prefetch(&self) {
        // SAFETY: the intrinsic reads no memory in a way that a program could see, whatever the address.
        #[cfg(target_arch = "x86_64")]
        unsafe {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(self).cast());
        }
    }
}

fn halves(tag: Tag) -> [u64; 2] {
    [tag as u64, (tag >> 64) as u64]
}

/// Every order in which a writer and a reader can come: `.ci/loom`.
#[cfg(test)]
#[cfg(loom)]
mod tests {
    use super::Line;
    use loom::sync::Arc;

    #[test]
    fn loom_whoever_finds_a_row_finds_it_whole() {
        loom::model(|| {
            let line = Arc::new(Line::default());
            let writer = line.clone();
            let writing = loom::thread::spawn(move || {
                writer.push(7 << 64 | 5, 1);
                writer.renumber(7 << 64 | 5, 3);
            });
            // Half of a tag is none.
            assert_eq!(line.find_fast(5), 0);
            assert!([0, 2, 4].contains(&line.find_fast(7 << 64 | 5)));
            writing.join().expect("the writer failed");
            assert_eq!(line.find(7 << 64 | 5), 4);
        });
    }
}
