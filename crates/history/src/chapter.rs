//! A chapter: one stored record that holds an anchor and its run of undo deltas.
//!
//! | offset | field |
//! |---|---|
//! | 0 | u8 format, 1 |
//! | 1 | u8 flags; bit 0: thinned |
//! | 2 | u32 CRC32C, little-endian, over the object's key, `end` (big-endian), the flags and every byte after this field |
//! | 6 | anchor: length (varint), the object's whole state just before `end` |
//! | | run: see `Run::encode` |
//!
//! The record's key is the object's key and `end` as 8 big-endian bytes, so that the chapter that covers a moment is the
//! first whose key is greater than (object, moment).

use crate::{ObjectId, Run};
use karyon_model::{Code, Error, Result, Seq, require};
use karyon_model::{Cursor, put_bytes};

const FORMAT: u8 = 1;
const HEAD_BYTES: usize = 6;

/// A sealed piece of an object's past: it covers `[run.start(), end)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chapter {
    /// The commit at which the anchor no longer holds.
    pub end: Seq,
    /// The object's encoded state just before `end`.
    pub anchor: Box<[u8]>,
    /// What leads from the anchor back to the chapter's first state.
    pub run: Run,
    /// Whether only versions that the horizon keeps are told right: what was between them is left out.
    pub thinned: bool,
}

impl Chapter {
    /// The record's key.
    pub fn key(object: ObjectId, end: Seq) -> [u8; 17] {
        let mut key = [0; 17];
        key[..9].copy_from_slice(&object.key());
        key[9..].copy_from_slice(&end.to_be_bytes());
        key
    }

    /// The record's bytes.
    pub fn encode(&self, object: ObjectId) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEAD_BYTES + 16 + self.anchor.len() + self.run.delta_bytes());
        out.extend_from_slice(&[FORMAT, self.thinned.into(), 0, 0, 0, 0]);
        put_bytes(&mut out, &self.anchor);
        self.run.encode(&mut out);
        let sum = checksum(&Chapter::key(object, self.end), &out);
        out[2..HEAD_BYTES].copy_from_slice(&sum.to_le_bytes());
        out
    }

    /// Reads a record, checking its checksum against the key it was found under.
    pub fn decode(object: ObjectId, end: Seq, bytes: &[u8]) -> Result<Chapter> {
        let damaged = |what: &str| {
            Error::new(Code::Damaged, format!("the chapter of {object:?} that ends at version {end} {what}"))
                .with("object", format!("{object:?}"))
                .with("end", end)
        };
        let parts = bytes.split_at_checked(HEAD_BYTES);
        let (head, body) = parts.ok_or_else(|| damaged("is cut short"))?;
        require(head[0] == FORMAT && head[1] <= 1, || damaged("has an unknown format"))?;
        let sum = checksum(&Chapter::key(object, end), bytes);
        require(head[2..] == sum.to_le_bytes(), || damaged("does not match its checksum"))?;
        let mut cursor = Cursor::new(body);
        let anchor = cursor.bytes()?.into();
        Ok(Chapter { end, anchor, run: Run::decode(&mut cursor)?, thinned: head[1] == 1 })
    }
}

/// The checksum of a record, which stands in it itself.
fn checksum(key: &[u8], record: &[u8]) -> u32 {
    let parts = [&record[1..2], &record[HEAD_BYTES..]];
    parts.into_iter().fold(crc32c::crc32c(key), crc32c::crc32c_append)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Direction;

    #[test]
    fn every_flipped_bit_and_every_wrong_key_is_noticed() {
        let mut run = Run::starting(3);
        run.push(4, b"undo");
        let object = ObjectId::Edges(Direction::Out, 1, 2);
        let chapter = Chapter { end: 9, anchor: (*b"anchor").into(), run, thinned: true };
        let bytes = chapter.encode(object);
        assert_eq!(Chapter::decode(object, 9, &bytes).unwrap(), chapter);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Chapter::decode(object, 9, &flipped).unwrap_err().code(), Code::Damaged);
        }
        assert!(Chapter::decode(object, 10, &bytes).is_err());
        assert!(Chapter::decode(ObjectId::Edges(Direction::In, 1, 2), 9, &bytes).is_err());
    }
}
