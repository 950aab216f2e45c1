//! Indexes, the rules of labels, and bounded traversals, one behaviour a test.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use karyon_graph::{
    Condition, Declaration, Direction, Gate, Graph, ImageReader, ImageWriter, Names, Open, PageStart,
    Prepared, Purpose, Reader, Transaction, Walk,
};
use karyon_history::Chapters;
use karyon_model::order::Span;
use karyon_model::{
    Code, CommitHeader, CommitRecord, EdgeKey, Error, NameId, Result, Rules, Seq, Trust, Verb,
};
use karyon_testkit::{Value, VerbWriter};
use std::sync::Arc;
use support::AtOnce;

const INDEXED: Rules = Rules { indexed: true, unique: false, required: false };
const UNIQUE: Rules = Rules { indexed: true, unique: true, required: false };
const REQUIRED: Rules = Rules { indexed: false, unique: false, required: true };

struct Bench {
    graph: Graph,
    history: Arc<Chapters>,
    log: Vec<(CommitHeader, Vec<u8>)>,
}

impl Bench {
    fn new() -> Bench {
        let history = Arc::new(Chapters::in_memory());
        Bench { graph: Graph::new(history.clone()), history, log: Vec::new() }
    }

    fn commit(&mut self, transaction: &Transaction, gate: &dyn Gate) -> Result<Seq> {
        let Some(Prepared { operations, principal, parents, coarse, .. }) =
            self.graph.commit(transaction, "root", gate)?
        else {
            return Ok(self.graph.head());
        };
        let header = CommitHeader {
            seq: self.graph.head(),
            time: self.graph.head() as i64,
            layer: transaction.layer(),
            principal,
            incarnation: 0,
            on_behalf_of: None,
            trust: Trust::FULL,
            cause: None,
            parents,
            coarse,
            reverts: None,
        };
        self.log.push((header, operations));
        Ok(self.graph.head())
    }

    fn write(&mut self, verbs: &[Verb<'_>]) -> Result<Seq> {
        let transaction = self.transaction(verbs);
        self.commit(&transaction, &Open)
    }

    fn transaction(&self, verbs: &[Verb<'_>]) -> Transaction {
        let mut transaction = Transaction::new(self.graph.head());
        push(&mut transaction, verbs);
        transaction
    }

    fn declare(&mut self, property: &str, rules: Rules) -> Result<Seq> {
        let declaration = Declaration { label: "Person".into(), property: property.into(), rules };
        self.commit(&Transaction::with(self.graph.head(), Purpose::Declare(declaration)), &Open)
    }

    fn find(&self, seq: Seq, property: &str, span: Span) -> Vec<String> {
        found(&mut Reader::at(&self.graph, seq, &Open), property, span)
    }

    fn image(&self) -> Vec<Vec<u8>> {
        let mut writer = ImageWriter::new(&self.graph);
        std::iter::from_fn(|| writer.next_block(&self.graph).unwrap()).collect()
    }

    fn replayed(&self) -> Bench {
        let mut bench = Bench::new();
        for (header, operations) in &self.log {
            bench.graph.replay(&CommitRecord { header: header.clone(), operations }).unwrap();
        }
        bench
    }
}

fn push(transaction: &mut Transaction, verbs: &[Verb<'_>]) {
    let mut writer = VerbWriter::default();
    verbs.iter().for_each(|verb| {
        writer.push(verb);
    });
    transaction.push(writer.bytes()).unwrap();
}

/// Nodes that meet a condition, three to a page.
fn found(reader: &mut Reader<'_>, property: &str, span: Span) -> Vec<String> {
    let (conditions, mut keys, mut next) =
        ([Condition { property, span }], Vec::new(), Some(PageStart::default()));
    while let Some(start) = next {
        let visit = &mut |node: &karyon_graph::NodeItem<'_>| keys.push(node.key.to_owned());
        next = reader.visit_nodes(Some("Person"), &conditions, start, 3, visit).unwrap();
    }
    keys
}

fn person<'a>(key: &'a str, property: &'a str, value: &'a [u8]) -> Verb<'a> {
    Verb::Put { key, labels: vec!["Person"], changes: vec![(property, Some(value))] }
}

fn int(value: i64) -> Vec<u8> {
    Value::Integer(value).to_bytes()
}

fn text(value: &str) -> Vec<u8> {
    Value::text(value).to_bytes()
}

fn equal(value: &[u8]) -> Span {
    Span::equal(value).unwrap()
}

fn between(from: i64, to: i64) -> Span {
    Span::between(Some(&int(from)), Some(&int(to))).unwrap()
}

#[test]
fn a_span_of_values_comes_in_their_order_page_by_page_as_of_any_version() {
    let mut bench = Bench::new();
    // Made in an order that is not that of their values.
    for at in 0..20i64 {
        let (key, age) = (format!("p{at}"), int((at * 7) % 20));
        bench.write(&[person(&key, "age", &age)]).unwrap();
    }
    let declared = bench.declare("age", INDEXED).unwrap();
    let before = bench.graph.head();
    let expected: Vec<String> = (3..9).map(|age| format!("p{}", age * 3 % 20)).collect();
    assert_eq!(bench.find(declared, "age", between(3, 9)), expected);
    let (old, new) = (int(5), int(500));
    bench.write(&[person("p15", "age", &new)]).unwrap();
    bench.write(&[person("new", "age", &old)]).unwrap();
    assert_eq!(bench.find(before, "age", between(3, 9)), expected, "what was answered once does not change");
    assert_eq!(bench.find(bench.graph.head(), "age", equal(&old)), ["new"]);
    assert_eq!(bench.find(bench.graph.head(), "age", between(100, 1000)), ["p15"]);
    assert_eq!(bench.find(bench.graph.head(), "age", between(9, 3)), [""; 0], "nothing lies between them");
    // Before the index there was none: the label's nodes are looked through, in their own order.
    let mut sorted = bench.find(declared - 1, "age", between(3, 9));
    sorted.sort_by_key(|key| key[1..].parse::<i64>().unwrap() * 7 % 20);
    assert_eq!(sorted, expected);
    bench.declare("age", Rules::default()).unwrap();
    assert_eq!(
        bench.find(before, "age", between(3, 9)),
        expected,
        "an index that was dropped answers for its time"
    );
    bench.graph.audit_in(0, bench.graph.head()).unwrap();
    bench.graph.audit_in(0, before).unwrap();
}

#[test]
fn long_values_are_told_apart_behind_what_the_index_keeps_of_them() {
    let mut bench = Bench::new();
    bench.declare("name", UNIQUE).unwrap();
    let stem = "x".repeat(100);
    let names: Vec<_> = ["", "a", "b", "ab"].iter().map(|end| text(&format!("{stem}{end}"))).collect();
    for (at, name) in names.iter().enumerate() {
        bench.write(&[person(&at.to_string(), "name", name)]).unwrap();
    }
    let head = bench.graph.head();
    assert_eq!(bench.find(head, "name", equal(&names[1])), ["1"]);
    let mut found = bench.find(head, "name", Span::prefix(&names[1]).unwrap());
    found.sort();
    assert_eq!(found, ["1", "3"]);
    assert_eq!(bench.find(head, "name", Span::between(Some(&names[2]), None).unwrap()), ["2"]);
    for cut in [1, 30, 47, 48, 49, 60, 63, 64, 65, 99] {
        let prefix = Span::prefix(&text(&stem[..cut])).unwrap();
        assert_eq!(bench.find(head, "name", prefix).len(), 4, "a prefix of {cut}");
    }
}

#[test]
fn a_value_that_may_be_there_once_is_refused_twice_and_nothing_of_it_stays() {
    let mut bench = Bench::new();
    let (a, b) = (text("a@x"), text("b@x"));
    bench.write(&[person("1", "mail", &a)]).unwrap();
    bench.declare("mail", UNIQUE).unwrap();
    let error = bench.write(&[person("3", "mail", &b), person("2", "mail", &a)]).unwrap_err();
    assert_eq!(error.code(), Code::Unique);
    assert!(error.message().contains("Person") && error.message().contains("mail"));
    // Two at a time, and one that changes places with another in one commit.
    assert_eq!(
        bench.write(&[person("2", "mail", &b), person("3", "mail", &b)]).unwrap_err().code(),
        Code::Unique
    );
    bench.write(&[person("2", "mail", &b)]).unwrap();
    bench.write(&[person("1", "mail", &b), person("2", "mail", &a)]).unwrap();
    let other = Verb::Put { key: "4", labels: vec!["Other"], changes: vec![("mail", Some(&a))] };
    bench.write(&[other]).unwrap();
    let mut relabel = |drop, labels| {
        bench.write(&[Verb::Patch { target: karyon_model::Target::Node("4"), labels, drop, changes: vec![] }])
    };
    assert_eq!(relabel(vec![], vec!["Person"]).unwrap_err().code(), Code::Unique);
    bench.write(&[Verb::Remove { key: "2", detach: false }]).unwrap();
    let target = karyon_model::Target::Node("4");
    bench.write(&[Verb::Patch { target, labels: vec!["Person"], drop: vec![], changes: vec![] }]).unwrap();
    assert_eq!(bench.image(), bench.replayed().image(), "what was refused has numbered nothing");
    bench.graph.audit_in(0, bench.graph.head()).unwrap();
}

#[test]
fn rules_that_are_broken_already_are_refused() {
    let mut bench = Bench::new();
    let one = int(1);
    bench.write(&[person("a", "n", &one), person("b", "n", &one)]).unwrap();
    let head = bench.graph.head();
    assert_eq!(bench.declare("n", UNIQUE).unwrap_err().code(), Code::Unique);
    assert_eq!(bench.declare("m", REQUIRED).unwrap_err().code(), Code::Required);
    assert_eq!(bench.declare("n", Rules::default()).unwrap(), head, "what holds already is no commit");
    assert!(bench.graph.indexes().is_empty());
    bench.declare("n", Rules { unique: false, ..REQUIRED }).unwrap();
    let without = Verb::Put { key: "c", labels: vec!["Person"], changes: vec![] };
    assert_eq!(bench.write(&[without]).unwrap_err().code(), Code::Required);
    let unset = Verb::Patch {
        target: karyon_model::Target::Node("a"),
        labels: vec![],
        drop: vec![],
        changes: vec![("n", None)],
    };
    assert_eq!(bench.write(std::slice::from_ref(&unset)).unwrap_err().code(), Code::Required);
    // Only what a commit leaves counts.
    bench.write(&[unset, Verb::Remove { key: "a", detach: false }]).unwrap();
    assert_eq!(bench.image(), bench.replayed().image());
}

/// May read and write persons.
struct Persons;

impl Gate for Persons {
    fn read_node(&self, labels: &mut dyn Iterator<Item = NameId>, names: &Names) -> Result<()> {
        self.write_node(labels, names)
    }

    fn read_unknown(&self, _: &str) -> Result<()> {
        Err(Error::new(Code::Access, "unknown"))
    }

    fn write_node(&self, labels: &mut dyn Iterator<Item = NameId>, names: &Names) -> Result<()> {
        let labels: Vec<_> = labels.map(|label| names.text(label)).collect();
        let granted =
            !labels.is_empty() && labels.iter().all(|label| ["Person", "KNOWS"].contains(&&**label));
        if granted { Ok(()) } else { Err(Error::new(Code::Access, "not granted")) }
    }
}

#[test]
fn only_who_may_write_everything_declares_rules() {
    let mut bench = Bench::new();
    let declaration = Declaration { label: "Person".into(), property: "n".into(), rules: INDEXED };
    let declaring = Transaction::with(0, Purpose::Declare(declaration));
    assert_eq!(bench.commit(&declaring, &Persons).unwrap_err().code(), Code::Access);
    assert_eq!((bench.graph.head(), bench.graph.indexes().len()), (0, 0));
}

#[test]
fn whoever_was_found_by_none_or_by_a_span_is_noticed_when_somebody_comes() {
    let span: [fn() -> Span; 2] = [|| equal(&int(5)), || between(4, 7)];
    for span in span {
        for indexed in [false, true] {
            let mut bench = Bench::new();
            let (five, nine) = (int(5), int(9));
            bench.write(&[person("other", "n", &nine), person("later", "n", &nine)]).unwrap();
            if indexed {
                bench.declare("n", INDEXED).unwrap();
            }
            let mut reading = bench.transaction(&[]);
            assert_eq!(
                found(&mut Reader::through(&bench.graph, &mut reading, &Open).unwrap(), "n", span()),
                [""; 0]
            );
            push(&mut reading, &[person("mine", "n", &nine)]);
            bench.write(&[person("later", "n", &five)]).unwrap();
            let error = bench.commit(&reading, &Open).unwrap_err();
            assert_eq!(error.code(), Code::Conflict, "indexed: {indexed}");
        }
    }
}

#[test]
fn values_that_nobody_asked_for_do_not_conflict() {
    let mut bench = Bench::new();
    let (five, nine) = (int(5), int(9));
    bench.write(&[person("other", "n", &nine)]).unwrap();
    bench.declare("n", INDEXED).unwrap();
    let mut reading = bench.transaction(&[]);
    assert_eq!(
        found(&mut Reader::through(&bench.graph, &mut reading, &Open).unwrap(), "n", equal(&five)),
        [""; 0]
    );
    push(&mut reading, &[person("mine", "n", &five)]);
    bench.write(&[person("stranger", "n", &nine)]).unwrap();
    bench.commit(&reading, &Open).unwrap();
}

#[test]
fn a_transaction_finds_what_it_has_written_and_not_what_it_has_changed() {
    let mut bench = Bench::new();
    let (five, nine) = (int(5), int(9));
    bench.write(&[person("a", "n", &five), person("b", "n", &five)]).unwrap();
    bench.declare("n", INDEXED).unwrap();
    let mut own = bench.transaction(&[person("a", "n", &nine), person("c", "n", &five)]);
    let mut reader = Reader::through(&bench.graph, &mut own, &Open).unwrap();
    assert_eq!(found(&mut reader, "n", equal(&five)), ["b", "c"]);
    assert_eq!(found(&mut reader, "n", between(6, 10)), ["a"]);
}

#[test]
fn an_image_holds_the_indexes_as_they_were_when_it_began() {
    let mut bench = Bench::new();
    bench.declare("n", INDEXED).unwrap();
    for at in 0..40 {
        bench.write(&[person(&format!("p{}", at % 4), "n", &int(at % 3))]).unwrap();
    }
    let (head, whole) = (bench.graph.head(), bench.image());
    let mut writer = ImageWriter::new(&bench.graph);
    let mut late = vec![writer.next_block(&bench.graph).unwrap().unwrap()];
    bench.write(&[person("p0", "n", &int(77))]).unwrap();
    bench.declare("n", Rules::default()).unwrap();
    bench.declare("m", INDEXED).unwrap();
    late.extend(std::iter::from_fn(|| writer.next_block(&bench.graph).unwrap()));
    assert_eq!(late, whole);
    let mut reader = ImageReader::new(bench.history.clone());
    late.iter().for_each(|block| reader.take(block).unwrap());
    let graph = reader.finish().unwrap();
    graph.audit_in(0, head).unwrap();
    for seq in [5, 20, head] {
        let again = found(&mut Reader::at(&graph, seq, &Open), "n", between(1, 3));
        assert_eq!(again, bench.find(seq, "n", between(1, 3)), "version {seq}");
    }
}

#[test]
fn an_image_holds_a_fork_as_it_was_also_when_it_is_dropped_meanwhile() {
    let mut bench = Bench::new();
    let one = int(1);
    bench.write(&[person("a", "n", &one), person("b", "n", &one), link("a", "KNOWS", "b")]).unwrap();
    bench
        .commit(&Transaction::with(1, Purpose::Fork { name: "fork".into(), parent: 0, from: 1 }), &Open)
        .unwrap();
    let in_fork = |bench: &mut Bench, verbs: &[Verb<'_>]| {
        let transaction = bench.transaction(verbs).in_layer(1);
        bench.commit(&transaction, &Open).unwrap()
    };
    let two = int(2);
    let mut version = in_fork(&mut bench, &[person("a", "n", &two), Verb::Remove { key: "b", detach: true }]);
    for at in 0..40 {
        version = in_fork(&mut bench, &[person("a", "n", &int(at))]);
    }
    let (whole, digest) = (bench.image(), bench.graph.digest_in(1, version).unwrap());
    let mut writer = ImageWriter::new(&bench.graph);
    let mut late = vec![writer.next_block(&bench.graph).unwrap().unwrap()];
    in_fork(&mut bench, &[person("late", "n", &two), person("a", "m", &two)]);
    bench.commit(&Transaction::with(bench.graph.head(), Purpose::Drop(1)), &Open).unwrap();
    bench
        .commit(&Transaction::with(1, Purpose::Fork { name: "another".into(), parent: 0, from: 1 }), &Open)
        .unwrap();
    late.extend(std::iter::from_fn(|| writer.next_block(&bench.graph).unwrap()));
    drop(writer);
    assert_eq!(late, whole);
    let mut reader = ImageReader::new(bench.history.clone());
    late.iter().for_each(|block| reader.take(block).unwrap());
    let mut graph = reader.finish().unwrap();
    assert_eq!(graph.digest_in(1, version).unwrap(), digest);
    graph.audit_in(1, version).unwrap();
    for (header, operations) in &bench.log[version as usize..] {
        graph.replay(&CommitRecord { header: header.clone(), operations }).unwrap();
    }
    bench.commit(&Transaction::with(bench.graph.head(), Purpose::Drop(2)), &Open).unwrap();
    assert!(bench.image().concat().len() < whole.concat().len(), "what was dropped is let go of");
    assert_eq!(bench.image(), bench.replayed().image());
}

fn link<'a>(from: &'a str, kind: &'a str, to: &'a str) -> Verb<'a> {
    Verb::Link { edge: EdgeKey { from, kind, to, key: "" }, changes: vec![] }
}

fn along(hops: u32) -> Walk<'static> {
    Walk { directions: &[Direction::Out], kind: None, hops, limit: 100 }
}

fn reached(reader: &mut Reader<'_>, from: &str, walk: Walk<'_>) -> Vec<(String, u32)> {
    reader
        .reach(from, walk, None, &mut |_, _| {})
        .unwrap()
        .iter()
        .map(|node| (node.key.to_string(), node.hops))
        .collect()
}

fn path(reader: &mut Reader<'_>, ends: (&str, &str), walk: Walk<'_>) -> Option<Vec<(String, String)>> {
    let mut edges = Vec::new();
    let there =
        reader.visit_path(ends, walk, &mut |edge| edges.push((edge.from.into(), edge.to.into()))).unwrap();
    edges.reverse();
    there.then_some(edges)
}

fn pairs(path: &[(&str, &str)]) -> Option<Vec<(String, String)>> {
    Some(path.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect())
}

/// a → b → c → d, a → d by another type, a self-loop and parallel edges; `hidden` between a and far.
fn little_world() -> Bench {
    let mut bench = Bench::new();
    let one = int(1);
    let persons = ["a", "b", "c", "d", "far"].map(|key| person(key, "n", &one));
    bench.write(&persons).unwrap();
    bench.write(&[Verb::Put { key: "hidden", labels: vec!["Secret"], changes: vec![] }]).unwrap();
    let parallel =
        Verb::Link { edge: EdgeKey { from: "a", kind: "KNOWS", to: "b", key: "2" }, changes: vec![] };
    let links = [("a", "b"), ("b", "c"), ("c", "d"), ("a", "a"), ("a", "hidden"), ("hidden", "far")];
    let mut verbs: Vec<_> = links.iter().map(|(from, to)| link(from, "KNOWS", to)).collect();
    verbs.extend([parallel, link("a", "OWES", "d")]);
    bench.write(&verbs).unwrap();
    bench
}

fn named(found: &[(&str, u32)]) -> Vec<(String, u32)> {
    found.iter().map(|(key, hops)| ((*key).to_owned(), *hops)).collect()
}

#[test]
fn a_traversal_finds_each_node_once_and_near_ones_first() {
    let bench = little_world();
    let mut reader = Reader::at(&bench.graph, bench.graph.head(), &Open);
    let all = named(&[("a", 0), ("b", 1), ("hidden", 1), ("d", 1), ("c", 2), ("far", 2)]);
    assert_eq!(reached(&mut reader, "a", along(5)), all);
    assert_eq!(reached(&mut reader, "a", along(1)), all[..4]);
    assert_eq!(reached(&mut reader, "a", Walk { limit: 2, ..along(5) }), all[..3]);
    assert_eq!(reached(&mut reader, "a", along(0)), all[..1]);
    let only = Walk { kind: Some("KNOWS"), ..along(9) };
    assert_eq!(reached(&mut reader, "b", only), named(&[("b", 0), ("c", 1), ("d", 2)]));
    let against = Walk { directions: &[Direction::In], ..along(9) };
    assert_eq!(reached(&mut reader, "b", against), named(&[("b", 0), ("a", 1)]));
    let both = Walk { directions: &[Direction::Out, Direction::In], ..along(1) };
    assert_eq!(reached(&mut reader, "d", both), named(&[("d", 0), ("c", 1), ("a", 1)]));
    assert_eq!(reached(&mut reader, "nobody", along(3)), []);
    let mut reader = Reader::at(&bench.graph, bench.graph.head() - 1, &Open);
    assert_eq!(reached(&mut reader, "a", along(5)), named(&[("a", 0)]), "as of a version without edges");
}

#[test]
fn a_shortest_way_is_found_and_what_may_not_be_seen_is_not_passed() {
    let bench = little_world();
    let mut reader = Reader::at(&bench.graph, bench.graph.head(), &Open);
    assert_eq!(path(&mut reader, ("a", "d"), along(9)), pairs(&[("a", "d")]));
    let known = Walk { kind: Some("KNOWS"), ..along(9) };
    assert_eq!(path(&mut reader, ("a", "d"), known), pairs(&[("a", "b"), ("b", "c"), ("c", "d")]));
    assert_eq!(path(&mut reader, ("a", "d"), Walk { hops: 2, ..known }), None);
    assert_eq!(path(&mut reader, ("a", "a"), known), pairs(&[]));
    assert_eq!(path(&mut reader, ("d", "a"), known), None);
    assert_eq!(path(&mut reader, ("a", "far"), known), pairs(&[("a", "hidden"), ("hidden", "far")]));
    let mut reader = Reader::at(&bench.graph, bench.graph.head(), &Persons);
    assert_eq!(path(&mut reader, ("a", "far"), known), None);
    assert_eq!(reached(&mut reader, "a", known), named(&[("a", 0), ("b", 1), ("c", 2), ("d", 3)]));
}

#[test]
fn a_traversal_is_a_read_and_sees_own_writes() {
    let mut bench = little_world();
    let mut own = bench.transaction(&[link("d", "KNOWS", "far")]);
    let known = Walk { kind: Some("KNOWS"), ..along(9) };
    let ways = path(&mut Reader::through(&bench.graph, &mut own, &Open).unwrap(), ("c", "far"), known);
    assert_eq!(ways, pairs(&[("c", "d"), ("d", "far")]));
    bench.write(&[link("c", "KNOWS", "far")]).unwrap();
    assert_eq!(bench.commit(&own, &Open).unwrap_err().code(), Code::Conflict, "a shorter way has come");
}
