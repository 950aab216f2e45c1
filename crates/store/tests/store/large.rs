//! Large values that are set anew cost what changes in them, wherever in them it changes, whatever becomes of the store.

use karyon_graph::{Open, Reader, Transaction};
use karyon_log::Disk;
use karyon_model::{Code, Seq};
use karyon_store::{Options, Retention, Store};
use karyon_testkit::Value;
use karyon_testkit::disk::SimDisk;
use karyon_testkit::{DIRECTORY, LogicalClock, Random};
use std::sync::Arc;

use crate::model::{Place, Step, batch};
use crate::rig::{self, ROOT};

const LENGTH: usize = 100_000;
/// More than one run has.
const VERSIONS: usize = 300;

/// Letters that do not repeat, of one and of two bytes.
fn letters(random: &mut Random, length: usize) -> String {
    (0..length).map(|_| char::from_u32(0x61 + random.below(0x80) as u32).unwrap()).collect()
}

fn patch(name: &str, value: Value) -> Step {
    let props = [(name.to_owned(), Some(value))].into();
    Step::Patch { place: Place::Node("a".into()), labels: [].into(), drop: [].into(), props }
}

/// A text, edited at the start, amid and at the end, at different places each time.
fn versions() -> Vec<String> {
    let mut random = Random::new(1);
    let mut all = vec![letters(&mut random, LENGTH)];
    for _ in 1..VERSIONS {
        let mut letters_of: Vec<char> = all.last().unwrap().chars().collect();
        for third in 0..3 {
            let at = third * LENGTH / 3 + random.below(LENGTH / 4);
            let (gone, come) = (random.below(9), random.below(9) + 1);
            letters_of.splice(at..at + gone, letters(&mut random, come).chars());
        }
        all.push(letters_of.into_iter().collect());
    }
    all
}

fn property(store: &Store, layer: u32, version: Seq, name: &str) -> karyon_model::Result<Option<Vec<u8>>> {
    let body = store.body()?;
    let mut reader = Reader::at(&body.graph, version, &Open).in_layer(layer);
    let node = crate::reading::node(&mut reader, body.graph.names(), "a")?;
    Ok(node.and_then(|node| node.0.props.get(name).cloned()))
}

/// Bytes of the log up to the last that is not zero, and of the tables.
fn sizes(disk: &SimDisk) -> [usize; 2] {
    let files = disk.files();
    let of = |folder: &str, written: fn(&[u8]) -> usize| {
        files.iter().filter(|file| file.0.starts_with(folder)).map(|file| written(file.1)).sum()
    };
    [
        of("log/", |bytes| bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)),
        of("history/", <[u8]>::len),
    ]
}

fn written(texts: &[String]) -> SimDisk {
    let disk = SimDisk::new();
    let (store, _) = rig::open(disk.clone()).unwrap();
    for text in texts {
        rig::write(&store, &[patch("text", Value::text(text))]).unwrap();
    }
    drop(store);
    disk
}

fn every_version_is_there(store: &Store, texts: &[String], from: Seq) {
    for (version, text) in (1..).zip(texts).skip(from as usize - 1) {
        assert!(
            property(store, 0, version, "text").unwrap() == Some(Value::text(text).to_bytes()),
            "{version}"
        );
    }
    store.verify().unwrap();
}

#[test]
fn edits_in_several_places_cost_what_they_change_and_every_version_is_there() {
    let texts = versions();
    let disk = written(&texts);
    let [log, _] = sizes(&disk);
    let once = texts[0].len();
    assert!(log < once * 5 / 4 + VERSIONS * 400, "{log} bytes of log, a copy has {once}");
    let (store, _) = rig::open(disk.clone()).unwrap();
    every_version_is_there(&store, &texts, 1);
    store.checkpoint().unwrap();
    assert!(store.verify().unwrap().chapters > 0);
    store.close().unwrap();
    // One anchor, and the deltas of one run.
    let [_, history] = sizes(&disk);
    assert!((once..once * 5 / 4 + VERSIONS * 200).contains(&history), "{history} bytes of history");
    let (store, recovery) = rig::open(disk.clone()).unwrap();
    assert_eq!(recovery.replayed, 0);
    every_version_is_there(&store, &texts, 1);
    store.close().unwrap();

    let tables = |disk: &SimDisk| {
        let mut files = disk.files();
        files.retain(|path, _| path.ends_with(".table"));
        files.into_values().collect::<Vec<_>>()
    };
    let (lost, before) = (disk.copy(), tables(&disk));
    lost.remove(DIRECTORY).unwrap();
    let (store, _) = rig::open(lost.clone()).unwrap();
    every_version_is_there(&store, &texts, 1);
    store.checkpoint().unwrap();
    store.close().unwrap();
    assert!(tables(&lost) == before, "the same bytes");

    let since = VERSIONS as Seq - 20;
    let (store, _) = rig::open(disk.clone()).unwrap();
    rig::compact_with(&store, &Retention { since, ..Retention::default() }, &[7, 150]).unwrap();
    for version in [7, 150] {
        let text = Value::text(&*texts[version as usize - 1]).to_bytes();
        assert!(property(&store, 0, version, "text").unwrap() == Some(text), "{version}");
    }
    every_version_is_there(&store, &texts, since);
    store.close().unwrap();
    every_version_is_there(&rig::open(disk).unwrap().0, &texts, since);
}

#[test]
fn lists_maps_and_what_holds_at_different_times_cost_no_more_than_texts() {
    let mut random = Random::new(2);
    let items: Vec<String> = (0..500).map(|_| letters(&mut random, 150)).collect();
    let edited = |round: usize| {
        let mut items = items.clone();
        for third in 0..3 {
            items[third * 166 + round] = format!("round {round}");
        }
        items
    };
    let list = |round| Value::List(edited(round).into_iter().map(Value::String).collect());
    let map = |round| {
        let entries = edited(round).into_iter().enumerate();
        Value::map(entries.map(|(at, item)| (format!("{at:03}"), Value::String(item))).collect::<Vec<_>>())
    };
    type Make<'a> = &'a dyn Fn(usize) -> Value;
    for (what, value) in [("list", &list as Make<'_>), ("map", &map)] {
        let disk = SimDisk::new();
        let (store, _) = rig::open(disk.clone()).unwrap();
        for round in 0..60 {
            rig::write(&store, &[patch(what, value(round))]).unwrap();
        }
        for round in 0..60 {
            let held = property(&store, 0, round as Seq + 1, what).unwrap();
            assert!(held == Some(value(round).to_bytes()), "{what} {round}");
        }
        let [log, _] = sizes(&disk);
        // What was edited the round before comes back.
        let once = value(0).to_bytes().len();
        assert!(log < once * 5 / 4 + 60 * 1_500, "{what}: {log} bytes of log, a copy has {once}");
        store.verify().unwrap();
    }
    let disk = SimDisk::new();
    let (store, _) = rig::open(disk.clone()).unwrap();
    let texts: Vec<String> = (0..60).map(|_| letters(&mut random, 1_000)).collect();
    for (from, text) in texts.iter().enumerate() {
        let step = Box::new(patch("text", Value::text(text)));
        rig::write(&store, &[Step::Within { span: (from, from + 1), ends: false, step }]).unwrap();
    }
    store.checkpoint().unwrap();
    store.close().unwrap();
    let history = sizes(&disk)[1];
    assert!(history < 60 * 1_600 * 2, "{history} bytes of history, of full copies {}", 60 * 60 * 750);
    rig::open(disk).unwrap().0.verify().unwrap();
}

#[test]
fn forks_merges_reverts_and_splices_see_the_same_values() {
    let texts = versions();
    let value = |at: usize| Value::text(&*texts[at]);
    let (store, _) = rig::memory();
    for at in 0..40 {
        rig::commit(&store, &[patch("text", value(at))]).unwrap();
    }
    let (fork, _) = crate::rig::fork(&store, "fork", (0, 20)).unwrap();
    let mut transaction = store.begin().unwrap().in_layer(fork);
    transaction.push(&batch(&[patch("text", value(50)), patch("other", value(50))])).unwrap();
    store.commit(&transaction, ROOT).unwrap();
    let head = store.durable();
    assert_eq!(property(&store, fork, head, "text").unwrap(), Some(value(50).to_bytes()));
    assert_eq!(property(&store, 0, head, "text").unwrap(), Some(value(39).to_bytes()));
    crate::rig::merge(&store, (fork, None), karyon_graph::Prefer::Layer).unwrap();
    let head = store.durable();
    assert_eq!(property(&store, 0, head, "text").unwrap(), Some(value(50).to_bytes()));
    assert_eq!(property(&store, 0, head - 1, "text").unwrap(), Some(value(39).to_bytes()));

    let mallory = karyon_store::Author { principal: "mallory", ..ROOT };
    for at in 60..70 {
        let mut transaction = Transaction::new(store.durable());
        transaction.push(&batch(&[patch("text", value(at))])).unwrap();
        store.commit(&transaction, mallory).unwrap();
    }
    store.revert(("mallory", head), false, ROOT).unwrap();
    assert_eq!(property(&store, 0, store.durable(), "text").unwrap(), Some(value(50).to_bytes()));

    let place = || Place::Node("a".into());
    let insert = Value::text("in between");
    let splice = Step::Splice { place: place(), name: "text".into(), start: 77_000, delete: 5, insert };
    let append = Step::Append { place: place(), name: "text".into(), more: Value::text(" and more") };
    rig::commit(&store, &[splice, append]).unwrap();
    let mut expected: Vec<char> = texts[50].chars().collect();
    expected.splice(77_000..77_005, "in between".chars());
    let expected: String = expected.into_iter().chain(" and more".chars()).collect();
    assert_eq!(property(&store, 0, store.durable(), "text").unwrap(), Some(Value::text(expected).to_bytes()));
    let last = store.durable();
    let largest =
        Step::Append { place: place(), name: "text".into(), more: Value::text("x".repeat(16 << 20)) };
    assert_eq!(rig::commit(&store, &[largest]).unwrap_err().code(), Code::ValueSize);
    assert_eq!(store.durable(), last);
}

#[test]
fn threads_seal_what_large_values_have_been_while_they_are_set() {
    let texts = versions();
    let disk = SimDisk::new();
    let options = rig::options(Arc::new(disk.clone()), &Arc::new(LogicalClock::new(1_000)));
    let (store, _) = Store::open(Options { threads: true, checkpoint_bytes: 16 << 10, ..options }).unwrap();
    for text in &texts {
        rig::commit(&store, &[patch("text", Value::text(text))]).unwrap();
    }
    store.close().unwrap();
    every_version_is_there(&rig::open(disk).unwrap().0, &texts, 1);
}
