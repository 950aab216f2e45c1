//! What must hold of any store, whatever has happened to it. Each invariant is one function, and every suite calls these.

use std::collections::BTreeSet;

use karyon_graph::{Direction, Graph, Open, Reader, Slot};
use karyon_history::Progress;
use karyon_model::{Code, EntityId, Seq, Target};
use karyon_model::{put_bytes, put_varint};
use karyon_store::{Moment, Store};
use karyon_testkit::Random;
use karyon_testkit::oracle::FullCopyOracle;
use sha2::{Digest, Sha256};

use crate::footprint::Footprint;
use crate::model::{Place, State, edge_key};
use crate::reading;
use crate::rules::{Declared, Wanted};
use crate::timeline::{CELLS, instant, shown};
use crate::workload::{KINDS, LABELS};

/// What a suite knows of a run: the graph at every version, what each commit touched, and when it was.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    pub oracle: FullCopyOracle<Vec<u8>>,
    /// By version; that of the empty graph touched nothing.
    pub prints: Vec<Footprint>,
    /// By version, µs.
    pub times: Vec<i64>,
    /// By version.
    pub principals: Vec<String>,
    /// By version: the rules that hold from it on.
    pub declared: Vec<Declared>,
    /// The versions that must be kept: all from the first on, and some before it.
    pub kept: (Seq, BTreeSet<Seq>),
    /// How many of the newest versions of each node and edge must be kept.
    pub newest: usize,
}

impl Expected {
    pub fn new() -> Expected {
        let (prints, times) = (vec![Footprint::default()], vec![0]);
        let (principals, declared) = (vec![String::new()], vec![Declared::new()]);
        let (kept, newest) = Default::default();
        Expected { oracle: FullCopyOracle::new(), prints, times, principals, declared, kept, newest }
    }

    /// Whether a version must be kept.
    pub fn keeps(&self, version: Seq) -> bool {
        version == 0 || version >= self.kept.0 || self.kept.1.contains(&version)
    }

    /// Forgets what was lost.
    pub fn truncate(&mut self, version: Seq) {
        self.oracle.truncate(version);
        self.prints.truncate(version as usize + 1);
        self.times.truncate(version as usize + 1);
        self.principals.truncate(version as usize + 1);
        self.declared.truncate(version as usize + 1);
    }
}

pub type Checked = Result<(), String>;

fn said(error: karyon_model::Error) -> String {
    error.to_string()
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, expected: &T) -> Checked {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what}\n   found {found:?}\nexpected {expected:?}"))
}

/// What was acknowledged is never lost, and nothing is there that nobody wrote.
pub fn acknowledged_is_durable(recovered: Seq, acknowledged: Seq, published: Seq) -> Checked {
    if recovered < acknowledged {
        return Err(format!(
            "version {acknowledged} was acknowledged, {recovered} is the newest that is left"
        ));
    }
    if recovered > published {
        return Err(format!("version {recovered} is there, {published} was the newest"));
    }
    Ok(())
}

/// A version shows whole transactions in order, and nothing else: it is what the oracle holds at that version.
pub fn as_of_equals_oracle(store: &Store, expected: &Expected, version: Seq, page: usize) -> Checked {
    let body = store.body().map_err(said)?;
    let graph = &body.graph;
    let mut reader = Reader::at(graph, version, &Open);
    let at = |error: String| format!("as of version {version}: {error}");
    let found = reading::everything(&mut reader, graph.names(), page).map_err(at)?;
    let state = expected.oracle.at(version);
    same(&format!("as of version {version}"), &found.state, state)?;
    for label in LABELS {
        let listed: BTreeSet<_> =
            reading::labelled(&mut reader, Some(label), page).map_err(said)?.into_iter().collect();
        let labelled = state.nodes.iter().filter(|node| node.1.labels.contains(label));
        same(&format!("nodes labelled {label}"), &listed, &labelled.map(|node| node.0.clone()).collect())?;
        same("their count", &reader.count(Some(label), &[], true).map_err(said)?, &listed.len())?;
    }
    let mut random = Random::new(version);
    for _ in 0..8 {
        let wanted = Wanted::any(&mut random, state, &expected.declared[version as usize]);
        let found = reading::wanted(&mut reader, &wanted, page).map_err(said)?;
        let sorted: BTreeSet<_> = found.iter().collect();
        let expected = wanted.nodes(state).into_keys().collect();
        same(&format!("as of version {version}, {wanted:?}"), &sorted, &expected)?;
        same("how many", &found.len(), &expected.len())?;
    }
    for cell in 0..CELLS {
        if random.chance(1, 3) {
            valid_time_equals_oracle(graph, expected, (version, cell), page, &mut random)?;
        }
    }
    same("count of nodes", &reader.count(None, &[], true).map_err(said)?, &state.nodes.len())?;
    for key in state.nodes.keys() {
        for kind in KINDS {
            let edges = state.edges.keys().filter(|edge| edge.from == *key && edge.edge_type == kind);
            let degree = reader.degree(key, Direction::Out, Some(kind)).map_err(said)?;
            same(&format!("degree of {key:?} at version {version}"), &degree, &edges.count())?;
        }
    }
    for (place, changed) in &found.versions {
        let touched = expected.prints[*changed as usize].places().any(|other| other == place);
        let unchanged = (*changed..version).all(|seq| {
            let pair = [expected.oracle.at(seq), expected.oracle.at(seq + 1)];
            match place {
                Place::Node(key) => pair[0].nodes.get(key) == pair[1].nodes.get(key),
                Place::Edge(edge) => pair[0].edges.get(edge) == pair[1].edges.get(edge),
            }
        });
        if !touched || !unchanged {
            return Err(format!(
                "as of version {version}, {place:?} says that {changed} was its last change"
            ));
        }
    }
    Ok(())
}

/// A version shows at an instant of valid time what the oracle holds then.
fn valid_time_equals_oracle(
    graph: &Graph,
    expected: &Expected,
    (version, cell): (Seq, usize),
    page: usize,
    random: &mut Random,
) -> Checked {
    let state = shown(expected.oracle.at(version), cell);
    let what = format!("as of version {version}, valid in cell {cell}");
    let mut reader = Reader::at(graph, version, &Open).valid_at(Some(instant(cell)));
    let found = reading::everything(&mut reader, graph.names(), page)?;
    same(&what, &found.state, &state)?;
    for key in state.nodes.keys() {
        let degree = reader.degree(key, Direction::In, None).map_err(said)?;
        let edges = state.edges.keys().filter(|edge| edge.to == *key);
        same(&format!("{what}, degree of {key:?}"), &degree, &edges.count())?;
        let mut neighbours = 0;
        let count = &mut |_| neighbours += 1;
        reader.visit_neighbours(key, Direction::In, None, usize::MAX, count).map_err(said)?;
        same(&format!("{what}, neighbours of {key:?}"), &neighbours, &degree)?;
    }
    for _ in 0..4 {
        let wanted = Wanted::any(random, &state, &expected.declared[version as usize]);
        let found = reading::wanted(&mut reader, &wanted, page).map_err(said)?;
        let sorted: BTreeSet<_> = found.iter().collect();
        same(&format!("{what}, {wanted:?}"), &sorted, &wanted.nodes(&state).into_keys().collect())?;
        same("how many", &found.len(), &sorted.len())?;
    }
    Ok(())
}

/// The digest is the documented hash of what the oracle holds.
pub fn digest_is_canonical(store: &Store, expected: &Expected, version: Seq) -> Checked {
    let digest = store.body().map_err(said)?.graph.digest_in(0, version).map_err(said)?;
    same(&format!("digest of version {version}"), &digest, &canonical_digest(expected.oracle.at(version)))
}

/// The hash that the graph's documentation describes.
pub fn canonical_digest(state: &State) -> [u8; 32] {
    let mut out = vec![1];
    let put_props = |out: &mut Vec<u8>, props: &std::collections::BTreeMap<String, Vec<u8>>| {
        put_varint(out, props.len() as u64);
        for (name, value) in props {
            put_bytes(out, name.as_bytes());
            out.extend_from_slice(value);
        }
    };
    for (key, node) in &state.nodes {
        out.push(b'N');
        put_bytes(&mut out, key.as_bytes());
        put_varint(&mut out, node.labels.len() as u64);
        node.labels.iter().for_each(|label| put_bytes(&mut out, label.as_bytes()));
        put_props(&mut out, &node.props);
    }
    for (edge, props) in &state.edges {
        out.push(b'E');
        for text in [&edge.from, &edge.edge_type, &edge.to, &edge.key] {
            put_bytes(&mut out, text.as_bytes());
        }
        put_props(&mut out, props);
    }
    Sha256::digest(&out).into()
}

/// No edge dangles; both ends list every edge; label lists and counts are right.
pub fn structure_holds(store: &Store, version: Seq) -> Checked {
    store.body().map_err(said)?.graph.audit_in(0, version).map(drop).map_err(said)
}

/// The chain of frames verifies; a replay of the whole log gives the same digest and the same sealed chapters.
pub fn replay_gives_the_same(store: &Store, expected: &Expected) -> Checked {
    let verified = store.verify().map_err(said)?;
    same("version that was verified", &verified.version, &store.durable())?;
    let state = expected.oracle.at(verified.version);
    same(
        "counts that were verified",
        &(verified.nodes, verified.edges),
        &(state.nodes.len(), state.edges.len()),
    )?;
    same("digest that was verified", &verified.digest, &canonical_digest(state))
}

/// One change: the version, the slot, what it held before and after.
type SlotChange = (Seq, String, Option<Vec<u8>>, Option<Vec<u8>>);

/// The past of every node and edge is what the oracle's versions say, change by change.
pub fn past_equals_oracle(store: &Store, expected: &Expected) -> Checked {
    let durable = store.durable();
    let body = store.body().map_err(said)?;
    let graph = &body.graph;
    let mut places: BTreeSet<Place> = BTreeSet::new();
    for version in 1..=durable {
        let state = expected.oracle.at(version);
        places.extend(state.nodes.keys().cloned().map(Place::Node));
        places.extend(state.edges.keys().cloned().map(Place::Edge));
    }
    for place in places {
        let id = match &place {
            Place::Node(key) => graph.node_id(key).map(EntityId::Node),
            Place::Edge(edge) => graph.id_of(&Target::Edge(edge_key(edge))),
        };
        let id = id.ok_or(format!("{place:?} has no number"))?;
        let mut found: Vec<SlotChange> = Vec::new();
        let mut order = Seq::MAX;
        let mut disorder = false;
        let visited = graph.visit_changes((0, id), (0, durable), &mut |change| {
            disorder |= change.seq > order;
            order = change.seq;
            let slot = match change.slot {
                Slot::Existence => "existence".to_owned(),
                Slot::Label(name) => format!("label {}", graph.names().text(name)),
                Slot::Property(name) => format!("property {}", graph.names().text(name)),
            };
            let bytes = |value: Option<karyon_graph::Encoded>| value.map(|value| value.to_vec());
            found.push((change.seq, slot, bytes(change.before), bytes(change.after)));
            Ok(true)
        });
        // What is not kept is told as that, after everything that is.
        let oldest = match visited {
            Err(error) if error.code() == Code::Horizon => found.last().map_or(Seq::MAX, |change| change.0),
            visited => visited.map(|()| 0).map_err(said)?,
        };
        if disorder {
            return Err(format!("the past of {place:?} is out of order: {found:?}"));
        }
        // A place that one commit removes and makes anew has begun a new life, with nothing to compare.
        found.retain(|change| {
            let renewed = change.1 == "existence" && change.2.is_some() && change.3.is_some();
            !(renewed && expected.prints[change.0 as usize].whole(&place))
        });
        found.sort();
        let mut changes = changes_of(&place, expected, durable);
        let versions: BTreeSet<_> = changes.iter().map(|change| change.0).collect();
        let newest = versions.iter().rev().take(expected.newest);
        for version in newest.chain(versions.iter().filter(|version| **version > expected.kept.0)) {
            if *version < oldest && *version > expected.kept.0 {
                return Err(format!(
                    "the past of {place:?} is told from version {oldest} on, and not {version}"
                ));
            }
            same_at(graph, expected, &place, *version)?;
        }
        changes.retain(|change| change.0 >= oldest);
        same(&format!("past of {place:?}"), &found, &changes)?;
    }
    Ok(())
}

/// A node is at a version what the oracle says.
fn same_at(graph: &Graph, expected: &Expected, place: &Place, version: Seq) -> Checked {
    let Place::Node(key) = place else { return Ok(()) };
    let found = reading::node(&mut Reader::at(graph, version, &Open), graph.names(), key).map_err(said)?;
    let state = expected.oracle.at(version);
    same(
        &format!("{key:?} at version {version}"),
        &found.map(|found| found.0),
        &state.nodes.get(key).cloned(),
    )
}

/// What is not kept is told as that, or as it was.
fn never_wrong(store: &Store, expected: &Expected, version: Seq) -> Checked {
    let body = store.body().map_err(said)?;
    let (graph, state) = (&body.graph, expected.oracle.at(version));
    let mut reader = Reader::at(graph, version, &Open);
    let told = |error: karyon_model::Error| match error.code() {
        Code::Horizon => Ok(()),
        _ => Err(error.to_string()),
    };
    let what = format!("as of version {version}, which need not be kept");
    for (key, node) in &state.nodes {
        match reading::node(&mut reader, graph.names(), key) {
            Ok(found) => same(&what, &found.map(|found| found.0).as_ref(), &Some(node))?,
            Err(error) => told(error)?,
        }
        match reading::edges(&mut reader, graph.names(), key, Direction::Out, None, 3) {
            Ok(found) => {
                let found: BTreeSet<_> = found.into_iter().map(|edge| edge.0).collect();
                let edges = state.edges.keys().filter(|edge| edge.from == *key);
                same(&what, &found, &edges.cloned().collect())?;
            }
            Err(error) => told(error)?,
        }
    }
    for label in [None].into_iter().chain(LABELS.map(Some)) {
        match reading::labelled(&mut reader, label, 3) {
            Ok(found) => {
                let nodes =
                    state.nodes.iter().filter(|node| label.is_none_or(|label| node.1.labels.contains(label)));
                same(
                    &what,
                    &found.into_iter().collect::<BTreeSet<_>>(),
                    &nodes.map(|node| node.0.clone()).collect(),
                )?;
            }
            Err(error) => told(error)?,
        }
    }
    Ok(())
}

fn changes_of(place: &Place, expected: &Expected, until: Seq) -> Vec<SlotChange> {
    let slots = |version: Seq| {
        let state = expected.oracle.at(version);
        let mut slots = std::collections::BTreeMap::new();
        if let Some(props) = place.props(state) {
            slots.insert("existence".to_owned(), Vec::new());
            slots.extend(props.iter().map(|(name, value)| (format!("property {name}"), value.clone())));
        }
        if let Place::Node(key) = place
            && let Some(node) = state.nodes.get(key)
        {
            slots.extend(node.labels.iter().map(|label| (format!("label {label}"), Vec::new())));
        }
        slots
    };
    let mut changes = Vec::new();
    for version in 1..=until {
        let (before, after) = (slots(version - 1), slots(version));
        let names: BTreeSet<_> = before.keys().chain(after.keys()).cloned().collect();
        for name in names {
            let pair = (before.get(&name).cloned(), after.get(&name).cloned());
            if pair.0 != pair.1 {
                changes.push((version, name, pair.0, pair.1));
            }
        }
    }
    changes.sort();
    changes
}

/// Times rise with versions; each commit's row says who and when; a time stands for the newest commit at or before it.
pub fn commits_are_indexed(store: &Store, expected: &Expected) -> Checked {
    let durable = store.durable();
    for version in 1..=durable {
        let time = store.time_of(version).map_err(said)?;
        same(&format!("time of version {version}"), &time, &expected.times[version as usize])?;
        let at = |micros| store.resolve(Moment::Time(micros), store.durable()).map_err(said);
        same("version at its own time", &at(time)?, &version)?;
        same("version just before", &at(time - 1)?, &(version - 1))?;
        let body = store.body().map_err(said)?;
        let principal = body.commits.read(version, |commit| commit.header.principal).map_err(said)?;
        let principal = principal.ok_or(format!("version {version} is not in the index"))?;
        let principal = body.graph.names().text(principal).to_string();
        same(&format!("author of version {version}"), &principal, &expected.principals[version as usize])?;
    }
    Ok(())
}

/// Everything above, for a store whose index of the past is ready.
pub fn everything_holds(store: &Store, expected: &Expected, page: usize) -> Checked {
    same("index of the past", &store.progress(), &Progress::Ready)?;
    let durable = store.durable();
    for version in 0..=durable {
        if !expected.keeps(version) {
            never_wrong(store, expected, version)?;
            continue;
        }
        as_of_equals_oracle(store, expected, version, page)?;
        structure_holds(store, version)?;
    }
    for version in [durable / 3, durable / 2, durable].into_iter().filter(|version| expected.keeps(*version))
    {
        digest_is_canonical(store, expected, version)?;
    }
    past_equals_oracle(store, expected)?;
    commits_are_indexed(store, expected)?;
    replay_gives_the_same(store, expected)
}
