//! The past is read page by page, and all pages together cost what the past is long, not its square.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use karyon_graph::{DiffStart, Direction, Graph, Open, PageLimit, PageStart, Prepared, Reader, Transaction};
use karyon_history::{Chapter, Chapters, Commits, History, ObjectId};
use karyon_model::{CommitHeader, Cursor, EdgeKey, EntityId, Result, Seq, Target, Trust, Verb};
use karyon_testkit::{Value, VerbWriter};
use support::AtOnce;

/// Counts the looks into sealed chapters.
struct Counting {
    inner: Chapters,
    looks: AtomicUsize,
}

impl History for Counting {
    fn seal(&self, object: ObjectId, chapter: &Chapter) -> Result<()> {
        self.inner.seal(object, chapter)
    }

    fn find(&self, object: ObjectId, seq: Seq) -> Result<Option<Arc<Chapter>>> {
        self.looks.fetch_add(1, Ordering::Relaxed);
        self.inner.find(object, seq)
    }

    fn chapters(&self, object: ObjectId) -> Result<Vec<Chapter>> {
        self.inner.chapters(object)
    }

    fn check(&self, seq: Seq) -> Result<()> {
        self.inner.check(seq)
    }
}

struct Bench {
    graph: Graph,
    history: Arc<Counting>,
    headers: Vec<(CommitHeader, Vec<EntityId>)>,
}

impl Bench {
    fn new() -> Bench {
        let history = Arc::new(Counting { inner: Chapters::in_memory(), looks: AtomicUsize::new(0) });
        Bench { graph: Graph::new(history.clone()), history, headers: Vec::new() }
    }

    fn write(&mut self, verbs: &[Verb<'_>]) {
        let mut writer = VerbWriter::default();
        for verb in verbs {
            writer.push(verb);
        }
        let mut transaction = Transaction::new(self.graph.head());
        transaction.push(writer.bytes()).unwrap();
        let Prepared { touched, principal, .. } =
            self.graph.commit(&transaction, "root", &Open).unwrap().unwrap();
        let header = CommitHeader {
            seq: self.graph.head(),
            time: 0,
            layer: 0,
            principal,
            incarnation: 0,
            on_behalf_of: None,
            trust: Trust::FULL,
            cause: None,
            parents: vec![],
            coarse: false,
            reverts: None,
        };
        self.headers.push((header, touched));
    }

    /// The index of the commits, of which those before `first` have changed nothing.
    fn commits(&self, first: Seq) -> Commits {
        let history = Arc::new(Chapters::in_memory());
        let mut commits = Commits::new(history.clone());
        for (header, touched) in &self.headers {
            let touched: &[EntityId] = if header.seq < first { &[] } else { touched };
            if let Some((object, chapter)) = commits.push(header, touched) {
                history.seal(object, &chapter).unwrap();
            }
        }
        commits
    }
}

fn set<'a>(key: &'a str, value: &'a [u8]) -> Verb<'a> {
    let changes = vec![("n", Some(value))];
    Verb::Patch { target: Target::Node(key), labels: vec![], drop: vec![], changes }
}

#[test]
fn a_page_of_a_history_begins_where_it_lies_and_not_at_the_present() {
    let mut bench = Bench::new();
    const CHANGES: i64 = 20_000;
    for n in 0..CHANGES {
        bench.write(&[set("hot", &Value::Integer(n).to_bytes())]);
    }
    let chapters = bench.history.inner.chapters(ObjectId::Entity(EntityId::Node(0))).unwrap().len();
    let (mut until, mut told, mut pages) = (bench.graph.head(), Vec::new(), 0);
    while until > 0 {
        let mut left = 256;
        let mut last = 0;
        let mut visit = |change: karyon_graph::SlotChange| {
            if left == 0 {
                return Ok(false);
            }
            if let Some(value) = change.after.filter(|value| !value.is_empty()) {
                told.push(Value::decode(&mut Cursor::new(&value)).unwrap());
            }
            (left, last) = (left - 1, change.seq);
            Ok(true)
        };
        bench.graph.visit_changes((0, EntityId::Node(0)), (0, until), &mut visit).unwrap();
        until = last.saturating_sub(1);
        pages += 1;
    }
    assert!(told.into_iter().eq((0..CHANGES).rev().map(Value::Integer)));
    let looks = bench.history.looks.load(Ordering::Relaxed);
    assert!(looks <= 2 * chapters + 3 * pages, "{looks} looks for {pages} pages, {chapters} chapters");
}

#[test]
fn a_page_of_a_diff_looks_at_no_commit_before_it_and_tells_each_target_once() {
    let mut bench = Bench::new();
    let keys: Vec<String> = (0..60).map(|n| format!("n{n}")).collect();
    for round in 0..2_000_i64 {
        // Several of one commit, so that pages also end within one.
        let value = Value::Integer(round).to_bytes();
        let at = round as usize;
        bench.write(&[0, 7, 11].map(|step| set(&keys[(at * 13 + step) % keys.len()], &value)));
    }
    let head = bench.graph.head();
    for (from, to) in [(0, head), (head / 3, head / 2), (head / 2, head / 3), (5, 5)] {
        let (mut told, mut start, mut looked) = (Vec::new(), DiffStart::default(), 0);
        loop {
            // An index that is empty before the page: whoever looked further back would find nothing.
            let commits = bench.commits(start.0.max(1));
            let mut left = 4;
            let mut visit = |id: EntityId, _: karyon_graph::Sides<'_>| {
                if left == 0 {
                    return Ok(false);
                }
                told.push(id);
                left -= 1;
                Ok(true)
            };
            let next = bench.graph.visit_differences(&commits, 0, (from, to), start, &mut visit).unwrap();
            let end = next.map_or(from.max(to), |next| next.0);
            looked += end - start.0.max(from.min(to));
            let Some(next) = next else { break };
            assert!(next > start, "a page goes on from where the one before has ended");
            start = next;
        }
        assert!(looked <= from.abs_diff(to), "{looked} commits between {from} and {to}");
        let distinct: BTreeSet<_> = told.iter().copied().collect();
        let expected: BTreeSet<_> = (0..keys.len() as u32)
            .map(EntityId::Node)
            .filter(|id| {
                let values = [from, to].map(|seq| {
                    let entity = bench.graph.entity_in(0, *id, seq).unwrap()?.0;
                    Some(entity.properties().next().unwrap().value.to_vec())
                });
                values[0] != values[1]
            })
            .collect();
        assert_eq!((told.len(), distinct), (expected.len(), expected));
    }
}

/// A hub whose edges come and go, a hundred with a commit, and what it was at every version.
struct Hub {
    bench: Bench,
    keys: Vec<String>,
    linked: Vec<BTreeSet<String>>,
}

impl Hub {
    fn new() -> Hub {
        let keys: Vec<String> = (0..2_000).map(|n| format!("leaf {n:04}")).collect();
        let mut hub = Hub { bench: Bench::new(), keys, linked: vec![BTreeSet::new(); 2] };
        hub.bench.write(&[Verb::Put { key: "hub", labels: vec![], changes: vec![] }]);
        for _ in 0..200 {
            hub.turn();
        }
        hub
    }

    /// Links the next hundred, with a label, or takes them away again.
    fn turn(&mut self) {
        let mut linked = self.linked.last().unwrap().clone();
        let (mut verbs, first) = (Vec::new(), (self.linked.len() - 2) * 100 % self.keys.len());
        for key in &self.keys[first..first + 100] {
            let edge = EdgeKey { from: "hub", kind: "T", to: key, key: "" };
            if linked.remove(key) {
                verbs.push(Verb::Unlink { edge });
                let (target, drop) = (Target::Node(key), vec!["On"]);
                verbs.push(Verb::Patch { target, labels: vec![], drop, changes: vec![] });
            } else {
                linked.insert(key.clone());
                verbs.push(Verb::Put { key, labels: vec!["On"], changes: vec![] });
                verbs.push(Verb::Link { edge, changes: vec![] });
            }
        }
        self.bench.write(&verbs);
        self.linked.push(linked);
    }

    /// A commit that links and unlinks and is taken back.
    fn refused(&mut self) {
        let mut writer = VerbWriter::default();
        let linked = self.linked.last().unwrap();
        for to in self.keys.iter().step_by(7) {
            let edge = EdgeKey { from: "hub", kind: "T", to, key: "" };
            let link = Verb::Link { edge, changes: vec![] };
            writer.push(&if linked.contains(to) { Verb::Unlink { edge } } else { link });
        }
        let edge = EdgeKey { from: "hub", kind: "T", to: "nobody", key: "" };
        writer.push(&Verb::Link { edge, changes: vec![] });
        let mut transaction = Transaction::new(self.bench.graph.head());
        transaction.push(writer.bytes()).unwrap();
        assert!(self.bench.graph.commit(&transaction, "root", &Open).is_err());
    }

    fn page(&self, seq: Seq, labelled: bool, start: PageStart, told: &mut Vec<String>) -> Option<PageStart> {
        let mut reader = Reader::at(&self.bench.graph, seq, &Open);
        if labelled {
            return reader
                .visit_nodes(Some("On"), &[], start, 100, &mut |node| told.push(node.key.into()))
                .unwrap();
        }
        let visit = &mut |edge: &karyon_graph::EdgeItem<'_>| told.push(edge.to.into());
        reader.visit_edges("hub", Direction::Out, Some("T"), start, 100, visit).unwrap()
    }
}

#[test]
fn the_pages_of_a_long_list_of_the_past_are_of_one_version_and_look_for_it_once() {
    let mut hub = Hub::new();
    for labelled in [false, true] {
        let head = hub.bench.graph.head();
        let moments = [head / 3, head / 2, head / 2 + 1];
        let before = hub.bench.history.looks.load(Ordering::Relaxed);
        let mut scans = moments.map(|seq| (seq, Some(PageStart::default()), Vec::new()));
        let mut pages = 0;
        while scans.iter().any(|scan| scan.1.is_some()) {
            for (seq, start, told) in &mut scans {
                let Some(from) = *start else { continue };
                *start = hub.page(*seq, labelled, from, told);
                pages += 1;
            }
            hub.turn();
            hub.refused();
        }
        for (seq, _, told) in scans {
            assert!(told.iter().eq(&hub.linked[seq as usize]), "version {seq}, labelled {labelled}");
        }
        let looks = hub.bench.history.looks.load(Ordering::Relaxed) - before;
        assert!(looks <= moments.len(), "{looks} looks for {pages} pages");
    }
}

#[test]
fn a_long_list_is_right_at_every_version_whatever_was_read_before() {
    let mut hub = Hub::new();
    for round in 0..3_000_u64 {
        if round % 50 == 0 {
            hub.turn();
            hub.refused();
        }
        let head = hub.bench.graph.head();
        // Back and forth over neighbours and over all of the past.
        let seq = if round % 2 == 0 { round * 7919 % (head + 1) } else { head - round % 4 };
        let mut reader = Reader::at(&hub.bench.graph, seq, &Open);
        let expected = hub.linked[seq as usize].len();
        assert_eq!(reader.degree("hub", Direction::Out, Some("T")).unwrap(), expected, "version {seq}");
        assert_eq!(reader.count(Some("On"), &[], true).unwrap(), expected, "version {seq}");
    }
}

#[test]
fn a_page_of_large_nodes_ends_by_its_bytes_and_none_is_left_out() {
    let mut graph = Graph::new(Arc::new(Chapters::in_memory()));
    let mut writer = VerbWriter::default();
    let text = Value::text("x".repeat(10_000)).to_bytes();
    let keys: Vec<_> = (0..50).map(|number| format!("{number:02}")).collect();
    for (number, key) in keys.iter().enumerate() {
        // Every fifth one is small.
        let changes = if number % 5 == 0 { vec![] } else { vec![("text", Some(&text[..]))] };
        writer.push(&Verb::Put { key, labels: vec![], changes });
    }
    let mut transaction = Transaction::new(0);
    transaction.push(writer.bytes()).unwrap();
    graph.commit(&transaction, "root", &Open).unwrap();
    let (mut told, mut start, limit) =
        (Vec::new(), Some(PageStart::default()), PageLimit { items: 20, bytes: 25_000 });
    while let Some(from) = start {
        let before = told.len();
        let mut reader = Reader::at(&graph, 1, &Open);
        start =
            reader.visit_nodes(None, &[], from, limit, &mut |node| told.push(node.key.to_owned())).unwrap();
        let page = told.len() - before;
        assert!((3..=4).contains(&page) || start.is_none(), "three of 10,000 bytes make 25,000: {page}");
    }
    assert_eq!(told, keys);
}
