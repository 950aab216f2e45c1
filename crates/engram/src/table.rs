//! The exact tier: the number of a tag, in one cache line, or two.
#![allow(unsafe_code, reason = "what epochs protect is read through a pointer; each use argues why it lives")]

use crate::hash::Tag;
use crate::line::{Line, ROWS};
use crossbeam::epoch::{Atomic, Guard, Owned, pin};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Parts of a table. Each is rebuilt alone, so that nobody waits for more than its share.
const PARTS: usize = 64;
/// Lines of the smallest overlay; a power of two, as all of them are.
const OVERLAY_LINES_MIN: usize = 4;
/// An overlay has a sixteenth of the lines of its base.
const OVERLAY_SHARE: usize = 16;
/// Rows of a hundred lines of a base: with half of the room taken, nineteen in twenty are where they are looked for first.
const ROWS_OF_100_LINES: usize = 160;
/// How many others a row that is put into a base may drive out, one after the other.
const KICKS_MAX: usize = 512;
/// How often a base is made larger by an eighth so that all rows find a place.
const ENLARGED_MAX: usize = 3;
/// How many tags ahead lines are fetched.
const AHEAD: usize = 32;

/// The number of what is missing.
pub const MISSING: u32 = u32::MAX;

/// Numbers by tag. Readers never wait; there is one writer at a time. A tag that is added stays.
///
/// A part is an immutable base and a small overlay. In the base a tag has two lines, of which the second is only used where the first is full
/// (cuckoo hashing with buckets: Pagh and Rodler 2001; Dietzfelbinger and Weidling 2007). What is new goes into the overlay; when that is half full, a
/// new base is made of both and takes the place of the old one, which is freed when nobody reads it any more.
pub struct Table {
    parts: Box<[Atomic<Part>]>,
    writing: Mutex<()>,
}

struct Part {
    base: Box<[Line]>,
    overlay: Box<[Line]>,
    /// Rows of the overlay.
    added: AtomicUsize,
}

impl FromIterator<(Tag, u32)> for Table {
    /// A table of rows with different tags. Cost: some 100 ns each.
    fn from_iter<Rows: IntoIterator<Item = (Tag, u32)>>(rows: Rows) -> Table {
        let mut parts = vec![Vec::new(); PARTS];
        rows.into_iter().for_each(|row| parts[part_of(row.0)].push(row));
        Table {
            parts: parts.iter().map(|rows| Atomic::new(Part::of(rows))).collect(),
            writing: Mutex::default(),
        }
    }
}

impl Table {
    /// The number of a tag.
    ///
    /// Cost: one cache line for nine rows in ten, else two; of what was added last, and of what is missing, those of the overlay too.
    pub fn find(&self, tag: Tag) -> Option<u32> {
        self.part(tag, &pin()).find(tag).checked_sub(1)
    }

    /// The numbers of many tags, each as its bytes, little-endian; `MISSING` for those that are not here.
    ///
    /// Cost: as `find`, but lines are fetched ahead, and a fetch that nobody waits for costs a tenth of one that somebody does.
    pub fn find_many(&self, tags: &[[u8; 16]]) -> Vec<u32> {
        let guard = pin();
        let mut found = Vec::with_capacity(tags.len());
        let mut left = Vec::with_capacity(tags.len() / 8);
        let fetch = |tag: &[u8; 16]| {
            let tag = Tag::from_le_bytes(*tag);
            let line = self.part(tag, &guard).first(tag);
            line.prefetch();
            line
        };
        let mut coming = [const { None }; AHEAD];
        coming.iter_mut().zip(tags).for_each(|(line, tag)| *line = Some(fetch(tag)));
        for (at, tag) in tags.iter().enumerate() {
            let (tag, next) = (Tag::from_le_bytes(*tag), tags.get(at + AHEAD).map(fetch));
            let line = std::mem::replace(&mut coming[at % AHEAD], next);
            let number = line.map_or(0, |line| line.find_fast(tag)).wrapping_sub(1);
            found.push(number);
            if number == MISSING {
                self.part(tag, &guard).second(tag).prefetch();
                left.push((at, tag));
            }
        }
        for (at, tag) in left {
            found[at] = self.part(tag, &guard).find(tag).wrapping_sub(1);
        }
        found
    }

    /// Has a tag stand for a number, be it new or not.
    ///
    /// Cost: constant on average; at most that of its part, a 64th of the table.
    pub fn insert(&self, tag: Tag, number: u32) {
        let _writing = self.writing.lock();
        let guard = pin();
        let part = self.part(tag, &guard);
        if part.lines(tag).any(|line| line.renumber(tag, number)) || part.add(tag, number) {
            return;
        }
        let rows: Vec<_> = part.rows().chain([(tag, number)]).collect();
        let before = self.parts[part_of(tag)].swap(Owned::new(Part::of(&rows)), Ordering::AcqRel, &guard);
        // SAFETY: it was taken out just now, under the lock, so nobody else destroys it, and whoever pins from now on does not find it.
        unsafe { guard.defer_destroy(before) };
        // Or else some sixty of them, a whole table, would wait with this thread.
        guard.flush();
    }

    /// How many lines a look for a tag reads.
    pub fn lines_read(&self, tag: Tag) -> usize {
        let guard = pin();
        let mut lines = self.part(tag, &guard).lines(tag);
        let passed = lines.by_ref().take_while(|line| line.find(tag) == 0).count();
        passed + usize::from(self.find(tag).is_some())
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        let guard = pin();
        let lines = |part: &Part| part.base.len() + part.overlay.len();
        (0..PARTS).map(|at| lines(self.at(at, &guard)) * size_of::<Line>()).sum()
    }

    fn part<'g>(&self, tag: Tag, guard: &'g Guard) -> &'g Part {
        self.at(part_of(tag), guard)
    }

    fn at<'g>(&self, at: usize, guard: &'g Guard) -> &'g Part {
        // SAFETY: a part is never null, and one that is taken out is destroyed only when every guard of that time is gone.
        unsafe { self.parts[at].load(Ordering::Acquire, guard).deref() }
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        for part in &mut self.parts {
            // SAFETY: nobody else has the table, and a part is never null.
            drop(unsafe { std::mem::take(part).into_owned() });
        }
    }
}

impl Part {
    /// A base of these rows, and an overlay with room for more. Rows that find no place go into that: many tags that share their lines are
    /// no accident, and no base is large enough for them.
    fn of(rows: &[(Tag, u32)]) -> Part {
        let mut lines = (rows.len() * 100).div_ceil(ROWS_OF_100_LINES).max(1);
        let (mut base, mut left) = placed(rows, lines);
        for _ in 0..ENLARGED_MAX {
            if left.is_empty() {
                break;
            }
            lines += lines.div_ceil(8);
            (base, left) = placed(rows, lines);
        }
        let overlay = (lines / OVERLAY_SHARE + left.len()).next_power_of_two().max(OVERLAY_LINES_MIN);
        let part = Part { base, overlay: lines_of(overlay), added: AtomicUsize::new(0) };
        assert!(
            left.iter().all(|(tag, number)| part.add(*tag, *number)),
            "an overlay has room for what is left"
        );
        part
    }

    /// One more than the number of a tag; 0 where it is missing.
    fn find(&self, tag: Tag) -> u32 {
        match self.first(tag).find_fast(tag) {
            0 => self.lines(tag).map(|line| line.find(tag)).find(|found| *found != 0).unwrap_or(0),
            found => found,
        }
    }

    /// The lines in which a tag can be, in the order in which it is looked for there.
    fn lines(&self, tag: Tag) -> impl Iterator<Item = &Line> {
        let first = self.first(tag);
        let second = first.is_full().then(|| self.second(tag));
        std::iter::once(first).chain(second).chain(self.in_overlay(tag))
    }

    fn first(&self, tag: Tag) -> &Line {
        &self.base[places(tag, self.base.len())[0]]
    }

    fn second(&self, tag: Tag) -> &Line {
        &self.base[places(tag, self.base.len())[1]]
    }

    /// The lines of the overlay in which a tag can be: from its own on, to the first that has room. None while nothing is there.
    fn in_overlay(&self, tag: Tag) -> impl Iterator<Item = &Line> {
        let (lines, from) = (&self.overlay, (tag >> 32) as usize);
        let mut ended = self.added.load(Ordering::Acquire) == 0;
        let run = (from..from + lines.len()).map(|at| &lines[at & (lines.len() - 1)]);
        run.take_while(move |line| {
            let goes_on = !ended;
            ended |= !line.is_full();
            goes_on
        })
    }

    /// Adds to the overlay; false where that is half full.
    fn add(&self, tag: Tag, number: u32) -> bool {
        let added = self.added.load(Ordering::Relaxed);
        if added >= self.overlay.len() * ROWS / 2 {
            return false;
        }
        // Who does not see yet that something is there is before it.
        self.added.store(added + 1, Ordering::Release);
        self.in_overlay(tag).any(|line| line.push(tag, number))
    }

    fn rows(&self) -> impl Iterator<Item = (Tag, u32)> {
        self.base.iter().chain(&self.overlay).flat_map(Line::rows)
    }
}

/// A base of so many lines, and the rows that find no place in it. The same rows in the same order give the same base.
fn placed(rows: &[(Tag, u32)], lines: usize) -> (Box<[Line]>, Vec<(Tag, u32)>) {
    let (base, mut left) = (lines_of(lines), Vec::new());
    for row in rows {
        let mut homeless = *row;
        let is_settled = (0..KICKS_MAX).any(|kick| {
            let (places, (tag, number)) = (places(homeless.0, lines), homeless);
            let (line, at) = (&base[places[kick % 2]], kick / 2 % ROWS);
            places.iter().any(|place| base[*place].push(tag, number)) || {
                homeless = line.row(at).unwrap_or(homeless);
                line.write(at, tag, number);
                false
            }
        });
        left.extend((!is_settled).then_some(homeless));
    }
    (base, left)
}

fn lines_of(count: usize) -> Box<[Line]> {
    (0..count).map(|_| Line::default()).collect()
}

fn part_of(tag: Tag) -> usize {
    (tag >> 122) as usize % PARTS
}

/// The lines of a tag: of a range by multiplication (Lemire 2019), of two quarters of the tag.
fn places(tag: Tag, lines: usize) -> [usize; 2] {
    [tag as u32, (tag >> 64) as u32].map(|part| ((u64::from(part) * lines as u64) >> 32) as usize)
}
