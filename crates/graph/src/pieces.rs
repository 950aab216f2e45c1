//! A value told as pieces of another one: what a change of a large value costs, wherever in it the change is.
//!
//! Pieces are a sequence of: varint length × 2, + 1 for a copy; of a copy the signed step from where the copy before ended to where it
//! begins in the other value; otherwise the bytes themselves. What both values have in common is found by blocks of the old one that
//! occur anywhere in what differs of the new one, and lay not too far from there (Tridgell, Mackerras: "The rsync algorithm", 1996), so text that moved is found too.

use crate::entity::Encoded;
use karyon_model::valid::{self, HELD_BYTES_MAX};
use karyon_model::{Cursor, Result, put_signed, put_varint};
use smallvec::{SmallVec, smallvec};
use std::borrow::Cow;
use std::ops::Range;

/// Values shorter than this are told whole: pieces would save nothing.
const VALUE_BYTES_MIN: usize = 64;
/// What pieces must save at least.
const SAVED_MIN: usize = 32;
/// Bytes of a block: what is shorter and in common is found beside a block, or at the ends of what differs. Also what a value has for
/// each of its parts at least, or they are joined.
const BLOCK: usize = 32;
/// Where less than this differs it is told whole: looking for blocks would take longer than writing it.
const SEARCHED_MIN: usize = 256;
/// Where nothing is found in so many bytes, the rest is not looked at: it is another value.
const IN_VAIN_MAX: usize = 256 * 1024;
/// How far around what differs blocks of the old value are looked for, in lengths of what the new one has there.
const REACH: usize = 8;

/// A value as pieces of an older one; `None` when they would not be shorter by much.
///
/// Cost: a look at both, and a hash of each byte between what they begin and end with in common, and around it.
pub(crate) fn difference(old: &[u8], new: &[u8]) -> Option<Vec<u8>> {
    if old.len().min(new.len()) < VALUE_BYTES_MIN {
        return None;
    }
    let mut writer = Writer::default();
    // Where the length in front has changed, what follows it may be the same.
    let same = common(old, new) >= head(new);
    let (mut from, mut at) = if same { (0, 0) } else { (head(old), head(new)) };
    writer.literal(&new[..at]);
    let before = common(&old[from..], &new[at..]);
    writer.copy(from, before);
    (from, at) = (from + before, at + before);
    let after = common_end(&old[from..], &new[at..]);
    let (end, to) = (old.len() - after, new.len() - after);
    let reach = (to - at) * REACH;
    let around = from.saturating_sub(reach)..(end + reach).min(old.len());
    between(old, around, new, at..to, &mut writer);
    writer.copy(end, after);
    (writer.out.len() + SAVED_MIN <= new.len()).then_some(writer.out)
}

/// Bytes of tag and length or count, as every value that can be long begins.
fn head(value: &[u8]) -> usize {
    2 + value[1..10].iter().take_while(|byte| **byte >= 0x80).count()
}

/// Finds what of the old value, in a range of it, lies in a range of the new one.
fn between(old: &[u8], around: Range<usize>, new: &[u8], range: Range<usize>, writer: &mut Writer) {
    if range.len() < SEARCHED_MIN {
        return writer.literal(&new[range]);
    }
    // A block that finds its place taken is found from the next one, backwards.
    let places = (2 * around.len() / BLOCK).max(2).next_power_of_two();
    let place = |sum: u64| (sum >> (64 - places.trailing_zeros())) as usize;
    let mut blocks = vec![(0, u32::MAX); places];
    for (block, start) in old[around.clone()].chunks_exact(BLOCK).zip(around.step_by(BLOCK)) {
        let sum = hash(block);
        if blocks[place(sum)].1 == u32::MAX {
            blocks[place(sum)] = (sum as u32, start as u32);
        }
    }
    let (mut told, mut at, mut rolled) = (range.start, range.start, None);
    while let Some(block) = new[..range.end].get(at..at + BLOCK) {
        let sum = rolled.unwrap_or_else(|| hash(block));
        let (found, start) = blocks[place(sum)];
        let start = start as usize;
        if found == sum as u32 && old.get(start..).is_some_and(|old| old.starts_with(block)) {
            let back = common_end(&old[..start], &new[told..at]);
            let on = common(&old[start..], &new[at..range.end]);
            writer.literal(&new[told..at - back]);
            writer.copy(start - back, back + on);
            (at, told, rolled) = (at + on, at + on, None);
        } else {
            let gone = spread(new[at]).rotate_left(BLOCK as u32);
            rolled = new.get(at + BLOCK).map(|next| sum.rotate_left(1) ^ gone ^ spread(*next));
            at = if told == range.start && at - told > IN_VAIN_MAX { range.end } else { at + 1 };
        }
    }
    writer.literal(&new[told..range.end]);
}

/// Writes pieces.
#[derive(Default)]
struct Writer {
    out: Vec<u8>,
    end: usize,
}

impl Writer {
    fn copy(&mut self, start: usize, length: usize) {
        if length > 0 {
            put_varint(&mut self.out, (length as u64) << 1 | 1);
            put_signed(&mut self.out, start as i64 - self.end as i64);
            self.end = start + length;
        }
    }

    fn literal(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            put_varint(&mut self.out, (bytes.len() as u64) << 1);
            self.out.extend_from_slice(bytes);
        }
    }
}

/// How many bytes both begin with.
fn common(a: &[u8], b: &[u8]) -> usize {
    let blocks = a.chunks_exact(BLOCK).zip(b.chunks_exact(BLOCK));
    let whole = blocks.take_while(|(a, b)| a == b).count() * BLOCK;
    whole + a[whole..].iter().zip(&b[whole..]).take_while(|(a, b)| a == b).count()
}

/// How many bytes both end with.
fn common_end(a: &[u8], b: &[u8]) -> usize {
    let blocks = a.rchunks_exact(BLOCK).zip(b.rchunks_exact(BLOCK));
    let whole = blocks.take_while(|(a, b)| a == b).count() * BLOCK;
    let (a, b) = (a[..a.len() - whole].iter().rev(), b[..b.len() - whole].iter().rev());
    whole + a.zip(b).take_while(|(a, b)| a == b).count()
}

/// A hash that goes from one block to the next byte's in one step: each byte spread and turned by its distance from the end.
fn hash(block: &[u8]) -> u64 {
    block.iter().fold(0, |sum: u64, byte| sum.rotate_left(1) ^ spread(*byte))
}

fn spread(byte: u8) -> u64 {
    (u64::from(byte) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// A value in parts of what it is made of: many changes in a row cost what they say, and in the end one copy.
pub(crate) struct Rope<'v> {
    text: Cow<'v, [u8]>,
    parts: Parts,
}

/// Where each part ends, in the value and in the text.
#[derive(Default)]
struct Parts(SmallVec<[[usize; 2]; 1]>);

impl Parts {
    fn length(&self) -> usize {
        self.0.last().map_or(0, |part| part[0])
    }

    fn push(&mut self, text: Range<usize>) {
        let end = self.length() + text.len();
        match self.0.last_mut() {
            Some(last) if last[1] == text.start => *last = [end, text.end],
            _ if text.is_empty() => {}
            _ => self.0.push([end, text.end]),
        }
    }

    /// Where the parts of a range of the value are in the text.
    fn within(&self, range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let first = self.0.partition_point(|part| part[0] <= range.start);
        let begins = [range.start].into_iter().chain(self.0[first..].iter().map(|part| part[0]));
        let parts = self.0[first..].iter().zip(begins).take_while(move |(_, begin)| *begin < range.end);
        parts.map(move |([end, text], begin)| text - (end - begin)..text - (end - range.end.min(*end)))
    }
}

impl<'v> Rope<'v> {
    pub(crate) fn of(value: &'v [u8]) -> Rope<'v> {
        Rope { text: value.into(), parts: Parts(smallvec![[value.len(); 2]]) }
    }

    /// Has it be the value that pieces of it tell.
    ///
    /// Fails with `Damaged` when they are not of it, and does not take more than a value may have.
    pub(crate) fn apply(&mut self, pieces: &[u8]) -> Result<()> {
        let (mut parts, mut cursor, mut end) = (Parts::default(), Cursor::new(pieces), 0i64);
        while !cursor.is_empty() {
            let head = cursor.varint()?;
            let length = (head >> 1) as usize;
            cursor.expect(length <= HELD_BYTES_MAX - parts.length(), "pieces of too large a value")?;
            if head & 1 == 0 {
                let literal = cursor.take(length)?;
                let text = self.text.to_mut();
                parts.push(text.len()..text.len() + length);
                text.extend_from_slice(literal);
                continue;
            }
            // A step to before the beginning comes out far beyond the end.
            let start = end.wrapping_add(cursor.signed()?) as usize;
            let range = start..start.saturating_add(length);
            cursor.expect(range.end <= self.parts.length(), "a piece beyond the value that it is of")?;
            end = range.end as i64;
            self.parts.within(range).for_each(|text| parts.push(text));
        }
        self.parts = parts;
        if self.parts.0.len() * BLOCK > self.parts.length() {
            let text = self.joined().into_vec();
            *self = Rope { parts: Parts(smallvec![[text.len(); 2]]), text: text.into() };
        }
        Ok(())
    }

    fn joined(&self) -> Encoded {
        let mut joined = Encoded::with_capacity(self.parts.length());
        self.parts.within(0..self.parts.length()).for_each(|text| joined.extend_from_slice(&self.text[text]));
        joined
    }

    /// The value. Fails with `Damaged` when what pieces have made is none.
    pub(crate) fn value(&self) -> Result<Encoded> {
        let joined = self.joined();
        let mut cursor = Cursor::new(&joined);
        if !joined.is_empty() {
            valid::check(&mut cursor)?;
        }
        cursor.expect(cursor.is_empty(), "more than a value")?;
        Ok(joined)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use karyon_model::Code;
    use karyon_model::limits::VALUE_BYTES_MAX;
    use karyon_testkit::Value;
    use proptest::prelude::*;

    /// Bytes without repeats, by a seed.
    fn noise(seed: u64, length: usize) -> Vec<u8> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        };
        std::iter::repeat_with(next).take(length).collect()
    }

    fn value(bytes: &[u8]) -> Vec<u8> {
        Value::Bytes(bytes.to_vec()).to_bytes()
    }

    /// How many bytes the pieces take from the one to the other, which they lead to.
    fn told(old: &[u8], new: &[u8]) -> Option<usize> {
        let pieces = difference(old, new)?;
        let mut rope = Rope::of(old);
        rope.apply(&pieces).unwrap();
        assert!(rope.joined()[..] == *new);
        Some(pieces.len())
    }

    /// An edit: where, in thousandths, what goes and what comes.
    fn edits() -> impl Strategy<Value = Vec<Vec<(usize, usize, Vec<u8>)>>> {
        let edit = (0usize..1_000, 0usize..90, proptest::collection::vec(any::<u8>(), 0..90));
        proptest::collection::vec(proptest::collection::vec(edit, 0..5), 1..20)
    }

    proptest! {
        #[test]
        fn each_version_follows_from_the_next_one(
            seed: u64, length in 0usize..3_000, alphabet in 1u8..=255, versions in edits(),
        ) {
            let first: Vec<u8> = noise(seed, length).iter().map(|byte| byte % alphabet).collect();
            let mut all = vec![first];
            for edits in versions {
                let mut next = all.last().unwrap().clone();
                for (at, gone, come) in edits {
                    let at = at * next.len() / 1_000;
                    let end = (at + gone).min(next.len());
                    next.splice(at..end, come.iter().map(|byte| byte % alphabet));
                }
                all.push(next);
            }
            let all: Vec<_> = all.iter().map(|bytes| value(bytes)).collect();
            let newest = all.last().unwrap();
            let mut rope = Rope::of(newest);
            for pair in all.windows(2).rev() {
                match difference(&pair[1], &pair[0]) {
                    Some(pieces) => {
                        prop_assert!(pieces.len() + SAVED_MIN <= pair[0].len());
                        rope.apply(&pieces).unwrap();
                    }
                    None => rope = Rope::of(&pair[0]),
                }
                prop_assert_eq!(&rope.value().unwrap()[..], &pair[0][..]);
                prop_assert!(rope.parts.0.len() * BLOCK <= rope.parts.length().max(BLOCK));
            }
        }

        #[test]
        fn any_bytes_are_refused_or_a_value_below_the_limit(pieces: Vec<u8>, seed: u64, flip: (usize, u8)) {
            let old = value(&noise(seed, 2_000));
            let mut edited = noise(seed, 2_000);
            edited[1_000..1_010].fill(0);
            edited.splice(100..100, [1, 2, 3]);
            let mut wrong = difference(&old, &value(&edited)).unwrap();
            let at = flip.0 % wrong.len();
            wrong[at] ^= flip.1;
            for pieces in [&pieces[..], &wrong, &wrong[..at]] {
                let mut rope = Rope::of(&old);
                match rope.apply(pieces).and_then(|()| rope.value()) {
                    Ok(value) => prop_assert!(Value::decode(&mut Cursor::new(&value)).is_ok() || value.is_empty()),
                    Err(error) => prop_assert_eq!(error.code(), Code::Damaged),
                }
            }
        }
    }

    #[test]
    fn edits_in_several_places_cost_what_they_change() {
        let old = noise(1, 100_000);
        let mut new = old.clone();
        new[500..510].copy_from_slice(&noise(2, 10));
        new.splice(50_000..50_000, noise(3, 20));
        new.drain(90_000..90_100);
        let (old, new) = (value(&old), value(&new));
        let (forth, back) = (told(&old, &new).unwrap(), told(&new, &old).unwrap());
        assert!(forth < 80 && back < 180, "{forth} {back}");
    }

    #[test]
    fn what_moved_or_came_again_is_found() {
        let (a, b, c) = (noise(4, 4_000), noise(5, 4_000), noise(6, 4_000));
        let old = value(&[&a[..], &b, &c].concat());
        for parts in [[&c, &a, &b], [&a, &b, &a], [&b, &b, &b]] {
            let told = told(&old, &value(&parts.map(|part| &part[..]).concat())).unwrap();
            assert!(told < 120, "{told}");
        }
    }

    #[test]
    fn what_has_little_in_common_is_told_whole() {
        assert_eq!(difference(&value(&noise(7, 5_000)), &value(&noise(8, 5_000))), None);
        assert_eq!(difference(&value(b"short"), &value(b"shorter")), None);
        assert_eq!(difference(&[], &value(&noise(9, 100))), None);
        assert_eq!(difference(&[0xff; 100], &[0x80; 100]), None);
    }

    /// Of a cost that grew with the square of the length this would not see the end.
    #[test]
    fn values_that_repeat_themselves_cost_no_more() {
        let length = 4 << 20;
        for period in [1, 2, 31, 32, 33, 1_000, 65_536] {
            let unit = noise(period as u64, period);
            let old: Vec<u8> = unit.iter().copied().cycle().take(length).collect();
            let mut new: Vec<u8> = unit.iter().copied().cycle().skip(period / 2).take(length - 7).collect();
            for at in (0..new.len()).step_by(1_000) {
                new[at] ^= 0x55;
            }
            let (old, new) = (value(&old), value(&new));
            told(&old, &new).unwrap();
            told(&new, &old).unwrap();
        }
    }

    #[test]
    fn pieces_never_make_more_than_a_value_may_have() {
        let largest = value(&vec![7; VALUE_BYTES_MAX]);
        let mut edited = vec![7; VALUE_BYTES_MAX];
        (edited[0], edited[VALUE_BYTES_MAX - 1]) = (1, 2);
        assert!(told(&largest, &value(&edited)).unwrap() < 40, "the limit itself is allowed");
        let mut pieces = Writer::default();
        pieces.copy(0, largest.len());
        pieces.copy(0, largest.len());
        let mut rope = Rope::of(&largest);
        assert_eq!(rope.apply(&pieces.out).unwrap_err().code(), Code::Damaged);
        let mut endless = Vec::new();
        put_varint(&mut endless, u64::MAX);
        assert_eq!(Rope::of(&largest).apply(&endless).unwrap_err().code(), Code::Damaged);
    }
}
