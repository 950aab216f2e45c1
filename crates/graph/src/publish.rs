//! Publishing a commit: object by object, so that whoever reads can come in between.
//!
//! Until the last step the head stands where it was, and every version up to there reads as before: of an object state, run and newest
//! commit change together; what is named first has nothing as of any version; a sealed chapter reaches the history before its run begins
//! anew. What is known of the head alone (the counts, the size, which layers live, which names the log defines) changes with it.

use crate::draft::Declared;
use crate::ids::Ids;
use crate::layer::{Contents, Copied, Layer};
use crate::tables::Tables;
use crate::versioned::Object;
use crate::{Entity, Graph};
use indexmap::set::IntoIter;
use karyon_history::{History, ObjectId};
use karyon_model::{Code, EntityId, Error, NameId, Operation, OperationReader, Result, Seq};
use std::ops::Range;
use std::sync::Arc;

/// What a commit changes, ready to be shown. States that were replaced are kept until it is dropped, which takes no lock.
#[derive(Default)]
pub(crate) struct Publication {
    pub(crate) layer: u32,
    pub(crate) seq: Seq,
    /// Nodes and edges that are named for the first time, and how many of them are published.
    pub(crate) fresh: Tables,
    pub(crate) shown: (u32, u32),
    pub(crate) declared: Option<Declared>,
    /// Indexes and keys of postings that are numbered anew, in their order.
    pub(crate) postings: IntoIter<(u32, Vec<u8>)>,
    /// Ascending, each with its delta.
    pub(crate) changes: Vec<(EntityId, Entity, Range<usize>)>,
    pub(crate) lists: Vec<Listing>,
    /// Ids of lists, and whether they were there.
    pub(crate) entries: Vec<(u32, bool)>,
    pub(crate) deltas: Vec<u8>,
    /// How many changes and lists are published.
    pub(crate) published: (usize, usize),
    pub(crate) named: Vec<NameId>,
    /// What it does to a layer, or to the graph, as a whole: an operation, or none.
    pub(crate) act: Vec<u8>,
    /// How many more nodes and edges there are.
    pub(crate) live: (isize, isize),
    pub(crate) bytes: isize,
    pub(crate) membership: bool,
    /// What dropped layers held.
    pub(crate) cleared: Vec<Contents>,
}

/// A list that changes.
pub(crate) struct Listing {
    pub(crate) list: ObjectId,
    /// In a layer: whether it is what the list has less than the one below.
    pub(crate) less: bool,
    pub(crate) entries: Range<usize>,
    pub(crate) delta: Range<usize>,
    /// The list as it will be, where it is not changed in place.
    pub(crate) merged: Option<Ids>,
}

impl Publication {
    /// Refuses what makes the present too large.
    pub(crate) fn check_bytes(&self, graph: &Graph) -> Result<()> {
        let (bytes, limit) = (graph.bytes.wrapping_add_signed(self.bytes), graph.bytes_max);
        if bytes <= limit || self.bytes <= 0 {
            return Ok(());
        }
        let message = format!(
            "the graph would take about {bytes} bytes of memory, and {limit} are allowed; remove something, or open it with a larger memoryBytes"
        );
        Err(Error::new(Code::Memory, message).with("bytes", bytes).with("limit", limit))
    }

    /// Publishes up to `count` objects more. True once the head has moved, which is the last step.
    pub(crate) fn advance(&mut self, graph: &mut Graph, count: usize) -> Result<bool> {
        let history = graph.history.clone();
        for _ in 0..count {
            if self.step(graph, &*history)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn step(&mut self, graph: &mut Graph, history: &dyn History) -> Result<bool> {
        let seq = self.seq;
        if self.shown.0 < self.fresh.nodes.len() as u32 {
            graph.tables.add_node(self.fresh.node_keys.get(self.shown.0))?;
            self.shown.0 += 1;
        } else if let Some(edge) = self.fresh.edges.get(self.shown.1) {
            graph.tables.add_edge(edge.from, edge.kind, edge.to, self.fresh.edge_key(edge))?;
            self.shown.1 += 1;
        } else if let Some(Declared { index, label, property, rules }) = self.declared.take() {
            if index as usize == graph.indexes.all.len() {
                graph.indexes.add(label, property)?;
            }
            graph.indexes.all[index as usize].rules.push((seq, rules));
        } else if let Some((index, key)) = self.postings.next() {
            graph.indexes.posting(index, &key);
        } else if let Some((id, state, delta)) = self.changes.get_mut(self.published.0) {
            self.published.0 += 1;
            let (object, changed) = match self.layer.checked_sub(1) {
                None => (ObjectId::Entity(*id), graph.tables.object_mut(*id)),
                Some(at) => {
                    let copied = graph.layers[at as usize].copies.entry(*id);
                    let object = ObjectId::Copy(self.layer, copied.index() as u32);
                    let fresh = || Copied { first: seq, object: Object::default() };
                    (object, &mut copied.or_insert_with(fresh).object)
                }
            };
            let delta = &self.deltas[delta.clone()];
            changed.change(object, seq, delta, history, |held| std::mem::swap(held, state))?;
            if let (0, EntityId::Node(node)) = (self.layer, *id) {
                let (key, state) = (graph.key(node), graph.node(node).object.state());
                graph.followers().for_each(|follower| follower.changed(node, key, state, seq));
            }
        } else if let Some(Listing { list, less, entries, delta, merged }) =
            self.lists.get_mut(self.published.1)
        {
            self.published.1 += 1;
            let (delta, entries) = (&self.deltas[delta.clone()], &self.entries[entries.clone()]);
            let change = |ids: &mut Ids| match merged {
                Some(merged) => std::mem::swap(ids, merged),
                None => entries.iter().for_each(|(id, held)| ids.put(*id, !held)),
            };
            // The base has the list, be it empty: whoever looks for a node's edges looks for its lists there.
            match self.layer.checked_sub(1) {
                None => change_list(graph, *list, |ids| ids.change(*list, seq, delta, history, change))?,
                Some(at) => {
                    change_list(graph, *list, |_| ());
                    let ids = graph.layers[at as usize].differences.entry((*list, *less));
                    let object = ObjectId::Difference(self.layer, ids.index() as u32);
                    ids.or_default().change(object, seq, delta, history, change)?;
                }
            }
            if let (0, ObjectId::Posting(posting)) = (self.layer, *list) {
                let index = graph.indexes.postings[posting as usize].index;
                graph.indexes.all[index as usize].last = seq;
            }
        } else {
            return self.settle(graph).map(|()| true);
        }
        Ok(false)
    }

    fn settle(&mut self, graph: &mut Graph) -> Result<()> {
        let seq = self.seq;
        graph.names.mark_logged(&self.named);
        let moved = |count: usize, by: isize| count.wrapping_add_signed(by);
        graph.live = (moved(graph.live.0, self.live.0), moved(graph.live.1, self.live.1));
        graph.bytes = moved(graph.bytes, self.bytes);
        let membership = match self.layer.checked_sub(1).map(|at| &mut graph.layers[at as usize]) {
            None => &mut graph.membership,
            Some(layer) => {
                layer.last = seq;
                &mut layer.membership
            }
        };
        *membership = if self.membership { seq } else { *membership };
        let act = OperationReader::new(&self.act).next().transpose()?;
        match act {
            Some(Operation::Fork { name, parent, from }) => {
                graph.layers.push(Layer { name, parent, from, created: seq, ..Layer::default() });
            }
            Some(Operation::Drop { layer }) => graph.layers[layer as usize - 1].dropped = Some(seq),
            Some(Operation::Merge { layer }) => {
                graph.layers[layer as usize - 1].merges.push((self.layer, seq))
            }
            _ => {}
        }
        // What dropped layers held goes, unless an image is in the making, which still has to show it.
        if act.is_some() && Arc::strong_count(&graph.imaging) == 1 {
            for layer in graph.layers.iter_mut().filter(|layer| !layer.is_living()) {
                graph.bytes -= layer.bytes();
                self.cleared.push(layer.clear());
            }
        }
        graph.head = seq;
        match act {
            Some(Operation::Erase { node, postings }) => graph.purge(node, postings),
            _ => Ok(()),
        }
    }
}

fn change_list<T>(graph: &mut Graph, id: ObjectId, change: impl FnOnce(&mut Object<Ids>) -> T) -> T {
    match id {
        ObjectId::Edges(way, node, kind) => graph.tables.nodes[node].change_list((way, kind), change),
        ObjectId::Label(name) => change(graph.labels.entry(name).or_default()),
        ObjectId::Posting(posting) => change(&mut graph.indexes.postings[posting as usize].nodes),
        other => unreachable!("{other:?} is no list of the base"),
    }
}
