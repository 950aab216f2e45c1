//! What was acknowledged and is not there any more is said, with segment and offset; nothing is changed and
//! nothing is passed over.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;

use karyon_log::{Disk, Frame, LOG_DIRECTORY, Log, OpenMode, SEGMENT_HEADER_BYTES, StoreId, segment_path};
use karyon_model::{Code, Fact};
use karyon_testkit::Random;
use karyon_testkit::disk::SimDisk;
use support::{create, detail, filled, open, refused, scaled, spans, unchecked};

fn put(disk: &SimDisk, segment: u32, bytes: &[u8]) {
    let path = segment_path(segment);
    if !disk.exists(&path).unwrap() {
        disk.open(&path, OpenMode::Create).unwrap();
    }
    disk.damage(&path, |old| *old = bytes.to_vec());
}

fn segment(disk: &SimDisk, number: u32) -> Vec<u8> {
    disk.contents(&segment_path(number)).unwrap()
}

/// Three short frames in one segment; the last one spans two sectors.
fn one_segment() -> (SimDisk, Log) {
    let disk = SimDisk::new();
    let mut log = create(&disk).unwrap();
    for (seq, len) in [(1, 20), (2, 90), (3, 180)] {
        let payload = Random::new(seq).bytes(len);
        log.append(&Frame { first_seq: seq, commit_count: 1, base_time: 7, payload: (&payload[..]).into() })
            .unwrap();
        log.sync().unwrap();
    }
    (disk, log)
}

#[test]
fn every_flipped_bit_of_a_small_log_is_noticed() {
    let (disk, log) = one_segment();
    let spans = spans(&disk, &log);
    let (last, end) = spans[2];
    assert_eq!(last.segment, 1);
    drop(log);
    for bit in 0..u64::from(end) * 8 {
        let flipped = disk.copy();
        flipped.flip(&segment_path(1), bit);
        let offset = (bit / 8) as u32;
        if offset < last.offset {
            let error = refused(&flipped, Code::Damaged, 1);
            let Fact::Number(named) = detail(&error, "offset") else { panic!("{error}") };
            let holder = spans.iter().find(|(start, end)| (start.offset..*end).contains(&offset));
            assert_eq!(named, holder.map_or(0, |(start, _)| start.offset.into()), "bit {bit}");
        } else if let Ok((_, recovery)) = unchecked(&flipped) {
            // A part of a sector that held one single bit and lost it looks as if it had never been written.
            assert!(recovery.frames == 2 && recovery.cut.is_some(), "bit {bit}: the last frame was accepted");
        }
    }
}

#[test]
fn flipped_bits_of_a_large_log_are_noticed_and_placed() {
    let (disk, log) = filled(60);
    let spans = spans(&disk, &log);
    let last = spans.last().unwrap().0;
    drop(log);
    let seed = 21;
    let mut random = Random::new(seed);
    for _ in 0..scaled(200) {
        let (start, end) = *random.pick(&spans[..spans.len() - 1]);
        let bit = u64::from(start.offset) * 8 + random.below((end - start.offset) as usize * 8) as u64;
        let flipped = disk.copy();
        flipped.flip(&segment_path(start.segment), bit);
        let error = refused(&flipped, Code::Damaged, start.segment);
        assert_eq!(detail(&error, "offset"), start.offset.into(), "seed {seed}, bit {bit}");
    }
    for number in 1..=last.segment {
        for bit in 0..SEGMENT_HEADER_BYTES as u64 * 8 / 7 {
            let flipped = disk.copy();
            flipped.flip(&segment_path(number), bit * 7);
            refused(&flipped, Code::Damaged, number);
        }
    }
}

#[test]
fn the_frame_that_says_where_the_log_goes_on_is_guarded_like_any_other() {
    let (disk, log) = filled(20);
    let spans = spans(&disk, &log);
    drop(log);
    let end = spans.iter().filter(|(start, _)| start.segment == 1).map(|(_, end)| *end).max().unwrap();
    for bit in u64::from(end) * 8..u64::from(end + 88) * 8 {
        let flipped = disk.copy();
        flipped.flip(&segment_path(1), bit);
        refused(&flipped, Code::Damaged, 1);
    }
}

#[test]
fn a_segment_that_was_begun_although_the_one_before_does_not_say_so_is_damage() {
    let (disk, log) = filled(20);
    let spans = spans(&disk, &log);
    drop(log);
    let end = spans.iter().filter(|(start, _)| start.segment == 1).map(|(_, end)| *end).max().unwrap();
    let last = disk.list(LOG_DIRECTORY).unwrap().len() as u32;
    for next in (3..=last).rev() {
        disk.remove(&segment_path(next)).unwrap();
    }
    disk.damage(&segment_path(1), |bytes| bytes[end as usize..].fill(0));
    let error = refused(&disk, Code::Damaged, 1);
    assert_eq!(detail(&error, "offset"), end.into());
}

#[test]
fn a_flipped_bit_where_nothing_was_written_costs_nothing() {
    let (disk, log) = one_segment();
    let end = log.head().position.offset;
    drop(log);
    disk.flip(&segment_path(1), u64::from(end + 1024) * 8);
    let (_, recovery) = unchecked(&disk).unwrap();
    assert_eq!(recovery.frames, 3);
    assert_eq!(recovery.cut.as_ref().unwrap().offset, end);
    assert_eq!(unchecked(&disk).unwrap().1.cut, None);
}

#[test]
fn a_missing_segment_is_named_be_it_the_first_a_middle_one_or_the_last() {
    let (disk, log) = filled(40);
    let last = log.head().position.segment;
    assert!(last >= 4);
    drop(log);
    for number in 1..=last {
        let holed = disk.copy();
        holed.remove(&segment_path(number)).unwrap();
        // The prepared segment behind the last is not missed.
        if number == last && holed.exists(&segment_path(last + 1)).unwrap() {
            holed.remove(&segment_path(last + 1)).unwrap();
        }
        let error = refused(&holed, Code::SegmentMissing, number);
        assert_eq!(detail(&error, "file"), segment_path(number).into());
    }
    let empty = SimDisk::new();
    refused(&empty, Code::SegmentMissing, 1);
    empty.create_dir(LOG_DIRECTORY).unwrap();
    refused(&empty, Code::SegmentMissing, 1);
}

#[test]
fn swapped_duplicated_emptied_and_foreign_segments_are_named() {
    let (disk, log) = filled(40);
    let last = log.head().position.segment;
    drop(log);

    let swapped = disk.copy();
    put(&swapped, 2, &segment(&disk, 3));
    put(&swapped, 3, &segment(&disk, 2));
    refused(&swapped, Code::Damaged, 2);

    let duplicated = disk.copy();
    put(&duplicated, last + 1, &segment(&disk, last));
    refused(&duplicated, Code::Damaged, last + 1);

    for number in 1..last {
        let emptied = disk.copy();
        put(&emptied, number, &vec![0; segment(&disk, number).len()]);
        refused(&emptied, Code::Damaged, number);
    }

    let foreign = SimDisk::new();
    let other = StoreId(*b"some other store");
    let mut log =
        Log::create(Arc::new(foreign.clone()), other, support::SMALL, karyon_log::ChainPoint::genesis(other))
            .unwrap();
    for _ in 0..40 {
        support::commit(&mut log).unwrap();
    }
    for number in 1..=2 {
        let mixed = disk.copy();
        put(&mixed, number, &segment(&foreign, number));
        let error = refused(&mixed, Code::Damaged, number);
        assert!(error.message().contains("another store"), "{error}");
    }
}

#[test]
fn a_segment_of_an_older_copy_of_the_store_does_not_follow() {
    let (disk, mut log) = filled(8);
    let fork = disk.copy();
    let common = log.head().position.segment;
    for _ in 0..30 {
        support::commit(&mut log).unwrap();
    }
    let (mut forked, _) = open(&fork).unwrap();
    // The fork's commits are others, so its chain is another one.
    for _ in 0..40 {
        let seq = forked.head().next_seq;
        forked.append(&support::draft(seq, b"forked")).unwrap();
        forked.sync().unwrap();
    }
    let number = common + 1;
    put(&disk, number, &segment(&fork, number));
    let error = unchecked(&disk).map(|_| ()).unwrap_err();
    assert_eq!((error.code(), detail(&error, "segment")), (Code::Damaged, number.into()));
    assert_eq!(detail(&error, "offset"), Fact::Number(0), "its header says so already");
}

#[test]
fn a_frame_of_another_history_in_the_same_place_does_not_follow() {
    let (disk, mut log) = one_segment();
    let fork = disk.copy();
    let mut forked = unchecked(&fork).unwrap().0;
    for (log, byte) in [(&mut log, 1), (&mut forked, 2)] {
        for seq in [4, 5] {
            let payload = [byte; 40];
            log.append(&Frame {
                first_seq: seq,
                commit_count: 1,
                base_time: 7,
                payload: (&payload[..]).into(),
            })
            .unwrap();
            log.sync().unwrap();
        }
    }
    let (last, end) = spans(&disk, &log)[4];
    let foreign = segment(&fork, 1)[last.offset as usize..end as usize].to_vec();
    disk.damage(&segment_path(1), |bytes| {
        bytes[last.offset as usize..end as usize].copy_from_slice(&foreign)
    });
    let error = refused(&disk, Code::Damaged, 1);
    assert_eq!(detail(&error, "offset"), last.offset.into());
}

#[test]
fn what_stands_in_a_segment_that_was_only_prepared_is_kept_aside() {
    let (disk, mut log) = filled(6);
    while !disk.exists(&segment_path(log.head().position.segment + 1)).unwrap() {
        support::commit(&mut log).unwrap();
        log.prepare_ahead().unwrap();
    }
    let (last_seq, prepared) = (log.head().next_seq - 1, segment_path(log.head().position.segment + 1));
    drop(log);
    let len = disk.contents(&prepared).unwrap().len() as u64;
    disk.flip(&prepared, len * 8 - 1);
    let (log, recovery) = open(&disk).unwrap();
    assert_eq!(recovery.last_seq, last_seq);
    assert_eq!(recovery.cut.as_ref().unwrap().segment, log.head().position.segment + 1);
    assert!(disk.contents(&prepared).unwrap().iter().all(|&byte| byte == 0));
}

#[test]
fn a_newer_format_is_said_to_be_newer() {
    let (disk, log) = filled(40);
    drop(log);
    for number in [1, 2] {
        let newer = disk.copy();
        newer.damage(&segment_path(number), |bytes| {
            bytes[8..12].copy_from_slice(&2u32.to_le_bytes());
            let crc = crc32c::crc32c(&bytes[..508]);
            bytes[508..512].copy_from_slice(&crc.to_le_bytes());
        });
        let before = newer.files();
        let error = open(&newer).map(|_| ()).unwrap_err();
        assert_eq!(error.code(), Code::FormatNewer);
        assert_eq!(
            (detail(&error, "format"), detail(&error, "supported")),
            (Fact::Number(2), Fact::Number(1))
        );
        assert!(newer.files() == before);
    }
}

#[test]
fn a_checkpoint_that_is_ahead_of_the_log_is_refused() {
    let (disk, mut log) = filled(3);
    let old = disk.copy();
    support::commit(&mut log).unwrap();
    let ahead = log.head();
    for _ in 0..20 {
        support::commit(&mut log).unwrap();
    }
    let far_ahead = log.head();
    assert_eq!(support::open_from(&old, Some(ahead)).map(|_| ()).unwrap_err().code(), Code::Damaged);
    let error = support::open_from(&old, Some(far_ahead)).map(|_| ()).unwrap_err();
    assert!(matches!(error.code(), Code::Damaged | Code::SegmentMissing), "{error}");
}

#[test]
fn verifying_finds_what_opening_from_a_checkpoint_does_not_read() {
    let (disk, log) = filled(40);
    let head = log.head();
    let (start, _) = spans(&disk, &log)[3];
    drop(log);
    disk.flip(&segment_path(start.segment), u64::from(start.offset + 90) * 8);
    let (_, recovery) = support::open_from(&disk, Some(head)).unwrap();
    assert_eq!(recovery.frames, 0);
    let error = support::verify(&support::reader(&disk), &head).unwrap_err();
    assert_eq!((error.code(), detail(&error, "offset")), (Code::Damaged, start.offset.into()));
}

#[test]
fn files_that_are_no_segments_are_left_alone() {
    let (disk, log) = filled(3);
    drop(log);
    for name in ["notes.txt", "1.seg", "0000000002.seg.bak", "000000000a.seg", "00000000002.seg"] {
        let path = format!("{LOG_DIRECTORY}/{name}");
        let file = disk.open(&path, OpenMode::Create).unwrap();
        file.write_at(0, b"not a segment").unwrap();
    }
    assert_eq!(open(&disk).unwrap().1.frames, 3);
}
