//! What crosses to JavaScript: encoded entities, pages of them, and reports.
//!
//! Numbers are varints, names are dictionary numbers that JavaScript resolves once.
//!
//! - body: version; labels (count, names; none for an edge); properties (count; name, what it holds)
//! - what a property holds: a value, if it holds that always; or 255, with which none begins, and how many intervals, each as in operations,
//!   with its value
//! - node: key (length, UTF-8), body
//! - edge: from, type name, to, key, body
//! - page: items to the end, each with a byte 1 in front; then a byte 0 and where the next page begins: 0, or 1 and three
//!   numbers
//! - report: its fields in the order in which they stand below. Signed numbers are zigzag; a text has its length in front, what may be missing
//!   a byte 0 or 1, many of something their count

use karyon_graph::{Condition, EdgeItem, Entity, NodeItem, PageStart, Property, Slot, SlotChange};
use karyon_log::{Cut, Position};
use karyon_model::order::Span;
use karyon_model::value::check;
use karyon_model::{Cursor, Error, Result, Seq, check_name, put_bytes, put_signed, put_varint, valid};
use karyon_store::{Archived, Committed, Copied, Lost, Recovery, Stats, Verified};
use std::sync::Arc;

/// Appends a version, labels and properties.
pub fn put_body(entity: &Entity, version: Seq, labels: bool, out: &mut Vec<u8>) {
    put_varint(out, version);
    if labels {
        put_varint(out, entity.labels().len() as u64);
        entity.labels().for_each(|label| put_varint(out, label.into()));
    }
    put_varint(out, entity.properties().len() as u64);
    for Property { name, value, .. } in entity.properties() {
        put_varint(out, name.into());
        put_held(value, out);
    }
}

/// Appends what a property holds, and when, if that is not always.
fn put_held(held: &[u8], out: &mut Vec<u8>) {
    if !valid::is_temporal(held) {
        return out.extend_from_slice(held);
    }
    let intervals = valid::intervals(held);
    out.push(valid::TEMPORAL);
    put_varint(out, intervals.len() as u64);
    for (interval, value) in intervals {
        interval.encode(out);
        out.extend_from_slice(value);
    }
}

/// Appends a node with its key.
pub fn put_node(node: &NodeItem<'_>, out: &mut Vec<u8>) {
    put_bytes(out, node.key.as_bytes());
    put_body(&node.entity, node.version, true, out);
}

/// Appends an edge with its identity.
pub fn put_edge(edge: &EdgeItem<'_>, out: &mut Vec<u8>) {
    put_bytes(out, edge.from.as_bytes());
    put_varint(out, edge.kind.into());
    put_bytes(out, edge.to.as_bytes());
    put_bytes(out, edge.key.as_bytes());
    put_body(&edge.entity, edge.version, false, out);
}

/// Reads where a page begins, if that is not the beginning.
pub fn read_start(cursor: &mut Cursor<'_>) -> Result<PageStart> {
    Ok(match cursor.byte()? {
        0 => PageStart::default(),
        _ => PageStart { id: cursor.id()?, list: cursor.id()?, own: cursor.id()? },
    })
}

/// Reads what is asked of nodes: a count, and for each condition its property and a byte: 0 and the value that it equals; 1, a byte
/// (bit 0: from; bit 1: to) and those values; 2 and the prefix.
pub fn read_conditions<'a>(cursor: &mut Cursor<'a>) -> Result<Vec<Condition<'a>>> {
    (0..cursor.length()?)
        .map(|_| {
            let (property, kind) = (check_name(cursor.text()?)?, cursor.byte()?);
            let span = match kind {
                0 => Span::equal(check(cursor)?)?,
                1 => {
                    let bounds = cursor.byte()?;
                    let from = (bounds & 1 != 0).then(|| check(cursor)).transpose()?;
                    let to = (bounds & 2 != 0).then(|| check(cursor)).transpose()?;
                    Span::between(from, to)?
                }
                _ => Span::prefix(check(cursor)?)?,
            };
            Ok(Condition { property, span })
        })
        .collect()
}

/// A byte 0, or 1 and a text.
pub fn optional_text<'a>(cursor: &mut Cursor<'a>) -> Result<Option<&'a str>> {
    if cursor.byte()? == 0 { Ok(None) } else { cursor.text().map(Some) }
}

/// What crosses as its fields, one after another.
pub trait Told {
    /// Appends them.
    fn tell(&self, out: &mut Vec<u8>);
}

/// Appends several fields.
pub(crate) fn tell_all(fields: &[&dyn Told], out: &mut Vec<u8>) {
    fields.iter().for_each(|field| field.tell(out));
}

/// How a field crosses.
macro_rules! fields {
    ($($field:ty: |$it:ident, $out:ident| $tell:expr;)*) => {$(
        impl Told for $field {
            fn tell(&self, $out: &mut Vec<u8>) {
                let $it = self;
                $tell;
            }
        }
    )*};
}

/// Which fields a report has.
macro_rules! reports {
    ($($report:ident { $($field:ident),* })*) => {$(
        impl Told for $report {
            fn tell(&self, out: &mut Vec<u8>) {
                let $report { $($field),* } = self;
                tell_all(&[$($field),*], out);
            }
        }
    )*};
}

fields! {
    bool: |flag, out| out.push(u8::from(*flag));
    u32: |number, out| put_varint(out, u64::from(*number));
    u64: |number, out| put_varint(out, *number);
    usize: |number, out| put_varint(out, *number as u64);
    i64: |number, out| put_signed(out, *number);
    [u8; 32]: |digest, out| out.extend_from_slice(digest);
    &str: |text, out| put_bytes(out, text.as_bytes());
    Arc<str>: |text, out| put_bytes(out, text.as_bytes());
    String: |text, out| put_bytes(out, text.as_bytes());
    Error: |error, out| put_bytes(out, error.message().as_bytes());
    Slot: |slot, out| match slot {
        Slot::Existence => out.push(0),
        Slot::Label(name) => tell_all(&[&1u32, name], out),
        Slot::Property(name) => tell_all(&[&2u32, name], out),
    };
    SlotChange: |change, out| {
        change.slot.tell(out);
        for held in [&change.before, &change.after] {
            held.is_some().tell(out);
            put_held(held.as_deref().unwrap_or_default(), out);
        }
    };
}

reports! {
    Archived { committed, since, kept, bytes }
    Committed { seq, time }
    Copied { newest, bytes, damage, lost, checkpoint }
    Cut { segment, offset, bytes, file }
    Lost { position, bytes, whole, reason }
    PageStart { id, list, own }
    Position { segment, offset }
    Recovery { created, checkpoint, replayed, sealed, cut }
    Stats { head, durable, nodes, edges, memory_bytes, waiting, frames, tail_bytes, since, archived }
    Verified { version, frames, nodes, edges, chapters, digest }
}

impl<T: Told> Told for Option<T> {
    fn tell(&self, out: &mut Vec<u8>) {
        self.is_some().tell(out);
        self.iter().for_each(|it| it.tell(out));
    }
}

impl<T: Told> Told for Vec<T> {
    fn tell(&self, out: &mut Vec<u8>) {
        self.len().tell(out);
        self.iter().for_each(|it| it.tell(out));
    }
}

impl<A: Told, B: Told> Told for (A, B) {
    fn tell(&self, out: &mut Vec<u8>) {
        tell_all(&[&self.0, &self.1], out);
    }
}
