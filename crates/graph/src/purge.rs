//! Erasing: nothing of a node stays but its number, neither now nor in the past, and its edges go with it.
//!
//! A node without a key is an erased one, and so are the edges that have one as their end. Where numbers of erased nodes and edges
//! stood in lists they are taken out, also of what undoes earlier changes. The commit that erases says which values of indexes nobody
//! else ever held: looking for them needs the sealed past, which a replay of the log may not have.

use crate::draft::Draft;
use crate::head::Graph;
use crate::ids::{self, Ids};
use crate::index::Posting;
use crate::plan::{Surface, perform};
use crate::versioned::{Object, State};
use karyon_history::{Chapter, Direction, ObjectId, Run};
use karyon_model::{Code, EntityId, Error, Operation, Result, Seq, Target, Verb};
use karyon_model::{Cursor, put_varint};
use std::collections::BTreeSet;

impl Draft<'_> {
    /// Removes a node with its edges, and has it erased at the end of the commit.
    pub(crate) fn erase(&mut self, key: &str) -> Result<()> {
        if self.find(&Target::Node(key))?.is_some() {
            perform(self, &Verb::Remove { key, detach: true })?;
        }
        let message = || format!("there is no node {key:?}, and never was; name another one");
        let missing = || Error::new(Code::NodeMissing, message()).with("key", key);
        let node = self.graph.node_id(key).ok_or_else(missing)?;
        let postings = self.graph.postings_of(node)?;
        self.act(&Operation::Erase { node, postings: &postings });
        Ok(())
    }
}

impl Graph {
    /// The newest commit that erased a node; 0 when none did.
    pub fn erased(&self) -> Seq {
        self.erased
    }

    pub(crate) fn is_erased(&self, list: ObjectId, id: u32) -> bool {
        match list {
            // The ends of an erased edge are that node.
            ObjectId::Edges(..) | ObjectId::Entity(EntityId::Edge(_)) => {
                self.key(self.edge(id).from).is_empty()
            }
            _ => self.key(id).is_empty(),
        }
    }

    /// The postings whose value nobody but a node that is to be erased, or was, ever held, here or in a layer.
    fn postings_of(&self, node: u32) -> Result<Vec<u8>> {
        let mut shared = BTreeSet::new();
        for (layer, of) in (1..).zip(&self.layers) {
            for (number, ((list, _), ids)) in (0..).zip(&of.differences) {
                if let ObjectId::Posting(posting) = list
                    && !self.is_only(ObjectId::Difference(layer, number), ids, node)?
                {
                    shared.insert(*posting);
                }
            }
        }
        let mut found = Vec::new();
        for (posting, Posting { key, nodes, .. }) in (0..).zip(&self.indexes.postings) {
            let known = !key.is_empty() && !shared.contains(&posting);
            if known && self.is_only(ObjectId::Posting(posting), nodes, node)? {
                put_varint(&mut found, posting.into());
            }
        }
        Ok(found)
    }

    /// Whether a list of nodes never held another one than a node that is to be erased, or was, as far as is kept.
    fn is_only(&self, id: ObjectId, nodes: &Object<Ids>, node: u32) -> Result<bool> {
        let is_gone = |held: &u32| *held == node || self.key(*held).is_empty();
        let only = |state: &Ids, run: Option<&Run>| {
            let undone = run.into_iter().flat_map(Run::newest_first).map(|delta| ids::decode_delta(delta.1));
            let undone = undone.collect::<Result<Vec<_>>>()?.concat();
            Ok(state.iter().all(is_gone) && undone.iter().all(|(id, _)| is_gone(id)))
        };
        let sealed = if nodes.is_sealed() { self.history.chapters(id)? } else { Vec::new() };
        let open = only(nodes.state(), nodes.open_run());
        sealed.iter().try_fold(open?, |so_far, chapter| {
            Ok(so_far && only(&Ids::decode(&chapter.anchor)?, Some(&chapter.run))?)
        })
    }

    /// Erases a node whose removal was recorded by the newest commit, with the postings that go with it.
    pub(crate) fn purge(&mut self, node: u32, postings: &[u8]) -> Result<()> {
        let at = self.head;
        let (key, edges) = self.tables.erase(node);
        self.bytes -= key;
        self.erased = at;
        let Graph { tables, labels, indexes, layers, .. } = self;
        let is_edge = |id: u32| edges.binary_search_by_key(&id, |edge| edge.0).is_ok();
        let is_node = |id: u32| id == node;
        tables.nodes[node].erase(at);
        for (id, from, kind, to) in &edges {
            tables.edges[*id].object.erase(at);
            for (end, direction) in [(*from, Direction::Out), (*to, Direction::In)] {
                tables.nodes[end].change_list((direction, *kind), |list| list.purge(&is_edge))?;
            }
        }
        labels.values_mut().try_for_each(|list| list.purge(&is_node))?;
        for posting in &mut indexes.postings {
            posting.nodes.purge(&is_node)?;
        }
        let mut cursor = Cursor::new(postings);
        while !cursor.is_empty() {
            indexes.forget(cursor.id()?, at);
        }
        for layer in layers {
            self.bytes -= layer.bytes();
            for (id, copied) in &mut layer.copies {
                match *id {
                    EntityId::Node(id) if id == node => copied.object.erase(at),
                    EntityId::Edge(id) if is_edge(id) => copied.object.erase(at),
                    _ => {}
                }
            }
            for ((list, _), ids) in &mut layer.differences {
                match *list {
                    ObjectId::Edges(_, of, _) if of == node => ids.erase(at),
                    ObjectId::Edges(..) => ids.purge(&is_edge)?,
                    _ => ids.purge(&is_node)?,
                }
            }
            self.bytes += layer.bytes();
        }
        self.recent = Default::default();
        Ok(())
    }

    /// Sealed chapters of an object without what was erased. Cost: decodes those of lists.
    pub(crate) fn purged(&self, object: ObjectId, chapters: Vec<Chapter>) -> Result<Vec<Chapter>> {
        // What layers held that were dropped can never be asked for again.
        let of_layer = |layer: u32| self.living(layer).ok().flatten();
        let entity = |of: EntityId| {
            let (EntityId::Node(id) | EntityId::Edge(id)) = of;
            self.is_erased(ObjectId::Entity(of), id)
        };
        let (gone, list) = match object {
            ObjectId::Entity(id) => (entity(id), None),
            ObjectId::Edges(_, of, _) => (self.key(of).is_empty(), Some(object)),
            ObjectId::Label(_) | ObjectId::Posting(_) => (false, Some(object)),
            ObjectId::Copy(layer, number) => {
                let id = of_layer(layer).and_then(|layer| layer.copies.get_index(number as usize));
                (id.is_none_or(|copied| entity(*copied.0)), None)
            }
            ObjectId::Difference(layer, number) => {
                let list = of_layer(layer).and_then(|layer| layer.differences.get_index(number as usize));
                (list.is_none(), list.map(|difference| difference.0.0))
            }
            ObjectId::Commits(_) => (false, None),
        };
        if gone {
            return Ok(Vec::new());
        }
        let Some(list) = list.filter(|_| self.erased > 0) else { return Ok(chapters) };
        let is_gone = |id| self.is_erased(list, id);
        let purged = chapters.into_iter().map(|chapter| {
            let (state, run) = without(&Ids::decode(&chapter.anchor)?, Some(&chapter.run), &is_gone)?;
            Ok(Chapter { anchor: state.encoded().into(), run: run.unwrap_or_default(), ..chapter })
        });
        purged.collect()
    }
}

impl Object<Ids> {
    /// Takes ids out, as if they had never been there.
    fn purge(&mut self, is_gone: &dyn Fn(u32) -> bool) -> Result<()> {
        let (state, run) = without(self.state(), self.open_run(), is_gone)?;
        self.set(state, run);
        Ok(())
    }
}

/// A list and its run without some ids.
fn without(state: &Ids, run: Option<&Run>, is_gone: &dyn Fn(u32) -> bool) -> Result<(Ids, Option<Run>)> {
    let kept = state.without(is_gone);
    let Some(run) = run else { return Ok((kept, None)) };
    let deltas: Vec<_> = run.newest_first().collect();
    let mut purged = Run::starting(run.start());
    for (seq, delta) in deltas.into_iter().rev() {
        let mut before = ids::decode_delta(delta)?;
        before.retain(|(id, _)| !is_gone(*id));
        if !before.is_empty() {
            let mut delta = Vec::new();
            ids::put_delta(&before, &mut delta);
            purged.push(seq, &delta);
        }
    }
    Ok((kept, Some(purged)))
}
