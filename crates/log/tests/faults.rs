//! The n-th call to the disk fails, for every n. What was acknowledged stays; what comes after the failure is
//! refused.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use karyon_model::{Code, Result};
use karyon_testkit::disk::{Fate, Fault, SimDisk};
use support::{check_survivor, commit, create, open};

/// Some commits, an opening, some more. Counts what was acknowledged.
fn work(disk: &SimDisk, acknowledged: &mut u64) -> Result<()> {
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
                    assert_eq!(log.seal().unwrap_err().code(), Code::SyncFailed);
                    assert_eq!(log.prepare_ahead().unwrap_err().code(), Code::SyncFailed);
                }
                return Err(error);
            }
        }
        log.prepare_ahead()?;
        if frame == 6 {
            log.seal()?;
            log = open(disk)?.0;
        }
    }
    log.seal()
}

#[test]
fn whichever_call_fails_nothing_acknowledged_is_lost() {
    for fault in Fault::ALL {
        for call in 0.. {
            let disk = SimDisk::new();
            drop(create(&disk).unwrap());
            let start = disk.calls();
            disk.fail(start + call, fault);
            let mut acknowledged = 0;
            let result = work(&disk, &mut acknowledged);
            let passed_untouched = disk.calls() <= start + call;
            assert_eq!(
                result.is_ok(),
                passed_untouched,
                "{fault:?} at call {call}: no failure is passed over"
            );
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
    log.reader().verify(&log.head(), &mut |_| Ok(())).unwrap();
    drop(log);
    let error = open(&disk).map(|_| ()).unwrap_err();
    assert_eq!(error.code(), Code::Io);
    assert!(error.message().contains("read-only"), "{error}");
    disk.set_read_only(false);
    assert_eq!(open(&disk).unwrap().1.frames, 3);
}
