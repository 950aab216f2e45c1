//! The head: the newest version of everything, with the runs that lead back from it.

use crate::ids::{Ids, Recent};
use crate::index::Indexes;
use crate::layer::{Layer, Numbered};
use crate::tables::{EdgeSlot, NodeSlot, Tables};
use crate::versioned::Object;
use crate::{EdgeItem, Entity, Names, NodeItem};
use karyon_history::{Direction, History, ObjectId};
use karyon_model::{EdgeKey, EntityId, NameId, Result, Seq, Target};
use std::any::Any;
use std::borrow::Cow;
use std::sync::{Arc, Weak};

/// Told of what happens to the nodes of the base.
pub trait Follower: Any + Send + Sync {
    /// A commit has made a node what it is now, be it that it does not exist any more. Told as it is published, before the head moves.
    fn changed(&self, node: u32, key: &str, state: &Entity, seq: Seq);
}

/// The graph. Reads take a version and answer as of it; changes come as commits, in order.
///
/// It is one plain state machine: whoever shares it between threads brings the lock.
pub struct Graph {
    pub(crate) tables: Tables,
    pub(crate) names: Names,
    pub(crate) labels: Numbered<NameId, Object<Ids>>,
    pub(crate) indexes: Indexes,
    pub(crate) layers: Vec<Layer>,
    /// Shared with images in the making.
    pub(crate) imaging: Arc<()>,
    followers: Vec<Weak<dyn Follower>>,
    pub(crate) history: Arc<dyn History>,
    pub(crate) recent: Recent,
    pub(crate) head: Seq,
    /// The newest commit that erased a node; 0 when none did.
    pub(crate) erased: Seq,
    /// The newest commit that created or removed a node.
    pub(crate) membership: Seq,
    /// Nodes and edges that exist.
    pub(crate) live: (usize, usize),
    /// About how many bytes the present takes, forks included.
    pub(crate) bytes: usize,
    /// How many it may take: commits that make it larger are refused.
    pub bytes_max: usize,
}

impl Graph {
    /// An empty graph whose sealed chapters are looked up in `history`.
    pub fn new(history: Arc<dyn History>) -> Graph {
        Graph {
            tables: Tables::default(),
            names: Names::default(),
            labels: Numbered::default(),
            indexes: Indexes::default(),
            layers: Vec::new(),
            imaging: Arc::default(),
            followers: Vec::new(),
            history,
            recent: Recent::default(),
            head: 0,
            erased: 0,
            membership: 0,
            live: (0, 0),
            bytes: 0,
            bytes_max: usize::MAX,
        }
    }

    /// Tells a follower of every commit from now on, until it is dropped.
    pub fn follow(&mut self, follower: Weak<dyn Follower>) {
        self.followers.retain(|other| other.strong_count() > 0 && !other.ptr_eq(&follower));
        self.followers.push(follower);
    }

    /// Those who follow.
    pub fn followers(&self) -> impl Iterator<Item = Arc<dyn Follower>> {
        self.followers.iter().filter_map(Weak::upgrade)
    }

    /// Fails with `Horizon` for a version as of which not everything is kept.
    pub fn check_kept(&self, seq: Seq) -> Result<()> {
        self.history.check(seq)
    }

    /// The newest commit; 0 when there is none.
    pub fn head(&self) -> Seq {
        self.head
    }

    /// The dictionary.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// Nodes and edges that exist at the head.
    pub fn live(&self) -> (usize, usize) {
        self.live
    }

    /// About how many bytes of memory the present takes, forks included: what was named, states and lists. The open runs that lead
    /// back from them are at most about as large again.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// A node's number, if its key was ever committed.
    pub fn node_id(&self, key: &str) -> Option<u32> {
        self.tables.node(key)
    }

    /// The number of what a target names, if it was ever committed.
    pub fn id_of(&self, target: &Target<'_>) -> Option<EntityId> {
        match target {
            Target::Node(key) => self.node_id(key).map(EntityId::Node),
            Target::Edge(EdgeKey { from, kind, to, key }) => {
                let (from, to) = (self.tables.node(from)?, self.tables.node(to)?);
                self.tables.edge(from, self.names.get(kind)?, to, key).map(EntityId::Edge)
            }
        }
    }

    /// A node as it is shown.
    pub fn node_item<'a>(&'a self, id: u32, entity: Cow<'a, Entity>, version: Seq) -> NodeItem<'a> {
        NodeItem { key: self.key(id), entity, version }
    }

    /// An edge as it is shown.
    pub fn edge_item<'a>(&'a self, id: u32, entity: Cow<'a, Entity>, version: Seq) -> EdgeItem<'a> {
        let edge = self.edge(id);
        let (EdgeSlot { from, kind, to, .. }, key) = (edge, self.tables.edge_key(edge));
        EdgeItem { from: self.key(*from), kind: *kind, to: self.key(*to), key, entity, version }
    }

    /// A node's key, by number.
    pub fn key(&self, id: u32) -> &str {
        self.tables.node_keys.get(id)
    }

    /// A node by number.
    pub fn node(&self, id: u32) -> &NodeSlot {
        &self.tables.nodes[id]
    }

    /// An edge by number.
    pub fn edge(&self, id: u32) -> &EdgeSlot {
        &self.tables.edges[id]
    }

    /// How many numbers of nodes and edges are given out.
    pub fn numbered(&self) -> (u32, u32) {
        (self.tables.nodes.len() as u32, self.tables.edges.len() as u32)
    }

    pub(crate) fn object(&self, id: EntityId) -> &Object<Entity> {
        match id {
            EntityId::Node(id) => &self.node(id).object,
            EntityId::Edge(id) => &self.edge(id).object,
        }
    }

    /// The lists of the edges that a node ever had in one direction, ascending by the interned name of their type.
    pub(crate) fn edge_lists(&self, node: u32, way: Direction) -> impl Iterator<Item = ObjectId> {
        self.node(node).lists(way).map(move |(kind, _)| ObjectId::Edges(way, node, kind))
    }

    /// The same in both directions.
    pub(crate) fn all_lists(&self, node: u32) -> impl Iterator<Item = ObjectId> {
        Direction::BOTH.into_iter().flat_map(move |way| self.edge_lists(node, way))
    }
}
