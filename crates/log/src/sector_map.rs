//! Which sectors of a frame are all zero although they were written.
//!
//! A write that a power cut tears leaves some sectors as they were: all zero, since the log writes only over
//! zeros. A payload may hold zeros of its own, so a frame lists the sectors whose part of it is zero, and
//! only a zero sector that is not listed proves a torn write. Parts that hold anything else than payload are
//! never zero (see `frame`), so the list depends on the payload and its place alone.
//!
//! Encoded as pairs of LEB128 numbers, each ≥ 1: sectors since the end of the previous range (at first: since
//! the frame's first sector), and length of the range. No byte of it is zero.

use std::ops::Range;

use karyon_model::{Cursor, put_varint};

/// The unit that a disk writes whole or not at all.
pub const SECTOR_BYTES: usize = 512;

/// Appends the map of a payload that begins at `payload_offset` of a segment, in a frame that begins at
/// `frame_offset`.
pub(crate) fn encode(frame_offset: u64, payload_offset: u64, payload: &[u8], into: &mut Vec<u8>) {
    let first_sector = frame_offset / SECTOR_BYTES as u64;
    // The first part that is wholly payload; a part before it also holds bytes of the header.
    let lead = payload_offset.next_multiple_of(SECTOR_BYTES as u64) - payload_offset;
    let lead = usize::try_from(lead).unwrap_or(0).min(payload.len());
    let sectors = (payload_offset + lead as u64) / SECTOR_BYTES as u64 - first_sector..;
    let parts = sectors.zip(payload[lead..].chunks_exact(SECTOR_BYTES));
    let (mut end_of_last, mut range) = (0, 0..0);
    for (sector, _) in parts.filter(|(_, part)| *part == [0; SECTOR_BYTES]) {
        if range.end != sector {
            push_range(&mut end_of_last, &range, into);
            range.start = sector;
        }
        range.end = sector + 1;
    }
    push_range(&mut end_of_last, &range, into);
}

fn push_range(end_of_last: &mut u64, range: &Range<u64>, into: &mut Vec<u8>) {
    if !range.is_empty() {
        put_varint(into, range.start - *end_of_last);
        put_varint(into, range.end - range.start);
        *end_of_last = range.end;
    }
}

/// The ranges of a map, counted in sectors from the frame's first; `None` if the bytes are no map.
pub(crate) fn decode(bytes: &[u8]) -> Option<Vec<Range<u64>>> {
    let mut cursor = Cursor::new(bytes);
    let number = |cursor: &mut Cursor<'_>| cursor.id().ok().filter(|number| *number > 0).map(u64::from);
    let mut ranges = Vec::new();
    let mut end_of_last = 0u64;
    while !cursor.is_empty() {
        let start = end_of_last.checked_add(number(&mut cursor)?)?;
        end_of_last = start.checked_add(number(&mut cursor)?)?;
        ranges.push(start..end_of_last);
    }
    Some(ranges)
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "a list that happens to hold one range")]
mod tests {
    use super::*;

    fn map_of(frame_offset: u64, payload_offset: u64, payload: &[u8]) -> Vec<Range<u64>> {
        let mut bytes = Vec::new();
        encode(frame_offset, payload_offset, payload, &mut bytes);
        assert!(bytes.iter().all(|&byte| byte != 0), "no byte of a map is zero");
        decode(&bytes).unwrap()
    }

    #[test]
    fn a_payload_without_zero_sectors_needs_no_map() {
        assert_eq!(map_of(512, 592, &[7; 5000]), []);
        assert_eq!(map_of(512, 592, &[]), []);
    }

    #[test]
    fn only_sectors_that_are_wholly_payload_and_zero_are_listed() {
        // Header in sector 0; the payload's part of it is zero too, but the header's is not.
        assert_eq!(map_of(512, 592, &[0; 432 + 512 * 3 + 100]), [1..4]);
        let mut payload = vec![0; 432 + 512 * 4];
        payload[432 + 512] = 1;
        assert_eq!(map_of(512, 592, &payload), [1..2, 3..5]);
    }

    #[test]
    fn a_payload_that_begins_with_its_sector_lists_that_sector() {
        // The header fills the end of sector 0 exactly.
        assert_eq!(map_of(1024 - 80, 1024, &[0; 512]), [1..2]);
    }

    #[test]
    fn long_gaps_and_ranges_survive() {
        let mut payload = vec![1; 512 * 70_000];
        payload[512 * 300..512 * 66_000].fill(0);
        assert_eq!(map_of(512, 1024, &payload), [301..66_001]);
    }

    #[test]
    fn bytes_that_are_no_map_are_refused() {
        assert_eq!(decode(&[0, 1]), None, "a gap of zero");
        assert_eq!(decode(&[1]), None, "half a pair");
        assert_eq!(decode(&[0x80, 0x80, 0x80, 0x80, 0x80, 1, 1]), None, "a number that is too long");
        assert_eq!(decode(&[0x80]), None, "a number that does not end");
    }
}
