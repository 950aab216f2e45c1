//! Random transactions over a small space, so that they meet.

use std::collections::{BTreeMap, BTreeSet};

use karyon_testkit::Random;
use karyon_testkit::Value;
use karyon_testkit::oracle::EdgeName;

use crate::model::{Place, State, Step};
use crate::timeline::CELLS;

pub const KEYS: [&str; 7] = ["a", "b", "c", "d", "e", "é😀", "z"];
pub const LABELS: [&str; 3] = ["Fact", "Person", "Rare"];
pub const KINDS: [&str; 2] = ["KNOWS", "SAYS"];
/// Each name has mostly values of one kind: numbers, texts, bytes, lists, anything.
pub const NAMES: [&str; 6] = ["n", "text", "bytes", "list", "any", "m"];

pub fn key(random: &mut Random) -> String {
    KEYS[random.skewed(KEYS.len())].to_owned()
}

/// Mostly the key of a node that exists.
fn existing(random: &mut Random, state: &State) -> String {
    if state.nodes.is_empty() || random.chance(1, 12) {
        return key(random);
    }
    let at = random.skewed(state.nodes.len());
    state.nodes.keys().nth(at).cloned().expect("below its length")
}

/// Mostly the name of a property that the place has, of those that `wanted` names.
fn held(random: &mut Random, state: &State, place: &Place, wanted: &[&str]) -> String {
    let held = place.props(state).into_iter().flat_map(BTreeMap::keys);
    let held: Vec<_> = held.filter(|name| wanted.contains(&name.as_str())).collect();
    if held.is_empty() || random.chance(1, 12) {
        return (*random.pick(wanted)).to_owned();
    }
    (*random.pick(&held)).clone()
}

pub fn edge(random: &mut Random, state: &State) -> EdgeName {
    // Often one that exists.
    if !state.edges.is_empty() && random.chance(1, 2) {
        let at = random.below(state.edges.len());
        return state.edges.keys().nth(at).cloned().expect("below its length");
    }
    let edge_type = (*random.pick(&KINDS)).to_owned();
    let parallel = *random.pick(&["", "", "second"]);
    let (from, to) = (existing(random, state), existing(random, state));
    EdgeName { from, edge_type, to, key: parallel.to_owned() }
}

fn place(random: &mut Random, state: &State) -> Place {
    if !state.edges.is_empty() && random.chance(1, 4) {
        return Place::Edge(edge(random, state));
    }
    Place::Node(existing(random, state))
}

fn labels(random: &mut Random) -> BTreeSet<String> {
    LABELS.iter().filter(|_| random.chance(1, 3)).map(|label| (*label).to_owned()).collect()
}

/// Mostly short, sometimes long enough that changes of it are told as pieces.
fn text(random: &mut Random) -> String {
    let longest = if random.chance(1, 4) { 200 } else { 8 };
    random.text(longest)
}

/// Many units, most of them those of one of a few others: where a value follows one of the same, they differ in several places.
fn edited<T>(random: &mut Random, length: usize, unit: impl Fn(&mut Random) -> T) -> Vec<T> {
    let mut base = Random::new(random.below(2) as u64);
    let mut units: Vec<T> = (0..length).map(|_| unit(&mut base)).collect();
    for _ in 0..random.below(5) {
        let start = random.below(units.len());
        let end = (start + random.below(9)).min(units.len());
        let come: Vec<T> = (0..random.below(9)).map(|_| unit(random)).collect();
        units.splice(start..end, come);
    }
    units
}

/// A large value of the kind that the name mostly has.
fn large(random: &mut Random, name: &str) -> Value {
    match name {
        "text" => Value::String(edited(random, 800, |random| random.text(1)).concat()),
        "bytes" => Value::Bytes(edited(random, 900, |random| random.next_u64() as u8)),
        "list" => Value::List(edited(random, 100, |random| anything(random, 0))),
        _ => {
            let entries = edited(random, 60, |random| anything(random, 0)).into_iter().enumerate();
            Value::map(entries.map(|(at, value)| (at.to_string(), value)).collect::<BTreeMap<_, _>>())
        }
    }
}

fn number(random: &mut Random) -> Value {
    match random.below(60) {
        0..=4 => Value::Float(random.below(9) as f64 - 4.5),
        5 => Value::BigInt(random.next_u64().cast_signed()),
        7..=20 => Value::Integer(random.below(3) as i64),
        6 => Value::Integer((1 << 53) - 1 - random.below(3) as i64),
        _ => Value::Integer(random.below(200) as i64 - 100),
    }
}

fn anything(random: &mut Random, depth: usize) -> Value {
    match random.below(if depth == 0 { 9 } else { 11 }) {
        0 => Value::Null,
        1 => Value::Bool(random.chance(1, 2)),
        2 => Value::Timestamp(random.next_u64().cast_signed() >> 8),
        3 => Value::Floats(vec![1.5, f32::NAN, -0.0]),
        4 => Value::Float([f64::NAN, f64::INFINITY, -0.0, 0.1][random.below(4)]),
        5 | 6 => number(random),
        7 => Value::String(text(random)),
        8 => {
            let length = random.length(150);
            Value::Bytes(random.bytes(length))
        }
        9 => Value::List((0..random.below(4)).map(|_| anything(random, depth - 1)).collect()),
        _ => {
            let entries: BTreeMap<String, Value> =
                (0..random.below(4)).map(|_| (random.text(3), anything(random, depth - 1))).collect();
            Value::map(entries)
        }
    }
}

fn list(random: &mut Random) -> Value {
    let longest = if random.chance(1, 4) { 40 } else { 4 };
    Value::List((0..random.below(longest + 1)).map(|_| anything(random, 1)).collect())
}

pub fn value(random: &mut Random, name: &str) -> Value {
    match name {
        _ if random.chance(1, 40) => anything(random, 2),
        "n" | "m" => number(random),
        _ if random.chance(1, 4) => large(random, name),
        "text" => Value::String(text(random)),
        "bytes" => {
            let length = random.length(200);
            Value::Bytes(random.bytes(length))
        }
        "list" => list(random),
        _ => anything(random, 2),
    }
}

fn name(random: &mut Random) -> String {
    (*random.pick(&NAMES)).to_owned()
}

fn changes(random: &mut Random) -> BTreeMap<String, Option<Value>> {
    let change = |random: &mut Random| {
        let name = name(random);
        let value = (!random.chance(1, 4)).then(|| value(random, &name));
        (name, value)
    };
    (0..random.below(3)).map(|_| change(random)).collect()
}

/// Removes less than everything, so that there is something to remove.
pub fn step(random: &mut Random, state: &State) -> Step {
    match random.below(20) {
        0..=3 => {
            let names: BTreeSet<String> = (0..random.below(4)).map(|_| name(random)).collect();
            let props = names.into_iter().map(|name| (name.clone(), value(random, &name))).collect();
            Step::Put { key: key(random), labels: labels(random), props }
        }
        4..=7 => {
            let place = place(random, state);
            let labelled = matches!(place, Place::Node(_)) || random.chance(1, 30);
            let labels = if labelled { labels(random) } else { BTreeSet::new() };
            // A label that is both given and taken would have two right answers.
            let drop = LABELS.iter().filter(|label| !labels.contains(**label) && random.chance(1, 3));
            let drop =
                if labelled { drop.map(|label| (*label).to_owned()).collect() } else { BTreeSet::new() };
            Step::Patch { place, labels, drop, props: changes(random) }
        }
        8 => Step::Remove { key: existing(random, state), detach: random.chance(4, 5) },
        9..=12 => Step::Link { edge: edge(random, state), props: changes(random) },
        13 => Step::Unlink { edge: edge(random, state) },
        14 | 15 => {
            let place = place(random, state);
            let name = held(random, state, &place, &["n", "m"]);
            Step::Increment { place, name, by: number(random) }
        }
        16 | 17 => {
            let place = place(random, state);
            let name = held(random, state, &place, &["text", "bytes", "list"]);
            let more = value(random, &name);
            Step::Append { place, name, more }
        }
        _ => {
            let place = place(random, state);
            let name = held(random, state, &place, &["text", "bytes", "list"]);
            let insert = value(random, &name);
            let (start, delete) = (random.below(5) as u64, random.below(9) as u64);
            Step::Splice { place, name, start, delete, insert }
        }
    }
}

/// Sometimes only in a span of valid time.
pub fn within(random: &mut Random, step: Step) -> Step {
    let timely =
        matches!(step, Step::Put { .. } | Step::Patch { .. } | Step::Link { .. } | Step::Unlink { .. });
    if !timely || random.chance(2, 3) {
        return step;
    }
    let from = random.below(CELLS);
    let to = if random.chance(1, 3) { CELLS } else { random.within(from + 1..CELLS + 1) };
    let ends = to < CELLS && !matches!(step, Step::Unlink { .. }) && random.chance(1, 4);
    Step::Within { span: (from, to), ends, step: Box::new(step) }
}

pub fn steps(random: &mut Random, state: &State) -> Vec<Step> {
    let most = if random.chance(1, 8) { 9 } else { 2 };
    (0..random.within(1..most + 1))
        .map(|_| {
            let step = step(random, state);
            within(random, step)
        })
        .collect()
}
