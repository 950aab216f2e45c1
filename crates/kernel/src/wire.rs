//! What crosses to JavaScript: encoded entities, pages of them, and answers as canonical values.
//!
//! Numbers are varints, names are dictionary numbers that JavaScript resolves once.
//!
//! - body: version; labels (count, names; none for an edge); properties that hold one value always (twice their count, and 1 when there are
//!   others; name, value); then the others, if any (count; name, how many intervals; each as in operations, with its value)
//! - node: key (length, UTF-8), body
//! - edge: from, type name, to, key, body
//! - page: items to the end, each with a byte 1 in front; then a byte 0 and where the next page begins: 0, or 1 and three
//!   numbers

use karyon_graph::{Condition, EdgeItem, Entity, Graph, NodeItem, PageStart, Property, Slot};
use karyon_model::bytes::{Cursor, put_bytes, put_varint};
use karyon_model::order::Span;
use karyon_model::valid::HOLDS;
use karyon_model::value::check;
use karyon_model::{EntityId, Interval, NameId, Result, Seq, Target, Value, check_name, valid};

/// Appends a version, labels and properties.
pub fn put_body(entity: &Entity, version: Seq, labels: bool, out: &mut Vec<u8>) {
    put_varint(out, version);
    if labels {
        put_varint(out, entity.labels().len() as u64);
        entity.labels().for_each(|label| put_varint(out, label.into()));
    }
    let is_temporal = |property: &Property<'_>| valid::is_temporal(property.value);
    let temporal = entity.properties().filter(is_temporal).count();
    let plain = entity.properties().len() - temporal;
    put_varint(out, (plain as u64) << 1 | u64::from(temporal > 0));
    for property in entity.properties().filter(|property| !is_temporal(property)) {
        put_varint(out, property.name.into());
        out.extend_from_slice(property.value);
    }
    if temporal == 0 {
        return;
    }
    put_varint(out, temporal as u64);
    for property in entity.properties().filter(is_temporal) {
        let intervals = valid::intervals(property.value);
        put_varint(out, property.name.into());
        put_varint(out, intervals.len() as u64);
        for (interval, value) in intervals {
            interval.encode(out);
            out.extend_from_slice(value);
        }
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

/// Ends a page.
pub fn put_next(next: Option<PageStart>, out: &mut Vec<u8>) {
    out.extend([0, u8::from(next.is_some())]);
    if let Some(PageStart { id, list, own }) = next {
        [id, list, own].into_iter().for_each(|part| put_varint(out, part.into()));
    }
}

/// Reads where a page begins: what `put_next` wrote after its byte 0.
pub fn read_start(cursor: &mut Cursor<'_>) -> Result<PageStart> {
    if cursor.byte()? == 0 {
        return Ok(PageStart::default());
    }
    Ok(PageStart { id: cursor.id()?, list: cursor.id()?, own: cursor.id()? })
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

/// When a property holds which value: a list of maps of `from` and `to`, absent where it is open, and `value`.
pub fn intervals_value(held: &[u8]) -> Result<Value> {
    let interval = |(Interval { from, to }, value): (Interval, &[u8])| {
        let bounds =
            [("from", from), ("to", to)].map(|(name, bound)| bound.map(|at| (name, Value::Timestamp(at))));
        let value = Value::decode(&mut Cursor::new(value))?;
        Ok(Value::map(bounds.into_iter().flatten().chain([("value", value)])))
    };
    Ok(Value::List(valid::intervals(held).into_iter().map(interval).collect::<Result<_>>()?))
}

/// A node's key, or an edge's identity as a map.
pub fn target_value(graph: &Graph, id: EntityId) -> Value {
    graph.with_target(id, |target| match target {
        Target::Node(key) => Value::text(key),
        Target::Edge(edge) => Value::map([
            ("from", Value::text(edge.from)),
            ("type", Value::text(edge.kind)),
            ("to", Value::text(edge.to)),
            ("key", Value::text(edge.key)),
        ]),
    })
}

/// What a slot is called: `existence`, `label:…` or `property:…`; `valid` for when an edge holds.
pub fn slot_text(graph: &Graph, slot: Slot) -> String {
    let text = |name: NameId| graph.names().text(name);
    match slot {
        Slot::Existence => "existence".into(),
        Slot::Label(name) => format!("label:{}", text(name)),
        Slot::Property(name) if *text(name) == *HOLDS => "valid".into(),
        Slot::Property(name) => format!("property:{}", text(name)),
    }
}
