//! A node that changes all the time: its past stays bounded in depth, and old transactions still meet it rightly.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;

use karyon_graph::{Graph, Open, Slot, Transaction};
use karyon_history::{Chapters, History, ObjectId, RUN_DELTAS_MAX, RUN_DELTAS_MIN};
use karyon_model::{Code, EntityId, Result, Seq, Target, Verb};
use karyon_testkit::{Value, VerbWriter};
use support::AtOnce;

const HOT: Target<'static> = Target::Node("hot");
/// Commits, enough for several chapters.
const COMMITS: usize = 1_300;

struct Hot {
    graph: Graph,
    history: Arc<Chapters>,
}

impl Hot {
    fn new() -> Hot {
        let history = Arc::new(Chapters::in_memory());
        let mut hot = Hot { graph: Graph::new(history.clone()), history };
        let zero = Value::Integer(0).to_bytes();
        let changes = vec![("n", Some(&zero[..])), ("m", Some(&zero[..]))];
        hot.write(&[Verb::Put { key: "hot", labels: vec![], changes }]).unwrap();
        hot
    }

    fn begin(&self, verbs: &[Verb<'_>]) -> Transaction {
        let mut writer = VerbWriter::default();
        for verb in verbs {
            writer.push(verb);
        }
        let mut transaction = Transaction::new(self.graph.head());
        transaction.push(writer.bytes()).unwrap();
        transaction
    }

    fn commit(&mut self, transaction: &Transaction) -> Result<Seq> {
        self.graph.commit(transaction, "root", &Open)?;
        Ok(self.graph.head())
    }

    fn write(&mut self, verbs: &[Verb<'_>]) -> Result<Seq> {
        let transaction = self.begin(verbs);
        self.commit(&transaction)
    }

    fn increment(&mut self, times: usize) {
        let one = Value::Integer(1).to_bytes();
        for _ in 0..times {
            self.write(&[Verb::Increment { target: HOT, name: "n", by: &one }]).unwrap();
        }
    }

    fn chapters(&self) -> usize {
        self.history.chapters(ObjectId::Entity(EntityId::Node(0))).unwrap().len()
    }
}

fn patch<'a>(name: &'a str, value: &'a [u8]) -> Verb<'a> {
    Verb::Patch { target: HOT, labels: vec![], drop: vec![], changes: vec![(name, Some(value))] }
}

#[test]
fn no_read_of_a_hot_nodes_past_undoes_more_than_the_bound() {
    for length in [1, 40, 6_000] {
        let mut hot = Hot::new();
        let mut text = "x".repeat(length);
        for n in 0..COMMITS {
            text.replace_range(n % length..n % length + 1, ["a", "b", "c"][n % 3]);
            let (text, n) = (Value::text(&*text).to_bytes(), Value::Integer(n as i64).to_bytes());
            hot.write(&[patch("text", &text), patch("n", &n)]).unwrap();
        }
        let chapters = hot.history.chapters(ObjectId::Entity(EntityId::Node(0))).unwrap();
        let mut start = 1;
        for chapter in &chapters {
            assert!((RUN_DELTAS_MIN..=RUN_DELTAS_MAX).contains(&chapter.run.len()), "{length}");
            assert_eq!(chapter.run.start(), start, "chapters follow one another without a gap");
            start = chapter.end;
        }
        // Every commit changed the node, so what is left to the open run is what the chapters do not cover.
        assert!(hot.graph.head() - start <= RUN_DELTAS_MAX as Seq);
        assert!(chapters.len() >= COMMITS / RUN_DELTAS_MAX);
        for seq in 2..=hot.graph.head() {
            let (entity, version) = hot.graph.entity_in(0, EntityId::Node(0), seq).unwrap().unwrap();
            let n = hot.graph.names().get("n").unwrap();
            let expected = Value::Integer(seq as i64 - 2).to_bytes();
            assert_eq!((entity.property(n).unwrap().value, version), (&expected[..], seq));
        }
    }
}

/// Undoing one change after another, each in a copy of the value, would take a hundred times as long.
#[test]
fn a_read_of_many_changes_of_a_large_value_copies_it_a_few_times_at_most() {
    let mut hot = Hot::new();
    let mut bytes = vec![0; 1 << 20];
    for n in 0..RUN_DELTAS_MAX {
        bytes[n * 4_000] = 1;
        hot.write(&[patch("text", &Value::Bytes(bytes.clone()).to_bytes())]).unwrap();
    }
    assert_eq!(hot.chapters(), 0, "all is in the open run");
    let text = hot.graph.names().get("text").unwrap();
    let best = |seq: Seq| {
        let read = || {
            let start = std::time::Instant::now();
            let (entity, _) = hot.graph.entity_in(0, EntityId::Node(0), seq).unwrap().unwrap();
            let elapsed = start.elapsed();
            let held = entity.property(text).unwrap().value;
            let ones: usize = held[held.len() - bytes.len()..].iter().map(|byte| usize::from(*byte)).sum();
            assert_eq!(ones as Seq, seq - 1);
            elapsed
        };
        (0..5).map(|_| read()).min().unwrap()
    };
    let (oldest, newest) = (best(2), best(hot.graph.head() - 1));
    assert!(oldest < newest * 20, "{oldest:?} for {RUN_DELTAS_MAX} changes, {newest:?} for one");
}

#[test]
fn increments_commute_over_any_number_of_chapters() {
    let mut hot = Hot::new();
    let one = Value::Integer(1).to_bytes();
    let old = hot.begin(&[Verb::Increment { target: HOT, name: "n", by: &one }]);
    hot.increment(COMMITS);
    assert!(hot.chapters() > 3);
    hot.commit(&old).unwrap();
    let n = hot.graph.names().get("n").unwrap();
    let (entity, _) = hot.graph.entity_in(0, EntityId::Node(0), hot.graph.head()).unwrap().unwrap();
    assert_eq!(entity.property(n).unwrap().value[..], Value::Integer(COMMITS as i64 + 1).to_bytes());
}

#[test]
fn conflicts_are_per_property_over_any_number_of_chapters() {
    let mut hot = Hot::new();
    let value = Value::Integer(-1).to_bytes();
    let same = hot.begin(&[patch("n", &value)]);
    let other = hot.begin(&[patch("m", &value)]);
    let whole = hot.begin(&[Verb::Remove { key: "hot", detach: false }]);
    hot.increment(COMMITS);
    assert_eq!(hot.commit(&same).unwrap_err().code(), Code::Conflict);
    assert_eq!(hot.commit(&whole).unwrap_err().code(), Code::Conflict);
    hot.commit(&other).unwrap();
}

#[test]
fn a_life_that_ended_and_began_again_conflicts_with_what_was_meant_for_the_old_one() {
    let mut hot = Hot::new();
    let one = Value::Integer(1).to_bytes();
    let old = hot.begin(&[Verb::Increment { target: HOT, name: "n", by: &one }]);
    hot.increment(20);
    hot.write(&[Verb::Remove { key: "hot", detach: false }, patch("n", &one)]).unwrap();
    hot.increment(COMMITS);
    assert_eq!(hot.commit(&old).unwrap_err().code(), Code::Conflict);
}

/// One commit ends a life and begins another, time and again: the past says so each time, wherever chapters are cut.
#[test]
fn every_life_that_one_commit_renews_is_told() {
    let mut hot = Hot::new();
    let one = Value::Integer(1).to_bytes();
    for _ in 0..100 {
        hot.write(&[Verb::Remove { key: "hot", detach: false }, patch("n", &one)]).unwrap();
    }
    assert!(hot.chapters() > 1);
    let mut lives = Vec::new();
    let head = hot.graph.head();
    hot.graph
        .visit_changes((0, EntityId::Node(0)), (0, head), &mut |change| {
            if change.slot == Slot::Existence {
                lives.push(change.seq);
            }
            Ok(true)
        })
        .unwrap();
    assert_eq!(lives, (1..=head).rev().collect::<Vec<_>>());
    for seq in 1..=head {
        assert_eq!(hot.graph.author_in(0, EntityId::Node(0), Slot::Existence, seq).unwrap(), Some(seq));
    }
}
