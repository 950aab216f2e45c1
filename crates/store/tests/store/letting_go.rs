//! The past is let go beside all else that may go on or fail.
use std::sync::{Arc, Mutex};

use karyon_graph::{Declaration, Open, Purpose, Reader, Transaction};
use karyon_log::{Disk, OpenMode};
use karyon_model::{Code, Rules, Seq};
use karyon_store::{Moment, Retention, Store, restore};
use karyon_testkit::Value;
use karyon_testkit::disk::{Fault, SimDisk};

use crate::hooked::Hooked;
use crate::model::{Place, Step, batch};
use crate::reading;
use crate::rig::{self, ROOT};
use crate::rules::{Values, Wanted};

pub fn put(key: &str, values: &[(&str, &str)]) -> Step {
    let props = values.iter().map(|(name, value)| (name.to_string(), Value::text(*value))).collect();
    Step::Put { key: key.into(), labels: ["Fact".to_owned()].into(), props }
}

pub fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}

pub fn found(disk: &SimDisk, text: &str) -> Vec<String> {
    disk.files().into_iter().filter(|file| holds(&file.1, text)).map(|file| file.0).collect()
}

pub fn keep(since: Seq) -> Retention {
    Retention { since, ..Retention::default() }
}

pub fn index(store: &Store, property: &str) {
    let rules = Rules { indexed: true, ..Rules::default() };
    let declaration = Declaration { label: "Fact".into(), property: property.into(), rules };
    store
        .commit(&Transaction::with(store.begin().unwrap().snapshot(), Purpose::Declare(declaration)), ROOT)
        .unwrap();
    while store.write_frame().unwrap() {}
}

pub fn with_value(
    store: &Store,
    version: Seq,
    property: &str,
    value: &str,
) -> karyon_model::Result<Vec<String>> {
    let body = store.body().unwrap();
    let mut reader = Reader::at(&body.graph, version, &Open);
    let wanted =
        Wanted { label: "Fact".into(), property: property.into(), values: Values::Equal(Value::text(value)) };
    reading::wanted(&mut reader, &wanted, 10)
}

/// A store restored as of a version before the commit that names the archive.
#[test]
fn a_copy_that_ends_before_the_commit_that_names_its_archive_is_whole() {
    let disk = SimDisk::new();
    let (store, _) = rig::open(disk.clone()).unwrap();
    for n in 0..40 {
        rig::write(&store, &[put("a", &[("y", &n.to_string())])]).unwrap();
    }
    let head = store.durable();
    store.compact(&keep(head), ROOT).unwrap();
    store.verify().unwrap();
    store.close().unwrap();
    drop(store);
    let copy = SimDisk::new();
    restore(Arc::new(disk), (Arc::new(copy.clone()), 1), Some(Moment::Version(head)), false).unwrap();
    let (store, _) = rig::open(copy).unwrap();
    assert_eq!(store.durable(), head);
    store.verify().unwrap();
}

pub const SECRET: &str = "somebody@example.org";

#[test]
fn a_pin_that_is_taken_while_the_past_goes_is_kept_or_refused() {
    let disk = SimDisk::new();
    let (hooked, hook) = Hooked::once(disk.clone());
    let (store, _) = rig::open(hooked).unwrap();
    for n in 0..80 {
        rig::write(&store, &[put("a", &[("y", &n.to_string())])]).unwrap();
    }
    let (within, pinned) = (store.clone(), Arc::new(Mutex::new(None)));
    let told = pinned.clone();
    *hook.lock().unwrap() = Some((
        "archive.new",
        OpenMode::Create,
        Box::new(move || *told.lock().unwrap() = Some(within.pin(20))),
    ));
    store.compact(&keep(store.durable()), ROOT).unwrap();
    let pinned = pinned.lock().unwrap().take().unwrap().map(|pin: karyon_store::Pin| pin.seq);
    let body = store.body().unwrap();
    let read = reading::node(&mut Reader::at(&body.graph, 20, &Open), body.graph.names(), "a").map(drop);
    assert!(pinned.is_err() || read.is_ok(), "the pin was {pinned:?}, the read {read:?}");
}

#[test]
fn a_transaction_under_snapshot_isolation_outlives_a_compaction() {
    let (store, _) = rig::open(SimDisk::new()).unwrap();
    for n in 0..20 {
        rig::write(&store, &[put("a", &[("y", &n.to_string())]), put("b", &[("y", "0")])]).unwrap();
    }
    let mut transaction = store.begin().unwrap();
    transaction.snapshot_isolation = true;
    {
        let body = store.body().unwrap();
        let mut reader = Reader::through(&body.graph, &mut transaction, &Open).unwrap();
        reading::node(&mut reader, body.graph.names(), "a").unwrap().unwrap();
    }
    for n in 20..80 {
        rig::write(&store, &[put("a", &[("y", &n.to_string())])]).unwrap();
    }
    store.compact(&keep(store.durable()), ROOT).unwrap();
    transaction.push(&batch(&[put("c", &[("y", "1")])])).unwrap();
    let done = store.commit(&transaction, ROOT);
    assert!(done.is_ok(), "{done:?}");
}

/// A damaged table of the history: the next opening rebuilds it.
#[test]
fn a_damaged_table_stops_compaction_until_the_next_opening_alone() {
    let disk = SimDisk::new();
    let (store, _) = rig::open(disk.clone()).unwrap();
    for n in 0..200 {
        rig::write(&store, &[put("a", &[("y", &n.to_string())])]).unwrap();
    }
    store.checkpoint().unwrap();
    store.close().unwrap();
    drop(store);
    let table = disk.files().into_keys().find(|path| path.ends_with(".table")).unwrap();
    disk.flip(&table, 100 * 8);
    let mut told = Vec::new();
    for _ in 0..3 {
        let (store, _) = rig::open(disk.clone()).unwrap();
        told.push(store.compact(&keep(store.durable()), ROOT).map(drop).map_err(|error| error.to_string()));
        store.close().unwrap();
    }
    assert!(told[1].is_ok(), "{told:#?}");
}

/// A byte of an archive changes: opening tells, and does not panic.
#[test]
fn a_flipped_bit_of_an_archive_is_found() {
    let disk = SimDisk::new();
    let (store, _) = rig::open(disk.clone()).unwrap();
    index(&store, "p");
    for n in 0..60 {
        rig::write(&store, &[put("a", &[("p", &(n % 3).to_string())]), put("b", &[("p", "1")])]).unwrap();
    }
    let head = store.durable();
    let (fork, _) = crate::rig::fork(&store, "fork", (0, head)).unwrap();
    for n in 0..40 {
        let mut transaction = store.begin().unwrap().in_layer(fork);
        transaction.push(&batch(&[put("a", &[("p", &n.to_string())])])).unwrap();
        store.commit(&transaction, ROOT).unwrap();
        while store.write_frame().unwrap() {}
    }
    rig::compact_with(&store, &Retention { since: store.durable(), ..Retention::default() }, &[10, 20])
        .unwrap();
    store.close().unwrap();
    drop(store);
    let archive = disk.files().into_iter().find(|file| file.0.ends_with(".archive")).unwrap();
    let length = archive.1.len();
    assert!(length > 1_000, "{length} bytes");
    for at in (0..length).step_by(3) {
        let disk = disk.copy();
        disk.flip(&archive.0, (at * 8 + at % 8) as u64);
        // Without a checkpoint it is read whole.
        assert!(rig::open(disk).is_err(), "byte {at} of {length}");
    }
}

/// Two compactions of a memory kernel at once.
#[test]
fn compactions_of_a_memory_store_at_once_take_turns() {
    for round in 0..200 {
        let (store, _) = rig::memory();
        for n in 0..60 {
            rig::commit(&store, &[put("a", &[("y", &n.to_string())])]).unwrap();
        }
        let barrier = std::sync::Barrier::new(2);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                barrier.wait();
                store.compact(&keep(60), ROOT).unwrap();
            });
            scope.spawn(|| {
                barrier.wait();
                store.compact(&keep(5), ROOT).unwrap();
            });
        });
        let body = store.body().unwrap();
        for version in 1..=60 {
            match reading::node(&mut Reader::at(&body.graph, version, &Open), body.graph.names(), "a") {
                Err(error) if error.code() == Code::Horizon => {}
                Ok(Some(node)) if node.0.props["y"] == Value::text((version - 1).to_string()).to_bytes() => {}
                other => panic!("round {round}: version {version}: {other:?}, {:?}", store.stats().unwrap()),
            }
        }
    }
}

/// The tables of another log with the same id, beside forks.
#[test]
fn the_tables_of_another_log_are_not_believed_beside_forks() {
    let a = SimDisk::new();
    let (store, _) = rig::open(a.clone()).unwrap();
    for n in 0..10 {
        rig::write(&store, &[put("a", &[("y", &format!("both {n}"))])]).unwrap();
    }
    drop(store);
    let b = a.copy();
    let (store, _) = rig::open(a.clone()).unwrap();
    for n in 10..400 {
        rig::write(&store, &[put("a", &[("y", &format!("A {n}"))])]).unwrap();
    }
    store.checkpoint().unwrap();
    store.close().unwrap();
    drop(store);
    let (store, _) = rig::open(b.clone()).unwrap();
    for n in 10..200 {
        rig::write(&store, &[put("a", &[("y", &format!("B {n}"))])]).unwrap();
    }
    let (fork, _) = crate::rig::fork(&store, "fork", (0, 60)).unwrap();
    let mut transaction = store.begin().unwrap().in_layer(fork);
    let step = Step::Patch {
        place: Place::Node("a".into()),
        labels: [].into(),
        drop: [].into(),
        props: [("z".to_owned(), Some(Value::Null))].into(),
    };
    transaction.push(&batch(&[step])).unwrap();
    store.commit(&transaction, ROOT).unwrap();
    while store.write_frame().unwrap() {}
    drop(store);
    let read = |store: &Store| {
        let body = store.body().unwrap();
        let mut reader = Reader::at(&body.graph, body.graph.head(), &Open).in_layer(fork);
        let node = reading::node(&mut reader, body.graph.names(), "a").unwrap().unwrap().0;
        Value::decode(&mut karyon_model::Cursor::new(&node.props["y"])).unwrap()
    };
    let (store, _) = rig::open(b.copy()).unwrap();
    assert_eq!(read(&store), Value::text("B 59"));
    drop(store);
    // b's log, a's tables.
    let c = b.copy();
    for path in
        c.files().into_keys().filter(|path| path.starts_with("history/") || path.starts_with("checkpoint/"))
    {
        c.remove(&path).unwrap();
    }
    c.create_dir("history").unwrap();
    for (path, bytes) in a.files().into_iter().filter(|file| file.0.starts_with("history/")) {
        c.create(&path).unwrap().write_at(0, &bytes).unwrap();
    }
    let (store, _) = rig::open(c).unwrap();
    assert_eq!(read(&store), Value::text("B 59"));
    store.verify().unwrap();
}

/// A closed store takes nothing from its successor.
#[test]
fn a_closed_store_leaves_its_successors_archive_alone() {
    let disk = SimDisk::new();
    let (hooked, hook) = Hooked::once(disk.clone());
    let (old, _) = rig::open(disk.clone()).unwrap();
    for n in 0..20 {
        rig::write(&old, &[put("a", &[("y", &n.to_string())])]).unwrap();
    }
    old.close().unwrap();
    let (store, _) = rig::open(hooked).unwrap();
    rig::write(&store, &[put("a", &[("y", "21")])]).unwrap();
    let late = old.clone();
    *hook.lock().unwrap() = Some((
        "archive.new",
        OpenMode::Create,
        Box::new(move || {
            // The hook runs before the file is there; take it later, from another thread.
            std::thread::spawn(move || {
                for _ in 0..1000 {
                    let _ = late.compact(&keep(10), ROOT);
                }
            });
        }),
    ));
    let mut told = Vec::new();
    for _ in 0..50 {
        rig::write(&store, &[put("a", &[("y", "22")])]).unwrap();
        told.push(store.compact(&keep(store.durable()), ROOT).map(drop));
    }
    assert!(told.iter().all(|done| done.is_ok()), "{:?}", told.iter().find(|done| done.is_err()));
}

fn rich(disk: impl Disk + 'static) -> Arc<Store> {
    let (store, _) = rig::open(disk).unwrap();
    index(&store, "p");
    for n in 0..50 {
        rig::write(&store, &[put("a", &[("p", &(n % 3).to_string())]), put("b", &[("p", &n.to_string())])])
            .unwrap();
    }
    let (fork, _) = crate::rig::fork(&store, "fork", (0, 20)).unwrap();
    for n in 0..40 {
        let mut transaction = store.begin().unwrap().in_layer(fork);
        transaction.push(&batch(&[put("a", &[("p", &n.to_string())])])).unwrap();
        store.commit(&transaction, ROOT).unwrap();
        rig::write(&store, &[put("b", &[("p", &(n % 5).to_string())])]).unwrap();
    }
    store
}

type Seen = Vec<(u32, Seq, [u8; 32])>;
fn all(store: &Store, until: Seq) -> Seen {
    let body = store.body().unwrap();
    let mut seen = Vec::new();
    for layer in [0, 1] {
        for seq in 0..=until {
            match body.graph.audit_in(layer, seq).and_then(|_| body.graph.digest_in(layer, seq)) {
                Ok(digest) => seen.push((layer, seq, digest)),
                Err(error) => assert_eq!(error.code(), Code::Horizon, "{layer} {seq} {error}"),
            }
        }
    }
    seen
}

fn agree(before: &Seen, now: &Seen, pins: &[Seq], since: Seq, what: &str) {
    for it in now {
        assert!(before.contains(it), "{what}: {} {}", it.0, it.1);
    }
    for (layer, seq, _) in before {
        if pins.contains(seq) || *seq >= since {
            assert!(now.iter().any(|it| (it.0, it.1) == (*layer, *seq)), "{what}: {layer} {seq} is gone");
        }
    }
}

#[test]
fn any_call_may_fail_while_the_past_goes() {
    let first = SimDisk::new();
    let store = rich(first.clone());
    rig::compact_with(&store, &Retention { since: 60, versions: 2, every: 0 }, &[5, 12, 30]).unwrap();
    for n in 0..30 {
        rig::write(&store, &[put("b", &[("p", &(n % 5).to_string())])]).unwrap();
    }
    store.checkpoint().unwrap();
    let head = store.durable();
    let before = all(&store, head);
    drop(store);
    let retention = Retention { since: head, versions: 0, every: 0 };
    let pins = [5, 12, 20, 100];
    for fault in Fault::ALL {
        for at in 0.. {
            let disk = first.copy();
            let (store, _) = rig::open(disk.clone()).unwrap();
            disk.fail(disk.calls() + at, fault);
            let done = rig::compact_with(&store, &retention, &[5, 12, 100]);
            disk.heal();
            let what = format!("{fault:?} at {at}: {:?}", done.as_ref().map_err(|error| error.to_string()));
            if store.progress() == karyon_history::Progress::Ready {
                agree(&before, &all(&store, head), &pins, head, &what);
            }
            let failed = store.failure().unwrap().is_some();
            if !failed {
                let again = rig::compact_with(&store, &retention, &[5, 12, 100]);
                assert!(again.is_ok(), "{what}; again {again:?}");
                agree(&before, &all(&store, head), &pins, head, &what);
                store.verify().unwrap_or_else(|error| panic!("{what}: {error}"));
                store.checkpoint().unwrap();
                if at % 2 == 0 {
                    store.close().unwrap();
                }
            }
            drop(store);
            let (store, _) = rig::open(disk.clone()).unwrap();
            agree(&before, &all(&store, head), &pins, head, &what);
            store.verify().unwrap_or_else(|error| panic!("{what}: {error}"));
            if done.is_ok() && at > 30 {
                break;
            }
        }
    }
}

/// What a crash leaves of an archive in the making.
#[test]
fn an_archive_that_was_not_finished_goes_with_the_next_opening() {
    let disk = SimDisk::new();
    let store = rich(disk.clone());
    drop(store);
    let disk = disk.copy();
    let (store, _) = rig::open(disk.clone()).unwrap();
    store.compact(&keep(store.durable()), ROOT).unwrap();
    drop(store);
    let mut crashes = disk.crashes();
    let mut left = 0;
    while let Some(crash) = crashes.next() {
        let image = crash.killed();
        let (store, _) = rig::open(image.clone()).unwrap();
        store.checkpoint().unwrap();
        store.close().unwrap();
        drop(store);
        let (store, _) = rig::open(image.clone()).unwrap();
        store.close().unwrap();
        left += usize::from(image.files().into_keys().any(|path| path.ends_with("archive.new")));
    }
    assert_eq!(left, 0, "crashes that leave it for good");
}

#[test]
fn differences_of_kept_versions_stay_over_compactions() {
    let disk = SimDisk::new();
    let store = rich(disk.clone());
    let diffs = |store: &Store| {
        let body = store.body().unwrap();
        let mut all = Vec::new();
        for layer in [0, 1] {
            for from in [5, 12, 30, 100, 131] {
                for to in [5, 12, 30, 100, 131] {
                    let mut found = Vec::new();
                    body.graph
                        .visit_differences(
                            &body.commits,
                            layer,
                            (from, to),
                            Default::default(),
                            &mut |id, sides| {
                                found.push((
                                    id,
                                    sides.map(|side| {
                                        side.map(|(entity, seq)| {
                                            (format!("{:?}", entity.properties().collect::<Vec<_>>()), seq)
                                        })
                                    }),
                                ));
                                Ok(true)
                            },
                        )
                        .unwrap_or_else(|error| panic!("{layer} {from} {to} {error}"));
                    all.push((layer, from, to, found));
                }
            }
        }
        all
    };
    let before = diffs(&store);
    rig::compact_with(
        &store,
        &Retention { since: store.durable(), versions: 0, every: 0 },
        &[5, 12, 30, 100, 131],
    )
    .unwrap();
    assert_eq!(diffs(&store), before);
    for n in 0..40 {
        rig::write(&store, &[put("b", &[("p", &(n % 5).to_string())])]).unwrap();
    }
    rig::compact_with(
        &store,
        &Retention { since: store.durable(), versions: 3, every: 0 },
        &[5, 12, 30, 100, 131],
    )
    .unwrap();
    assert_eq!(diffs(&store), before);
}
