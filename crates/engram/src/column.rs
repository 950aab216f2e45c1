//! A column: a number for each number of a node, and since which commit.

#[cfg(all(loom, test))]
use loom::sync::atomic::{AtomicU64, fence};
use std::sync::OnceLock;
use std::sync::atomic::Ordering;
#[cfg(not(all(loom, test)))]
use std::sync::atomic::{AtomicU64, fence};

/// What a cell holds while it is changed: newer than anything that can be asked for.
const CHANGING: u64 = u64::MAX;

/// One number, and the commit that set it.
struct Cell {
    since: AtomicU64,
    number: AtomicU64,
}

/// Numbers by place. Readers never wait; there is one writer at a time.
///
/// Cells lie in blocks of which each is as large as all before it, so none is ever moved.
#[derive(Default)]
pub struct Column([OnceLock<Box<[Cell]>>; 32]);

impl Column {
    /// What a place holds, as of a version: NaN where it never held anything. Nothing where it was set later, or is being set.
    pub fn get(&self, place: u32, version: u64) -> Option<f64> {
        let (block, at) = block_of(place);
        let Some(cell) = self.0[block].get().map(|cells| &cells[at]) else { return Some(f64::NAN) };
        // A sequence lock (Boehm 2012): the number belongs to `since` where that is the same before and after.
        let since = cell.since.load(Ordering::Acquire);
        let number = cell.number.load(Ordering::Relaxed);
        fence(Ordering::Acquire);
        let holds = since <= version && cell.since.load(Ordering::Relaxed) == since;
        holds.then(|| f64::from_bits(number))
    }

    /// Has a place hold a number since a version, which is newer than that of the number before. Only one thread may write.
    pub fn set(&self, place: u32, number: f64, since: u64) {
        let (block, at) = block_of(place);
        let empty = |_| Cell { since: AtomicU64::new(0), number: AtomicU64::new(f64::NAN.to_bits()) };
        let cell = &self.0[block].get_or_init(|| (0..1_usize << block).map(empty).collect())[at];
        cell.since.store(CHANGING, Ordering::Relaxed);
        // Who sees the number below sees that it is changing.
        fence(Ordering::Release);
        cell.number.store(number.to_bits(), Ordering::Relaxed);
        cell.since.store(since, Ordering::Release);
    }
}

/// The block of a place, and where it is in there. The last place of all has none: no node has that number.
fn block_of(place: u32) -> (usize, usize) {
    let place = place.saturating_add(1);
    let block = place.ilog2();
    (block as usize, (place - (1 << block)) as usize)
}

/// Every order in which a writer and a reader can come: `.ci/loom`.
#[cfg(test)]
#[cfg(loom)]
mod tests {
    use super::Column;
    use loom::sync::Arc;

    #[test]
    fn loom_a_number_is_that_of_its_version() {
        loom::model(|| {
            let column = Arc::new(Column::default());
            column.set(0, 1.0, 3);
            let writer = column.clone();
            let writing = loom::thread::spawn(move || writer.set(0, 2.0, 5));
            let before = column.get(0, 4);
            assert!(before.is_none_or(|number| number == 1.0), "{before:?} as of version 4");
            let after = column.get(0, 5);
            assert!(after.is_none_or(|number| number == 1.0 || number == 2.0));
            writing.join().expect("the writer failed");
            assert_eq!((column.get(0, 4), column.get(0, 5)), (None, Some(2.0)));
        });
    }
}
