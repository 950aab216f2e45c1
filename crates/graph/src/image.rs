//! The image: the whole head as of one version, with its open runs, in blocks that can be written one at a time.
//!
//! A block is a tag byte and items to the block's end. The first is `H`; the rest come in the order of the table.
//!
//! | tag | block | items |
//! |---|---|---|
//! | `H` | head | version, numbers of nodes, of edges, newest commit that erased |
//! | `D` | dictionary | name id, text |
//! | `N` | nodes, ascending from 0 | key, object, out lists, in lists (each: count; type, object) |
//! | `E` | edges, ascending from 0 | from, type, to, key, object |
//! | `L` | labels | name id, object |
//! | `X` | indexes | label, property, count of (version, rules) |
//! | `P` | postings, ascending from 0 | index, key, object |
//! | `F` | layers, ascending from 1 | name, parent, from, created, dropped (0: not), merges (count; layer, version); copies (count; entity, first version, object) and differences (count; list, less, object) |
//!
//! An object is what `Object::put` appends.

use crate::ids::Ids;
use crate::layer::{Copied, Layer};
use crate::tables::{EDGE_BYTES, NODE_BYTES};
use crate::versioned::{Object, State};
use crate::{Entity, Graph, Index};
use karyon_history::{Direction, History, ObjectId};
use karyon_model::{Code, EntityId, NameId, Result, Rules, Seq, ensure};
use karyon_model::{Cursor, put_bytes, put_varint, put_varints};
use std::sync::Arc;

/// A block is closed when it has reached this size.
const BLOCK_BYTES: usize = 256 * 1024;

/// The blocks' tags, in their order.
const TAGS: &[u8; 8] = b"HDNELXPF";

/// Writes an image of the head as it was when the writer was made, also while commits go on.
pub struct ImageWriter {
    seq: Seq,
    names: Vec<(NameId, Arc<str>)>,
    /// How many copies and differences each layer has.
    layers: Vec<(usize, usize)>,
    /// How many items each tag has.
    counts: [usize; TAGS.len()],
    /// Keeps what layers hold that are dropped meanwhile.
    _imaging: Arc<()>,
    /// Which tag, and which of its items is next.
    next: (usize, u32),
}

impl ImageWriter {
    /// Starts an image of the head.
    pub fn new(graph: &Graph) -> ImageWriter {
        let (seq, names) = (graph.head(), graph.names.logged());
        let ((nodes, edges), (indexes, postings)) = (graph.numbered(), graph.indexes.numbered());
        let layers = graph.layers.iter().map(|layer| (layer.copies.len(), layer.differences.len()));
        let layers: Vec<_> = layers.collect();
        let (nodes, edges) = (nodes as usize, edges as usize);
        let counts = [1, names.len(), nodes, edges, graph.labels.len(), indexes, postings, layers.len()];
        ImageWriter { seq, names, layers, counts, _imaging: graph.imaging.clone(), next: (0, 0) }
    }

    /// The version that the image shows.
    pub fn seq(&self) -> Seq {
        self.seq
    }

    /// The next block, or `None` when all are written. The graph may have moved on in between.
    pub fn next_block(&mut self, graph: &Graph) -> Result<Option<Vec<u8>>> {
        let (stage, mut at) = self.next;
        let Some(tag) = TAGS.get(stage) else { return Ok(None) };
        let count = self.counts[stage] as u32;
        let mut out = Vec::with_capacity(BLOCK_BYTES + 4096);
        out.push(*tag);
        while at < count && out.len() < BLOCK_BYTES {
            self.put_item(graph, *tag, at, &mut out)?;
            at += 1;
        }
        self.next = if at < count { (stage, at) } else { (stage + 1, 0) };
        Ok(Some(out))
    }

    fn put_item(&self, graph: &Graph, tag: u8, at: u32, out: &mut Vec<u8>) -> Result<()> {
        let history = &*graph.history;
        match tag {
            b'H' => {
                let [_, _, nodes, edges, ..] = self.counts.map(|count| count as u64);
                put_varints(out, [self.seq, nodes, edges, graph.erased]);
            }
            b'D' => {
                let (id, name) = &self.names[at as usize];
                put_varint(out, u64::from(*id));
                put_bytes(out, name.as_bytes());
            }
            b'N' => {
                let node = graph.node(at);
                put_bytes(out, graph.key(at).as_bytes());
                node.object.put(ObjectId::Entity(EntityId::Node(at)), self.seq, history, out)?;
                for direction in Direction::BOTH {
                    let lists = node.lists(direction);
                    put_varint(out, lists.len() as u64);
                    for (kind, list) in lists {
                        put_varint(out, u64::from(kind));
                        list.object().put(ObjectId::Edges(direction, at, kind), self.seq, history, out)?;
                    }
                }
            }
            b'E' => {
                let edge = graph.edge(at);
                put_varints(out, [edge.from, edge.kind, edge.to].map(u64::from));
                put_bytes(out, graph.tables.edge_key(edge).as_bytes());
                edge.object.put(ObjectId::Entity(EntityId::Edge(at)), self.seq, history, out)?;
            }
            b'X' => {
                let Index { label, property, rules, .. } = &graph.indexes.all[at as usize];
                let rules: Vec<_> = rules.iter().filter(|rules| rules.0 <= self.seq).collect();
                put_varints(out, [*label, *property, rules.len() as u32].map(u64::from));
                for (seq, rules) in rules {
                    put_varint(out, *seq);
                    rules.encode(out);
                }
            }
            b'P' => {
                let posting = &graph.indexes.postings[at as usize];
                put_varint(out, posting.index.into());
                put_bytes(out, &posting.key);
                posting.nodes.put(ObjectId::Posting(at), self.seq, history, out)?;
            }
            b'F' => self.put_layer(graph, at, out)?,
            _ => {
                if let Some((name, ids)) = graph.labels.get_index(at as usize) {
                    put_varint(out, u64::from(*name));
                    ids.put(ObjectId::Label(*name), self.seq, history, out)?;
                }
            }
        }
        Ok(())
    }

    /// What the layer was at the image's version: what was added since has higher numbers.
    fn put_layer(&self, graph: &Graph, at: u32, out: &mut Vec<u8>) -> Result<()> {
        let (layer, history) = (&graph.layers[at as usize], &*graph.history);
        let dropped = layer.dropped.filter(|dropped| *dropped <= self.seq);
        put_varints(out, [layer.name, layer.parent].map(u64::from));
        put_varints(out, [layer.from, layer.created, dropped.unwrap_or(0)]);
        let merges: Vec<_> = layer.merges.iter().filter(|merge| merge.1 <= self.seq).collect();
        put_varint(out, merges.len() as u64);
        merges.into_iter().for_each(|(into, seq)| put_varints(out, [u64::from(*into), *seq]));
        let shown = self.layers[at as usize];
        let shown = if dropped.is_some() { (0, 0) } else { shown };
        put_varint(out, shown.0 as u64);
        for (number, (id, Copied { first, object })) in (0..).zip(&layer.copies).take(shown.0) {
            put_varints(out, [id.packed(), *first]);
            object.put(ObjectId::Copy(at + 1, number), self.seq, history, out)?;
        }
        put_varint(out, shown.1 as u64);
        for (number, ((list, less), ids)) in (0..).zip(&layer.differences).take(shown.1) {
            out.extend_from_slice(&list.key());
            out.push((*less).into());
            ids.put(ObjectId::Difference(at + 1, number), self.seq, history, out)?;
        }
        Ok(())
    }
}

/// Builds a graph from the blocks of an image, in order.
pub struct ImageReader {
    graph: Graph,
    /// How many nodes and edges the head promises, once it has come.
    numbered: Option<(u32, u32)>,
}

impl ImageReader {
    /// Starts with nothing.
    pub fn new(history: Arc<dyn History>) -> ImageReader {
        ImageReader { graph: Graph::new(history), numbered: None }
    }

    /// Takes the next block.
    pub fn take(&mut self, block: &[u8]) -> Result<()> {
        let mut cursor = Cursor::new(block);
        let tag = cursor.byte()?;
        cursor.expect((tag == b'H') == self.numbered.is_none(), "an image out of order")?;
        if tag == b'H' {
            self.graph.head = cursor.varint()?;
            self.numbered = Some((cursor.id()?, cursor.id()?));
            self.graph.erased = cursor.varint()?;
        }
        while !cursor.is_empty() {
            self.take_item(tag, &mut cursor)?;
        }
        Ok(())
    }

    fn take_item(&mut self, tag: u8, cursor: &mut Cursor<'_>) -> Result<()> {
        let graph = &mut self.graph;
        match tag {
            b'D' => graph.names.define(cursor.id()?, cursor.text()?)?,
            b'N' => {
                let key = cursor.text()?;
                let id = graph.tables.add_node(key)?;
                let object: Object<Entity> = Object::take(cursor)?;
                graph.bytes += NODE_BYTES + key.len() + object.state().size();
                graph.live.0 += usize::from(object.state().is_alive());
                let node = &mut graph.tables.nodes[id];
                node.object = object;
                for direction in Direction::BOTH {
                    for _ in 0..cursor.length()? {
                        let (kind, ids) = (cursor.id()?, Object::<Ids>::take(cursor)?);
                        graph.bytes += ids.state().size();
                        node.change_list((direction, kind), |list| *list = ids);
                    }
                }
            }
            b'E' => {
                let (from, kind, to) = (cursor.id()?, cursor.id()?, cursor.id()?);
                let whole = (from.max(to) as usize) < graph.tables.nodes.len();
                cursor.expect(whole, "an edge of the image without its ends")?;
                let key = cursor.text()?;
                let id = graph.tables.add_edge(from, kind, to, key)?;
                let object: Object<Entity> = Object::take(cursor)?;
                graph.bytes += EDGE_BYTES + key.len() + object.state().size();
                graph.live.1 += usize::from(object.state().is_alive());
                graph.tables.edges[id].object = object;
            }
            b'L' => {
                let (name, ids) = (cursor.id()?, Object::<Ids>::take(cursor)?);
                graph.bytes += ids.state().size();
                graph.labels.insert(name, ids);
            }
            b'X' => {
                let at = graph.indexes.add(cursor.id()?, cursor.id()?)?;
                for _ in 0..cursor.length()? {
                    let rules = (cursor.varint()?, Rules::decode(cursor)?);
                    graph.indexes.all[at as usize].rules.push(rules);
                }
            }
            b'P' => {
                let (index, key) = (cursor.id()?, cursor.bytes()?);
                let whole = (index as usize) < graph.indexes.all.len();
                cursor.expect(whole, "a posting of the image without its index")?;
                let number = graph.indexes.posting(index, key) as usize;
                let nodes = Object::<Ids>::take(cursor)?;
                graph.bytes += nodes.state().size();
                let last = &mut graph.indexes.all[index as usize].last;
                *last = nodes.last().max(*last);
                graph.indexes.postings[number].nodes = nodes;
            }
            b'F' => {
                let (name, parent, from) = (cursor.id()?, cursor.id()?, cursor.varint()?);
                let created = cursor.varint()?;
                let mut layer = Layer { name, parent, from, created, ..Layer::default() };
                layer.dropped = Some(cursor.varint()?).filter(|dropped| *dropped > 0);
                layer.merges = (0..cursor.length()?)
                    .map(|_| Ok((cursor.id()?, cursor.varint()?)))
                    .collect::<Result<_>>()?;
                for _ in 0..cursor.length()? {
                    let id = EntityId::unpack(cursor.varint()?);
                    let id = id.ok_or_else(|| cursor.malformed("a copy of nothing in the image"))?;
                    let copied = Copied { first: cursor.varint()?, object: Object::take(cursor)? };
                    layer.copies.insert(id, copied);
                }
                for _ in 0..cursor.length()? {
                    let list = ObjectId::from_key(cursor.array()?);
                    let list =
                        list.ok_or_else(|| cursor.malformed("a difference to nothing in the image"))?;
                    let less = cursor.byte()? != 0;
                    layer.differences.insert((list, less), Object::take(cursor)?);
                }
                (layer.membership, layer.last) = (graph.head, graph.head);
                graph.bytes += layer.bytes();
                graph.layers.push(layer);
            }
            _ => return Err(cursor.malformed("an unknown block of the image")),
        }
        Ok(())
    }

    /// The graph, when everything that the head promised has come.
    pub fn finish(mut self) -> Result<Graph> {
        let whole = self.numbered == Some(self.graph.numbered());
        ensure(whole, Code::Damaged, "the image of the graph is not whole")?;
        self.graph.membership = self.graph.head;
        Ok(self.graph)
    }
}
