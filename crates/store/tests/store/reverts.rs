//! One writer's work is taken back, and everybody else's is as if that writer had never been.

use std::collections::BTreeMap;

use karyon_graph::{Open, Transaction};
use karyon_model::{Seq, Value};
use karyon_store::{Author, RevertRequest, Store};
use karyon_testkit::Random;
use karyon_testkit::oracle::EdgeName;

use crate::invariants::{Checked, canonical_digest};
use crate::model::{Place, State, Step, batch, carry_out};
use crate::rig;

/// Nodes that everybody writes to and nobody removes.
const SHARED: [&str; 2] = ["a", "b"];

fn author(principal: &str) -> Author<'_> {
    Author { principal, incarnation: 1, cause: None }
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
    store.body().unwrap().graph.digest_at(version).unwrap()
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
            lie(&mut random)
        } else {
            honest(&mut random)
        };
        let Ok((_, next)) = carry_out(std::slice::from_ref(&step), &all) else { continue };
        let mut transaction = Transaction::new(store.durable());
        transaction.push(&batch(std::slice::from_ref(&step))).map_err(|error| error.to_string())?;
        let principal = if lying { "root/mallory" } else { "root/alice" };
        store.commit(&transaction, author(principal), &Open).map_err(|error| error.to_string())?;
        all = next;
        if !lying {
            without = carry_out(&[step], &without).expect("no honest step leans on a lie").1;
        }
    }
    let head = store.durable();
    let request = |dry_run| RevertRequest { principal: "root/mallory", since, dry_run };
    let said = |error: karyon_model::Error| error.to_string();
    let planned = store.revert(request(true), author("root"), &Open).map_err(said)?;
    if digest(&store, store.durable()) != canonical_digest(&all) || planned.committed.is_some() {
        return Err("a dry run did something".into());
    }
    let report = store.revert(request(false), author("root"), &Open).map_err(said)?;
    if (report.restored, report.kept.len()) != (planned.restored, planned.kept.len()) {
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
    let again = store.revert(request(false), author("root"), &Open).map_err(said)?;
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

fn write_as(store: &Store, principal: &str, steps: &[Step]) -> Seq {
    let mut transaction = store.begin().unwrap();
    transaction.push(&batch(steps)).unwrap();
    store.commit(&transaction, author(principal), &Open).unwrap().seq
}

fn link(from: &str, to: &str) -> Step {
    let props = BTreeMap::from([("x".to_owned(), Some(Value::Integer(1)))]);
    Step::Link { edge: edge(from, "KNOWS", to), props }
}

fn revert(store: &Store, since: Seq) -> karyon_store::RevertReport {
    store
        .revert(RevertRequest { principal: "root/mallory", since, dry_run: false }, author("root"), &Open)
        .unwrap()
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
    assert!(report.kept.is_empty(), "{:?}", report.kept);
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
    assert_eq!(report.kept.len(), 1);
    assert_eq!(digest(&store, store.durable()), digest(&store, since));
}
