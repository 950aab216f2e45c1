//! The n-th call to the disk fails, for every n. What was acknowledged stays; what comes after the failure is
//! refused, unless nothing but the preparation of the next segment has failed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use karyon_log::{FRAME_HEADER_BYTES, Log};
use karyon_model::{Code, Result};
use karyon_testkit::disk::{Fate, Fault, SimDisk};
use support::{check_survivor, commit, create, open};

/// Prepares ahead; whether that failed in a way that costs nothing.
fn prepare(log: &mut Log) -> Result<bool> {
    match log.prepare_ahead() {
        Ok(()) => Ok(false),
        Err(error) if error.code() == Code::Io => Ok(true),
        Err(error) => {
            assert_eq!(log.sync().unwrap_err().code(), Code::SyncFailed);
            Err(error)
        }
    }
}

/// Some commits, an opening, some more. Counts what was acknowledged, and whether the log went on after a failure.
fn work(disk: &SimDisk, acknowledged: &mut u64, went_on: &mut bool) -> Result<()> {
    let mut log = open(disk)?.0;
    for frame in 0..12 {
        match commit(&mut log) {
            Ok(seq) => *acknowledged = seq,
            Err(error) => {
                assert_eq!(error.code(), Code::SyncFailed, "{error}");
                disk.heal();
                for _ in 0..2 {
                    assert_eq!(commit(&mut log).unwrap_err().code(), Code::SyncFailed, "it is never retried");
                    assert_eq!(log.sync().unwrap_err().code(), Code::SyncFailed);
                    assert_eq!(log.seal(0).unwrap_err().code(), Code::SyncFailed);
                    assert_eq!(log.prepare_ahead().unwrap_err().code(), Code::SyncFailed);
                }
                return Err(error);
            }
        }
        *went_on |= prepare(&mut log)?;
        if frame == 6 {
            log.seal(0)?;
            log = open(disk)?.0;
        }
    }
    log.seal(0)
}

#[test]
fn whichever_call_fails_nothing_acknowledged_is_lost() {
    let mut goings_on = 0;
    for fault in Fault::ALL {
        for call in 0.. {
            let disk = SimDisk::new();
            drop(create(&disk).unwrap());
            let start = disk.calls();
            disk.fail(start + call, fault);
            let (mut acknowledged, mut went_on) = (0, false);
            let result = work(&disk, &mut acknowledged, &mut went_on);
            let passed_untouched = disk.calls() <= start + call;
            assert_eq!(
                result.is_ok(),
                passed_untouched || (went_on && !fault.lasts()),
                "{fault:?} at call {call}: no failure is passed over but that of a preparation"
            );
            goings_on += u32::from(went_on);
            if let Err(error) = &result {
                assert!(matches!(error.code(), Code::SyncFailed | Code::Io), "{error}");
            }
            disk.heal();
            let attempted = acknowledged + 3;
            let story = |fate: &str, error| format!("{fault:?} at call {call}, then {fate}: {error}");
            // The process ends and starts again; or power is cut as well.
            let mut crashes = disk.crashes();
            let mut last = None;
            while let Some(crash) = crashes.next() {
                last = Some((
                    crash.killed(),
                    Fate::spread(call, 2).map(|fate| crash.disk(fate)).collect::<Vec<_>>(),
                ));
            }
            let (killed, cuts) = last.unwrap();
            check_survivor(&killed, acknowledged, attempted).map_err(|error| story("a kill", error)).unwrap();
            for disk in cuts {
                check_survivor(&disk, acknowledged, attempted)
                    .map_err(|error| story("a power cut", error))
                    .unwrap();
            }
            if passed_untouched {
                assert!(call > 50);
                break;
            }
        }
    }
    assert!(goings_on > 5 * 4, "only {goings_on} preparations failed");
}

/// The disk fills up while the next segment is prepared. The active one has room: that is used to its end.
#[test]
fn a_full_disk_ends_nothing_before_the_active_segment_is_full() {
    for room in (0..4096).step_by(317) {
        let (disk, mut log) = support::filled(3);
        disk.set_room(Some(room));
        let (mut acknowledged, mut unprepared) = (log.head().next_seq - 1, 0);
        let error = loop {
            match commit(&mut log) {
                Ok(seq) => acknowledged = seq,
                Err(error) => break error,
            }
            unprepared += u32::from(prepare(&mut log).unwrap());
        };
        assert_eq!(error.code(), Code::SyncFailed);
        assert!(error.message().contains("the disk is full: free space"), "{error}");
        assert!(unprepared > 0, "{room} bytes more: no preparation failed");
        let next = support::payload(acknowledged + 1).len();
        let end = log.head().position.offset as usize + next + FRAME_HEADER_BYTES + MOST_BESIDE;
        let path = karyon_log::segment_path(log.head().position.segment);
        assert!(end > disk.contents(&path).unwrap().len(), "the frame would have had room");
        // Space that comes too late for this log is there for the next.
        let full = disk.copy();
        full.set_room(Some(0));
        assert_eq!(open(&full).unwrap().1.last_seq, acknowledged, "a full disk can be read");
        disk.set_room(None);
        assert_eq!(commit(&mut log).unwrap_err().code(), Code::SyncFailed, "it is never retried");
        drop(log);
        check_survivor(&disk, acknowledged, acknowledged).unwrap();
    }
}

/// Bytes of a frame beside header and payload, at most, and of the frame that says where the log goes on.
const MOST_BESIDE: usize = 24 + 88;

#[test]
fn space_that_comes_in_time_is_as_if_it_had_always_been_there() {
    let (disk, mut log) = support::filled(3);
    let (mut unprepared, mut acknowledged) = (0, 0);
    for frame in 0..40 {
        // A third of the next segment fits, then nothing, then everything.
        disk.set_room([Some(1500), Some(0), None][frame % 3]);
        unprepared += u32::from(prepare(&mut log).unwrap());
        disk.set_room(None);
        acknowledged = commit(&mut log).unwrap();
    }
    assert!(unprepared > 5 && log.head().position.segment > 4);
    support::verify(&support::reader(&disk), &log.head()).unwrap();
    drop(log);
    check_survivor(&disk, acknowledged, acknowledged).unwrap();
}

#[test]
fn a_failing_call_while_a_torn_log_opens_loses_nothing() {
    let (disk, mut log) = support::filled(5);
    let acknowledged = log.head().next_seq - 1;
    log.append(&support::draft(acknowledged + 1, &[9; 1500])).unwrap();
    let path = karyon_log::segment_path(log.head().position.segment);
    let end = log.head().position.offset as usize;
    drop(log);
    disk.damage(&path, |bytes| bytes[end - 700..end].fill(0));
    for fault in Fault::ALL {
        for call in 0.. {
            let torn = disk.copy();
            torn.fail(call, fault);
            let passed = open(&torn).map(|_| ());
            if let Err(error) = &passed {
                assert!(matches!(error.code(), Code::SyncFailed | Code::Io), "{error}");
            }
            torn.heal();
            check_survivor(&torn, acknowledged, acknowledged).unwrap();
            if passed.is_ok() {
                assert!(call > 10);
                break;
            }
        }
    }
}

#[test]
fn a_disk_that_turns_read_only_poisons_and_a_read_only_disk_does_not_open() {
    let (disk, mut log) = support::filled(3);
    disk.set_read_only(true);
    assert_eq!(commit(&mut log).unwrap_err().code(), Code::SyncFailed);
    support::verify(&support::reader(&disk), &log.head()).unwrap();
    drop(log);
    let error = open(&disk).map(|_| ()).unwrap_err();
    assert_eq!(error.code(), Code::Io);
    assert!(error.message().contains("read-only"), "{error}");
    disk.set_read_only(false);
    assert_eq!(open(&disk).unwrap().1.frames, 3);
}
