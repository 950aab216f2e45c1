//! The tables of everything that was ever named: nodes by key, edges by identity. Numbers are never used again.

use crate::entity::Entity;
use crate::ids::Ids;
use crate::versioned::Object;
use hashbrown::{DefaultHashBuilder, HashTable};
use karyon_model::limits::ENTITIES_MAX;
use karyon_model::{Code, EntityId, Error, NameId, Result};
use std::hash::BuildHasher;

/// A node's key, its versions, and the lists of its edges by type.
#[derive(Clone, Debug)]
pub struct NodeSlot {
    /// Its identity.
    pub key: Box<str>,
    /// Existence, labels, properties.
    pub object: Object<Entity>,
    /// Edges that leave it and edges that enter it, each ascending by type.
    pub(crate) lists: [Vec<(NameId, Object<Ids>)>; 2],
}

/// An edge's identity and its versions.
#[derive(Clone, Debug)]
pub struct EdgeSlot {
    /// The node it leaves.
    pub from: u32,
    /// Its type.
    pub kind: NameId,
    /// The node it enters.
    pub to: u32,
    /// Tells parallel edges apart.
    pub key: Box<str>,
    /// Existence, properties.
    pub object: Object<Entity>,
}

/// Which end of an edge a list belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Edges that leave the node.
    Out,
    /// Edges that enter the node.
    In,
}

impl Direction {
    pub(crate) const BOTH: [Direction; 2] = [Direction::Out, Direction::In];
}

impl NodeSlot {
    /// The lists of one direction, ascending by type.
    pub(crate) fn lists(&self, direction: Direction) -> &[(NameId, Object<Ids>)] {
        &self.lists[direction as usize]
    }

    /// The list of one type, if any edge of that type ever was.
    pub(crate) fn list(&self, direction: Direction, kind: NameId) -> Option<&Object<Ids>> {
        let lists = self.lists(direction);
        lists.binary_search_by_key(&kind, |list| list.0).ok().map(|at| &lists[at].1)
    }

    pub(crate) fn lists_mut(&mut self, direction: Direction) -> impl Iterator<Item = &mut Object<Ids>> {
        self.lists[direction as usize].iter_mut().map(|list| &mut list.1)
    }

    pub(crate) fn list_mut(&mut self, direction: Direction, kind: NameId) -> &mut Object<Ids> {
        let lists = &mut self.lists[direction as usize];
        let at = lists.binary_search_by_key(&kind, |list| list.0).unwrap_or_else(|at| {
            // Most nodes have edges of one type, and a list of lists begins with room for four.
            lists.reserve_exact(usize::from(lists.is_empty()));
            lists.insert(at, (kind, Object::default()));
            at
        });
        &mut lists[at].1
    }
}

/// Nodes and edges, found by identity in constant time. The hash is keyed per process: keys come from outside.
#[derive(Default)]
pub struct Tables {
    /// By number.
    pub nodes: Vec<NodeSlot>,
    /// By number.
    pub edges: Vec<EdgeSlot>,
    node_numbers: HashTable<u32>,
    edge_numbers: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Tables {
    /// A node's number, if its key was ever committed.
    pub fn node(&self, key: &str) -> Option<u32> {
        let hash = self.hasher.hash_one(key);
        self.node_numbers.find(hash, |id| *self.nodes[*id as usize].key == *key).copied()
    }

    /// An edge's number, if its identity was ever committed.
    pub fn edge(&self, from: u32, kind: NameId, to: u32, key: &str) -> Option<u32> {
        let hash = self.hasher.hash_one((from, kind, to, key));
        let same = |id: &u32| {
            let edge = &self.edges[*id as usize];
            (edge.from, edge.kind, edge.to, &*edge.key) == (from, kind, to, key)
        };
        self.edge_numbers.find(hash, same).copied()
    }

    pub(crate) fn object_mut(&mut self, id: EntityId) -> &mut Object<Entity> {
        match id {
            EntityId::Node(id) => &mut self.nodes[id as usize].object,
            EntityId::Edge(id) => &mut self.edges[id as usize].object,
        }
    }

    /// Empty tables that hash alike.
    pub(crate) fn beside(&self) -> Tables {
        Tables { hasher: self.hasher.clone(), ..Tables::default() }
    }

    pub(crate) fn add_node(&mut self, key: &str) -> Result<u32> {
        let id = next_id(self.nodes.len() as u32)?;
        self.push_node(NodeSlot { key: key.into(), object: Object::default(), lists: [vec![], vec![]] });
        Ok(id)
    }

    pub(crate) fn add_edge(&mut self, from: u32, kind: NameId, to: u32, key: &str) -> Result<u32> {
        let id = next_id(self.edges.len() as u32)?;
        self.push_edge(EdgeSlot { from, kind, to, key: key.into(), object: Object::default() });
        Ok(id)
    }

    /// Forgets a node's key, and the identities of the edges that ever were at it: they are loops of the node from then on,
    /// and not found. Returns how many bytes the names had, and each edge as it was.
    pub(crate) fn erase(&mut self, node: u32) -> (usize, Vec<(u32, u32, NameId, u32)>) {
        let hash = self.hasher.hash_one(&*self.nodes[node as usize].key);
        self.node_numbers.find_entry(hash, |id| *id == node).map(|entry| entry.remove()).ok();
        let mut bytes = std::mem::take(&mut self.nodes[node as usize].key).len();
        let mut edges = Vec::new();
        for (id, edge) in (0..).zip(&mut self.edges) {
            let EdgeSlot { from, kind, to, key, .. } = edge;
            if *from == node || *to == node {
                let hash = self.hasher.hash_one((*from, *kind, *to, &**key));
                self.edge_numbers.find_entry(hash, |found| *found == id).map(|entry| entry.remove()).ok();
                edges.push((id, *from, *kind, *to));
                bytes += std::mem::take(key).len();
                (*from, *to) = (node, node);
            }
        }
        (bytes, edges)
    }

    /// Adds a node under the next number; without a key one that was erased, which is never found.
    pub(crate) fn push_node(&mut self, slot: NodeSlot) {
        let (id, hash) = (self.nodes.len() as u32, self.hasher.hash_one(&*slot.key));
        let named = !slot.key.is_empty();
        self.nodes.push(slot);
        if named {
            let (nodes, hasher) = (&self.nodes, &self.hasher);
            self.node_numbers.insert_unique(hash, id, |id| hasher.hash_one(&*nodes[*id as usize].key));
        }
    }

    /// Adds an edge under the next number.
    pub(crate) fn push_edge(&mut self, slot: EdgeSlot) {
        let id = self.edges.len() as u32;
        self.edges.push(slot);
        let (edges, hasher) = (&self.edges, &self.hasher);
        let hash = |id: &u32| {
            let edge = &edges[*id as usize];
            hasher.hash_one((edge.from, edge.kind, edge.to, &*edge.key))
        };
        self.edge_numbers.insert_unique(hash(&id), id, hash);
    }
}

/// The number after so many, if there may be one more.
pub(crate) fn next_id(count: u32) -> Result<u32> {
    Some(count).filter(|id| (*id as usize) < ENTITIES_MAX).ok_or_else(|| {
        let message =
            format!("the store has named {ENTITIES_MAX} nodes or edges, its limit; open another store");
        Error::new(Code::TransactionSize, message).with("limit", ENTITIES_MAX)
    })
}
