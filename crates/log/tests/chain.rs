//! What a log is for when nothing goes wrong: what was written is read again, in order, from anywhere.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::ops::ControlFlow;
use std::sync::Arc;

use karyon_log::{
    ASIDE_DIRECTORY, Disk, Frame, Hash, Log, LogReader, MAX_COMMITS, MAX_PAYLOAD_BYTES, RealDisk,
    SegmentSizes, segment_path,
};
use karyon_model::Code;
use karyon_testkit::disk::SimDisk;
use support::{STORE, commit, create, draft, filled, open, open_from, payload};

#[test]
fn the_log_may_move_to_its_writers_thread_and_readers_to_any() {
    fn moves<T: Send>() {}
    fn is_shared<T: Send + Sync + Clone>() {}
    moves::<Log>();
    is_shared::<karyon_log::LogReader>();
}

#[test]
fn an_empty_log_opens_empty() {
    let disk = SimDisk::new();
    let log = create(&disk).unwrap();
    assert_eq!(log.head().next_seq, 1);
    assert_eq!(log.head().hash, Hash::genesis(STORE));
    drop(log);
    let (log, recovery) = open(&disk).unwrap();
    assert_eq!((recovery.frames, recovery.last_seq), (0, 0));
    assert!(!recovery.sealed && recovery.sealed_time.is_none() && recovery.cut.is_none());
    assert_eq!(log.head().next_seq, 1);
}

#[test]
fn frames_are_read_again_over_many_segments() {
    let (disk, mut log) = filled(60);
    assert!(log.head().position.segment > 4, "the log rolled over several times");
    let head = log.head();
    let mut commits = 0;
    let count = &mut |frame: &karyon_log::Frame<'_>, _: &karyon_log::ChainPoint| {
        commits += u64::from(frame.commit_count);
        Ok(ControlFlow::Continue(()))
    };
    support::reader(&disk).read(&head, count).unwrap();
    assert_eq!(support::verify(&support::reader(&disk), &head).unwrap(), 60);
    assert_eq!(commits, head.next_seq - 1);
    log.seal(0).unwrap();
    drop(log);
    let (_, recovery) = open(&disk).unwrap();
    assert_eq!((recovery.frames, recovery.last_seq), (60, head.next_seq - 1));
    assert!(recovery.sealed && recovery.cut.is_none());
    assert!(!disk.exists(ASIDE_DIRECTORY).unwrap());
}

#[test]
fn a_seal_says_that_nothing_followed_it() {
    let (disk, mut log) = filled(2);
    log.seal(0).unwrap();
    let sealed = log.head();
    log.seal(0).unwrap();
    assert_eq!(log.head(), sealed, "a sealed log is not sealed again");
    drop(log);
    let (mut log, recovery) = open(&disk).unwrap();
    assert!(recovery.sealed);
    log.seal(0).unwrap();
    assert_eq!(log.head(), sealed, "nor after it was opened");
    commit(&mut log).unwrap();
    drop(log);
    let (log, recovery) = open(&disk).unwrap();
    assert!(!recovery.sealed);
    assert_eq!(recovery.frames, 3);
    drop(log);
}

#[test]
fn a_seal_keeps_the_newest_time_that_was_handed_out() {
    let (disk, mut log) = filled(2);
    let unsealed = log.head();
    for (time, kept, written) in
        [(7, 7, true), (7, 7, false), (5, 7, false), (9, 9, true), (i64::MAX, i64::MAX, true)]
    {
        let before = log.head();
        log.seal(time).unwrap();
        assert_eq!(log.head() != before, written, "a later time is sealed again");
        drop(log);
        let (reopened, recovery) = open_from(&disk, Some(unsealed)).unwrap();
        assert_eq!((recovery.sealed, recovery.sealed_time), (true, Some(kept)));
        log = reopened;
    }
    commit(&mut log).unwrap();
    log.seal(3).unwrap();
    drop(log);
    let recovery = open(&disk).unwrap().1;
    assert_eq!((recovery.sealed, recovery.sealed_time), (true, Some(i64::MAX)), "an earlier seal counts");
}

#[test]
fn opening_from_any_point_of_the_chain_reads_what_is_behind_it() {
    let disk = SimDisk::new();
    let mut log = create(&disk).unwrap();
    let mut points = vec![log.head()];
    for _ in 0..30 {
        commit(&mut log).unwrap();
        log.prepare_ahead().unwrap();
        points.push(log.head());
    }
    let head = log.head();
    drop(log);
    for (done, point) in points.iter().enumerate() {
        let (log, recovery) = open_from(&disk, Some(*point)).unwrap();
        assert_eq!(recovery.frames, 30 - done as u64);
        assert_eq!(recovery.last_seq, head.next_seq - 1);
        assert_eq!(log.head(), head);
        if done == 30 {
            assert_eq!(log.tail_bytes(), 0);
        }
    }
}

/// The points before the frames.
fn points(reader: &LogReader, log: &Log) -> Vec<karyon_log::ChainPoint> {
    let mut points = vec![reader.base];
    let visit = &mut |_: &karyon_log::Frame<'_>, end: &karyon_log::ChainPoint| {
        points.push(*end);
        Ok(ControlFlow::Continue(()))
    };
    reader.read(&log.head(), visit).unwrap();
    points
}

#[test]
fn a_range_is_read_while_the_log_is_written() {
    let (disk, mut log) = filled(30);
    let reader = support::reader(&disk);
    let (points, until) = (points(&reader, &log), log.head());
    let reading = std::thread::spawn(move || {
        for _ in 0..20 {
            for from in [0, 7, 29] {
                let mut frames = 0;
                let visit = &mut |frame: &karyon_log::Frame<'_>, _: &karyon_log::ChainPoint| {
                    assert!(frame.payload == payload(frame.first_seq));
                    frames += 1;
                    Ok(ControlFlow::Continue(()))
                };
                let mut part = reader.clone();
                part.base = points[from];
                part.read(&until, visit).unwrap();
                assert_eq!(frames, 30 - from);
            }
            support::verify(&reader, &until).unwrap();
        }
    });
    for _ in 0..100 {
        commit(&mut log).unwrap();
        log.prepare_ahead().unwrap();
    }
    reading.join().unwrap();
}

#[test]
fn a_reader_stops_when_it_is_told_to() {
    let (disk, log) = filled(9);
    let mut seen = Vec::new();
    let mut reader = support::reader(&disk);
    reader.base = points(&reader, &log)[2];
    let visit = &mut |frame: &karyon_log::Frame<'_>, _: &karyon_log::ChainPoint| {
        seen.push(frame.first_seq);
        Ok(if seen.len() == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    };
    reader.read(&log.head(), visit).unwrap();
    assert_eq!(seen.len(), 3);
    reader.base = log.head();
    reader.read(&log.head(), &mut |_, _| panic!("there is nothing")).unwrap();
}

#[test]
fn a_frame_larger_than_a_segment_gets_a_segment_that_holds_it() {
    let disk = SimDisk::new();
    let mut log = create(&disk).unwrap();
    let mut large = Vec::new();
    for sectors in [1, 30, 0, 100, 3] {
        // Every second sector is zero: the longest sector map.
        large = (0..sectors * 1024).map(|at| u8::from((at + 80) % 1024 < 512)).collect::<Vec<u8>>();
        log.append(&draft(log.head().next_seq, &large)).unwrap();
        log.sync().unwrap();
        log.prepare_ahead().unwrap();
    }
    drop(log);
    let mut lens = Vec::new();
    let visit = &mut |frame: &karyon_log::Frame<'_>, _: &karyon_log::ChainPoint| {
        lens.push(frame.payload.len());
        Ok(())
    };
    Log::open(Arc::new(disk), STORE, support::SMALL, support::whole(), visit).unwrap();
    assert_eq!(lens, [1024, 30 * 1024, 0, 100 * 1024, large.len()]);
}

#[test]
fn segments_grow_with_the_log_and_a_small_log_stays_small() {
    let disk = SimDisk::new();
    let sizes = SegmentSizes { smallest: 4096, largest: 32_768, slice: 4096 };
    let mut log =
        Log::create(Arc::new(disk.clone()), STORE, sizes, karyon_log::ChainPoint::genesis(STORE)).unwrap();
    assert_eq!(disk.files().len(), 1);
    log.append(&Frame { first_seq: 1, commit_count: 1, base_time: 0, payload: b"x".into() }).unwrap();
    log.sync().unwrap();
    log.prepare_ahead().unwrap();
    assert_eq!(disk.files().len(), 1, "no second segment before the first is half full");
    for seq in 2..2000 {
        log.append(&Frame { first_seq: seq, commit_count: 1, base_time: 0, payload: (&[7; 80]).into() })
            .unwrap();
        log.sync().unwrap();
        log.prepare_ahead().unwrap();
    }
    let lens: Vec<usize> = disk.files().values().map(Vec::len).collect();
    assert_eq!(lens[..7], [4096, 4096, 8192, 16_384, 32_768, 32_768, 32_768]);
}

#[test]
fn a_draft_that_is_refused_changes_nothing() {
    let (disk, mut log) = filled(3);
    let (files, head) = (disk.files(), log.head());
    let next = head.next_seq;
    let mut refused = |draft: Frame<'_>, code| assert_eq!(log.append(&draft).unwrap_err().code(), code);
    refused(draft(next + 1, b"a gap"), Code::Argument);
    refused(draft(next - 1, b"a repetition"), Code::Argument);
    refused(Frame { commit_count: 0, ..draft(next, b"none") }, Code::Argument);
    refused(Frame { commit_count: MAX_COMMITS + 1, ..draft(next, b"too many") }, Code::Argument);
    refused(draft(next, &vec![1; MAX_PAYLOAD_BYTES + 1]), Code::TransactionSize);
    assert_eq!(log.head(), head);
    assert!(disk.files() == files);
    commit(&mut log).unwrap();
}

#[test]
fn a_log_that_holds_commits_is_not_created_again() {
    let (disk, log) = filled(1);
    drop(log);
    assert_eq!(create(&disk).map(|_| ()).unwrap_err().code(), Code::Argument);
    assert_eq!(open(&disk).unwrap().1.frames, 1);
}

#[test]
fn a_visitor_that_fails_ends_the_opening() {
    let (disk, log) = filled(3);
    drop(log);
    let visit = &mut |_: &karyon_log::Frame<'_>, _: &karyon_log::ChainPoint| {
        Err(karyon_model::Error::new(Code::Argument, "enough"))
    };
    let error =
        Log::open(Arc::new(disk), STORE, support::SMALL, support::whole(), visit).map(|_| ()).unwrap_err();
    assert_eq!(error.message(), "enough");
}

#[test]
fn the_operating_systems_disk_holds_a_log_of_the_usual_sizes() {
    let root = std::env::temp_dir().join(format!("karyon-log-chain-{}", std::process::id()));
    std::fs::create_dir_all(&root).unwrap();
    let disk = Arc::new(RealDisk::new(&root));
    let mut log =
        Log::create(disk.clone(), STORE, SegmentSizes::default(), karyon_log::ChainPoint::genesis(STORE))
            .unwrap();
    for _ in 0..1500 {
        commit(&mut log).unwrap();
        log.prepare_ahead().unwrap();
    }
    log.seal(0).unwrap();
    let head = log.head();
    let reader = LogReader::new(disk.clone(), STORE, karyon_log::ChainPoint::genesis(STORE));
    support::verify(&reader, &head).unwrap();
    drop(log);
    let mut frames = 0;
    let (log, recovery) =
        Log::open(disk.clone(), STORE, SegmentSizes::default(), support::whole(), &mut |_, _| {
            frames += 1;
            Ok(())
        })
        .unwrap();
    assert!(recovery.sealed);
    assert_eq!((frames, log.head()), (1500, head));
    assert_eq!(disk.list("log").unwrap()[0], "0000000001.seg");
    assert_eq!(std::fs::metadata(root.join(segment_path(1))).unwrap().len(), 1 << 20);
    let lock = disk.try_lock("lock").unwrap();
    assert!(lock.is_some());
    assert!(disk.try_lock("lock").unwrap().is_none(), "one holder at a time");
    drop(lock);
    assert!(disk.try_lock("lock").unwrap().is_some());
    std::fs::remove_dir_all(&root).unwrap();
}

#[test]
#[cfg(unix)]
fn a_directory_that_was_moved_is_not_mistaken_for_the_one_at_its_old_place() {
    let root = std::env::temp_dir().join(format!("karyon-log-moved-{}", std::process::id()));
    let moved = root.with_extension("moved");
    std::fs::create_dir_all(&root).unwrap();
    let disk = RealDisk::new(&root);
    disk.create("mine").unwrap();
    std::fs::rename(&root, &moved).unwrap();
    assert!(disk.create("lost").is_err(), "nothing is there");
    std::fs::create_dir_all(&root).unwrap();
    std::fs::write(root.join("theirs"), b"whole").unwrap();
    assert!(disk.create("stray").err().unwrap().to_string().contains("moved"));
    assert!(disk.remove("theirs").is_err());
    assert!(disk.rename("theirs", "mine").is_err());
    assert!(disk.create_dir("folder").is_err());
    assert_eq!(RealDisk::new(&root).list("").unwrap(), ["theirs"]);
    assert_eq!(RealDisk::new(&moved).list("").unwrap(), ["mine"]);
    std::fs::remove_dir_all(&root).unwrap();
    std::fs::remove_dir_all(&moved).unwrap();
}

#[test]
fn a_log_goes_on_without_the_segments_before_a_rotation() {
    let (disk, mut log) = support::filled(40);
    let base = log.rotate().unwrap();
    assert_eq!(base, log.rotate().unwrap(), "an empty segment is not left behind");
    assert_eq!((base.next_seq, base.position.offset), (log.head().next_seq, 512));
    let opened = support::open(&disk).unwrap().0.head();
    assert_eq!(opened, base, "the cut is durable");
    for _ in 0..5 {
        support::commit(&mut log).unwrap();
    }
    log.cut(base).unwrap();
    let mut reader = support::reader(&disk);
    reader.base = base;
    assert_eq!(support::verify(&reader, &log.head()).unwrap(), 5);
    assert!(support::commit(&mut log).is_ok());
    let head = log.head();
    drop(log);
    let numbers = disk.list("log").unwrap();
    assert!(numbers.iter().all(|name| name >= &format!("{:010}.seg", base.position.segment)), "{numbers:?}");
    let (log, recovery) = support::open_at(&disk, base, base).unwrap();
    assert_eq!((log.head(), recovery.last_seq), (head, head.next_seq - 1));
    drop(log);
    // Where the rest begins has to be known: without, the log is not whole.
    assert_eq!(support::open(&disk).map(|_| ()).unwrap_err().code(), Code::SegmentMissing);
    let other = karyon_log::ChainPoint { hash: Hash::genesis(STORE), ..base };
    assert_eq!(support::open_at(&disk, other, other).map(|_| ()).unwrap_err().code(), Code::Damaged);
}

#[test]
fn segments_that_a_crash_left_before_the_base_go_with_the_next_opening() {
    let (disk, mut log) = support::filled(40);
    let base = log.rotate().unwrap();
    support::commit(&mut log).unwrap();
    drop(log);
    drop(support::open_at(&disk, base, base).unwrap());
    let first = format!("{:010}.seg", base.position.segment);
    assert_eq!(disk.list("log").unwrap().iter().min(), Some(&first));
}
