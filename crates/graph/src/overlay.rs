//! What a transaction has written and not committed, so that its own reads see it.

use crate::gate::Labels;
use crate::layer::Numbered;
use crate::plan::Surface;
use crate::transaction::{Read, note};
use crate::{Entity, Graph, Names};
use hashbrown::{HashMap, HashSet};
use karyon_history::Direction;
use karyon_model::{EdgeKey, EntityId, NameId, Operation, Result, Seq, Target};

/// A node's key or an edge's identity, owned.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Identity {
    Node(Box<str>),
    Edge { from: Box<str>, kind: Box<str>, to: Box<str>, key: Box<str> },
}

impl From<&Target<'_>> for Identity {
    fn from(target: &Target<'_>) -> Self {
        match target {
            Target::Node(key) => Identity::Node((*key).into()),
            Target::Edge(EdgeKey { from, kind, to, key }) => Identity::Edge {
                from: (*from).into(),
                kind: (*kind).into(),
                to: (*to).into(),
                key: (*key).into(),
            },
        }
    }
}

/// One private copy.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) entity: Entity,
    /// The commit that last changed it; 0 once the transaction has, or when there was nothing.
    pub(crate) version: Seq,
}

/// Private copies of the entities that a transaction has touched, in the order of first touch.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    pub(crate) entries: Numbered<Identity, Entry>,
    /// The entities of the snapshot that have a private copy.
    copied: HashSet<EntityId>,
    /// The edges of a node among the entries.
    incident: HashMap<Box<str>, Vec<u32>>,
}

impl Overlay {
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn get(&self, target: &Target<'_>) -> Option<&Entry> {
        self.entries.get(&Identity::from(target))
    }

    /// Whether the snapshot's version of an entity is hidden by a private copy.
    pub(crate) fn hides(&self, id: EntityId) -> bool {
        self.copied.contains(&id)
    }

    fn insert(&mut self, identity: Identity, entry: Entry, id: Option<EntityId>) -> u32 {
        let at = self.entries.len() as u32;
        if let Identity::Edge { from, to, .. } = &identity {
            self.incident.entry(from.clone()).or_default().push(at);
            if from != to {
                self.incident.entry(to.clone()).or_default().push(at);
            }
        }
        self.copied.extend(id);
        self.entries.insert(identity, entry);
        at
    }
}

/// A transaction's private surface above its snapshot.
pub(crate) struct Private<'a> {
    pub(crate) graph: &'a Graph,
    pub(crate) layer: u32,
    pub(crate) snapshot: Seq,
    pub(crate) overlay: &'a mut Overlay,
    pub(crate) reads: &'a mut HashSet<Read>,
}

/// A node or edge of the surface is numbered by its entry.
fn index(id: EntityId) -> usize {
    let (EntityId::Node(at) | EntityId::Edge(at)) = id;
    at as usize
}

impl Private<'_> {
    fn claim(&mut self, target: &Target<'_>) -> Result<u32> {
        if let Some(at) = self.overlay.entries.get_index_of(&Identity::from(target)) {
            return Ok(at as u32);
        }
        let id = self.graph.id_of(target);
        note(self.reads, Read::entity(id, target))?;
        self.copy(target, id)
    }

    fn copy(&mut self, target: &Target<'_>, id: Option<EntityId>) -> Result<u32> {
        let found = id.map(|id| self.graph.entity_in(self.layer, id, self.snapshot)).transpose()?.flatten();
        let (entity, version) =
            found.map(|(entity, version)| (entity.into_owned(), version)).unwrap_or_default();
        Ok(self.overlay.insert(target.into(), Entry { entity, version }, id))
    }
}

impl Surface for Private<'_> {
    fn names(&self) -> &Names {
        self.graph.names()
    }

    fn sides(&self, target: &Target<'_>) -> Result<[Option<Labels>; 2]> {
        let found = match self.graph.id_of(target) {
            Some(id @ EntityId::Node(_)) => self.graph.entity_in(self.layer, id, self.snapshot)?,
            Some(EntityId::Edge(id)) => {
                return Ok([Some(Labels::from_elem(self.graph.edge(id).kind, 1)), None]);
            }
            None => None,
        };
        let now = self.overlay.get(target).filter(|own| own.entity.is_alive());
        Ok([found.map(|found| found.0.labels().collect()), now.map(|own| own.entity.labels().collect())])
    }

    fn name(&mut self, text: &str) -> Result<NameId> {
        self.graph.names().intern(text)
    }

    fn find(&mut self, target: &Target<'_>) -> Result<Option<EntityId>> {
        let id = match target {
            Target::Node(key) => EntityId::Node(self.node(key)?),
            Target::Edge(edge) => self.edge(edge)?,
        };
        Ok(Some(id).filter(|id| self.state(*id).is_alive()))
    }

    fn node(&mut self, key: &str) -> Result<u32> {
        self.claim(&Target::Node(key))
    }

    fn edge(&mut self, edge: &EdgeKey<'_>) -> Result<EntityId> {
        self.claim(&Target::Edge(*edge)).map(EntityId::Edge)
    }

    fn state(&self, id: EntityId) -> &Entity {
        &self.overlay.entries[index(id)].entity
    }

    fn apply(&mut self, id: EntityId, operations: &[Operation<'_>]) -> Result<()> {
        if !operations.is_empty() {
            let entry = &mut self.overlay.entries[index(id)];
            (entry.entity, entry.version) = (entry.entity.apply(operations, self.snapshot + 1)?, 0);
        }
        Ok(())
    }

    fn incident(&mut self, key: &str) -> Result<Vec<EntityId>> {
        let graph = self.graph;
        if let Some(node) = graph.node_id(key) {
            Direction::BOTH.into_iter().try_for_each(|way| note(self.reads, Read::Lists(node, way)))?;
            for id in graph.incident_in(self.layer, node, self.snapshot)?.into_iter().map(EntityId::Edge) {
                if !self.overlay.hides(id) {
                    graph.with_target(id, |target| self.copy(&target, Some(id)))?;
                }
            }
        }
        let edges = self.overlay.incident.get(key).map(Vec::as_slice).unwrap_or_default();
        let edges = edges.iter().map(|at| EntityId::Edge(*at));
        Ok(edges.filter(|edge| self.state(*edge).is_alive()).collect())
    }
}

impl Identity {
    /// The identity, borrowed.
    pub(crate) fn target(&self) -> Target<'_> {
        match self {
            Identity::Node(key) => Target::Node(key),
            Identity::Edge { from, kind, to, key } => Target::Edge(EdgeKey { from, kind, to, key }),
        }
    }
}
