//! Forks: what is written in one is seen there alone, as of any version, over checkpoints and kills, and is merged three-way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use karyon_graph::{Open, Prefer, Purpose, Reader, Slot, Transaction};
use karyon_log::Disk;
use karyon_model::{Code, EntityId, Result, Seq};
use karyon_store::{Committed, Retention, Store};
use karyon_testkit::disk::SimDisk;
use karyon_testkit::{LogicalClock, Random};

use crate::invariants::{Checked, canonical_digest};
use crate::merging::{merged, taken_apart};
use crate::model::{Place, State, Step, batch, carry_out};
use crate::{reading, rig, workload};

/// What a layer was at each of its versions: the last one at or before a version counts. The base is layer 0.
#[derive(Clone, Default)]
struct Layer {
    parent: u32,
    from: Seq,
    versions: BTreeMap<Seq, State>,
    /// What was merged into it, from a version on: of each layer up to which version.
    merged: BTreeMap<Seq, Known>,
    dropped: bool,
}

type Known = BTreeMap<u32, Seq>;

fn newest(known: &mut Known, more: Known) {
    for (layer, seq) in more {
        let newest = known.entry(layer).or_insert(seq);
        *newest = seq.max(*newest);
    }
}

#[derive(Clone, Default)]
struct World {
    layers: Vec<Layer>,
    /// Every version from this one on must be kept.
    since: Seq,
}

impl World {
    fn new() -> World {
        World {
            layers: vec![Layer { versions: BTreeMap::from([(0, State::default())]), ..Layer::default() }],
            since: 0,
        }
    }

    fn at(&self, layer: u32, seq: Seq) -> &State {
        let Layer { parent, from, versions, .. } = &self.layers[layer as usize];
        match versions.range(..=seq).next_back() {
            Some((_, state)) => state,
            None => self.at(*parent, seq.min(*from)),
        }
    }

    /// Which layers a layer can be merged into: what it stands on, and those beside it.
    fn targets(&self, layer: u32) -> Vec<u32> {
        let parent = self.layers[layer as usize].parent;
        let stands_there = |other: &u32| *other != layer && self.layers[*other as usize].parent == parent;
        let beside = self.living().into_iter().filter(|other| *other > 0).filter(stands_there);
        beside.chain([parent]).collect()
    }

    /// What was merged into a layer itself until a version.
    fn merged(&self, layer: u32, at: Seq) -> Known {
        let merged = self.layers[layer as usize].merged.range(..=at).next_back();
        merged.map(|(_, merged)| merged.clone()).unwrap_or_default()
    }

    /// What a layer has in it: what it stands on, and what was merged into any of that.
    fn known(&self, mut layer: u32, mut at: Seq) -> Known {
        let mut known = Known::new();
        loop {
            newest(&mut known, BTreeMap::from([(layer, at)]));
            newest(&mut known, self.merged(layer, at));
            if layer == 0 {
                return known;
            }
            let Layer { parent, from, .. } = &self.layers[layer as usize];
            (layer, at) = (*parent, at.min(*from));
        }
    }

    /// What a layer was before its changes, what one that it is merged into was then, the oldest version that tells it, and of which places
    /// something has come into both that is known no more.
    fn old(&self, layer: u32, into: u32, head: Seq) -> (State, State, Seq, BTreeSet<Place>) {
        let Layer { parent, from, .. } = &self.layers[layer as usize];
        let (one, other) = (self.known(layer, head), self.known(into, head));
        let both = one.into_iter().filter_map(|(layer, seq)| Some((seq.min(*other.get(&layer)?), layer)));
        let (mut living, gone): (Vec<_>, Vec<_>) =
            both.partition(|(_, layer)| !self.layers[*layer as usize].dropped);
        living.sort_unstable();
        let gone = gone.into_iter().map(|gone| gone.0).max().unwrap_or(0);
        let stood = if into == *parent { *from } else { self.layers[into as usize].from.min(*from) };
        let (mut old, mut had) = (self.at(*parent, *from).clone(), self.at(*parent, stood).clone());
        // What is newer than what both stand on is told by the layer that has changed it last.
        let below = living.iter().position(|(_, layer)| layer == parent).unwrap();
        let (mut told, mut oldest) = (BTreeSet::new(), stood);
        for (since, of) in living.iter().skip(below + 1).filter(|(_, of)| *of > 0) {
            (old, had) = (self.written_over(&old, *of, *since), self.written_over(&had, *of, *since));
            oldest = oldest.min(*since);
            if *since >= gone {
                told.extend(self.touched(*of, *since));
            }
        }
        let mut doubtful = self.touched(layer, head);
        living
            .iter()
            .filter(|(_, of)| *of > 0 && of != parent)
            .for_each(|(_, of)| doubtful.extend(self.touched(*of, head)));
        doubtful.retain(|place| gone > living[below].0 && !told.contains(place));
        (old, had, oldest, doubtful)
    }

    /// What a layer has changed until a version.
    fn touched(&self, layer: u32, until: Seq) -> BTreeSet<Place> {
        let mut touched = BTreeSet::new();
        for seq in self.layers[layer as usize].versions.range(1..=until).map(|(seq, _)| *seq) {
            let [before, after] = [seq - 1, seq].map(|seq| taken_apart(self.at(layer, seq)));
            let places = before.keys().chain(after.keys());
            touched.extend(places.filter(|place| before.get(*place) != after.get(*place)).cloned());
        }
        touched
    }

    /// A state, where a layer has changed something until a version what that is there.
    fn written_over(&self, state: &State, layer: u32, until: Seq) -> State {
        let versions = self.layers[layer as usize].versions.range(..=until);
        let mut state = state.clone();
        for seq in versions.map(|(seq, _)| *seq) {
            let (before, after) = (self.at(layer, seq - 1), self.at(layer, seq));
            let keys = before.nodes.keys().chain(after.nodes.keys());
            for key in keys.filter(|key| before.nodes.get(*key) != after.nodes.get(*key)) {
                let _ = match after.nodes.get(key) {
                    Some(node) => state.nodes.insert(key.clone(), node.clone()),
                    None => state.nodes.remove(key),
                };
            }
            let edges = before.edges.keys().chain(after.edges.keys());
            for edge in edges.filter(|edge| before.edges.get(*edge) != after.edges.get(*edge)) {
                let _ = match after.edges.get(edge) {
                    Some(props) => state.edges.insert(edge.clone(), props.clone()),
                    None => state.edges.remove(edge),
                };
            }
        }
        state
    }

    fn is_merged(&mut self, layer: u32, into: u32, seq: Seq) {
        let mut merged = self.merged(into, seq);
        newest(&mut merged, BTreeMap::from([(layer, seq)]));
        newest(&mut merged, self.merged(layer, seq));
        self.layers[into as usize].merged.insert(seq, merged);
    }

    fn erase(&mut self, key: &str) {
        for state in self.layers.iter_mut().flat_map(|layer| layer.versions.values_mut()) {
            state.nodes.remove(key);
            state.edges.retain(|edge, _| edge.from != key && edge.to != key);
        }
    }

    fn living(&self) -> Vec<u32> {
        (0..self.layers.len() as u32).filter(|layer| !self.layers[*layer as usize].dropped).collect()
    }
}

pub fn commit_in(store: &Store, layer: u32, steps: &[Step]) -> Result<Committed> {
    let mut transaction = store.begin()?.in_layer(layer);
    transaction.push(&batch(steps))?;
    store.commit(&transaction, rig::ROOT)
}

fn holds(store: &Store, world: &World, random: &mut Random) -> Checked {
    let durable = store.durable();
    let body = store.body().map_err(|error| error.to_string())?;
    let graph = &body.graph;
    for layer in world.living() {
        for key in workload::KEYS {
            past_holds(store, world, layer, key)?;
        }
        let mut versions: Vec<Seq> = (0..=durable).filter(|_| random.chance(1, 6)).collect();
        versions.push(durable);
        for seq in versions {
            let said = |error: karyon_model::Error| format!("layer {layer} at {seq}: {error}");
            let page = 1 + random.below(5);
            let mut reader = Reader::at(graph, seq, &Open).in_layer(layer);
            let found = match reading::everything(&mut reader, graph.names(), page) {
                Err(error) if seq < world.since && error.starts_with(Code::Horizon.as_str()) => continue,
                found => found.map_err(|error| format!("layer {layer} at {seq}: {error}"))?,
            };
            let expected = world.at(layer, seq);
            if found.state != *expected {
                return Err(format!(
                    "layer {layer} at {seq}\n   found {:?}\nexpected {expected:?}",
                    found.state
                ));
            }
            if seq < world.since {
                continue;
            }
            let live = graph.audit_in(layer, seq).map_err(said)?;
            if live != (expected.nodes.len(), expected.edges.len()) {
                return Err(format!("layer {layer} at {seq}: {live:?} exist"));
            }
            if graph.digest_in(layer, seq).map_err(said)? != canonical_digest(expected) {
                return Err(format!("layer {layer} at {seq}: another digest"));
            }
        }
    }
    Ok(())
}

/// The past of a node's properties in a layer, change by change, is what its versions say.
fn past_holds(store: &Store, world: &World, layer: u32, key: &str) -> Checked {
    let durable = store.durable();
    let body = store.body().map_err(|error| error.to_string())?;
    let Some(id) = body.graph.node_id(key).map(EntityId::Node) else { return Ok(()) };
    let mut found = Vec::new();
    let told = body.graph.visit_changes((layer, id), (0, durable), &mut |change| {
        if let Slot::Property(name) = change.slot {
            let bytes = |value: Option<karyon_graph::Encoded>| value.map(|value| value.to_vec());
            found.push((
                change.seq,
                body.graph.names().text(name).to_string(),
                bytes(change.before),
                bytes(change.after),
            ));
        }
        Ok(true)
    });
    let oldest = match told {
        Err(error) if error.code() == Code::Horizon => found.last().map_or(Seq::MAX, |change| change.0),
        told => told.map(|()| 0).map_err(|error| error.to_string())?,
    };
    found.sort();
    let mut expected = Vec::new();
    for seq in 1..=durable {
        let props =
            |seq| world.at(layer, seq).nodes.get(key).map(|node| node.props.clone()).unwrap_or_default();
        let (before, after) = (props(seq - 1), props(seq));
        let names: std::collections::BTreeSet<_> = before.keys().chain(after.keys()).collect();
        for name in names.into_iter().filter(|name| before.get(*name) != after.get(*name)) {
            expected.push((seq, name.clone(), before.get(name).cloned(), after.get(name).cloned()));
        }
    }
    if oldest > world.since {
        let missing = expected.iter().find(|change| change.0 > world.since && change.0 < oldest);
        missing.map_or(Ok(()), |missing| {
            Err(format!("layer {layer}, the past of {key} ends before {missing:?}"))
        })?;
    }
    expected.retain(|change| change.0 >= oldest);
    if found == expected {
        return Ok(());
    }
    Err(format!("layer {layer}, the past of {key}\n   found {found:?}\nexpected {expected:?}"))
}

/// A layer is merged, into what it stands on or into one beside it, whoever is preferred.
fn merge(store: &Arc<Store>, world: &mut World, random: &mut Random, layer: u32, head: Seq) -> Checked {
    let into = *random.pick(&world.targets(layer));
    let prefer = *random.pick(&[Prefer::Neither, Prefer::Other, Prefer::Layer]);
    let (old, had, oldest, doubtful) = world.old(layer, into, head);
    let before = world.at(into, head);
    let fork = world.at(layer, head);
    let (after, clashed) = merged(&old, fork, (&had, &doubtful), before, prefer);
    let named = (into != world.layers[layer as usize].parent || random.chance(1, 2)).then_some(into);
    match crate::rig::merge(store, (layer, named), prefer) {
        Ok(report) if report.plan.obstacles.is_empty() != clashed => match report.committed {
            Some(committed) => {
                world.is_merged(layer, into, committed.seq);
                world.layers[into as usize].versions.insert(committed.seq, after);
                Ok(())
            }
            None if after == *before => Ok(()),
            None => Err(format!("merge of {layer} into {into}: nothing was taken over")),
        },
        Err(error) if error.code() == Code::Horizon && oldest < world.since => Ok(()),
        other => Err(format!("merge of {layer} into {into}, {prefer:?}: {other:?}, clashes: {clashed}")),
    }
}

/// One random thing, done to the store and to the model.
fn round(store: &Arc<Store>, world: &mut World, random: &mut Random) -> Checked {
    let head = store.body().unwrap().graph.head();
    let layer = *random.pick(&world.living());
    match random.below(24) {
        0 if world.layers.len() < 12 => {
            let (name, from) =
                (format!("fork {}", world.layers.len()), random.below(head as usize + 1) as Seq);
            match crate::rig::fork(store, &name, (layer, from)) {
                Ok((made, _)) if made as usize == world.layers.len() => {
                    world.layers.push(Layer { parent: layer, from, ..Layer::default() });
                }
                Err(error) if error.code() == Code::Layer => {}
                Err(error) if error.code() == Code::Horizon && from < world.since => {}
                other => return Err(format!("{other:?}")),
            }
        }
        1 if layer > 0 => {
            let leaned_on = world.layers.iter().any(|above| above.parent == layer && !above.dropped);
            let done = store.commit(&Transaction::with(head, Purpose::Drop(layer)), rig::ROOT);
            match done {
                Ok(_) if !leaned_on => world.layers[layer as usize].dropped = true,
                Err(error) if error.code() == Code::Layer && leaned_on => {}
                other => return Err(format!("{other:?}")),
            }
            let refused = commit_in(store, layer, &[]).and_then(|_| {
                let body = store.body()?;
                body.graph.living(layer).map(|_| ())
            });
            if !leaned_on && refused.is_ok() {
                return Err("a dropped fork is living".into());
            }
        }
        4 if random.chance(1, 6) => {
            let retention = Retention { since: head, ..Retention::default() };
            let archived = store
                .compact(&retention, rig::ROOT)
                .map_err(|error| format!("compact {retention:?}: {error}"))?;
            world.since = archived.since;
        }
        5 if random.chance(1, 6) => {
            let key = *random.pick(&workload::KEYS);
            match store.erase(key, rig::ROOT) {
                Ok(_) => world.erase(key),
                Err(error) if error.code() == Code::NodeMissing => {}
                Err(error) => return Err(format!("erase {key}: {error}")),
            }
        }
        6 if layer > 0 => merge(store, world, random, layer, head)?,
        2 | 3 => while store.write_frame().map_err(|error| error.to_string())? {},
        _ => {
            let before = world.at(layer, head).clone();
            let steps = workload::steps(random, &before);
            match (commit_in(store, layer, &steps), carry_out(&steps, &before)) {
                (Ok(committed), Ok((_, after))) => {
                    if committed.seq > head {
                        world.layers[layer as usize].versions.insert(committed.seq, after);
                    } else if after != before {
                        return Err(format!("layer {layer}: nothing was committed of {steps:?}"));
                    }
                }
                (Err(error), Err(code)) if error.code() == code => {}
                (found, expected) => {
                    return Err(format!(
                        "layer {layer}: {found:?}, expected {:?}",
                        expected.map(|done| done.1)
                    ));
                }
            }
        }
    }
    Ok(())
}

fn run(seed: u64) -> Checked {
    let (disk, clock) = (SimDisk::new(), Arc::new(LogicalClock::new(1_000_000)));
    let open = || Store::open(rig::options(Arc::new(disk.clone()), &clock));
    let said = |error: karyon_model::Error| error.to_string();
    let (mut store, mut checkpoint) = (open().map_err(said)?.0, 0);
    // Whether the tables were lost since the checkpoint: it is of no use to forks then.
    let mut lost = false;
    let (mut world, mut random) = (World::new(), Random::new(seed));
    for _ in 0..5 {
        for _ in 0..70 {
            round(&store, &mut world, &mut random)?;
        }
        while store.write_frame().map_err(said)? {}
        holds(&store, &world, &mut random)?;
        if random.chance(1, 2) {
            checkpoint = store.checkpoint().map_err(said)?.unwrap_or(checkpoint);
            lost = false;
            holds(&store, &world, &mut random)?;
        }
        if random.chance(1, 2) {
            store.close().map_err(said)?;
        }
        let bytes = store.stats().map_err(said)?.memory_bytes;
        drop(store);
        // Forks stand on versions that only the tables and the log know.
        if random.chance(1, 3) {
            lost = true;
            for path in disk.files().into_keys().filter(|path| path.starts_with("history/")) {
                disk.remove(&path).map_err(|error| error.to_string())?;
            }
        }
        let (opened, recovery) = open().map_err(said)?;
        store = opened;
        let again = store.stats().map_err(said)?.memory_bytes;
        if again != bytes {
            return Err(format!("{bytes} bytes of memory before, {again} after another opening"));
        }
        if recovery.checkpoint != checkpoint && !lost && store.stats().map_err(said)?.archived < checkpoint {
            return Err(format!("the image of version {checkpoint} was not believed: {recovery:?}"));
        }
        holds(&store, &world, &mut random)?;
        store.verify().map_err(said)?;
    }
    Ok(())
}

#[test]
fn forks_do_what_full_copies_do() {
    for seed in rig::seeds(40_000, 12) {
        run(seed).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
}
