//! The store and the model side by side: transactions that overlap in time, own writes, conflicts, refusals.

use std::collections::BTreeSet;
use std::sync::Arc;

use karyon_graph::{Declaration, Direction, Open, Purpose, Reader, Transaction};
use karyon_model::{Code, Rules, Seq};
use karyon_store::{Author, Committed, Options, Retention, Store};
use karyon_testkit::disk::SimDisk;
use karyon_testkit::{LogicalClock, Random};

use crate::footprint::{Footprint, Read, Verdict, verdict};
use crate::invariants::{self, Checked, Expected};
use crate::model::{Place, State, Step, batch, carry_out, changes, edge_key};
use crate::rules::{Declared, Wanted, broken};
use crate::workload::{self, KINDS, LABELS, NAMES};
use crate::{reading, rig};

const OPEN_TRANSACTIONS_MAX: usize = 4;
const PRINCIPALS: [&str; 3] = ["root", "root/alice", "root/mallory"];
/// Actions that a failure shows.
const SHOWN: usize = 16;

struct Running {
    transaction: Transaction,
    steps: Vec<Step>,
    /// What its own reads show, or the code with which they fail since a step that cannot be carried out.
    own: Result<State, Code>,
    seen: BTreeSet<Read>,
    claimed: BTreeSet<Read>,
    /// Steps that reads have looked through.
    looked_through: usize,
}

/// How commits reach the store. The broken ways are there to show that the checks notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commits {
    Honest,
    /// With the newest snapshot and nothing read: nothing is validated.
    Forged,
}

pub struct Driver {
    random: Random,
    pub expected: Expected,
    pub disk: SimDisk,
    pub clock: Arc<LogicalClock>,
    pub store: Arc<Store>,
    running: Vec<Running>,
    commits: Commits,
    /// What was done, for the story of a failure.
    pub trace: Vec<String>,
    /// (operations of the disk, version that was durable after them).
    pub acknowledged: Vec<(usize, Seq)>,
    pub conflicts: usize,
    pub refusals: usize,
    /// The version of the newest checkpoint.
    checkpointed: Seq,
    /// The commit that told of the newest archive.
    archived: Seq,
}

impl Driver {
    pub fn new(seed: u64, commits: Commits) -> Driver {
        Driver::on(SimDisk::new(), seed, commits)
    }

    /// On a disk that has nothing yet, perhaps not an honest one.
    pub fn on(disk: SimDisk, seed: u64, commits: Commits) -> Driver {
        let clock = Arc::new(LogicalClock::new(1_000_000));
        let store = Store::open(options(&disk, &clock)).unwrap().0;
        Driver {
            random: Random::new(seed),
            expected: Expected::new(),
            disk,
            clock,
            store,
            running: Vec::new(),
            commits,
            trace: Vec::new(),
            acknowledged: Vec::new(),
            conflicts: 0,
            refusals: 0,
            checkpointed: 0,
            archived: 0,
        }
    }

    /// Does random things. The first that goes wrong is the end; the story has all that led to it.
    pub fn run(&mut self, rounds: usize) -> Checked {
        for round in 0..rounds {
            self.round().map_err(|error| {
                let from = self.trace.len().saturating_sub(SHOWN);
                format!("round {round}: {error}\nafter\n{}", self.trace[from..].join("\n"))
            })?;
        }
        Ok(())
    }

    /// One thing that does not close the store.
    pub fn round(&mut self) -> Checked {
        match self.random.below(20) {
            0 | 1 => {
                let step = self.random.within(0..200) as i64 - 60;
                self.clock.advance(step);
                Ok(())
            }
            2..=6 => self.begin(),
            7..=8 => self.ask(),
            9..=12 => self.look(),
            13..=16 => self.commit(),
            17 => self.write_frame(),
            18 if self.random.chance(1, 3) => self.declare(),
            18 => self.write_frame(),
            _ => self.drop_one(),
        }
    }

    pub fn begin(&mut self) -> Checked {
        if self.running.len() >= OPEN_TRANSACTIONS_MAX {
            return self.commit();
        }
        let transaction = self.store.begin().map_err(|error| error.to_string())?;
        let own = Ok(self.expected.oracle.at(transaction.snapshot()).clone());
        self.trace.push(format!("begin at {}", transaction.snapshot()));
        self.running.push(Running {
            transaction,
            steps: Vec::new(),
            own,
            seen: BTreeSet::new(),
            claimed: BTreeSet::new(),
            looked_through: 0,
        });
        self.ask()
    }

    fn drop_one(&mut self) -> Checked {
        if !self.running.is_empty() {
            let at = self.random.below(self.running.len());
            self.running.swap_remove(at);
        }
        Ok(())
    }

    /// Adds verbs to a transaction.
    fn ask(&mut self) -> Checked {
        if self.running.is_empty() {
            return self.begin();
        }
        let at = self.random.below(self.running.len());
        let running = &mut self.running[at];
        let state = running.own.clone().unwrap_or_default();
        let steps = workload::steps(&mut self.random, &state);
        running.transaction.push(&batch(&steps)).map_err(|error| error.to_string())?;
        self.trace.push(format!("transaction of {}: {steps:?}", running.transaction.snapshot()));
        if let Ok(own) = &running.own {
            running.own = carry_out(&steps, own).map(|done| done.1);
        }
        running.steps.extend(steps);
        Ok(())
    }

    /// Reads through a transaction, which sees its own writes.
    fn look(&mut self) -> Checked {
        if self.running.is_empty() {
            return Ok(());
        }
        let at = self.random.below(self.running.len());
        let random = &mut self.random;
        let running = &mut self.running[at];
        running.claim(&self.expected);
        let body = self.store.body().map_err(|error| error.to_string())?;
        let (graph, names) = (&body.graph, body.graph.names());
        let snapshot = running.transaction.snapshot();
        let mut reader = match Reader::through(graph, &mut running.transaction, &Open) {
            Ok(reader) => reader,
            Err(error) => {
                // What it asks for cannot be carried out at its snapshot: its reads say so, and it is of no more use here.
                let expected = running.own.as_ref().err().copied();
                drop(body);
                self.running.swap_remove(at);
                return same_code("a read through a transaction", error.code(), expected);
            }
        };
        let Ok(own) = &running.own else {
            return Err("a read through a transaction that cannot be carried out has an answer".into());
        };
        let said = |error: karyon_model::Error| error.to_string();
        let page = 1 + random.below(4);
        let differs = |what: &str, found: String, expected: String| {
            if found == expected {
                return Ok(());
            }
            Err(format!(
                "through the transaction of {snapshot}, {what}\n   found {found}\nexpected {expected}"
            ))
        };
        match random.below(8) {
            6 | 7 => {
                let declared = &self.expected.declared[snapshot as usize];
                let wanted = Wanted::any(random, own, declared);
                let found = reading::wanted(&mut reader, &wanted, page).map_err(said)?;
                let sorted: BTreeSet<&String> = found.iter().collect();
                let expected: BTreeSet<&String> = wanted.nodes(own).into_keys().collect();
                differs(&format!("{wanted:?}"), format!("{sorted:?}"), format!("{expected:?}"))?;
                differs("how many nodes", found.len().to_string(), expected.len().to_string())?;
                let all = self.expected.oracle.at(snapshot).nodes.keys().cloned();
                running.claimed.extend(all.map(|key| Read::Place(Place::Node(key))));
                running.seen.insert(Read::Where(wanted));
            }
            0 | 1 => {
                let key = workload::key(random);
                let found = reading::node(&mut reader, names, &key).map_err(said)?.map(|found| found.0);
                differs(&key, format!("{found:?}"), format!("{:?}", own.nodes.get(&key).cloned()))?;
                running.seen.insert(Read::Place(Place::Node(key)));
            }
            2 => {
                let edge = workload::edge(random, own);
                let mut found = false;
                reader.visit_edge(&edge_key(&edge), &mut |_| found = true).map_err(said)?;
                differs("an edge", found.to_string(), own.edges.contains_key(&edge).to_string())?;
                running.seen.insert(Read::Place(Place::Edge(edge)));
            }
            3 | 4 => {
                let (key, out) = (workload::key(random), random.chance(1, 2));
                let kind = random.chance(1, 2).then(|| (*random.pick(&KINDS)).to_owned());
                let direction = if out { Direction::Out } else { Direction::In };
                let wanted = |edge: &karyon_testkit::oracle::EdgeName| {
                    let end = if out { &edge.from } else { &edge.to };
                    *end == key && kind.as_ref().is_none_or(|kind| edge.edge_type == *kind)
                };
                let expected: Vec<_> = own.edges.iter().filter(|edge| wanted(edge.0)).collect();
                if random.chance(1, 3) {
                    let degree = reader.degree(&key, direction, kind.as_deref()).map_err(said)?;
                    differs("a degree", degree.to_string(), expected.len().to_string())?;
                } else {
                    let mut found =
                        reading::edges(&mut reader, names, &key, direction, kind.as_deref(), page)
                            .map_err(said)?;
                    found.sort();
                    let found: Vec<_> = found.iter().map(|edge| (&edge.0, &edge.1)).collect();
                    differs("edges", format!("{found:?}"), format!("{expected:?}"))?;
                }
                // Those of its snapshot were looked at one by one, also to count them beside own writes.
                let snapshot = self.expected.oracle.at(snapshot);
                let read = snapshot.edges.keys().filter(|edge| wanted(edge) && own.edges.contains_key(edge));
                running.claimed.extend(read.cloned().map(|edge| Read::Place(Place::Edge(edge))));
                running.seen.insert(Read::Edges { key, out, kind });
            }
            _ => {
                let label = random.chance(2, 3).then(|| *random.pick(&LABELS));
                let wanted =
                    |node: &&String| label.is_none_or(|label| own.nodes[*node].labels.contains(label));
                let expected: BTreeSet<String> = own.nodes.keys().filter(wanted).cloned().collect();
                if random.chance(1, 3) {
                    let count = reader.count(label, &[], true).map_err(said)?;
                    differs("a count", count.to_string(), expected.len().to_string())?;
                } else {
                    let found = reading::labelled(&mut reader, label, page).map_err(said)?;
                    let sorted: BTreeSet<String> = found.iter().cloned().collect();
                    differs("nodes", format!("{sorted:?}"), format!("{expected:?}"))?;
                    differs("how many nodes", found.len().to_string(), expected.len().to_string())?;
                }
                // A scan that has to look at each node has read each.
                let all = self.expected.oracle.at(snapshot).nodes.keys().cloned();
                running.claimed.extend(all.map(|key| Read::Place(Place::Node(key))));
                running.seen.insert(label.map_or(Read::Nodes, |label| Read::Label(label.to_owned())));
            }
        }
        Ok(())
    }

    /// Commits a transaction; the model says beforehand what may come of it.
    pub fn commit(&mut self) -> Checked {
        if self.running.is_empty() {
            return Ok(());
        }
        let at = self.random.below(self.running.len());
        let mut running = self.running.swap_remove(at);
        let snapshot = running.transaction.snapshot();
        let principal = *self.random.pick(&PRINCIPALS);
        let author =
            Author { principal, incarnation: 3, cause: (snapshot > 0).then_some(snapshot), gate: &Open };
        let before = self.expected.oracle.newest().clone();
        let newest = self.expected.oracle.version();
        let versions: Vec<&State> = (snapshot..=newest).map(|seq| self.expected.oracle.at(seq)).collect();
        let prints: Vec<&Footprint> = self.expected.prints[snapshot as usize + 1..].iter().collect();
        let verdict = verdict(&running.steps, &running.seen, &running.claimed, &versions, &prints);
        if self.commits == Commits::Forged {
            running.transaction = Transaction::new(newest);
            running.transaction.push(&batch(&running.steps)).map_err(|error| error.to_string())?;
        }
        let declared = self.declared().clone();
        let outcome = self.store.commit(&running.transaction, author);
        self.trace.push(format!("commit of {snapshot} over {newest}: {outcome:?}"));
        let conflicted = outcome.as_ref().is_err_and(|error| error.code() == Code::Conflict);
        match verdict {
            Verdict::Must if !conflicted => {
                return Err(format!("the transaction of {snapshot} had to conflict: {:?}", running.steps));
            }
            Verdict::MustNot if conflicted => {
                return Err(format!("the transaction of {snapshot} had nothing to conflict with"));
            }
            _ if conflicted => {
                self.conflicts += 1;
                return self.unchanged(newest);
            }
            _ => {}
        }
        if running.steps.is_empty() {
            return match outcome {
                Ok(committed) if committed.seq == snapshot => Ok(()),
                other => Err(format!("a transaction that wrote nothing: {other:?}")),
            };
        }
        match (outcome, carry_out(&running.steps, &before)) {
            (Err(error), Ok((_, after))) if broken(&after, &declared).contains(error.code().as_str()) => {
                self.refusals += 1;
                self.unchanged(newest)
            }
            (Ok(_), Ok((_, after))) if !broken(&after, &declared).is_empty() => {
                Err(format!("a commit went through that breaks {:?}", broken(&after, &declared)))
            }
            (Err(error), expected) => {
                self.refusals += 1;
                same_code("a commit", error.code(), expected.err())?;
                self.unchanged(newest)
            }
            (Ok(_), Err(code)) => Err(format!("a commit that had to be refused with {code:?} went through")),
            (Ok(committed), Ok(_)) if !changes(&running.steps, &before) => {
                if (committed.seq, committed.time) != (newest, self.expected.times[newest as usize]) {
                    return Err(format!("nothing was to change after version {newest}, {committed:?} came"));
                }
                self.unchanged(newest)
            }
            (Ok(committed), Ok((verbs, _))) => {
                let seq = self.expected.oracle.apply(&verbs).expect("the model has carried it out already");
                if committed.seq != seq || committed.time <= self.expected.times[seq as usize - 1] {
                    return Err(format!("version {seq} was due, {committed:?} came"));
                }
                self.record(committed, principal, Footprint::of(&running.steps, &before), declared);
                Ok(())
            }
        }
    }

    fn record(&mut self, committed: Committed, principal: &str, print: Footprint, declared: Declared) {
        self.expected.prints.push(print);
        self.expected.times.push(committed.time);
        self.expected.principals.push(principal.to_owned());
        self.expected.declared.push(declared);
    }

    /// The rules that hold now.
    fn declared(&self) -> &Declared {
        &self.expected.declared[self.expected.oracle.version() as usize]
    }

    /// Has other rules hold for a property of a label.
    pub fn declare(&mut self) -> Checked {
        let (newest, random) = (self.expected.oracle.version(), &mut self.random);
        let (label, property) = (random.pick(&LABELS).to_string(), random.pick(&NAMES).to_string());
        let indexed = random.chance(3, 4);
        let rules = Rules { indexed, unique: indexed && random.chance(1, 6), required: random.chance(1, 12) };
        let mut declared = self.declared().clone();
        declared.insert((label.clone(), property.clone()), rules);
        let broken = broken(self.expected.oracle.newest(), &declared);
        let same =
            self.declared().get(&(label.clone(), property.clone())).copied().unwrap_or_default() == rules;
        let declaration = Declaration { label: label.clone(), property, rules };
        self.trace.push(format!("{declaration:?}"));
        let transaction = Transaction::with(newest, Purpose::Declare(declaration));
        let author = Author { principal: PRINCIPALS[0], incarnation: 0, cause: None, gate: &Open };
        match self.store.commit(&transaction, author) {
            Err(error) if broken.contains(error.code().as_str()) => self.unchanged(newest),
            Ok(committed) if broken.is_empty() && same && committed.seq == newest => self.unchanged(newest),
            Ok(committed) if broken.is_empty() && !same && committed.seq == newest + 1 => {
                self.expected.oracle.apply(&[]).expect("nothing is refused");
                self.record(committed, PRINCIPALS[0], Footprint::of_rules(&label), declared);
                Ok(())
            }
            other => Err(format!("{other:?} after {newest}, {broken:?} {same}")),
        }
    }

    /// Lets go of some of the past. What must stay is known from what was asked for alone.
    pub fn compact(&mut self) -> Checked {
        self.settle()?;
        let (newest, random) = (self.expected.oracle.version(), &mut self.random);
        let mut version = || random.below(newest as usize + 1) as Seq;
        let pins: Vec<_> = (0..3).map(|_| version()).collect();
        let since = version();
        let since = if random.chance(1, 2) { newest } else { since };
        let every = *random.pick(&[0, 0, 150, 5_000]);
        let versions = *random.pick(&[0, 0, 3, 20, 60]);
        let retention = Retention { since, versions, every };
        let archived = rig::compact_with(&self.store, &retention, &pins);
        self.trace.push(format!("{retention:?}, {pins:?}: {archived:?}"));
        let archived = archived.map_err(|error| error.to_string())?;
        if archived.since > since.max(self.expected.kept.0) || archived.since < self.expected.kept.0 {
            return Err(format!("{archived:?} of {retention:?} after {:?}", self.expected.kept));
        }
        if archived.committed.seq > newest {
            self.archived = archived.committed.seq;
            let declared = self.declared().clone();
            self.expected.oracle.apply(&[]).expect("nothing is refused");
            self.record(archived.committed, "root", Footprint::default(), declared);
            let expected = &self.expected;
            let last_of_span = |version: &Seq| {
                let span = |version: Seq| expected.times[version as usize].div_euclid(every as i64);
                every > 0 && span(*version) != span(version + 1)
            };
            let kept = (1..archived.since).filter(|version| expected.keeps(*version));
            let kept = kept.filter(|version| pins.contains(version) || last_of_span(version));
            let kept = kept.collect();
            let before = if expected.kept.0 == 0 { versions } else { expected.newest };
            (self.expected.newest, self.expected.kept) = (versions.min(before), (archived.since, kept));
        }
        self.acknowledged.push((self.disk.operations(), self.store.durable()));
        Ok(())
    }

    /// Erases a node that is or was there.
    pub fn erase(&mut self) -> Checked {
        self.settle()?;
        let newest = self.expected.oracle.version();
        let version = self.random.below(newest as usize + 1) as Seq;
        let keys: Vec<_> = self.expected.oracle.at(version).nodes.keys().cloned().collect();
        if keys.is_empty() {
            return Ok(());
        }
        let key = self.random.pick(&keys).clone();
        let before = self.expected.oracle.newest().clone();
        let archived = self.store.erase(&key, rig::ROOT);
        self.trace.push(format!("erase {key:?}: {archived:?}"));
        let archived = archived.map_err(|error| error.to_string())?;
        self.archived = archived.committed.seq;
        let step = Step::Remove { key: key.clone(), detach: true };
        self.expected.oracle.erase(&key);
        for version in newest + 1..=archived.committed.seq {
            let declared = self.declared().clone();
            self.expected.oracle.apply(&[]).expect("nothing is refused");
            let time = self.store.time_of(version).map_err(|error| error.to_string())?;
            let print = Footprint::of(std::slice::from_ref(&step), &before);
            self.record(Committed { seq: version, time }, "root", print, declared);
        }
        self.acknowledged.push((self.disk.operations(), self.store.durable()));
        let unique = key.len() >= 8;
        let holds = |bytes: &[u8]| unique && bytes.windows(key.len()).any(|part| part == key.as_bytes());
        let left: Vec<_> =
            self.disk.files().into_iter().filter(|file| holds(&file.1)).map(|file| file.0).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("{key:?} is still in {left:?}")) }
    }

    /// A refused commit leaves nothing.
    fn unchanged(&mut self, head: Seq) -> Checked {
        let found = self.store.body().map_err(|error| error.to_string())?.graph.head();
        if found != head {
            return Err(format!("a refused commit moved the head from {head} to {found}"));
        }
        if self.random.chance(1, 3) {
            invariants::as_of_equals_oracle(&self.store, &self.expected, head, 3)?;
            invariants::structure_holds(&self.store, head)?;
        }
        Ok(())
    }

    pub fn write_frame(&mut self) -> Checked {
        self.store.write_frame().map_err(|error| error.to_string())?;
        self.trace.push(format!("frame up to {}", self.store.durable()));
        self.acknowledged.push((self.disk.operations(), self.store.durable()));
        Ok(())
    }

    pub fn checkpoint(&mut self) -> Checked {
        let version = self.store.checkpoint().map_err(|error| error.to_string())?;
        self.trace.push(format!("checkpoint of {version:?}"));
        self.checkpointed = version.unwrap_or(self.checkpointed);
        self.acknowledged.push((self.disk.operations(), self.store.durable()));
        Ok(())
    }

    /// Closes in good order, or dies, and opens again.
    pub fn reopen(&mut self, cleanly: bool) -> Checked {
        self.running.clear();
        let said = |error: karyon_model::Error| error.to_string();
        if cleanly {
            self.store.close().map_err(said)?;
            self.acknowledged.push((self.disk.operations(), self.expected.oracle.version()));
        }
        let durable = self.store.durable();
        let written = self.store.stats().map_err(said)?.frames > 0;
        // The old store goes before the new one comes: its lock goes with it.
        self.store = Store::memory(Arc::new(|| 0));
        let (store, recovery) = Store::open(options(&self.disk, &self.clock)).map_err(said)?;
        self.store = store;
        self.trace.push(format!("reopened ({cleanly}): {recovery:?}"));
        // A sudden end is one only for who has written since the last clean one.
        let sealed = cleanly || (!written && recovery.sealed);
        // An archive stands for what a checkpoint before it began with.
        let overtaken = self.archived >= self.checkpointed && recovery.checkpoint == 0;
        let believed = recovery.checkpoint == self.checkpointed || overtaken;
        if recovery.sealed != sealed || recovery.cut.is_some() || recovery.created || !believed {
            return Err(format!("after a {} end: {recovery:?}", if cleanly { "clean" } else { "sudden" }));
        }
        let least = if cleanly { self.expected.oracle.version() } else { durable };
        invariants::acknowledged_is_durable(self.store.durable(), least, least)?;
        self.expected.truncate(self.store.durable());
        Ok(())
    }

    /// Ends every transaction and makes all durable.
    pub fn settle(&mut self) -> Checked {
        while !self.running.is_empty() {
            self.commit()?;
        }
        while self.store.durable() < self.expected.oracle.version() {
            self.write_frame()?;
        }
        Ok(())
    }
}

impl Running {
    /// What the store looks at to show a transaction its own writes counts as read.
    fn claim(&mut self, expected: &Expected) {
        let snapshot = expected.oracle.at(self.transaction.snapshot());
        for step in &self.steps[self.looked_through..] {
            let print = Footprint::of(std::slice::from_ref(step), snapshot);
            self.claimed.extend(print.places().cloned().map(Read::Place));
            match step.plain() {
                Step::Within { .. } => unreachable!("it is not plain"),
                Step::Link { edge, .. } | Step::Unlink { edge } => {
                    let ends = [edge.from.clone(), edge.to.clone()];
                    self.claimed.extend(ends.map(|key| Read::Place(Place::Node(key))));
                    self.claimed.insert(Read::Place(Place::Edge(edge.clone())));
                }
                Step::Remove { key, .. } => {
                    for out in [true, false] {
                        self.claimed.insert(Read::Edges { key: key.clone(), out, kind: None });
                    }
                }
                Step::Patch { place, .. }
                | Step::Increment { place, .. }
                | Step::Append { place, .. }
                | Step::Splice { place, .. } => {
                    self.claimed.insert(Read::Place(place.clone()));
                }
                Step::Put { key, .. } => {
                    self.claimed.insert(Read::Place(Place::Node(key.clone())));
                }
            }
        }
        self.looked_through = self.steps.len();
    }
}

fn options(disk: &SimDisk, clock: &Arc<LogicalClock>) -> Options {
    rig::options(Arc::new(disk.clone()), clock)
}

fn same_code(what: &str, found: Code, expected: Option<Code>) -> Checked {
    if Some(found) == expected {
        return Ok(());
    }
    Err(format!("{what} was refused with {found:?}, the model says {expected:?}"))
}
