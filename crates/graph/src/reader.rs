//! Reading: as of a version, and through a transaction, which sees its own writes and notes what it has seen.

use crate::ids::Listed;
use crate::index::{TEMPORAL_KEY, shortened};
use crate::overlay::{Entry, Identity, Overlay};
use crate::transaction::{Read, Transaction, note};
use crate::versioned::State;
use crate::{Entity, Gate, Graph, Names, Shown, permitted};
use hashbrown::HashSet;
use karyon_history::{Direction, ObjectId};
use karyon_model::order::{Span, order_key};
use karyon_model::valid::HOLDS;
use karyon_model::{EdgeKey, EntityId, NameId, Result, Seq, Target};
use std::borrow::Cow;
use std::ops::Bound;

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

/// How much a page holds at most: it ends behind the first with which it has so many bytes.
#[derive(Clone, Copy, Debug)]
pub struct PageLimit {
    /// Nodes or edges.
    pub items: usize,
    /// Bytes of their labels and properties.
    pub bytes: usize,
}

impl From<usize> for PageLimit {
    fn from(items: usize) -> PageLimit {
        PageLimit { items, bytes: usize::MAX }
    }
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

/// Is shown nodes.
pub type VisitNode<'v> = &'v mut dyn FnMut(&NodeItem<'_>);
/// Is shown edges.
pub type VisitEdge<'v> = &'v mut dyn FnMut(&EdgeItem<'_>);

/// What a property of the nodes that are looked for holds.
#[derive(Clone, Debug)]
pub struct Condition<'a> {
    /// The property.
    pub property: &'a str,
    /// The values that are meant.
    pub span: Span,
}

/// Where the next page of a scan begins. The first page begins at the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PageStart {
    /// Numbers below this one have been seen.
    pub id: u32,
    /// Which of several lists: a type, or one more than a posting.
    pub list: NameId,
    /// Once the snapshot's are through: one more than the transaction's own entries that have been seen.
    pub own: u32,
}

/// An instant of valid time, and the dictionary.
type Valid<'a> = Option<(i64, &'a Names)>;

/// A reader of one version.
pub struct Reader<'a> {
    graph: &'a Graph,
    /// 0 is the base.
    layer: u32,
    seq: Seq,
    /// The instant of valid time whose values are shown; without one, those of properties that hold one always.
    valid: Valid<'a>,
    /// What the transaction has written, and where it notes what it has seen.
    overlay: Option<&'a Overlay>,
    reads: Option<&'a mut HashSet<Read>>,
    gate: &'a dyn Gate,
}

/// Something that a scan has come to: where, what was read of the snapshot, and what is shown of it, unless it is passed over.
type Found<T> = (PageStart, Option<Read>, Option<T>);

/// Lists of numbers, each with what tells it from the others.
type Lists<'a> = Box<dyn Iterator<Item = Result<(u32, Listed<'a>)>> + 'a>;

impl<'a> Reader<'a> {
    /// Reads the base as of `seq`.
    pub fn at(graph: &'a Graph, seq: Seq, gate: &'a dyn Gate) -> Reader<'a> {
        Reader { graph, layer: 0, seq, valid: None, overlay: None, reads: None, gate }
    }

    /// Reads through a layer.
    #[must_use]
    pub fn in_layer(self, layer: u32) -> Reader<'a> {
        Reader { layer, ..self }
    }

    /// Shows of every property the value that holds at an instant, in µs since 1970, and the edges that do.
    #[must_use]
    pub fn valid_at(self, instant: Option<i64>) -> Reader<'a> {
        let names = self.graph.names();
        Reader { valid: instant.map(|instant| (instant, names)), ..self }
    }

    /// Reads through a transaction: its own writes first, then its snapshot.
    pub fn through(graph: &'a Graph, transaction: &'a mut Transaction, gate: &'a dyn Gate) -> Result<Self> {
        transaction.catch_up(graph, gate)?;
        let (layer, seq) = (transaction.layer(), transaction.snapshot());
        let reads = Some(&mut transaction.reads);
        #[cfg(karyon_broken = "snapshot")]
        let seq = graph.head();
        let overlay = Some(&transaction.overlay);
        Ok(Reader { graph, layer, seq, valid: None, overlay, reads, gate })
    }

    fn note(&mut self, read: impl FnOnce() -> Read) -> Result<()> {
        self.reads.as_mut().map_or(Ok(()), |reads| note(reads, read()))
    }

    /// The number of a label or type, once it may be asked for: `Some(None)` when none is asked for, `None` when nothing in the
    /// store ever had it. Only a transaction gives it a number then: its commit must notice when somebody brings it into being.
    fn asked(&self, name: Option<&str>) -> Result<Option<Option<NameId>>> {
        let Some(name) = name else { return Ok(Some(None)) };
        let names = self.graph.names();
        if let Some(id) = names.get(name) {
            self.gate.read_edge(id, names)?;
            return Ok(Some(Some(id)));
        }
        self.gate.read_unknown(name)?;
        self.reads.as_ref().map(|_| names.intern(name).map(Some)).transpose()
    }

    /// A node or edge, and its number if it has one.
    fn entity(&mut self, target: &Target<'_>, id: Option<EntityId>) -> Result<Shown<'_>> {
        self.note(|| Read::entity(id, target))?;
        let overlay = self.overlay.filter(|overlay| !overlay.is_empty());
        if let Some(own) = overlay.and_then(|overlay| overlay.get(target)) {
            return Ok(own.entity.is_alive().then_some((Cow::Borrowed(&own.entity), own.version)));
        }
        let found = id.map(|id| self.graph.entity_in(self.layer, id, self.seq)).transpose()?.flatten();
        Ok(shown(found, self.valid))
    }

    /// Hands a node to `visit` without copying it. False when there is none.
    ///
    /// Cost: one hash look-up; older versions as `Graph::entity_in`.
    pub fn visit_node(&mut self, key: &str, visit: VisitNode<'_>) -> Result<bool> {
        let id = self.graph.node_id(key);
        self.show_node(key, id, visit)
    }

    /// As `visit_node`, by number.
    ///
    /// Cost: no hash look-up where the transaction has written nothing.
    pub fn visit_number(&mut self, id: u32, visit: VisitNode<'_>) -> Result<bool> {
        let graph = self.graph;
        if id >= graph.numbered().0 { Ok(false) } else { self.show_node(graph.key(id), Some(id), visit) }
    }

    fn show_node(&mut self, key: &str, id: Option<u32>, visit: VisitNode<'_>) -> Result<bool> {
        let (gate, names, id) = (self.gate, self.graph.names(), id.map(EntityId::Node));
        let Some((entity, version)) = self.entity(&Target::Node(key), id)? else { return Ok(false) };
        gate.read_node(&mut entity.labels(), names)?;
        visit(&NodeItem { key, entity, version });
        Ok(true)
    }

    /// A node's number, if it exists and may be seen.
    pub fn number_of(&mut self, key: &str) -> Result<Option<u32>> {
        let id = self.graph.node_id(key);
        Ok(if self.show_node(key, id, &mut |_| {})? { id } else { None })
    }

    /// Hands an edge to `visit`. False when there is none.
    pub fn visit_edge(&mut self, edge: &EdgeKey<'_>, visit: VisitEdge<'_>) -> Result<bool> {
        let (gate, names, target) = (self.gate, self.graph.names(), Target::Edge(*edge));
        let id = self.graph.id_of(&target);
        let Some((entity, version)) = self.entity(&target, id)? else { return Ok(false) };
        let kind = names.intern(edge.kind)?;
        gate.read_edge(kind, names)?;
        visit(&EdgeItem { from: edge.from, kind, to: edge.to, key: edge.key, entity, version });
        Ok(true)
    }

    /// What the snapshot has under a number, unless the transaction has its own.
    fn snapshot(&self) -> impl Fn(EntityId) -> Result<Shown<'a>> + use<'a> {
        let (graph, layer, seq, overlay) = (self.graph, self.layer, self.seq, self.overlay);
        let valid = self.valid;
        move |id| match overlay {
            Some(overlay) if overlay.hides(id) => Ok(None),
            _ => graph.entity_in(layer, id, seq).map(|found| shown(found, valid)),
        }
    }

    /// What the transaction has written and not removed.
    fn own(&self, start: PageStart) -> impl Iterator<Item = (PageStart, Target<'a>, &'a Entry)> + use<'a> {
        let first = start.own.saturating_sub(1) as usize;
        let entries =
            self.overlay.into_iter().flat_map(move |overlay| overlay.entries.iter().enumerate().skip(first));
        let alive = entries.filter(|(_, (_, entry))| entry.entity.is_alive());
        alive.map(|(at, (identity, entry))| {
            (PageStart { own: at as u32 + 1, ..PageStart::default() }, identity.target(), entry)
        })
    }

    /// Hands up to `limit` of what is found to `visit`; returns where the next page begins, if there is more.
    fn page<T>(
        &mut self,
        found: impl Iterator<Item = Result<Option<Found<T>>>>,
        limit: PageLimit,
        size: fn(&T) -> usize,
        visit: &mut dyn FnMut(&T),
    ) -> Result<Option<PageStart>> {
        let mut left = limit;
        for found in found {
            let Some((start, read, item)) = found? else { continue };
            if (left.items == 0 || left.bytes == 0) && item.is_some() {
                return Ok(Some(start));
            }
            if let Some(read) = read {
                self.note(|| read)?;
            }
            if let Some(item) = item {
                (left.items, left.bytes) = (left.items - 1, left.bytes.saturating_sub(size(&item)));
                visit(&item);
            }
        }
        Ok(None)
    }

    /// A node's number, once it is noted that its edges are read; `None` when there never was such a node.
    fn hub(&mut self, key: &str, direction: Direction, only: Option<NameId>) -> Result<Option<u32>> {
        let node = self.graph.node_id(key);
        self.note(|| match (node, only) {
            (None, _) => Read::Never(Identity::Node(key.into())),
            (Some(node), Some(kind)) => Read::List(node, direction, kind),
            (Some(node), None) => Read::Lists(node, direction),
        })?;
        Ok(node)
    }

    /// The lists of a node's edges that may be read, those from a type on. One type that is asked for is let through already.
    fn lists(
        &self,
        (node, direction, only): (u32, Direction, Option<NameId>),
        first: NameId,
    ) -> impl Iterator<Item = Result<(NameId, Listed<'a>)>> + use<'a> {
        let (graph, gate, layer, seq) = (self.graph, self.gate, self.layer, self.seq);
        let kinds = graph.node(node).lists(direction).map(|(kind, _)| kind);
        let kinds = kinds.filter(move |kind| only.map_or(*kind >= first, |only| *kind == only));
        let list = move |kind| {
            if only.is_none() && !permitted(gate.read_edge(kind, graph.names()))? {
                return Ok(None);
            }
            Ok(Some((kind, graph.listed_in(layer, ObjectId::Edges(direction, node, kind), seq)?)))
        };
        kinds.map(list).filter_map(Result::transpose)
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
        limit: impl Into<PageLimit>,
        visit: VisitEdge<'_>,
    ) -> Result<Option<PageStart>> {
        let Some(only) = self.asked(kind)? else { return Ok(None) };
        let (graph, gate, snapshot) = (self.graph, self.gate, self.snapshot());
        let hub = if start.own == 0 { self.hub(key, direction, only)? } else { None };
        let lists = hub.map(|node| self.lists((node, direction, only), start.list)).into_iter().flatten();
        let listed = along(lists, start).map(|listed| {
            let (list, id) = listed?;
            let found = snapshot(EntityId::Edge(id))?;
            let item = found.map(|(entity, version)| graph.edge_item(id, entity, version));
            Ok(item.map(|item| {
                (PageStart { id, list, own: 0 }, Some(Read::Entity(EntityId::Edge(id))), Some(item))
            }))
        });
        let own = self.own(start).map(|(at, target, Entry { entity, version })| {
            let Target::Edge(edge) = target else { return Ok(None) };
            let kind = graph.names().intern(edge.kind)?;
            let end = if direction == Direction::Out { edge.from } else { edge.to };
            let wanted = end == key && only.is_none_or(|only| only == kind);
            if !wanted || !permitted(gate.read_edge(kind, graph.names()))? {
                return Ok(None);
            }
            let (EdgeKey { from, to, key, .. }, entity, version) = (edge, Cow::Borrowed(entity), *version);
            Ok(Some((at, None, Some(EdgeItem { from, kind, to, key, entity, version }))))
        });
        self.page(listed.chain(own), limit.into(), |item| item.entity.size(), visit)
    }

    /// Where to look for the nodes with a label that meet conditions, once it is noted: the posting of a value, those of a span of
    /// values, the label's list. `None` when nothing but a look at every node helps.
    fn sources(
        &mut self,
        label: Option<NameId>,
        wanted: &[(NameId, &Span)],
        start: PageStart,
    ) -> Result<Option<Lists<'a>>> {
        let (graph, layer, seq) = (self.graph, self.layer, self.seq);
        let Some(label) = label else { return self.note(|| Read::Nodes).map(|()| None) };
        let indexed = wanted.iter().filter_map(|(name, span)| {
            let at = graph.indexes.find(label, *name)?;
            let index = &graph.indexes.all[at as usize];
            index.rules_at(graph.ground(layer, seq)).indexed.then_some((at, index, *span))
        });
        // One value is a better guide than many.
        let best = indexed.min_by_key(|(.., span)| !matches!(span.to, Bound::Included(_)));
        let Some((at, index, span)) = best else {
            self.note(|| Read::Label(label))?;
            return Ok(Some(Box::new(std::iter::once_with(move || {
                Ok((0, graph.listed_in(layer, ObjectId::Label(label), seq)?))
            }))));
        };
        // Of a version that is not kept nobody knows any more which values there were.
        [seq, graph.ground(layer, seq)].into_iter().try_for_each(|seq| graph.check_kept(seq))?;
        self.note(|| match &span.to {
            Bound::Included(to) => Read::Value(at, shortened(to).into()),
            _ => Read::Index(at),
        })?;
        let first =
            start.list.checked_sub(1).and_then(|posting| graph.indexes.postings.get(posting as usize));
        let first = first.map(|posting| &*posting.key);
        let lists = index
            .within(span, first)
            .chain(self.valid.and_then(|_| index.postings.get(&TEMPORAL_KEY[..]).copied()))
            .map(move |posting| Ok((posting + 1, graph.listed_in(layer, ObjectId::Posting(posting), seq)?)));
        Ok(Some(Box::new(lists)))
    }

    /// Hands the number of the node at the other end of each of a node's edges to `visit`, up to `limit` of them; `None` where only the
    /// transaction has made that node. Returns whether there are more.
    ///
    /// Cost: a look at each edge's ends, and none at its properties; through a transaction that has written, and at an instant of valid time,
    /// as `visit_edges`.
    pub fn visit_neighbours(
        &mut self,
        key: &str,
        direction: Direction,
        kind: Option<&str>,
        limit: usize,
        visit: &mut dyn FnMut(Option<u32>),
    ) -> Result<bool> {
        let graph = self.graph;
        if self.looks_at_edges() {
            let next = self.visit_edges(key, direction, kind, PageStart::default(), limit, &mut |edge| {
                visit(graph.node_id(if direction == Direction::Out { edge.to } else { edge.from }));
            })?;
            return Ok(next.is_some());
        }
        let Some(only) = self.asked(kind)? else { return Ok(false) };
        let Some(node) = self.hub(key, direction, only)? else { return Ok(false) };
        let mut left = limit;
        for list in self.lists((node, direction, only), 0) {
            let edges = list?.1;
            for edge in edges.iter().take(left).map(|edge| graph.edge(*edge)) {
                visit(Some(if direction == Direction::Out { edge.to } else { edge.from }));
            }
            if edges.len() > left {
                return Ok(true);
            }
            left -= edges.len();
        }
        Ok(false)
    }

    /// Hands up to `limit` nodes to `visit`, all or those with a label that meet every condition; by an index in the order of their
    /// values, otherwise in the order in which they were first named.
    ///
    /// Nodes with a label that may not be read are left out; a label that is asked for and may not be read is an error.
    ///
    /// Cost: with an index on one of the conditions the nodes that meet it, and for a span of values each value that was ever in it, at an
    /// instant of valid time also all nodes whose property depends on it;
    /// otherwise all nodes with the label.
    pub fn visit_nodes(
        &mut self,
        label: Option<&str>,
        conditions: &[Condition<'_>],
        start: PageStart,
        limit: impl Into<PageLimit>,
        visit: VisitNode<'_>,
    ) -> Result<Option<PageStart>> {
        let Some(label) = self.asked(label)? else { return Ok(None) };
        let (graph, gate, snapshot) = (self.graph, self.gate, self.snapshot());
        let mut wanted = Vec::with_capacity(conditions.len());
        for Condition { property, span } in conditions {
            match graph.names().get(property) {
                Some(name) => wanted.push((name, span)),
                None if self.reads.is_some() => wanted.push((graph.names().intern(property)?, span)),
                None => return Ok(None),
            }
        }
        let meets = |entity: &Entity| {
            wanted.iter().all(|(name, span)| {
                let key = entity.property(*name).map(|held| order_key(held.value));
                key.is_some_and(|key| key.is_ok_and(|key| span.holds(&key)))
            })
        };
        let may_see = |entity: &Entity| permitted(gate.read_node(&mut entity.labels(), graph.names()));
        let first = start.own == 0;
        let lists = if first {
            self.sources(label, &wanted, start)?
        } else {
            Some(Box::new(std::iter::empty()) as Lists<'a>)
        };
        let all = if lists.is_none() { start.id..graph.numbered().0 } else { 0..0 };
        let listed = along(lists.into_iter().flatten(), start).chain(all.map(|id| Ok((0, id))));
        let listed = listed.map(|listed| {
            let (list, id) = listed?;
            let Some((entity, version)) = snapshot(EntityId::Node(id))? else { return Ok(None) };
            let (visible, node) = (may_see(&entity)?, EntityId::Node(id));
            let item = (visible && meets(&entity)).then(|| graph.node_item(id, entity, version));
            let read = if visible { Read::Entity(node) } else { Read::Hidden(node) };
            Ok(Some((PageStart { id, list, own: 0 }, Some(read), item)))
        });
        let own = self.own(start).map(|(at, target, Entry { entity, version })| {
            let Target::Node(key) = target else { return Ok(None) };
            let wanted = label.is_none_or(|label| entity.label(label).is_some()) && meets(entity);
            let item = NodeItem { key, entity: Cow::Borrowed(entity), version: *version };
            Ok((wanted && may_see(entity)?).then_some((at, None, Some(item))))
        });
        self.page(listed.chain(own), limit.into(), |item| item.entity.size(), visit)
    }

    /// Whether lists do not say which edges there are: the transaction has written, or edges hold at some instants.
    fn looks_at_edges(&self) -> bool {
        !self.overlay.is_none_or(Overlay::is_empty) || self.valid.is_some()
    }

    /// How many edges a node has in one direction, of one type or all that may be read.
    ///
    /// Cost: the lengths of its lists; a scan through a transaction that has written, and at an instant of valid time.
    pub fn degree(&mut self, key: &str, direction: Direction, kind: Option<&str>) -> Result<usize> {
        let mut count = 0;
        if self.looks_at_edges() {
            self.visit_edges(key, direction, kind, PageStart::default(), usize::MAX, &mut |_| count += 1)?;
            return Ok(count);
        }
        let Some(only) = self.asked(kind)? else { return Ok(0) };
        let Some(node) = self.hub(key, direction, only)? else { return Ok(0) };
        self.lists((node, direction, only), 0).try_fold(0, |count, list| Ok(count + list?.1.len()))
    }

    /// How many nodes there are that may be read, all or those with a label that meet every condition.
    ///
    /// Cost: a scan where something is hidden, past or to be met, else constant.
    pub fn count(&mut self, label: Option<&str>, conditions: &[Condition<'_>], open: bool) -> Result<usize> {
        let graph = self.graph;
        let plain = open && self.overlay.is_none_or(Overlay::is_empty) && conditions.is_empty();
        if plain && (label.is_some() || (self.layer == 0 && self.seq >= graph.head())) {
            let Some(label) = self.asked(label)? else { return Ok(0) };
            self.note(|| label.map_or(Read::Nodes, Read::Label))?;
            return label.map_or(Ok(graph.live().0), |label| {
                Ok(graph.listed_in(self.layer, ObjectId::Label(label), self.seq)?.len())
            });
        }
        let mut count = 0;
        self.visit_nodes(label, conditions, PageStart::default(), usize::MAX, &mut |_| count += 1)?;
        Ok(count)
    }
}

/// What is shown of a node or edge at an instant of valid time.
fn shown<'e>(found: Shown<'e>, valid: Valid<'_>) -> Shown<'e> {
    match (found, valid) {
        (Some((entity, version)), Some((instant, names))) if entity.is_temporal() => {
            entity.valid_at(instant, names.get(HOLDS)).map(|entity| (Cow::Owned(entity), version))
        }
        (found, _) => found,
    }
}

/// The numbers on lists, from where a page begins, each with its list.
fn along<'g>(
    lists: impl Iterator<Item = Result<(NameId, Listed<'g>)>>,
    start: PageStart,
) -> impl Iterator<Item = Result<(NameId, u32)>> {
    lists.flat_map(move |list| {
        let (list, ids, error) = match list {
            Ok((list, ids)) => (list, ids, None),
            Err(error) => (0, Listed::Newest(&[]), Some(Err(error))),
        };
        let seen = if list == start.list { ids.partition_point(|id| *id < start.id) } else { 0 };
        (seen..ids.len()).map(move |at| Ok((list, ids[at]))).chain(error)
    })
}
