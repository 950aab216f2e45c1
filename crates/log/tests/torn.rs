//! A write that was not finished is taken out, kept aside and reported; a finished one is never taken for it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;

use karyon_log::{ASIDE_DIRECTORY, Frame, Log, Position, SECTOR_BYTES, segment_path};
use karyon_model::Code;
use karyon_testkit::Random;
use karyon_testkit::disk::{Fate, SimDisk};
use support::{SMALL, STORE, create};

/// Writes one frame per payload and returns the disk, and where the last frame lies.
fn written(payloads: &[Vec<u8>]) -> (SimDisk, Position, u32) {
    let disk = SimDisk::new();
    let mut log = create(&disk).unwrap();
    for (seq, payload) in (1..).zip(payloads) {
        log.append(&Frame { first_seq: seq, commit_count: 1, base_time: 5, payload: payload.into() })
            .unwrap();
        log.sync().unwrap();
    }
    let (last, end) = *support::spans(&disk, &log).last().unwrap();
    (disk, last, end)
}

fn payloads_found(disk: &SimDisk) -> karyon_model::Result<(Vec<Vec<u8>>, karyon_log::Recovery)> {
    let mut found = Vec::new();
    let visit = &mut |frame: &Frame<'_>, _: &karyon_log::ChainPoint| {
        found.push(frame.payload.to_vec());
        Ok(())
    };
    let (_, recovery) = Log::open(Arc::new(disk.clone()), STORE, SMALL, support::whole(), visit)?;
    Ok((found, recovery))
}

fn zero(disk: &SimDisk, segment: u32, range: std::ops::Range<usize>) {
    disk.damage(&segment_path(segment), |bytes| bytes[range].fill(0));
}

/// The parts of the frame that lie in one sector each.
fn parts(start: u32, end: u32) -> Vec<std::ops::Range<usize>> {
    let (start, end) = (start as usize, end as usize);
    (start / SECTOR_BYTES..end.div_ceil(SECTOR_BYTES))
        .map(|sector| (sector * SECTOR_BYTES).max(start)..((sector + 1) * SECTOR_BYTES).min(end))
        .collect()
}

#[test]
fn a_frame_of_which_any_sectors_are_missing_is_cut_and_kept_aside() {
    // Frames that begin and end at all kinds of places in a sector, with and without zeros of their own.
    let mut random = Random::new(11);
    for lead in (0..520).step_by(24) {
        let mut payload = random.bytes(1800);
        if lead % 48 == 0 {
            payload[500..1600].fill(0);
        }
        let payloads = [vec![1; lead], payload];
        let (disk, last, end) = written(&payloads);
        let parts = parts(last.offset, end);
        let whole = disk.contents(&segment_path(1)).unwrap();
        for subset in 0..1u32 << parts.len() {
            let torn = disk.copy();
            let missing = || parts.iter().enumerate().filter(|(part, _)| subset >> part & 1 == 1);
            missing().for_each(|(_, part)| zero(&torn, 1, part.clone()));
            let left = torn.contents(&segment_path(1)).unwrap();
            let (found, recovery) = payloads_found(&torn).unwrap();
            if left == whole {
                assert!(found == payloads, "only zeros are missing: nothing is");
                assert_eq!(recovery.cut, None);
                continue;
            }
            assert!(found == payloads[..1], "lead {lead}, sectors {subset:b}");
            let rest = &left[last.offset as usize..];
            let Some(end_of_rest) = rest.iter().rposition(|&byte| byte != 0) else {
                assert_eq!(recovery.cut, None, "nothing was written, so nothing is cut");
                continue;
            };
            let cut = recovery.cut.expect("what is cut is reported");
            assert_eq!((cut.segment, cut.offset, cut.bytes), (1, last.offset, end_of_rest as u64 + 1));
            assert!(torn.contents(&cut.file).unwrap() == rest[..=end_of_rest]);
            assert!(
                torn.contents(&segment_path(1)).unwrap()[last.offset as usize..]
                    .iter()
                    .all(|&byte| byte == 0)
            );
        }
    }
}

#[test]
fn a_frame_that_ends_early_is_never_accepted_whatever_byte_it_ends_at() {
    let mut random = Random::new(12);
    let payloads = [random.bytes(300), random.bytes(1100)];
    let (disk, last, end) = written(&payloads);
    for stop in last.offset..end {
        let torn = disk.copy();
        zero(&torn, 1, stop as usize..end as usize);
        match payloads_found(&torn) {
            Ok((found, recovery)) => {
                assert!(found == payloads[..1], "cut at {stop}");
                assert_eq!(recovery.cut.is_some(), stop > last.offset, "cut at {stop}");
            }
            // No disk leaves half a sector: this was done by something else, to a frame that may have been
            // acknowledged.
            Err(error) => {
                assert_eq!(error.code(), Code::Damaged);
                assert!(
                    !(stop as usize).is_multiple_of(SECTOR_BYTES),
                    "a write that stopped between two sectors is unfinished"
                );
            }
        }
    }
}

#[test]
fn a_file_that_was_cut_is_damaged_wherever_it_was_cut() {
    let mut random = Random::new(13);
    let (disk, ..) = written(&[random.bytes(300), random.bytes(700)]);
    for len in (0..4096).step_by(13) {
        let cut = disk.copy();
        cut.damage(&segment_path(1), |bytes| bytes.truncate(len));
        support::refused(&cut, Code::Damaged, 1);
    }
}

#[test]
fn zeros_inside_values_are_kept() {
    let kibibytes_of_zeros = vec![0; 5000];
    let mut between = vec![9; 3000];
    between[700..2600].fill(0);
    let payloads = [kibibytes_of_zeros, between, vec![0; 1], vec![], vec![0; 512 * 3 - 592 % 512]];
    let (disk, ..) = written(&payloads);
    let (found, recovery) = payloads_found(&disk).unwrap();
    assert!(found == payloads);
    assert_eq!(recovery.cut, None);
}

#[test]
fn a_damaged_frame_full_of_zeros_is_not_taken_for_a_torn_one() {
    let mut payload = vec![0; 3000];
    payload[2999] = 1;
    let (disk, last, end) = written(&[vec![1], payload]);
    for offset in last.offset..end {
        let damaged = disk.copy();
        damaged.flip(&segment_path(1), u64::from(offset) * 8 + 3);
        assert_eq!(payloads_found(&damaged).unwrap_err().code(), Code::Damaged, "offset {offset}");
    }
}

#[test]
fn a_copy_of_a_frame_or_a_segment_inside_a_value_is_a_value() {
    let (disk, first, end) = written(&[vec![3; 700]]);
    let segment = disk.contents(&segment_path(1)).unwrap();
    let frame = segment[first.offset as usize..end as usize].to_vec();
    let other = disk.contents(&segment_path(1)).unwrap()[..3000].to_vec();
    // At every distance from the sector's start, so that some copy lies where a frame could begin.
    for shift in 0..8 {
        let mut copy = vec![5; shift];
        copy.extend(&frame);
        copy.extend(&other);
        let payloads = [vec![3; 700], copy.clone(), frame.clone(), copy];
        let (disk, last, end) = written(&payloads);
        assert!(payloads_found(&disk).unwrap().0 == payloads);
        // Unfinished, its copies of whole frames do not make it damage in the middle.
        for part in parts(last.offset, end) {
            let torn = disk.copy();
            let before = torn.contents(&segment_path(last.segment)).unwrap();
            zero(&torn, last.segment, part.clone());
            if torn.contents(&segment_path(last.segment)).unwrap() != before {
                assert!(payloads_found(&torn).unwrap().0 == payloads[..3], "shift {shift}, part {part:?}");
            }
        }
    }
}

#[test]
fn the_first_frame_of_a_segment_and_its_header_are_one_write() {
    let payloads = [vec![1; 3000], vec![2; 3000]];
    let (disk, last, end) = written(&payloads);
    assert_eq!((last.segment, last.offset), (2, 512));
    let parts = parts(0, end);
    for subset in 1..1u32 << parts.len() {
        let torn = disk.copy();
        for (_, part) in parts.iter().enumerate().filter(|(part, _)| subset >> part & 1 == 1) {
            zero(&torn, 2, part.clone());
        }
        let (found, recovery) = payloads_found(&torn).unwrap();
        assert!(found == payloads[..1], "sectors {subset:b}");
        let all = subset + 1 == 1 << parts.len();
        let header_alone = subset + 2 == 1 << parts.len();
        assert_eq!(recovery.cut.is_some(), !all && !header_alone, "sectors {subset:b}");
        let mut log =
            Log::open(Arc::new(torn.clone()), STORE, SMALL, support::whole(), &mut |_, _| Ok(())).unwrap().0;
        log.append(&Frame {
            first_seq: 2,
            commit_count: 1,
            base_time: 5,
            payload: (&payloads[1][..]).into(),
        })
        .unwrap();
        log.sync().unwrap();
        assert!(payloads_found(&torn).unwrap().0 == payloads);
    }
}

#[test]
fn every_cut_is_kept_and_the_same_cut_only_once() {
    let (disk, last, end) = written(&[vec![1; 100], vec![2; 1500]]);
    let torn = disk.copy();
    zero(&torn, 1, end as usize - 600..end as usize);
    let torn_bytes = torn.contents(&segment_path(1)).unwrap();
    let first = payloads_found(&torn).unwrap().1.cut.unwrap();
    let again = torn_bytes.clone();
    torn.damage(&segment_path(1), |bytes| *bytes = again);
    assert_eq!(payloads_found(&torn).unwrap().1.cut.unwrap(), first);
    torn.damage(&segment_path(1), |bytes| {
        *bytes = torn_bytes;
        bytes[last.offset as usize + 200] ^= 1;
    });
    let second = payloads_found(&torn).unwrap().1.cut.unwrap();
    assert_ne!(first.file, second.file);
    assert!(torn.files().keys().filter(|path| path.starts_with(ASIDE_DIRECTORY)).count() == 2);
}

/// Power is cut at every operation of the opening that cuts: what is cut is still there afterwards, in one
/// place or the other.
#[test]
fn what_is_cut_is_never_lost() {
    let (disk, last, end) = written(&[vec![1; 100], vec![2; 1500]]);
    zero(&disk, 1, end as usize / SECTOR_BYTES * SECTOR_BYTES..end as usize);
    let unfinished = disk.contents(&segment_path(1)).unwrap()[last.offset as usize..].to_vec();
    let unfinished = &unfinished[..=unfinished.iter().rposition(|&byte| byte != 0).unwrap()];
    payloads_found(&disk).unwrap().1.cut.unwrap();
    let mut crashes = disk.crashes();
    while let Some(crash) = crashes.next() {
        for fate in Fate::spread(crash.operations as u64, 20) {
            let disk = crash.disk(fate);
            payloads_found(&disk).unwrap();
            let files = disk.files();
            let mut aside = files.iter().filter(|(path, _)| path.starts_with(ASIDE_DIRECTORY));
            assert!(
                aside.any(|(_, bytes)| bytes == unfinished),
                "after operation {}, {fate:?}",
                crash.operations
            );
        }
    }
}
