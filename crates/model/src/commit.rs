//! Commits: a header that says who, when and from what, and the operations.
//!
//! A frame's payload is a row of records, each with its length in front (varint). A record is
//!
//! | field | encoding |
//! |---|---|
//! | time, µs after the frame's base time | varint |
//! | layer (0 is the base) | varint |
//! | principal: name id, incarnation | two varints |
//! | on behalf of: name id + 1, or 0 | varint |
//! | trust class | byte |
//! | cause: this seq − the cause's seq, or 0 | varint |
//! | flags: bit 0, parents are coarse; bit 1, it reverts | byte |
//! | parents: count, then this seq − parent (never 0), descending parents | varints |
//! | if it reverts: principal's name id, this seq − since (never 0) | two varints |
//! | operations | to the record's end |

use crate::limits::PARENTS_MAX;
use crate::{Cursor, NameId, Result, Seq, put_varint, put_varints};

/// How much a fact is believed. The classes form a chain; the higher the number, the more trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Trust(pub u8);

impl Trust {
    /// The class of commits that nothing has lowered.
    pub const FULL: Trust = Trust(u8::MAX);
}

/// What a compensating commit takes back: all that `principal` wrote after `since`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reverted {
    /// Whose writes.
    pub principal: NameId,
    /// Those after this commit, which is older than the one that reverts.
    pub since: Seq,
}

/// Who committed, when, from what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitHeader {
    /// The dense number of this commit.
    pub seq: Seq,
    /// µs since 1970, greater than every earlier commit's.
    pub time: i64,
    /// The layer it writes to; 0 is the base.
    pub layer: u32,
    /// The principal's name: supervision path and name, stable across runs.
    pub principal: NameId,
    /// Which incarnation of the principal; 0 for the program itself.
    pub incarnation: u32,
    /// The principal that this one acted for.
    pub on_behalf_of: Option<NameId>,
    /// The trust class.
    pub trust: Trust,
    /// The commit that made the writer act, if it said so.
    pub cause: Option<Seq>,
    /// The commits that wrote what this one read, newest first, at most `PARENTS_MAX`.
    pub parents: Vec<Seq>,
    /// Whether older parents were left out.
    pub coarse: bool,
    /// What it takes back, if that is what it is for.
    pub reverts: Option<Reverted>,
}

const COARSE: u8 = 1;
const REVERTS: u8 = 2;

/// A commit as the log holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitRecord<'a> {
    /// Who, when, from what.
    pub header: CommitHeader,
    /// The encoded operations.
    pub operations: &'a [u8],
}

/// Appends one record, with its length in front. `base_time` is the frame's.
pub fn encode_commit(header: &CommitHeader, operations: &[u8], base_time: i64, out: &mut Vec<u8>) {
    let mut head = Vec::with_capacity(24);
    let CommitHeader { seq, layer, principal, incarnation, .. } = *header;
    put_varint(&mut head, header.time.saturating_sub(base_time).unsigned_abs());
    put_varints(&mut head, [layer, principal, incarnation].map(u64::from));
    put_varint(&mut head, header.on_behalf_of.map_or(0, |name| u64::from(name) + 1));
    head.push(header.trust.0);
    put_varint(&mut head, header.cause.map_or(0, |cause| seq - cause));
    let coarse = if header.coarse { COARSE } else { 0 };
    head.push(coarse | if header.reverts.is_some() { REVERTS } else { 0 });
    put_varint(&mut head, header.parents.len() as u64);
    header.parents.iter().for_each(|parent| put_varint(&mut head, seq - parent));
    if let Some(Reverted { principal, since }) = header.reverts {
        put_varints(&mut head, [principal.into(), seq - since]);
    }
    put_varint(out, (head.len() + operations.len()) as u64);
    out.extend_from_slice(&head);
    out.extend_from_slice(operations);
}

impl<'a> CommitRecord<'a> {
    /// Reads the next record of a frame whose header gave the record's seq and the base time.
    pub fn decode(cursor: &mut Cursor<'a>, seq: Seq, base_time: i64) -> Result<CommitRecord<'a>> {
        let mut fields = Cursor::new(cursor.bytes()?);
        let time = base_time.checked_add_unsigned(fields.varint()?);
        let back = |fields: &mut Cursor<'_>| match fields.varint()? {
            0 => Ok(None),
            step if step > seq => Err(fields.malformed("a commit older than the first")),
            step => Ok(Some(seq - step)),
        };
        let mut header = CommitHeader {
            seq,
            time: time.ok_or_else(|| fields.malformed("a commit time out of range"))?,
            layer: fields.id()?,
            principal: fields.id()?,
            incarnation: fields.id()?,
            on_behalf_of: fields.id()?.checked_sub(1),
            trust: Trust(fields.byte()?),
            cause: back(&mut fields)?,
            parents: Vec::new(),
            coarse: false,
            reverts: None,
        };
        let flags = fields.byte()?;
        fields.expect(flags & !(COARSE | REVERTS) == 0, "unknown commit flags")?;
        header.coarse = flags & COARSE != 0;
        let count = fields.length()?;
        fields.expect(count <= PARENTS_MAX, "too many parents")?;
        let older = |fields: &mut Cursor<'a>| {
            back(fields)?.ok_or_else(|| fields.malformed("a commit that comes from itself"))
        };
        header.parents = (0..count).map(|_| older(&mut fields)).collect::<Result<_>>()?;
        if flags & REVERTS != 0 {
            header.reverts = Some(Reverted { principal: fields.id()?, since: older(&mut fields)? });
        }
        Ok(CommitRecord { header, operations: fields.rest() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> CommitHeader {
        CommitHeader {
            seq: 900,
            time: 1_000_500,
            layer: 3,
            principal: 12,
            incarnation: 2,
            on_behalf_of: Some(0),
            trust: Trust(40),
            cause: Some(899),
            parents: vec![898, 17],
            coarse: true,
            reverts: Some(Reverted { principal: 300, since: 100 }),
        }
    }

    fn encoded(header: &CommitHeader) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode_commit(header, b"operations", 1_000_000, &mut bytes);
        bytes
    }

    fn decoded(bytes: &[u8]) -> Result<CommitRecord<'_>> {
        CommitRecord::decode(&mut Cursor::new(bytes), 900, 1_000_000)
    }

    #[test]
    fn a_commit_comes_back_with_everything_it_says() {
        for reverts in [None, Some(0), Some(899)] {
            for coarse in [false, true] {
                let reverts = reverts.map(|since| Reverted { principal: 300, since });
                let header = CommitHeader { reverts, coarse, ..header() };
                let bytes = encoded(&header);
                let mut cursor = Cursor::new(&bytes);
                let record = CommitRecord::decode(&mut cursor, 900, 1_000_000).unwrap();
                assert!(cursor.is_empty());
                assert_eq!(record, CommitRecord { header, operations: b"operations" });
                for end in 0..bytes.len() {
                    assert!(decoded(&bytes[..end]).is_err());
                }
            }
        }
    }

    #[test]
    fn a_commit_that_reverts_nothing_has_the_bytes_it_always_had() {
        let header = CommitHeader { reverts: None, ..header() };
        let head = [23, 0xf4, 0x03, 3, 12, 2, 1, 40, 1, 1, 2, 2, 0xf3, 0x06];
        assert_eq!(encoded(&header), [&head[..], b"operations"].concat());
    }

    #[test]
    fn a_commit_reverts_only_what_is_older_and_nothing_older_than_the_first() {
        // Before the operations stand the principal (2 bytes) and the step back to 100 (2 bytes).
        let bytes = encoded(&header());
        let at = bytes.len() - b"operations".len() - 2;
        assert_eq!(bytes[at..at + 2], [0xa0, 0x06]);
        for (step, reason) in [([0x80, 0], "longer"), ([0x85, 0x07], "older than the first")] {
            let mut forged = bytes.clone();
            forged[at..at + 2].copy_from_slice(&step);
            assert!(decoded(&forged).unwrap_err().message().contains(reason));
        }
        let mut itself = bytes.clone();
        itself.splice(at..at + 2, [0]);
        itself[0] -= 1;
        assert!(decoded(&itself).unwrap_err().message().contains("from itself"));
        let mut parent = bytes;
        assert_eq!(parent[10..12], [2, 2], "two parents, the first two commits back");
        parent[11] = 0;
        assert!(decoded(&parent).unwrap_err().message().contains("from itself"));
    }

    #[test]
    fn flags_of_the_future_are_refused() {
        let bytes = encoded(&CommitHeader { reverts: None, ..header() });
        assert_eq!(bytes[9], COARSE);
        for bit in 2..8 {
            let mut forged = bytes.clone();
            forged[9] |= 1 << bit;
            assert!(decoded(&forged).unwrap_err().message().contains("flags"));
        }
    }
}
