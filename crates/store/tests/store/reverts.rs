//! One writer's work is taken back, and everybody else's is as if that writer had never been.

use std::collections::BTreeMap;
use std::sync::Barrier;
use std::thread;

use karyon_graph::{Open, Transaction};
use karyon_model::Seq;
use karyon_store::{Author, Store};
use karyon_testkit::Random;
use karyon_testkit::Value;
use karyon_testkit::disk::SimDisk;
use karyon_testkit::oracle::EdgeName;

use crate::invariants::{Checked, canonical_digest};
use crate::model::{Place, State, Step, batch, carry_out};
use crate::rig;
use crate::workload::within;

/// Nodes that everybody writes to and nobody removes.
const SHARED: [&str; 2] = ["a", "b"];

fn author(principal: &str) -> Author<'_> {
    Author { principal, incarnation: 1, cause: None, gate: &Open }
}

fn patch(key: &str, name: &str, value: Option<Value>, labels: &[&str]) -> Step {
    let labels = labels.iter().map(|label| (*label).to_owned()).collect();
    let props = BTreeMap::from([(name.to_owned(), value)]);
    Step::Patch { place: Place::Node(key.into()), labels, drop: [].into(), props }
}

fn edge(from: &str, kind: &str, to: &str) -> EdgeName {
    EdgeName { from: from.into(), edge_type: kind.into(), to: to.into(), key: String::new() }
}

/// Facts: her own properties of shared nodes, nodes and edges of her own, some of which she removes.
fn honest(random: &mut Random) -> Step {
    let number = Some(Value::Integer(random.below(5) as i64));
    match random.below(7) {
        0..=2 => patch(SHARED[random.below(2)], ["x", "y"][random.below(2)], number, &["Fact"]),
        3 => patch(["c", "d"][random.below(2)], "x", number, &[]),
        4 => Step::Remove { key: ["c", "d"][random.below(2)].into(), detach: true },
        5 => Step::Link { edge: edge("a", "KNOWS", "b"), props: [("x".to_owned(), number)].into() },
        _ => patch(SHARED[random.below(2)], "x", None, &[]),
    }
}

/// Lies: other properties and labels of the same nodes, and nodes that lean on them.
fn lie(random: &mut Random) -> Step {
    let lie = ["lie 1", "lie 2"][random.below(2)];
    let text = Value::text("z".repeat(random.below(120)));
    match random.below(7) {
        0 | 1 => patch(SHARED[random.below(2)], "rumour", Some(text), &["Rare"]),
        2 => patch(SHARED[random.below(2)], "rumour", None, &[]),
        3 => patch(lie, "text", Some(text), &["Fact"]),
        4 => Step::Link { edge: edge(lie, "SAYS", SHARED[random.below(2)]), props: [].into() },
        5 => Step::Append { place: Place::Node(lie.into()), name: "text".into(), more: text },
        _ => Step::Remove { key: lie.into(), detach: true },
    }
}

fn digest(store: &Store, version: Seq) -> [u8; 32] {
    store.body().unwrap().graph.digest_in(0, version).unwrap()
}

/// `since` is somewhere in the run: lies before it stay.
fn run(seed: u64) -> Checked {
    let (store, _) = rig::memory();
    let mut random = Random::new(seed);
    let (mut all, mut without) = (State::default(), State::default());
    let mut since = 0;
    for round in 0..80 {
        if round == 0 || random.chance(1, 60) {
            since = store.durable();
            without = all.clone();
        }
        let lying = round > 2 && random.chance(1, 2);
        let step = if let Some(key) = SHARED.get(round) {
            patch(key, "x", Some(Value::Null), &[])
        } else if lying {
            let lie = lie(&mut random);
            within(&mut random, lie)
        } else {
            honest(&mut random)
        };
        let Ok((_, next)) = carry_out(std::slice::from_ref(&step), &all) else { continue };
        let mut transaction = Transaction::new(store.durable());
        transaction.push(&batch(std::slice::from_ref(&step))).map_err(|error| error.to_string())?;
        let principal = if lying { "root/mallory" } else { "root/alice" };
        store.commit(&transaction, author(principal)).map_err(|error| error.to_string())?;
        all = next;
        if !lying {
            without = carry_out(&[step], &without).expect("no honest step leans on a lie").1;
        }
    }
    let head = store.durable();
    let said = |error: karyon_model::Error| error.to_string();
    let planned = store.revert(("root/mallory", since), true, author("root")).map_err(said)?;
    if digest(&store, store.durable()) != canonical_digest(&all) || planned.committed.is_some() {
        return Err("a dry run did something".into());
    }
    let report = store.revert(("root/mallory", since), false, author("root")).map_err(said)?;
    if (report.plan.changed, report.plan.obstacles.len())
        != (planned.plan.changed, planned.plan.obstacles.len())
    {
        return Err(format!("planned {planned:?}, done {report:?}"));
    }
    let found = digest(&store, store.durable());
    if found != canonical_digest(&without) {
        let body = store.body().map_err(said)?;
        let mut reader = karyon_graph::Reader::at(&body.graph, body.graph.head(), &Open);
        let state = crate::reading::everything(&mut reader, body.graph.names(), 9)?.state;
        return Err(format!("reverted since {since}\n   found {state:?}\nexpected {without:?}\n{report:?}"));
    }
    if digest(&store, head) != canonical_digest(&all) {
        return Err("history was edited".into());
    }
    let again = store.revert(("root/mallory", since), false, author("root")).map_err(said)?;
    if again.committed.is_some() {
        return Err(format!("there was nothing left to revert: {again:?}"));
    }
    Ok(())
}

#[test]
fn what_is_left_is_what_the_others_wrote() {
    for seed in rig::seeds(0, 150) {
        run(seed).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
}

const LIARS: [&str; 3] = ["root/liar 1", "root/liar 2", "root/liar 3"];

/// Facts that no lie can hide from the log: values that were never there before.
fn plain_fact(random: &mut Random, round: i64) -> Step {
    let number = Some(Value::Integer(round));
    match random.below(6) {
        0..=2 => patch(SHARED[random.below(2)], ["x", "y"][random.below(2)], number, &["Fact"]),
        3 => patch(["c", "d"][random.below(2)], "x", number, &[]),
        4 => Step::Remove { key: ["c", "d"][random.below(2)].into(), detach: true },
        _ => Step::Link { edge: edge("a", "KNOWS", "b"), props: [("x".to_owned(), number)].into() },
    }
}

/// Lies about everything that is there, the lies of others included.
fn any_lie(random: &mut Random, round: i64) -> Step {
    let (shared, fact) = (SHARED[random.below(2)], ["a", "b", "c", "d"][random.below(4)]);
    let lie = ["lie 1", "lie 2"][random.below(2)];
    let number = Some(Value::Integer(-round));
    match random.below(10) {
        0 => patch(fact, ["x", "rumour"][random.below(2)], number, &["Rare"]),
        1 => patch(lie, "x", number, &["Fact", "Rare"]),
        2 => patch(lie, "x", None, &[]),
        3 => Step::Link { edge: edge(lie, "SAYS", fact), props: [].into() },
        4 => Step::Link { edge: edge(shared, "SAYS", lie), props: [("x".to_owned(), number)].into() },
        5 => Step::Link { edge: edge("a", "KNOWS", "b"), props: [("y".to_owned(), number)].into() },
        6 => Step::Unlink { edge: edge("a", "KNOWS", "b") },
        7 => {
            let drop = ["Fact".to_owned(), "Rare".to_owned()].into();
            Step::Patch { place: Place::Node(shared.into()), labels: [].into(), drop, props: [].into() }
        }
        8 => Step::Remove { key: lie.into(), detach: true },
        _ => Step::Remove { key: fact.into(), detach: true },
    }
}

/// Several liars write over the facts and over each other, some are reverted on the way, the store is closed and opened;
/// in the end all are reverted, in any order.
fn run_with_several(seed: u64) -> Checked {
    let said = |error: karyon_model::Error| error.to_string();
    let disk = SimDisk::new();
    let mut random = Random::new(seed);
    let mut store = rig::open(disk.clone()).map_err(said)?.0;
    let mut without = State::default();
    let mut story = Vec::new();
    for round in 0..90 {
        let liar = *random.pick(&LIARS);
        if round > 20 && random.chance(1, 20) {
            story.push(format!(
                "revert {liar}: {:?}",
                store.revert((liar, 0), false, author("root")).map_err(said)?
            ));
            continue;
        }
        if random.chance(1, 20) {
            if random.chance(1, 2) {
                store.checkpoint().map_err(said)?;
            }
            store.close().map_err(said)?;
            store = rig::open(disk.clone()).map_err(said)?.0;
        }
        let lying = round > 2 && random.chance(2, 3);
        let step = match SHARED.get(round) {
            Some(key) => patch(key, "x", Some(Value::Null), &["Fact"]),
            None if lying => {
                let lie = any_lie(&mut random, round as i64);
                within(&mut random, lie)
            }
            None => plain_fact(&mut random, round as i64),
        };
        let mut transaction = store.begin().map_err(said)?;
        transaction.push(&batch(std::slice::from_ref(&step))).map_err(said)?;
        let head = transaction.snapshot();
        let principal = if lying { liar } else { "root/alice" };
        // What lies make impossible is left out, as is what they have made already.
        let Ok(committed) = store.commit(&transaction, author(principal)) else { continue };
        story.push(format!("{} {principal}: {step:?}", committed.seq));
        if !lying && committed.seq > head {
            without = carry_out(&[step], &without).expect("no honest step leans on a lie").1;
        }
    }
    let mut liars = LIARS;
    random.shuffle(&mut liars);
    for again in [false, true] {
        for principal in liars {
            let report = store.revert((principal, 0), false, author("root")).map_err(said)?;
            story.push(format!("revert {principal}: {report:?}"));
            if again && report.committed.is_some() {
                return Err(format!("there was nothing left to revert: {report:?}"));
            }
        }
    }
    store.close().map_err(said)?;
    store = rig::open(disk).map_err(said)?.0;
    store.verify().map_err(said)?;
    if digest(&store, store.durable()) != canonical_digest(&without) {
        let body = store.body().map_err(said)?;
        let mut reader = karyon_graph::Reader::at(&body.graph, body.graph.head(), &Open);
        let state = crate::reading::everything(&mut reader, body.graph.names(), 9)?.state;
        let story = story.join("\n");
        return Err(format!("   found {state:?}\nexpected {without:?}\n{story}"));
    }
    Ok(())
}

#[test]
fn liars_who_overwrote_each_other_are_taken_back_in_any_order() {
    for seed in rig::seeds(0, 300) {
        run_with_several(seed).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
}

#[test]
fn liars_who_overwrote_each_other_are_taken_back_at_once() {
    for round in 0..200 {
        let (store, _) = rig::memory();
        let value = |value| [patch("a", "x", Some(Value::Integer(value)), &[])];
        let since = write_as(&store, "root/alice", &value(0));
        for (at, liar) in LIARS.iter().enumerate() {
            write_as(&store, liar, &value(at as i64 + 1));
        }
        let begin = Barrier::new(LIARS.len());
        thread::scope(|scope| {
            for liar in LIARS {
                scope.spawn(|| {
                    begin.wait();
                    store.revert((liar, since), false, author("root")).unwrap();
                });
            }
        });
        assert_eq!(digest(&store, store.durable()), digest(&store, since), "round {round}");
    }
}

/// Writes a fact, has two liars write over it, takes them back in both orders, and compares with the fact.
fn two_liars(fact: &[Step], lies: [&[Step]; 2]) {
    for order in [[0, 1], [1, 0]] {
        let (store, _) = rig::memory();
        let since = write_as(&store, "root/alice", fact);
        for (at, lie) in lies.iter().enumerate() {
            write_as(&store, LIARS[at], lie);
        }
        for at in order {
            assert!(store.revert((LIARS[at], since), false, author("root")).unwrap().committed.is_some());
        }
        assert_eq!(digest(&store, store.durable()), digest(&store, since), "{order:?} of {lies:?}");
        for principal in LIARS {
            let report = store.revert((principal, since), false, author("root")).unwrap();
            assert!(report.committed.is_none() && report.plan.obstacles.is_empty(), "{report:?}");
        }
    }
}

#[test]
fn of_a_value_a_label_a_node_and_an_edge_under_two_lies_the_fact_is_left() {
    let value = |value| patch("a", "x", Some(Value::Integer(value)), &[]);
    two_liars(&[value(1)], [&[value(5)], &[value(6)]]);
    let (labelled, remove) =
        (|label| patch("a", "x", None, &[label]), |key: &str| Step::Remove { key: key.into(), detach: true });
    let dropped = || {
        let drop = ["Fact".to_owned()].into();
        Step::Patch { place: Place::Node("a".into()), labels: [].into(), drop, props: [].into() }
    };
    two_liars(&[labelled("Fact")], [&[dropped()], &[labelled("Fact"), labelled("Rare")]]);
    two_liars(&[value(1)], [&[remove("a")], &[value(2)]]);
    two_liars(
        &[value(1)],
        [&[patch("lie", "x", None, &[])], &[link("lie", "a"), patch("lie", "y", Some(Value::Null), &[])]],
    );
    two_liars(&[value(1)], [&[patch("lie", "x", None, &[]), link("lie", "a")], &[remove("lie")]]);
    let facts = [value(1), patch("b", "x", None, &[]), link("a", "b")];
    two_liars(&facts, [&[Step::Unlink { edge: edge("a", "KNOWS", "b") }], &[remove("b")]]);
    two_liars(&facts, [&[remove("a"), remove("b")], &[value(7), patch("b", "x", None, &[]), link("a", "b")]]);
}

#[test]
fn what_a_revert_keeps_is_reported_each_time_and_goes_once_nobody_stands_on_it() {
    let (store, _) = rig::memory();
    let since = write_as(&store, "root/alice", &[patch("a", "x", Some(Value::Null), &[])]);
    write_as(&store, "root/mallory", &[patch("lie", "x", Some(Value::Null), &[])]);
    write_as(&store, "root/alice", &[patch("lie", "y", Some(Value::Null), &[])]);
    let reasons = |report: &karyon_store::Report| {
        report.plan.obstacles.iter().map(|kept| kept.reason).collect::<Vec<_>>()
    };
    let first = revert(&store, since);
    assert_eq!((first.plan.changed, reasons(&first)), (1, vec!["others have built on it"]));
    let second = revert(&store, since);
    assert_eq!((second.committed, reasons(&second)), (None, vec!["others have built on it"]));
    write_as(&store, "root/alice", &[patch("lie", "y", None, &[])]);
    assert!(revert(&store, since).committed.is_some(), "there is something left to take back");
    assert_eq!(digest(&store, store.durable()), digest(&store, since));
}

fn write_as(store: &Store, principal: &str, steps: &[Step]) -> Seq {
    let mut transaction = store.begin().unwrap();
    transaction.push(&batch(steps)).unwrap();
    store.commit(&transaction, author(principal)).unwrap().seq
}

fn link(from: &str, to: &str) -> Step {
    let props = BTreeMap::from([("x".to_owned(), Some(Value::Integer(1)))]);
    Step::Link { edge: edge(from, "KNOWS", to), props }
}

fn revert(store: &Store, since: Seq) -> karyon_store::Report {
    store.revert(("root/mallory", since), false, author("root")).unwrap()
}

#[test]
fn a_node_that_was_removed_comes_back_with_its_edges() {
    let (store, _) = rig::memory();
    let facts = ["a", "b", "c"].map(|key| patch(key, "x", Some(Value::text(key)), &["Fact"]));
    write_as(&store, "root/alice", &facts);
    let since = write_as(&store, "root/alice", &[link("a", "b"), link("b", "c"), link("b", "b")]);
    let remove = |key: &str| Step::Remove { key: key.into(), detach: true };
    write_as(&store, "root/mallory", &[remove("b")]);
    write_as(&store, "root/mallory", &[remove("c")]);
    let report = revert(&store, since);
    assert!(report.plan.obstacles.is_empty(), "{:?}", report.plan.obstacles);
    assert_eq!(digest(&store, store.durable()), digest(&store, since));
}

#[test]
fn an_edge_whose_end_goes_with_the_revert_stays_away_and_is_reported() {
    let (store, _) = rig::memory();
    let since = write_as(&store, "root/alice", &[patch("a", "x", Some(Value::Null), &[])]);
    write_as(&store, "root/mallory", &[patch("lie", "x", Some(Value::Null), &[])]);
    write_as(&store, "root/alice", &[link("a", "lie")]);
    write_as(&store, "root/mallory", &[Step::Unlink { edge: edge("a", "KNOWS", "lie") }]);
    let report = revert(&store, since);
    assert_eq!(report.plan.obstacles.len(), 1);
    assert_eq!(digest(&store, store.durable()), digest(&store, since));
}
