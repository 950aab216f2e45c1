//! What a commit may have touched, and so which transactions must, may or must not conflict with it.
//!
//! Between two versions that differ in what a transaction has read or writes, it must be refused. Where nothing of it was
//! touched at all, it must not be. In between (touched, and left as it was) either answer is right.

use std::collections::{BTreeMap, BTreeSet};

use karyon_testkit::oracle::EdgeName;

use crate::model::{Place, State, Step};
use crate::rules::Wanted;
use crate::timeline::HOLDS;

/// One slot of a node or edge.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    Existence,
    Label(String),
    Property(String),
}

/// What a transaction has read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Read {
    Place(Place),
    Edges { key: String, out: bool, kind: Option<String> },
    Label(String),
    Where(Wanted),
    Nodes,
}

/// What a commit may have touched.
#[derive(Clone, Debug, Default)]
pub struct Footprint {
    parts: BTreeMap<Place, BTreeSet<Part>>,
    /// Places of which everything may have been touched.
    whole: BTreeSet<Place>,
    /// (node, leaves it, type).
    lists: BTreeSet<(String, bool, String)>,
    labels: BTreeSet<String>,
    nodes: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Must,
    May,
    MustNot,
}

impl Footprint {
    pub fn of(steps: &[Step], before: &State) -> Footprint {
        let mut print = Footprint::default();
        for step in steps {
            print.add(step, before);
        }
        let relabelled: Vec<String> = print
            .parts
            .values()
            .flatten()
            .filter_map(|part| if let Part::Label(label) = part { Some(label.clone()) } else { None })
            .collect();
        print.labels.extend(relabelled);
        print
    }

    /// That of a commit that declares rules for a label.
    pub fn of_rules(label: &str) -> Footprint {
        Footprint { labels: BTreeSet::from([label.to_owned()]), ..Footprint::default() }
    }

    pub fn places(&self) -> impl Iterator<Item = &Place> {
        self.parts.keys()
    }

    pub fn whole(&self, place: &Place) -> bool {
        self.whole.contains(place)
    }

    fn part(&mut self, place: &Place, part: Part) {
        self.parts.entry(place.clone()).or_default().insert(part);
    }

    fn props<'a>(&mut self, place: &Place, names: impl Iterator<Item = &'a String>) {
        self.parts.entry(place.clone()).or_default().extend(names.cloned().map(Part::Property));
    }

    fn lists_of(&mut self, edge: &EdgeName) {
        self.lists.insert((edge.from.clone(), true, edge.edge_type.clone()));
        self.lists.insert((edge.to.clone(), false, edge.edge_type.clone()));
    }

    fn add(&mut self, step: &Step, before: &State) {
        match step {
            Step::Within { step, .. } => self.add(step, before),
            Step::Put { key, labels, props } => {
                let place = Place::Node(key.clone());
                self.props(&place, props.keys());
                labels.iter().for_each(|label| self.part(&place, Part::Label(label.clone())));
                self.held(&place, before);
                self.creates(key, before);
            }
            Step::Patch { place, labels, drop, props } => {
                self.props(place, props.keys());
                labels.iter().chain(drop).for_each(|label| self.part(place, Part::Label(label.clone())));
                if let Place::Node(key) = place {
                    self.creates(key, before);
                }
            }
            Step::Remove { key, .. } => {
                let place = Place::Node(key.clone());
                self.held(&place, before);
                self.part(&place, Part::Existence);
                self.whole.insert(place);
                self.nodes = true;
                // Edges that the same transaction links first are noted by their own steps.
                let incident = before.edges.keys().filter(|edge| edge.from == *key || edge.to == *key);
                for edge in incident {
                    self.unlinks(edge, before);
                }
                let linked: Vec<Place> = self.parts.keys().cloned().collect();
                for place in linked {
                    if let Place::Edge(edge) = &place
                        && (edge.from == *key || edge.to == *key)
                    {
                        self.whole.insert(place.clone());
                    }
                }
            }
            Step::Link { edge, props } => {
                let place = Place::Edge(edge.clone());
                self.props(&place, props.keys());
                self.part(&place, Part::Property(HOLDS.into()));
                if !before.edges.contains_key(edge) {
                    self.part(&place, Part::Existence);
                }
                self.lists_of(edge);
            }
            Step::Unlink { edge } => self.unlinks(edge, before),
            Step::Increment { place, name, .. }
            | Step::Append { place, name, .. }
            | Step::Splice { place, name, .. } => self.props(place, std::iter::once(name)),
        }
    }

    fn unlinks(&mut self, edge: &EdgeName, before: &State) {
        let place = Place::Edge(edge.clone());
        self.held(&place, before);
        self.part(&place, Part::Existence);
        self.whole.insert(place);
        self.lists_of(edge);
    }

    fn creates(&mut self, key: &str, before: &State) {
        if !before.nodes.contains_key(key) {
            self.part(&Place::Node(key.into()), Part::Existence);
            self.nodes = true;
        }
    }

    /// All that a place held before.
    fn held(&mut self, place: &Place, before: &State) {
        self.props(place, place.props(before).into_iter().flat_map(BTreeMap::keys));
        if let Place::Node(key) = place
            && let Some(node) = before.nodes.get(key)
        {
            node.labels.iter().for_each(|label| self.part(place, Part::Label(label.clone())));
        }
    }

    fn touches(&self, place: &Place, parts: &BTreeSet<Part>) -> bool {
        self.whole(place) || self.parts.get(place).is_some_and(|touched| !touched.is_disjoint(parts))
    }

    fn touches_read(&self, read: &Read) -> bool {
        match read {
            Read::Place(place) => self.parts.contains_key(place),
            Read::Edges { key, out, kind } => {
                let same = |list: &&(String, bool, String)| {
                    list.0 == *key && list.1 == *out && kind.as_ref().is_none_or(|kind| list.2 == *kind)
                };
                // The edges of a key that never was are read by the key.
                self.lists.iter().any(|list| same(&list))
                    || self.parts.contains_key(&Place::Node(key.clone()))
            }
            Read::Label(label) => self.labels.contains(label),
            Read::Where(wanted) => self.labels.contains(&wanted.label),
            Read::Nodes => self.nodes,
        }
    }
}

/// Whether a read sees something else in the other version.
fn sees_another(read: &Read, a: &State, b: &State) -> bool {
    match read {
        Read::Place(Place::Node(key)) => a.nodes.get(key) != b.nodes.get(key),
        Read::Place(Place::Edge(edge)) => a.edges.get(edge) != b.edges.get(edge),
        Read::Edges { key, out, kind } => {
            let list = |state: &State| {
                let of = |edge: &&EdgeName| {
                    let end = if *out { &edge.from } else { &edge.to };
                    end == key && kind.as_ref().is_none_or(|kind| edge.edge_type == *kind)
                };
                state.edges.keys().filter(of).cloned().collect::<Vec<_>>()
            };
            list(a) != list(b)
        }
        Read::Label(label) => {
            let list = |state: &State| {
                let nodes = state.nodes.iter().filter(|node| node.1.labels.contains(label));
                nodes.map(|node| node.0.clone()).collect::<Vec<_>>()
            };
            list(a) != list(b)
        }
        Read::Where(wanted) => wanted.nodes(a) != wanted.nodes(b),
        Read::Nodes => !a.nodes.keys().eq(b.nodes.keys()),
    }
}

/// What a part of a place holds.
fn holds(state: &State, place: &Place, part: &Part) -> Option<Vec<u8>> {
    let props = place.props(state)?;
    match (part, place) {
        (Part::Existence, _) => Some(Vec::new()),
        (Part::Label(label), Place::Node(key)) => state.nodes[key].labels.contains(label).then(Vec::new),
        (Part::Label(_), Place::Edge(_)) => None,
        (Part::Property(name), _) => props.get(name).cloned(),
    }
}

/// What a step writes: a place as a whole, or these parts of it. What only adds to lists writes existence alone.
fn writes(step: &Step) -> (Place, bool, BTreeSet<Part>) {
    let property = |name: &String| Part::Property(name.clone());
    let existence = BTreeSet::from([Part::Existence]);
    match step.plain() {
        Step::Within { .. } => unreachable!("it is not plain"),
        Step::Put { key, .. } | Step::Remove { key, .. } => (Place::Node(key.clone()), true, existence),
        Step::Unlink { edge } => (Place::Edge(edge.clone()), true, existence),
        Step::Patch { place, labels, drop, props } => {
            let mut parts = existence;
            parts.extend(props.keys().map(property));
            parts.extend(labels.iter().chain(drop).cloned().map(Part::Label));
            (place.clone(), false, parts)
        }
        Step::Link { edge, props } => {
            let mut parts = existence;
            parts.insert(Part::Property(HOLDS.into()));
            parts.extend(props.keys().map(property));
            (Place::Edge(edge.clone()), false, parts)
        }
        Step::Increment { place, .. } => (place.clone(), false, existence),
        Step::Append { place, name, .. } | Step::Splice { place, name, .. } => {
            (place.clone(), false, BTreeSet::from([Part::Existence, property(name)]))
        }
    }
}

/// Whether a transaction must be refused that was begun before these commits. `seen` has been read; `claimed` may have
/// been read on the way, to show the transaction its own writes. Versions come in order, the snapshot's first.
pub fn verdict(
    steps: &[Step],
    seen: &BTreeSet<Read>,
    claimed: &BTreeSet<Read>,
    versions: &[&State],
    prints: &[&Footprint],
) -> Verdict {
    if steps.is_empty() {
        return Verdict::MustNot;
    }
    let differs = |pair: &[&State]| {
        seen.iter().any(|read| sees_another(read, pair[0], pair[1]))
            || steps.iter().any(|step| {
                let (place, whole, parts) = writes(step);
                let parts =
                    parts.iter().any(|part| holds(pair[0], &place, part) != holds(pair[1], &place, part));
                parts || (whole && sees_another(&Read::Place(place), pair[0], pair[1]))
            })
    };
    if versions.windows(2).any(differs) {
        return Verdict::Must;
    }
    let touched = |print: &&Footprint| {
        seen.iter().chain(claimed).any(|read| print.touches_read(read))
            || steps.iter().any(|step| {
                let (place, whole, parts) = writes(step);
                print.touches(&place, &parts) || (whole && print.parts.contains_key(&place))
            })
    };
    if prints.iter().any(touched) { Verdict::May } else { Verdict::MustNot }
}
