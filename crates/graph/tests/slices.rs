//! A commit is published object by object, and whoever reads may come in between: nothing of it shows before its end, whatever is read.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use karyon_graph::{
    Condition, Declaration, DiffStart, Direction, Graph, ImageReader, ImageWriter, Open, PageStart, Prefer,
    Purpose, Reader, Transaction,
};
use karyon_history::{Chapters, Commits};
use karyon_model::order::Span;
use karyon_model::{CommitHeader, CommitRecord, EdgeKey, EntityId, Rules, Seq, Target, Trust, Verb};
use karyon_testkit::{Value, VerbWriter};

const FORK: u32 = 1;
const INDEXED: Rules = Rules { indexed: true, unique: false, required: false };

struct Bench {
    graph: Graph,
    history: Arc<Chapters>,
    commits: Commits,
    log: Vec<(CommitHeader, Vec<u8>)>,
}

impl Bench {
    fn new() -> Bench {
        let history = Arc::new(Chapters::in_memory());
        let (graph, commits) = (Graph::new(history.clone()), Commits::new(history.clone()));
        Bench { graph, history, commits, log: Vec::new() }
    }

    fn transaction(&self, layer: u32, verbs: &[Verb<'_>]) -> Transaction {
        let mut writer = VerbWriter::default();
        verbs.iter().for_each(|verb| {
            writer.push(verb);
        });
        let mut transaction = Transaction::new(self.graph.head()).in_layer(layer);
        transaction.push(writer.bytes()).unwrap();
        transaction
    }

    /// Commits, and calls `between` after every object that is published.
    fn commit(&mut self, principal: &str, transaction: &Transaction, between: &mut dyn FnMut(&Bench)) {
        let mut prepared = self.graph.prepare(transaction, principal, &Open).unwrap().unwrap();
        between(self);
        while !self.graph.publish(&mut prepared, 1).unwrap() {
            between(self);
        }
        let header = CommitHeader {
            seq: self.graph.head(),
            time: self.graph.head() as i64,
            layer: transaction.layer(),
            principal: prepared.principal,
            incarnation: 0,
            on_behalf_of: None,
            trust: Trust::FULL,
            cause: None,
            parents: prepared.parents.clone(),
            coarse: prepared.coarse,
            reverts: transaction.reverts(),
        };
        assert!(self.commits.push(&header, &prepared.touched).is_none(), "less than a page");
        self.log.push((header, prepared.operations));
    }

    fn write(&mut self, principal: &str, layer: u32, verbs: &[Verb<'_>]) {
        let transaction = self.transaction(layer, verbs);
        self.commit(principal, &transaction, &mut |_| {});
    }

    fn image(&self) -> Vec<Vec<u8>> {
        let mut writer = ImageWriter::new(&self.graph);
        std::iter::from_fn(|| writer.next_block(&self.graph).unwrap()).collect()
    }

    /// All that can be asked of the versions given, of the base and of the fork, in words.
    fn answers(&self, versions: &[Seq]) -> Vec<String> {
        let (graph, head) = (&self.graph, self.graph.head());
        let mut said = vec![format!("{head} {:?} {}", graph.live(), graph.bytes())];
        said.push(format!("{:?}", graph.layers().iter().map(|layer| layer.is_living()).collect::<Vec<_>>()));
        for layer in [0, FORK] {
            for seq in versions.iter().copied().filter(|seq| layer == 0 || *seq >= graph.layers()[0].created)
            {
                let structure = graph.audit_in(layer, seq).unwrap();
                said.push(format!("{layer} {seq} {structure:?} {:?}", graph.digest_in(layer, seq).unwrap()));
                self.read(&mut || Reader::at(graph, seq, &Open).in_layer(layer), &mut said);
                for key in KEYS {
                    let id = graph.node_id(key).map(EntityId::Node);
                    let found = id.map(|id| graph.entity_in(layer, id, seq).unwrap());
                    said.push(format!("{:?}", found.flatten()));
                    let Some(id) = id else { continue };
                    let visit = &mut |change| {
                        said.push(format!("{change:?}"));
                        Ok(true)
                    };
                    graph.visit_changes((layer, id), (0, seq), visit).unwrap();
                }
            }
            let visit = &mut |id: EntityId, sides: karyon_graph::Sides<'_>| {
                said.push(format!("{id:?} {sides:?}"));
                Ok(true)
            };
            let sides = (versions[0], head);
            graph.visit_differences(&self.commits, layer, sides, DiffStart::default(), visit).unwrap();
        }
        said.push(format!("{:?}", graph.plan_merge(FORK, None, Prefer::Layer).unwrap()));
        let writer = graph.names().get("writer").unwrap();
        said.push(format!("{:?}", graph.plan_revert(&self.commits, writer, 2).unwrap()));
        for layer in [0, FORK] {
            let mut own = self.transaction(layer, &[put("own", &["A"], &int(7)), unlink("n1", "R", "n2")]);
            for what in 0..4 {
                let mut reader = Reader::through(graph, &mut own, &Open).unwrap();
                self.ask(&mut reader, what, &mut said);
            }
        }
        said
    }

    fn read<'g>(&'g self, reader: &mut dyn FnMut() -> Reader<'g>, said: &mut Vec<String>) {
        (0..4).for_each(|what| self.ask(&mut reader(), what, said));
    }

    fn ask(&self, reader: &mut Reader<'_>, what: usize, said: &mut Vec<String>) {
        match what {
            0 => {
                for label in [None, Some("A"), Some("B"), Some("C")] {
                    said.push(format!("{label:?} {}", reader.count(label, &[], true).unwrap()));
                    let mut next = Some(PageStart::default());
                    while let Some(start) = next {
                        let visit = &mut |node: &karyon_graph::NodeItem<'_>| said.push(format!("{node:?}"));
                        next = reader.visit_nodes(label, &[], start, 5, visit).unwrap();
                    }
                }
            }
            1 => {
                for property in ["v", "w"] {
                    let span = Span::between(Some(&int(0)), Some(&int(9))).unwrap();
                    let (conditions, start) = ([Condition { property, span }], PageStart::default());
                    let visit = &mut |node: &karyon_graph::NodeItem<'_>| said.push(format!("{node:?}"));
                    reader.visit_nodes(Some("A"), &conditions, start, 99, visit).unwrap();
                    said.push(format!("{}", reader.count(Some("A"), &conditions, true).unwrap()));
                }
            }
            2 => {
                for (key, way) in KEYS.iter().flat_map(|key| [(key, Direction::Out), (key, Direction::In)]) {
                    said.push(format!("{key} {}", reader.degree(key, way, None).unwrap()));
                    let visit = &mut |edge: &karyon_graph::EdgeItem<'_>| said.push(format!("{edge:?}"));
                    reader.visit_edges(key, way, None, PageStart::default(), 99, visit).unwrap();
                    let mut others = Vec::new();
                    reader.visit_neighbours(key, way, Some("R"), 99, &mut |node| others.push(node)).unwrap();
                    said.push(format!("{others:?}"));
                }
            }
            _ => {
                for key in KEYS {
                    reader.visit_node(key, &mut |node| said.push(format!("{node:?}"))).unwrap();
                    said.push(format!("{:?}", reader.number_of(key).unwrap()));
                }
            }
        }
    }
}

const KEYS: [&str; 8] = ["n0", "n1", "n2", "n3", "n4", "hot", "new", "newer"];

fn int(value: i64) -> Vec<u8> {
    Value::Integer(value).to_bytes()
}

fn put<'a>(key: &'a str, labels: &[&'a str], value: &'a [u8]) -> Verb<'a> {
    Verb::Put { key, labels: labels.to_vec(), changes: vec![("v", Some(value))] }
}

fn patch<'a>(key: &'a str, labels: &[&'a str], drop: &[&'a str], value: (&'a str, &'a [u8])) -> Verb<'a> {
    let (target, changes) = (Target::Node(key), vec![(value.0, Some(value.1))]);
    Verb::Patch { target, labels: labels.to_vec(), drop: drop.to_vec(), changes }
}

fn link<'a>(from: &'a str, kind: &'a str, to: &'a str) -> Verb<'a> {
    Verb::Link { edge: EdgeKey { from, kind, to, key: "" }, changes: vec![] }
}

fn unlink<'a>(from: &'a str, kind: &'a str, to: &'a str) -> Verb<'a> {
    Verb::Unlink { edge: EdgeKey { from, kind, to, key: "" } }
}

/// Nodes, edges, an index, a fork with changes of its own, and a node whose run is full.
fn world() -> Bench {
    let mut bench = Bench::new();
    let (one, text) = (int(1), Value::text("x".repeat(200)).to_bytes());
    let nodes: Vec<_> = KEYS[..5].iter().map(|key| put(key, &["A"], &one)).collect();
    bench.write("root", 0, &nodes);
    bench.write("root", 0, &[link("n0", "R", "n1"), link("n1", "R", "n2"), link("n2", "S", "n2")]);
    bench.write("writer", 0, &[patch("n3", &["B"], &[], ("text", &text)), link("n3", "R", "n0")]);
    let declaration = Declaration { label: "A".into(), property: "v".into(), rules: INDEXED };
    bench.commit("root", &Transaction::with(bench.graph.head(), Purpose::Declare(declaration)), &mut |_| {});
    bench.commit(
        "root",
        &Transaction::with(bench.graph.head(), Purpose::Fork { name: "fork".into(), parent: 0, from: 3 }),
        &mut |_| {},
    );
    bench.write("writer", FORK, &[patch("n1", &["B"], &["A"], ("v", &int(5))), link("n4", "R", "n1")]);
    // Full runs: what changes next seals them.
    for at in 0.. {
        let labels: &[&str] = if at % 2 == 0 { &["A"] } else { &["B"] };
        bench.write("writer", 0, &[put("hot", labels, &int(at % 3))]);
        bench.write("root", FORK, &[put("hot", labels, &int(at % 5)), link("n0", "R", "hot")]);
        if at % 2 == 0 {
            bench.write("root", FORK, &[Verb::Remove { key: "hot", detach: true }]);
        }
        if bench.history.records().count() > 8 && at % 16 == 0 {
            return bench;
        }
    }
    unreachable!("runs become full");
}

/// Publishes a commit, and asks everything again after every object.
fn nothing_shows_before_its_end(bench: &mut Bench, transaction: &Transaction) {
    let head = bench.graph.head();
    let versions = [3, head / 2, head - 1, head];
    let (expected, image) = (bench.answers(&versions), bench.image());
    // An image that has begun goes on in between.
    let mut writer = ImageWriter::new(&bench.graph);
    let (mut blocks, mut steps) = (Vec::new(), 0);
    bench.commit("someone new", transaction, &mut |bench| {
        for (now, before) in bench.answers(&versions).iter().zip(&expected) {
            assert_eq!(now, before, "after {steps} objects");
        }
        if steps % 3 == 1 {
            blocks.extend(writer.next_block(&bench.graph).unwrap());
        }
        steps += 1;
    });
    assert!(steps > 1 || transaction.reverts().is_none());
    assert_eq!(bench.graph.head(), head + 1);
    blocks.extend(std::iter::from_fn(|| writer.next_block(&bench.graph).unwrap()));
    assert_eq!(blocks, image);
    // What the log gives again, all at once, is what was published bit by bit: also above an image.
    let mut reader = ImageReader::new(bench.history.clone());
    blocks.iter().for_each(|block| reader.take(block).unwrap());
    let (mut again, mut whole) = (reader.finish().unwrap(), Graph::new(Arc::new(Chapters::in_memory())));
    for (header, operations) in &bench.log {
        let record = CommitRecord { header: header.clone(), operations };
        if header.seq > head {
            again.replay(&record).unwrap();
        }
        whole.replay(&record).unwrap();
    }
    for graph in [&again, &whole] {
        let mut writer = ImageWriter::new(graph);
        let image: Vec<_> = std::iter::from_fn(|| writer.next_block(graph).unwrap()).collect();
        assert_eq!(image, bench.image());
        assert_eq!((graph.live(), graph.bytes()), (bench.graph.live(), bench.graph.bytes()));
    }
    bench.graph.audit_in(0, head + 1).unwrap();
}

#[test]
fn of_a_commit_of_many_kinds_nothing_shows_before_its_end() {
    for layer in [0, FORK] {
        let mut bench = world();
        let seals = bench.history.records().count();
        let (two, list) = (int(2), Value::text("y".repeat(100)).to_bytes());
        let mut verbs = vec![
            put("new", &["A", "C"], &two),
            put("newer", &["C"], &two),
            link("new", "T", "newer"),
            link("n0", "R", "new"),
            link("n2", "T", "n0"),
            unlink("n0", "R", "n1"),
            Verb::Remove { key: "n2", detach: true },
            patch("n4", &["B"], &["A"], ("w", &two)),
            patch("n3", &[], &["B"], ("w", &two)),
            Verb::Increment { target: Target::Node("n1"), name: "v", by: &two },
            put("hot", &["A", "B"], &two),
            put("n2", &["A"], &two),
        ];
        if layer == 0 {
            verbs.push(Verb::Append { target: Target::Node("n3"), name: "text", more: &list });
        }
        let transaction = bench.transaction(layer, &verbs);
        nothing_shows_before_its_end(&mut bench, &transaction);
        assert!(bench.history.records().count() > seals, "a chapter was sealed on the way");
    }
}

#[test]
fn of_rules_and_of_what_becomes_of_forks_nothing_shows_before_its_end() {
    let declare = |property: &str, rules| Declaration { label: "A".into(), property: property.into(), rules };
    let mut bench = world();
    for (property, rules) in [("w", INDEXED), ("v", Rules::default()), ("v", INDEXED)] {
        let transaction = Transaction::with(bench.graph.head(), Purpose::Declare(declare(property, rules)));
        nothing_shows_before_its_end(&mut bench, &transaction);
    }
    let transaction = Transaction::with(
        bench.graph.head(),
        Purpose::Fork { name: "another".into(), parent: FORK, from: 8 },
    );
    nothing_shows_before_its_end(&mut bench, &transaction);
    let transaction = bench.graph.plan_merge(FORK, None, Prefer::Layer).unwrap().transaction.unwrap();
    nothing_shows_before_its_end(&mut bench, &transaction);
    let transaction = Transaction::with(bench.graph.head(), Purpose::Drop(2));
    nothing_shows_before_its_end(&mut bench, &transaction);
}
