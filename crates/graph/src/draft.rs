//! A commit in the making: applied to the head as it goes, recorded at the end, or taken back whole.

use crate::entity::{Effect, Entity, Undo, add_undo, encode_delta};
use crate::gate::Labels;
use crate::head::{Graph, list_id, object_id};
use crate::ids::{self, Ids};
use crate::tables::Direction;
use crate::versioned::Object;
use hashbrown::HashMap;
use karyon_history::{Chapter, ObjectId};
use karyon_model::limits::FRAME_BYTES_MAX;
use karyon_model::{Code, EntityId, Error, Interval, NameId, Operation, Result, Seq};

/// Bytes of a frame's payload that are left to headers.
const HEADER_RESERVE: usize = 4096;

/// What a commit did, for the log, the history and the index of commits.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The encoded operations.
    pub operations: Vec<u8>,
    /// The nodes and edges that changed.
    pub touched: Vec<EntityId>,
    /// Chapters that became full: they must reach the history before anyone reads again.
    pub sealed: Vec<(ObjectId, Chapter)>,
}

pub(crate) struct Draft<'g> {
    graph: &'g mut Graph,
    seq: Seq,
    operations: Vec<u8>,
    changed: HashMap<EntityId, usize>,
    undo: Vec<(EntityId, Vec<Undo>)>,
    lists: HashMap<ObjectId, usize>,
    list_undo: Vec<(ObjectId, Vec<(u32, bool)>)>,
    named: Vec<NameId>,
    numbered: (usize, usize),
    live: (usize, usize),
    membership: bool,
}

impl<'g> Draft<'g> {
    /// Starts the commit after the head.
    pub(crate) fn new(graph: &'g mut Graph) -> Draft<'g> {
        let numbered = (graph.tables.nodes.len(), graph.tables.edges.len());
        Draft {
            seq: graph.head + 1,
            operations: Vec::new(),
            changed: HashMap::new(),
            undo: Vec::new(),
            lists: HashMap::new(),
            list_undo: Vec::new(),
            named: Vec::new(),
            numbered,
            live: graph.live(),
            membership: false,
            graph,
        }
    }

    pub(crate) fn graph(&self) -> &Graph {
        self.graph
    }

    pub(crate) fn entity(&self, id: EntityId) -> &Entity {
        self.graph.object(id).state()
    }

    /// The entities changed so far.
    pub(crate) fn touched(&self) -> impl Iterator<Item = EntityId> {
        self.undo.iter().map(|(id, _)| *id)
    }

    /// How many bytes the operations have so far: verbs that change something add to them.
    pub(crate) fn operation_bytes(&self) -> usize {
        self.operations.len()
    }

    /// A node's labels before the commit and now; `None` where it does not exist. Of an edge its type.
    pub(crate) fn sides(&self, id: EntityId) -> [Option<Labels>; 2] {
        if let EntityId::Edge(id) = id {
            return [Some(Labels::from_elem(self.graph.edge(id).kind, 1)), None];
        }
        let now = self.entity(id);
        let (mut existed, mut before) = (now.is_alive(), now.labels().collect::<Labels>());
        for undo in self.changed.get(&id).map_or(&[][..], |at| &self.undo[*at].1) {
            match undo {
                Undo::Existence(alive, _) => existed = *alive,
                Undo::Label(name, Some(_)) => before.push(*name),
                Undo::Label(name, None) => before.retain(|label| label != name),
                Undo::Property(..) | Undo::Splice { .. } => {}
            }
        }
        [existed.then_some(before), now.is_alive().then(|| now.labels().collect())]
    }

    /// A name's number, defined in the log if it is new there.
    pub(crate) fn name(&mut self, text: &str) -> Result<NameId> {
        let id = self.graph.names.intern(text)?;
        self.define_name(id, text);
        Ok(id)
    }

    pub(crate) fn define_name(&mut self, id: NameId, text: &str) {
        if self.graph.names.mark_logged(id) {
            self.named.push(id);
            Operation::DefineName { id, name: text }.encode(&mut self.operations);
        }
    }

    /// A node's number, a new one when the key was never committed.
    pub(crate) fn node(&mut self, key: &str) -> Result<u32> {
        if let Some(id) = self.graph.tables.node(key) {
            return Ok(id);
        }
        let id = self.graph.tables.add_node(key)?;
        Operation::DefineNode { id, key }.encode(&mut self.operations);
        Ok(id)
    }

    /// An edge's number, a new one when the identity was never committed.
    pub(crate) fn edge(&mut self, from: u32, kind: NameId, to: u32, key: &str) -> Result<u32> {
        if let Some(id) = self.graph.tables.edge(from, kind, to, key) {
            return Ok(id);
        }
        let id = self.graph.tables.add_edge(from, kind, to, key)?;
        Operation::DefineEdge { id, from, kind, to, key }.encode(&mut self.operations);
        Ok(id)
    }

    /// Makes one change and writes the operation that repeats it.
    pub(crate) fn apply(&mut self, id: EntityId, effect: Effect<'_>) -> Result<()> {
        self.change(id, effect)?;
        let valid = Interval::ALWAYS;
        let operation = match (effect, id) {
            (Effect::Create, entity) => Operation::Create { entity },
            (Effect::Remove, entity) => Operation::Remove { entity },
            (Effect::Label(name), EntityId::Node(node)) => Operation::Label { node, name },
            (Effect::Unlabel(name), EntityId::Node(node)) => Operation::Unlabel { node, name },
            (Effect::Label(_) | Effect::Unlabel(_), EntityId::Edge(_)) => {
                return Err(Error::new(Code::Argument, "edges have a type, not labels"));
            }
            (Effect::Set(name, value), entity) => Operation::Set { entity, name, valid, value },
            (Effect::Unset(name), entity) => Operation::Unset { entity, name, valid },
            (Effect::Splice { name, at, removed, items, inserted }, entity) => Operation::Splice {
                entity,
                name,
                at: at as u32,
                removed: removed as u32,
                items: items as u32,
                inserted,
            },
            (Effect::Increment(name, by), entity) => Operation::Increment { entity, name, by },
        };
        operation.encode(&mut self.operations);
        if self.operations.len() > FRAME_BYTES_MAX - HEADER_RESERVE {
            let message = format!(
                "the transaction writes more than {} bytes; split it",
                FRAME_BYTES_MAX - HEADER_RESERVE
            );
            return Err(Error::new(Code::TransactionSize, message).with("limit", FRAME_BYTES_MAX));
        }
        Ok(())
    }

    /// Repeats an operation of the log.
    pub(crate) fn replay(&mut self, operation: Operation<'_>) -> Result<()> {
        let damaged = |what: &str| Err(Error::new(Code::Damaged, format!("the log {what}")));
        let newer =
            || Err(Error::new(Code::FormatNewer, "the log has facts with valid time; use a newer Karyon"));
        let tables = &mut self.graph.tables;
        match operation {
            Operation::DefineName { id, name } => {
                self.named.push(id);
                return self.graph.names.define(id, name);
            }
            Operation::DefineNode { id, key } => {
                if tables.node(key).is_some() || tables.add_node(key)? != id {
                    return damaged("defines a node twice or out of order");
                }
                return Ok(());
            }
            Operation::DefineEdge { id, from, kind, to, key } => {
                let known = (from.max(to) as usize) < tables.nodes.len();
                if !known
                    || tables.edge(from, kind, to, key).is_some()
                    || tables.add_edge(from, kind, to, key)? != id
                {
                    return damaged("defines an edge twice, out of order or without its ends");
                }
                return Ok(());
            }
            Operation::Set { valid, .. } | Operation::Unset { valid, .. } if valid != Interval::ALWAYS => {
                return newer();
            }
            _ => {}
        }
        let (id, effect) = match operation {
            Operation::Create { entity } => (entity, Effect::Create),
            Operation::Remove { entity } => (entity, Effect::Remove),
            Operation::Label { node, name } => (EntityId::Node(node), Effect::Label(name)),
            Operation::Unlabel { node, name } => (EntityId::Node(node), Effect::Unlabel(name)),
            Operation::Set { entity, name, value, .. } => (entity, Effect::Set(name, value)),
            Operation::Unset { entity, name, .. } => (entity, Effect::Unset(name)),
            Operation::Splice { entity, name, at, removed, items, inserted } => {
                let (at, removed, items) = (at as usize, removed as usize, items as usize);
                (entity, Effect::Splice { name, at, removed, items, inserted })
            }
            Operation::Increment { entity, name, by } => (entity, Effect::Increment(name, by)),
            Operation::DefineName { .. } | Operation::DefineNode { .. } | Operation::DefineEdge { .. } => {
                return Ok(());
            }
        };
        let (nodes, edges) = self.graph.numbered();
        let defined = match id {
            EntityId::Node(id) => id < nodes,
            EntityId::Edge(id) => id < edges,
        };
        if !defined {
            return damaged("changes an entity before it defines it");
        }
        self.change(id, effect)
    }

    fn change(&mut self, id: EntityId, effect: Effect<'_>) -> Result<()> {
        let tables = &mut self.graph.tables;
        let object = match id {
            EntityId::Node(id) => &mut tables.nodes[id as usize].object,
            EntityId::Edge(id) => &mut tables.edges[id as usize].object,
        };
        let was_alive = object.state().is_alive();
        let mut undos = Vec::new();
        object.state_mut().apply(effect, self.seq, &mut |undo| undos.push(undo))?;
        let entity = object.state();
        let is_alive = entity.is_alive();
        let slot = *self.changed.entry(id).or_insert_with(|| {
            self.undo.push((id, Vec::new()));
            self.undo.len() - 1
        });
        let mut relabelled = Vec::new();
        for undo in undos {
            if let Undo::Label(name, before) = &undo {
                relabelled.push((*name, before.is_none()));
            }
            add_undo(&mut self.undo[slot].1, undo, entity)?;
        }
        match id {
            EntityId::Node(node) => {
                for (label, added) in relabelled {
                    self.list(ObjectId::Label(label), node, added);
                }
                self.membership |= is_alive != was_alive;
                self.graph.live_nodes =
                    self.graph.live_nodes + usize::from(is_alive) - usize::from(was_alive);
            }
            EntityId::Edge(edge) if is_alive != was_alive => {
                let slot = self.graph.edge(edge);
                let (from, kind, to) = (slot.from, slot.kind, slot.to);
                self.list(list_id(from, Direction::Out, kind), edge, is_alive);
                self.list(list_id(to, Direction::In, kind), edge, is_alive);
                self.graph.live_edges =
                    self.graph.live_edges + usize::from(is_alive) - usize::from(was_alive);
            }
            EntityId::Edge(_) => {}
        }
        Ok(())
    }

    /// Adds an id to a list or removes it, remembering what the list held before the commit.
    fn list(&mut self, list: ObjectId, id: u32, add: bool) {
        let state = list_object(self.graph, list).state_mut();
        let changed = if add { state.insert(id) } else { state.remove(id) };
        if !changed {
            return;
        }
        let slot = *self.lists.entry(list).or_insert_with(|| {
            self.list_undo.push((list, Vec::new()));
            self.list_undo.len() - 1
        });
        self.list_undo[slot].1.push((id, !add));
    }

    /// Records the commit: every changed object gets its delta, full runs become chapters.
    ///
    /// It fails only when the state in memory contradicts itself, which is a defect; the head is then unusable.
    pub(crate) fn finish(self) -> Result<Outcome> {
        let mut outcome = Outcome { operations: self.operations, ..Outcome::default() };
        for (id, undo) in self.undo {
            if undo.is_empty() {
                continue;
            }
            outcome.touched.push(id);
            let object = match id {
                EntityId::Node(id) => &mut self.graph.tables.nodes[id as usize].object,
                EntityId::Edge(id) => &mut self.graph.tables.edges[id as usize].object,
            };
            let chapter = object.record(object_id(id), self.seq, &encode_delta(&undo))?;
            outcome.sealed.extend(chapter.map(|chapter| (object_id(id), chapter)));
        }
        for (id, mut before) in self.list_undo {
            // The sort is stable: of an id that came and went, the answer from before the commit is kept.
            before.sort_by_key(|entry| entry.0);
            before.dedup_by_key(|entry| entry.0);
            let chapter = list_object(self.graph, id).record(id, self.seq, &ids::encode_delta(&before))?;
            outcome.sealed.extend(chapter.map(|chapter| (id, chapter)));
        }
        self.graph.head = self.seq;
        if self.membership {
            self.graph.membership = self.seq;
        }
        Ok(outcome)
    }

    /// Takes everything back: the head is as it was before the commit began.
    pub(crate) fn roll_back(self) {
        for (id, undo) in self.undo {
            let object = match id {
                EntityId::Node(id) => &mut self.graph.tables.nodes[id as usize].object,
                EntityId::Edge(id) => &mut self.graph.tables.edges[id as usize].object,
            };
            for undo in undo {
                let taken_back = object.state_mut().revert(undo);
                debug_assert!(taken_back.is_ok(), "what was just changed can be changed back");
            }
        }
        for (id, before) in self.list_undo {
            let list = list_object(self.graph, id).state_mut();
            for (id, present) in before.into_iter().rev() {
                if present {
                    list.insert(id)
                } else {
                    list.remove(id)
                };
            }
        }
        self.named.iter().for_each(|name| self.graph.names.unmark_logged(*name));
        self.graph.tables.truncate(self.numbered.0, self.numbered.1);
        (self.graph.live_nodes, self.graph.live_edges) = self.live;
    }
}

fn list_object(graph: &mut Graph, id: ObjectId) -> &mut Object<Ids> {
    match id {
        ObjectId::Out(node, kind) => graph.tables.nodes[node as usize].list_mut(Direction::Out, kind),
        ObjectId::In(node, kind) => graph.tables.nodes[node as usize].list_mut(Direction::In, kind),
        ObjectId::Label(name) => graph.labels.entry(name).or_default(),
        ObjectId::Node(_) | ObjectId::Edge(_) => unreachable!("only lists are asked for"),
    }
}
