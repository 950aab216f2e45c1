//! Something is erased beside all else that may go on, fail or have been planned.
use std::sync::Arc;

use karyon_graph::{Open, Prefer, Reader};
use karyon_log::{Disk, OpenMode};
use karyon_model::{Code, Seq};
use karyon_store::{Retention, Store};
use karyon_testkit::disk::{Fault, SimDisk};

use crate::hooked::Hooked;
use crate::model::{Place, Step, batch};
use crate::rig::{self, ROOT};

use crate::letting_go::{SECRET, found, index, keep, put, with_value};

#[test]
fn an_index_answers_as_of_a_kept_version_after_another_holder_was_erased() {
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
    store.erase("x", ROOT).unwrap();
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
    let erased = store.erase("x", ROOT).unwrap();
    assert!(hook.lock().unwrap().is_none(), "the hook ran");
    (disk, store, erased.committed.seq)
}

#[test]
fn a_store_is_copied_after_commits_beside_an_erase() {
    let (_disk, store, _) = mid();
    store.verify().unwrap();
    let copy = SimDisk::new();
    store.backup(Arc::new(copy.clone()), 1).unwrap();
    let (copied, _) = rig::open(copy).unwrap();
    copied.verify().unwrap();
}

#[test]
fn a_store_is_compacted_after_commits_beside_an_erase() {
    let (disk, store, _) = mid();
    let archived = store.stats().unwrap().archived;
    store.compact(&keep(archived - 5), ROOT).unwrap();
    store.verify().unwrap();
    drop(store);
    let (store, _) = rig::open(disk).unwrap();
    store.verify().unwrap();
}

/// An erase fails for lack of room, is then overtaken by a compaction; the secret must be nowhere, or erase must go on.
#[test]
fn a_compaction_finishes_an_erase_that_failed() {
    let disk = SimDisk::new();
    let (store, _) = rig::open(disk.clone()).unwrap();
    rig::write(&store, &[put(SECRET, &[("y", "1")]), put("other", &[("y", "1")])]).unwrap();
    store.checkpoint().unwrap();
    let calls = {
        let probe = disk.copy();
        let (store, _) = rig::open(probe.clone()).unwrap();
        let from = probe.calls();
        store.erase(SECRET, ROOT).unwrap();
        probe.calls() - from
    };
    drop(store);
    let mut left = Vec::new();
    for at in 0..calls {
        let disk = disk.copy();
        let (store, _) = rig::open(disk.clone()).unwrap();
        disk.fail(disk.calls() + at, Fault::Io);
        let Err(error) = store.erase(SECRET, ROOT) else {
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
        store.compact(&keep(store.durable()), ROOT).unwrap();
        let again = store.erase(SECRET, ROOT).map(drop);
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
fn an_erase_that_failed_is_finished_when_it_is_called_again() {
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
        let Err(error) = store.erase(SECRET, ROOT) else { break };
        disk.heal();
        if store.failure().unwrap().is_some() {
            continue;
        }
        let again = store.erase(SECRET, ROOT).map(drop);
        let files = found(&disk, SECRET);
        if !files.is_empty() {
            left.push((at, error.to_string(), again, files));
        }
    }
    assert!(left.is_empty(), "{left:#?}");
}

/// What was planned before an erase must not bring it back.
#[test]
fn a_merge_that_was_planned_before_an_erase_conflicts() {
    let disk = SimDisk::new();
    let (store, _) = rig::open(disk.clone()).unwrap();
    rig::write(&store, &[put(SECRET, &[("y", "1")])]).unwrap();
    let (fork, _) = crate::rig::fork(&store, "fork", (0, 1)).unwrap();
    let mut transaction = store.begin().unwrap().in_layer(fork);
    transaction.push(&batch(&[put(SECRET, &[("y", "her date of birth")])])).unwrap();
    store.commit(&transaction, ROOT).unwrap();
    let plan = store.body().unwrap().graph.plan_merge(fork, None, Prefer::Neither).unwrap();
    store.erase(SECRET, ROOT).unwrap();
    let merged = store.commit(&plan.transaction.unwrap(), ROOT);
    while store.write_frame().unwrap() {}
    assert_eq!(found(&disk, SECRET), Vec::<String>::new(), "{merged:?}");
}

#[test]
fn a_write_that_was_begun_before_an_erase_conflicts() {
    for erase in [false, true] {
        let disk = SimDisk::new();
        let (store, _) = rig::open(disk.clone()).unwrap();
        rig::write(&store, &[put(SECRET, &[("y", "1")])]).unwrap();
        let mut transaction = store.begin().unwrap();
        transaction.push(&batch(&[put(SECRET, &[("y", "2")])])).unwrap();
        match erase {
            true => drop(store.erase(SECRET, ROOT).unwrap()),
            false => drop(rig::write(&store, &[Step::Remove { key: SECRET.into(), detach: true }]).unwrap()),
        }
        let done = store.commit(&transaction, ROOT);
        assert_eq!(done.map(drop).map_err(|error| error.code()), Err(Code::Conflict), "erase: {erase}");
    }
}

#[test]
fn a_revert_that_was_planned_before_an_erase_conflicts() {
    let disk = SimDisk::new();
    let (store, _) = rig::open(disk.clone()).unwrap();
    rig::write(&store, &[put(SECRET, &[("y", "her date of birth")])]).unwrap();
    let mallory = karyon_store::Author { principal: "mallory", incarnation: 1, cause: None, gate: &Open };
    let mut transaction = store.begin().unwrap();
    transaction.push(&batch(&[Step::Remove { key: SECRET.into(), detach: true }])).unwrap();
    store.commit(&transaction, mallory).unwrap();
    while store.write_frame().unwrap() {}
    let plan = {
        let body = store.body().unwrap();
        let principal = body.graph.names().get("mallory").unwrap();
        body.graph.plan_revert(&body.commits, principal, 0).unwrap()
    };
    store.erase(SECRET, ROOT).unwrap();
    let done = store.commit(&plan.transaction.unwrap(), ROOT);
    while store.write_frame().unwrap() {}
    assert_eq!(found(&disk, "her date of birth"), Vec::<String>::new(), "{done:?}");
}

/// As t02b, opened again.
#[test]
fn a_store_opens_after_commits_beside_an_erase_and_a_compaction() {
    let (disk, store, _) = mid();
    let archived = store.stats().unwrap().archived;
    store.compact(&keep(archived - 5), ROOT).unwrap();
    drop(store);
    let (store, _) = rig::open(disk).unwrap();
    assert!(store.body().unwrap().graph.node_id("a").is_some());
}

/// An erase that died is finished by the next opening, also with threads and without tables.
#[test]
fn an_erase_is_finished_behind_the_rebuild_of_lost_tables() {
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
    drop(store.erase(SECRET, ROOT));
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

/// A long list of a fork, looked through while an erase is not finished.
#[test]
fn what_was_erased_is_in_no_list_that_is_remembered() {
    let disk = SimDisk::new();
    let (store, _) = rig::open(disk.clone()).unwrap();
    rig::write(&store, &[put("base", &[])]).unwrap();
    let (one, _) = crate::rig::fork(&store, "one", (0, 1)).unwrap();
    let write = |layer: u32, steps: &[Step]| {
        let mut transaction = store.begin().unwrap().in_layer(layer);
        transaction.push(&batch(steps)).unwrap();
        let done = store.commit(&transaction, ROOT).unwrap();
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
    let (two, _) = crate::rig::fork(&store, "two", (one, from)).unwrap();
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
    drop(store.erase("k9", ROOT));
    disk.heal();
    assert!(store.body().unwrap().graph.node_id("k9").is_none());
    write(two, &[label("k12", false)]);
    write(two, &[label("k12", true)]);
    store.erase("k9", ROOT).unwrap();
    assert_eq!(count(&store), 1499);
}
