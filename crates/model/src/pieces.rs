//! A value told as pieces of an older one: what a change of a large value costs, wherever in it the change is.
//!
//! Pieces are a sequence of: varint length × 2, + 1 for a copy; of a copy the signed step from where the copy before ended to where it
//! begins in the older value; otherwise the bytes themselves. What both have in common is found by blocks of the older value that occur
//! anywhere in the newer one (Tridgell, Mackerras: "The rsync algorithm", 1996), so text that moved is found too.

use crate::bytes::{Cursor, put_signed, put_varint};
use crate::limits::VALUE_BYTES_MAX;
use crate::{Code, Error, Result};
use hashbrown::HashMap;

/// Bytes of a block: what is shorter and in common is found at the ends of what else is.
const BLOCK: usize = 32;
/// What pieces must save at least.
const SAVED_MIN: usize = 32;
/// Spreads the bytes of a rolling hash; odd, so that none is lost.
const BASE: u64 = 0x9e37_79b9_7f4a_7c15;

/// A value as pieces of an older one; `None` when they would not be shorter by much.
///
/// Cost: a look at both, and a hash of each byte between what they begin and end with in common.
pub fn difference(old: &[u8], new: &[u8]) -> Option<Vec<u8>> {
    let most = old.len().min(new.len());
    if new.len() < 2 * SAVED_MIN || most < SAVED_MIN {
        return None;
    }
    let before = common(old.iter(), new.iter(), most);
    let after = common(old.iter().rev(), new.iter().rev(), most - before);
    let (old_end, new_end) = (old.len() - after, new.len() - after);
    let mut writer = Writer::default();
    writer.copy(0, before);
    between(old, new, (before, new_end), &mut writer);
    writer.copy(old_end, after);
    let pieces = writer.finish();
    (pieces.len() + SAVED_MIN <= new.len()).then_some(pieces)
}

/// Finds what lies between what both begin and end with.
fn between(old: &[u8], new: &[u8], (from, to): (usize, usize), writer: &mut Writer) {
    let mut blocks = HashMap::new();
    if to - from >= BLOCK {
        for (at, block) in old.chunks_exact(BLOCK).enumerate() {
            blocks.entry(hash(block)).or_insert(at * BLOCK);
        }
    }
    let last = (1..BLOCK).fold(1u64, |power, _| power.wrapping_mul(BASE));
    let (mut at, mut told, mut rolled) = (from, from, None);
    while !blocks.is_empty() && at + BLOCK <= to {
        let block = &new[at..at + BLOCK];
        let sum = rolled.unwrap_or_else(|| hash(block));
        if let Some(found) = blocks.get(&sum).copied().filter(|found| old[*found..*found + BLOCK] == *block) {
            let back = common(old[..found].iter().rev(), new[told..at].iter().rev(), usize::MAX);
            let on = common(old[found..].iter(), new[at..to].iter(), usize::MAX);
            writer.literal(&new[told..at - back]);
            writer.copy(found - back, back + on);
            (at, rolled) = (at + on, None);
            told = at;
            continue;
        }
        let gone = sum.wrapping_sub(mixed(new[at]).wrapping_mul(last));
        rolled = new.get(at + BLOCK).map(|next| gone.wrapping_mul(BASE).wrapping_add(mixed(*next)));
        at += 1;
    }
    writer.literal(&new[told..to]);
}

/// The newer value, and the pieces that lead back from it to the older one.
///
/// Fails with `Damaged` when the pieces are not of that value.
pub fn apply(old: &[u8], pieces: &[u8]) -> Result<(Vec<u8>, Vec<u8>)> {
    let (mut new, mut copies, mut cursor, mut end) = (Vec::new(), Vec::new(), Cursor::new(pieces), 0i64);
    while !cursor.is_empty() {
        let head = cursor.varint()?;
        let length = usize::try_from(head >> 1).unwrap_or(usize::MAX);
        if length > VALUE_BYTES_MAX.saturating_sub(new.len()) {
            return Err(stray());
        }
        if head & 1 == 0 {
            new.extend_from_slice(cursor.take(length)?);
            continue;
        }
        let start = end.checked_add(cursor.signed()?).and_then(|start| usize::try_from(start).ok());
        let start = start.ok_or_else(stray)?;
        let part = start.checked_add(length).and_then(|end| old.get(start..end)).ok_or_else(stray)?;
        copies.push((start, new.len(), length));
        new.extend_from_slice(part);
        end = (start + length) as i64;
    }
    // Whatever of the older value was copied is in the newer one; the rest has to be told.
    copies.sort_unstable();
    let (mut writer, mut told) = (Writer::default(), 0);
    for (start, copied, length) in copies {
        let skipped = told.max(start) - start;
        if skipped < length {
            writer.literal(&old[told..start + skipped]);
            writer.copy(copied + skipped, length - skipped);
            told = start + length;
        }
    }
    writer.literal(&old[told..]);
    Ok((new, writer.finish()))
}

fn stray() -> Error {
    Error::new(Code::Damaged, "pieces of a value that do not fit the value before")
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

    fn finish(self) -> Vec<u8> {
        self.out
    }
}

fn common<'a>(a: impl Iterator<Item = &'a u8>, b: impl Iterator<Item = &'a u8>, most: usize) -> usize {
    a.zip(b).take(most).take_while(|(a, b)| a == b).count()
}

/// A byte, spread: of a polynomial of small numbers the low bits would be poor.
fn mixed(byte: u8) -> u64 {
    (u64::from(byte) + 1).wrapping_mul(0xd6e8_feb8_6659_fd93)
}

fn hash(block: &[u8]) -> u64 {
    block.iter().fold(0u64, |sum, byte| sum.wrapping_mul(BASE).wrapping_add(mixed(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text without repeats, by a seed.
    fn text(seed: u64, length: usize) -> Vec<u8> {
        let mut state = seed.wrapping_mul(BASE) | 1;
        let next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        };
        std::iter::repeat_with(next).take(length).collect()
    }

    fn there_and_back(old: &[u8], new: &[u8]) -> Option<(usize, usize)> {
        let pieces = difference(old, new)?;
        let (made, back) = apply(old, &pieces).unwrap();
        assert!(made == new);
        let (again, forth) = apply(new, &back).unwrap();
        assert!(again == old);
        assert!(apply(old, &forth).unwrap().0 == new);
        Some((pieces.len(), back.len()))
    }

    #[test]
    fn edits_in_several_places_cost_what_they_change() {
        let old = text(1, 100_000);
        let mut new = old.clone();
        new[500..510].copy_from_slice(&text(2, 10));
        new.splice(50_000..50_000, text(3, 20));
        new.drain(90_000..90_100);
        let (forth, back) = there_and_back(&old, &new).unwrap();
        assert!(forth < 80 && back < 180, "{forth} {back}");
    }

    #[test]
    fn what_moved_is_found_and_what_is_told_twice_is_told_once_back() {
        let (a, b, c) = (text(4, 4_000), text(5, 4_000), text(6, 4_000));
        let old = [&a[..], &b, &c].concat();
        assert!(there_and_back(&old, &[&c[..], &a, &b].concat()).unwrap().0 < 120);
        let (forth, back) = there_and_back(&old, &[&a[..], &b, &b, &a].concat()).unwrap();
        assert!(forth < 150 && (4_000..4_150).contains(&back), "{forth} {back}");
    }

    #[test]
    fn what_has_little_in_common_is_told_whole() {
        assert_eq!(difference(&text(7, 5_000), &text(8, 5_000)), None);
        assert_eq!(difference(b"short", b"shorter"), None);
        assert_eq!(difference(&[], &text(9, 100)), None);
    }

    #[test]
    fn random_edits_come_there_and_back() {
        let mut found = 0;
        for seed in 1..400u64 {
            let length = (seed * 37 % 3_000) as usize;
            let alphabet = if seed % 3 == 0 { 4 } else { 255 };
            let old: Vec<u8> = text(seed, length).into_iter().map(|byte| byte % alphabet).collect();
            let mut new = old.clone();
            for edit in 0..seed % 5 {
                let at = (text(seed ^ edit << 9, 8)[3] as usize * 13).min(new.len());
                let end = (at + (seed % 70) as usize).min(new.len());
                new.splice(at..end, text(edit + seed * 5, (seed % 90) as usize));
            }
            found += usize::from(there_and_back(&old, &new).is_some());
        }
        assert!(found > 200, "{found}");
    }

    #[test]
    fn pieces_of_something_else_are_refused() {
        let (old, mut new) = (text(10, 2_000), text(10, 2_000));
        new[1_000..1_010].fill(0);
        let pieces = difference(&old, &new).unwrap();
        assert!(apply(&old[..1_500], &pieces).is_err());
        for end in 0..pieces.len() {
            let _ = apply(&old, &pieces[..end]);
        }
        for byte in 0..pieces.len() {
            let mut wrong = pieces.clone();
            wrong[byte] ^= 0xff;
            let _ = apply(&old, &wrong);
        }
        let mut huge = Vec::new();
        put_varint(&mut huge, u64::MAX);
        assert!(apply(&old, &huge).is_err());
    }
}
