//! Whoever may not change something learns nothing of it by trying: the gate answers before the graph does.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;

use karyon_graph::{Gate, Graph, Names, Open, Reader, Transaction};
use karyon_history::Chapters;
use karyon_model::{Code, EdgeKey, Error, NameId, Result, Target, Verb};
use karyon_testkit::{Value, VerbWriter};
use support::AtOnce;

/// Grants these labels and types; `*` stands for nodes without labels.
struct Only(&'static [&'static str]);

impl Gate for Only {
    fn read_node(&self, _: &mut dyn Iterator<Item = NameId>, _: &Names) -> Result<()> {
        Ok(())
    }

    fn read_unknown(&self, _: &str) -> Result<()> {
        Ok(())
    }

    fn write_node(&self, labels: &mut dyn Iterator<Item = NameId>, names: &Names) -> Result<()> {
        let texts: Vec<_> = labels.map(|label| names.text(label).to_string()).collect();
        let granted = |text: &String| self.0.contains(&text.as_str());
        let bare = texts.is_empty() && !self.0.contains(&"*");
        if bare || !texts.iter().all(granted) {
            return Err(Error::new(Code::Access, format!("{texts:?}")));
        }
        Ok(())
    }
}

const SECRET: Target<'static> = Target::Node("secret");
const FACT: Target<'static> = Target::Node("fact");

fn edge(kind: &'static str, from: &'static str) -> EdgeKey<'static> {
    EdgeKey { from, kind, to: "secret", key: "" }
}

fn put<'a>(key: &'a str, labels: &[&'a str], text: &'a [u8]) -> Verb<'a> {
    Verb::Put { key, labels: labels.to_vec(), changes: vec![("text", Some(text))] }
}

fn patch<'a>(target: Target<'a>, labels: &[&'a str], drop: &[&'a str], text: Option<&'a [u8]>) -> Verb<'a> {
    let changes = text.map(|text| ("text", Some(text))).into_iter().collect();
    Verb::Patch { target, labels: labels.to_vec(), drop: drop.to_vec(), changes }
}

fn asking(graph: &Graph, verbs: &[Verb<'_>]) -> Transaction {
    let mut writer = VerbWriter::default();
    for verb in verbs {
        writer.push(verb);
    }
    let mut transaction = Transaction::new(graph.head());
    transaction.push(writer.bytes()).unwrap();
    transaction
}

/// A secret node with an edge, a fact, a node without labels; all with the text "x".
fn graph() -> Graph {
    let mut graph = Graph::new(Arc::new(Chapters::in_memory()));
    let x = Value::text("x").to_bytes();
    let verbs = [
        put("secret", &["Secret"], &x),
        put("fact", &["Fact"], &x),
        put("bare", &[], &x),
        Verb::Link { edge: edge("KEEPS", "fact"), changes: vec![] },
    ];
    let transaction = asking(&graph, &verbs);
    graph.commit(&transaction, "root", &Open).unwrap().unwrap();
    graph
}

/// What becomes of verbs when they are committed, and when a transaction reads its own writes.
fn outcomes(grants: &'static [&'static str], verbs: &[Verb<'_>]) -> [Option<Code>; 2] {
    let mut graph = graph();
    let gate = Only(grants);
    let committed = graph.commit(&asking(&graph, verbs), "root/eve", &gate).err();
    // A commit that went through has not changed what the other transaction is to see.
    let graph = self::graph();
    let mut transaction = asking(&graph, verbs);
    let read = Reader::through(&graph, &mut transaction, &gate).err();
    [committed, read].map(|error| error.map(|error| error.code()))
}

#[test]
fn what_cannot_be_done_to_something_is_told_to_those_only_who_may_do_it() {
    let (one, x, list) = (Value::Integer(1), Value::text("x"), Value::List(vec![]));
    let (one, x, list) = (one.to_bytes(), x.to_bytes(), list.to_bytes());
    let never = Target::Node("never");
    let splice = |target| Verb::Splice { target, name: "text", start: 9, delete: 1, insert: &x };
    let link = |from| Verb::Link { edge: edge("KEEPS", from), changes: vec![] };
    let never_linked = Target::Edge(edge("KEEPS", "never"));
    let cases: [(Verb<'_>, &'static [&'static str], Code); 9] = [
        (Verb::Remove { key: "secret", detach: false }, &["Secret"], Code::HasEdges),
        (Verb::Increment { target: SECRET, name: "text", by: &one }, &["Secret"], Code::ValueType),
        (Verb::Append { target: SECRET, name: "text", more: &list }, &["Secret"], Code::ValueType),
        (splice(SECRET), &["Secret"], Code::SpliceRange),
        (Verb::Increment { target: never, name: "n", by: &one }, &["*"], Code::NodeMissing),
        (splice(never), &["*"], Code::NodeMissing),
        (patch(never_linked, &[], &[], Some(&x)), &["KEEPS"], Code::EdgeMissing),
        (Verb::Increment { target: never_linked, name: "n", by: &one }, &["KEEPS"], Code::EdgeMissing),
        (link("never"), &["KEEPS"], Code::NodeMissing),
    ];
    for (verb, grants, code) in cases {
        let verbs = [verb];
        assert_eq!(outcomes(&["Fact"], &verbs), [Some(Code::Access); 2], "{verbs:?}");
        assert_eq!(outcomes(grants, &verbs), [Some(code); 2], "{verbs:?}");
    }
}

#[test]
fn a_verb_that_fails_on_what_the_transaction_itself_has_made_fails_with_its_reason() {
    let (one, x) = (Value::Integer(1).to_bytes(), Value::text("x").to_bytes());
    let verbs =
        [put("new", &["Fact"], &x), Verb::Increment { target: Target::Node("new"), name: "text", by: &one }];
    assert_eq!(outcomes(&["Fact"], &verbs), [Some(Code::ValueType); 2]);
    // The labels before the commit count, whatever the transaction has done to them.
    let verbs = [patch(SECRET, &["Fact"], &["Secret"], None), Verb::Remove { key: "secret", detach: false }];
    assert_eq!(outcomes(&["Fact"], &verbs), [Some(Code::Access); 2]);
}

#[test]
fn a_guess_that_is_right_and_changes_nothing_is_refused_like_a_wrong_one() {
    let (x, y) = (Value::text("x").to_bytes(), Value::text("y").to_bytes());
    for guess in [&x, &y] {
        let verbs = [patch(SECRET, &[], &[], Some(guess))];
        assert_eq!(outcomes(&["Fact"], &verbs), [Some(Code::Access); 2]);
    }
    for verb in [Verb::Unlink { edge: edge("KEEPS", "bare") }, Verb::Unlink { edge: edge("KEEPS", "fact") }] {
        assert_eq!(outcomes(&["Fact"], &[verb])[0], Some(Code::Access));
    }
    assert_eq!(outcomes(&["Fact"], &[Verb::Remove { key: "never", detach: true }])[0], Some(Code::Access));
    assert_eq!(outcomes(&["Fact"], &[patch(FACT, &[], &[], Some(&x))]), [None; 2]);
}

#[test]
fn a_conflict_over_what_may_not_be_changed_is_not_told() {
    let (x, y) = (Value::text("x").to_bytes(), Value::text("y").to_bytes());
    for (grants, code) in [(&["Fact"][..], Code::Access), (&["Secret"], Code::Conflict)] {
        let mut graph = graph();
        let late = asking(&graph, &[patch(SECRET, &[], &[], Some(&x))]);
        let early = asking(&graph, &[patch(SECRET, &[], &[], Some(&y))]);
        graph.commit(&early, "root", &Open).unwrap();
        let grants: &'static [&'static str] = grants;
        assert_eq!(graph.commit(&late, "root/eve", &Only(grants)).map(drop).unwrap_err().code(), code);
    }
}

#[test]
fn a_node_without_labels_is_nobodys_to_take_or_to_leave() {
    let bare = Target::Node("bare");
    let takes = [patch(bare, &["Fact"], &[], None)];
    let leaves = [patch(FACT, &[], &["Fact"], None)];
    for verbs in [takes, leaves] {
        assert_eq!(outcomes(&["Fact"], &verbs)[0], Some(Code::Access), "{verbs:?}");
        assert_eq!(outcomes(&["Fact", "*"], &verbs), [None; 2]);
    }
}
