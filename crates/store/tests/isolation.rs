//! Concurrent histories of many clients, judged by a checker of somebody else's.
//!
//! Clients take turns at random, an operation at a time, so that a seed says everything. What they read and append is written
//! down in the notation of `adya`, which looks for the cycles of dependencies that an isolation level forbids. There are lists
//! (append reads nothing), nodes that may be absent, and sets of edges and of labelled nodes. Each possible member of a set is a
//! list of its own: members are added in no order, and a scan reads all of them, also those that it does not find.
//!
//! `.ci/broken-builds` runs this file on engines that are broken on purpose; it has to fail on every one of them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use adya::{History, Opts, Report, Valid, Workload, check};
use karyon_graph::{Direction, Open, PageStart, Reader, Transaction};
use karyon_model::Cursor;
use karyon_model::{Code, EdgeKey, Target, Verb};
use karyon_store::{Author, Store};
use karyon_testkit::{LogicalClock, Random};
use karyon_testkit::{Value, VerbWriter};

const ROOT: Author<'_> = Author { principal: "root", incarnation: 0, cause: None, gate: &Open };
/// Transactions of one history.
const TRANSACTIONS: usize = 220;
/// Nodes, sets of edges and labels that are in use at a time.
const PLACES: usize = 3;
/// How often a place is appended to before another takes its turn: lists stay short, and beginnings are frequent.
const APPENDS_MAX: u64 = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// A list that is a property of a node, appended to without being read.
    List,
    /// The same in a node that may be absent, read and put whole.
    Absent,
    /// The edges that leave a node.
    Edges,
    /// The nodes with a label.
    Label,
    /// A list in the one edge of a node: appended to, or made anew by a removal of the node with its edge.
    Held,
}

const KINDS: [Kind; 5] = [Kind::List, Kind::Absent, Kind::Edges, Kind::Label, Kind::Held];

type Place = (Kind, usize);

#[derive(Clone, Debug)]
enum Step {
    Read(Place, Option<Vec<u64>>),
    Append(Place, u64),
}

/// What happened, in the order in which it did.
struct Event {
    kind: &'static str,
    process: usize,
    steps: Vec<Step>,
}

fn name(place: Place) -> String {
    format!("{:?}{}", place.0, place.1)
}

struct Client<'s> {
    store: &'s Store,
    transaction: Transaction,
    /// The key of the edge that was last read of a node that has one.
    held: String,
}

impl Client<'_> {
    fn begin(store: &Store, snapshot_isolation: bool) -> Client<'_> {
        let mut transaction = store.begin().unwrap();
        transaction.snapshot_isolation = snapshot_isolation;
        Client { store, transaction, held: String::new() }
    }

    fn push(&mut self, verb: &Verb<'_>) {
        let mut verbs = VerbWriter::default();
        verbs.push(verb);
        self.transaction.push(verbs.bytes()).unwrap();
    }

    /// What is at a place, `None` when the transaction cannot be carried out any more.
    fn read(&mut self, place: Place) -> Option<Vec<u64>> {
        let body = self.store.body().unwrap();
        let names = body.graph.names();
        let mut reader = Reader::through(&body.graph, &mut self.transaction, &Open).ok()?;
        let (name, mut found, first) = (name(place), Vec::new(), PageStart::default());
        match place.0 {
            Kind::List | Kind::Absent => {
                let visit = &mut |node: &karyon_graph::NodeItem<'_>| {
                    let list = names.get("list").and_then(|list| node.entity.property(list));
                    found = list.map_or_else(Vec::new, |list| numbers(list.value));
                };
                reader.visit_node(&name, visit).unwrap();
            }
            Kind::Edges => {
                let visit = &mut |edge: &karyon_graph::EdgeItem<'_>| found.push(edge.key.parse().unwrap());
                reader.visit_edges(&name, Direction::Out, Some("T"), first, usize::MAX, visit).unwrap();
                assert_eq!(reader.degree(&name, Direction::Out, Some("T")).unwrap(), found.len());
            }
            Kind::Held => {
                let visit = &mut |edge: &karyon_graph::EdgeItem<'_>| {
                    let list = names.get("list").and_then(|list| edge.entity.property(list));
                    found = list.map_or_else(Vec::new, |list| numbers(list.value));
                    self.held = edge.key.into();
                };
                reader.visit_edges(&name, Direction::Out, None, first, usize::MAX, visit).unwrap();
            }
            Kind::Label => {
                let visit = &mut |node: &karyon_graph::NodeItem<'_>| {
                    found.push(node.key.rsplit(' ').next().unwrap().parse().unwrap());
                };
                reader.visit_nodes(Some(&name), &[], first, usize::MAX, visit).unwrap();
                assert_eq!(reader.count(Some(&name), &[], true).unwrap(), found.len());
            }
        }
        Some(found)
    }

    /// Appends; returns what had to be read for it.
    fn append(&mut self, place: Place, value: u64) -> Option<Option<Vec<u64>>> {
        let name = name(place);
        let list = |values: &[u64]| {
            Value::List(values.iter().map(|value| Value::Integer(*value as i64)).collect()).to_bytes()
        };
        let mut seen = None;
        match place.0 {
            Kind::List => {
                let (target, more) = (Target::Node(&name), list(&[value]));
                self.push(&Verb::Append { target, name: "list", more: &more });
            }
            Kind::Absent => {
                let before = self.read(place)?;
                let after = list(&[&before[..], &[value]].concat());
                self.push(&Verb::Put { key: &name, labels: vec![], changes: vec![("list", Some(&after))] });
                seen = Some(before);
            }
            Kind::Edges => {
                let key = value.to_string();
                let edge = EdgeKey { from: &name, kind: "T", to: "end", key: &key };
                self.push(&Verb::Link { edge, changes: vec![] });
            }
            Kind::Held => {
                let before = self.read(place)?;
                let edge = |key| EdgeKey { from: &name, kind: "T", to: "end", key };
                if value.is_multiple_of(2) {
                    let (key, more) = (self.held.clone(), list(&[value]));
                    self.push(&Verb::Append { target: Target::Edge(edge(&key)), name: "list", more: &more });
                } else {
                    let (key, after) = (value.to_string(), list(&[&before[..], &[value]].concat()));
                    self.push(&Verb::Remove { key: &name, detach: true });
                    self.push(&Verb::Put { key: &name, labels: vec![], changes: vec![] });
                    self.push(&Verb::Link { edge: edge(&key), changes: vec![("list", Some(&after))] });
                }
                seen = Some(before);
            }
            Kind::Label => {
                let key = format!("{name} {value}");
                self.push(&Verb::Put { key: &key, labels: vec![&name], changes: vec![] });
            }
        }
        Some(seen)
    }

    fn commit(self) -> bool {
        match self.store.commit(&self.transaction, ROOT) {
            Ok(_) => true,
            Err(error) => {
                // An engine that misses the conflict may still find that the edge is gone.
                assert!(matches!(error.code(), Code::Conflict | Code::EdgeMissing), "{error}");
                false
            }
        }
    }
}

fn numbers(encoded: &[u8]) -> Vec<u64> {
    let Value::List(values) = Value::decode(&mut Cursor::new(encoded)).unwrap() else { panic!("no list") };
    let number = |value| if let Value::Integer(number) = value { number as u64 } else { panic!("no number") };
    values.into_iter().map(number).collect()
}

/// Which places are in use, and which value comes next.
struct Plan {
    random: Random,
    /// How often each was appended to, in order of their numbers.
    appends: BTreeMap<Place, u64>,
    next: u64,
}

impl Plan {
    fn new(seed: u64, store: &Store) -> Plan {
        let mut plan = Plan { random: Random::new(seed), appends: BTreeMap::new(), next: 0 };
        let mut client = Client::begin(store, false);
        client.push(&Verb::Put { key: "end", labels: vec![], changes: vec![] });
        // Those that have to be there are there from the beginning; what is never reached does no harm.
        for number in 0..TRANSACTIONS {
            for kind in [Kind::List, Kind::Edges, Kind::Held] {
                client.push(&Verb::Put { key: &name((kind, number)), labels: vec![], changes: vec![] });
            }
            let from = name((Kind::Held, number));
            let edge = EdgeKey { from: &from, kind: "T", to: "end", key: "" };
            client.push(&Verb::Link { edge, changes: vec![] });
        }
        assert!(client.commit());
        plan.appends = KINDS.iter().flat_map(|kind| (0..PLACES).map(|at| ((*kind, at), 0))).collect();
        plan
    }

    /// The steps of a transaction, reads without what they will find.
    fn steps(&mut self) -> Vec<Step> {
        (0..self.random.within(1..6)).map(|_| self.step()).collect()
    }

    fn step(&mut self) -> Step {
        let kind = *self.random.pick(&KINDS);
        let open = self.appends.range((kind, 0)..=(kind, usize::MAX)).rev().take(PLACES);
        let place = *self.random.pick(&open.map(|(place, _)| *place).collect::<Vec<_>>());
        if self.random.chance(1, 2) {
            return Step::Read(place, None);
        }
        self.next += 1;
        let appends = self.appends.get_mut(&place).unwrap();
        *appends += 1;
        if *appends == APPENDS_MAX {
            let newest = *self.appends.range(..=(kind, usize::MAX)).next_back().unwrap().0;
            self.appends.insert((kind, newest.1 + 1), 0);
        }
        Step::Append(place, self.next)
    }
}

/// Carries out one step; false when the transaction cannot be carried out any more.
fn take(client: &mut Client<'_>, step: Step, done: &mut Vec<Step>) -> bool {
    match step {
        Step::Read(place, _) => match client.read(place) {
            Some(found) => done.push(Step::Read(place, Some(found))),
            None => return false,
        },
        Step::Append(place, value) => match client.append(place, value) {
            Some(seen) => {
                done.extend(seen.map(|seen| Step::Read(place, Some(seen))));
                done.push(Step::Append(place, value));
            }
            None => return false,
        },
    }
    true
}

/// Clients whose transactions are long, taking turns at random.
fn in_turns(seed: u64, snapshot_isolation: bool) -> Vec<Event> {
    let store = Store::memory(clock());
    let mut plan = Plan::new(seed, &store);
    let mut clients: Vec<_> = (0..plan.random.within(8..33)).map(|_| None).collect();
    let (mut events, mut begun) = (Vec::new(), 0);
    while begun < TRANSACTIONS || clients.iter().any(Option::is_some) {
        let process = plan.random.below(clients.len());
        let Some((client, waiting, done)) = &mut clients[process] else {
            if begun < TRANSACTIONS {
                begun += 1;
                let steps = plan.steps();
                events.push(Event { kind: "invoke", process, steps: steps.clone() });
                let waiting = steps.into_iter().collect::<std::collections::VecDeque<_>>();
                clients[process] = Some((Client::begin(&store, snapshot_isolation), waiting, Vec::new()));
            }
            continue;
        };
        let steps = waiting.pop_front();
        if steps.is_some_and(|step| take(client, step, done)) {
            continue;
        }
        let whole = waiting.is_empty();
        let (client, _, steps) = clients[process].take().unwrap();
        let kind = if whole && client.commit() { "ok" } else { "fail" };
        events.push(Event { kind, process, steps });
    }
    events
}

/// Clients that are threads, as fast as they can.
fn at_once(seed: u64, snapshot_isolation: bool) -> Vec<Event> {
    const THREADS: usize = 8;
    let store = Store::memory(clock());
    let (plan, events) = (Mutex::new(Plan::new(seed, &store)), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for process in 0..THREADS {
            let (plan, events, store) = (&plan, &events, &store);
            scope.spawn(move || {
                for _ in 0..TRANSACTIONS / THREADS {
                    let steps = plan.lock().unwrap().steps();
                    events.lock().unwrap().push(Event { kind: "invoke", process, steps: steps.clone() });
                    let mut client = Client::begin(store, snapshot_isolation);
                    let mut done = Vec::new();
                    let whole = steps.into_iter().all(|step| take(&mut client, step, &mut done));
                    let kind = if whole && client.commit() { "ok" } else { "fail" };
                    events.lock().unwrap().push(Event { kind, process, steps: done });
                }
            });
        }
    });
    events.into_inner().unwrap()
}

fn clock() -> Arc<dyn Fn() -> i64 + Send + Sync> {
    let clock = LogicalClock::new(1_000_000);
    Arc::new(move || clock.now())
}

/// The history as JSON lines.
fn written(events: &[Event]) -> String {
    let mut members: BTreeMap<Place, BTreeSet<u64>> = BTreeMap::new();
    for step in events.iter().flat_map(|event| &event.steps) {
        if let Step::Append(place, value) = step {
            members.entry(*place).or_default().insert(*value);
        }
    }
    let is_set = |place: &Place| matches!(place.0, Kind::Edges | Kind::Label);
    let mut lines = String::new();
    for Event { kind, process, steps } in events {
        let mut words = Vec::new();
        for step in steps {
            match step {
                Step::Append(place, value) if is_set(place) => {
                    words.push(format!("[\"append\",\"{}/{value}\",{value}]", name(*place)));
                }
                Step::Append(place, value) => {
                    words.push(format!("[\"append\",\"{}\",{value}]", name(*place)))
                }
                Step::Read(place, found) if is_set(place) => {
                    for member in members.get(place).into_iter().flatten() {
                        let read = found.as_ref().map_or("null".into(), |found| {
                            if found.contains(member) { format!("[{member}]") } else { "[]".into() }
                        });
                        words.push(format!("[\"r\",\"{}/{member}\",{read}]", name(*place)));
                    }
                }
                Step::Read(place, found) => {
                    let read = found.as_ref().map_or("null".into(), |found| format!("{found:?}"));
                    words.push(format!("[\"r\",\"{}\",{read}]", name(*place)));
                }
            }
        }
        let value = words.join(",");
        lines += &format!("{{\"type\":\"{kind}\",\"process\":{process},\"value\":[{value}]}}\n");
    }
    lines
}

fn judged(history: &str, model: &str) -> Report {
    let timeout = std::time::Duration::from_secs(20);
    let options = Opts { models: vec![model.into()], timeout, ..Opts::default() };
    check(&History::from_json(history).unwrap(), Workload::ListAppend, &options)
}

#[track_caller]
fn holds(seed: u64, events: &[Event], model: &str) {
    let report = judged(&written(events), model);
    let why = report.anomalies.values().flatten().next().map(|anomaly| anomaly.explanation.clone());
    let why = why.unwrap_or_default();
    assert_eq!(report.valid, Valid::True, "seed {seed} is not {model}: {:?}\n{why}", report.anomaly_types);
}

fn seeds() -> std::ops::Range<u64> {
    let times = std::env::var("KARYON_SEEDS_TIMES").ok().and_then(|times| times.parse::<u64>().ok());
    0..40 * times.unwrap_or(1)
}

#[test]
fn serializable_transactions_have_no_anomaly() {
    for seed in seeds() {
        holds(seed, &in_turns(seed, false), "strict-serializable");
        holds(seed, &at_once(seed, false), "strict-serializable");
    }
}

#[test]
fn under_snapshot_isolation_write_skew_is_the_only_anomaly() {
    let mut skewed = 0;
    for seed in seeds() {
        let events = in_turns(seed, true);
        holds(seed, &events, "strong-snapshot-isolation");
        holds(seed, &at_once(seed, true), "strong-snapshot-isolation");
        let report = judged(&written(&events), "serializable");
        skewed += usize::from(report.anomaly_types.iter().any(|found| found.starts_with("G2")));
    }
    // A workload without any could not tell the two levels apart.
    assert!(skewed > 0, "no history has write skew");
}

#[test]
fn the_histories_have_enough_of_everything() {
    let events = in_turns(0, false);
    let count = |kind| events.iter().filter(|event| event.kind == kind).count();
    assert!(count("ok") > TRANSACTIONS / 8 && count("fail") > TRANSACTIONS / 8, "{}", count("ok"));
    for kind in KINDS {
        let found = |empty: bool| {
            events.iter().filter(|event| event.kind == "ok").flat_map(|event| &event.steps).any(|step| {
                matches!(step, Step::Read(place, Some(found)) if place.0 == kind && found.is_empty() == empty)
            })
        };
        assert!(found(true) && found(false), "{kind:?} is read when it is empty and when it is not");
    }
}
