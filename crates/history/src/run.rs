//! A run of undo deltas, and the rule that says where it is cut.

use karyon_model::{Cursor, put_bytes, put_varint, put_varints};
use karyon_model::{Result, Seq};

/// A run is never cut before it has this many deltas: below, the anchor would cost more than it saves.
pub const RUN_DELTAS_MIN: usize = 16;
/// A run of a node or edge is always cut at this many deltas, so that a read never undoes more.
pub const RUN_DELTAS_MAX: usize = 256;
/// Bytes of deltas of large states, above which few of them are enough.
const RUN_BYTES_MAX: usize = 256 * 1024;

/// What undoes an object's changes, one delta per commit, from its state at the run's end back to its start.
///
/// The delta at `seq` turns the state that holds from `seq` on into the state that held before it. In memory and on disk a delta
/// is followed by its length and the step from the commit before, both varints from back to front: deltas are read newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    start: Seq,
    last: Seq,
    count: u32,
    delta_bytes: u32,
    bytes: Vec<u8>,
}

/// The deltas of a run, newest first.
struct Deltas<'a> {
    bytes: &'a [u8],
    seq: Seq,
}

impl Deltas<'_> {
    /// The varint before the end, which is written backwards.
    fn varint(&mut self) -> Option<u64> {
        let start = self.bytes.iter().rposition(|byte| *byte < 0x80)?;
        let (rest, varint) = self.bytes.split_at(start);
        self.bytes = rest;
        let bits = |value: u64, byte: &u8| Some(value.checked_mul(0x80)? | u64::from(byte & 0x7f));
        varint.iter().try_fold(0, bits)
    }
}

impl<'a> Iterator for Deltas<'a> {
    type Item = (Seq, &'a [u8]);

    /// Nothing, too, where the bytes make no sense.
    fn next(&mut self) -> Option<Self::Item> {
        let seq = self.seq;
        self.seq = seq.checked_sub(self.varint()?)?;
        let length = self.varint()?;
        let (rest, delta) = self.bytes.split_at_checked(self.bytes.len().checked_sub(length as usize)?)?;
        self.bytes = rest;
        Some((seq, delta))
    }
}

impl Run {
    /// An empty run: the object has its present state since `start`.
    pub fn starting(start: Seq) -> Run {
        Run { start, last: start, ..Run::default() }
    }

    /// The first commit at which the run's oldest state holds.
    pub fn start(&self) -> Seq {
        self.start
    }

    /// How many deltas there are.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there are no deltas.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes of all deltas.
    pub fn delta_bytes(&self) -> usize {
        self.delta_bytes as usize
    }

    /// The newest commit that changed the object within the run.
    pub fn last(&self) -> Seq {
        self.last
    }

    /// The newest commit at or before `seq` that changed the object within the run.
    ///
    /// Cost: a look at each later one.
    pub fn last_at(&self, seq: Seq) -> Seq {
        self.deltas().find(|delta| delta.0 <= seq).map_or(self.start, |delta| delta.0)
    }

    /// Adds the delta of a commit later than every one before.
    pub fn push(&mut self, seq: Seq, delta: &[u8]) {
        debug_assert!(seq > self.last, "deltas come in the order of commits");
        if self.bytes.capacity() - self.bytes.len() < delta.len() + 4 {
            // Half as much again, and not twice: what is left over counts, as there are as many runs as objects.
            self.bytes.reserve_exact(delta.len() + 4 + self.bytes.len() / 2);
        }
        self.bytes.extend_from_slice(delta);
        for field in [delta.len() as u64, seq - self.last] {
            let start = self.bytes.len();
            put_varint(&mut self.bytes, field);
            self.bytes[start..].reverse();
        }
        self.count += 1;
        self.delta_bytes += delta.len() as u32;
        self.last = seq;
    }

    /// Drops every delta later than `seq`.
    pub fn truncate(&mut self, seq: Seq) {
        let (mut left, mut count, mut delta_bytes) = (self.deltas(), self.count, self.delta_bytes);
        while left.seq > seq
            && let Some((_, delta)) = left.next()
        {
            (count, delta_bytes) = (count - 1, delta_bytes - delta.len() as u32);
        }
        let (last, rest) = (left.seq, left.bytes.len());
        self.bytes.truncate(rest);
        (self.last, self.count, self.delta_bytes) = (last, count, delta_bytes);
    }

    fn deltas(&self) -> Deltas<'_> {
        Deltas { bytes: &self.bytes, seq: self.last }
    }

    /// The deltas, newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = (Seq, &[u8])> {
        self.deltas()
    }

    /// Whether the next change must start a new run: the byte rule.
    ///
    /// With the deltas as large as the anchor, storage and reading are both within twice of their optimum, whatever the mix of reads
    /// and writes: a read undoes them at once, and copies what it undoes once, not once for each of them. Lists have no cap: a read
    /// that undoes as many bytes as the list itself has is in proportion to the list, and a cap would write a hub's whole list again
    /// every 256 links.
    /// Of large states a few whole copies are as many as memory should hold: from [`RUN_BYTES_MAX`] on four times the anchor are enough.
    pub fn is_full(&self, anchor_bytes: usize, list: bool) -> bool {
        (self.len() >= RUN_DELTAS_MIN && self.delta_bytes() >= anchor_bytes)
            || self.delta_bytes() >= RUN_BYTES_MAX.max(4 * anchor_bytes)
            || (!list && self.len() >= RUN_DELTAS_MAX)
    }

    /// Appends start, from there to the last commit, how many deltas there are, their bytes, and everything that is in memory.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let Run { start, last, .. } = *self;
        put_varints(out, [start, last - start, self.count.into(), self.delta_bytes.into()]);
        put_bytes(out, &self.bytes);
    }

    /// Reads what `encode` wrote. The deltas are looked at when they are needed.
    pub fn decode(cursor: &mut Cursor<'_>) -> Result<Run> {
        let (start, span) = (cursor.varint()?, cursor.varint()?);
        let last = start.checked_add(span).ok_or_else(|| cursor.malformed("a run beyond its range"))?;
        let (count, delta_bytes) = (cursor.id()?, cursor.id()?);
        Ok(Run { start, last, count, delta_bytes, bytes: cursor.bytes()?.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> Run {
        let mut run = Run::starting(5);
        run.push(7, b"seven");
        run.push(9, b"");
        run.push(12, b"twelve");
        run
    }

    #[test]
    fn deltas_come_newest_first() {
        let run = run();
        let all: Vec<_> = run.newest_first().collect();
        assert_eq!(all, [(12, &b"twelve"[..]), (9, b""), (7, b"seven")]);
        assert_eq!((run.last(), run.last_at(11), run.last_at(6)), (12, 9, 5));
    }

    #[test]
    fn a_run_comes_back_and_can_be_cut_to_a_moment() {
        let mut run = run();
        let mut bytes = Vec::new();
        run.encode(&mut bytes);
        assert_eq!(Run::decode(&mut Cursor::new(&bytes)).unwrap(), run);
        for end in 0..bytes.len() {
            assert!(Run::decode(&mut Cursor::new(&bytes[..end])).is_err());
        }
        run.truncate(9);
        assert_eq!(run.newest_first().map(|delta| delta.0).collect::<Vec<_>>(), [9, 7]);
        assert_eq!(run.delta_bytes(), 5);
    }

    #[test]
    fn the_byte_rule_cuts_at_the_anchors_size_between_the_floor_and_the_cap() {
        let mut run = Run::starting(0);
        for seq in 1..=15 {
            run.push(seq, &[0; 100]);
        }
        assert!(!run.is_full(64, false), "below the floor of 16 deltas");
        run.push(16, &[]);
        assert!(run.is_full(1500, false) && !run.is_full(1501, false));
        for seq in 17..=256 {
            run.push(seq, &[]);
        }
        assert!(run.is_full(usize::MAX / 4, false), "at the cap of 256 deltas");
        assert!(!run.is_full(usize::MAX / 4, true), "a list has no cap");
        let mut large = Run::starting(0);
        for seq in 1..=4 {
            assert!(!large.is_full(RUN_BYTES_MAX, false));
            large.push(seq, &vec![0; RUN_BYTES_MAX]);
        }
        assert!(large.is_full(RUN_BYTES_MAX, false), "of a large state, at four times as much");
    }
}
