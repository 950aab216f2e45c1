//! Merges of forks while others go on, and commits of forks that fail half-way.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use karyon_graph::{Graph, Open, Prefer, Purpose, Transaction};
use karyon_history::{Chapter, Chapters, History, ObjectId};
use karyon_model::{Code, EdgeKey, Error, Result, Seq, Target, Verb};
use karyon_testkit::{Value, VerbWriter};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use support::AtOnce;

fn transaction(graph: &Graph, layer: u32, verbs: &[Verb<'_>]) -> Transaction {
    let mut writer = VerbWriter::default();
    verbs.iter().for_each(|verb| {
        writer.push(verb);
    });
    let mut transaction = Transaction::new(graph.head()).in_layer(layer);
    transaction.push(writer.bytes()).unwrap();
    transaction
}

fn commit(graph: &mut Graph, layer: u32, verbs: &[Verb<'_>]) {
    let transaction = transaction(graph, layer, verbs);
    graph.commit(&transaction, "root", &Open).unwrap().unwrap();
}

fn put<'a>(key: &'a str, labels: &[&'a str]) -> Verb<'a> {
    Verb::Put { key, labels: labels.to_vec(), changes: vec![] }
}

/// Nodes a and b, and a fork above them.
fn forked() -> Graph {
    let mut graph = Graph::new(Arc::new(Chapters::in_memory()));
    commit(&mut graph, 0, &[put("a", &[]), put("b", &[])]);
    let fork =
        Transaction::with(graph.head(), Purpose::Fork { name: "fork".into(), parent: 0, from: graph.head() });
    graph.commit(&fork, "root", &Open).unwrap().unwrap();
    graph
}

#[test]
fn what_comes_into_a_fork_between_plan_and_commit_is_not_taken_for_merged() {
    let mut graph = forked();
    commit(&mut graph, 1, &[put("early", &[])]);
    let plan = graph.plan_merge(1, None, Prefer::Neither).unwrap().transaction.unwrap();
    let one = Value::Integer(1).to_bytes();
    let target = Target::Node("a");
    let late = Verb::Patch { target, labels: vec![], drop: vec![], changes: vec![("v", Some(&one))] };
    commit(&mut graph, 1, &[late]);
    assert_eq!(graph.commit(&plan, "root", &Open).map(drop).unwrap_err().code(), Code::Conflict);
    let plan = graph.plan_merge(1, None, Prefer::Neither).unwrap();
    assert_eq!(plan.changed, 2);
    graph.commit(&plan.transaction.unwrap(), "root", &Open).unwrap().unwrap();
    assert!(graph.plan_merge(1, None, Prefer::Neither).unwrap().transaction.is_none());
}

#[test]
fn what_is_linked_below_between_plan_and_commit_does_not_go_with_its_node() {
    let mut graph = forked();
    commit(&mut graph, 1, &[Verb::Remove { key: "a", detach: false }]);
    let plan = graph.plan_merge(1, None, Prefer::Neither).unwrap();
    let edge = EdgeKey { from: "a", kind: "R", to: "b", key: "" };
    commit(&mut graph, 0, &[Verb::Link { edge, changes: vec![] }]);
    assert_eq!(
        graph.commit(&plan.transaction.unwrap(), "root", &Open).map(drop).unwrap_err().code(),
        Code::HasEdges
    );
    assert_eq!(graph.plan_merge(1, None, Prefer::Neither).unwrap().obstacles.len(), 1);
}

#[test]
fn an_edge_that_the_fork_made_and_took_back_does_not_excuse_the_one_below() {
    for (prefer, edges) in [(Prefer::Neither, 1), (Prefer::Other, 1), (Prefer::Layer, 0)] {
        let mut graph = forked();
        let edge = EdgeKey { from: "a", kind: "R", to: "b", key: "" };
        commit(&mut graph, 1, &[Verb::Link { edge, changes: vec![] }]);
        commit(&mut graph, 1, &[Verb::Remove { key: "a", detach: true }]);
        commit(&mut graph, 0, &[Verb::Link { edge, changes: vec![] }]);
        let plan = graph.plan_merge(1, None, prefer).unwrap();
        assert!(!plan.obstacles.is_empty(), "{prefer:?}");
        if let Some(transaction) = plan.transaction {
            graph.commit(&transaction, "root", &Open).unwrap();
        }
        assert_eq!(graph.live().1, edges, "{prefer:?}");
        graph.audit_in(0, graph.head()).unwrap();
    }
}

#[test]
fn a_merge_that_takes_nothing_over_is_one_all_the_same() {
    let mut graph = forked();
    let (zero, q) = (Value::Integer(0).to_bytes(), "q");
    let set = Verb::Put { key: "new", labels: vec![], changes: vec![(q, Some(&zero))] };
    commit(&mut graph, 0, std::slice::from_ref(&set));
    commit(&mut graph, 1, &[set]);
    let plan = graph.plan_merge(1, None, Prefer::Neither).unwrap();
    assert_eq!((plan.changed, plan.obstacles.len()), (0, 0), "both have made the same");
    graph.commit(&plan.transaction.unwrap(), "root", &Open).unwrap().unwrap();
    let target = Target::Node("new");
    let unset = Verb::Patch { target, labels: vec![], drop: vec![], changes: vec![(q, None)] };
    commit(&mut graph, 1, &[unset]);
    let plan = graph.plan_merge(1, None, Prefer::Neither).unwrap();
    assert_eq!((plan.changed, plan.obstacles.len()), (1, 0), "it is a change since then");
}

/// A history that cannot be read once, after some looks into it.
struct Flaky(Chapters, AtomicI64);

impl History for Flaky {
    fn find(&self, object: ObjectId, seq: Seq) -> Result<Option<Arc<Chapter>>> {
        if self.1.fetch_sub(1, Ordering::SeqCst) == 1 {
            return Err(Error::new(Code::Io, "the disk could not be read"));
        }
        self.0.find(object, seq)
    }

    fn seal(&self, object: ObjectId, chapter: &Chapter) -> Result<()> {
        self.0.seal(object, chapter)
    }

    fn chapters(&self, object: ObjectId) -> Result<Vec<Chapter>> {
        self.0.chapters(object)
    }

    fn check(&self, seq: Seq) -> Result<()> {
        self.0.check(seq)
    }
}

#[test]
fn a_commit_of_a_fork_that_cannot_look_back_has_changed_nothing() {
    for looks in 1.. {
        let history = Arc::new(Flaky(Chapters::in_memory(), AtomicI64::new(0)));
        let mut graph = Graph::new(history.clone());
        commit(&mut graph, 0, &[put("a", &["L"])]);
        let fork = Transaction::with(
            graph.head(),
            Purpose::Fork { name: "fork".into(), parent: 0, from: graph.head() },
        );
        graph.commit(&fork, "root", &Open).unwrap().unwrap();
        // The list of those labelled L moves on below, and what it was is sealed.
        for at in 0..400 {
            let key = format!("n{}", at % 20);
            let labels: &[&str] = if at / 20 % 2 == 0 { &["L"] } else { &[] };
            commit(&mut graph, 0, &[put(&key, labels)]);
        }
        let before = (graph.head(), graph.digest_in(1, graph.head()).unwrap());
        let numbered = graph.numbered();
        let transaction = transaction(&graph, 1, &[put("mine", &["L"])]);
        history.1.store(looks, Ordering::SeqCst);
        let failed = graph.commit(&transaction, "root", &Open).is_err();
        history.1.store(0, Ordering::SeqCst);
        if !failed {
            assert!(looks > 1, "it never looked back");
            return;
        }
        assert_eq!(graph.numbered(), numbered, "a number that the log does not know");
        graph.audit_in(1, before.0 + 1).unwrap();
        assert_eq!((graph.head(), graph.digest_in(1, before.0 + 1).unwrap()), before, "after {looks} looks");
    }
}
