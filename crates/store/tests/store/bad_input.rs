//! What stands in the directory is not what it should be: each case has its own code, says what to do, and loses nothing.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;

use karyon_graph::Open;
use karyon_log::{Disk, OpenMode, RealDisk, StoreId, segment_path};
use karyon_model::{Code, Error, Fact};
use karyon_store::{Author, Moment, Options, Store};
use karyon_testkit::LogicalClock;
use karyon_testkit::Value;
use karyon_testkit::disk::SimDisk;

use crate::model::{Place, Step};
use crate::rig::{self, Directory, PROCESS};

pub fn put(key: &str, value: Value) -> Step {
    Step::Put { key: key.into(), labels: ["Fact".to_owned()].into(), props: [("n".to_owned(), value)].into() }
}

/// A disk with these files.
pub fn disk_of(files: &BTreeMap<String, Vec<u8>>) -> SimDisk {
    let disk = SimDisk::new();
    for (path, bytes) in files {
        if let Some((directory, _)) = path.split_once('/') {
            disk.create_dir(directory).unwrap();
        }
        disk.open(path, OpenMode::Create).unwrap().write_at(0, bytes).unwrap();
    }
    disk.copy()
}

/// A store with a commit in each of some frames, ended without a close.
pub fn written(commits: i64) -> SimDisk {
    let disk = SimDisk::new();
    let (store, _) = rig::open(disk.clone()).unwrap();
    for n in 1..=commits {
        rig::write(&store, &[put("a", Value::Integer(n)), put(&format!("k{n}"), Value::Null)]).unwrap();
    }
    disk
}

/// Opening fails with this code, changes nothing but the owner's file, and says what it is about.
fn refused(disk: &SimDisk, code: Code) -> Error {
    let before = disk.files();
    let error = rig::open(disk.clone()).err().expect("the store does not open");
    assert_eq!(error.code(), code, "{error}");
    assert!(error.message().contains(';'), "the message says what to do: {error}");
    let mut after = disk.files();
    for path in ["lock", "owner"] {
        match before.get(path) {
            Some(bytes) => after.insert(path.into(), bytes.clone()),
            None => after.remove(path),
        };
    }
    assert_eq!(after.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    assert!(after == before, "{error}: and yet files were changed");
    error
}

fn detail(error: &Error, name: &str) -> Option<Fact> {
    error.details().iter().find(|detail| detail.0 == name).map(|detail| detail.1.clone())
}

#[test]
fn a_directory_that_holds_something_else_is_refused_and_left_alone() {
    for path in ["notes.txt", "log/app.log", "checkpoint/model.bin", "aside/readme"] {
        let files = BTreeMap::from([(path.to_owned(), b"not ours".to_vec())]);
        let error = refused(&disk_of(&files), Code::NotAStore);
        assert!(error.message().contains(path.rsplit('/').next().unwrap()), "{error}");
    }
    let files = BTreeMap::from([("karyon".to_owned(), b"my notes about the kernel".to_vec())]);
    refused(&disk_of(&files), Code::NotAStore);
}

#[test]
fn newer_formats_are_refused_by_name_and_a_newer_checkpoint_is_passed_over() {
    let disk = written(3);
    let identity = disk.copy();
    identity.damage("karyon", |bytes| {
        bytes[8..12].copy_from_slice(&2u32.to_le_bytes());
        let sum = crc32c::crc32c(&bytes[..60]);
        bytes[60..].copy_from_slice(&sum.to_le_bytes());
    });
    assert!(refused(&identity, Code::FormatNewer).message().contains("karyon"));
    let segment = disk.copy();
    segment.damage(&segment_path(1), |bytes| {
        bytes[8..12].copy_from_slice(&2u32.to_le_bytes());
        let sum = crc32c::crc32c(&bytes[..508]);
        bytes[508..512].copy_from_slice(&sum.to_le_bytes());
    });
    assert_eq!(detail(&refused(&segment, Code::FormatNewer), "format"), Some(Fact::Number(2)));

    let (store, _) = rig::open(disk.clone()).unwrap();
    store.checkpoint().unwrap();
    drop(store);
    disk.damage(&checkpoints(&disk)[0], |bytes| bytes[8..12].copy_from_slice(&2u32.to_le_bytes()));
    let (store, recovery) = rig::open(disk).unwrap();
    assert_eq!((store.durable(), recovery.checkpoint, recovery.replayed), (3, 0, 3));
}

pub fn checkpoints(disk: &SimDisk) -> Vec<String> {
    disk.files().into_keys().filter(|path| path.ends_with(".image")).collect()
}

/// Where the frames of the first segment begin.
fn frames(disk: &SimDisk) -> Vec<usize> {
    let bytes = disk.contents(&segment_path(1)).unwrap();
    (512..bytes.len() - 4).step_by(8).filter(|at| bytes[*at..at + 4] == *b"KaFr").collect()
}

#[test]
fn a_torn_tail_is_cut_kept_aside_and_reported() {
    let disk = written(2);
    let (store, _) = rig::open(disk.clone()).unwrap();
    rig::write(&store, &[put("large", Value::Bytes(vec![7; 4000]))]).unwrap();
    drop(store);
    let last = *frames(&disk).last().unwrap();
    let sector = (last + 1024) / 512 * 512;
    disk.damage(&segment_path(1), |bytes| bytes[sector..sector + 512].fill(0));
    let torn = disk.contents(&segment_path(1)).unwrap();
    let (store, recovery) = rig::open(disk.clone()).unwrap();
    assert_eq!(store.durable(), 2, "what was torn had not been acknowledged");
    let cut = recovery.cut.unwrap();
    assert_eq!((cut.segment, cut.offset as usize), (1, last));
    assert_eq!(disk.contents(&cut.file).unwrap(), torn[last..last + cut.bytes as usize]);
    rig::write(&store, &[put("next", Value::Null)]).unwrap();
    store.verify().unwrap();
    drop(store);
    let (store, recovery) = rig::open(disk).unwrap();
    assert_eq!((store.durable(), recovery.cut), (3, None));
}

#[test]
fn damage_before_the_tail_names_segment_and_offset_and_is_never_cut() {
    let disk = written(4);
    for frame in &frames(&disk)[..3] {
        for byte in [0, 20, 90] {
            let damaged = disk.copy();
            damaged.flip(&segment_path(1), (frame + byte) as u64 * 8);
            let error = refused(&damaged, Code::Damaged);
            assert_eq!(detail(&error, "segment"), Some(Fact::Number(1)));
            assert_eq!(detail(&error, "offset"), Some((*frame).into()));
            damaged.flip(&segment_path(1), (frame + byte) as u64 * 8);
            assert_eq!(rig::open(damaged).unwrap().0.durable(), 4, "put right, it is all there");
        }
    }
    let lost = disk.copy();
    lost.create_dir("history").unwrap();
    lost.remove("karyon").unwrap();
    assert!(refused(&lost, Code::Damaged).message().contains("karyon"));
    let identity = disk.copy();
    identity.flip("karyon", 20 * 8);
    refused(&identity, Code::Damaged);
}

#[test]
fn a_missing_segment_is_named_wherever_it_lay() {
    let disk = written(1);
    let (store, _) = rig::open(disk.clone()).unwrap();
    for n in 0..4u8 {
        rig::write(&store, &[put(&format!("large {n}"), Value::Bytes(vec![n; 900_000]))]).unwrap();
    }
    for with_checkpoint in [false, true] {
        if with_checkpoint {
            store.checkpoint().unwrap();
            rig::write(&store, &[put("after", Value::Null)]).unwrap();
        }
        let files = disk.files();
        let segments: Vec<_> = files.keys().filter(|path| path.ends_with(".seg")).collect();
        assert!(segments.len() >= 3, "{segments:?}");
        // A prepared segment after the last holds nothing and may go.
        let begun = segments.iter().filter(|path| files[**path][0] != 0);
        for missing in begun {
            let mut rest = files.clone();
            rest.remove(*missing);
            let error = refused(&disk_of(&rest), Code::SegmentMissing);
            assert_eq!(detail(&error, "file"), Some(missing.as_str().into()));
        }
        let rest = files.clone().into_iter().filter(|file| !file.0.starts_with("log/")).collect();
        assert_eq!(detail(&refused(&disk_of(&rest), Code::SegmentMissing), "segment"), Some(Fact::Number(1)));
    }
}

#[test]
fn another_stores_identity_or_log_is_refused() {
    let disk = written(2);
    let other = SimDisk::new();
    let options = Options {
        fresh_id: StoreId(*b"another store..."),
        ..rig::options(Arc::new(other.clone()), &Arc::new(LogicalClock::new(1)))
    };
    let (store, _) = Store::open(options).unwrap();
    rig::write(&store, &[put("a", Value::Null)]).unwrap();
    drop(store);
    let swapped = disk.copy();
    swapped.damage("karyon", |bytes| bytes.copy_from_slice(&other.contents("karyon").unwrap()));
    assert!(refused(&swapped, Code::Damaged).message().contains("another store"));
    let mut lost = disk.files();
    lost.remove("karyon");
    refused(&disk_of(&lost), Code::Damaged);
}

#[test]
fn a_store_that_is_open_elsewhere_names_its_owner() {
    let disk = SimDisk::new();
    let (store, _) = rig::open(disk.clone()).unwrap();
    let error = rig::open(disk.clone()).err().unwrap();
    assert_eq!(error.code(), Code::Owned);
    assert_eq!(detail(&error, "pid"), Some(PROCESS.into()));
    rig::write(&store, &[put("a", Value::Null)]).unwrap();
    store.close().unwrap();
    // Closed is enough: whoever still holds the handle does not hold the directory.
    let (second, _) = rig::open(disk).unwrap();
    assert_eq!(second.durable(), 1);
}

const CHILD: &str = "KARYON_TEST_STORE_OF_A_CHILD";

/// Not a test by itself: what the next test runs in another process.
#[test]
fn child_process_that_dies_with_its_store_open() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let (store, _) = rig::open(RealDisk::new(path)).unwrap();
    rig::write(&store, &[put("a", Value::text("safe"))]).unwrap();
    rig::commit(&store, &[put("b", Value::text("never acknowledged"))]).unwrap();
    std::process::abort();
}

#[test]
fn the_lock_of_a_killed_process_blocks_nobody() {
    let directory = Directory::new("killed");
    let killed = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "bad_input::child_process_that_dies_with_its_store_open", "--nocapture"])
        .env(CHILD, directory.path())
        .output()
        .unwrap();
    assert!(!killed.status.success());
    assert!(directory.path().join("lock").exists(), "{}", String::from_utf8_lossy(&killed.stderr));
    let (store, recovery) = rig::open(RealDisk::new(directory.path())).unwrap();
    assert_eq!((store.durable(), recovery.sealed, recovery.created), (1, false, false));
    let error = rig::open(RealDisk::new(directory.path())).err().unwrap();
    assert_eq!((error.code(), detail(&error, "pid")), (Code::Owned, Some(PROCESS.into())));
}

#[test]
fn a_closed_store_takes_nothing_and_still_answers() {
    let disk = SimDisk::new();
    let (store, _) = rig::open(disk.clone()).unwrap();
    for n in 0..3 {
        rig::commit(&store, &[put("a", Value::Integer(n))]).unwrap();
    }
    assert_eq!(store.durable(), 0);
    store.close().unwrap();
    assert_eq!(store.durable(), 3, "what waited was written");
    store.close().unwrap();
    let before = disk.files();
    assert_eq!(rig::commit(&store, &[put("b", Value::Null)]).unwrap_err().code(), Code::Closed);
    assert_eq!(store.checkpoint().unwrap_err().code(), Code::Closed);
    assert!(!store.write_frame().unwrap());
    assert_eq!(store.resolve(Moment::Version(2), store.durable()).unwrap(), 2);
    assert!(disk.files() == before, "a closed store writes nothing: the directory may be another's");
    let (memory, _) = rig::memory();
    memory.close().unwrap();
    assert_eq!(rig::commit(&memory, &[put("b", Value::Null)]).unwrap_err().code(), Code::Closed);
}

#[test]
fn a_cause_that_has_not_happened_is_refused_and_harms_nothing() {
    let disk = SimDisk::new();
    let (store, _) = rig::open(disk.clone()).unwrap();
    rig::write(&store, &[put("a", Value::Null)]).unwrap();
    for cause in [2, 3, u64::MAX] {
        let mut transaction = store.begin().unwrap();
        transaction.push(&crate::model::batch(&[put("b", Value::Null)])).unwrap();
        let author = Author { principal: "root", incarnation: 0, cause: Some(cause), gate: &Open };
        assert_eq!(store.commit(&transaction, author).unwrap_err().code(), Code::Argument);
    }
    rig::write(&store, &[put("c", Value::Null)]).unwrap();
    drop(store);
    assert_eq!(rig::open(disk).unwrap().0.durable(), 2);
}

#[test]
fn batches_that_are_not_canonical_are_refused_before_anything_is_done() {
    let (store, _) = rig::memory();
    let mut transaction = store.begin().unwrap();
    let place = Place::Node("a".into());
    for (step, code) in [
        (put(&"k".repeat(1025), Value::Null), Code::KeySize),
        (put("", Value::Null), Code::KeySize),
        (put("a", Value::Integer(1 << 53)), Code::IntegerRange),
        (put("a", Value::Bytes(vec![0; (16 << 20) + 1])), Code::ValueSize),
        (put("a", Value::map([("__proto__", Value::Null)])), Code::NameReserved),
        (Step::Increment { place, name: "__proto__".into(), by: Value::Integer(1) }, Code::NameReserved),
    ] {
        assert_eq!(transaction.push(&crate::model::batch(&[step])).unwrap_err().code(), code);
    }
    assert!(!transaction.is_dirty());
    assert_eq!(transaction.push(&[99]).unwrap_err().code(), Code::Damaged);
}
