//! What is read of a version, or through a transaction, beside a node by its key: many at once, pages, traversals.

use crate::past::PAGE_BYTES;
use crate::session::Session;
use crate::wire::{Told, optional_text, put_body, put_edge, put_node, read_conditions, read_start, tell_all};
use karyon_graph::{Direction, PageLimit, Reader, Walk};
use karyon_model::limits::{REACH_MAX, TRAVERSED_EDGES_MAX};
use karyon_model::value::as_number;
use karyon_model::{Code, Cursor, EdgeKey, Result, bounded, put_bytes};

/// What a page holds at most.
const PAGE: PageLimit = PageLimit { items: 256, bytes: PAGE_BYTES };
/// The number of a node that does not exist.
const NO_NODE: u32 = u32::MAX;

impl Session {
    /// Answers a question about what a reader sees: `ts/graph/ask.ts` has a name for each number. What it is about has its fields in the
    /// order in which they are read here. Several answers have a byte 1 in front of each, and a 0 behind them or where something is
    /// not there; the answer about one thing that is not there is empty.
    pub fn answer(
        &self,
        question: u32,
        reader: &mut Reader<'_>,
        mut about: Cursor<'_>,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let about = &mut about;
        match question {
            // Nodes by their keys.
            0 => {
                for _ in 0..about.length()? {
                    let found = reader.visit_node(about.text()?, &mut |node| {
                        out.push(1);
                        put_body(&node.entity, node.version, true, out);
                    })?;
                    out.extend((!found).then_some(0));
                }
            }
            // The numbers of nodes by their keys, 4 bytes each, little-endian.
            1 => {
                for _ in 0..about.length()? {
                    let id = reader.number_of(about.text()?)?.unwrap_or(NO_NODE);
                    out.extend_from_slice(&id.to_le_bytes());
                }
            }
            // The keys of nodes by their numbers.
            2 => {
                for id in about.rest().as_chunks().0 {
                    let found = reader.visit_number(u32::from_le_bytes(*id), &mut |node| {
                        out.push(1);
                        put_bytes(out, node.key.as_bytes());
                    })?;
                    out.extend((!found).then_some(0));
                }
            }
            // A property that is a number, of nodes by their numbers: 8 bytes each, little-endian.
            3 => {
                let name = about.id()?;
                for id in about.rest().as_chunks().0 {
                    let number = number_of(reader, u32::from_le_bytes(*id), name)?;
                    out.extend_from_slice(&number.to_le_bytes());
                }
            }
            4 => {
                let edge = EdgeKey::decode(about)?;
                reader.visit_edge(&edge, &mut |edge| put_body(&edge.entity, edge.version, false, out))?;
            }
            // A page of a node's edges.
            5 => {
                let (direction, key, kind) = (direction(about)?, about.text()?, optional_text(about)?);
                let next =
                    reader.visit_edges(key, direction, kind, read_start(about)?, PAGE, &mut |edge| {
                        out.push(1);
                        put_edge(edge, out);
                    })?;
                tell_all(&[&false, &next], out);
            }
            // A page of nodes.
            6 => {
                let (label, conditions) = (optional_text(about)?, read_conditions(about)?);
                let next = reader.visit_nodes(label, &conditions, read_start(about)?, PAGE, &mut |node| {
                    out.push(1);
                    put_node(node, out);
                })?;
                tell_all(&[&false, &next], out);
            }
            // How many nodes there are.
            7 => {
                let (label, conditions) = (optional_text(about)?, read_conditions(about)?);
                reader.count(label, &conditions, self.reads_everything())?.tell(out);
            }
            // How many edges a node has.
            8 => {
                let (direction, key, kind) = (direction(about)?, about.text()?, optional_text(about)?);
                reader.degree(key, direction, kind)?.tell(out);
            }
            // The numbers of the nodes at the other ends of a node's edges, 4 bytes each, little-endian.
            9 => {
                let (direction, key, kind) = (direction(about)?, about.text()?, optional_text(about)?);
                let more =
                    reader.visit_neighbours(key, direction, kind, TRAVERSED_EDGES_MAX, &mut |node| {
                        out.extend_from_slice(&node.unwrap_or(NO_NODE).to_le_bytes());
                    })?;
                bounded(!more, Code::TransactionSize, TRAVERSED_EDGES_MAX, || {
                    format!(
                        "a node has more than {TRAVERSED_EDGES_MAX} neighbours; read its edges page by page"
                    )
                })?;
            }
            // The nodes within some edges of one, near ones first, each behind how many edges away it is.
            10 => {
                reader.reach(about.text()?, walk(about)?, None, &mut |hops, node| {
                    out.push(1);
                    hops.tell(out);
                    put_node(node, out);
                })?;
                out.push(0);
            }
            // The edges of a shortest way from one node to another, the last one first.
            11 => {
                let ends = (about.text()?, about.text()?);
                let found = reader.visit_path(ends, walk(about)?, &mut |edge| {
                    out.push(1);
                    put_edge(edge, out);
                })?;
                out.extend(found.then_some(0));
            }
            _ => return Err(about.malformed("an unknown question")),
        }
        Ok(())
    }
}

/// A property of a node that is a number; NaN where there is none.
pub fn number_of(reader: &mut Reader<'_>, node: u32, name: u32) -> Result<f64> {
    let mut number = None;
    reader.visit_number(node, &mut |node| {
        number = node.entity.property(name).and_then(|held| as_number(held.value));
    })?;
    Ok(number.unwrap_or(f64::NAN))
}

/// Along edges, or against them.
fn direction(about: &mut Cursor<'_>) -> Result<Direction> {
    Ok(if about.byte()? == 0 { Direction::Out } else { Direction::In })
}

fn walk<'a>(about: &mut Cursor<'a>) -> Result<Walk<'a>> {
    let (kind, ways) = (optional_text(about)?, usize::from(about.byte()?.min(2)));
    let directions = [&Direction::BOTH[..1], &Direction::BOTH[1..], &Direction::BOTH[..]][ways];
    let (hops, limit) = (about.id()?, (about.id()? as usize).min(REACH_MAX));
    Ok(Walk { directions, kind, hops, limit })
}
