//! A commit in the making: applied to the head as it goes, recorded at the end, or taken back whole.

use crate::entity::{Entity, Slot, Undo, add_undo, encode_delta};
use crate::gate::Labels;
use crate::head::{Graph, list_id, object_id};
use crate::ids::{self, Ids};
use crate::layer::Act;
use crate::names::Names;
use crate::plan::Surface;
use crate::tables::{Direction, EdgeSlot, NodeSlot};
use crate::versioned::{Object, State};
use hashbrown::HashMap;
use karyon_history::{Chapter, ObjectId};
use karyon_model::bytes::Cursor;
use karyon_model::limits::FRAME_BYTES_MAX;
use karyon_model::{Code, EdgeKey, EntityId, Error, NameId, Operation, Result, Rules, Seq, Target};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Bytes of a frame's payload that are left to headers.
const HEADER_RESERVE: usize = 4096;

/// What a node takes beside its key and state: its slot, its place in the table, the heads of lists.
pub(crate) const NODE_BYTES: usize = size_of::<NodeSlot>() + 2 * size_of::<(NameId, Object<Ids>)>();
/// The same of an edge.
pub(crate) const EDGE_BYTES: usize = size_of::<EdgeSlot>();
/// What a list takes for each of its ids.
const ID_BYTES: usize = size_of::<u32>();

/// What a commit did, for the log, the history and the index of commits.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The encoded operations.
    pub operations: Vec<u8>,
    /// The nodes and edges that changed, ascending.
    pub touched: Vec<EntityId>,
    /// Chapters that became full: they must reach the history before anyone reads again.
    pub sealed: Vec<(ObjectId, Chapter)>,
}

pub(crate) struct Draft<'g> {
    pub(crate) graph: &'g mut Graph,
    /// The layer that is written to; 0 is the base.
    pub(crate) layer: u32,
    pub(crate) seq: Seq,
    /// Verbs that change something add to it.
    pub(crate) operations: Vec<u8>,
    pub(crate) undo: BTreeMap<EntityId, Vec<Undo>>,
    /// In a layer: what nodes and edges are in the making.
    pub(crate) copies: HashMap<EntityId, Entity>,
    /// In a layer: whether a list held an id before the commit, and whether it does now.
    pub(crate) pending: BTreeMap<(ObjectId, u32), (bool, bool)>,
    /// In a layer: by list, and whether the one below has them, ids, and whether the difference held them before.
    pub(crate) differences: BTreeMap<(ObjectId, bool), Vec<(u32, bool)>>,
    pub(crate) act: Option<Act>,
    /// What is no longer as it was in a list: an id, and whether the list held it.
    lists: BTreeMap<ObjectId, Vec<(u32, bool)>>,
    named: Vec<NameId>,
    /// The indexes whose rules have changed.
    declared: Vec<u32>,
    numbered: (u32, u32),
    indexed: (usize, usize),
    live: (usize, usize),
    bytes: usize,
    pub(crate) membership: bool,
}

impl<'g> Draft<'g> {
    /// Starts the commit after the head.
    pub(crate) fn new(graph: &'g mut Graph, layer: u32) -> Draft<'g> {
        Draft {
            layer,
            seq: graph.head + 1,
            operations: Vec::new(),
            undo: BTreeMap::new(),
            copies: HashMap::new(),
            pending: BTreeMap::new(),
            differences: BTreeMap::new(),
            act: None,
            lists: BTreeMap::new(),
            named: Vec::new(),
            declared: Vec::new(),
            numbered: graph.numbered(),
            indexed: graph.indexes.numbered(),
            live: graph.live(),
            bytes: graph.bytes,
            membership: false,
            graph,
        }
    }

    /// The entities changed so far.
    pub(crate) fn touched(&self) -> impl Iterator<Item = EntityId> {
        self.undo.keys().copied()
    }

    /// Refuses what makes the present too large.
    pub(crate) fn check_bytes(&self) -> Result<()> {
        let (bytes, limit) = (self.graph.bytes, self.graph.bytes_max);
        if bytes <= limit || bytes <= self.bytes {
            return Ok(());
        }
        let message = format!(
            "the graph would take about {bytes} bytes of memory, and {limit} are allowed; remove something, or open it with a larger memoryBytes"
        );
        Err(Error::new(Code::Memory, message).with("bytes", bytes).with("limit", limit))
    }

    /// Whether there is anything to record.
    pub(crate) fn has_changed(&self) -> bool {
        !self.undo.is_empty() || !self.declared.is_empty() || self.act.is_some()
    }

    /// A node's labels before the commit and now; `None` where it does not exist. Of an edge its type.
    pub(crate) fn sides_of(&self, id: EntityId) -> Result<[Option<Labels>; 2]> {
        if let EntityId::Edge(id) = id {
            return Ok([Some(Labels::from_elem(self.graph.edge(id).kind, 1)), None]);
        }
        let now = match self.copies.get(&id) {
            Some(copy) => Cow::Borrowed(copy),
            None => self.graph.state_in(self.layer, id, self.graph.head)?.0,
        };
        let (mut existed, mut before) = (now.is_alive(), now.labels().collect::<Labels>());
        for undo in self.undo.get(&id).into_iter().flatten() {
            match undo {
                Undo::Whole(Slot::Existence, held) => existed = held.there,
                Undo::Whole(Slot::Label(name), held) if held.there => before.push(*name),
                Undo::Whole(Slot::Label(name), _) => before.retain(|label| label != name),
                _ => {}
            }
        }
        Ok([existed.then_some(before), now.is_alive().then(|| now.labels().collect())])
    }

    /// In a layer: takes a copy to work on.
    fn load(&mut self, id: EntityId) -> Result<()> {
        if self.layer > 0 && !self.copies.contains_key(&id) {
            let state = self.graph.state_in(self.layer, id, self.graph.head)?.0.into_owned();
            self.copies.insert(id, state);
        }
        Ok(())
    }

    /// Repeats an operation of the log.
    pub(crate) fn replay(&mut self, operation: Operation<'_>) -> Result<()> {
        let damaged = |what: &str| Err(Error::new(Code::Damaged, format!("the log {what}")));
        let tables = &mut self.graph.tables;
        let defined = match operation {
            Operation::DefineName { id, name } => {
                self.named.push(id);
                return self.graph.names.define(id, name);
            }
            Operation::DefineNode { id, key } => {
                self.graph.bytes += NODE_BYTES + key.len() + Entity::default().size();
                tables.node(key).is_none() && tables.add_node(key)? == id
            }
            Operation::DefineEdge { id, from, kind, to, key } => {
                self.graph.bytes += EDGE_BYTES + key.len() + Entity::default().size();
                (from.max(to) as usize) < tables.nodes.len()
                    && tables.edge(from, kind, to, key).is_none()
                    && tables.add_edge(from, kind, to, key)? == id
            }
            Operation::Declare { label, name, rules } => return self.declare(label, name, rules),
            Operation::Fork { name, parent, from } => return self.fork(name, parent, from),
            Operation::Drop { layer } => return self.drop_layer(layer),
            Operation::Merge { layer } => return self.merge(layer, self.graph.head),
            Operation::Erase { node, postings } => {
                let (nodes, count) = (self.graph.numbered().0, self.graph.indexes.numbered().1);
                let mut cursor = Cursor::new(postings);
                let mut known = node < nodes;
                while !cursor.is_empty() {
                    known &= (cursor.id()? as usize) < count;
                }
                self.act = Some(Act::Erased(node, postings.to_vec()));
                known
            }
            Operation::Archive { .. } => {
                self.act = Some(Act::Archived);
                true
            }
            _ => true,
        };
        if !defined {
            return damaged(
                "defines a node or edge twice, out of order or without its ends, or erases what is not there",
            );
        }
        let (nodes, edges) = self.graph.numbered();
        match changed(&operation) {
            Some(EntityId::Node(id)) if id >= nodes => damaged("changes an entity before it defines it"),
            Some(EntityId::Edge(id)) if id >= edges => damaged("changes an entity before it defines it"),
            Some(id) => self.change(id, &operation),
            None => Ok(()),
        }
    }

    fn change(&mut self, id: EntityId, operation: &Operation<'_>) -> Result<()> {
        self.load(id)?;
        let entity = match self.copies.get_mut(&id) {
            Some(copy) => copy,
            None => self.graph.tables.object_mut(id).state_mut(),
        };
        let (was_alive, size) = (entity.is_alive(), entity.size());
        let mut undos = Vec::new();
        entity.apply(operation, self.seq, &mut |undo| undos.push(undo))?;
        let grown = entity.size();
        let is_alive = entity.is_alive();
        let before = self.undo.entry(id).or_default();
        let mut relabelled = Vec::new();
        for undo in undos {
            if let Undo::Whole(Slot::Label(name), held) = &undo {
                relabelled.push((*name, !held.there));
            }
            add_undo(before, undo, entity)?;
        }
        let of_base = self.layer == 0;
        let count = |live: &mut usize| {
            if of_base {
                *live = *live + usize::from(is_alive) - usize::from(was_alive);
            }
        };
        if of_base {
            self.graph.bytes = self.graph.bytes + grown - size;
        }
        match id {
            EntityId::Node(node) => {
                for (label, added) in relabelled {
                    self.list(ObjectId::Label(label), node, added)?;
                }
                self.membership |= is_alive != was_alive;
                count(&mut self.graph.live.0);
            }
            EntityId::Edge(edge) if is_alive != was_alive => {
                let slot = self.graph.edge(edge);
                let (from, kind, to) = (slot.from, slot.kind, slot.to);
                self.list(list_id(from, Direction::Out, kind), edge, is_alive)?;
                self.list(list_id(to, Direction::In, kind), edge, is_alive)?;
                count(&mut self.graph.live.1);
            }
            EntityId::Edge(_) => {}
        }
        Ok(())
    }

    /// Adds an id to a list or removes it, remembering what the list held before the commit.
    fn list(&mut self, list: ObjectId, id: u32, add: bool) -> Result<()> {
        // The base has the list, be it empty: whoever looks for a node's edges looks for its lists there.
        let object = list_object(self.graph, list);
        if self.layer > 0 {
            let held = self.holds(list, id)?;
            self.pending.entry((list, id)).or_insert((held, held)).1 = add;
        } else if object.state_mut().put(id, add) {
            let bytes = self.graph.bytes + 2 * ID_BYTES * usize::from(add);
            self.graph.bytes = bytes - ID_BYTES;
            self.lists.entry(list).or_default().push((id, !add));
        }
        Ok(())
    }

    /// Has rules hold for a property of the nodes with a label from this commit on; nothing when they hold already.
    pub(crate) fn declare(&mut self, label: NameId, property: NameId, rules: Rules) -> Result<()> {
        if self.layer > 0 {
            return Err(Error::new(Code::Layer, "rules are declared in the graph, not in a fork of it"));
        }
        let indexes = &mut self.graph.indexes;
        let at = indexes.find(label, property).map_or_else(|| indexes.add(label, property), Ok)?;
        let index = &mut indexes.all[at as usize];
        let before = index.rules_at(self.seq);
        if before == rules {
            return Ok(());
        }
        index.rules.push((self.seq, rules));
        self.declared.push(at);
        Operation::Declare { label, name: property, rules }.encode(&mut self.operations);
        let nodes = self.graph.labels.get(&label).map_or_else(Vec::new, |list| list.state().to_vec());
        for node in nodes {
            let entity = self.state(EntityId::Node(node));
            self.check_required(entity)?;
            let as_of = if rules.indexed { self.seq } else { self.graph.head };
            let entries = self.graph.indexes.entries(entity, as_of)?;
            for (_, key) in entries.iter().filter(|entry| entry.0 == at && before.indexed != rules.indexed) {
                self.post(at, key, node, rules.indexed)?;
            }
        }
        let postings: Vec<_> = self.graph.indexes.all[at as usize].postings.values().copied().collect();
        self.check_unique(&postings)
    }

    fn check_required(&self, entity: &Entity) -> Result<()> {
        let missing = self.graph.indexes.missing(entity, self.rules_at());
        missing.map_or(Ok(()), |index| Err(self.graph.rule_error(index, Code::Required)))
    }

    fn check_unique(&self, postings: &[u32]) -> Result<()> {
        for posting in postings {
            let Some(index) = self.graph.indexes.unique(*posting, self.rules_at()) else { continue };
            let list = ObjectId::Posting(*posting);
            let mut holders: BTreeSet<u32> =
                self.graph.listed_in(self.layer, list, self.seq)?.iter().copied().collect();
            self.apply_pending(list, &mut holders);
            if holders.len() > 1 {
                return Err(self.graph.rule_error(index, Code::Unique));
            }
        }
        Ok(())
    }

    /// The version whose rules hold.
    fn rules_at(&self) -> Seq {
        self.graph.ground(self.layer, self.seq)
    }

    /// In a layer: brings a list up to what the commit has made of it.
    fn apply_pending(&self, list: ObjectId, ids: &mut BTreeSet<u32>) {
        for ((_, id), (_, now)) in self.pending.range((list, 0)..=(list, u32::MAX)) {
            if *now {
                ids.insert(*id)
            } else {
                ids.remove(id)
            };
        }
    }

    /// Adds a node to the posting of a value or removes it.
    fn post(&mut self, index: u32, key: &[u8], node: u32, add: bool) -> Result<u32> {
        let posting = self.graph.indexes.posting(index, key);
        self.list(ObjectId::Posting(posting), node, add)?;
        Ok(posting)
    }

    /// Brings the indexes up to date with the nodes that were changed, and refuses what their rules do not allow. The last thing
    /// before the commit is recorded, which cannot fail.
    pub(crate) fn index(&mut self) -> Result<()> {
        let mut changed = Vec::new();
        for (id, undos) in &self.undo {
            let concerned = undos.iter().any(|undo| self.graph.indexes.concerns(undo.slot()));
            let EntityId::Node(node) = *id else { continue };
            if concerned {
                let now = self.state(*id);
                let mut before = now.clone();
                undos.iter().try_for_each(|undo| before.revert(undo.clone()))?;
                let entries = |entity| self.graph.indexes.entries(entity, self.rules_at());
                let (was, is) = (entries(&before)?, entries(now)?);
                self.check_required(now)?;
                changed.extend(was.difference(&is).map(|entry| (entry.clone(), node, false)));
                changed.extend(is.difference(&was).map(|entry| (entry.clone(), node, true)));
            }
        }
        let posted = changed.iter().map(|((index, key), node, add)| self.post(*index, key, *node, *add));
        let posted = posted.collect::<Result<Vec<_>>>()?;
        self.check_unique(&posted)?;
        self.compare_lists()
    }

    /// Records the commit: every changed object gets its delta, full runs become chapters.
    ///
    /// It fails only when the state in memory contradicts itself, which is a defect; the head is then unusable.
    pub(crate) fn finish(mut self) -> Result<Outcome> {
        self.undo.retain(|_, undo| !undo.is_empty());
        if self.layer > 0 {
            return self.finish_layer();
        }
        let touched = self.touched().collect();
        let mut sealed = Vec::new();
        for (entity, undo) in self.undo {
            let (id, object) = (object_id(entity), self.graph.tables.object_mut(entity));
            let chapter = object.record(id, self.seq, &encode_delta(&undo))?;
            sealed.extend(chapter.map(|chapter| (id, chapter)));
        }
        for (id, mut before) in self.lists {
            // The sort is stable: of an id that came and went, the answer from before the commit is kept.
            before.sort_by_key(|entry| entry.0);
            before.dedup_by_key(|entry| entry.0);
            let chapter = list_object(self.graph, id).record(id, self.seq, &ids::encode_delta(&before))?;
            sealed.extend(chapter.map(|chapter| (id, chapter)));
            if let ObjectId::Posting(posting) = id {
                let index = self.graph.indexes.postings[posting as usize].index;
                self.graph.indexes.all[index as usize].last = self.seq;
            }
        }
        self.graph.head = self.seq;
        if self.membership {
            self.graph.membership = self.seq;
        }
        if self.act.is_some() {
            Draft::clear_dropped(self.graph);
        }
        if let Some(Act::Erased(node, postings)) = self.act {
            self.graph.purge(node, &postings)?;
        }
        Ok(Outcome { operations: self.operations, touched, sealed })
    }

    /// Takes everything back: the head is as it was before the commit began.
    pub(crate) fn roll_back(self) {
        let of_base = self.undo.into_iter().filter(|_| self.layer == 0);
        for (id, undo) in of_base {
            for undo in undo {
                let taken_back = self.graph.tables.object_mut(id).state_mut().revert(undo);
                debug_assert!(taken_back.is_ok(), "what was just changed can be changed back");
            }
        }
        for (list, before) in self.lists {
            let list = list_object(self.graph, list).state_mut();
            for (id, present) in before.into_iter().rev() {
                list.put(id, present);
            }
        }
        for index in self.declared {
            self.graph.indexes.all[index as usize].rules.pop();
        }
        self.graph.indexes.truncate(self.indexed);
        Draft::undo_act(self.graph, self.act);
        self.named.iter().for_each(|name| self.graph.names.unmark_logged(*name));
        self.graph.tables.truncate(self.numbered);
        (self.graph.live, self.graph.bytes) = (self.live, self.bytes);
    }
}

impl Surface for Draft<'_> {
    fn names(&self) -> &Names {
        &self.graph.names
    }

    fn sides(&self, target: &Target<'_>) -> Result<[Option<Labels>; 2]> {
        self.graph.id_of(target).map_or(Ok([None, None]), |id| self.sides_of(id))
    }

    /// Defined in the log if it is new there.
    fn name(&mut self, text: &str) -> Result<NameId> {
        let id = self.graph.names.intern(text)?;
        if self.graph.names.mark_logged(id) {
            self.named.push(id);
            Operation::DefineName { id, name: text }.encode(&mut self.operations);
        }
        Ok(id)
    }

    fn find(&mut self, target: &Target<'_>) -> Result<Option<EntityId>> {
        let id = self.graph.id_of(target);
        id.map_or(Ok(()), |id| self.load(id))?;
        Ok(id.filter(|id| self.state(*id).is_alive()))
    }

    fn node(&mut self, key: &str) -> Result<u32> {
        let id = match self.graph.tables.node(key) {
            Some(id) => id,
            None => {
                let id = self.graph.tables.add_node(key)?;
                self.graph.bytes += NODE_BYTES + key.len() + Entity::default().size();
                Operation::DefineNode { id, key }.encode(&mut self.operations);
                id
            }
        };
        self.load(EntityId::Node(id))?;
        Ok(id)
    }

    fn edge(&mut self, edge: &EdgeKey<'_>) -> Result<EntityId> {
        let (from, to, kind) = (self.node(edge.from)?, self.node(edge.to)?, self.name(edge.kind)?);
        let id = match self.graph.tables.edge(from, kind, to, edge.key) {
            Some(id) => id,
            None => {
                let id = self.graph.tables.add_edge(from, kind, to, edge.key)?;
                self.graph.bytes += EDGE_BYTES + edge.key.len() + Entity::default().size();
                Operation::DefineEdge { id, from, kind, to, key: edge.key }.encode(&mut self.operations);
                id
            }
        };
        self.load(EntityId::Edge(id))?;
        Ok(EntityId::Edge(id))
    }

    fn state(&self, id: EntityId) -> &Entity {
        self.copies.get(&id).unwrap_or_else(|| self.graph.object(id).state())
    }

    /// Writes the operation down that repeats it.
    fn apply(&mut self, operation: Operation<'_>) -> Result<()> {
        let Some(id) = changed(&operation) else { return Ok(()) };
        self.change(id, &operation)?;
        operation.encode(&mut self.operations);
        let limit = FRAME_BYTES_MAX - HEADER_RESERVE;
        if self.operations.len() > limit {
            let message = format!("the transaction writes more than {limit} bytes; split it");
            return Err(Error::new(Code::TransactionSize, message).with("limit", FRAME_BYTES_MAX));
        }
        Ok(())
    }

    fn incident(&mut self, key: &str) -> Result<Vec<EntityId>> {
        let Some(node) = self.graph.node_id(key) else { return Ok(Vec::new()) };
        let mut edges: BTreeSet<u32> = BTreeSet::new();
        for way in Direction::BOTH {
            for kind in self.graph.edge_kinds(node, way) {
                let list = list_id(node, way, kind);
                edges.extend(self.graph.listed_in(self.layer, list, self.seq)?.iter());
            }
        }
        for way in Direction::BOTH {
            for kind in self.graph.edge_kinds(node, way) {
                self.apply_pending(list_id(node, way, kind), &mut edges);
            }
        }
        Ok(edges.into_iter().map(EntityId::Edge).collect())
    }
}

/// The node or edge that an operation changes; `None` for definitions.
pub(crate) fn changed(operation: &Operation<'_>) -> Option<EntityId> {
    match *operation {
        Operation::DefineName { .. }
        | Operation::DefineNode { .. }
        | Operation::DefineEdge { .. }
        | Operation::Declare { .. }
        | Operation::Fork { .. }
        | Operation::Drop { .. }
        | Operation::Merge { .. }
        | Operation::Erase { .. }
        | Operation::Archive { .. } => None,
        Operation::Label { node, .. } | Operation::Unlabel { node, .. } => Some(EntityId::Node(node)),
        Operation::Create { entity }
        | Operation::Remove { entity }
        | Operation::Set { entity, .. }
        | Operation::Unset { entity, .. }
        | Operation::Splice { entity, .. }
        | Operation::Increment { entity, .. } => Some(entity),
    }
}

fn list_object(graph: &mut Graph, id: ObjectId) -> &mut Object<Ids> {
    match id {
        ObjectId::Out(node, kind) => graph.tables.nodes[node as usize].list_mut(Direction::Out, kind),
        ObjectId::In(node, kind) => graph.tables.nodes[node as usize].list_mut(Direction::In, kind),
        ObjectId::Label(name) => graph.labels.entry(name).or_default(),
        ObjectId::Posting(posting) => &mut graph.indexes.postings[posting as usize].nodes,
        ObjectId::Node(_)
        | ObjectId::Edge(_)
        | ObjectId::Copy(..)
        | ObjectId::Difference(..)
        | ObjectId::Commits(_) => unreachable!("only lists of the base are asked for"),
    }
}
