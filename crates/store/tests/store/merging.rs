//! What a merge comes to, said a second time over full copies: of a fork into what it stands on, or into another fork of that.

use std::collections::{BTreeMap, BTreeSet};

use karyon_graph::Prefer;
use karyon_testkit::oracle::Node;

use crate::model::{Place, State};

/// A node or edge: labels without a value, properties with one.
type Slots = BTreeMap<(bool, String), Vec<u8>>;
type Places = BTreeMap<Place, Slots>;

pub fn taken_apart(state: &State) -> Places {
    let props = |props: &BTreeMap<String, Vec<u8>>| {
        props.iter().map(|(name, value)| ((true, name.clone()), value.clone())).collect::<Slots>()
    };
    let nodes = state.nodes.iter().map(|(key, node)| {
        let labels = node.labels.iter().map(|label| ((false, label.clone()), Vec::new()));
        (Place::Node(key.clone()), props(&node.props).into_iter().chain(labels).collect())
    });
    let edges = state.edges.iter().map(|(edge, own)| (Place::Edge(edge.clone()), props(own)));
    nodes.chain(edges).collect()
}

fn put_together(places: Places) -> State {
    let mut state = State::default();
    for (place, slots) in places {
        let (props, labels): (Slots, Slots) =
            slots.into_iter().partition(|((is_property, _), _)| *is_property);
        let props = props.into_iter().map(|((_, name), value)| (name, value)).collect();
        let labels = labels.into_keys().map(|(_, label)| label).collect();
        match place {
            Place::Node(key) => drop(state.nodes.insert(key, Node { labels, props })),
            Place::Edge(edge) => drop(state.edges.insert(edge, props)),
        }
    }
    state
}

fn is_at(place: &Place, node: &str) -> bool {
    matches!(place, Place::Edge(edge) if edge.from == node || edge.to == node)
}

/// What the other side is after a merge, and whether anything clashes. `old` is what the fork was before its changes, `had` what the
/// other side was then; in `doubtful` places something else has come into both.
pub fn merged(
    old: &State,
    fork: &State,
    (had, doubtful): (&State, &BTreeSet<Place>),
    other: &State,
    prefer: Prefer,
) -> (State, bool) {
    let [old, fork, had, before] = [old, fork, had, other].map(taken_apart);
    let (mut after, mut clashed) = (before.clone(), false);
    let mut decided = || {
        clashed = true;
        prefer == Prefer::Layer
    };
    let all = old.keys().chain(fork.keys()).chain(doubtful);
    let changed = all.filter(|place| old.get(place) != fork.get(place) || doubtful.contains(place));
    let (nodes, edges): (BTreeSet<&Place>, BTreeSet<&Place>) =
        changed.partition(|place| matches!(place, Place::Node(_)));
    let removed = |place: &&&Place| !fork.contains_key(**place) && before.contains_key(**place);
    for place in edges.iter().filter(removed) {
        if (before.get(*place) == had.get(*place) && !doubtful.contains(*place)) || decided() {
            after.remove(*place);
        }
    }
    for place in nodes.iter().filter(removed) {
        let Place::Node(key) = place else { unreachable!() };
        let linked = after.keys().any(|edge| is_at(edge, key));
        let alike = before.get(*place) == had.get(*place) && !doubtful.contains(*place);
        if (alike && !linked) || decided() {
            after.retain(|edge, _| edge != *place && !is_at(edge, key));
        }
    }
    for place in nodes.into_iter().chain(edges) {
        let Some(here) = fork.get(place) else { continue };
        let empty = Slots::new();
        let (was, had, there) = (old.get(place), had.get(place), before.get(place));
        if there == Some(here) {
            continue;
        }
        if there.is_none() && (had.is_some() || doubtful.contains(place)) && !decided() {
            continue;
        }
        if let (Place::Edge(edge), None) = (place, there) {
            let ends = [&edge.from, &edge.to].map(|key| Place::Node(key.clone()));
            let missing: BTreeSet<_> = ends.iter().filter(|end| !after.contains_key(*end)).collect();
            if !missing.is_empty() && !decided() {
                continue;
            }
            after.extend(missing.into_iter().map(|end| (end.clone(), fork[end].clone())));
        }
        // What exists on one side only is taken whole.
        let [was, had] = [was, had].map(|slots| slots.filter(|_| there.is_some()).unwrap_or(&empty));
        let slots = after.entry(place.clone()).or_default();
        for name in was.keys().chain(here.keys()).collect::<BTreeSet<_>>() {
            let (is, now) = (here.get(name), slots.get(name));
            let doubt = doubtful.contains(place);
            let same = was.get(name) == is && !doubt;
            if same || now == is || ((now != had.get(name) || doubt) && !decided()) {
                continue;
            }
            match is {
                Some(value) => drop(slots.insert(name.clone(), value.clone())),
                None => drop(slots.remove(name)),
            }
        }
    }
    if clashed && prefer == Prefer::Neither { (other.clone(), true) } else { (put_together(after), clashed) }
}
