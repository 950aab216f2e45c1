//! Backups, restored and salvaged stores: each is the store as of a version, whole, or it is none.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, mpsc};

use karyon_log::{Disk, LogReader, Lost, Position, segment_path};
use karyon_model::{Code, Error, Result, Seq};
use karyon_store::{Copied, Moment, restore};
use karyon_testkit::Value;
use karyon_testkit::disk::{Fate, Fault, SimDisk};
use karyon_testkit::{DIRECTORY, Random};

use crate::bad_input::{checkpoints, disk_of, written};
use crate::checkpoints::{integer, value_at};
use crate::crashes::{Run, check_survivor, work};
use crate::hooked::{Call, Hooked};
use crate::invariants::Checked;
use crate::model::{Place, Step};
use crate::rig::{self, PROCESS};

fn shared(disk: &SimDisk) -> Arc<dyn Disk> {
    Arc::new(disk.clone())
}

fn restored(source: &SimDisk, target: &SimDisk, at: Option<Moment>) -> Result<Copied> {
    restore(shared(source), (shared(target), PROCESS), at, false)
}

/// A salvaged copy, and what is lost.
fn salvaged(source: &SimDisk) -> (SimDisk, Copied, Vec<Lost>) {
    let (target, before) = (SimDisk::new(), source.files());
    let copied = restore(shared(source), (shared(&target), PROCESS), None, true).unwrap();
    assert!(source.files() == before, "the source is only read");
    let lost = copied.lost.clone().unwrap();
    (target, copied, lost)
}

/// A copy of a run is the run up to a version, and goes on from there.
fn whole(copy: &SimDisk, run: &Run, version: Seq) -> Checked {
    let mut known = run.expected.clone();
    known.truncate(version);
    check_survivor(&copy.copy(), &known, version, true).map(drop)
}

/// What a copy that failed, or was cut short, may have left: nothing that is taken for a store, or all of it. True if it is all.
fn whole_or_none(target: &SimDisk, run: &Run, version: Seq) -> std::result::Result<bool, String> {
    if target.contents("karyon").is_some() {
        return whole(target, run, version).map(|()| true);
    }
    match rig::open(target.copy()) {
        // As in an empty directory: nothing had been written yet.
        Ok((store, recovery)) if recovery.created && store.durable() == 0 => Ok(false),
        Ok((store, recovery)) => Err(format!("half a copy opens: {recovery:?}, version {}", store.durable())),
        Err(error) if error.code() == Code::Damaged => Ok(false),
        Err(error) => Err(format!("half a copy is told as {error}")),
    }
}

fn failed_by_its_disk(error: &Error) -> Checked {
    let said = error.code() == Code::Io && !error.message().is_empty();
    if said { Ok(()) } else { Err(format!("a failing disk gives {error}")) }
}

/// Without a label, so that no rule that was declared on the way is broken.
fn put(key: &str, value: Value) -> Step {
    let place = Place::Node(key.into());
    Step::Patch { place, labels: [].into(), drop: [].into(), props: [("n".to_owned(), Some(value))].into() }
}

#[test]
fn a_backup_is_the_store_byte_for_byte_with_its_whole_past() {
    for seed in rig::seeds(300, 4) {
        let run = work(seed, 24).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let (store, _) = rig::open(run.disk.clone()).unwrap();
        let target = SimDisk::new();
        // Published and not durable: not in it.
        rig::commit(&store, &[put("a", Value::Integer(-1))]).unwrap();
        let copied = store.backup(shared(&target), PROCESS).unwrap();
        let version = run.expected.oracle.version();
        assert_eq!(copied.newest.seq, version, "seed {seed}");
        assert_eq!(copied.newest.time, run.expected.times[version as usize]);
        assert_eq!((&copied.damage, &copied.lost, copied.checkpoint), (&None, &None, None));
        whole(&target, &run, version).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        // Every frame up to there stands where it stood, so a segment of one can stand in for the other's.
        let (ours, theirs) = (run.disk.contents(&segment_path(1)), target.contents(&segment_path(1)));
        let (ours, theirs) = (ours.unwrap(), theirs.unwrap());
        let same = ours.iter().zip(&theirs).take_while(|(ours, theirs)| ours == theirs).count();
        assert!(
            same as u64 >= 512 + copied.bytes - 2 * 88,
            "seed {seed}: the same for {same} bytes of {copied:?}"
        );
        assert_eq!(ours.len(), theirs.len());
        rig::write(&store, &[put("b", Value::Integer(1))]).unwrap();
        store.verify().unwrap();
    }
}

#[test]
fn a_store_that_was_closed_is_restored_as_the_same_bytes() {
    let run = work(310, 30).unwrap();
    let target = SimDisk::new();
    let copied = restored(&run.disk, &target, None).unwrap();
    assert_eq!(copied.newest.seq, run.expected.oracle.version());
    for path in ["karyon", &segment_path(1)] {
        assert!(run.disk.contents(path) == target.contents(path), "{path}");
    }
    assert!(rig::open(target).unwrap().1.sealed);
}

#[test]
fn commits_go_on_while_a_backup_is_written_and_it_holds_what_was_durable_when_it_was_asked_for() {
    let (store, _) = rig::open(written(5)).unwrap();
    let ((reached, reaches), (goes, go)) = (mpsc::channel(), mpsc::channel());
    let disk = SimDisk::new();
    let taken = disk.clone();
    // The copy stops before its first file of the log until it is told to go on.
    let go = Mutex::new(go);
    let pausing = Arc::new(Hooked::new(disk.clone(), move |call| {
        if let Call::CreateDir = call {
            reached.send(()).unwrap();
            go.lock().unwrap().recv().unwrap();
        }
    }));
    let store = &store;
    // What it owns ends with it, also when it panics: nobody waits for ever.
    let copied = std::thread::scope(move |scope| {
        let copying = scope.spawn(move || store.backup(pausing, PROCESS).unwrap());
        reaches.recv().unwrap();
        for n in 6..=40 {
            assert_eq!(rig::write(store, &[put("a", Value::Integer(n))]).unwrap().seq, n as Seq);
        }
        store.checkpoint().unwrap();
        assert_eq!(rig::open(taken.clone()).err().unwrap().code(), Code::Owned, "nobody makes a store of it");
        let second = store.backup(shared(&taken), PROCESS).unwrap_err();
        assert_eq!(second.code(), Code::Owned);
        goes.send(()).unwrap();
        copying.join().unwrap()
    });
    assert_eq!(copied.newest.seq, 5);
    let (copy, recovery) = rig::open(disk).unwrap();
    assert_eq!((copy.durable(), recovery.sealed, recovery.checkpoint), (5, true, 0));
    assert_eq!(value_at(&copy, 5).unwrap(), integer(5));
    assert_eq!(value_at(&copy, 2).unwrap(), integer(2));
}

#[test]
fn a_store_can_be_restored_as_of_each_of_its_versions_and_times() {
    for seed in rig::seeds(320, 2) {
        let run = work(seed, 24).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let newest = run.expected.oracle.version();
        for version in 0..=newest {
            let time = run.expected.times[version as usize];
            // Just before the next commit it is still the newest.
            let until = run.expected.times.get(version as usize + 1).map_or(i64::MAX, |next| next - 1);
            for at in [Moment::Version(version), Moment::Time(time), Moment::Time(until)] {
                let target = SimDisk::new();
                let copied = restored(&run.disk, &target, Some(at)).unwrap();
                assert_eq!((copied.newest.seq, copied.newest.time), (version, time), "seed {seed}, {at:?}");
                whole(&target, &run, version).unwrap_or_else(|error| panic!("seed {seed}, {at:?}: {error}"));
            }
        }
        let target = SimDisk::new();
        let error = restored(&run.disk, &target, Some(Moment::Version(newest + 1))).unwrap_err();
        assert_eq!(error.code(), Code::Time);
        assert!(error.message().contains(&format!("the newest is {newest}")), "{error}");
        assert_eq!(whole_or_none(&target, &run, newest), Ok(false));
    }
}

#[test]
fn a_cut_inside_of_a_frame_keeps_the_commits_before_it() {
    let disk = SimDisk::new();
    let (store, _) = rig::open(disk.clone()).unwrap();
    for frame in 0..3 {
        for n in 1..=4 {
            rig::commit(&store, &[put("a", Value::Integer(frame * 4 + n))]).unwrap();
        }
        store.write_frame().unwrap();
    }
    assert_eq!((store.stats().unwrap().frames, store.durable()), (3, 12));
    let times: Vec<_> = (0..=12).map(|version| store.time_of(version).unwrap()).collect();
    store.close().unwrap();
    drop(store);
    for version in 0..=12 {
        let target = SimDisk::new();
        restored(&disk, &target, Some(Moment::Version(version))).unwrap();
        let (store, _) = rig::open(target).unwrap();
        assert_eq!(store.durable(), version);
        for seq in 1..=version {
            assert_eq!(value_at(&store, seq).unwrap(), integer(seq as i64), "version {seq} of {version}");
            assert_eq!(store.time_of(seq).unwrap(), times[seq as usize]);
        }
        assert_eq!(rig::write(&store, &[put("a", Value::Integer(0))]).unwrap().seq, version + 1);
        store.verify().unwrap();
    }
}

/// A copy that was cut keeps the store's id and goes another way. Nothing that belongs to the one is believed of the other.
#[test]
fn what_belongs_to_the_longer_store_is_not_believed_of_one_that_was_cut() {
    let disk = written(60);
    let (store, _) = rig::open(disk.clone()).unwrap();
    store.checkpoint().unwrap();
    rig::write(&store, &[put("a", Value::Integer(61))]).unwrap();
    drop(store);
    let cut = SimDisk::new();
    restored(&disk, &cut, Some(Moment::Version(40))).unwrap();
    let (store, _) = rig::open(cut.clone()).unwrap();
    for n in 141..=170 {
        rig::write(&store, &[put("a", Value::Integer(n))]).unwrap();
    }
    drop(store);
    let mut files = cut.files();
    let theirs = disk.files();
    let moved = theirs
        .iter()
        .filter(|(path, _)| ["checkpoint/", "history/"].iter().any(|part| path.starts_with(part)));
    files.extend(moved.map(|(path, bytes)| (path.clone(), bytes.clone())));
    assert!(files.contains_key(DIRECTORY) && files.keys().any(|path| path.ends_with(".image")));
    let (store, recovery) = rig::open(disk_of(&files)).unwrap();
    assert_eq!((recovery.checkpoint, store.durable()), (0, 70));
    for (version, value) in [(40, 40), (41, 141), (60, 160), (70, 170), (3, 3)] {
        assert_eq!(value_at(&store, version).unwrap(), integer(value), "version {version}");
    }
    store.verify().unwrap();
}

#[test]
fn a_copy_is_refused_where_it_cannot_be_made() {
    let disk = written(3);
    let (store, _) = rig::open(disk.clone()).unwrap();
    let occupied = disk_of(&BTreeMap::from([("notes.txt".to_owned(), b"not ours".to_vec())]));
    for taken in [&occupied, &written(2)] {
        let before = taken.files();
        assert_eq!(store.backup(shared(taken), PROCESS).unwrap_err().code(), Code::NotEmpty);
        assert!(taken.files() == before, "nothing is put among the files of others");
    }
    assert_eq!(rig::memory().0.backup(shared(&SimDisk::new()), PROCESS).unwrap_err().code(), Code::Argument);
    let target = SimDisk::new();
    assert_eq!(restored(&disk, &target, None).unwrap_err().code(), Code::Owned);
    assert_eq!(restored(&occupied, &target, None).unwrap_err().code(), Code::NotAStore);
    assert!(target.files().is_empty());
    store.close().unwrap();
    // What only lies there can be read also where nothing may be written, and is not written to where it may be.
    disk.set_read_only(true);
    assert_eq!(restored(&disk, &target, None).unwrap().newest.seq, 3);
    disk.set_read_only(false);
    let before = target.files();
    restored(&target, &SimDisk::new(), None).unwrap();
    assert!(target.files() == before);
    let newer = disk.copy();
    newer.damage(&segment_path(1), |bytes| {
        bytes[8..12].copy_from_slice(&2u32.to_le_bytes());
        let sum = crc32c::crc32c(&bytes[..508]);
        bytes[508..512].copy_from_slice(&sum.to_le_bytes());
    });
    let salvaged = restore(shared(&newer), (shared(&SimDisk::new()), PROCESS), None, true);
    assert_eq!(salvaged.unwrap_err().code(), Code::FormatNewer);
}

#[test]
fn an_empty_store_and_one_that_was_killed_are_copied_too() {
    let empty = written(0);
    let target = SimDisk::new();
    assert_eq!(rig::open(empty.clone()).unwrap().0.backup(shared(&target), PROCESS).unwrap().newest.seq, 0);
    let (store, recovery) = rig::open(target).unwrap();
    assert_eq!((store.durable(), recovery.created), (0, false));
    // An unfinished write behind the last commit was never acknowledged, and is none of the copy's.
    let torn = written(3);
    let frame = Arc::new(torn.clone());
    let end = restored(&torn, &SimDisk::new(), None).unwrap().bytes as usize + 512 - 88;
    frame.damage(&segment_path(1), |bytes| bytes[end..end + 200].fill(7));
    frame.damage(&segment_path(1), |bytes| bytes[end..end.next_multiple_of(512)].fill(0));
    let target = SimDisk::new();
    assert_eq!(restored(&torn, &target, None).unwrap().newest.seq, 3);
    assert_eq!(rig::open(target).unwrap().1.cut, None);
    assert!(rig::open(torn).unwrap().1.cut.is_some());
}

/// The call of the target's, or of the source's, that fails.
fn failing_copy(run: &Run, fault: Fault, call: u64, of_source: bool) -> std::result::Result<bool, String> {
    let (source, target) = (run.disk.copy(), SimDisk::new());
    let failing = if of_source { &source } else { &target };
    let newest = run.expected.oracle.version();
    let before = source.files();
    failing.fail(failing.calls() + call, fault);
    let (start, version) = (failing.calls(), newest / 2 + 1);
    let copied = restored(&source, &target, Some(Moment::Version(version)));
    let met = failing.calls() > start + call;
    failing.heal();
    if let Err(error) = &copied {
        failed_by_its_disk(error)?;
    }
    if source.files() != before {
        return Err("the source was changed".into());
    }
    // A lock that cannot be taken costs nothing; all else does.
    if copied.is_ok() != whole_or_none(&target, run, version)? && copied.is_ok() {
        return Err("a copy that succeeded is none".into());
    }
    if !met && copied.is_err() {
        return Err(format!("without a failure it fails: {copied:?}"));
    }
    Ok(met)
}

#[test]
fn any_call_may_fail_and_what_is_left_is_the_whole_copy_or_none() {
    let run = work(330, 30).unwrap();
    let mut met = 0;
    for fault in Fault::ALL {
        for of_source in [false, true] {
            for call in 0.. {
                let story = |error| panic!("{fault:?} at call {call}, of the source {of_source}: {error}");
                if !failing_copy(&run, fault, call, of_source).unwrap_or_else(story) {
                    break;
                }
                met += 1;
            }
        }
    }
    assert!(met > 5 * 30, "only {met} calls");
}

#[test]
fn a_backup_that_fails_costs_the_store_nothing() {
    let run = work(331, 30).unwrap();
    let version = run.expected.oracle.version();
    let source = run.disk.copy();
    let (store, _) = rig::open(source.clone()).unwrap();
    for fault in Fault::ALL {
        for call in 0.. {
            let target = SimDisk::new();
            target.fail(call, fault);
            let copied = store.backup(shared(&target), PROCESS);
            let met = target.calls() > call;
            target.heal();
            assert_eq!(copied.is_err(), met, "{fault:?} at call {call}");
            let left = whole_or_none(&target, &run, version);
            let left = left.unwrap_or_else(|error| panic!("{fault:?} at call {call}: {error}"));
            // All of it may be there, if only the last call has failed.
            assert!(met || left, "{fault:?} at call {call}");
            if let Err(error) = copied {
                failed_by_its_disk(&error).unwrap();
            }
            if !met {
                break;
            }
        }
        // Reads that fail poison nothing.
        for call in 0..8 {
            let target = SimDisk::new();
            source.fail(source.calls() + call, fault);
            let copied = store.backup(shared(&target), PROCESS);
            source.heal();
            let left = whole_or_none(&target, &run, version)
                .unwrap_or_else(|error| panic!("{fault:?}, {call}: {error}"));
            assert_eq!(copied.is_ok(), left, "{fault:?} at call {call} of the source");
        }
    }
    assert_eq!(store.failure().unwrap(), None);
    rig::write(&store, &[put("a", Value::Integer(7))]).unwrap();
    store.verify().unwrap();
}

#[test]
fn power_cut_at_every_operation_of_a_copy_leaves_all_of_it_or_none() {
    for seed in rig::seeds(340, 2) {
        let run = work(seed, 20).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let version = run.expected.oracle.version();
        let target = SimDisk::new();
        restored(&run.disk, &target, None).unwrap();
        let mut random = Random::new(seed);
        let (mut crashes, operations, mut images) = (target.crashes(), target.operations(), 0);
        while let Some(crash) = crashes.next() {
            for fate in Fate::spread(random.next_u64(), 6) {
                let left = whole_or_none(&crash.disk(fate), &run, version);
                let story =
                    |error| panic!("seed {seed}, after operation {}, {fate:?}: {error}", crash.operations);
                let all = left.unwrap_or_else(story);
                assert!(
                    all || crash.operations < operations,
                    "seed {seed}, {fate:?}: a copy that was done is lost"
                );
                images += 1;
            }
        }
        assert!(images > 100, "only {images} images");
    }
}

#[test]
fn a_full_disk_is_told_and_what_is_left_of_the_copy_is_none() {
    let run = work(350, 20).unwrap();
    let (store, _) = rig::open(run.disk.clone()).unwrap();
    for room in [0, 3, 100_000, 1 << 20] {
        let target = SimDisk::new();
        target.set_room(Some(room));
        let error = store.backup(shared(&target), PROCESS).unwrap_err();
        failed_by_its_disk(&error).unwrap();
        target.set_room(None);
        assert_eq!(
            whole_or_none(&target, &run, run.expected.oracle.version()),
            Ok(false),
            "{room} bytes of room"
        );
    }
    rig::write(&store, &[put("a", Value::Integer(7))]).unwrap();
}

/// Commits over four segments, in one frame each.
const COMMITS: Seq = 16;
/// How many of them stand before each segment.
const BEFORE: [Seq; 4] = [0, 3, 6, 12];

fn segments() -> SimDisk {
    let disk = SimDisk::new();
    let (store, _) = rig::open(disk.clone()).unwrap();
    for n in 1..=COMMITS {
        let filler = Value::Bytes(Random::new(n).bytes(300_000));
        rig::write(&store, &[put("a", Value::Integer(n as i64)), put("filler", filler)]).unwrap();
    }
    drop(store);
    let fourth = disk.contents(&segment_path(4)).unwrap();
    assert!(fourth.starts_with(b"KARYLOG"), "it is begun");
    disk
}

#[test]
fn a_copy_of_several_segments_is_durable_when_it_is_done() {
    let disk = segments();
    rig::open(disk.clone()).unwrap().0.close().unwrap();
    let target = SimDisk::new();
    restored(&disk, &target, None).unwrap();
    for number in 1..=4 {
        assert!(
            disk.contents(&segment_path(number)) == target.contents(&segment_path(number)),
            "segment {number}"
        );
    }
    let (mut crashes, operations, mut images) = (target.crashes(), target.operations(), 0);
    while let Some(crash) = crashes.next() {
        // Power is cut about where a segment ends, and at the end.
        if crash.operations + 6 < operations && crash.operations % 7 > 0 {
            continue;
        }
        for fate in [Fate::Dropped, Fate::Torn(1)] {
            let found = crash.disk(fate);
            images += 1;
            if found.contents("karyon").is_none() {
                assert!(crash.operations < operations, "a copy that was done is lost");
                continue;
            }
            let (store, _) = rig::open(found).unwrap();
            assert_eq!(store.durable(), COMMITS, "after operation {}, {fate:?}", crash.operations);
            store.verify().unwrap();
        }
    }
    assert!(images > 10, "only {images} images");
}

/// A cut file has no room for the frame that says where the log goes on; its copy has.
#[test]
fn a_copy_of_a_segment_that_was_cut_behind_a_frame_goes_on() {
    let disk = segments();
    let (reader, mut end) =
        (LogReader::new(shared(&disk), rig::STORE, karyon_log::ChainPoint::genesis(rig::STORE)), None);
    let until = karyon_log::ChainPoint { position: Position { segment: 3, offset: u32::MAX }, ..reader.base };
    let read = reader.read(&until, &mut |frame, point| {
        end = Some(point.position).filter(|_| frame.first_seq == 11).or(end);
        Ok(if end.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    });
    read.unwrap();
    let end = end.unwrap();
    assert!(end.segment == 3 && end.offset > 1 << 20, "{end:?}");
    disk.damage(&segment_path(3), |bytes| bytes.truncate(end.offset as usize));
    let (target, copied, _) = salvaged(&disk);
    assert_eq!(copied.newest.seq, 11);
    let (store, _) = rig::open(target.clone()).unwrap();
    rig::write(&store, &[put("a", Value::Integer(112))]).unwrap();
    store.close().unwrap();
    drop(store);
    let (store, _) = rig::open(target).unwrap();
    assert_eq!(value_at(&store, 12).unwrap(), integer(112));
    store.verify().unwrap();
}

#[test]
fn what_is_whole_before_the_damage_is_saved_and_the_rest_is_listed() {
    let disk = segments();
    let seed = 360;
    let mut random = Random::new(seed);
    for number in 1..=4 {
        let damaged = disk.copy();
        let length = damaged.contents(&segment_path(number)).unwrap().len() as u64;
        let bit = random.below(600_000 * 8) as u64 + 4096;
        damaged.flip(&segment_path(number), bit.min(length * 8 - 1));
        let story = format!("seed {seed}, bit {bit} of segment {number}");
        let opening = rig::open(damaged.copy()).err();
        let (target, copied, lost) = salvaged(&damaged);
        let (store, _) = rig::open(target).unwrap();
        let version = store.durable();
        assert_eq!(version, copied.newest.seq, "{story}");
        for version in 1..=version {
            assert_eq!(value_at(&store, version).unwrap(), integer(version as i64), "{story}");
        }
        store.verify().unwrap();
        let Some(opening) = opening else {
            assert_eq!((copied.newest.seq, lost.len(), copied.damage), (COMMITS, 0, None), "{story}");
            continue;
        };
        assert_eq!(
            copied.damage.map(|damage| damage.message().to_owned()).as_deref(),
            Some(opening.message()),
            "{story}"
        );
        assert_eq!(lost[0].position.segment, number, "{story}");
        // One frame is gone; all later ones are whole, and found.
        let found: Seq =
            lost.iter().filter_map(|part| part.whole).map(|(first, last)| last.0 + 1 - first.0).sum();
        assert_eq!(version + 1 + found, COMMITS, "{story}: {:?}", lost);
        let last = lost.iter().filter_map(|part| part.whole).next_back();
        assert!(last.is_none_or(|(_, last)| last.0 == COMMITS), "{story}");
        let refused = restored(&damaged, &SimDisk::new(), None).unwrap_err();
        assert_eq!(refused.code(), Code::Damaged, "{story}");
        if version > 0 {
            let before = SimDisk::new();
            restored(&damaged, &before, Some(Moment::Version(version))).unwrap();
            assert_eq!(
                rig::open(before).unwrap().0.durable(),
                version,
                "before the damage it can be restored"
            );
        }
    }
}

#[test]
fn the_header_of_a_segment_that_is_damaged_costs_nothing_and_is_written_anew() {
    let disk = segments();
    for number in 1..=4 {
        for zeroed in [false, true] {
            let damaged = disk.copy();
            damaged.damage(&segment_path(number), |bytes| match zeroed {
                true => bytes[..512].fill(0),
                false => bytes[40] ^= 1,
            });
            assert!(rig::open(damaged.copy()).is_err(), "segment {number}");
            let (target, copied, lost) = salvaged(&damaged);
            assert_eq!((copied.newest.seq, lost), (COMMITS, vec![]), "segment {number}, zeroed {zeroed}");
            let (store, _) = rig::open(target).unwrap();
            assert_eq!(store.durable(), COMMITS);
            store.verify().unwrap();
        }
    }
}

#[test]
fn a_segment_that_was_cut_or_is_missing_costs_what_was_in_it() {
    let disk = segments();
    for number in 1..=4 {
        let seed = 370 + u64::from(number);
        let mut random = Random::new(seed);
        for _ in 0..6 {
            let length = disk.contents(&segment_path(number)).unwrap().len();
            let (damaged, cut) = (disk.copy(), random.below(length));
            damaged.damage(&segment_path(number), |bytes| bytes.truncate(cut));
            let (target, copied, _) = salvaged(&damaged);
            let story = format!("segment {number} cut to {cut}, seed {seed}");
            let (store, _) = rig::open(target.clone()).unwrap_or_else(|error| panic!("{story}: {error}"));
            assert_eq!(store.durable(), copied.newest.seq, "{story}");
            for n in 0..3 {
                let filler = Value::Bytes(Random::new(n).bytes(300_000));
                rig::write(&store, &[put("filler", filler)]).unwrap();
            }
            drop(store);
            rig::open(target).unwrap_or_else(|error| panic!("{story}: {error}")).0.verify().unwrap();
        }
        let damaged = disk.copy();
        damaged.remove(&segment_path(number)).unwrap();
        if number == 1 {
            let nothing = restore(shared(&damaged), (shared(&SimDisk::new()), PROCESS), None, true);
            assert_eq!(nothing.unwrap_err().code(), Code::SegmentMissing);
            continue;
        }
        let (_, copied, lost) = salvaged(&damaged);
        assert_eq!(copied.damage.as_ref().unwrap().code(), Code::SegmentMissing);
        assert_eq!(copied.newest.seq, BEFORE[number as usize - 1], "{copied:?}");
        if number < 4 {
            assert_eq!((lost[0].position.segment, lost[0].bytes), (number, 0), "{copied:?}");
        }
    }
}

#[test]
fn what_a_checkpoint_still_shows_beyond_the_damage_is_said() {
    let disk = segments();
    let (store, _) = rig::open(disk.clone()).unwrap();
    store.checkpoint().unwrap();
    rig::write(&store, &[put("a", Value::Integer(17))]).unwrap();
    drop(store);
    assert_eq!(checkpoints(&disk).len(), 1);
    let damaged = disk.copy();
    damaged.flip(&segment_path(2), 100_000 * 8);
    let (_, copied, _) = salvaged(&damaged);
    assert_eq!((copied.newest.seq, copied.checkpoint), (3, Some(COMMITS)), "{copied:?}");
    let (store, _) = rig::open(damaged).unwrap();
    assert_eq!(value_at(&store, 17).unwrap(), integer(17), "its present is whole");
    assert_eq!(store.verify().unwrap_err().code(), Code::Damaged);
    assert_eq!(salvaged(&disk).1.checkpoint, None);
}

#[test]
fn a_sector_that_cannot_be_read_costs_what_is_in_it_and_not_what_is_beside() {
    let disk = written(200);
    let (reader, mut ends) =
        (LogReader::new(shared(&disk), rig::STORE, karyon_log::ChainPoint::genesis(rig::STORE)), vec![]);
    let bytes = restored(&disk, &SimDisk::new(), None).unwrap().bytes;
    let until = karyon_log::ChainPoint { position: Position { segment: 2, offset: 0 }, ..reader.base };
    let read = reader.read(&until, &mut |_, end| {
        ends.push(u64::from(end.position.offset));
        Ok(if ends.last() < Some(&bytes) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    });
    read.unwrap();
    assert!(ends.len() > 150);
    for sector in (1024..ends[150]).step_by(1536) {
        let bad = disk.copy();
        bad.spoil(&segment_path(1), sector);
        let error = restored(&bad, &SimDisk::new(), None).unwrap_err();
        assert_eq!(error.code(), Code::Io, "{error}");
        let (target, copied, lost) = salvaged(&bad);
        let before = ends.iter().filter(|end| **end <= sector).count() as Seq;
        let after = ends.iter().position(|end| *end >= sector + 512).unwrap() as Seq + 2;
        assert_eq!(copied.newest.seq, before, "the sector at {sector}: {lost:?}");
        let (first, last) = lost[0].whole.unwrap();
        assert_eq!((first.0, last.0), (after, 200), "the sector at {sector}");
        assert!(lost[0].reason.contains("cannot read"), "{lost:?}");
        assert_eq!(rig::open(target).unwrap().0.durable(), before);
    }
}

#[test]
fn a_read_that_fails_once_costs_nothing_or_is_told() {
    let disk = segments();
    for call in 4..30 {
        let target = SimDisk::new();
        let failing = disk.copy();
        failing.fail(failing.calls() + call, Fault::Io);
        match restore(shared(&failing), (shared(&target), PROCESS), None, true) {
            Ok(copied) => {
                assert_eq!(rig::open(target).unwrap().0.durable(), copied.newest.seq, "call {call}");
                assert_eq!(copied.damage.is_none(), copied.newest.seq == COMMITS, "call {call}: {copied:?}");
            }
            Err(error) => failed_by_its_disk(&error).unwrap(),
        }
    }
}
