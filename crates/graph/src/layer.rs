//! Layers: what is written above a version of the base, or of another layer, and is seen by whoever reads through the layer alone.
//!
//! A layer has a copy of each node and edge that was changed in it, with versions of its own, and what its lists have more or less
//! than those below. Everything else is what it stands on as of the version it was made above, which never changes. Copies and
//! differences are numbered in the order in which commits need them, so a replay numbers them alike.

use crate::commit::conflict;
use crate::draft::Draft;
use crate::ids::{Ids, Listed};
use crate::tables::Listing;
use crate::versioned::{Object, State};
use crate::{Entity, Graph};
use hashbrown::DefaultHashBuilder;
use indexmap::IndexMap;
use karyon_history::ObjectId;
use karyon_model::limits::{LAYER_DEPTH_MAX, LAYERS_MAX};
use karyon_model::{Code, EntityId, Error, NameId, Operation, Result, Seq, ensure, require};
use std::borrow::Cow;

/// What is numbered in the order in which it comes, and found by what it is.
pub(crate) type Numbered<K, V> = IndexMap<K, V, DefaultHashBuilder>;

/// A layer. Number 1 is the first; 0 stands for the base.
#[derive(Debug, Default)]
pub struct Layer {
    /// Its name; those of living layers differ.
    pub name: NameId,
    /// What it stands on.
    pub parent: u32,
    /// The version of that.
    pub from: Seq,
    /// The commit that made it.
    pub created: Seq,
    /// The commit that dropped it.
    pub dropped: Option<Seq>,
    /// What it was merged into, and the commits that did, ascending.
    pub merges: Vec<(u32, Seq)>,
    pub(crate) copies: Numbered<EntityId, Copied>,
    /// What a list has more, or where that is said less, than the one below.
    pub(crate) differences: Numbered<(ObjectId, bool), Object<Ids>>,
    /// The newest commit that created or removed a node in it.
    pub(crate) membership: Seq,
    /// The newest commit in it.
    pub(crate) last: Seq,
}

/// A node or edge as a layer has it, from a commit on.
#[derive(Debug)]
pub(crate) struct Copied {
    pub(crate) first: Seq,
    pub(crate) object: Object<Entity>,
}

impl Layer {
    /// Whether it may be read and written.
    pub fn is_living(&self) -> bool {
        self.dropped.is_none()
    }

    /// About how many bytes its copies and differences take.
    pub(crate) fn bytes(&self) -> usize {
        let copies = self.copies.values().map(|copied| copied.object.state().size());
        let differences = self.differences.values().map(|ids| ids.state().size());
        copies.chain(differences).sum()
    }

    /// Lets go of everything but what it was called.
    pub(crate) fn clear(&mut self) -> Contents {
        (std::mem::take(&mut self.copies), std::mem::take(&mut self.differences))
    }
}

/// A node or edge as of a version, and the commit that last changed it; `None` where it does not exist.
pub type Shown<'g> = Option<(Cow<'g, Entity>, Seq)>;

/// Where a node or edge is found: of which layer, as which object of its history, with what it holds, and the version to read.
pub(crate) type Found<'g> = (u32, ObjectId, &'g Object<Entity>, Seq);

/// What a layer holds.
pub(crate) type Contents = (Numbered<EntityId, Copied>, Numbered<(ObjectId, bool), Object<Ids>>);

impl Graph {
    /// Every layer there ever was, the first one first.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The number of the living layer of a name. Fails with `Layer` where there is none.
    pub fn layer_named(&self, name: &str) -> Result<u32> {
        let number = self.names.get(name);
        let at = self.layers.iter().position(|layer| Some(layer.name) == number && layer.is_living());
        at.map(|at| at as u32 + 1)
            .ok_or_else(|| Error::new(Code::Layer, format!("there is no fork {name:?} here; make it first")))
    }

    /// A layer that may be read and written; `None` for the base.
    pub fn living(&self, layer: u32) -> Result<Option<&Layer>> {
        let Some(at) = layer.checked_sub(1) else { return Ok(None) };
        match self.layers.get(at as usize) {
            Some(found) if found.is_living() => Ok(Some(found)),
            _ => Err(Error::new(Code::Layer, "there is no such fork, or it was dropped; make another")),
        }
    }

    pub(crate) fn layer(&self, layer: u32) -> &Layer {
        &self.layers[layer as usize - 1]
    }

    /// What a layer shows, itself first, the base (0) last: each with its version.
    pub(crate) fn shown_by(&self, layer: u32, seq: Seq) -> impl Iterator<Item = (u32, Seq)> {
        std::iter::successors(Some((layer, seq)), |(layer, seq)| {
            let below = &self.layers[layer.checked_sub(1)? as usize];
            Some((below.parent, below.from.min(*seq)))
        })
    }

    /// The version of the base that a layer shows where nothing was changed above.
    pub fn ground(&self, layer: u32, seq: Seq) -> Seq {
        self.shown_by(layer, seq).last().map_or(seq, |ground| ground.1)
    }

    /// Where a layer has a node or edge from at a version, be it from below.
    pub(crate) fn found_in(&self, layer: u32, id: EntityId, seq: Seq) -> Found<'_> {
        if layer == 0 {
            return (0, ObjectId::Entity(id), self.object(id), seq);
        }
        let above = self.layer(layer);
        match above.copies.get_full(&id) {
            Some((number, _, copied)) if copied.first <= seq => {
                (layer, ObjectId::Copy(layer, number as u32), &copied.object, seq)
            }
            _ => self.found_in(above.parent, id, seq.min(above.from)),
        }
    }

    /// A node's or edge's state in a layer as of a version, also where it does not exist, and the version of its last change.
    pub(crate) fn state_in(&self, layer: u32, id: EntityId, seq: Seq) -> Result<(Cow<'_, Entity>, Seq)> {
        let (_, object, found, seq) = self.found_in(layer, id, seq);
        found.at(object, seq, &*self.history)
    }

    /// A node's or edge's state in a layer as of a version, and the version of its last change; `None` when it did not exist.
    pub fn entity_in(&self, layer: u32, id: EntityId, seq: Seq) -> Result<Shown<'_>> {
        let (state, version) = self.state_in(layer, id, seq)?;
        Ok(state.is_alive().then_some((state, version)))
    }

    /// The commit that made a node or edge what it is in a layer as of a version.
    pub fn last_in(&self, layer: u32, id: EntityId, seq: Seq) -> Result<Seq> {
        let (_, object, found, seq) = self.found_in(layer, id, seq);
        found.last_at(object, seq, &*self.history)
    }

    /// A list in a layer as of a version.
    pub(crate) fn listed_in(&self, layer: u32, list: ObjectId, seq: Seq) -> Result<Listed<'_>> {
        if layer == 0 {
            return match self.list(list) {
                Some(Listing::Many(ids)) => self.held_by(ids, list, list, seq),
                Some(Listing::One(last, id)) if last <= seq => Ok(Listed::Newest(std::slice::from_ref(id))),
                _ => Ok(Listed::Newest(&[])),
            };
        }
        let above = self.layer(layer);
        let below = self.listed_in(above.parent, list, seq.min(above.from))?;
        let [more, less] = [false, true].map(|less| self.differing(layer, list, less, seq));
        let (more, less) = (more?, less?);
        Ok(if more.is_empty() && less.is_empty() { below } else { below.with(&more, &less) })
    }

    /// What a list of a layer has more, or less, than the one below as of a version.
    fn differing(&self, layer: u32, list: ObjectId, less: bool, seq: Seq) -> Result<Listed<'_>> {
        match self.layer(layer).differences.get_full(&(list, less)) {
            Some((number, _, ids)) => {
                self.held_by(ids, ObjectId::Difference(layer, number as u32), list, seq)
            }
            None => Ok(Listed::Newest(&[])),
        }
    }

    /// Ids as of a version, without those that were erased of the list that they are of.
    ///
    /// Cost: none for the newest state and for what is remembered; else as `Object::at`.
    fn held_by<'g>(
        &'g self,
        ids: &'g Object<Ids>,
        object: ObjectId,
        list: ObjectId,
        seq: Seq,
    ) -> Result<Listed<'g>> {
        if ids.last() > seq
            && let Some(found) = self.recent.find(object, seq)
        {
            return Ok(Listed::Past(found));
        }
        let (mut past, since) = match ids.at(object, seq, &*self.history)? {
            (Cow::Borrowed(ids), _) => return Ok(Listed::Newest(ids)),
            (Cow::Owned(past), since) => (past, since),
        };
        if self.erased > 0 {
            past = past.without(&|id| self.is_erased(list, id));
        }
        Ok(Listed::Past(self.recent.keep(object, since..=seq, past, ids.state())))
    }

    /// The edges of a node in a layer as of a version, in both directions; a self-loop twice.
    pub(crate) fn incident_in(&self, layer: u32, node: u32, seq: Seq) -> Result<Vec<u32>> {
        let mut edges = Vec::new();
        for list in self.all_lists(node) {
            edges.extend_from_slice(&self.listed_in(layer, list, seq)?);
        }
        Ok(edges)
    }

    /// Whether a list holds an id in a layer as of a version.
    pub(crate) fn holds_in(&self, layer: u32, list: ObjectId, id: u32, seq: Seq) -> Result<bool> {
        if layer == 0 {
            return Ok(self.listed_in(0, list, seq)?.binary_search(&id).is_ok());
        }
        for less in [false, true] {
            if self.differing(layer, list, less, seq)?.binary_search(&id).is_ok() {
                return Ok(!less);
            }
        }
        let above = self.layer(layer);
        self.holds_in(above.parent, list, id, seq.min(above.from))
    }

    /// The commit that made a list what it is in a layer as of a version.
    pub(crate) fn list_last_in(&self, layer: u32, list: ObjectId, seq: Seq) -> Result<Seq> {
        if layer == 0 {
            return self.list(list).map_or(Ok(0), |object| object.last_at(list, seq, &*self.history));
        }
        let above = self.layer(layer);
        let mut last = self.list_last_in(above.parent, list, seq.min(above.from))?;
        for less in [false, true] {
            let Some((number, _, ids)) = above.differences.get_full(&(list, less)) else { continue };
            let object = ObjectId::Difference(layer, number as u32);
            last = ids.last_at(object, seq, &*self.history)?.max(last);
        }
        Ok(last)
    }

    /// The newest commit that changed a posting of an index, or which nodes exist, in a layer; of the base at the head.
    pub(crate) fn index_last_in(&self, layer: u32, index: u32) -> Seq {
        if layer == 0 {
            return self.indexes.all[index as usize].last;
        }
        let of_index = |list: ObjectId| match list {
            ObjectId::Posting(posting) => self.indexes.postings[posting as usize].index == index,
            _ => false,
        };
        let differences = self.layer(layer).differences.iter().filter(|difference| of_index(difference.0.0));
        differences.map(|difference| difference.1.last()).max().unwrap_or(0)
    }

    /// A list of the base, if there is one.
    pub(crate) fn list(&self, list: ObjectId) -> Option<Listing<'_>> {
        match list {
            ObjectId::Edges(direction, node, kind) => self.tables.nodes.get(node)?.list(direction, kind),
            ObjectId::Label(name) => self.labels.get(&name).map(Listing::Many),
            ObjectId::Posting(id) => {
                self.indexes.postings.get(id as usize).map(|posting| Listing::Many(&posting.nodes))
            }
            _ => None,
        }
    }
}

impl Draft<'_> {
    /// Has the commit do something to a layer, or to the graph, as a whole.
    pub(crate) fn act(&mut self, operation: &Operation<'_>) {
        operation.encode(&mut self.out.act);
        self.operations.extend_from_slice(&self.out.act);
    }

    /// Makes a layer above a version of the base or of another layer.
    pub(crate) fn fork(&mut self, name: NameId, parent: u32, from: Seq) -> Result<()> {
        let graph = self.graph;
        let refused = |message: String| Err(Error::new(Code::Layer, message));
        if graph.layers.iter().any(|layer| layer.name == name && layer.is_living()) {
            return refused(format!(
                "there is a fork {:?} already; drop it, or choose another name",
                graph.names.text(name)
            ));
        }
        // What a living layer stands on is living.
        graph.living(parent)?;
        let depth = graph.shown_by(parent, from).count();
        if depth >= LAYER_DEPTH_MAX || graph.layers.len() >= LAYERS_MAX || from > graph.head {
            return refused(format!(
                "a fork stands on at most {LAYER_DEPTH_MAX} others, a store has had at most {LAYERS_MAX}, and none stands on the future; stand on another one, or use a fork again"
            ));
        }
        graph.history.check(from)?;
        self.act(&Operation::Fork { name, parent, from });
        Ok(())
    }

    /// Drops a layer that no living one stands on.
    pub(crate) fn drop_layer(&mut self, layer: u32) -> Result<()> {
        self.graph.living(layer)?;
        let is_free = self.graph.layers.iter().all(|above| !above.is_living() || above.parent != layer);
        ensure(is_free, Code::Layer, "another fork stands on this one; merge or drop that one first")?;
        self.act(&Operation::Drop { layer });
        Ok(())
    }

    /// Notes that this commit merges a layer, as it was at `planned`, into the one that it writes to.
    pub(crate) fn merge(&mut self, layer: u32, planned: Seq) -> Result<()> {
        // What came into it since would count as merged, and is not.
        let last = self.graph.living(layer)?.map_or(0, |layer| layer.last);
        require(last <= planned, || conflict("the fork", "read", last, planned))?;
        self.act(&Operation::Merge { layer });
        Ok(())
    }
}
