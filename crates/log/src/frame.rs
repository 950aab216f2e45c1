//! The bytes of a frame: pure encoding and decoding, nothing else.
//!
//! Little-endian. A frame begins at a multiple of 8, and so does each word below; none is cut by a sector's
//! border.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 4 | magic `KaFr` |
//! | 4 | 4 | payload length *P*, ≤ [`MAX_PAYLOAD_BYTES`] |
//! | 8 | 8 | sequence number of the first commit |
//! | 16 | 8 | base time: µs since 1970, signed; of a seal, the newest time that was handed out before |
//! | 24 | 4 | own position: segment |
//! | 28 | 4 | own position: offset in the segment |
//! | 32 | 32 | hash of the previous frame |
//! | 64 | 4 | CRC32C of the sector map |
//! | 68 | 4 | count of commits |
//! | 72 | 1 | kind, never 0: 1 commits, 2 seal, 3 continued in the next segment |
//! | 73 | 3 | length of the sector map *M* |
//! | 76 | 4 | CRC32C of the store id and bytes 0..76 |
//! | 80 | *P* | payload |
//! | 80 + *P* | *M* | sector map (see `sector_map`) |
//! | | 0..7 | `FF` up to a multiple of 8 |
//! | | 4 | CRC32C of all bytes of the frame before this one |
//! | | 4 | end magic `rFaK` |
//!
//! The own position keeps a copy of a frame inside somebody's value from ever being taken for a frame, the
//! store id keeps out frames of other stores. The words that hold the magic, the kind, the padding and the
//! end magic are never zero, nor is a byte of the map: a part of a frame that is zero in a whole sector can
//! only be payload.

use std::borrow::Cow;
use std::ops::Range;

use karyon_model::fields::{I64, U32, U64};
use karyon_model::{Code, Cursor, Error, Result, bounded, codecs, layout};

use crate::chain::{ChainPoint, Hash, HashField, Position, StoreId};
use crate::sector_map::{self, SECTOR_BYTES};

/// The largest payload of one frame.
pub const MAX_PAYLOAD_BYTES: usize = 64 << 20;
/// The most commits in one frame.
pub const MAX_COMMITS: u32 = 1 << 20;
/// Length of a frame's header.
pub const FRAME_HEADER_BYTES: usize = 80;
/// Frames begin at multiples of this.
pub(crate) const FRAME_ALIGNMENT: usize = 8;
/// The map of a payload whose every second sector is zero takes two bytes per two sectors.
pub(crate) const MAX_MAP_BYTES: usize = MAX_PAYLOAD_BYTES / SECTOR_BYTES + 8;
/// The smallest frame: no payload, no map.
pub(crate) const MIN_FRAME_BYTES: usize = FRAME_HEADER_BYTES + TRAILER_BYTES;
/// No frame is longer than this.
pub const MAX_FRAME_BYTES: usize =
    FRAME_HEADER_BYTES + MAX_PAYLOAD_BYTES + MAX_MAP_BYTES + FRAME_ALIGNMENT + TRAILER_BYTES;

const TRAILER_BYTES: usize = 8;
const MAGIC: [u8; 4] = *b"KaFr";
const END_MAGIC: [u8; 4] = *b"rFaK";

/// What a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// Commits, whose bytes are the payload.
    Commits = 1,
    /// The log was closed in good order.
    Seal = 2,
    /// The last frame of a segment: the next segment's file exists, and the log goes on there.
    Continued = 3,
}

/// The commits of a frame: what [`Log::append`](crate::Log::append) is given, and what is read.
#[derive(Clone, Debug)]
pub struct Frame<'a> {
    /// Sequence number of the first commit; follows the last frame's without a gap.
    pub first_seq: u64,
    /// How many commits the payload holds, at least 1 and at most [`MAX_COMMITS`]; 0 only where the log itself writes.
    pub commit_count: u32,
    /// Time of the first commit, µs since 1970. The log keeps it and does not look at it.
    pub base_time: i64,
    /// The commits' bytes, at most [`MAX_PAYLOAD_BYTES`]. The log does not look at them.
    pub payload: Cow<'a, [u8]>,
}

/// Is handed frames of commits, each with the point behind it.
pub type Visit<'v, T> = &'v mut dyn FnMut(&Frame<'_>, &ChainPoint) -> Result<T>;

impl Frame<'_> {
    /// A frame that holds no commits, or none yet.
    pub const fn empty(next_seq: u64, base_time: i64) -> Self {
        Frame { first_seq: next_seq, commit_count: 0, base_time, payload: Cow::Borrowed(&[]) }
    }
}

codecs! {
    Purpose(Kind) |cursor| match cursor.byte()? {
        1 => Ok(Kind::Commits),
        2 => Ok(Kind::Seal),
        3 => Ok(Kind::Continued),
        _ => Err(cursor.malformed("an unknown kind of frame")),
    }, |kind, out| out.push(*kind as u8);
    U24(u32)
        |cursor| cursor.array().map(|[a, b, c]| u32::from_le_bytes([a, b, c, 0])),
        |number, out| out.extend_from_slice(&number.to_le_bytes()[..3]);
}

layout! {
    /// The numbers of a frame's header, between magic and checksum.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) Header {
        payload_len: u32 = U32,
        first_seq: u64 = U64,
        base_time: i64 = I64,
        position: Position = Position,
        previous_hash: Hash = HashField,
        map_crc: u32 = U32,
        commit_count: u32 = U32,
        kind: Kind = Purpose,
        map_len: u32 = U24,
    }
}

impl Header {
    /// Length of the whole frame.
    pub(crate) fn frame_len(&self) -> usize {
        self.map_range().end.next_multiple_of(FRAME_ALIGNMENT) + TRAILER_BYTES
    }

    /// Where in the frame the payload lies.
    pub(crate) fn payload_range(&self) -> Range<usize> {
        FRAME_HEADER_BYTES..FRAME_HEADER_BYTES + self.payload_len as usize
    }

    /// Where in the frame the sector map lies.
    pub(crate) fn map_range(&self) -> Range<usize> {
        let start = self.payload_range().end;
        start..start + self.map_len as usize
    }

    /// The header of the frame at `position`; `None` if there is none that was written there by this store.
    /// Costs four bytes' comparison where no frame begins.
    pub(crate) fn at(store: StoreId, position: Position, bytes: &[u8]) -> Option<Header> {
        let header = bytes.get(..FRAME_HEADER_BYTES).filter(|header| header.starts_with(&MAGIC))?;
        let fields = checked(crc32c::crc32c(&store.0), header)?;
        let header = Header::decode(&mut Cursor::new(&fields[MAGIC.len()..])).ok()?;
        let bounded =
            header.payload_len as usize <= MAX_PAYLOAD_BYTES && header.map_len as usize <= MAX_MAP_BYTES;
        (bounded && header.position == position).then_some(header)
    }

    /// Whether `frame`, which begins with this header, is whole.
    pub(crate) fn is_whole(&self, frame: &[u8]) -> bool {
        frame.len() == self.frame_len()
            && frame.strip_suffix(&END_MAGIC).is_some_and(|frame| checked(0, frame).is_some())
    }

    /// The point of the chain behind this frame, whose bytes are `frame`; `None` past the last position or
    /// number.
    pub(crate) fn end(&self, frame: &[u8]) -> Option<ChainPoint> {
        let Position { segment, offset } = self.position;
        Some(ChainPoint {
            position: Position { segment, offset: offset.checked_add(u32::try_from(frame.len()).ok()?)? },
            hash: Hash::of_frame(self.previous_hash, frame),
            next_seq: self.first_seq.checked_add(u64::from(self.commit_count))?,
            frame: offset,
        })
    }
}

/// Puts the frame that `draft` becomes at `at` into `into`, whose former content is dropped.
/// Fails if the payload is too large or the commits are not counted.
pub(crate) fn encode(
    store: StoreId,
    at: &ChainPoint,
    kind: Kind,
    draft: &Frame<'_>,
    into: &mut Vec<u8>,
) -> Result<Header> {
    let bytes = draft.payload.len();
    if bytes > MAX_PAYLOAD_BYTES {
        let message = format!(
            "a frame holds at most {MAX_PAYLOAD_BYTES} bytes, this one would hold {bytes}; write less at once"
        );
        let error = Error::new(Code::TransactionSize, message);
        return Err(error.with("limit", MAX_PAYLOAD_BYTES).with("bytes", bytes));
    }
    let counted = draft.commit_count <= MAX_COMMITS && (kind == Kind::Commits) == (draft.commit_count > 0);
    bounded(counted, Code::Argument, MAX_COMMITS as usize, || {
        format!("a frame of kind {kind:?} cannot hold {} commits", draft.commit_count)
    })?;
    into.clear();
    into.resize(FRAME_HEADER_BYTES, 0);
    into.extend_from_slice(&draft.payload);
    let map_start = into.len();
    let frame_offset = u64::from(at.position.offset);
    sector_map::encode(frame_offset, frame_offset + FRAME_HEADER_BYTES as u64, &draft.payload, into);
    let header = Header {
        payload_len: bytes as u32,
        first_seq: draft.first_seq,
        base_time: draft.base_time,
        position: at.position,
        previous_hash: at.hash,
        map_crc: crc32c::crc32c(&into[map_start..]),
        commit_count: draft.commit_count,
        kind,
        map_len: (into.len() - map_start) as u32,
    };
    let mut head = MAGIC.to_vec();
    header.encode(&mut head);
    U32::encode(&crc32c::crc32c_append(crc32c::crc32c(&store.0), &head), &mut head);
    into[..FRAME_HEADER_BYTES].copy_from_slice(&head);
    into.resize(header.frame_len() - TRAILER_BYTES, 0xff);
    U32::encode(&crc32c::crc32c(into), into);
    into.extend_from_slice(&END_MAGIC);
    Ok(header)
}

/// The bytes before the checksum that they end with, if it is theirs; `seed` is the checksum of what goes before.
pub fn checked(seed: u32, bytes: &[u8]) -> Option<&[u8]> {
    let (bytes, crc) = bytes.split_last_chunk()?;
    (*crc == crc32c::crc32c_append(seed, bytes).to_le_bytes()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORE: StoreId = StoreId([7; 16]);

    fn encoded(payload: &[u8]) -> (ChainPoint, Vec<u8>) {
        let at = ChainPoint::genesis(STORE);
        let mut bytes = vec![1, 2, 3];
        let draft = Frame { first_seq: 1, commit_count: 2, base_time: -5, payload: payload.into() };
        encode(STORE, &at, Kind::Commits, &draft, &mut bytes).unwrap();
        (at, bytes)
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        for len in (0..70).chain([500, 512, 4096, 100_000]) {
            let payload: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
            let (at, bytes) = encoded(&payload);
            let header = Header::at(STORE, at.position, &bytes).unwrap();
            assert!(header.is_whole(&bytes));
            assert_eq!(bytes.len(), header.frame_len());
            assert_eq!(bytes.len() % FRAME_ALIGNMENT, 0);
            assert!(bytes[header.payload_range()] == payload);
            assert_eq!((header.first_seq, header.commit_count, header.base_time), (1, 2, -5));
            assert_eq!((header.kind, header.previous_hash), (Kind::Commits, at.hash));
            let end = header.end(&bytes).unwrap();
            assert_eq!(end.position.offset as usize, 512 + bytes.len());
            assert_eq!(end.next_seq, 3);
        }
    }

    #[test]
    fn a_frame_is_none_anywhere_else_or_in_another_store() {
        let (at, bytes) = encoded(b"payload");
        let Position { segment, offset } = at.position;
        for elsewhere in [Position { segment: segment + 1, offset }, Position { segment, offset: offset + 8 }]
        {
            assert_eq!(Header::at(STORE, elsewhere, &bytes), None);
        }
        assert_eq!(Header::at(StoreId([8; 16]), at.position, &bytes), None);
        assert_eq!(Header::at(STORE, at.position, &bytes[..79]), None);
    }

    #[test]
    fn no_flipped_bit_leaves_a_whole_frame() {
        let (at, bytes) = encoded(&[0; 700]);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let header = Header::at(STORE, at.position, &flipped);
            assert!(!header.is_some_and(|header| header.is_whole(&flipped)), "bit {bit}");
        }
    }

    #[test]
    fn the_longest_map_fits() {
        // Every second sector is zero.
        let payload: Vec<u8> =
            (0..MAX_PAYLOAD_BYTES).map(|at| u8::from((at + FRAME_HEADER_BYTES) % 1024 < 512)).collect();
        let (at, bytes) = encoded(&payload);
        let header = Header::at(STORE, at.position, &bytes).unwrap();
        assert!(header.map_len > 100_000 && header.map_len as usize <= MAX_MAP_BYTES);
        assert!(header.is_whole(&bytes) && bytes.len() <= MAX_FRAME_BYTES);
    }

    #[test]
    fn a_header_with_impossible_numbers_is_none_even_if_its_checksum_fits() {
        let (at, bytes) = encoded(b"payload");
        for (offset, value) in [(4, u32::MAX), (72, 0), (72, 9), (72, 0xffff_ff01)] {
            let mut forged = bytes.clone();
            forged[offset..offset + 4].copy_from_slice(&value.to_le_bytes());
            let crc = crc32c::crc32c_append(crc32c::crc32c(&STORE.0), &forged[..76]);
            forged[76..80].copy_from_slice(&crc.to_le_bytes());
            assert_eq!(Header::at(STORE, at.position, &forged), None);
        }
    }
}
