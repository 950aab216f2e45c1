//! The past is let go and things are erased beside all else that may go on, fail or have been planned.
use std::sync::{Arc, Mutex};

use karyon_graph::{Declaration, Open, Prefer, Reader, Transaction};
use karyon_log::{Disk, OpenMode};
use karyon_model::{Code, Rules, Seq, Value};
use karyon_store::{Moment, Retention, Store, restore};
use karyon_testkit::disk::{Fault, SimDisk};

use crate::hooked::Hooked;
use crate::model::{Place, Step, batch};
use crate::reading;
use crate::rig::{self, ROOT};
use crate::rules::{Values, Wanted};

fn put(key: &str, values: &[(&str, &str)]) -> Step {
    let props = values.iter().map(|(name, value)| (name.to_string(), Value::text(*value))).collect();
    Step::Put { key: key.into(), labels: ["Fact".to_owned()].into(), props }
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}

fn found(disk: &SimDisk, text: &str) -> Vec<String> {
    disk.files().into_iter().filter(|file| holds(&file.1, text)).map(|file| file.0).collect()
}

fn keep(since: Seq) -> Retention {
    Retention { since, ..Retention::default() }
}

fn index(store: &Store, property: &str) {
    let rules = Rules { indexed: true, ..Rules::default() };
    let declaration = Declaration { label: "Fact".into(), property: property.into(), rules };
    store
        .commit(&Transaction::declaring(store.begin().unwrap().snapshot(), declaration), ROOT, &Open)
        .unwrap();
    while store.write_frame().unwrap() {}
}

fn with_value(store: &Store, version: Seq, property: &str, value: &str) -> karyon_model::Result<Vec<String>> {
    let body = store.body().unwrap();
    let mut reader = Reader::at(&body.graph, version, &Open);
    let wanted =
        Wanted { label: "Fact".into(), property: property.into(), values: Values::Equal(Value::text(value)) };
    reading::wanted(&mut reader, &wanted, 10)
}

#[test]
fn index_of_a_kept_version_after_erase() {
    let disk = SimDisk::new();
    let (store, _) = rig::open(disk.clone()).unwrap();
    index(&store, "p");
    let kept = rig::write(&store, &[put("y", &[("p", "V")])]).unwrap().seq;
    rig::write(&store, &[put("y", &[("p", "W")])]).unwrap();
    for _ in 0..200 {
        rig::write(&store, &[put("x", &[("p", "V")])]).unwrap();
        rig::write(&store, &[put("x", &[("p", "U")])]).unwrap();
    }
    rig::write(&store, &[put("y", &[("q", "last")])]).unwrap();
    assert_eq!(with_value(&store, kept, "p", "V").unwrap(), ["y"]);
    let since = store.durable();
    rig::compact_with(&store, &Retention { since, ..Retention::default() }, &[kept]).unwrap();
    assert_eq!(with_value(&store, kept, "p", "V").unwrap(), ["y"], "kept by the pin");
    store.erase("x", ROOT, &Open).unwrap();
    assert_eq!(with_value(&store, kept, "p", "V").unwrap(), ["y"], "after the erase");
}

/// A commit that becomes durable between the rotation and the choice of the boundary.
fn mid() -> (SimDisk, Arc<Store>, Seq) {
    let disk = SimDisk::new();
    let (hooked, hook) = Hooked::once(disk.clone());
    let (store, _) = rig::open(hooked).unwrap();
    for n in 0..60 {
        rig::write(&store, &[put("a", &[("y", &n.to_string())]), put("x", &[("y", &n.to_string())])])
            .unwrap();
    }
    let within = store.clone();
    *hook.lock().unwrap() = Some((
        "log/0000000002.seg",
        OpenMode::Read,
        Box::new(move || {
            for n in 60..70 {
                rig::write(&within, &[put("a", &[("y", &n.to_string())])]).unwrap();
            }
        }),
    ));
    let erased = store.erase("x", ROOT, &Open).unwrap();
    assert!(hook.lock().unwrap().is_none(), "the hook ran");
    (disk, store, erased.committed.seq)
}

#[test]
fn commits_beside_an_erase_then_backup() {
    let (_disk, store, _) = mid();
    store.verify().unwrap();
    let copy = SimDisk::new();
    store.backup(Arc::new(copy.clone()), 1).unwrap();
    let (copied, _) = rig::open(copy).unwrap();
    copied.verify().unwrap();
}

#[test]
fn commits_beside_an_erase_then_compact() {
    let (disk, store, _) = mid();
    let archived = store.stats().unwrap().archived;
    store.compact(&keep(archived - 5), ROOT, &Open).unwrap();
    store.verify().unwrap();
    drop(store);
    let (store, _) = rig::open(disk).unwrap();
    store.verify().unwrap();
}

/// A store restored as of a version before the commit that names the archive.
#[test]
fn restored_before_the_naming_commit_verifies() {
    let disk = SimDisk::new();
    let (store, _) = rig::open(disk.clone()).unwrap();
    for n in 0..40 {
        rig::write(&store, &[put("a", &[("y", &n.to_string())])]).unwrap();
    }
    let head = store.durable();
    store.compact(&keep(head), ROOT, &Open).unwrap();
    store.verify().unwrap();
    store.close().unwrap();
    drop(store);
    let copy = SimDisk::new();
    restore(Arc::new(disk), (Arc::new(copy.clone()), 1), Some(Moment::Version(head)), false).unwrap();
    let (store, _) = rig::open(copy).unwrap();
    assert_eq!(store.durable(), head);
    store.verify().unwrap();
}

const SECRET: &str = "somebody@example.org";

/// An erase fails for lack of room, is then overtaken by a compaction; the secret must be nowhere, or erase must go on.
#[test]
fn failed_erase_then_compact_leaves_checkpoints() {
    let disk = SimDisk::new();
    let (store, _) = rig::open(disk.clone()).unwrap();
    rig::write(&store, &[put(SECRET, &[("y", "1")]), put("other", &[("y", "1")])]).unwrap();
    store.checkpoint().unwrap();
    let calls = {
        let probe = disk.copy();
        let (store, _) = rig::open(probe.clone()).unwrap();
        let from = probe.calls();
        store.erase(SECRET, ROOT, &Open).unwrap();
        probe.calls() - from
    };
    drop(store);
    let mut left = Vec::new();
    for at in 0..calls {
        let disk = disk.copy();
        let (store, _) = rig::open(disk.clone()).unwrap();
        disk.fail(disk.calls() + at, Fault::Io);
        let Err(error) = store.erase(SECRET, ROOT, &Open) else {
            disk.heal();
            continue;
        };
        disk.heal();
        if store.failure().unwrap().is_some() {
            continue;
        }
        // Erased in memory?
        if store.body().unwrap().graph.node_id(SECRET).is_some() {
            continue;
        }
        store.compact(&keep(store.durable()), ROOT, &Open).unwrap();
        let again = store.erase(SECRET, ROOT, &Open).map(drop);
        store.close().unwrap();
        drop(store);
        let (store, _) = rig::open(disk.clone()).unwrap();
        store.close().unwrap();
        let files = found(&disk, SECRET);
        if !files.is_empty() {
            left.push((at, error.to_string(), again, files));
        }
    }
    assert!(left.is_empty(), "{left:#?}");
}

/// "call it again" must finish.
#[test]
fn failed_erase_called_again_finishes() {
    let disk = SimDisk::new();
    let (store, _) = rig::open(disk.clone()).unwrap();
    rig::write(&store, &[put(SECRET, &[("y", "1")]), put("other", &[("y", "1")])]).unwrap();
    store.checkpoint().unwrap();
    drop(store);
    let mut left = Vec::new();
    for at in 0.. {
        let disk = disk.copy();
        let (store, _) = rig::open(disk.clone()).unwrap();
        disk.fail(disk.calls() + at, Fault::Io);
        let Err(error) = store.erase(SECRET, ROOT, &Open) else { break };
        disk.heal();
        if store.failure().unwrap().is_some() {
            continue;
        }
        let again = store.erase(SECRET, ROOT, &Open).map(drop);
        let files = found(&disk, SECRET);
        if !files.is_empty() {
            left.push((at, error.to_string(), again, files));
        }
    }
    assert!(left.is_empty(), "{left:#?}");
}

/// What was planned before an erase must not bring it back.
#[test]
fn a_merge_planned_before_an_erase() {
    let disk = SimDisk::new();
    let (store, _) = rig::open(disk.clone()).unwrap();
    rig::write(&store, &[put(SECRET, &[("y", "1")])]).unwrap();
    let (fork, _) = store.fork("fork", (0, 1), ROOT, &Open).unwrap();
    let mut transaction = store.begin().unwrap().in_layer(fork);
    transaction.push(&batch(&[put(SECRET, &[("y", "her date of birth")])])).unwrap();
    store.commit(&transaction, ROOT, &Open).unwrap();
    let plan = store.body().unwrap().graph.plan_merge(fork, Prefer::Neither).unwrap();
    store.erase(SECRET, ROOT, &Open).unwrap();
    let merged = store.commit(&plan.transaction.unwrap(), ROOT, &Open);
    while store.write_frame().unwrap() {}
    assert_eq!(found(&disk, SECRET), Vec::<String>::new(), "{merged:?}");
}

#[test]
fn snapshot_isolation_write_over_an_erase() {
    for erase in [false, true] {
        let disk = SimDisk::new();
        let (store, _) = rig::open(disk.clone()).unwrap();
        rig::write(&store, &[put(SECRET, &[("y", "1")])]).unwrap();
        let mut transaction = store.begin().unwrap();
        transaction.push(&batch(&[put(SECRET, &[("y", "2")])])).unwrap();
        match erase {
            true => drop(store.erase(SECRET, ROOT, &Open).unwrap()),
            false => drop(rig::write(&store, &[Step::Remove { key: SECRET.into(), detach: true }]).unwrap()),
        }
        let done = store.commit(&transaction, ROOT, &Open);
        assert_eq!(done.map(drop).map_err(|error| error.code()), Err(Code::Conflict), "erase: {erase}");
    }
}

#[test]
fn revert_planned_before_an_erase() {
    let disk = SimDisk::new();
    let (store, _) = rig::open(disk.clone()).unwrap();
    rig::write(&store, &[put(SECRET, &[("y", "her date of birth")])]).unwrap();
    let mallory = karyon_store::Author { principal: "mallory", incarnation: 1, cause: None };
    let mut transaction = store.begin().unwrap();
    transaction.push(&batch(&[Step::Remove { key: SECRET.into(), detach: true }])).unwrap();
    store.commit(&transaction, mallory, &Open).unwrap();
    while store.write_frame().unwrap() {}
    let plan = {
        let body = store.body().unwrap();
        let principal = body.graph.names().get("mallory").unwrap();
        body.graph.plan_revert(&body.commits, principal, 0).unwrap()
    };
    store.erase(SECRET, ROOT, &Open).unwrap();
    let done = store.commit(&plan.transaction.unwrap(), ROOT, &Open);
    while store.write_frame().unwrap() {}
    assert_eq!(found(&disk, "her date of birth"), Vec::<String>::new(), "{done:?}");
}

#[test]
fn a_pin_taken_while_the_past_goes() {
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
        OpenMode::CreateNew,
        Box::new(move || *told.lock().unwrap() = Some(within.pin(20))),
    ));
    store.compact(&keep(store.durable()), ROOT, &Open).unwrap();
    let pinned = pinned.lock().unwrap().take().unwrap();
    let body = store.body().unwrap();
    let read = reading::node(&mut Reader::at(&body.graph, 20, &Open), body.graph.names(), "a").map(drop);
    assert!(pinned.is_err() || read.is_ok(), "the pin was {pinned:?}, the read {read:?}");
}

#[test]
fn a_snapshot_transaction_over_a_compaction() {
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
    store.compact(&keep(store.durable()), ROOT, &Open).unwrap();
    transaction.push(&batch(&[put("c", &[("y", "1")])])).unwrap();
    let done = store.commit(&transaction, ROOT, &Open);
    assert!(done.is_ok(), "{done:?}");
}

/// As t02b, opened again.
#[test]
fn commits_beside_an_erase_then_compact_then_open() {
    let (disk, store, _) = mid();
    let archived = store.stats().unwrap().archived;
    store.compact(&keep(archived - 5), ROOT, &Open).unwrap();
    drop(store);
    let (store, _) = rig::open(disk).unwrap();
    assert!(store.body().unwrap().graph.node_id("a").is_some());
}

/// A damaged table of the history: the next opening rebuilds it.
#[test]
fn a_damaged_table_stops_compaction_for_good() {
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
        told.push(
            store.compact(&keep(store.durable()), ROOT, &Open).map(drop).map_err(|error| error.to_string()),
        );
        store.close().unwrap();
    }
    assert!(told[1].is_ok(), "{told:#?}");
}

/// A byte of an archive changes: opening tells, and does not panic.
#[test]
fn flips() {
    let disk = SimDisk::new();
    let (store, _) = rig::open(disk.clone()).unwrap();
    index(&store, "p");
    for n in 0..60 {
        rig::write(&store, &[put("a", &[("p", &(n % 3).to_string())]), put("b", &[("p", "1")])]).unwrap();
    }
    let head = store.durable();
    let (fork, _) = store.fork("fork", (0, head), ROOT, &Open).unwrap();
    for n in 0..40 {
        let mut transaction = store.begin().unwrap().in_layer(fork);
        transaction.push(&batch(&[put("a", &[("p", &n.to_string())])])).unwrap();
        store.commit(&transaction, ROOT, &Open).unwrap();
        while store.write_frame().unwrap() {}
    }
    rig::compact_with(&store, &Retention { since: store.durable(), ..Retention::default() }, &[10, 20])
        .unwrap();
    store.close().unwrap();
    drop(store);
    let archive = disk.files().into_iter().find(|file| file.0.ends_with(".archive")).unwrap();
    std::panic::set_hook(Box::new(|_| {}));
    let (mut panics, mut opened, mut codes) = (Vec::new(), Vec::new(), std::collections::BTreeMap::new());
    for at in
        (0..archive.1.len()).step_by(std::env::var("STEP").ok().and_then(|s| s.parse().ok()).unwrap_or(1))
    {
        {
            let bit = at % 8;
            let disk = disk.copy();
            disk.flip(&archive.0, (at * 8 + bit) as u64);
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| rig::open(disk).map(drop)));
            match done {
                Err(panic) => panics.push((
                    at,
                    bit,
                    panic
                        .downcast_ref::<String>()
                        .cloned()
                        .or(panic.downcast_ref::<&str>().map(|s| s.to_string())),
                )),
                Ok(Ok(())) => opened.push((at, bit)),
                Ok(Err(error)) => *codes.entry(error.code().as_str()).or_insert(0) += 1,
            }
        }
    }
    drop(std::panic::take_hook());
    let kinds: std::collections::BTreeMap<_, usize> =
        panics.iter().fold(Default::default(), |mut kinds, p| {
            *kinds.entry(p.2.clone()).or_default() += 1;
            kinds
        });
    assert!(
        panics.is_empty() && opened.is_empty(),
        "{} panics {kinds:#?}, opened {opened:?}, {codes:?}",
        panics.len()
    );
}

/// Two compactions of a memory kernel at once.
#[test]
fn memory_race() {
    let start = std::time::Instant::now();
    let mut rounds = 0;
    while start.elapsed().as_secs() < 40 {
        rounds += 1;
        let (store, _) = rig::memory();
        for n in 0..60 {
            rig::commit(&store, &[put("a", &[("y", &n.to_string())])]).unwrap();
        }
        let barrier = std::sync::Barrier::new(2);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                barrier.wait();
                store.compact(&keep(60), ROOT, &Open).unwrap();
            });
            scope.spawn(|| {
                barrier.wait();
                store.compact(&keep(5), ROOT, &Open).unwrap();
            });
        });
        let body = store.body().unwrap();
        for version in 1..=60 {
            match reading::node(&mut Reader::at(&body.graph, version, &Open), body.graph.names(), "a") {
                Err(error) if error.code() == Code::Horizon => {}
                Ok(Some(node)) if node.0.props["y"] == Value::text((version - 1).to_string()).to_bytes() => {}
                other => panic!("round {rounds}: version {version}: {other:?}, {:?}", store.stats().unwrap()),
            }
        }
    }
}

/// An erase that died is finished by the next opening, also with threads and without tables.
#[test]
fn threads_and_no_tables() {
    let disk = SimDisk::new();
    let (store, _) = rig::open(disk.clone()).unwrap();
    rig::write(&store, &[put(SECRET, &[("y", "1")])]).unwrap();
    for n in 0..12_000 {
        if n % 2000 == 0 {
            while store.write_frame().unwrap() {}
        }
        rig::commit(&store, &[put("a", &[("y", &n.to_string())])]).unwrap();
    }
    store.checkpoint().unwrap();
    disk.fail(disk.calls() + 40, Fault::Io);
    drop(store.erase(SECRET, ROOT, &Open));
    disk.heal();
    assert!(store.body().unwrap().graph.node_id(SECRET).is_none());
    drop(store);
    let disk = disk.copy();
    for path in disk.files().into_keys().filter(|path| path.starts_with("history/")) {
        disk.remove(&path).unwrap();
    }
    let clock = Arc::new(karyon_testkit::LogicalClock::new(2_000_000));
    let mut options = rig::options(Arc::new(disk.clone()), &clock);
    options.threads = true;
    let (store, _) = Store::open(options).unwrap();
    // It is finished on a thread of its own, behind the rebuild.
    for _ in 0..1000 {
        if found(&disk, SECRET).is_empty() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(30));
    }
    let files = found(&disk, SECRET);
    store.close().unwrap();
    assert_eq!(files, Vec::<String>::new());
}

/// The tables of another log with the same id, beside forks.
#[test]
fn foreign_tables() {
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
    let (fork, _) = store.fork("fork", (0, 60), ROOT, &Open).unwrap();
    let mut transaction = store.begin().unwrap().in_layer(fork);
    let step = Step::Patch {
        place: Place::Node("a".into()),
        labels: [].into(),
        drop: [].into(),
        props: [("z".to_owned(), Some(Value::Null))].into(),
    };
    transaction.push(&batch(&[step])).unwrap();
    store.commit(&transaction, ROOT, &Open).unwrap();
    while store.write_frame().unwrap() {}
    drop(store);
    let read = |store: &Store| {
        let body = store.body().unwrap();
        let mut reader = Reader::at(&body.graph, body.graph.head(), &Open).in_layer(fork);
        let node = reading::node(&mut reader, body.graph.names(), "a").unwrap().unwrap().0;
        Value::decode(&mut karyon_model::bytes::Cursor::new(&node.props["y"])).unwrap()
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
fn a_closed_store_removes_its_successors_archive() {
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
        OpenMode::CreateNew,
        Box::new(move || {
            // The hook runs before the file is there; take it later, from another thread.
            std::thread::spawn(move || {
                for _ in 0..1000 {
                    let _ = late.compact(&keep(10), ROOT, &Open);
                }
            });
        }),
    ));
    let mut told = Vec::new();
    for _ in 0..50 {
        rig::write(&store, &[put("a", &[("y", "22")])]).unwrap();
        told.push(store.compact(&keep(store.durable()), ROOT, &Open).map(drop));
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
    let (fork, _) = store.fork("fork", (0, 20), ROOT, &Open).unwrap();
    for n in 0..40 {
        let mut transaction = store.begin().unwrap().in_layer(fork);
        transaction.push(&batch(&[put("a", &[("p", &n.to_string())])])).unwrap();
        store.commit(&transaction, ROOT, &Open).unwrap();
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
fn faults_of_compact() {
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
            if store.history_works() {
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

trait Works {
    fn history_works(&self) -> bool;
}
impl Works for Store {
    fn history_works(&self) -> bool {
        self.progress() == karyon_history::Progress::Ready
    }
}

/// A long list of a fork, looked through while an erase is not finished.
#[test]
fn a_remembered_list_with_what_was_erased() {
    let disk = SimDisk::new();
    let (store, _) = rig::open(disk.clone()).unwrap();
    rig::write(&store, &[put("base", &[])]).unwrap();
    let (one, _) = store.fork("one", (0, 1), ROOT, &Open).unwrap();
    let write = |layer: u32, steps: &[Step]| {
        let mut transaction = store.begin().unwrap().in_layer(layer);
        transaction.push(&batch(steps)).unwrap();
        let done = store.commit(&transaction, ROOT, &Open).unwrap();
        while store.write_frame().unwrap() {}
        done.seq
    };
    let label = |key: &str, on: bool| Step::Patch {
        place: Place::Node(key.into()),
        labels: if on { ["Fact".to_owned()].into() } else { [].into() },
        drop: if on { [].into() } else { ["Fact".to_owned()].into() },
        props: [].into(),
    };
    let many: Vec<_> = (0..1500).map(|n| put(&format!("k{n}"), &[])).collect();
    write(one, &many);
    let from = write(one, &[label("k7", false)]);
    for n in 0..40 {
        let steps: Vec<_> = (8..150).map(|k| label(&format!("k{k}"), n % 2 == 1)).collect();
        write(one, &steps);
    }
    let (two, _) = store.fork("two", (one, from), ROOT, &Open).unwrap();
    while store.write_frame().unwrap() {}
    let count = |store: &Store| {
        let body = store.body().unwrap();
        Reader::at(&body.graph, body.graph.head(), &Open)
            .in_layer(two)
            .count(Some("Fact"), &[], true)
            .unwrap()
    };
    assert_eq!(count(&store), 1500);
    disk.fail(disk.calls() + 40, Fault::Io);
    drop(store.erase("k9", ROOT, &Open));
    disk.heal();
    assert!(store.body().unwrap().graph.node_id("k9").is_none());
    write(two, &[label("k12", false)]);
    write(two, &[label("k12", true)]);
    store.erase("k9", ROOT, &Open).unwrap();
    assert_eq!(count(&store), 1499);
}

/// What a crash leaves of an archive in the making.
#[test]
fn archive_new_is_left() {
    let disk = SimDisk::new();
    let store = rich(disk.clone());
    drop(store);
    let disk = disk.copy();
    let (store, _) = rig::open(disk.clone()).unwrap();
    store.compact(&keep(store.durable()), ROOT, &Open).unwrap();
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
fn differences_of_kept_versions() {
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
