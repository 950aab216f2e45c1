//! A commit in the making: carried out on private copies while others read. Whoever drops it has changed nothing.

use crate::entity::{Entity, Slot, put_delta};
use crate::gate::{Gate, Labels};
use crate::ids;
use crate::index::{TEMPORAL_KEY, index_key};
use crate::layer::{Layer, Numbered};
use crate::pieces::difference;
use crate::plan::Surface;
use crate::publish::{Listing, Publication};
use crate::tables::{self, EdgeSlot, next_id};
use crate::versioned::State;
use crate::{Graph, Names, Prepared};
use hashbrown::HashMap;
use indexmap::IndexSet;
use karyon_history::{Direction, ObjectId};
use karyon_model::limits::FRAME_BYTES_MAX;
use karyon_model::valid::is_gapless;
use karyon_model::{
    Code, Cursor, EdgeKey, EntityId, Error, Interval, NameId, Operation, Result, Rules, Seq, Target, bounded,
    ensure, require,
};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes of a frame's payload that are left to headers.
const HEADER_RESERVE: usize = 4096;

/// What a list takes for each of its ids.
const ID_BYTES: isize = size_of::<u32>() as isize;
/// Bytes of a verb, about.
const VERB_BYTES: usize = 24;
/// Copies for which there is room from the beginning.
const COPIES_RESERVED: usize = 4096;
/// How many names are kept at hand.
const ASKED: usize = 32;
/// Changes of one list that are worth a new list, where they are not all at its end.
const MERGED_MIN: usize = 64;

/// A node or edge: before the commit, and once something in it is changed.
struct Copy<'g> {
    before: Cow<'g, Entity>,
    now: Option<Entity>,
}

/// Rules that hold from the commit on: the number of their index, its label and property.
#[derive(Clone, Copy)]
pub(crate) struct Declared {
    pub(crate) index: u32,
    pub(crate) label: NameId,
    pub(crate) property: NameId,
    pub(crate) rules: Rules,
}

pub(crate) struct Draft<'g> {
    pub(crate) graph: &'g Graph,
    /// What is to be shown in the end: what is named for the first time, whose numbers follow the graph's, is there from the beginning.
    pub(crate) out: Publication,
    /// Verbs that change something add to it.
    pub(crate) operations: Vec<u8>,
    /// In the order of first touch.
    copies: Numbered<EntityId, Copy<'g>>,
    /// Names that were asked for of late, by length and ends: there are few of them, and each is asked for again and again.
    asked: [Option<(Arc<str>, NameId)>; ASKED],
    /// How many of the copies have been looked through for edges, and those by their ends.
    linked: (usize, HashMap<u32, Vec<u32>>),
    /// Postings that are needed for the first time, by index and key.
    postings: IndexSet<(u32, Vec<u8>)>,
    /// Of postings that no two nodes may share: label and property, and how many more nodes they have.
    unique: BTreeMap<u32, ((NameId, NameId), isize)>,
    /// What comes into lists and goes: the list, in a layer whether it is what that has less, the id, whether it was there.
    lists: Vec<(ObjectId, bool, u32, bool)>,
}

impl<'g> Draft<'g> {
    /// Starts the commit after the head.
    pub(crate) fn new(graph: &'g Graph, layer: u32) -> Draft<'g> {
        let (seq, fresh) = (graph.head + 1, graph.tables.beside());
        Draft {
            graph,
            out: Publication { layer, seq, fresh, ..Publication::default() },
            operations: Vec::new(),
            copies: Numbered::default(),
            asked: [const { None }; ASKED],
            linked: Default::default(),
            postings: IndexSet::new(),
            unique: BTreeMap::new(),
            lists: Vec::new(),
        }
    }

    /// Makes room for what so many bytes of verbs ask for: about as much is written down, and each verb is about a node or edge.
    pub(crate) fn reserve(&mut self, bytes: usize) {
        self.operations.reserve(bytes);
        self.copies.reserve((bytes / VERB_BYTES).min(COPIES_RESERVED));
    }

    /// The entities changed so far.
    pub(crate) fn touched(&self) -> impl Iterator<Item = EntityId> {
        self.copies.iter().filter(|copy| copy.1.now.is_some()).map(|copy| *copy.0)
    }

    /// Whether there is anything to record.
    pub(crate) fn has_changed(&self) -> bool {
        self.touched().next().is_some() || self.out.declared.is_some() || !self.out.act.is_empty()
    }

    /// Whether it is named for the first time.
    fn is_fresh(&self, id: EntityId) -> bool {
        let (nodes, edges) = self.graph.numbered();
        match id {
            EntityId::Node(id) => id >= nodes,
            EntityId::Edge(id) => id >= edges,
        }
    }

    fn keep(&mut self, id: EntityId, before: Cow<'g, Entity>) -> usize {
        self.copies.insert_full(id, Copy { before, now: None }).0
    }

    /// The place of a copy, made if need be.
    fn load(&mut self, id: EntityId) -> Result<usize> {
        if let Some(at) = self.copies.get_index_of(&id) {
            return Ok(at);
        }
        let before = self.graph.state_in(self.out.layer, id, self.graph.head)?.0;
        Ok(self.keep(id, before))
    }

    /// Has a state at hand that `state` could not find by itself: a layer's may lie in the past of what it stands on.
    fn fetch(&mut self, id: EntityId) -> Result<()> {
        if self.out.layer > 0 { self.load(id).map(drop) } else { Ok(()) }
    }

    /// Asks for every node and edge that is changed, for what it was and for what it is.
    pub(crate) fn ask_touched(&self, gate: &dyn Gate) -> Result<()> {
        let names = &self.graph.names;
        for (id, Copy { before, now }) in &self.copies {
            match (id, now) {
                (_, None) => {}
                (EntityId::Edge(edge), _) => gate.write_edge(self.edge_slot(*edge).kind, names)?,
                (_, Some(now)) if !before.is_alive() && !now.is_alive() => {
                    gate.write_node(&mut std::iter::empty(), names)?;
                }
                (EntityId::Node(_), Some(now)) => {
                    for state in [before, now].into_iter().filter(|state| state.is_alive()) {
                        gate.write_node(&mut state.labels(), names)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The commit that last changed a node or edge; 0 for one that is new.
    pub(crate) fn last(&self, id: EntityId) -> Result<Seq> {
        if self.is_fresh(id) { Ok(0) } else { self.graph.last_in(self.out.layer, id, self.graph.head) }
    }

    /// How many numbers of nodes and edges are given out.
    fn numbered(&self) -> (u32, u32) {
        let (nodes, edges) = self.graph.numbered();
        (nodes + self.out.fresh.nodes.len() as u32, edges + self.out.fresh.edges.len() as u32)
    }

    fn edge_slot(&self, id: u32) -> &EdgeSlot {
        match id.checked_sub(self.graph.numbered().1) {
            Some(at) => &self.out.fresh.edges[at],
            None => self.graph.edge(id),
        }
    }

    fn node_id(&self, key: &str) -> Option<u32> {
        let fresh = || self.out.fresh.node(key).map(|at| at + self.graph.numbered().0);
        self.graph.tables.node(key).or_else(fresh)
    }

    fn edge_id(&self, from: u32, kind: NameId, to: u32, key: &str) -> Option<u32> {
        let fresh = || self.out.fresh.edge(from, kind, to, key).map(|at| at + self.graph.numbered().1);
        self.graph.tables.edge(from, kind, to, key).or_else(fresh)
    }

    fn id_of(&self, target: &Target<'_>) -> Option<EntityId> {
        match target {
            Target::Node(key) => self.node_id(key).map(EntityId::Node),
            Target::Edge(edge) => {
                let (from, to) = (self.node_id(edge.from)?, self.node_id(edge.to)?);
                self.edge_id(from, self.graph.names.get(edge.kind)?, to, edge.key).map(EntityId::Edge)
            }
        }
    }

    fn add_node(&mut self, key: &str) -> Result<u32> {
        let id = next_id(self.numbered().0)?;
        self.out.fresh.add_node(key)?;
        self.keep(EntityId::Node(id), Cow::Owned(Entity::default()));
        Ok(id)
    }

    fn add_edge(&mut self, from: u32, kind: NameId, to: u32, key: &str) -> Result<u32> {
        let id = next_id(self.numbered().1)?;
        self.out.fresh.add_edge(from, kind, to, key)?;
        self.keep(EntityId::Edge(id), Cow::Owned(Entity::default()));
        Ok(id)
    }

    /// Repeats an operation of the log.
    pub(crate) fn replay(&mut self, operation: &Operation<'_>) -> Result<()> {
        let damaged = |what: &str| Err(Error::new(Code::Damaged, format!("the log {what}")));
        let (nodes, edges) = self.numbered();
        let defined = match *operation {
            Operation::DefineName { id, name } => return self.graph.names.define(id, name),
            Operation::DefineNode { id, key } => self.node_id(key).is_none() && self.add_node(key)? == id,
            Operation::DefineEdge { id, from, kind, to, key } => {
                from.max(to) < nodes
                    && self.edge_id(from, kind, to, key).is_none()
                    && self.add_edge(from, kind, to, key)? == id
            }
            Operation::Declare { label, name, rules } => return self.declare(label, name, rules),
            Operation::Fork { name, parent, from } => return self.fork(name, parent, from),
            Operation::Drop { layer } => return self.drop_layer(layer),
            Operation::Merge { layer } => return self.merge(layer, self.graph.head),
            Operation::Erase { node, postings } => {
                let count = self.graph.indexes.numbered().1;
                let mut cursor = Cursor::new(postings);
                let mut known = node < nodes;
                while !cursor.is_empty() {
                    known &= (cursor.id()? as usize) < count;
                }
                self.act(operation);
                known
            }
            Operation::Archive { .. } => {
                self.act(operation);
                true
            }
            _ => true,
        };
        if !defined {
            return damaged(
                "defines a node or edge twice, out of order or without its ends, or erases what is not there",
            );
        }
        match changed(operation) {
            Some((EntityId::Node(id), _)) if id >= nodes => damaged("changes an entity before it defines it"),
            Some((EntityId::Edge(id), _)) if id >= edges => damaged("changes an entity before it defines it"),
            _ => Ok(()),
        }
    }

    /// Carries out operations, each on another slot of one node or edge. Returns what it was before.
    pub(crate) fn change(&mut self, id: EntityId, operations: &[Operation<'_>]) -> Result<Entity> {
        let at = self.load(id)?;
        let Copy { before, now } = &mut self.copies[at];
        let after = now.as_ref().unwrap_or(before).apply(operations, self.out.seq)?;
        Ok(now.replace(after).unwrap_or_else(|| Entity::clone(before)))
    }

    /// Has rules hold for a property of the nodes with a label from this commit on; nothing when they hold already.
    pub(crate) fn declare(&mut self, label: NameId, property: NameId, rules: Rules) -> Result<()> {
        ensure(self.out.layer == 0, Code::Layer, "rules are declared in the graph, not in a fork of it")?;
        let indexes = &self.graph.indexes;
        let found = indexes.find(label, property);
        if found.map_or_else(Rules::default, |at| indexes.all[at as usize].rules_at(self.out.seq)) == rules {
            return Ok(());
        }
        let index = found.map_or_else(|| indexes.next(), Ok)?;
        self.out.declared = Some(Declared { index, label, property, rules });
        Operation::Declare { label, name: property, rules }.encode(&mut self.operations);
        Ok(())
    }

    /// The rules of an index before the commit, and now.
    fn rules(&self, index: u32) -> (Rules, Rules) {
        let ground = self.graph.ground(self.out.layer, self.out.seq);
        let before = self.graph.indexes.all.get(index as usize);
        let before = before.map_or_else(Rules::default, |index| index.rules_at(ground));
        let declared = self.out.declared.filter(|declared| declared.index == index);
        (before, declared.map_or(before, |declared| declared.rules))
    }

    /// The posting of a key, numbered if need be.
    fn posting(&mut self, index: u32, key: Vec<u8>) -> u32 {
        let indexes = &self.graph.indexes;
        let known = indexes.all.get(index as usize).and_then(|index| index.postings.get(&key[..]));
        let fresh = |at| (indexes.numbered().1 + at) as u32;
        known.copied().unwrap_or_else(|| fresh(self.postings.insert_full((index, key)).0))
    }

    /// Brings the indexes up to date with a node, and refuses what their rules do not allow.
    fn index(&mut self, node: u32, before: &Entity, now: &Entity) -> Result<()> {
        let declared = self.out.declared;
        let labels = now.labels().chain(before.labels().filter(|label| now.label(*label).is_none()));
        for label in labels {
            let known = self.graph.indexes.of_label(label);
            let fresh =
                declared.filter(|it| it.label == label && it.index as usize == self.graph.indexes.all.len());
            for (index, property) in known.chain(fresh.map(|it| (it.index, it.property))) {
                let (old, new) = self.rules(index);
                let (was, is) = (held(before, label, property), held(now, label, property));
                let whole = !new.required || now.label(label).is_none() || is.is_some_and(is_gapless);
                require(whole, || self.graph.rule_error(label, property, Code::Required))?;
                let (was, is) = (was.filter(|_| old.indexed), is.filter(|_| new.indexed));
                let key = |held: Option<&[u8]>| held.map(index_key).transpose();
                let (was, is) = if was == is { (None, None) } else { (key(was)?, key(is)?) };
                let moved = [(was, true), (is, false)];
                if moved[0].0 == moved[1].0 {
                    continue;
                }
                for (key, held) in moved.into_iter().filter_map(|(key, held)| key.map(|key| (key, held))) {
                    let shared = new.unique && key[..] != TEMPORAL_KEY;
                    let posting = self.posting(index, key);
                    self.lists.push((ObjectId::Posting(posting), false, node, held));
                    if shared {
                        let unique = self.unique.entry(posting).or_insert(((label, property), 0));
                        unique.1 += if held { -1 } else { 1 };
                    }
                }
            }
        }
        Ok(())
    }

    /// Brings the indexes up to date with rules that are declared.
    fn index_declared(&mut self) -> Result<()> {
        let Some(Declared { index, label, property, rules }) = self.out.declared else { return Ok(()) };
        let nodes = self.graph.listed_in(0, ObjectId::Label(label), self.graph.head)?;
        for node in nodes.iter().copied() {
            let (id, graph) = (EntityId::Node(node), self.graph);
            if self.copies.get(&id).is_none_or(|copy| copy.now.is_none()) {
                let state = graph.object(id).state();
                self.index(node, state, state)?;
            }
        }
        // What was indexed already may have been there twice.
        if let Some(known) = self.graph.indexes.all.get(index as usize).filter(|_| rules.unique) {
            for (_, posting) in known.postings.iter().filter(|posting| **posting.0 != TEMPORAL_KEY) {
                self.unique.entry(*posting).or_insert(((label, property), 0));
            }
        }
        Ok(())
    }

    fn check_unique(&self) -> Result<()> {
        for (posting, more) in &self.unique {
            let held = self.graph.listed_in(self.out.layer, ObjectId::Posting(*posting), self.graph.head)?;
            let alone = held.len() as isize + more.1 <= 1;
            require(alone, || self.graph.rule_error(more.0.0, more.0.1, Code::Unique))?;
        }
        Ok(())
    }

    /// What is more or less now in lists, and what undoes the commit. Nothing is published yet, so it may fail.
    pub(crate) fn finish(mut self) -> Result<Prepared> {
        let (graph, seq) = (self.graph, self.out.seq);
        self.index_declared()?;
        let mut copies = std::mem::take(&mut self.copies);
        copies.retain(|_, copy| copy.now.is_some());
        // Replayed operations touch in another order.
        copies.sort_unstable_keys();
        let indexed = !graph.indexes.all.is_empty() || self.out.declared.is_some();
        self.out.bytes += self.out.fresh.bytes() as isize;
        self.out.deltas.reserve(self.operations.len());
        let above = graph.living(self.out.layer)?;
        self.out.changes.reserve_exact(copies.len());
        for (id, Copy { before, now }) in copies {
            let Some(now) = now else { continue };
            let start = self.out.deltas.len();
            // What is new needs none: there was nothing before it.
            let fresh = self.is_fresh(id);
            let changed =
                if fresh { now.since() == seq } else { put_delta(&now, &before, &mut self.out.deltas) };
            if !changed {
                continue;
            }
            let came = isize::from(now.is_alive()) - isize::from(before.is_alive());
            match id {
                EntityId::Node(node) => {
                    let gone = before.labels().filter(|label| now.label(*label).is_none());
                    self.lists.extend(gone.map(|label| (ObjectId::Label(label), false, node, true)));
                    let more = now.labels().filter(|label| before.label(*label).is_none());
                    self.lists.extend(more.map(|label| (ObjectId::Label(label), false, node, false)));
                    if indexed {
                        self.index(node, &before, &now)?;
                    }
                    self.out.membership |= now.since() == seq;
                    self.out.live.0 += came;
                }
                EntityId::Edge(edge) => {
                    let EdgeSlot { from, kind, to, .. } = *self.edge_slot(edge);
                    if came != 0 {
                        let lists = [(Direction::Out, from), (Direction::In, to)];
                        let list = |(way, node)| (ObjectId::Edges(way, node, kind), false, edge, came < 0);
                        self.lists.extend(lists.map(list));
                    }
                    self.out.live.1 += came;
                }
            }
            let known = above.is_none_or(|layer| !fresh && layer.copies.contains_key(&id));
            self.out.bytes += now.size() as isize - if known { before.size() as isize } else { 0 };
            self.out.changes.push((id, now, start..self.out.deltas.len()));
        }
        self.check_unique()?;
        if let Some(Layer { parent, from, .. }) = above {
            for (list, less, id, held) in &mut self.lists {
                // What the list below has, the layer can only have less; what it has not, as nothing has what is new, more.
                let is_new = matches!(list, ObjectId::Edges(..)) && *id >= graph.numbered().1;
                *less = !is_new && graph.holds_in(*parent, *list, *id, *from)?;
                *held = *held != *less;
            }
        }
        self.lists.sort_unstable();
        let out = &mut self.out;
        out.entries = self.lists.iter().map(|(.., id, held)| (*id, *held)).collect();
        let mut at = 0;
        for group in self.lists.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
            let ((list, less, first, _), place) = (group[0], at..at + group.len());
            let (entries, start) = (&out.entries[place.clone()], out.deltas.len());
            ids::put_delta(entries, &mut out.deltas);
            out.bytes +=
                entries.iter().map(|entry| if entry.1 { -ID_BYTES } else { ID_BYTES }).sum::<isize>();
            let known = match above {
                Some(layer) => layer.differences.get(&(list, less)),
                None => match graph.list(list) {
                    Some(tables::Listing::Many(object)) => Some(object),
                    _ => None,
                },
            };
            let amid = known.filter(|ids| ids.state().last().is_some_and(|last| *last > first));
            let put = entries.iter().map(|(id, held)| (*id, !held));
            let merged = amid.filter(|_| group.len() >= MERGED_MIN).map(|ids| ids.state().merged(put));
            at = place.end;
            out.lists.push(Listing { list, less, entries: place, delta: start..out.deltas.len(), merged });
        }
        if out.layer > 0 {
            out.live = (0, 0);
        }
        let touched = self.out.changes.iter().map(|change| change.0).collect();
        self.out.postings = self.postings.into_iter();
        let (operations, publication) = (self.operations, self.out);
        Ok(Prepared { operations, touched, publication, ..Prepared::default() })
    }
}

impl Surface for Draft<'_> {
    fn names(&self) -> &Names {
        &self.graph.names
    }

    fn sides(&self, target: &Target<'_>) -> Result<[Option<Labels>; 2]> {
        let Some(id) = self.id_of(target) else { return Ok([None, None]) };
        if let EntityId::Edge(edge) = id {
            return Ok([Some(Labels::from_elem(self.edge_slot(edge).kind, 1)), None]);
        }
        let labels = |state: &Entity| state.is_alive().then(|| state.labels().collect());
        Ok(match self.copies.get(&id) {
            Some(Copy { before, now }) => [labels(before), labels(now.as_ref().unwrap_or(before))],
            None => {
                let state = self.graph.state_in(self.out.layer, id, self.graph.head)?.0;
                [labels(&state), labels(&state)]
            }
        })
    }

    /// Defined in the log if it is new there.
    fn name(&mut self, text: &str) -> Result<NameId> {
        let ends = text.bytes().next().zip(text.bytes().next_back());
        let place = ends.map_or(0, |(a, b)| usize::from(a ^ b << 2) ^ text.len()) % ASKED;
        if let Some((known, id)) = &self.asked[place]
            && **known == *text
        {
            return Ok(*id);
        }
        let (id, known, logged) = self.graph.names.look_up(text)?;
        if !logged && !self.out.named.contains(&id) {
            self.out.named.push(id);
            Operation::DefineName { id, name: text }.encode(&mut self.operations);
        }
        self.asked[place] = Some((known, id));
        Ok(id)
    }

    fn find(&mut self, target: &Target<'_>) -> Result<Option<EntityId>> {
        let id = self.id_of(target);
        id.map_or(Ok(()), |id| self.fetch(id))?;
        Ok(id.filter(|id| self.state(*id).is_alive()))
    }

    fn node(&mut self, key: &str) -> Result<u32> {
        let Some(id) = self.node_id(key) else {
            let id = self.add_node(key)?;
            Operation::DefineNode { id, key }.encode(&mut self.operations);
            return Ok(id);
        };
        self.fetch(EntityId::Node(id))?;
        Ok(id)
    }

    fn edge(&mut self, edge: &EdgeKey<'_>) -> Result<EntityId> {
        let (from, to, kind) = (self.node(edge.from)?, self.node(edge.to)?, self.name(edge.kind)?);
        let Some(id) = self.edge_id(from, kind, to, edge.key) else {
            let id = self.add_edge(from, kind, to, edge.key)?;
            Operation::DefineEdge { id, from, kind, to, key: edge.key }.encode(&mut self.operations);
            return Ok(EntityId::Edge(id));
        };
        self.fetch(EntityId::Edge(id))?;
        Ok(EntityId::Edge(id))
    }

    fn state(&self, id: EntityId) -> &Entity {
        match self.copies.get(&id) {
            Some(copy) => copy.now.as_ref().unwrap_or(&copy.before),
            None => self.graph.object(id).state(),
        }
    }

    /// Writes the operations down that repeat it.
    fn apply(&mut self, id: EntityId, operations: &[Operation<'_>]) -> Result<()> {
        if operations.is_empty() {
            return Ok(());
        }
        let before = self.change(id, operations)?;
        operations.iter().for_each(|operation| write_down(operation, &before, &mut self.operations));
        let limit = FRAME_BYTES_MAX - HEADER_RESERVE;
        bounded(self.operations.len() <= limit, Code::TransactionSize, FRAME_BYTES_MAX, || {
            format!("the transaction writes more than {limit} bytes; split it")
        })
    }

    fn incident(&mut self, key: &str) -> Result<Vec<EntityId>> {
        let Some(node) = self.node_id(key) else { return Ok(Vec::new()) };
        let (seen, mut linked) = std::mem::take(&mut self.linked);
        for id in self.copies.keys().skip(seen) {
            if let EntityId::Edge(edge) = *id {
                let EdgeSlot { from, to, .. } = self.edge_slot(edge);
                for end in [from, to] {
                    linked.entry(*end).or_default().push(edge);
                }
            }
        }
        let mut edges = linked.get(&node).cloned().unwrap_or_default();
        self.linked = (self.copies.len(), linked);
        if node < self.graph.numbered().0 {
            let listed = self.graph.incident_in(self.out.layer, node, self.graph.head)?.into_iter();
            edges.extend(listed.filter(|edge| !self.copies.contains_key(&EntityId::Edge(*edge))));
        }
        edges.sort_unstable();
        edges.dedup();
        let edges = edges.into_iter().map(EntityId::Edge);
        Ok(edges.filter(|edge| !self.copies.contains_key(edge) || self.state(*edge).is_alive()).collect())
    }
}

/// What a property of the nodes with a label holds.
fn held(state: &Entity, label: NameId, property: NameId) -> Option<&[u8]> {
    state.label(label).and_then(|_| state.property(property)).map(|held| held.value)
}

/// Appends an operation for the log: a large value that is set anew as pieces of the one before.
fn write_down(operation: &Operation<'_>, before: &Entity, out: &mut Vec<u8>) {
    if let Operation::Set { entity, name, valid: Interval::ALWAYS, value } = *operation
        && let Some(before) = before.property(name)
        && let Some(pieces) = difference(before.value, value)
    {
        return Operation::Pieces { entity, name, pieces: &pieces }.encode(out);
    }
    operation.encode(out);
}

/// The node or edge that an operation changes, and which slot of it; `None` for definitions, and for what is about the graph as a whole.
pub(crate) fn changed(operation: &Operation<'_>) -> Option<(EntityId, Slot)> {
    match *operation {
        Operation::Label { node, name } | Operation::Unlabel { node, name } => {
            Some((EntityId::Node(node), Slot::Label(name)))
        }
        Operation::Create { entity } | Operation::Remove { entity } => Some((entity, Slot::Existence)),
        Operation::Set { entity, name, .. }
        | Operation::Unset { entity, name, .. }
        | Operation::Pieces { entity, name, .. }
        | Operation::Increment { entity, name, .. } => Some((entity, Slot::Property(name))),
        _ => None,
    }
}
