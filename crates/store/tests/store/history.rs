//! The history on disk: derived, so that losing it costs time and never an answer.

use std::sync::Arc;

use karyon_history::{Directory, PAGE_COMMITS, Progress, SledDirectory};
use karyon_log::{Disk, RealDisk, segment_path};
use karyon_model::{Code, Error, Seq};
use karyon_store::{Moment, Options, Store};
use karyon_testkit::Value;
use karyon_testkit::disk::{Fate, SimDisk};
use karyon_testkit::{DIRECTORY, FileDirectory, LogicalClock};

use crate::bad_input::{disk_of, put, written};
use crate::checkpoints::{Gate, integer, value_at};
use crate::rig;

/// So many that pages of commits fill and tables are merged.
const COMMITS: i64 = 3 * PAGE_COMMITS as i64 + 100;

/// A store with a long past, of which a checkpoint was taken now and then.
fn aged(checkpoints: i64) -> SimDisk {
    let disk = SimDisk::new();
    let (store, _) = rig::open(disk.clone()).unwrap();
    for n in 1..=COMMITS {
        rig::commit(&store, &[put("a", Value::Integer(n))]).unwrap();
        if n % 50 == 0 {
            while store.write_frame().unwrap() {}
        }
        if n % (COMMITS / checkpoints) == 0 {
            store.checkpoint().unwrap();
        }
    }
    store.close().unwrap();
    disk
}

fn tables(disk: &SimDisk) -> Vec<String> {
    disk.files().into_keys().filter(|path| path.ends_with(".table")).collect()
}

fn whole_past_is_there(store: &Store) {
    assert_eq!(store.progress(), Progress::Ready);
    for version in (1..=COMMITS).step_by(37).chain([COMMITS]) {
        assert_eq!(value_at(store, version as Seq).unwrap(), integer(version));
        let time = store.time_of(version as Seq).unwrap();
        assert_eq!(store.resolve(Moment::Time(time), store.durable()).unwrap(), version as Seq);
        assert_eq!(store.resolve(Moment::Time(time - 1), store.durable()).unwrap(), version as Seq - 1);
    }
    store.verify().unwrap();
}

#[test]
fn a_store_opens_with_its_whole_past_and_does_not_read_the_log_for_it() {
    let gated = Gate::default().disk(aged(4));
    let options = rig::options(Arc::new(gated), &Arc::new(LogicalClock::new(1_000)));
    let (store, recovery) = Store::open(Options { threads: true, ..options }).unwrap();
    assert!(recovery.replayed < COMMITS as u64 / 4, "{recovery:?}");
    whole_past_is_there(&store);
    store.close().unwrap();
}

#[test]
fn however_often_tables_are_written_there_are_few() {
    let disk = aged(40);
    assert!((2..=8).contains(&tables(&disk).len()), "{:?}", tables(&disk));
    whole_past_is_there(&rig::open(disk).unwrap().0);
}

#[test]
fn tables_that_are_missing_damaged_foreign_or_behind_are_built_again() {
    let disk = aged(4);
    let opens = |what: &str, disk: SimDisk| {
        let (store, _) = rig::open(disk.clone()).unwrap_or_else(|error| panic!("{what}: {error}"));
        whole_past_is_there(&store);
        store.checkpoint().unwrap();
        drop(store);
        whole_past_is_there(&rig::open(disk).unwrap().0);
    };
    for path in tables(&disk).into_iter().chain([DIRECTORY.into()]) {
        let lost = disk.copy();
        lost.remove(&path).unwrap();
        opens(&format!("without {path}"), lost);
        let cut = disk.copy();
        cut.damage(&path, |bytes| bytes.truncate(bytes.len() / 2));
        opens(&format!("half of {path}"), cut);
    }
    // The history of another store, and one from before the newest checkpoint.
    let other = aged(3);
    for (what, history) in [("foreign", other.files()), ("behind", written(5).files())] {
        let mut files = disk.files();
        files.retain(|path, _| !path.starts_with("history/"));
        files.extend(history.into_iter().filter(|(path, _)| path.starts_with("history/")));
        opens(what, disk_of(&files));
    }
}

#[test]
fn a_flipped_bit_in_a_table_is_an_error_until_the_store_is_opened_again_and_never_an_answer() {
    let disk = aged(4);
    for path in tables(&disk) {
        let length = disk.contents(&path).unwrap().len();
        for byte in (0..length).step_by(length / 40) {
            let flipped = disk.copy();
            flipped.flip(&path, byte as u64 * 8 + 1);
            let (store, _) = rig::open(flipped.clone()).unwrap();
            let mut errors = 0;
            for version in (1..=COMMITS).step_by(11) {
                match value_at(&store, version as Seq) {
                    Ok(value) => assert_eq!(value, integer(version), "{path} byte {byte}"),
                    Err(error) => {
                        assert_eq!(error.code(), Code::Damaged, "{error}");
                        errors += 1;
                    }
                }
            }
            drop(store);
            if errors > 0 {
                whole_past_is_there(&rig::open(flipped).unwrap().0);
            }
        }
    }
}

#[test]
fn a_log_that_lost_its_end_takes_the_tables_of_that_end_with_it() {
    let disk = aged(4);
    let (store, _) = rig::open(disk.clone()).unwrap();
    let early = store.durable();
    drop(store);
    let last_week = disk.files();
    let (store, _) = rig::open(disk.clone()).unwrap();
    for n in 1..=200 {
        rig::write(&store, &[put("a", Value::Integer(-n))]).unwrap();
    }
    store.checkpoint().unwrap();
    drop(store);
    let mut files = disk.files();
    files.insert(segment_path(1), last_week[&segment_path(1)].clone());
    let (store, _) = rig::open(disk_of(&files)).unwrap();
    assert_eq!(store.durable(), early);
    whole_past_is_there(&store);
    for n in 1..=200 {
        rig::write(&store, &[put("a", Value::Integer(1_000_000 + n))]).unwrap();
    }
    for n in 1..=200 {
        assert_eq!(value_at(&store, early + n as Seq).unwrap(), integer(1_000_000 + n));
    }
    store.verify().unwrap();
}

#[test]
fn a_checkpoint_may_be_taken_at_any_commit() {
    let page = PAGE_COMMITS as i64;
    for commits in [page - 1, page, page + 1, 2 * page] {
        let disk = SimDisk::new();
        let (store, _) = rig::open(disk.clone()).unwrap();
        for n in 1..=commits {
            rig::commit(&store, &[put("a", Value::Integer(n))]).unwrap();
        }
        while store.write_frame().unwrap() {}
        store.checkpoint().unwrap();
        drop(store);
        let (store, recovery) = rig::open(disk).unwrap();
        assert_eq!((recovery.replayed, store.progress()), (0, Progress::Ready));
        for version in [1, 5, page - 1, commits] {
            assert_eq!(value_at(&store, version as Seq).unwrap(), integer(version));
            let time = store.time_of(version as Seq).unwrap();
            assert_eq!(store.resolve(Moment::Time(time), store.durable()).unwrap(), version as Seq);
        }
        store.verify().unwrap();
    }
}

#[test]
fn a_lost_or_changed_part_of_the_directory_never_becomes_an_answer() {
    let disk = aged(5);
    let value = FileDirectory(Arc::new(disk.copy())).load().unwrap().unwrap();
    assert_eq!(value.len(), 16 + 4 + 52 + 20 * tables(&disk).len() + 4);
    for at in (0..value.len()).step_by(3) {
        let mut changed = value.clone();
        changed[at] ^= 2;
        for value in [&changed, &value[..at]] {
            let changed = disk.copy();
            FileDirectory(Arc::new(changed.clone())).put(value).unwrap();
            whole_past_is_there(&rig::open(changed).unwrap().0);
        }
    }
}

#[test]
fn damage_that_was_found_is_mended_by_the_next_opening_whatever_was_written_meanwhile() {
    for found_by_verify in [true, false] {
        let disk = aged(4);
        disk.flip(&tables(&disk)[0], 400 * 8);
        let (store, _) = rig::open(disk.clone()).unwrap();
        if found_by_verify {
            assert_eq!(store.verify().unwrap_err().code(), Code::Damaged);
        } else {
            let answers: Vec<_> = (1..=COMMITS).map(|version| value_at(&store, version as Seq)).collect();
            assert!(answers.iter().any(Result::is_err));
        }
        for n in 1..=100 {
            rig::write(&store, &[put("b", Value::Integer(n))]).unwrap();
        }
        store.checkpoint().unwrap();
        store.close().unwrap();
        drop(store);
        whole_past_is_there(&rig::open(disk).unwrap().0);
    }
}

#[test]
fn a_store_that_crashes_whenever_a_table_was_entered_still_has_few() {
    let mut disk = SimDisk::new();
    for life in 0..14 {
        let (store, _) = rig::open(disk.clone()).unwrap();
        for n in 0..120 {
            rig::commit(&store, &[put("a", Value::Integer(life * 1_000 + n))]).unwrap();
            if n % 60 == 59 {
                while store.write_frame().unwrap() {}
                store.checkpoint().unwrap();
            }
        }
        drop(store);
        let entered = |disk: &SimDisk| {
            let value = FileDirectory(Arc::new(disk.copy())).load().ok().flatten();
            // Beside what is there of every table: store, archive, point and sum.
            value.map_or(0, |value| value.len().saturating_sub(16 + 4 + 52 + 4) / 20)
        };
        let mut crashes = disk.crashes();
        let mut worst = disk.copy();
        while let Some(crash) = crashes.next() {
            let crashed = crash.disk(Fate::Kept);
            if entered(&crashed) >= entered(&worst) {
                worst = crashed;
            }
        }
        assert!(entered(&worst) <= 8, "{}", entered(&worst));
        disk = worst;
    }
}

#[test]
fn a_closed_store_that_somebody_still_holds_does_not_cost_the_next_one_its_history() {
    let directory = rig::Directory::new("held");
    let open = || {
        let options =
            rig::options(Arc::new(RealDisk::new(directory.path())), &Arc::new(LogicalClock::new(1_000_000)));
        let sled = SledDirectory::new(directory.path().join("history").join("directory"));
        Store::open(Options { directory: Arc::new(sled), ..options }).unwrap().0
    };
    let held = open();
    for n in 1..=1_000 {
        rig::commit(&held, &[put("a", Value::Integer(n))]).unwrap();
    }
    while held.write_frame().unwrap() {}
    held.checkpoint().unwrap();
    held.close().unwrap();
    let table = directory.path().join("history").join("0000000001.table");
    let written = std::fs::metadata(&table).unwrap().modified().unwrap();
    let again = open();
    assert_eq!(again.progress(), Progress::Ready);
    assert_eq!(std::fs::metadata(&table).unwrap().modified().unwrap(), written, "it is not built again");
    assert_eq!((value_at(&again, 5).unwrap(), value_at(&held, 5).unwrap()), (integer(5), integer(5)));
    again.verify().unwrap();
}

#[test]
fn a_checkpoint_of_another_branch_is_not_believed() {
    let disk = SimDisk::new();
    let (store, _) = rig::open(disk.clone()).unwrap();
    for n in 1..=5 {
        rig::write(&store, &[put("a", Value::Integer(n))]).unwrap();
    }
    drop(store);
    let branch = |first: i64, checkpoint: bool, ahead: bool| {
        let branch = disk.copy();
        let (store, _) = rig::open(branch.clone()).unwrap();
        for n in 0..40 {
            rig::commit(&store, &[put("a", Value::Integer(first + n))]).unwrap();
            while !ahead && store.write_frame().unwrap() {}
        }
        if checkpoint {
            store.checkpoint().unwrap();
        }
        branch
    };
    // Also when its image was ahead of the log, as it is when commits wait.
    for ahead in [false, true] {
        let mut files = branch(1_000, true, ahead).files();
        files.extend(branch(2_000, false, false).files());
        let mixed = disk_of(&files);
        let (store, recovery) = rig::open(mixed.clone()).unwrap();
        assert_eq!(recovery.checkpoint, 0);
        for version in 6..=45 {
            assert_eq!(value_at(&store, version).unwrap(), integer(1_994 + version as i64));
        }
        rig::write(&store, &[put("a", Value::Integer(1))]).unwrap();
        store.verify().unwrap();
        drop(store);
        rig::open(mixed).unwrap().0.verify().unwrap();
    }
}

/// A directory on a disk that is full.
struct Full;

impl Directory for Full {
    fn load(&self) -> karyon_model::Result<Option<Vec<u8>>> {
        Ok(None)
    }
    fn put(&self, _: &[u8]) -> karyon_model::Result<()> {
        Err(Error::new(Code::Io, "no space left"))
    }
    fn clear(&self) -> karyon_model::Result<()> {
        Ok(())
    }
    fn close(&self) {}
}

#[test]
fn a_past_that_cannot_be_written_is_rebuilt_in_memory() {
    let disk = SimDisk::new();
    let (store, _) = rig::open(disk.clone()).unwrap();
    for n in 1..=5_000i64 {
        let value = Value::Bytes(n.to_le_bytes().repeat(250));
        rig::commit(&store, &[put("a", value)]).unwrap();
        if n % 100 == 0 {
            while store.write_frame().unwrap() {}
        }
    }
    store.checkpoint().unwrap();
    drop(store);
    let options = rig::options(Arc::new(disk), &Arc::new(LogicalClock::new(1_000_000)));
    let (store, recovery) = Store::open(Options { directory: Arc::new(Full), ..options }).unwrap();
    assert_eq!((recovery.checkpoint, store.progress()), (5_000, Progress::Ready));
    assert!(value_at(&store, 5).unwrap().unwrap().ends_with(&5i64.to_le_bytes()));
    store.verify().unwrap();
}
