//! Reading: as of a version, and through a transaction, which sees its own writes and notes what it has seen.

use crate::entity::Entity;
use crate::gate::{Gate, permitted};
use crate::head::Graph;
use crate::overlay::{Entry, Identity, entity_id};
use crate::reads::Read;
use crate::tables::Direction;
use crate::transaction::Transaction;
use karyon_model::{EdgeKey, EntityId, NameId, Result, Seq, Target};
use std::borrow::Cow;

/// A node as it is read.
#[derive(Debug)]
pub struct NodeItem<'a> {
    /// Its identity.
    pub key: &'a str,
    /// Labels and properties.
    pub entity: Cow<'a, Entity>,
    /// The commit that last changed it; 0 when the reading transaction did.
    pub version: Seq,
}

/// An edge as it is read.
#[derive(Debug)]
pub struct EdgeItem<'a> {
    /// The node it leaves.
    pub from: &'a str,
    /// Its type.
    pub kind: NameId,
    /// The node it enters.
    pub to: &'a str,
    /// Tells parallel edges apart.
    pub key: &'a str,
    /// Properties.
    pub entity: Cow<'a, Entity>,
    /// The commit that last changed it; 0 when the reading transaction did.
    pub version: Seq,
}

/// Where the next page of a scan begins. The first page begins at the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PageStart {
    /// Numbers below this one have been seen.
    id: u32,
    /// Which of several lists.
    list: NameId,
    /// Entries of the transaction's own, once the snapshot's are through.
    own: Option<u32>,
}

impl PageStart {
    /// Three numbers that `from_parts` understands.
    pub fn parts(self) -> (u32, u32, u32) {
        (self.id, self.list, self.own.map_or(0, |own| own + 1))
    }

    /// Puts a start together again.
    pub fn from_parts((id, list, own): (u32, u32, u32)) -> Self {
        PageStart { id, list, own: own.checked_sub(1) }
    }
}

/// A reader of one version.
pub struct Reader<'a> {
    graph: &'a Graph,
    seq: Seq,
    transaction: Option<&'a mut Transaction>,
    gate: &'a dyn Gate,
}

impl<'a> Reader<'a> {
    /// Reads as of `seq`.
    pub fn at(graph: &'a Graph, seq: Seq, gate: &'a dyn Gate) -> Reader<'a> {
        Reader { graph, seq, transaction: None, gate }
    }

    /// Reads through a transaction: its own writes first, then its snapshot.
    pub fn through(
        graph: &'a Graph,
        transaction: &'a mut Transaction,
        gate: &'a dyn Gate,
    ) -> Result<Reader<'a>> {
        transaction.catch_up(graph, gate)?;
        Ok(Reader { graph, seq: transaction.snapshot(), transaction: Some(transaction), gate })
    }

    fn note(&mut self, read: impl FnOnce() -> Read) -> Result<()> {
        match &mut self.transaction {
            Some(transaction) => transaction.reads.add(read()),
            None => Ok(()),
        }
    }

    /// The number of a label or type that is asked for, once it may be; `None` when nothing in the store ever had it. Only a
    /// transaction gives it a number then: its commit must notice when somebody brings it into being.
    fn asked(&self, name: &str) -> Result<Option<NameId>> {
        let names = self.graph.names();
        if let Some(id) = names.get(name) {
            self.gate.read_edge(id, names)?;
            return Ok(Some(id));
        }
        self.gate.read_unknown(name)?;
        self.transaction.as_ref().map(|_| names.intern(name)).transpose()
    }

    fn entity(&mut self, target: &Target<'_>) -> Result<Option<(Cow<'_, Entity>, Seq)>> {
        let id = entity_id(self.graph, target);
        self.note(|| Read::entity(id, target))?;
        if let Some(transaction) = &self.transaction
            && let Some(own) = transaction.overlay.get(target)
        {
            return Ok(own.entity.is_alive().then_some((Cow::Borrowed(&own.entity), own.version)));
        }
        match id {
            Some(id) => self.graph.entity_at(id, self.seq),
            None => Ok(None),
        }
    }

    /// Hands a node to `visit` without copying it. False when there is none.
    ///
    /// Cost: one hash look-up; older versions as `Graph::entity_at`.
    pub fn visit_node(&mut self, key: &str, visit: &mut dyn FnMut(&NodeItem<'_>)) -> Result<bool> {
        let (gate, names) = (self.gate, self.graph.names());
        let Some((entity, version)) = self.entity(&Target::Node(key))? else { return Ok(false) };
        gate.read_node(&mut entity.labels(), names)?;
        visit(&NodeItem { key, entity, version });
        Ok(true)
    }

    /// Hands an edge to `visit`. False when there is none.
    pub fn visit_edge(&mut self, edge: &EdgeKey<'_>, visit: &mut dyn FnMut(&EdgeItem<'_>)) -> Result<bool> {
        let (graph, gate) = (self.graph, self.gate);
        let names = graph.names();
        let Some((entity, version)) = self.entity(&Target::Edge(*edge))? else { return Ok(false) };
        let kind = graph.names().intern(edge.kind)?;
        gate.read_edge(kind, names)?;
        visit(&EdgeItem { from: edge.from, kind, to: edge.to, key: edge.key, entity, version });
        Ok(true)
    }

    /// Hands up to `limit` of a node's edges to `visit`; returns where the next page begins, if there is more.
    ///
    /// Without a type, edges of types that may not be read are left out; with one, that is an error.
    pub fn visit_edges(
        &mut self,
        key: &str,
        direction: Direction,
        kind: Option<&str>,
        start: PageStart,
        limit: usize,
        visit: &mut dyn FnMut(&EdgeItem<'_>),
    ) -> Result<Option<PageStart>> {
        let graph = self.graph;
        let names = graph.names();
        let only = kind.map(|kind| self.asked(kind)).transpose()?;
        if only == Some(None) {
            return Ok(None);
        }
        let only = only.flatten();
        let mut left = limit;
        if start.own.is_none() {
            let Some(node) = graph.node_id(key) else {
                self.note(|| Read::Never(Identity::Node(key.into())))?;
                return self.own_edges(key, direction, only, 0, left, visit);
            };
            self.note(|| match only {
                Some(kind) => Read::List(node, direction, kind),
                None => Read::Lists(node, direction),
            })?;
            let kinds: Vec<_> = match only {
                Some(kind) => vec![kind],
                None => graph.edge_kinds(node, direction).filter(|kind| *kind >= start.list).collect(),
            };
            for kind in kinds {
                if only.is_none() && !permitted(self.gate.read_edge(kind, names))? {
                    continue;
                }
                let edges = graph.edges_at(node, direction, kind, self.seq)?;
                let seen = if kind == start.list { edges.partition_point(|id| *id < start.id) } else { 0 };
                for id in &edges[seen..] {
                    if self.transaction.as_ref().is_some_and(|own| own.overlay.hides(EntityId::Edge(*id))) {
                        continue;
                    }
                    if left == 0 {
                        return Ok(Some(PageStart { id: *id, list: kind, own: None }));
                    }
                    let Some((entity, version)) = graph.entity_at(EntityId::Edge(*id), self.seq)? else {
                        continue;
                    };
                    if let Some(transaction) = &mut self.transaction {
                        transaction.reads.add(Read::Entity(EntityId::Edge(*id)))?;
                    }
                    let slot = graph.edge(*id);
                    visit(&EdgeItem {
                        from: &graph.node(slot.from).key,
                        kind,
                        to: &graph.node(slot.to).key,
                        key: &slot.key,
                        entity,
                        version,
                    });
                    left -= 1;
                }
            }
        }
        self.own_edges(key, direction, only, start.own.unwrap_or(0), left, visit)
    }

    fn own_edges(
        &mut self,
        key: &str,
        direction: Direction,
        only: Option<NameId>,
        first: u32,
        mut left: usize,
        visit: &mut dyn FnMut(&EdgeItem<'_>),
    ) -> Result<Option<PageStart>> {
        let (graph, gate) = (self.graph, self.gate);
        let names = graph.names();
        let Some(transaction) = &self.transaction else { return Ok(None) };
        for (at, Entry { identity, entity, version }) in transaction.overlay.entries_from(first as usize) {
            let Target::Edge(edge) = identity.target() else { continue };
            let end = if direction == Direction::Out { edge.from } else { edge.to };
            let kind = graph.names().intern(edge.kind)?;
            if end != key || !entity.is_alive() || only.is_some_and(|only| only != kind) {
                continue;
            }
            if !permitted(gate.read_edge(kind, names))? {
                continue;
            }
            if left == 0 {
                return Ok(Some(PageStart { own: Some(at as u32), ..PageStart::default() }));
            }
            let (entity, version) = (Cow::Borrowed(entity), *version);
            visit(&EdgeItem { from: edge.from, kind, to: edge.to, key: edge.key, entity, version });
            left -= 1;
        }
        Ok(None)
    }

    /// Hands up to `limit` nodes to `visit`, all or those with a label, in the order in which they were first named.
    ///
    /// Nodes with a label that may not be read are left out; a label that is asked for and may not be read is an error.
    pub fn visit_nodes(
        &mut self,
        label: Option<&str>,
        start: PageStart,
        limit: usize,
        visit: &mut dyn FnMut(&NodeItem<'_>),
    ) -> Result<Option<PageStart>> {
        let (graph, gate) = (self.graph, self.gate);
        let names = graph.names();
        let label = label.map(|label| self.asked(label)).transpose()?;
        if label == Some(None) {
            return Ok(None);
        }
        let label = label.flatten();
        self.note(|| label.map_or(Read::Nodes, Read::Label))?;
        let mut left = limit;
        if start.own.is_none() {
            let labelled = label.map(|label| graph.labelled_at(label, self.seq)).transpose()?;
            let listed = labelled.as_deref().unwrap_or_default();
            let seen = listed.partition_point(|id| *id < start.id);
            let all = if label.is_none() { start.id..graph.numbered().0 } else { 0..0 };
            for id in listed[seen..].iter().copied().chain(all) {
                if self.transaction.as_ref().is_some_and(|own| own.overlay.hides(EntityId::Node(id))) {
                    continue;
                }
                let Some((entity, version)) = graph.entity_at(EntityId::Node(id), self.seq)? else {
                    continue;
                };
                if !permitted(gate.read_node(&mut entity.labels(), names))? {
                    continue;
                }
                if left == 0 {
                    return Ok(Some(PageStart { id, ..PageStart::default() }));
                }
                if let Some(transaction) = &mut self.transaction {
                    transaction.reads.add(Read::Entity(EntityId::Node(id)))?;
                }
                visit(&NodeItem { key: &graph.node(id).key, entity, version });
                left -= 1;
            }
        }
        let Some(transaction) = &self.transaction else { return Ok(None) };
        let own = transaction.overlay.entries_from(start.own.unwrap_or(0) as usize);
        for (at, Entry { identity, entity, version }) in own {
            let Target::Node(key) = identity.target() else { continue };
            let wanted = label.is_none_or(|label| entity.label(label).is_some());
            if !entity.is_alive() || !wanted || !permitted(gate.read_node(&mut entity.labels(), names))? {
                continue;
            }
            if left == 0 {
                return Ok(Some(PageStart { own: Some(at as u32), ..PageStart::default() }));
            }
            visit(&NodeItem { key, entity: Cow::Borrowed(entity), version: *version });
            left -= 1;
        }
        Ok(None)
    }

    /// How many edges a node has in one direction, of one type or all that may be read.
    ///
    /// Cost: the lengths of its lists; through a transaction that has written, a scan.
    pub fn degree(&mut self, key: &str, direction: Direction, kind: Option<&str>) -> Result<usize> {
        let graph = self.graph;
        let names = graph.names();
        let plain = self.transaction.as_ref().is_none_or(|own| own.overlay.is_empty());
        if !plain {
            let mut count = 0;
            self.visit_edges(key, direction, kind, PageStart::default(), usize::MAX, &mut |_| count += 1)?;
            return Ok(count);
        }
        let only = kind.map(|kind| self.asked(kind)).transpose()?;
        if only == Some(None) {
            return Ok(0);
        }
        let only = only.flatten();
        let Some(node) = graph.node_id(key) else {
            self.note(|| Read::Never(Identity::Node(key.into())))?;
            return Ok(0);
        };
        self.note(|| only.map_or(Read::Lists(node, direction), |kind| Read::List(node, direction, kind)))?;
        let mut count = 0;
        for kind in graph.edge_kinds(node, direction).filter(|kind| only.is_none_or(|only| only == *kind)) {
            if only.is_some() || permitted(self.gate.read_edge(kind, names))? {
                count += graph.edges_at(node, direction, kind, self.seq)?.len();
            }
        }
        Ok(count)
    }

    /// How many nodes there are, all or those with a label, that may be read.
    ///
    /// Cost: a scan where something is hidden or past, else constant.
    pub fn count(&mut self, label: Option<&str>, open: bool) -> Result<usize> {
        let graph = self.graph;
        let plain = self.transaction.as_ref().is_none_or(|own| own.overlay.is_empty());
        if plain && open {
            match label {
                None if self.seq >= graph.head() => {
                    self.note(|| Read::Nodes)?;
                    return Ok(graph.live().0);
                }
                None => {}
                Some(label) => {
                    let Some(label) = self.asked(label)? else { return Ok(0) };
                    self.note(|| Read::Label(label))?;
                    return Ok(graph.labelled_at(label, self.seq)?.len());
                }
            }
        }
        let mut count = 0;
        self.visit_nodes(label, PageStart::default(), usize::MAX, &mut |_| count += 1)?;
        Ok(count)
    }
}
