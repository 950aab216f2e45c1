//! Checkpoints make opening short. They are never the only holder of anything, and never believed over the log.

use std::sync::{Arc, Condvar, Mutex};

use karyon_history::Progress;
use karyon_log::{Disk, OpenMode, segment_path};
use karyon_model::{Code, Seq};
use karyon_store::{Listener, Moment, Options, Store};
use karyon_testkit::Value;
use karyon_testkit::disk::SimDisk;
use karyon_testkit::{DIRECTORY, LogicalClock};

use crate::bad_input::{checkpoints, disk_of, put, written};
use crate::hooked::{Call, Hooked};
use crate::rig;

/// The value of `a` as of a version.
pub fn value_at(store: &Store, version: Seq) -> karyon_model::Result<Option<Vec<u8>>> {
    let body = store.body()?;
    let mut reader = karyon_graph::Reader::at(&body.graph, version, &karyon_graph::Open);
    let node = crate::reading::node(&mut reader, body.graph.names(), "a")?;
    Ok(node.and_then(|node| node.0.props.get("n").cloned()))
}

pub fn integer(value: i64) -> Option<Vec<u8>> {
    Some(Value::Integer(value).to_bytes())
}

fn checkpointed(disk: &SimDisk, commits: i64) {
    let (store, _) = rig::open(disk.clone()).unwrap();
    for n in 1..=commits {
        rig::write(&store, &[put("a", Value::Integer(100 + n))]).unwrap();
    }
    store.checkpoint().unwrap();
}

#[test]
fn the_two_newest_are_kept_and_the_newest_is_opened() {
    let disk = written(5);
    for _ in 0..4 {
        checkpointed(&disk, 2);
    }
    let names = checkpoints(&disk);
    assert_eq!(names.len(), 2);
    assert!(names[0].contains("0011") && names[1].contains("0013"), "{names:?}");
    let (store, recovery) = rig::open(disk).unwrap();
    assert_eq!((recovery.checkpoint, recovery.replayed, store.durable()), (13, 0, 13));
    assert_eq!(value_at(&store, 13).unwrap(), integer(102));
    assert_eq!(value_at(&store, 3).unwrap(), integer(3));
}

#[test]
fn a_damaged_checkpoint_is_passed_over_for_the_one_before_and_for_the_whole_log() {
    let disk = written(5);
    checkpointed(&disk, 2);
    checkpointed(&disk, 2);
    let names = checkpoints(&disk);
    let length = disk.contents(&names[1]).unwrap().len();
    for byte in (0..length).step_by(11) {
        let damaged = disk.copy();
        damaged.flip(&names[1], byte as u64 * 8 + 3);
        let (store, recovery) = rig::open(damaged.clone()).unwrap();
        assert_eq!((recovery.checkpoint, store.durable()), (7, 9), "byte {byte}");
        drop(store);
        damaged.damage(&names[0], |bytes| bytes.truncate(byte % bytes.len()));
        let (store, recovery) = rig::open(damaged).unwrap();
        assert_eq!((recovery.checkpoint, store.durable()), (0, 9), "byte {byte}");
        store.verify().unwrap();
    }
}

#[test]
fn a_new_checkpoint_is_kept_even_beside_unreadable_ones_with_higher_numbers() {
    let disk = written(5);
    for number in [900, 901] {
        let path = format!("checkpoint/{number:020}.image");
        disk.create_dir("checkpoint").unwrap();
        disk.open(&path, OpenMode::Create).unwrap().write_at(0, b"from elsewhere").unwrap();
    }
    checkpointed(&disk, 1);
    let (store, recovery) = rig::open(disk).unwrap();
    assert_eq!((recovery.checkpoint, store.durable()), (6, 6));
}

/// Somebody restores the log of last week and forgets the checkpoint of today. The store goes on from last week, with
/// commits that happen to be as long as those that were lost: so the checkpoint fits the log's end to the byte again.
#[test]
fn a_checkpoint_of_a_future_that_was_undone_is_never_believed_again() {
    let disk = written(5);
    let last_week = disk.files();
    checkpointed(&disk, 4);
    let mut files = disk.files();
    files.insert(segment_path(1), last_week[&segment_path(1)].clone());
    let restored = disk_of(&files);
    let (store, recovery) = rig::open(restored.clone()).unwrap();
    assert_eq!((store.durable(), recovery.checkpoint), (5, 0));
    for n in 1..=4 {
        rig::write(&store, &[put("a", Value::Integer(200 + n))]).unwrap();
        assert_eq!(value_at(&store, store.durable()).unwrap(), integer(200 + n));
    }
    store.verify().unwrap();
    drop(store);
    let (store, _) = rig::open(restored).unwrap();
    assert_eq!(store.durable(), 9);
    assert_eq!(value_at(&store, 9).unwrap(), integer(204), "what was acknowledged after the restore");
    store.verify().unwrap();
}

#[test]
fn the_image_shows_the_head_as_it_was_while_commits_go_on() {
    let disk = written(3);
    let (store, _) = rig::open(disk.clone()).unwrap();
    rig::commit(&store, &[put("a", Value::Integer(50))]).unwrap();
    // Not durable yet: the checkpoint writes it first, as the image may not be ahead of the log.
    assert_eq!(store.checkpoint().unwrap(), Some(4));
    assert_eq!(store.durable(), 4);
    rig::commit(&store, &[put("a", Value::Integer(51))]).unwrap();
    drop(store);
    let (store, recovery) = rig::open(disk).unwrap();
    assert_eq!((recovery.checkpoint, store.durable()), (4, 4));
}

#[test]
fn checkpoints_that_are_asked_for_at_once_come_one_after_another() {
    let disk = written(3);
    let (store, _) = rig::open(disk.clone()).unwrap();
    std::thread::scope(|scope| {
        let ask = || (0..20).for_each(|_| assert_eq!(store.checkpoint().unwrap(), Some(3)));
        let asked: Vec<_> = (0..2).map(|_| scope.spawn(ask)).collect();
        asked.into_iter().for_each(|thread| thread.join().unwrap());
    });
    drop(store);
    assert_eq!(rig::open(disk).unwrap().1.checkpoint, 3);
}

/// Holds back whoever rebuilds the index of the past, until it is released.
#[derive(Clone, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    /// A disk on which it holds.
    pub fn disk(&self, disk: SimDisk) -> Hooked {
        let gate = self.0.clone();
        Hooked::new(disk, move |call| {
            if matches!(call, Call::Open(..)) && std::thread::current().name() == Some("karyon-history") {
                let closed = |open: &mut bool| !*open;
                drop(gate.1.wait_while(gate.0.lock().unwrap(), closed).unwrap());
            }
        })
    }

    fn release(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }
}

/// Opens with threads, the index of the past held back. What listens is told as long as it is held.
fn held_back(disk: SimDisk) -> (Arc<Store>, Gate, (crossbeam::channel::Receiver<()>, Listener)) {
    let gate = Gate::default();
    let options = rig::options(Arc::new(gate.disk(disk)), &Arc::new(LogicalClock::new(1_000)));
    let (store, _) = Store::open(Options { threads: true, ..options }).unwrap();
    let (told, tells) = crossbeam::channel::unbounded();
    let listener: Listener = Arc::new(move || {
        let _ = told.send(());
    });
    store.listen(&listener);
    (store, gate, (tells, listener))
}

/// Commits whose past needs sealed chapters, which somebody has deleted.
fn long_past() -> SimDisk {
    let disk = written(60);
    let (store, _) = rig::open(disk.clone()).unwrap();
    store.checkpoint().unwrap();
    rig::write(&store, &[put("a", Value::Integer(61))]).unwrap();
    drop(store);
    disk.remove(DIRECTORY).unwrap();
    disk
}

#[test]
fn opening_does_not_wait_for_the_index_of_the_past() {
    let (store, gate, (tells, _listener)) = held_back(long_past());
    assert!(matches!(store.progress(), Progress::Building { total: 60, .. }), "{:?}", store.progress());
    let building =
        |result: karyon_model::Result<()>| assert_eq!(result.unwrap_err().code(), Code::HistoryBuilding);
    building(value_at(&store, 3).map(drop));
    assert_eq!(value_at(&store, 61).unwrap(), integer(61));
    assert_eq!(value_at(&store, 60).unwrap(), integer(60));
    rig::commit(&store, &[put("a", Value::Integer(62))]).unwrap();
    while store.durable() < 62 {
        tells.recv().unwrap();
    }
    gate.release();
    while store.progress() != Progress::Ready {
        tells.recv().unwrap();
    }
    for version in 1..=62 {
        assert_eq!(value_at(&store, version).unwrap(), integer(version as i64));
        assert_eq!(
            store.resolve(Moment::Time(store.time_of(version).unwrap()), store.durable()).unwrap(),
            version
        );
    }
    store.verify().unwrap();
    store.close().unwrap();
}

#[test]
fn a_log_that_is_damaged_before_the_checkpoint_closes_the_past_with_its_own_error() {
    let disk = long_past();
    disk.flip(&segment_path(1), 600 * 8);
    let (store, gate, (tells, _listener)) = held_back(disk);
    gate.release();
    while value_at(&store, 3).unwrap_err().code() == Code::HistoryBuilding {
        tells.recv().unwrap();
    }
    let error = value_at(&store, 3).unwrap_err();
    assert_eq!(error.code(), Code::Damaged, "{error}");
    assert_eq!(value_at(&store, 61).unwrap(), integer(61), "the present is not concerned");
    assert_eq!(store.verify().unwrap_err().code(), Code::Damaged);
    store.close().unwrap();
}

#[test]
fn a_store_can_be_closed_while_its_past_is_rebuilt() {
    let (store, gate, _tells) = held_back(long_past());
    gate.release();
    store.close().unwrap();
    assert!(store.durable() >= 61);
}

#[test]
fn checkpoints_come_by_themselves_and_none_is_under_way_after_closing() {
    let disk = SimDisk::new();
    for round in 0..5 {
        let options = rig::options(Arc::new(disk.clone()), &Arc::new(LogicalClock::new(1_000)));
        let (store, recovery) =
            Store::open(Options { threads: true, checkpoint_bytes: 1, ..options }).unwrap();
        assert!(round == 0 || recovery.checkpoint > 0, "{recovery:?}");
        for n in 0.. {
            rig::commit(&store, &[put("a", Value::Integer(n))]).unwrap();
            if n > 40 && !checkpoints(&disk).is_empty() {
                break;
            }
            assert!(n < 20_000, "no checkpoint has come");
        }
        store.close().unwrap();
        let left = disk.operations();
        drop(store);
        assert_eq!(disk.operations(), left, "a closed store leaves the directory alone");
    }
    let (store, _) = rig::open(disk).unwrap();
    assert!(store.durable() > 200);
    store.verify().unwrap();
}
