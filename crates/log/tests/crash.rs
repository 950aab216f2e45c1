//! Power is cut after every single operation on the disk. Whatever of the unsynced sectors, lengths and names
//! survives, the log opens, shows every frame that was synced and no half of one, and goes on. So it does if
//! power is cut again while it opens, and again.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use karyon_log::Log;
use karyon_model::Code;
use karyon_testkit::Random;
use karyon_testkit::disk::{Fate, Lie, SimDisk};
use support::{check_survivor, commit, create, open, scaled};

/// What a run did: after how many operations each commit was acknowledged, and how many commits were ever
/// written.
#[derive(Default)]
struct Run {
    acknowledged: Vec<(usize, u64)>,
    written: u64,
    created_after: usize,
    /// How often preparing ahead found the disk full, and how often a commit did.
    unprepared: u32,
    refused: u32,
}

impl Run {
    fn acknowledged_by(&self, operations: usize) -> u64 {
        let made = self.acknowledged.iter().take_while(|(at, _)| *at <= operations);
        made.last().map_or(0, |(_, seq)| *seq)
    }
}

/// Commits, prepares, closes and opens again, as the seed has it.
fn work(disk: &SimDisk, seed: u64, steps: usize) -> Run {
    let mut random = Random::new(seed);
    let mut run = Run::default();
    let mut log = create(disk).unwrap();
    run.created_after = disk.operations();
    for _ in 0..steps {
        match random.below(12) {
            0 => log = reopened(disk, log, &mut random),
            1 => log.seal(0).unwrap(),
            _ => {
                run.written = commit(&mut log).unwrap();
                run.acknowledged.push((disk.operations(), run.written));
            }
        }
        if random.chance(3, 4) {
            log.prepare_ahead().unwrap();
        }
    }
    run
}

fn reopened(disk: &SimDisk, mut log: Log, random: &mut Random) -> Log {
    if random.chance(1, 2) {
        log.seal(0).unwrap();
    }
    drop(log);
    open(disk).unwrap().0
}

/// As [`work`], on a disk that is full now and then: the next segment is prepared in part, or not at all.
fn work_on_a_full_disk(disk: &SimDisk, seed: u64, steps: usize) -> Run {
    let mut random = Random::new(seed);
    let mut log = create(disk).unwrap();
    let mut run = Run { created_after: disk.operations(), ..Run::default() };
    for _ in 0..steps {
        let room = random.chance(2, 3).then(|| random.below(2500) as u64);
        disk.set_room(room);
        if let Ok(seq) = commit(&mut log) {
            run.written = seq;
            run.acknowledged.push((disk.operations(), seq));
            run.unprepared += u32::from(log.prepare_ahead().is_err_and(|error| error.code() == Code::Io));
        } else {
            run.refused += 1;
            disk.set_room(None);
            drop(log);
            log = open(disk).unwrap().0;
        }
    }
    run
}

/// Cuts power everywhere; `again` fates of a second cut are tried at every operation of each opening.
fn cut_power_everywhere(disk: &SimDisk, run: &Run, seed: u64, fates: u64, again: u64) -> Result<u64, String> {
    let mut images = 0;
    let mut random = Random::new(seed);
    let mut crashes = disk.crashes();
    while let Some(crash) = crashes.next() {
        if crash.operations < run.created_after {
            continue;
        }
        let acknowledged = run.acknowledged_by(crash.operations);
        for fate in Fate::spread(random.next_u64(), fates) {
            let story = || format!("seed {seed}, power cut after operation {}, {fate:?}", crash.operations);
            images += 1;
            let recovery = check_survivor(&crash.disk(fate), acknowledged, run.written);
            let recovery = recovery.map_err(|error| format!("{}: {error}", story()))?;
            if again == 0 {
                continue;
            }
            // The same disk once more, recorded while it opens.
            let opening = crash.disk(fate);
            drop(open(&opening));
            let mut second = opening.crashes();
            while let Some(cut) = second.next() {
                for fate in Fate::spread(random.next_u64(), again) {
                    images += 1;
                    let found = check_survivor(&cut.disk(fate), acknowledged, recovery.last_seq).map_err(
                        |error| {
                            format!(
                                "{}, again at {} of the opening, {fate:?}: {error}",
                                story(),
                                cut.operations
                            )
                        },
                    )?;
                    if found.last_seq != recovery.last_seq {
                        return Err(format!("{}: two openings found different ends", story()));
                    }
                }
            }
        }
    }
    Ok(images)
}

#[test]
fn every_acknowledged_frame_survives_a_power_cut_at_every_operation() {
    let mut images = 0;
    for seed in 0..scaled(4) {
        let disk = SimDisk::new();
        let run = work(&disk, seed, 30);
        images += cut_power_everywhere(&disk, &run, seed, 8, 0).unwrap();
    }
    assert!(images > 4_000, "only {images} images");
}

#[test]
fn a_segment_that_a_full_disk_left_half_prepared_survives_a_power_cut_at_every_operation() {
    let (mut unprepared, mut refused) = (0, 0);
    for seed in 300..300 + scaled(3) {
        let disk = SimDisk::new();
        let run = work_on_a_full_disk(&disk, seed, 30);
        (unprepared, refused) = (unprepared + run.unprepared, refused + run.refused);
        cut_power_everywhere(&disk, &run, seed, 6, 0).unwrap();
    }
    assert!(
        unprepared > 10 && refused > 5,
        "full {unprepared} times ahead, {refused} times when it mattered"
    );
}

#[test]
fn a_power_cut_while_the_log_opens_is_as_safe_as_any_other() {
    let mut images = 0;
    for seed in 100..100 + scaled(1) {
        let disk = SimDisk::new();
        let run = work(&disk, seed, 14);
        images += cut_power_everywhere(&disk, &run, seed, 3, 2).unwrap();
    }
    assert!(images > 1_000, "only {images} images");
}

/// The process is killed, somebody opens the log and reads from it, then power is cut: what was read must not
/// vanish.
#[test]
fn what_was_read_after_a_kill_survives_a_later_power_cut() {
    for seed in 200..200 + scaled(1) {
        let disk = SimDisk::new();
        let run = work(&disk, seed, 20);
        let mut random = Random::new(seed);
        let mut crashes = disk.crashes();
        while let Some(crash) = crashes.next() {
            if crash.operations < run.created_after {
                continue;
            }
            let acknowledged = run.acknowledged_by(crash.operations);
            let disk = crash.killed();
            let (mut log, seen) = open(&disk).unwrap();
            assert!(seen.last_seq >= acknowledged && seen.last_seq <= run.written);
            let opened_after = disk.operations();
            log.append(&support::draft(seen.last_seq + 1, &support::payload(seen.last_seq + 1))).unwrap();
            let written = log.head().next_seq - 1;
            let mut cuts = disk.crashes();
            while let Some(cut) = cuts.next() {
                let least = if cut.operations < opened_after { acknowledged } else { seen.last_seq };
                for fate in Fate::spread(random.next_u64(), 3) {
                    if let Err(error) = check_survivor(&cut.disk(fate), least, written) {
                        let (kill, cut) = (crash.operations, cut.operations);
                        panic!("seed {seed}, killed after {kill}, power cut after {cut}, {fate:?}: {error}");
                    }
                }
            }
        }
    }
}

#[test]
fn only_one_frame_is_in_flight_even_if_nobody_syncs() {
    let (disk, mut log) = support::filled(3);
    let acknowledged = log.head().next_seq - 1;
    let disk_before = disk.copy();
    drop(log);
    log = open(&disk_before).unwrap().0;
    for _ in 0..4 {
        let seq = log.head().next_seq;
        log.append(&support::draft(seq, &support::payload(seq))).unwrap();
    }
    let written = log.head().next_seq - 1;
    let mut crashes = disk_before.crashes();
    while let Some(crash) = crashes.next() {
        for fate in Fate::spread(crash.operations as u64, 20) {
            check_survivor(&crash.disk(fate), acknowledged, written).unwrap();
        }
    }
}

#[test]
fn a_log_whose_creation_was_cut_short_can_be_created_again() {
    let disk = SimDisk::new();
    create(&disk).unwrap();
    let mut crashes = disk.crashes();
    while let Some(crash) = crashes.next() {
        for fate in Fate::spread(7, 8) {
            let disk = crash.disk(fate);
            let mut log = create(&disk).unwrap();
            assert_eq!(commit(&mut log).unwrap(), 1 + 1);
            drop(log);
            check_survivor(&disk, 2, 2).unwrap();
        }
    }
}

#[test]
fn the_crash_suite_notices_a_disk_whose_syncs_do_nothing() {
    for lie in [Lie::FileSyncs, Lie::DirectorySyncs] {
        let disk = SimDisk::new();
        // The creation is honest: what is lost is lost by commits.
        drop(create(&disk).unwrap());
        disk.set_lie(Some(lie));
        let run = work(&disk, 1, 30);
        let noticed = cut_power_everywhere(&disk, &run, 1, 4, 0);
        let error = noticed.expect_err("a suite that passes on a lying disk tests nothing");
        assert!(error.contains("only") || error.contains("ERR_KARYON"), "{lie:?}: {error}");
    }
}
