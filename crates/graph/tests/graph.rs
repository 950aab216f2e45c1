//! What a graph promises, one behaviour a test.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use karyon_graph::{
    Direction, Graph, ImageReader, ImageWriter, Open, PageStart, Prepared, Reader, Transaction,
};
use karyon_history::{Chapters, Commits};
use karyon_model::{Code, CommitHeader, CommitRecord, EdgeKey, Result, Seq, Target, Trust, Verb};
use karyon_testkit::{Value, VerbWriter};
use std::sync::Arc;
use support::AtOnce;

/// A graph with the log and the index of commits that a store would keep beside it.
struct Bench {
    graph: Graph,
    history: Arc<Chapters>,
    commits: Commits,
    log: Vec<(CommitHeader, Vec<u8>)>,
}

impl Bench {
    fn new() -> Bench {
        let history = Arc::new(Chapters::in_memory());
        Bench {
            graph: Graph::new(history.clone()),
            commits: Commits::new(history.clone()),
            history,
            log: Vec::new(),
        }
    }

    fn begin(&self) -> Transaction {
        Transaction::new(self.graph.head())
    }

    fn commit_as(&mut self, principal: &str, transaction: &Transaction) -> Result<Seq> {
        let Some(Prepared { operations, touched, principal, parents, coarse, .. }) =
            self.graph.commit(transaction, principal, &Open)?
        else {
            return Ok(self.graph.head());
        };
        let seq = self.graph.head();
        let header = CommitHeader {
            seq,
            time: seq as i64 * 10,
            layer: 0,
            principal,
            incarnation: 1,
            on_behalf_of: None,
            trust: Trust::FULL,
            cause: None,
            parents,
            coarse,
            reverts: transaction.reverts(),
        };
        self.commits.push(&header, &touched);
        self.log.push((header, operations));
        Ok(seq)
    }

    fn write(&mut self, verbs: &[Verb<'_>]) -> Result<Seq> {
        self.write_as("root", verbs)
    }

    fn write_as(&mut self, principal: &str, verbs: &[Verb<'_>]) -> Result<Seq> {
        let transaction = transaction(self.begin(), verbs)?;
        self.commit_as(principal, &transaction)
    }

    fn replayed(&self) -> Bench {
        let mut bench = Bench::new();
        for (header, operations) in &self.log {
            let record = CommitRecord { header: header.clone(), operations };
            bench.graph.replay(&record).unwrap();
        }
        bench
    }

    fn property(&self, seq: Seq, key: &str, name: &str) -> Option<Value> {
        let mut found = None;
        let name = self.graph.names().get(name)?;
        Reader::at(&self.graph, seq, &Open)
            .visit_node(key, &mut |node| {
                let value = node.entity.property(name).map(|property| property.value);
                found = value.map(|value| Value::decode(&mut karyon_model::Cursor::new(value)).unwrap());
            })
            .unwrap();
        found
    }
}

fn transaction(mut transaction: Transaction, verbs: &[Verb<'_>]) -> Result<Transaction> {
    let mut writer = VerbWriter::default();
    for verb in verbs {
        writer.push(verb);
    }
    transaction.push(writer.bytes())?;
    Ok(transaction)
}

fn put<'a>(key: &'a str, changes: &[(&'a str, &'a [u8])]) -> Verb<'a> {
    Verb::Put {
        key,
        labels: vec!["Fact"],
        changes: changes.iter().map(|(name, value)| (*name, Some(*value))).collect(),
    }
}

fn link<'a>(from: &'a str, to: &'a str) -> Verb<'a> {
    Verb::Link { edge: EdgeKey { from, kind: "KNOWS", to, key: "" }, changes: vec![] }
}

fn int(value: i64) -> Vec<u8> {
    Value::Integer(value).to_bytes()
}

fn out_edges(reader: &mut Reader<'_>, key: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut start = Some(PageStart::default());
    while let Some(from) = start {
        start = reader
            .visit_edges(key, Direction::Out, None, from, 2, &mut |edge| all.push(edge.to.to_owned()))
            .unwrap();
    }
    all
}

#[test]
fn every_version_can_be_read_again() {
    let mut bench = Bench::new();
    for n in 1..=600 {
        bench.write(&[put("hot", &[("n", &int(n))])]).unwrap();
    }
    for n in 1..=600 {
        assert_eq!(bench.property(n as Seq, "hot", "n"), Some(Value::Integer(n)));
    }
    assert_eq!(bench.property(0, "hot", "n"), None);
    assert!(bench.history.records().count() > 10, "runs were sealed on the way");
}

#[test]
fn a_refused_commit_leaves_nothing_behind() {
    let mut bench = Bench::new();
    bench.write(&[put("a", &[("n", &int(1))]), put("b", &[]), link("a", "b")]).unwrap();
    let digest = bench.graph.digest_in(0, 1).unwrap();
    let text = Value::text("no number").to_bytes();
    let error = bench
        .write(&[
            put("a", &[("n", &int(2)), ("fresh", &int(1))]),
            put("new", &[]),
            link("a", "new"),
            Verb::Unlink { edge: EdgeKey { from: "a", kind: "KNOWS", to: "b", key: "" } },
            Verb::Increment { target: Target::Node("a"), name: "n", by: &text },
        ])
        .unwrap_err();
    assert_eq!(error.code(), Code::ValueType);
    assert_eq!(bench.write(&[Verb::Remove { key: "a", detach: false }]).unwrap_err().code(), Code::HasEdges);
    assert_eq!(bench.write(&[link("a", "nowhere")]).unwrap_err().code(), Code::NodeMissing);
    assert_eq!(bench.graph.head(), 1);
    assert_eq!(bench.graph.node_id("new"), None);
    assert_eq!(bench.graph.digest_in(0, 1).unwrap(), digest);
    bench.graph.audit_in(0, 1).unwrap();
    bench.write(&[put("new", &[("fresh", &int(1))])]).unwrap();
    assert_eq!(bench.replayed().graph.digest_in(0, 2).unwrap(), bench.graph.digest_in(0, 2).unwrap());
}

#[test]
fn writers_of_different_properties_do_not_conflict_and_of_the_same_do() {
    let mut bench = Bench::new();
    bench.write(&[put("a", &[("x", &int(0)), ("y", &int(0))])]).unwrap();
    let patch = |name, value| Verb::Patch {
        target: Target::Node("a"),
        labels: vec![],
        drop: vec![],
        changes: vec![(name, Some(value))],
    };
    let (one, two, three) = (int(1), int(2), int(3));
    let first = transaction(bench.begin(), &[patch("x", &one)]).unwrap();
    let second = transaction(bench.begin(), &[patch("y", &two)]).unwrap();
    let third = transaction(bench.begin(), &[patch("x", &three)]).unwrap();
    bench.commit_as("root", &first).unwrap();
    bench.commit_as("root", &second).unwrap();
    let error = bench.commit_as("root", &third).unwrap_err();
    assert_eq!(error.code(), Code::Conflict);
    assert!(error.message().contains("\"a\""));
}

#[test]
fn increments_and_links_of_one_hub_commute() {
    let mut bench = Bench::new();
    bench.write(&[put("hub", &[("n", &int(0))]), put("a", &[]), put("b", &[])]).unwrap();
    let by = int(1);
    let verbs = |to| [Verb::Increment { target: Target::Node("hub"), name: "n", by: &by }, link("hub", to)];
    let first = transaction(bench.begin(), &verbs("a")).unwrap();
    let second = transaction(bench.begin(), &verbs("b")).unwrap();
    bench.commit_as("root", &first).unwrap();
    bench.commit_as("root", &second).unwrap();
    assert_eq!(bench.property(3, "hub", "n"), Some(Value::Integer(2)));
    assert_eq!(out_edges(&mut Reader::at(&bench.graph, 3, &Open), "hub"), ["a", "b"]);
}

#[test]
fn reading_an_empty_list_or_an_absent_key_is_a_read() {
    let mut bench = Bench::new();
    bench.write(&[put("a", &[]), put("b", &[])]).unwrap();
    let mut lister = bench.begin();
    assert!(out_edges(&mut Reader::through(&bench.graph, &mut lister, &Open).unwrap(), "a").is_empty());
    let mut seeker = bench.begin();
    Reader::through(&bench.graph, &mut seeker, &Open).unwrap().visit_node("c", &mut |_| {}).unwrap();
    let mut scanner = bench.begin();
    let mut reader = Reader::through(&bench.graph, &mut scanner, &Open).unwrap();
    reader.visit_nodes(Some("Rare"), &[], PageStart::default(), 9, &mut |_| {}).unwrap();
    bench.write(&[link("a", "b")]).unwrap();
    bench.write(&[put("c", &[])]).unwrap();
    bench.write(&[Verb::Put { key: "d", labels: vec!["Rare"], changes: vec![] }]).unwrap();
    for reader in [lister, seeker, scanner] {
        let writer = transaction(reader, &[put("result", &[])]).unwrap();
        assert_eq!(bench.commit_as("root", &writer).unwrap_err().code(), Code::Conflict);
    }
}

#[test]
fn write_skew_is_refused() {
    let mut bench = Bench::new();
    bench.write(&[put("x", &[("n", &int(1))]), put("y", &[("n", &int(1))])]).unwrap();
    let zero = int(0);
    let withdraw = |bench: &Bench, from| {
        let mut withdrawal = bench.begin();
        let mut reader = Reader::through(&bench.graph, &mut withdrawal, &Open).unwrap();
        reader.visit_node("x", &mut |_| {}).unwrap();
        reader.visit_node("y", &mut |_| {}).unwrap();
        transaction(withdrawal, &[put(from, &[("n", &zero)])]).unwrap()
    };
    let (first, second) = (withdraw(&bench, "x"), withdraw(&bench, "y"));
    bench.commit_as("root", &first).unwrap();
    assert_eq!(bench.commit_as("root", &second).unwrap_err().code(), Code::Conflict);
}

#[test]
fn under_snapshot_isolation_what_was_read_gives_the_parents_as_of_the_snapshot() {
    let mut bench = Bench::new();
    bench.write(&[put("a", &[("n", &int(1))]), put("b", &[])]).unwrap();
    let linked = bench.write(&[link("a", "b")]).unwrap();
    let patched = bench.write(&[put("a", &[("n", &int(2))])]).unwrap();
    let snapshot = bench.begin().snapshot();
    // Enough for the objects' runs to be cut: the snapshot is in a sealed chapter.
    for n in 3..400 {
        bench.write(&[put("a", &[("n", &int(n))]), put(&format!("later {n}"), &[])]).unwrap();
        bench.write(&[link("b", "a")]).unwrap();
    }
    for (reads_all_nodes, coarse) in [(false, false), (true, true)] {
        let mut skewed = Transaction::new(snapshot);
        skewed.snapshot_isolation = true;
        let mut reader = Reader::through(&bench.graph, &mut skewed, &Open).unwrap();
        reader.visit_node("a", &mut |_| {}).unwrap();
        reader.visit_node("later 3", &mut |_| {}).unwrap();
        assert_eq!(out_edges(&mut reader, "a"), ["b"]);
        if reads_all_nodes {
            reader.count(None, &[], true).unwrap();
        }
        let key = format!("copy {coarse}");
        let skewed = transaction(skewed, &[put(&key, &[])]).unwrap();
        bench.commit_as("root", &skewed).unwrap();
        let header = &bench.log.last().unwrap().0;
        assert_eq!(header.coarse, coarse, "which commit last made or removed a node is not known");
        assert!(header.parents.starts_with(&[patched, linked]), "{:?}", header.parents);
    }
}

#[test]
fn a_transaction_reads_its_own_writes() {
    let mut bench = Bench::new();
    bench.write(&[put("a", &[("n", &int(1))]), put("b", &[]), put("gone", &[]), link("a", "b")]).unwrap();
    let (two, more) = (int(2), Value::text("more").to_bytes());
    let mut own = transaction(
        bench.begin(),
        &[
            Verb::Increment { target: Target::Node("a"), name: "n", by: &two },
            put("c", &[("text", &more)]),
            link("a", "c"),
            Verb::Remove { key: "gone", detach: false },
            Verb::Unlink { edge: EdgeKey { from: "a", kind: "KNOWS", to: "b", key: "" } },
        ],
    )
    .unwrap();
    let mut reader = Reader::through(&bench.graph, &mut own, &Open).unwrap();
    let mut n = None;
    let name = bench.graph.names().get("n").unwrap();
    reader
        .visit_node("a", &mut |node| n = node.entity.property(name).map(|found| found.value.to_vec()))
        .unwrap();
    assert_eq!(n, Some(int(3)));
    assert!(!reader.visit_node("gone", &mut |_| {}).unwrap());
    assert_eq!(out_edges(&mut reader, "a"), ["c"]);
    assert_eq!(reader.degree("a", Direction::Out, Some("KNOWS")).unwrap(), 1);
    assert_eq!(reader.count(Some("Fact"), &[], true).unwrap(), 3);
    bench.commit_as("root", &own).unwrap();
    assert_eq!(out_edges(&mut Reader::at(&bench.graph, 2, &Open), "a"), ["c"]);
    assert_eq!(out_edges(&mut Reader::at(&bench.graph, 1, &Open), "a"), ["b"]);
}

#[test]
fn splices_are_short_in_the_log_and_exact_in_the_past() {
    let mut bench = Bench::new();
    let base = "karyon ".repeat(300);
    bench.write(&[put("a", &[("text", &Value::text(&*base).to_bytes())])]).unwrap();
    let mut texts = vec![base];
    for turn in 0..100 {
        let mut text = texts[turn].clone();
        text.insert_str(turn * 6, "é𝒳");
        bench.write(&[put("a", &[("text", &Value::text(&*text).to_bytes())])]).unwrap();
        texts.push(text);
    }
    let longest = bench.log[1..].iter().map(|entry| entry.1.len()).max().unwrap();
    assert!(longest < 40, "an operation of {longest} bytes repeats what was there");
    for (at, text) in texts.iter().enumerate() {
        assert_eq!(bench.property(at as Seq + 1, "a", "text"), Some(Value::text(text)));
    }
    assert_eq!(bench.replayed().graph.digest_in(0, 101).unwrap(), bench.graph.digest_in(0, 101).unwrap());
}

#[test]
fn what_one_verb_sets_anew_is_told_as_pieces_of_what_each_property_held_just_before() {
    let mut bench = Bench::new();
    let text = |name: &str, turn: usize| {
        let mut text = format!("{name} of karyon ").repeat(100);
        (0..turn).for_each(|turn| text.insert_str(turn * 20, "é𝒳"));
        Value::text(&*text)
    };
    let write = |bench: &mut Bench, turns: &[usize]| {
        let bytes = turns
            .iter()
            .map(|turn| (text("a", *turn).to_bytes(), text("b", *turn).to_bytes(), int(*turn as i64)));
        let bytes: Vec<_> = bytes.collect();
        let verbs = bytes.iter().map(|(a, b, n)| put("node", &[("n", n), ("b", b), ("a", a)]));
        bench.write(&verbs.collect::<Vec<_>>()).unwrap();
    };
    let last = [3, 2, 30, 9, 40];
    for turns in [&[3][..], &[5, 1, 2], &[2, 30], &[9], &[40, 39, 40]] {
        write(&mut bench, turns);
    }
    for bench in [&bench, &bench.replayed()] {
        for (seq, turn) in (1..).zip(last) {
            assert_eq!(bench.property(seq, "node", "a"), Some(text("a", turn)));
            assert_eq!(bench.property(seq, "node", "b"), Some(text("b", turn)));
            assert_eq!(bench.property(seq, "node", "n"), Some(Value::Integer(turn as i64)));
        }
    }
    assert_eq!(bench.replayed().graph.digest_in(0, 5).unwrap(), bench.graph.digest_in(0, 5).unwrap());
    let operations = karyon_model::OperationReader::new(&bench.log[1].1).map(|operation| operation.unwrap());
    let pieces = operations.filter(|operation| matches!(operation, karyon_model::Operation::Pieces { .. }));
    assert_eq!(pieces.count(), 6, "three verbs of two large values each");
}

#[test]
fn a_revert_takes_back_one_principals_writes_and_nothing_else() {
    let mut bench = Bench::new();
    bench
        .write_as("alice", &[put("sky", &[("colour", &int(1))]), put("sea", &[("depth", &int(1))])])
        .unwrap();
    let digest = bench.graph.digest_in(0, 1).unwrap();
    let patch = |key, name, value| Verb::Patch {
        target: Target::Node(key),
        labels: vec![],
        drop: vec![],
        changes: vec![(name, Some(value))],
    };
    let (two, three) = (int(2), int(3));
    bench.write_as("mallory", &[patch("sky", "colour", &two), put("lie", &[]), link("lie", "sky")]).unwrap();
    bench.write_as("mallory", &[Verb::Remove { key: "sea", detach: false }]).unwrap();
    let mallory = bench.graph.names().get("mallory").unwrap();
    let plan = bench.graph.plan_revert(&bench.commits, mallory, 1).unwrap();
    assert!(plan.obstacles.is_empty());
    bench.commit_as("root", &plan.transaction.unwrap()).unwrap();
    assert_eq!(bench.graph.digest_in(0, 4).unwrap(), digest);
    bench.graph.audit_in(0, 4).unwrap();

    bench.write_as("mallory", &[patch("sky", "colour", &three)]).unwrap();
    bench.write_as("alice", &[patch("sky", "colour", &two)]).unwrap();
    let plan = bench.graph.plan_revert(&bench.commits, mallory, 4).unwrap();
    assert_eq!((plan.changed, plan.obstacles.len()), (0, 1), "alice has overwritten the lie herself");
}

#[test]
fn a_revert_brings_edges_back_together_with_their_ends() {
    let mut bench = Bench::new();
    bench.write_as("alice", &[put("sky", &[]), put("sea", &[]), link("sky", "sea")]).unwrap();
    let digest = bench.graph.digest_in(0, 1).unwrap();
    bench.write_as("mallory", &[Verb::Remove { key: "sea", detach: true }]).unwrap();
    let mallory = bench.graph.names().get("mallory").unwrap();
    let plan = bench.graph.plan_revert(&bench.commits, mallory, 1).unwrap();
    assert!(plan.obstacles.is_empty());
    bench.commit_as("root", &plan.transaction.unwrap()).unwrap();
    assert_eq!(bench.graph.digest_in(0, 3).unwrap(), digest);
}

#[test]
fn an_image_of_any_moment_and_the_log_after_it_give_the_same_graph() {
    let mut bench = Bench::new();
    for n in 0..400 {
        let (key, value) = (format!("k{}", n % 7), int(n));
        bench.write(&[put(&key, &[("n", &value)]), put("hub", &[]), link("hub", &key)]).unwrap();
    }
    let mut writer = ImageWriter::new(&bench.graph);
    let image_seq = writer.seq();
    let mut reader = ImageReader::new(bench.history.clone());
    let mut n = 400;
    while let Some(block) = writer.next_block(&bench.graph).unwrap() {
        reader.take(&block).unwrap();
        for _ in 0..60 {
            n += 1;
            let (key, value) = (format!("k{}", n % 9), int(n));
            bench.write(&[put(&key, &[("n", &value)]), Verb::Remove { key: "k3", detach: true }]).unwrap();
        }
    }
    let mut restored = reader.finish().unwrap();
    assert_eq!(restored.digest_in(0, image_seq).unwrap(), bench.graph.digest_in(0, image_seq).unwrap());
    for (header, operations) in &bench.log[image_seq as usize..] {
        restored.replay(&CommitRecord { header: header.clone(), operations }).unwrap();
    }
    restored.audit_in(0, restored.head()).unwrap();
    for seq in [1, 57, image_seq - 1, image_seq, image_seq + 1, restored.head()] {
        assert_eq!(
            restored.digest_in(0, seq).unwrap(),
            bench.graph.digest_in(0, seq).unwrap(),
            "at version {seq}"
        );
    }
}

#[test]
fn a_replay_seals_the_same_chapters_byte_for_byte() {
    let mut bench = Bench::new();
    for n in 0..500 {
        let (key, value) = (format!("k{}", n % 5), int(n));
        bench.write(&[put(&key, &[("n", &value)]), put("hub", &[]), link("hub", &key)]).unwrap();
        if n % 3 == 0 {
            bench.write(&[Verb::Remove { key: &key, detach: true }]).unwrap();
        }
    }
    let replayed = bench.replayed();
    assert!(bench.history.records().next().is_some());
    let records = |bench: &Bench| bench.history.records().collect::<karyon_model::Result<Vec<_>>>().unwrap();
    assert_eq!(records(&replayed), records(&bench));
    assert_eq!(replayed.graph.digest_in(0, 300).unwrap(), bench.graph.digest_in(0, 300).unwrap());
}

#[test]
fn a_transaction_shows_what_it_did_not_change_with_its_version() {
    let mut bench = Bench::new();
    bench.write(&[put("a", &[]), put("b", &[])]).unwrap();
    let mut own = transaction(bench.begin(), &[link("a", "b"), put("c", &[])]).unwrap();
    let mut reader = Reader::through(&bench.graph, &mut own, &Open).unwrap();
    let mut versions = Vec::new();
    for key in ["a", "b", "c"] {
        reader.visit_node(key, &mut |node| versions.push(node.version)).unwrap();
    }
    assert_eq!(versions, [1, 1, 0], "an end of a new edge is read, and not changed");
    let mut scanned = Vec::new();
    let start = PageStart::default();
    reader
        .visit_nodes(None, &[], start, 9, &mut |node| scanned.push((node.key.to_owned(), node.version)))
        .unwrap();
    scanned.sort();
    assert_eq!(scanned, [("a".into(), 1), ("b".into(), 1), ("c".into(), 0)]);
}

#[test]
fn what_changes_nothing_is_validated_and_is_no_commit() {
    let mut bench = Bench::new();
    let (zero, one, text) = (int(0), int(1), Value::text("a word").to_bytes());
    bench.write(&[put("a", &[("n", &one), ("t", &text)]), put("b", &[]), link("a", "b")]).unwrap();
    let (a, empty) = (Target::Node("a"), Value::text("").to_bytes());
    let edge = EdgeKey { from: "b", kind: "KNOWS", to: "a", key: "" };
    let nothing: [&[Verb<'_>]; 7] = [
        &[put("a", &[("n", &one), ("t", &text)])],
        &[Verb::Patch { target: a, labels: vec!["Fact"], drop: vec!["Never"], changes: vec![("m", None)] }],
        &[Verb::Unlink { edge }, link("a", "b")],
        &[Verb::Remove { key: "nobody", detach: true }],
        &[Verb::Increment { target: a, name: "n", by: &zero }],
        &[Verb::Append { target: a, name: "t", more: &empty }],
        &[Verb::Splice {
            target: a,
            name: "t",
            start: 2,
            delete: 4,
            insert: &Value::text("word").to_bytes(),
        }],
    ];
    let names = bench.graph.names().from(0).len();
    for verbs in nothing {
        assert_eq!(bench.write_as("a newcomer", verbs).unwrap(), 1, "{verbs:?}");
        assert_eq!((bench.graph.head(), bench.log.len()), (1, 1), "{verbs:?}");
    }
    assert!(
        bench.graph.names().from(0).len() <= names + 3,
        "m, Never and the newcomer, who are not in the log"
    );
    let stale = transaction(bench.begin(), nothing[0]).unwrap();
    bench.write(&[put("a", &[("n", &zero)])]).unwrap();
    bench.write(&[put("a", &[("n", &one), ("t", &text)])]).unwrap();
    assert_eq!(bench.commit_as("root", &stale).unwrap_err().code(), Code::Conflict);
    bench.write_as("a newcomer", &[put("c", &[])]).unwrap();
    assert_eq!(bench.replayed().graph.digest_in(0, 4).unwrap(), bench.graph.digest_in(0, 4).unwrap());
}

#[test]
fn what_one_verb_says_twice_counts_once_and_what_verbs_say_one_after_another_counts_in_order() {
    let mut bench = Bench::new();
    let (one, two) = (int(1), int(2));
    bench.write(&[put("a", &[("n", &two[..])])]).unwrap();
    let increment = || Verb::Increment { target: Target::Node("a"), name: "sum", by: &one };
    let labels = vec!["L", "L", "Fact"];
    let changes = vec![("n", Some(&one[..])), ("m", None), ("n", Some(&two[..])), ("m", Some(&one[..]))];
    let target = Target::Node("a");
    bench
        .write(&[
            Verb::Patch { target, labels, drop: vec!["Fact"], changes },
            increment(),
            increment(),
            put("b", &[("n", &one[..])]),
            Verb::Remove { key: "b", detach: false },
            put("b", &[("m", &two[..])]),
        ])
        .unwrap();
    for graph in [&bench, &bench.replayed()] {
        let held = |key, name| graph.property(2, key, name);
        let [one, two] = [1, 2].map(|value| Some(Value::Integer(value)));
        assert_eq!(held("a", "n"), two, "the last one counts");
        assert_eq!([held("a", "m"), held("a", "sum")], [one, two.clone()]);
        assert_eq!([held("b", "n"), held("b", "m")], [None, two]);
        let mut labelled = Vec::new();
        let mut visit = |node: &karyon_graph::NodeItem<'_>| {
            let since = |label| graph.graph.names().get(label).and_then(|label| node.entity.label(label));
            labelled = vec![since("L"), since("Fact"), Some(node.entity.labels().len() as Seq)];
        };
        Reader::at(&graph.graph, 2, &Open).visit_node("a", &mut visit).unwrap();
        assert_eq!(
            labelled,
            [Some(2), Some(1), Some(2)],
            "a label that is dropped and given stays as it was"
        );
    }
    assert_eq!(bench.replayed().graph.digest_in(0, 2).unwrap(), bench.graph.digest_in(0, 2).unwrap());
    assert_eq!(bench.graph.digest_in(0, 1).unwrap(), bench.replayed().graph.digest_in(0, 1).unwrap());
    let operations = karyon_model::OperationReader::new(&bench.log[1].1).map(|operation| operation.unwrap());
    let labels = operations.filter(|operation| matches!(operation, karyon_model::Operation::Label { .. }));
    assert_eq!(labels.count(), 3, "one of each node's life");
}
