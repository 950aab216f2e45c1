//! A run of undo deltas, and the rule that says where it is cut.

use karyon_model::bytes::{Cursor, put_bytes, put_varint};
use karyon_model::{Result, Seq};

/// A run is never cut before it has this many deltas: below, the anchor would cost more than it saves.
pub const RUN_DELTAS_MIN: usize = 16;
/// A run of a node or edge is always cut at this many deltas, so that a read never undoes more.
pub const RUN_DELTAS_MAX: usize = 256;

/// What undoes an object's changes, one delta per commit, from its state at the run's end back to its start.
///
/// The delta at `seq` turns the state that holds from `seq` on into the state that held before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    start: Seq,
    /// Where each delta ends in `bytes`, and the commit that made the change.
    ends: Vec<(Seq, u32)>,
    bytes: Vec<u8>,
}

impl Run {
    /// An empty run: the object has its present state since `start`.
    pub fn starting(start: Seq) -> Run {
        Run { start, ..Run::default() }
    }

    /// The first commit at which the run's oldest state holds.
    pub fn start(&self) -> Seq {
        self.start
    }

    /// How many deltas there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are no deltas.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of all deltas.
    pub fn delta_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The newest commit that changed the object within the run.
    pub fn last(&self) -> Seq {
        self.ends.last().map_or(self.start, |end| end.0)
    }

    /// The newest commit at or before `seq` that changed the object within the run.
    pub fn last_at(&self, seq: Seq) -> Seq {
        let count = self.ends.partition_point(|end| end.0 <= seq);
        if count == 0 { self.start } else { self.ends[count - 1].0 }
    }

    /// Adds the delta of a commit later than every one before.
    pub fn push(&mut self, seq: Seq, delta: &[u8]) {
        debug_assert!(seq > self.last(), "deltas come in the order of commits");
        self.bytes.extend_from_slice(delta);
        self.ends.push((seq, self.bytes.len() as u32));
    }

    /// Drops every delta later than `seq`.
    pub fn truncate(&mut self, seq: Seq) {
        self.ends.truncate(self.ends.partition_point(|end| end.0 <= seq));
        self.bytes.truncate(self.ends.last().map_or(0, |end| end.1 as usize));
    }

    /// The deltas, newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = (Seq, &[u8])> {
        (0..self.ends.len()).rev().map(|at| {
            let from = if at == 0 { 0 } else { self.ends[at - 1].1 as usize };
            (self.ends[at].0, &self.bytes[from..self.ends[at].1 as usize])
        })
    }

    /// Whether the next change must start a new run: the byte rule.
    ///
    /// With the deltas as large as the anchor, storage and reading are both within twice of their optimum, whatever
    /// the mix of reads and writes. Lists have no cap: a read that undoes as many bytes as the list itself has is in
    /// proportion to the list, and a cap would write a hub's whole list again every 256 links.
    pub fn is_full(&self, anchor_bytes: usize, list: bool) -> bool {
        let count = self.ends.len();
        (count >= RUN_DELTAS_MIN && self.bytes.len() >= anchor_bytes) || (!list && count >= RUN_DELTAS_MAX)
    }

    /// Appends start, count, (step to the previous commit, length) for each delta, and the deltas.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.start);
        put_varint(out, self.ends.len() as u64);
        let (mut seq_before, mut end_before) = (self.start, 0);
        for (seq, end) in &self.ends {
            put_varint(out, seq - seq_before);
            put_varint(out, u64::from(end - end_before));
            (seq_before, end_before) = (*seq, *end);
        }
        put_bytes(out, &self.bytes);
    }

    /// Reads what `encode` wrote.
    pub fn decode(cursor: &mut Cursor<'_>) -> Result<Run> {
        let start = cursor.varint()?;
        let count = cursor.length()?;
        let mut ends = Vec::with_capacity(count);
        let (mut seq, mut end) = (start, 0u32);
        for _ in 0..count {
            let (step, length) = (cursor.varint()?, cursor.id()?);
            let next = seq.checked_add(step).zip(end.checked_add(length));
            (seq, end) = next.ok_or_else(|| cursor.malformed("a run beyond its range"))?;
            ends.push((seq, end));
        }
        let bytes = cursor.bytes()?.to_vec();
        if bytes.len() != end as usize {
            return Err(cursor.malformed("a run whose deltas have another length"));
        }
        Ok(Run { start, ends, bytes })
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
        assert!(run.is_full(usize::MAX, false), "at the cap of 256 deltas");
        assert!(!run.is_full(usize::MAX, true), "a list has no cap");
    }
}
