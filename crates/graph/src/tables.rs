//! The tables of everything that was ever named: nodes by key, edges by identity. Numbers are never used again.

use crate::entity::Entity;
use crate::ids::Ids;
use crate::versioned::{Object, State};
use hashbrown::{DefaultHashBuilder, HashTable};
use karyon_history::{Direction, History, ObjectId, Run};
use karyon_model::limits::ENTITIES_MAX;
use karyon_model::{Code, EntityId, NameId, Result, Seq, bounded};
use std::hash::BuildHasher;
use std::ops::{Index, IndexMut};

/// A node's versions, and the lists of its edges by type.
#[derive(Clone, Debug, Default)]
pub struct NodeSlot {
    /// Existence, labels, properties.
    pub object: Object<Entity>,
    /// Edges that leave it and edges that enter it, ascending by direction and type.
    lists: Vec<List>,
}

/// An edge's identity and its versions.
#[derive(Clone, Debug, Default)]
pub struct EdgeSlot {
    /// The node it leaves.
    pub from: u32,
    /// Its type.
    pub kind: NameId,
    /// The node it enters.
    pub to: u32,
    /// Tells parallel edges apart: 0 for an empty key, else one more than its place among the keys.
    key: u32,
    /// Existence, properties.
    pub object: Object<Entity>,
}

/// What tells the lists of a node apart.
type ListKey = (Direction, NameId);

/// A node's edges of one direction and type.
#[derive(Clone, Debug)]
enum List {
    /// One edge, and the commit that put it there: most lists never change again.
    One {
        direction: Direction,
        last: [u8; 7],
        kind: NameId,
        id: u32,
    },
    Many(Box<(ListKey, Object<Ids>)>),
}

const _: () = assert!(size_of::<List>() == 16 && size_of::<EdgeSlot>() == 48 && size_of::<NodeSlot>() == 56);

/// About what a node takes beside its key and state: its slot, and its number where it is found by its key, and where
/// that ends.
pub(crate) const NODE_BYTES: usize = size_of::<NodeSlot>() + 10 + 4;
/// The same of an edge, and its places in the lists of its ends.
pub(crate) const EDGE_BYTES: usize = size_of::<EdgeSlot>() + 10 + 2 * size_of::<List>();

/// A list of the base as it is now.
#[derive(Clone, Copy)]
pub(crate) enum Listing<'g> {
    /// One id, since a commit; nothing before.
    One(Seq, &'g u32),
    Many(&'g Object<Ids>),
}

impl<'g> Listing<'g> {
    /// It as an object of its own.
    pub(crate) fn object(&self) -> Object<Ids> {
        match self {
            Listing::One(last, id) => Object::restore(Ids::one(**id), Run::starting(*last), false),
            Listing::Many(object) => (*object).clone(),
        }
    }

    /// The commit that made it what it is as of `seq`; 0 when there was nothing yet.
    pub(crate) fn last_at(&self, id: ObjectId, seq: Seq, history: &dyn History) -> Result<Seq> {
        match self {
            Listing::One(last, _) => Ok(if *last <= seq { *last } else { 0 }),
            Listing::Many(object) => object.last_at(id, seq, history),
        }
    }
}

impl List {
    fn new((direction, kind): ListKey, object: Object<Ids>) -> List {
        match (object.state()[..].first_chunk(), object.last().to_le_bytes()) {
            (Some([id]), [last @ .., 0]) if object.open_run().is_none() && object.state().len() == 1 => {
                List::One { direction, last, kind, id: *id }
            }
            _ => List::Many(Box::new(((direction, kind), object))),
        }
    }

    fn key(&self) -> ListKey {
        match self {
            List::One { direction, kind, .. } => (*direction, *kind),
            List::Many(list) => list.0,
        }
    }

    fn listing(&self) -> Listing<'_> {
        match self {
            List::One { last: [a, b, c, d, e, f, g], id, .. } => {
                Listing::One(Seq::from_le_bytes([*a, *b, *c, *d, *e, *f, *g, 0]), id)
            }
            List::Many(list) => Listing::Many(&list.1),
        }
    }
}

impl NodeSlot {
    /// The lists of one direction, ascending by type.
    pub(crate) fn lists(&self, direction: Direction) -> impl ExactSizeIterator<Item = (NameId, Listing<'_>)> {
        let from = self.lists.partition_point(|list| list.key().0 < direction);
        let count = self.lists[from..].partition_point(|list| list.key().0 == direction);
        self.lists[from..from + count].iter().map(|list| (list.key().1, list.listing()))
    }

    /// The list of one type, if any edge of that type ever was.
    pub(crate) fn list(&self, direction: Direction, kind: NameId) -> Option<Listing<'_>> {
        let found = self.lists.binary_search_by_key(&(direction, kind), List::key);
        found.ok().map(|at| self.lists[at].listing())
    }

    /// Has it and its lists be as if nothing had been before `seq`, the newest commit.
    pub(crate) fn erase(&mut self, seq: Seq) {
        self.object.erase(seq);
        for list in &mut self.lists {
            let mut object = Object::default();
            object.erase(seq);
            *list = List::new(list.key(), object);
        }
    }

    /// Changes a list, which is made if need be.
    pub(crate) fn change_list<T>(&mut self, key: ListKey, change: impl FnOnce(&mut Object<Ids>) -> T) -> T {
        let found = self.lists.binary_search_by_key(&key, List::key);
        let mut object = match found.map(|at| &mut self.lists[at]) {
            Ok(List::Many(list)) => return change(&mut list.1),
            Ok(one) => one.listing().object(),
            Err(_) => Object::default(),
        };
        let changed = change(&mut object);
        let list = List::new(key, object);
        match found {
            Ok(at) => self.lists[at] = list,
            Err(at) => {
                // Most nodes have edges of one type, in both directions.
                self.lists.reserve_exact(2 * usize::from(self.lists.is_empty()));
                self.lists.insert(at, list);
            }
        }
        changed
    }
}

/// Entries of a page.
const PAGE: usize = 1024;

/// What is numbered from 0 on, in pages: what is there is not moved when more comes, and little room is left over.
#[derive(Default)]
pub struct Numbered<T>(Vec<Vec<T>>);

impl<T> Numbered<T> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.last().map_or(0, |last| (self.0.len() - 1) * PAGE + last.len())
    }

    fn push(&mut self, entry: T) {
        if self.len().is_multiple_of(PAGE) {
            // The first page grows with what there is.
            self.0.push(Vec::with_capacity(if self.0.is_empty() { 0 } else { PAGE }));
        }
        let last = self.0.len() - 1;
        self.0[last].push(entry);
    }

    /// The entry of a number, if it is given out.
    pub(crate) fn get(&self, at: u32) -> Option<&T> {
        self.0.get(at as usize / PAGE)?.get(at as usize % PAGE)
    }
}

impl<T> Index<u32> for Numbered<T> {
    type Output = T;

    fn index(&self, at: u32) -> &T {
        &self.0[at as usize / PAGE][at as usize % PAGE]
    }
}

impl<T> IndexMut<u32> for Numbered<T> {
    fn index_mut(&mut self, at: u32) -> &mut T {
        &mut self.0[at as usize / PAGE][at as usize % PAGE]
    }
}

/// Keys that are numbered from 0 on, one text for each page: a text of its own each would take twice the memory.
#[derive(Default)]
pub(crate) struct Keys(Vec<(String, Vec<u32>)>);

impl Keys {
    fn len(&self) -> usize {
        self.0.last().map_or(0, |last| (self.0.len() - 1) * PAGE + last.1.len())
    }

    pub(crate) fn get(&self, at: u32) -> &str {
        let ((text, ends), at) = (&self.0[at as usize / PAGE], at as usize % PAGE);
        let from = at.checked_sub(1).map_or(0, |before| ends[before]);
        &text[from as usize..ends[at] as usize]
    }

    fn push(&mut self, key: &str) {
        if self.len().is_multiple_of(PAGE) {
            self.0.last_mut().into_iter().for_each(|last| last.0.shrink_to_fit());
            self.0.push(Default::default());
        }
        if let Some((text, ends)) = self.0.last_mut() {
            text.push_str(key);
            ends.push(text.len() as u32);
        }
    }

    /// Empties a key. Returns how many bytes it had.
    fn clear(&mut self, at: u32) -> usize {
        let ((text, ends), at) = (&mut self.0[at as usize / PAGE], at as usize % PAGE);
        let from = at.checked_sub(1).map_or(0, |before| ends[before]);
        let bytes = ends[at] - from;
        text.replace_range(from as usize..ends[at] as usize, "");
        ends[at..].iter_mut().for_each(|end| *end -= bytes);
        bytes as usize
    }

    fn bytes(&self) -> usize {
        self.0.iter().map(|page| page.0.len()).sum()
    }
}

/// Entries of one hash table, above which there are several.
const PARTED: usize = 4096;
/// How many there are then.
const PARTS: usize = 64;

/// Numbers, found by the hash of what they stand for. A table that grows moves all it has, while whoever reads waits: so there are many.
#[derive(Default)]
struct Numbers(Vec<HashTable<u32>>);

impl Numbers {
    /// The part of a hash; beyond the end while there is none. Inside of it other bits count.
    fn part(&self, hash: u64) -> usize {
        (hash >> 32) as usize & self.0.len().wrapping_sub(1)
    }

    fn find(&self, hash: u64, same: impl FnMut(&u32) -> bool) -> Option<u32> {
        self.0.get(self.part(hash))?.find(hash, same).copied()
    }

    fn insert(&mut self, id: u32, hash: &impl Fn(&u32) -> u64) {
        if self.0.is_empty() {
            self.0.push(HashTable::new());
        } else if self.0.len() == 1 && self.0[0].len() == PARTED {
            let parts = (0..PARTS).map(|_| HashTable::with_capacity(PARTED / PARTS)).collect();
            let whole = std::mem::replace(&mut self.0, parts);
            whole.into_iter().flatten().for_each(|id| self.insert(id, hash));
        }
        let hashed = hash(&id);
        let part = self.part(hashed);
        self.0[part].insert_unique(hashed, id, hash);
    }

    fn remove(&mut self, hash: u64, id: u32) {
        let part = self.part(hash);
        let table = self.0.get_mut(part);
        table.map(|table| table.find_entry(hash, |found| *found == id).map(|entry| entry.remove()));
    }
}

/// Nodes and edges, found by identity in constant time. The hash is keyed per process: keys come from outside.
#[derive(Default)]
pub struct Tables {
    /// By number.
    pub nodes: Numbered<NodeSlot>,
    /// By number.
    pub edges: Numbered<EdgeSlot>,
    pub(crate) node_keys: Keys,
    /// Those that are not empty, ascending by the edge's number.
    edge_keys: Keys,
    node_numbers: Numbers,
    edge_numbers: Numbers,
    hasher: DefaultHashBuilder,
}

impl Tables {
    /// A node's number, if its key was ever committed.
    pub fn node(&self, key: &str) -> Option<u32> {
        let hash = self.hasher.hash_one(key);
        self.node_numbers.find(hash, |id| self.node_keys.get(*id) == key)
    }

    /// An edge's number, if its identity was ever committed.
    pub fn edge(&self, from: u32, kind: NameId, to: u32, key: &str) -> Option<u32> {
        let hash = self.hasher.hash_one((from, kind, to, key));
        let same = |id: &u32| identity(&self.edge_keys, &self.edges[*id]) == (from, kind, to, key);
        self.edge_numbers.find(hash, same)
    }

    /// What tells an edge from those parallel to it.
    pub fn edge_key(&self, edge: &EdgeSlot) -> &str {
        identity(&self.edge_keys, edge).3
    }

    pub(crate) fn object_mut(&mut self, id: EntityId) -> &mut Object<Entity> {
        match id {
            EntityId::Node(id) => &mut self.nodes[id].object,
            EntityId::Edge(id) => &mut self.edges[id].object,
        }
    }

    /// Empty tables that hash alike.
    pub(crate) fn beside(&self) -> Tables {
        Tables { hasher: self.hasher.clone(), ..Tables::default() }
    }

    /// About how many bytes all that is named takes.
    pub(crate) fn bytes(&self) -> usize {
        let state = Entity::default().size();
        let (nodes, edges) =
            (self.nodes.len() * (NODE_BYTES + state), self.edges.len() * (EDGE_BYTES + state));
        nodes + edges + self.node_keys.bytes() + self.edge_keys.bytes()
    }

    /// Adds a node; without a key one that was erased, which is never found.
    pub(crate) fn add_node(&mut self, key: &str) -> Result<u32> {
        let id = next_id(self.nodes.len() as u32)?;
        self.nodes.push(NodeSlot::default());
        self.node_keys.push(key);
        if key.is_empty() {
            return Ok(id);
        }
        let (keys, hasher) = (&self.node_keys, &self.hasher);
        self.node_numbers.insert(id, &|id| hasher.hash_one(keys.get(*id)));
        Ok(id)
    }

    pub(crate) fn add_edge(&mut self, from: u32, kind: NameId, to: u32, key: &str) -> Result<u32> {
        let id = next_id(self.edges.len() as u32)?;
        let number = if key.is_empty() { 0 } else { self.edge_keys.len() as u32 + 1 };
        if number > 0 {
            self.edge_keys.push(key);
        }
        self.edges.push(EdgeSlot { from, kind, to, key: number, object: Object::default() });
        let (edges, keys, hasher) = (&self.edges, &self.edge_keys, &self.hasher);
        self.edge_numbers.insert(id, &|id| hasher.hash_one(identity(keys, &edges[*id])));
        Ok(id)
    }

    /// Forgets a node's key, and the identities of the edges that ever were at it: they are loops of the node from then on,
    /// and not found. Returns how many bytes the names had, and each edge as it was.
    pub(crate) fn erase(&mut self, node: u32) -> (usize, Vec<(u32, u32, NameId, u32)>) {
        let hash = self.hasher.hash_one(self.node_keys.get(node));
        self.node_numbers.remove(hash, node);
        let (mut bytes, mut edges) = (self.node_keys.clear(node), Vec::new());
        for id in 0..self.edges.len() as u32 {
            let edge = &mut self.edges[id];
            if edge.from == node || edge.to == node {
                let hash = self.hasher.hash_one(identity(&self.edge_keys, edge));
                self.edge_numbers.remove(hash, id);
                edges.push((id, edge.from, edge.kind, edge.to));
                bytes += edge.key.checked_sub(1).map_or(0, |at| self.edge_keys.clear(at));
                (edge.from, edge.to) = (node, node);
            }
        }
        (bytes, edges)
    }
}

fn identity<'a>(keys: &'a Keys, edge: &EdgeSlot) -> (u32, NameId, u32, &'a str) {
    let key = edge.key.checked_sub(1).map_or("", |at| keys.get(at));
    (edge.from, edge.kind, edge.to, key)
}

/// The number after so many, if there may be one more.
pub(crate) fn next_id(count: u32) -> Result<u32> {
    bounded((count as usize) < ENTITIES_MAX, Code::TransactionSize, ENTITIES_MAX, || {
        format!("the store has named {ENTITIES_MAX} nodes or edges, its limit; open another store")
    })?;
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_is_found_over_several_pages() {
        let (mut tables, count) = (Tables::default(), (PARTED + 2 * PAGE) as u32 + 7);
        let key = |id: u32| "k".repeat(id as usize % 5) + &id.to_string();
        let parallel = |id: u32| if id.is_multiple_of(3) { String::new() } else { key(id) };
        for id in 0..count {
            assert_eq!(tables.add_node(&key(id)).unwrap(), id);
            assert_eq!(tables.add_edge(id / 2, 1, id, &parallel(id)).unwrap(), id);
        }
        let gone = PAGE as u32 + 3;
        let (_, edges) = tables.erase(gone);
        assert!(edges.iter().any(|edge| edge.0 == gone));
        for id in 0..count {
            let here = (id != gone).then_some(id);
            assert_eq!(tables.node(&key(id)), here);
            let here = here.filter(|id| id / 2 != gone);
            assert_eq!(tables.edge(id / 2, 1, id, &parallel(id)), here);
            if let Some(id) = here {
                assert_eq!(tables.node_keys.get(id), key(id));
                assert_eq!(tables.edge_key(&tables.edges[id]), parallel(id));
            }
        }
        assert!(tables.nodes.get(count).is_none());
    }

    #[test]
    fn a_list_of_one_edge_takes_no_allocation_until_it_changes() {
        let mut slot = NodeSlot::default();
        let id = ObjectId::Edges(Direction::Out, 0, 3);
        let put = |slot: &mut NodeSlot, edge: u32, seq: Seq| {
            let history = karyon_history::Chapters::in_memory();
            let mut delta = Vec::new();
            crate::ids::put_delta(&[(edge, false)], &mut delta);
            slot.change_list((Direction::Out, 3), |list| {
                list.change(id, seq, &delta, &history, |ids| ids.put(edge, true)).unwrap();
            });
        };
        put(&mut slot, 9, (1 << 56) - 1);
        assert!(matches!(slot.lists[..], [List::One { .. }]));
        assert!(matches!(slot.list(Direction::Out, 3), Some(Listing::One(last, 9)) if last == (1 << 56) - 1));
        put(&mut slot, 11, 1 << 56);
        assert_eq!(slot.list(Direction::Out, 3).unwrap().object().state()[..], [9, 11]);
        assert!(slot.list(Direction::In, 3).is_none() && slot.lists(Direction::Out).len() == 1);
    }
}
