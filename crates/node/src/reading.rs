//! Reading nodes and edges.
//!
//! A source is a number: a version from 0 on; −1 for the newest version that this environment was told is durable; −2 and
//! below for the transaction with the handle −2 − source. A version and a half is that version as of an instant of valid time, the one
//! that `set_valid_time` was told last: reads without one pay nothing for it.

use crate::environment::{Handle, enter, run};
use crate::transaction::done;
use karyon_kernel::model::bytes::{Cursor, put_bytes, put_varint};
use karyon_kernel::model::limits::{REACH_MAX, TRAVERSED_EDGES_MAX};
use karyon_kernel::model::value::as_number;
use karyon_kernel::model::{Code, EdgeKey, Error, Result, check_key};
use karyon_kernel::{Direction, PAGE_BYTES, PageLimit, Reader, Session, Source, Walk, wire};
use napi::Env;
use napi_derive::napi;

/// Items of a page at most, whatever is asked for.
const PAGE_MAX: u32 = 4096;

fn page_limit(items: u32) -> PageLimit {
    PageLimit { items: items.clamp(1, PAGE_MAX) as usize, bytes: PAGE_BYTES }
}

/// Runs a read over a source, with input and output. What it returns is the function's answer, or `None` when that is the length
/// of its output.
fn read(
    env: &Env,
    session: u32,
    source: f64,
    length: u32,
    act: impl FnOnce(&Session, &mut Reader<'_>, Cursor<'_>, &mut Vec<u8>) -> Result<Option<f64>>,
) -> f64 {
    enter(env, |environment| {
        let session = environment.session(session)?;
        let mut out = std::mem::take(&mut environment.scratch);
        out.clear();
        let answer = if source >= -1.0 {
            let seq = session.version(source);
            let instant = (source > seq as f64).then_some(environment.valid);
            session.read(Source::At(seq, instant), |reader| {
                act(&session, reader, environment.input(length), &mut out)
            })
        } else {
            let input = environment.exchange.input(length as usize).to_vec();
            match environment.handle((-2.0 - source) as u32) {
                Some(Handle::Transaction(transaction, owner, _)) => {
                    let read = |reader: &mut Reader<'_>| act(owner, reader, Cursor::new(&input), &mut out);
                    owner.read(Source::Through(transaction), read)
                }
                _ => Err(done()),
            }
        };
        environment.exchange.output(&out);
        environment.scratch = out;
        Ok(answer?.unwrap_or(environment.scratch.len() as f64))
    })
}

/// The answer of a look-up: 0 for what is not there, otherwise the output.
fn found(found: bool) -> Option<f64> {
    if found { None } else { Some(0.0) }
}

/// The instant of valid time, in µs since 1970, for reads of a version and a half from now on.
#[napi]
pub fn set_valid_time(env: &Env, micros: f64) -> f64 {
    run(env, |environment| {
        environment.valid = micros as i64;
        Ok(())
    })
}

/// Reads the node whose key is in the exchange. Returns the length of its body, or 0 when there is none.
#[napi]
pub fn read_node(env: &Env, session: u32, source: f64, length: u32) -> f64 {
    read(env, session, source, length, |_, reader, input, out| {
        let key = std::str::from_utf8(input.rest())
            .map_err(|_| Error::new(Code::StringMalformed, "a key holds a lone surrogate; replace it"))?;
        check_key(key)?;
        let node = reader.visit_node(key, &mut |node| wire::put_body(&node.entity, node.version, true, out));
        node.map(found)
    })
}

/// Reads the nodes whose keys (count, texts) are in the exchange, in order: for each a byte 0, or 1 and its body.
#[napi]
pub fn read_nodes(env: &Env, session: u32, source: f64, length: u32) -> f64 {
    read(env, session, source, length, |_, reader, mut input, out| {
        for _ in 0..input.length()? {
            let found = reader.visit_node(input.text()?, &mut |node| {
                out.push(1);
                wire::put_body(&node.entity, node.version, true, out);
            })?;
            if !found {
                out.push(0);
            }
        }
        Ok(None)
    })
}

/// What `read_handles` says of a node that does not exist.
const NO_NODE: u32 = u32::MAX;

/// Gives numbers to the nodes whose keys (count, texts) are in the exchange, 4 bytes each, little-endian, in order.
#[napi]
pub fn read_handles(env: &Env, session: u32, source: f64, length: u32) -> f64 {
    read(env, session, source, length, |_, reader, mut input, out| {
        for _ in 0..input.length()? {
            let id = reader.number_of(input.text()?)?.unwrap_or(NO_NODE);
            out.extend_from_slice(&id.to_le_bytes());
        }
        Ok(None)
    })
}

/// Reads the numbers of the nodes at the other ends of a node's edges, 4 bytes each, little-endian. The exchange holds its key, and a byte 0
/// or 1 and the type.
#[napi]
pub fn read_neighbours(env: &Env, session: u32, source: f64, incoming: bool, length: u32) -> f64 {
    read(env, session, source, length, |_, reader, mut input, out| {
        let (key, kind, way) = (input.text()?, optional_text(&mut input)?, direction(incoming));
        let more = reader.visit_neighbours(key, way, kind, TRAVERSED_EDGES_MAX, &mut |node| {
            out.extend_from_slice(&node.unwrap_or(NO_NODE).to_le_bytes());
        })?;
        if more {
            let message =
                format!("a node has more than {TRAVERSED_EDGES_MAX} neighbours; read its edges page by page");
            return Err(Error::new(Code::TransactionSize, message).with("limit", TRAVERSED_EDGES_MAX));
        }
        Ok(None)
    })
}

/// Reads the keys of the nodes whose numbers are in the exchange, 4 bytes each: a byte 0 for one that does not exist, or 1 and the key.
#[napi]
pub fn read_keys(env: &Env, session: u32, source: f64, length: u32) -> f64 {
    read(env, session, source, length, |_, reader, input, out| {
        for id in input.rest().as_chunks().0 {
            let found = reader.visit_number(u32::from_le_bytes(*id), &mut |node| {
                out.push(1);
                put_bytes(out, node.key.as_bytes());
            })?;
            if !found {
                out.push(0);
            }
        }
        Ok(None)
    })
}

/// Reads a property that is a number, of the nodes whose numbers are in the exchange, 4 bytes each: 8 bytes for each, little-endian, NaN
/// where there is none. The property's name is a number of the dictionary.
#[napi]
pub fn read_numbers(env: &Env, session: u32, source: f64, name: u32, length: u32) -> f64 {
    read(env, session, source, length, |_, reader, input, out| {
        for id in input.rest().as_chunks().0 {
            let number = number_of(reader, u32::from_le_bytes(*id), name)?;
            out.extend_from_slice(&number.to_le_bytes());
        }
        Ok(None)
    })
}

/// Reads a property that is a number of one node, by their numbers; NaN where there is none. Nothing when it fails.
#[napi]
pub fn read_number(env: &Env, session: u32, source: f64, node: u32, name: u32) -> Option<f64> {
    let mut number = f64::NAN;
    let answer = read(env, session, source, 0, |_, reader, _, _| {
        number = number_of(reader, node, name)?;
        Ok(Some(0.0))
    });
    (answer >= 0.0).then_some(number)
}

fn number_of(reader: &mut Reader<'_>, node: u32, name: u32) -> Result<f64> {
    let mut number = None;
    reader.visit_number(node, &mut |node| {
        number = node.entity.property(name).and_then(|held| as_number(held.value));
    })?;
    Ok(number.unwrap_or(f64::NAN))
}

/// The number of the name in the exchange, or −2 when nothing has that name.
#[napi]
pub fn name_number(env: &Env, session: u32, length: u32) -> f64 {
    enter(env, |environment| {
        let session = environment.session(session)?;
        let number = session.name_number(environment.input(length).text()?)?;
        Ok(number.map_or(-2.0, f64::from))
    })
}

/// Reads the edge whose identity is in the exchange. Returns the length of its body, or 0 when there is none.
#[napi]
pub fn read_edge(env: &Env, session: u32, source: f64, length: u32) -> f64 {
    read(env, session, source, length, |_, reader, mut input, out| {
        let edge = EdgeKey::decode(&mut input)?;
        let edge =
            reader.visit_edge(&edge, &mut |edge| wire::put_body(&edge.entity, edge.version, false, out));
        edge.map(found)
    })
}

/// Reads a page of a node's edges. The exchange holds its key, a byte 0 or 1 and the type, and where the page begins.
#[napi]
pub fn page_edges(env: &Env, session: u32, source: f64, incoming: bool, limit: u32, length: u32) -> f64 {
    read(env, session, source, length, |_, reader, mut input, out| {
        let (key, kind) = (input.text()?, optional_text(&mut input)?);
        let (start, limit) = (wire::read_start(&mut input)?, page_limit(limit));
        let next = reader.visit_edges(key, direction(incoming), kind, start, limit, &mut |edge| {
            out.push(1);
            wire::put_edge(edge, out);
        })?;
        wire::put_next(next, out);
        Ok(None)
    })
}

/// Reads a page of nodes. The exchange holds a byte 0 or 1 and the label, conditions, and where the page begins.
#[napi]
pub fn page_nodes(env: &Env, session: u32, source: f64, limit: u32, length: u32) -> f64 {
    read(env, session, source, length, |_, reader, mut input, out| {
        let (label, conditions) = (optional_text(&mut input)?, wire::read_conditions(&mut input)?);
        let (start, limit) = (wire::read_start(&mut input)?, page_limit(limit));
        let next = reader.visit_nodes(label, &conditions, start, limit, &mut |node| {
            out.push(1);
            wire::put_node(node, out);
        })?;
        wire::put_next(next, out);
        Ok(None)
    })
}

/// Counts nodes. The exchange holds a byte 0 or 1 and the label, and conditions.
#[napi]
pub fn count_nodes(env: &Env, session: u32, source: f64, length: u32) -> f64 {
    read(env, session, source, length, |session, reader, mut input, _| {
        let (label, conditions) = (optional_text(&mut input)?, wire::read_conditions(&mut input)?);
        Ok(Some(reader.count(label, &conditions, session.reads_everything())? as f64))
    })
}

/// Counts a node's edges. The exchange holds its key, and a byte 0 or 1 and the type.
#[napi]
pub fn count_edges(env: &Env, session: u32, source: f64, incoming: bool, length: u32) -> f64 {
    read(env, session, source, length, |_, reader, mut input, _| {
        let (key, kind) = (input.text()?, optional_text(&mut input)?);
        Ok(Some(reader.degree(key, direction(incoming), kind)? as f64))
    })
}

/// Reads the nodes within some edges of one, near ones first: for each a byte 1, how many edges away, and the node; then a 0. The
/// exchange holds the node's key, a byte 0 or 1 and a type, a byte (0: along edges; 1: against them; 2: both), hops and a limit.
#[napi]
pub fn read_within(env: &Env, session: u32, source: f64, length: u32) -> f64 {
    read(env, session, source, length, |_, reader, mut input, out| {
        let (key, walk) = (input.text()?, read_walk(&mut input)?);
        reader.reach(key, walk, None, &mut |hops, node| {
            out.push(1);
            put_varint(out, hops.into());
            wire::put_node(node, out);
        })?;
        out.push(0);
        Ok(None)
    })
}

/// Reads the edges of a shortest way from one node to another, the last one first: for each a byte 1 and the edge; then a 0. Returns
/// 0 when there is none. The exchange holds both keys, and the rest as for `read_within`.
#[napi]
pub fn read_path(env: &Env, session: u32, source: f64, length: u32) -> f64 {
    read(env, session, source, length, |_, reader, mut input, out| {
        let (ends, walk) = ((input.text()?, input.text()?), read_walk(&mut input)?);
        let found_one = reader.visit_path(ends, walk, &mut |edge| {
            out.push(1);
            wire::put_edge(edge, out);
        })?;
        out.push(0);
        Ok(found(found_one))
    })
}

fn read_walk<'a>(cursor: &mut Cursor<'a>) -> Result<Walk<'a>> {
    let (kind, directions) = (optional_text(cursor)?, cursor.byte()?);
    let directions: &[Direction] = match directions {
        0 => &[Direction::Out],
        1 => &[Direction::In],
        _ => &[Direction::Out, Direction::In],
    };
    let (hops, limit) = (cursor.id()?, (cursor.id()? as usize).min(REACH_MAX));
    Ok(Walk { directions, kind, hops, limit })
}

fn direction(incoming: bool) -> Direction {
    if incoming { Direction::In } else { Direction::Out }
}

/// A byte 0, or 1 and a text.
pub(crate) fn optional_text<'a>(cursor: &mut Cursor<'a>) -> Result<Option<&'a str>> {
    if cursor.byte()? == 0 { Ok(None) } else { cursor.text().map(Some) }
}
