//! What to make of the place where no whole frame stands: the end, a torn write, or damage. Pure functions of
//! bytes.
//!
//! Only one frame is ever in flight, it replaces zeros, and a disk writes a sector whole or not at all. So an
//! unfinished frame has a sector whose part of it is still zero, and nothing stands behind it. Everything
//! else that is not a whole frame was acknowledged once and is damaged: it is never cut.

use std::ops::Range;

use karyon_model::require;

use crate::frame::{FRAME_ALIGNMENT, FRAME_HEADER_BYTES, Header, MAX_FRAME_BYTES};
use crate::sector_map::{self, SECTOR_BYTES};
use crate::{Position, SEGMENT_HEADER_BYTES, StoreId};

/// What opening a log found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Whether the log had been closed in good order.
    pub sealed: bool,
    /// The newest time that a seal behind the start keeps, µs since 1970, whatever follows the seal.
    pub sealed_time: Option<i64>,
    /// The unfinished write that was taken out, if there was one.
    pub cut: Option<Cut>,
}

/// An unfinished write at the end of the log. Nothing of it had been acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Number of the segment.
    pub segment: u32,
    /// Where it began in the segment's file.
    pub offset: u32,
    /// How many bytes were cut.
    pub bytes: u64,
    /// The file that keeps them, relative to the store's root.
    pub file: String,
}

/// What says of bytes that they are no unfinished write, but acknowledged once and not what they were.
pub(crate) type Damage = &'static str;

/// Judges what stands at `position`, where the next frame would begin and no whole one does: an unfinished write,
/// unless it fails. `rest` is all from there to the last byte of the segment that is not zero, `room` the distance
/// to the segment's end.
pub(crate) fn judge(store: StoreId, position: Position, rest: &[u8], room: u64) -> Result<(), Damage> {
    let is_last = !later_frame(store, position, rest, FRAME_ALIGNMENT);
    require(is_last, || "the frame here is not whole, but a later one is")?;
    require(rest.len() <= MAX_FRAME_BYTES, || "no frame reaches as far as the bytes found behind here")?;
    let first_part = SECTOR_BYTES - position.offset as usize % SECTOR_BYTES;
    if is_zero(rest, 0..first_part) {
        return Ok(());
    }
    let Some(header) = Header::at(store, position, rest) else {
        let second_sector = first_part..first_part + SECTOR_BYTES;
        let torn = first_part < FRAME_HEADER_BYTES && is_zero(rest, second_sector);
        return require(torn, || "the header of the frame here does not match its checksum");
    };
    let length = header.frame_len();
    require(length as u64 <= room, || "the frame here is longer than its segment")?;
    require(rest.len() <= length, || "the frame here is not whole, but something stands behind it")?;
    require(has_unwritten_sector(&header, rest), || "the frame here does not match its checksum")
}

/// Judges a segment whose first sector is zero, from its first byte on; the write of that sector and the
/// first frame is one.
pub(crate) fn judge_unbegun(store: StoreId, number: u32, rest: &[u8]) -> Result<(), Damage> {
    let start = Position { segment: number, offset: 0 };
    let is_last = !later_frame(store, start, rest, SEGMENT_HEADER_BYTES + FRAME_ALIGNMENT);
    require(is_last, || "the segment has no header, but more than one frame")?;
    let fits = rest.len() <= SEGMENT_HEADER_BYTES + MAX_FRAME_BYTES;
    require(fits, || "the segment has no header, but more bytes than a frame has")
}

/// Whether a frame of this log begins in `rest` at or after `skip`. Its header suffices: it was begun only
/// after everything before it had been synced.
fn later_frame(store: StoreId, position: Position, rest: &[u8], skip: usize) -> bool {
    (skip..rest.len()).step_by(FRAME_ALIGNMENT).any(|at| {
        let offset = u32::try_from(at).ok().and_then(|at| position.offset.checked_add(at));
        offset.is_some_and(|offset| Header::at(store, Position { offset, ..position }, &rest[at..]).is_some())
    })
}

/// Whether some sector's part of the frame is zero that the frame, when it was whole, held something in.
fn has_unwritten_sector(header: &Header, rest: &[u8]) -> bool {
    let map = header.map_range();
    let listed = rest
        .get(map.clone())
        .filter(|bytes| crc32c::crc32c(bytes) == header.map_crc)
        .and_then(sector_map::decode);
    let start = header.position.offset as usize;
    let end = start + header.frame_len();
    let first_sector = start / SECTOR_BYTES;
    (first_sector..end.div_ceil(SECTOR_BYTES)).any(|sector| {
        let part = (sector * SECTOR_BYTES).max(start) - start..((sector + 1) * SECTOR_BYTES).min(end) - start;
        if !is_zero(rest, part.clone()) {
            return false;
        }
        match &listed {
            Some(ranges) => !ranges.iter().any(|range| range.contains(&((sector - first_sector) as u64))),
            // Without the map only what is never zero can tell: the map itself and what follows it.
            None => part.end > map.start,
        }
    })
}

/// Whether the bytes of `range` are zero; past the end of `bytes` all are.
fn is_zero(bytes: &[u8], range: Range<usize>) -> bool {
    let end = range.end.min(bytes.len());
    bytes.get(range.start..end).is_none_or(|part| part.iter().all(|&byte| byte == 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::ChainPoint;
    use crate::frame::{Frame, Kind, encode};

    const STORE: StoreId = StoreId([7; 16]);
    const ROOM: u64 = 1 << 20;

    fn frame(payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let draft = Frame { first_seq: 1, commit_count: 1, base_time: 0, payload: payload.into() };
        encode(STORE, &ChainPoint::genesis(STORE), Kind::Commits, &draft, &mut bytes).unwrap();
        bytes
    }

    /// As [`judge`], for bytes at the first place of the first segment.
    fn verdict(bytes: &[u8], room: u64) -> Result<(), Damage> {
        let end = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        judge(STORE, ChainPoint::genesis(STORE).position, &bytes[..end], room)
    }

    #[test]
    fn nothing_but_zeros_is_no_damage() {
        assert_eq!(verdict(&[0; 2000], ROOM), Ok(()));
        assert_eq!(judge_unbegun(STORE, 2, &[]), Ok(()));
    }

    #[test]
    fn a_missing_sector_is_torn_and_a_changed_byte_is_damage() {
        let whole = frame(&[9; 3000]);
        for sector in whole.chunks(SECTOR_BYTES).enumerate().map(|(sector, _)| sector) {
            let mut torn = whole.clone();
            let part = sector * SECTOR_BYTES..((sector + 1) * SECTOR_BYTES).min(whole.len());
            torn[part.clone()].fill(0);
            assert_eq!(verdict(&torn, ROOM), Ok(()), "sector {sector}");
            let mut damaged = whole.clone();
            damaged[part.start + 4] ^= 0x80;
            assert!(verdict(&damaged, ROOM).is_err(), "sector {sector}");
        }
    }

    #[test]
    fn a_zero_header_before_bytes_that_no_frame_could_reach_is_damage() {
        let mut bytes = vec![0; MAX_FRAME_BYTES + 1];
        bytes[MAX_FRAME_BYTES - 1] = 1;
        assert_eq!(verdict(&bytes, ROOM << 10), Ok(()));
        bytes[MAX_FRAME_BYTES] = 1;
        assert!(verdict(&bytes, ROOM << 10).is_err());
        let mut unbegun = vec![0; SEGMENT_HEADER_BYTES + MAX_FRAME_BYTES + 1];
        unbegun[SEGMENT_HEADER_BYTES + MAX_FRAME_BYTES] = 1;
        assert!(judge_unbegun(STORE, 2, &unbegun).is_err());
    }

    #[test]
    fn what_stands_behind_an_unfinished_frame_makes_it_damage() {
        let mut bytes = frame(&[9; 3000]);
        bytes[1024..1536].fill(0);
        assert_eq!(verdict(&bytes, ROOM), Ok(()));
        bytes.resize(bytes.len() + 600, 0);
        assert_eq!(verdict(&bytes, ROOM), Ok(()));
        bytes.push(1);
        assert!(verdict(&bytes, ROOM).is_err());
    }

    #[test]
    fn a_frame_that_would_leave_its_segment_is_damage() {
        let mut bytes = frame(&[9; 3000]);
        bytes[1024..1536].fill(0);
        assert!(verdict(&bytes, 3000).is_err());
    }

    #[test]
    fn a_whole_frame_behind_a_missing_one_is_damage_in_the_middle() {
        let first = frame(&[9; 3000]);
        let at = ChainPoint::genesis(STORE);
        let next = Header::at(STORE, at.position, &first).unwrap().end(&first).unwrap();
        let mut second = Vec::new();
        let draft = Frame { first_seq: 2, commit_count: 1, base_time: 0, payload: b"x".into() };
        encode(STORE, &next, Kind::Commits, &draft, &mut second).unwrap();
        let bytes = [vec![0; first.len()], second].concat();
        assert!(verdict(&bytes, ROOM).is_err());
        let bytes = [vec![0; SEGMENT_HEADER_BYTES], bytes].concat();
        assert!(judge_unbegun(STORE, 1, &bytes).is_err());
    }

    #[test]
    fn a_lost_map_sector_is_torn_and_a_damaged_map_is_not() {
        // The payload's zeros are listed; the map lies alone in the last sector.
        let payload = [vec![9; 432], vec![0; 512 * 4], vec![9; 500]].concat();
        let whole = frame(&payload);
        let map = FRAME_HEADER_BYTES + payload.len();
        let mut lost = whole.clone();
        lost[map / SECTOR_BYTES * SECTOR_BYTES..].fill(0);
        assert_eq!(verdict(&lost, ROOM), Ok(()));
        let mut damaged = whole;
        damaged[map] ^= 1;
        assert!(verdict(&damaged, ROOM).is_err());
    }
}
