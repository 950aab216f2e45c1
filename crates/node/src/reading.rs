//! Reading nodes and edges.
//!
//! A source is a number: a version from 0 on; −1 for the newest version that this environment was told is durable; −2 and
//! below for the transaction with the handle −2 − source.

use crate::environment::{Environment, Handle, SessionHandle, enter};
use crate::transaction::done;
use karyon_kernel::model::bytes::{Cursor, put_varint};
use karyon_kernel::model::{Code, EdgeKey, Error, Result, check_key};
use karyon_kernel::{Direction, PageStart, Source, wire};
use napi::Env;
use napi_derive::napi;

/// Items of a page at most, whatever is asked for.
const PAGE_MAX: u32 = 4096;

/// Runs a read with its input, source and output borrowed apart.
fn read(
    environment: &mut Environment,
    session: u32,
    source: f64,
    length: u32,
    act: impl FnOnce(&SessionHandle, Source<'_>, &[u8], &mut Vec<u8>) -> Result<bool>,
) -> Result<f64> {
    let session = environment.session(session)?;
    let mut scratch = std::mem::take(&mut environment.scratch);
    scratch.clear();
    let found = if source >= -1.0 {
        let seq = if source < 0.0 { session.shared.visible.get() } else { source as u64 };
        act(&session, Source::At(seq), environment.exchange.input(length as usize), &mut scratch)
    } else {
        let number = (-2.0 - source) as u32;
        let input = environment.exchange.input(length as usize).to_vec();
        match environment.handle(number) {
            Some(Handle::Transaction(transaction, owner)) => {
                act(owner, Source::Through(transaction), &input, &mut scratch)
            }
            _ => Err(done()),
        }
    };
    environment.scratch = scratch;
    Ok(if found? { environment.answer() } else { 0.0 })
}

fn text(bytes: &[u8]) -> Result<&str> {
    let text = std::str::from_utf8(bytes);
    text.map_err(|_| Error::new(Code::StringMalformed, "a key holds a lone surrogate; replace it"))
}

/// Reads the node whose key is in the exchange. Returns the length of its body, or 0 when there is none.
#[napi]
pub fn read_node(env: &Env, session: u32, source: f64, length: u32) -> f64 {
    enter(env, |environment| {
        read(environment, session, source, length, |session, source, input, out| {
            let key = text(input)?;
            check_key(key)?;
            session.session.read(source, |reader| {
                reader.visit_node(key, &mut |node| wire::put_body(&node.entity, node.version, true, out))
            })
        })
    })
}

/// Reads the nodes whose keys (count, texts) are in the exchange, in order: for each a byte 0, or 1 and its body.
#[napi]
pub fn read_nodes(env: &Env, session: u32, source: f64, length: u32) -> f64 {
    enter(env, |environment| {
        read(environment, session, source, length, |session, source, input, out| {
            let mut cursor = Cursor::new(input);
            session.session.read(source, |reader| {
                for _ in 0..cursor.length()? {
                    let at = out.len();
                    out.push(0);
                    let key = cursor.text()?;
                    let found = reader.visit_node(key, &mut |node| {
                        wire::put_body(&node.entity, node.version, true, out);
                    })?;
                    if found {
                        out[at] = 1;
                    }
                }
                Ok(true)
            })
        })
    })
}

/// Reads the edge whose identity is in the exchange. Returns the length of its body, or 0 when there is none.
#[napi]
pub fn read_edge(env: &Env, session: u32, source: f64, length: u32) -> f64 {
    enter(env, |environment| {
        read(environment, session, source, length, |session, source, input, out| {
            let edge = EdgeKey::decode(&mut Cursor::new(input))?;
            session.session.read(source, |reader| {
                reader.visit_edge(&edge, &mut |edge| wire::put_body(&edge.entity, edge.version, false, out))
            })
        })
    })
}

fn direction(incoming: bool) -> Direction {
    if incoming { Direction::In } else { Direction::Out }
}

/// Reads a page of a node's edges. The exchange holds its key, a byte 0 or 1 and the type, and where the page begins.
#[napi]
pub fn page_edges(env: &Env, session: u32, source: f64, incoming: bool, limit: u32, length: u32) -> f64 {
    enter(env, |environment| {
        read(environment, session, source, length, |session, source, input, out| {
            let mut cursor = Cursor::new(input);
            let key = cursor.text()?;
            let kind = optional_text(&mut cursor)?;
            let start = wire::read_start(&mut cursor)?;
            let next = session.session.read(source, |reader| {
                let limit = limit.clamp(1, PAGE_MAX) as usize;
                reader.visit_edges(key, direction(incoming), kind, start, limit, &mut |edge| {
                    out.push(1);
                    wire::put_edge(edge, out);
                })
            })?;
            wire::put_next(next, out);
            Ok(true)
        })
    })
}

/// Reads a page of nodes. The exchange holds a byte 0 or 1 and the label, and where the page begins.
#[napi]
pub fn page_nodes(env: &Env, session: u32, source: f64, limit: u32, length: u32) -> f64 {
    enter(env, |environment| {
        read(environment, session, source, length, |session, source, input, out| {
            let mut cursor = Cursor::new(input);
            let label = optional_text(&mut cursor)?;
            let start: PageStart = wire::read_start(&mut cursor)?;
            let next = session.session.read(source, |reader| {
                reader.visit_nodes(label, start, limit.clamp(1, PAGE_MAX) as usize, &mut |node| {
                    out.push(1);
                    wire::put_node(node, out);
                })
            })?;
            wire::put_next(next, out);
            Ok(true)
        })
    })
}

fn optional_text<'a>(cursor: &mut Cursor<'a>) -> Result<Option<&'a str>> {
    if cursor.byte()? == 0 { Ok(None) } else { cursor.text().map(Some) }
}

/// Counts nodes. The exchange holds a byte 0 or 1 and the label.
#[napi]
pub fn count_nodes(env: &Env, session: u32, source: f64, length: u32) -> f64 {
    counted(env, session, source, length, |session, source, input| {
        let label = optional_text(&mut Cursor::new(input))?;
        let open = session.session.reads_everything();
        session.session.read(source, |reader| reader.count(label, open))
    })
}

/// Counts a node's edges. The exchange holds its key, and a byte 0 or 1 and the type.
#[napi]
pub fn count_edges(env: &Env, session: u32, source: f64, incoming: bool, length: u32) -> f64 {
    counted(env, session, source, length, |session, source, input| {
        let mut cursor = Cursor::new(input);
        let key = cursor.text()?;
        let kind = optional_text(&mut cursor)?;
        session.session.read(source, |reader| reader.degree(key, direction(incoming), kind))
    })
}

fn counted(
    env: &Env,
    session: u32,
    source: f64,
    length: u32,
    count: impl FnOnce(&SessionHandle, Source<'_>, &[u8]) -> Result<usize>,
) -> f64 {
    enter(env, |environment| {
        let mut counted = 0;
        read(environment, session, source, length, |session, source, input, out| {
            counted = count(session, source, input)?;
            put_varint(out, 0);
            Ok(false)
        })?;
        Ok(counted as f64)
    })
}
