//! Letting go of the past: what is kept is as it was, what is not is told as that, and what was erased is nowhere.

use std::collections::BTreeSet;
use std::sync::Arc;

use karyon_graph::{Declaration, Open, Prefer, Purpose, Reader, Transaction};
use karyon_log::{Disk, OpenMode};
use karyon_model::{Code, EntityId, Rules, Seq};
use karyon_store::{Retention, Store};
use karyon_testkit::Random;
use karyon_testkit::Value;
use karyon_testkit::disk::{Fate, Fault, SimDisk};
use karyon_testkit::oracle::EdgeName;

use crate::driver::{Commits, Driver};
use crate::hooked::Hooked;
use crate::invariants::{Checked, everything_holds};
use crate::model::{Place, Step, batch};
use crate::reading;
use crate::rig::{self, ROOT};

/// Work, over and over, with the past let go in between, checkpoints, clean ends and kills.
fn run(seed: u64, stretches: usize, rounds: usize) -> Result<Driver, String> {
    let mut driver = Driver::new(seed, Commits::Honest);
    let mut random = Random::new(!seed);
    let mut stretch = |driver: &mut Driver| -> Checked {
        driver.run(rounds)?;
        let page = 1 + random.below(5);
        match random.below(4) {
            0 => driver.checkpoint()?,
            1 => driver.erase()?,
            _ => driver.compact()?,
        }
        everything_holds(&driver.store, &driver.expected, page)?;
        if random.chance(1, 2) {
            driver.run(rounds / 4)?;
            driver.checkpoint()?;
        }
        driver.settle()?;
        driver.reopen(random.chance(1, 2))?;
        everything_holds(&driver.store, &driver.expected, page)
    };
    for at in 0..stretches {
        stretch(&mut driver).map_err(|error| {
            let story = driver.trace[driver.trace.len().saturating_sub(16)..].join("\n");
            format!("seed {seed}, stretch {at}: {error}\nafter\n{story}")
        })?;
    }
    Ok(driver)
}

#[test]
fn what_is_kept_is_as_it_was_and_what_is_not_is_never_guessed() {
    let mut lost = 0;
    for seed in rig::seeds(50_000, 12) {
        let driver = run(seed, 6, 120).unwrap_or_else(|error| panic!("{error}"));
        let expected = &driver.expected;
        lost += (0..expected.oracle.version()).filter(|version| !expected.keeps(*version)).count();
    }
    assert!(lost > 100, "{lost}");
}

#[test]
fn also_when_the_past_is_long_enough_for_chapters() {
    for seed in rig::seeds(60_000, 3) {
        run(seed, 4, 900).unwrap_or_else(|error| panic!("{error}"));
    }
}

/// A key and a value that are nowhere else.
const SECRET: &str = "somebody@example.org";
const VALUE: &str = "her date of birth";

fn put(key: &str, values: &[(&str, &str)]) -> Step {
    let props = values.iter().map(|(name, value)| (name.to_string(), Value::text(*value))).collect();
    Step::Put { key: key.into(), labels: ["Fact".to_owned()].into(), props }
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}

/// The files that hold the secret.
fn found(disk: &SimDisk) -> Vec<String> {
    let secret = |file: &(String, Vec<u8>)| holds(&file.1, SECRET) || holds(&file.1, VALUE);
    disk.files().into_iter().filter(secret).map(|file| file.0).collect()
}

/// A store with a secret in its log, its image, its chapters, its index and its forks.
fn with_a_secret(disk: &SimDisk) -> Arc<Store> {
    let (store, _) = rig::open(disk.clone()).unwrap();
    let rules = Rules { indexed: true, ..Rules::default() };
    let declaration = Declaration { label: "Fact".into(), property: "born".into(), rules };
    store
        .commit(&Transaction::with(store.begin().unwrap().snapshot(), Purpose::Declare(declaration)), ROOT)
        .unwrap();
    for n in 0..40 {
        let (born, other) = (format!("{VALUE}{n}"), format!("value {n}"));
        rig::write(&store, &[put(SECRET, &[("born", &born)]), put("other", &[("born", &other)])]).unwrap();
        let edge = EdgeName {
            from: "other".into(),
            edge_type: "KNOWS".into(),
            to: SECRET.into(),
            key: format!("{VALUE}{n}"),
        };
        rig::write(
            &store,
            &[Step::Link { edge, props: [("how".to_owned(), Some(Value::text(VALUE)))].into() }],
        )
        .unwrap();
    }
    let head = store.begin().unwrap().snapshot();
    let (fork, _) = crate::rig::fork(&store, "fork", (0, head)).unwrap();
    let mut transaction = store.begin().unwrap().in_layer(fork);
    transaction.push(&batch(&[put(SECRET, &[("born", VALUE), ("more", VALUE)])])).unwrap();
    store.commit(&transaction, ROOT).unwrap();
    store.checkpoint().unwrap();
    rig::write(&store, &[put("other", &[("born", "last")])]).unwrap();
    store
}

#[test]
fn what_was_erased_is_in_no_file_and_everything_else_is() {
    let disk = SimDisk::new();
    let store = with_a_secret(&disk);
    let kinds: BTreeSet<_> =
        found(&disk).iter().map(|path| path.split('/').next().unwrap().to_owned()).collect();
    assert_eq!(
        kinds.into_iter().collect::<Vec<_>>(),
        ["checkpoint", "history", "log"],
        "it is everywhere before"
    );
    let before = store.durable();
    let archived = store.erase(SECRET, ROOT).unwrap();
    assert_eq!((archived.since, archived.committed.seq), (0, before + 2), "nothing else is let go");
    let check = |store: &Store| {
        store.verify().unwrap();
        let body = store.body().unwrap();
        for version in 1..=store.durable() {
            let mut reader = Reader::at(&body.graph, version, &Open);
            let state = reading::everything(&mut reader, body.graph.names(), 3).unwrap().state;
            assert!(state.nodes.len() <= 1 && state.edges.is_empty(), "{version}: {state:?}");
            let born = state.nodes.get("other").map(|node| node.props["born"].clone());
            let last = (version.saturating_sub(2) / 2).min(39);
            let expected = if version >= before { "last".into() } else { format!("value {last}") };
            assert_eq!(
                born.filter(|_| version > 1),
                (version > 1).then(|| Value::text(&expected).to_bytes())
            );
        }
        let mut reader = Reader::at(&body.graph, store.durable(), &Open).in_layer(1);
        assert_eq!(reading::labelled(&mut reader, None, 3).unwrap(), ["other"], "also in the fork");
        assert_eq!(body.graph.node_id(SECRET), None);
    };
    check(&store);
    assert_eq!(found(&disk), Vec::<String>::new());
    store.checkpoint().unwrap();
    assert_eq!(found(&disk), Vec::<String>::new());
    drop(store);
    // From the checkpoint, from the archive, with and without tables.
    for gone in [vec![], vec!["checkpoint/"], vec!["history/"], vec!["checkpoint/", "history/"]] {
        let disk = disk.copy();
        for path in disk.files().into_keys().filter(|path| gone.iter().any(|gone| path.starts_with(gone))) {
            disk.remove(&path).unwrap();
        }
        let (store, _) = rig::open(disk.clone()).unwrap();
        check(&store);
        store.close().unwrap();
        assert_eq!(found(&disk), Vec::<String>::new());
    }
    let (store, _) = rig::open(disk).unwrap();
    let unknown = store.erase(SECRET, ROOT).unwrap_err();
    assert_eq!(unknown.code(), Code::NodeMissing);
    // The same key is another node, without a past.
    let again = rig::write(&store, &[put(SECRET, &[("born", "now")])]).unwrap();
    let body = store.body().unwrap();
    let id = EntityId::Node(body.graph.node_id(SECRET).unwrap());
    assert!(body.graph.entity_in(0, id, again.seq - 1).unwrap().is_none());
    assert!(body.graph.entity_in(0, id, again.seq).unwrap().is_some());
}

/// Whatever is left after a power cut: before the commit that erases everything is as it was, behind it the next opening finishes.
#[test]
fn power_cut_while_something_is_erased_leaves_it_whole_or_nowhere() {
    let disk = SimDisk::new();
    let store = with_a_secret(&disk);
    let before = store.durable();
    drop(store);
    let disk = disk.copy();
    let (store, _) = rig::open(disk.clone()).unwrap();
    store.erase(SECRET, ROOT).unwrap();
    drop(store);
    let (mut images, mut finished, mut random) = (0, 0, Random::new(7));
    let mut crashes = disk.crashes();
    while let Some(crash) = crashes.next() {
        for fate in Fate::spread(random.next_u64(), 2) {
            images += 1;
            let what = format!("after {} operations, {fate:?}", crash.operations);
            let image = crash.disk(fate);
            let (store, _) = rig::open(image.clone()).unwrap_or_else(|error| panic!("{what}: {error}"));
            store.verify().unwrap_or_else(|error| panic!("{what}: {error}"));
            let body = store.body().unwrap();
            let there = body
                .graph
                .node_id(SECRET)
                .map(|id| body.graph.entity_in(0, EntityId::Node(id), 20).unwrap().is_some());
            assert_eq!(there, (store.durable() <= before).then_some(true), "{what}");
            drop(body);
            drop(store);
            if there.is_none() {
                finished += 1;
                assert_eq!(found(&image), Vec::<String>::new(), "{what}");
            }
        }
    }
    assert!(images > 200 && finished > 100, "{images} images, {finished} finished");
}

#[test]
fn a_fork_that_was_merged_is_merged_again_after_the_past_was_let_go() {
    let disk = SimDisk::new();
    let (store, _) = rig::open(disk.clone()).unwrap();
    rig::write(&store, &[put("a", &[("x", "0"), ("y", "0")])]).unwrap();
    let (fork, _) = crate::rig::fork(&store, "fork", (0, 1)).unwrap();
    let set = |name: &str, value: &str| Step::Patch {
        place: Place::Node("a".into()),
        labels: [].into(),
        drop: [].into(),
        props: [(name.to_owned(), Some(Value::text(value)))].into(),
    };
    let write = |store: &Store, layer: u32, step: Step| {
        let mut transaction = store.begin().unwrap().in_layer(layer);
        transaction.push(&batch(&[step])).unwrap();
        store.commit(&transaction, ROOT).unwrap();
        while store.write_frame().unwrap() {}
    };
    let merge = |store: &Store| {
        let plan = store.body().unwrap().graph.plan_merge(fork, None, Prefer::Neither).unwrap();
        assert!(plan.obstacles.is_empty(), "{:?}", plan.obstacles);
        store.commit(&plan.transaction.unwrap(), ROOT).unwrap();
    };
    write(&store, fork, set("x", "1"));
    merge(&store);
    for n in 0..60 {
        write(&store, fork, set("x", &format!("fork {n}")));
        write(&store, 0, set("y", &format!("base {n}")));
    }
    let head = store.durable();
    let archived = store.compact(&Retention { since: head, ..Retention::default() }, ROOT).unwrap();
    assert_eq!(archived.since, head);
    drop(store);
    let (store, _) = rig::open(disk).unwrap();
    write(&store, 0, set("y", "last"));
    merge(&store);
    let body = store.body().unwrap();
    let mut reader = Reader::at(&body.graph, body.graph.head(), &Open);
    let node = reading::node(&mut reader, body.graph.names(), "a").unwrap().unwrap().0;
    assert_eq!(node.props["x"], Value::text("fork 59").to_bytes());
    assert_eq!(node.props["y"], Value::text("last").to_bytes());
    // Below the horizon neither a fork can be made nor anything be asked, but what it stands on.
    drop(body);
    assert_eq!(crate::rig::fork(&store, "low", (0, 20)).unwrap_err().code(), Code::Horizon);
    assert_eq!(value(&store, 20).unwrap_err().code(), Code::Horizon);
    assert_eq!(value(&store, 1).unwrap(), Some(Value::text("0").to_bytes()));
}

fn value(store: &Store, version: Seq) -> karyon_model::Result<Option<Vec<u8>>> {
    let body = store.body()?;
    let node = reading::node(&mut Reader::at(&body.graph, version, &Open), body.graph.names(), "a")?;
    Ok(node.map(|node| node.0.props["y"].clone()))
}

/// Any call to the disk fails while something is erased: it is told, and done again it is done.
#[test]
fn any_call_may_fail_while_something_is_erased_and_the_next_attempt_finishes() {
    let before = SimDisk::new();
    drop(with_a_secret(&before));
    for fault in Fault::ALL {
        let mut failures = 0;
        loop {
            let disk = before.copy();
            let (store, _) = rig::open(disk.clone()).unwrap();
            let newest = store.durable();
            disk.fail(disk.calls() + failures, fault);
            let erased = store.erase(SECRET, ROOT);
            disk.heal();
            let Err(error) = erased else { break };
            let what = format!("{fault:?} at call {failures}: {error}");
            failures += 1;
            assert!([Code::Io, Code::SyncFailed].contains(&error.code()), "{what}");
            // A log that failed is open for reading alone; another failure has cost nothing.
            let store = if store.failure().unwrap().is_some() {
                drop(store);
                rig::open(disk.clone()).unwrap().0
            } else {
                assert!(error.code() == Code::Io, "{what}");
                store
            };
            match store.erase(SECRET, ROOT) {
                Err(error) if error.code() == Code::NodeMissing => {}
                Ok(_) => {}
                Err(error) => panic!("{what}; and then: {error}"),
            }
            store.verify().unwrap_or_else(|error| panic!("{what}; and then: {error}"));
            let body = store.body().unwrap();
            let mut reader = Reader::at(&body.graph, newest, &Open);
            assert_eq!(reading::labelled(&mut reader, None, 3).unwrap(), ["other"], "{what}");
            drop(body);
            drop(store);
            let (store, _) = rig::open(disk.clone()).unwrap();
            store.verify().unwrap_or_else(|error| panic!("{what}; opened again: {error}"));
            store.close().unwrap();
            assert_eq!(found(&disk), Vec::<String>::new(), "{what}");
        }
        assert!(failures > 20, "{fault:?}: only {failures} calls");
    }
}

#[test]
fn while_the_past_goes_commits_go_on_and_no_fork_is_made_on_what_goes() {
    let disk = SimDisk::new();
    let (hooked, hook) = Hooked::once(disk.clone());
    let (store, _) = rig::open(hooked).unwrap();
    for n in 0..80 {
        rig::write(&store, &[put("a", &[("y", &n.to_string())])]).unwrap();
    }
    let (within, head) = (store.clone(), store.durable());
    *hook.lock().unwrap() = Some((
        "archive.new",
        OpenMode::Create,
        Box::new(move || {
            assert_eq!(crate::rig::fork(&within, "low", (0, 20)).unwrap_err().code(), Code::Horizon);
            crate::rig::fork(&within, "high", (0, head)).unwrap();
            crate::rig::fork(&within, "pinned", (0, 40)).unwrap();
            for n in 80..100 {
                rig::write(&within, &[put("a", &[("y", &n.to_string())])]).unwrap();
            }
        }),
    ));
    let pin = store.pin(40).unwrap();
    let archived = store.compact(&Retention { since: head, ..Retention::default() }, ROOT).unwrap();
    assert_eq!((archived.since, archived.kept), (head, 1));
    drop(pin);
    // What was announced holds for that archive alone.
    disk.set_room(Some(0));
    let low = Retention { since: store.durable(), ..Retention::default() };
    assert_eq!(store.compact(&low, ROOT).unwrap_err().code(), Code::Io);
    disk.set_room(None);
    crate::rig::fork(&store, "late", (0, head)).unwrap();
    while store.write_frame().unwrap() {}
    drop(store);
    let (store, _) = rig::open(disk).unwrap();
    store.verify().unwrap();
    for (layer, expected) in [(1, 79), (2, 39), (3, 79)] {
        let body = store.body().unwrap();
        let mut reader = Reader::at(&body.graph, body.graph.head(), &Open).in_layer(layer);
        let node = reading::node(&mut reader, body.graph.names(), "a").unwrap().unwrap().0;
        assert_eq!(node.props["y"], Value::text(expected.to_string()).to_bytes());
    }
    assert_eq!(value(&store, 100).unwrap(), Some(Value::text("97").to_bytes()));
}
