//! Threads on a real disk: bounded in number, without waiting for time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use karyon_graph::{Open, Reader};
use karyon_log::RealDisk;
use karyon_model::Cursor;
use karyon_model::{Code, Seq};
use karyon_store::{Options, Store};
use karyon_testkit::LogicalClock;
use karyon_testkit::Value;

use crate::bad_input::put;
use crate::model::{Place, Step, batch};
use crate::rig::{self, Directory, ROOT};

const WRITERS: u64 = 4;
const COMMITS: u64 = 150;
const ATTEMPTS_MAX: usize = 10_000;

fn threaded(directory: &Directory, checkpoint_bytes: u64) -> Arc<Store> {
    let disk = Arc::new(RealDisk::new(directory.path()));
    let options = rig::options(disk, &Arc::new(LogicalClock::new(1_000)));
    Store::open(Options { threads: true, checkpoint_bytes, ..options }).unwrap().0
}

fn number(reader: &mut Reader<'_>, names: &karyon_graph::Names, key: &str) -> i64 {
    let node = crate::reading::node(reader, names, key).unwrap();
    let bytes = node.and_then(|node| node.0.props.get("n").cloned());
    match bytes.map(|bytes| Value::decode(&mut Cursor::new(&bytes)).unwrap()) {
        Some(Value::Integer(number)) => number,
        None => 0,
        other => panic!("{key} holds {other:?}"),
    }
}

fn numbers(store: &Store, seq: Seq) -> (i64, i64, i64) {
    let body = store.body().unwrap();
    let mut reader = Reader::at(&body.graph, seq, &Open);
    let names = body.graph.names();
    let own = (0..WRITERS).map(|writer| number(&mut reader, names, &format!("own {writer}"))).sum();
    (number(&mut reader, names, "hot"), number(&mut reader, names, "read"), own)
}

/// Each commit increments a hot node blindly, another after reading it, and sets the writer's own node.
fn commit_once(store: &Store, writer: u64, turn: u64) -> Seq {
    for _ in 0..ATTEMPTS_MAX {
        let mut transaction = store.begin().unwrap();
        let read = {
            let body = store.body().unwrap();
            let mut reader = Reader::through(&body.graph, &mut transaction, &Open).unwrap();
            number(&mut reader, body.graph.names(), "read")
        };
        let patch = |key: String, value: u64| Step::Patch {
            place: Place::Node(key),
            labels: [].into(),
            drop: [].into(),
            props: [("n".to_owned(), Some(Value::Integer(value as i64)))].into(),
        };
        let hot = Place::Node("hot".into());
        let steps = [
            Step::Increment { place: hot, name: "n".into(), by: Value::Integer(1) },
            patch("read".into(), read as u64 + 1),
            patch(format!("own {writer}"), turn),
        ];
        transaction.push(&batch(&steps)).unwrap();
        match store.commit(&transaction, ROOT) {
            Ok(committed) => return committed.seq,
            Err(error) => assert_eq!(error.code(), Code::Conflict),
        }
    }
    panic!("{ATTEMPTS_MAX} attempts conflicted");
}

#[test]
fn threads_that_write_and_read_at_once_lose_and_see_nothing_wrong() {
    let directory = Directory::new("threads");
    let store = threaded(&directory, 4096);
    rig::commit(&store, &[put("hot", Value::Integer(0)), put("read", Value::Integer(0))]).unwrap();
    let (done, newest) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let (mut before, mut looks) = (0, 0u64);
                    while !done.load(Ordering::Acquire) {
                        let durable = store.durable();
                        assert!(durable >= before, "the watermark never goes back");
                        before = durable;
                        if durable > 0 {
                            let counted = durable as i64 - 1;
                            assert_eq!(numbers(&store, durable), (counted, counted, counted));
                            let past = 1 + looks * 7 % durable;
                            assert_eq!(numbers(&store, past).0, past as i64 - 1);
                        }
                        looks += 1;
                    }
                })
            })
            .collect();
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (store, newest) = (&store, &newest);
                scope.spawn(move || {
                    for turn in 1..=COMMITS {
                        newest.fetch_max(commit_once(store, writer, turn), Ordering::AcqRel);
                    }
                })
            })
            .collect();
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        done.store(true, Ordering::Release);
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    });
    let total = (WRITERS * COMMITS) as i64;
    assert_eq!(newest.into_inner(), WRITERS * COMMITS + 1);
    store.close().unwrap();
    assert_eq!(store.durable(), WRITERS * COMMITS + 1, "closing has acknowledged all that waited");
    assert_eq!(numbers(&store, store.durable()), (total, total, total));
    store.verify().unwrap();
    drop(store);
    let store = threaded(&directory, 0);
    assert_eq!(numbers(&store, store.durable()), (total, total, total));
    store.verify().unwrap();
}

#[test]
fn closing_while_others_commit_keeps_exactly_what_was_taken() {
    let directory = Directory::new("closing");
    for _ in 0..5 {
        let store = threaded(&directory, 0);
        let start = store.durable();
        let taken = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (store, taken) = (&store, &taken);
                scope.spawn(move || {
                    for turn in start as i64.. {
                        match rig::commit(store, &[put(&format!("own {writer}"), Value::Integer(turn))]) {
                            Ok(_) => drop(taken.fetch_add(1, Ordering::AcqRel)),
                            Err(error) if error.code() == Code::Closed => return,
                            Err(error) => panic!("{error}"),
                        }
                    }
                });
            }
            while taken.load(Ordering::Acquire) < 20 {
                std::thread::yield_now();
            }
            store.close().unwrap();
        });
        let taken = taken.into_inner();
        assert_eq!(store.durable(), start + taken);
        drop(store);
        let store = threaded(&directory, 0);
        assert_eq!(store.durable(), start + taken);
        store.close().unwrap();
    }
}
