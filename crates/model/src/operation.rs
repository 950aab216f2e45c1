//! Operations: what the log says happened. Redo only; what was before follows from replay.
//!
//! Every id is defined in the log before its first use, so a store's log can be read from its first byte alone.
//! An entity is one varint: its id, then one bit, 0 for a node and 1 for an edge.
//!
//! | tag | operation | fields |
//! |---|---|---|
//! | 1 | define name | id, text |
//! | 2 | define node | id, key |
//! | 3 | define edge | id, from node, type name, to node, key |
//! | 4, 5 | create, remove | entity (removing takes its labels and properties along) |
//! | 6, 7 | label, unlabel | node, name |
//! | 8 | set | entity, name, interval, value |
//! | 9 | unset | entity, name, interval |
//! | 10 | splice | entity, name, at and removed in payload bytes, inserted items (lists), inserted payload |
//! | 11 | increment | entity, name, number |
//!
//! An interval is one byte (bit 0: it has a beginning; bit 1: it has an end) and a signed varint in µs for each.

use crate::bytes::{Cursor, put_bytes, put_signed, put_varint};
use crate::value::check;
use crate::{EntityId, NameId, Result};

/// When a fact holds, in valid time: `[from, to)` in µs since 1970, open where `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interval {
    /// The first instant at which it holds.
    pub from: Option<i64>,
    /// The first instant at which it does not hold any more.
    pub to: Option<i64>,
}

impl Interval {
    /// Always: the interval of facts that say nothing about valid time.
    pub const ALWAYS: Interval = Interval { from: None, to: None };

    fn encode(self, out: &mut Vec<u8>) {
        out.push(u8::from(self.from.is_some()) | u8::from(self.to.is_some()) << 1);
        for bound in [self.from, self.to].into_iter().flatten() {
            put_signed(out, bound);
        }
    }

    fn decode(cursor: &mut Cursor<'_>) -> Result<Interval> {
        let flags = cursor.byte()?;
        if flags > 3 {
            return Err(cursor.malformed("an unknown interval"));
        }
        let from = if flags & 1 != 0 { Some(cursor.signed()?) } else { None };
        let to = if flags & 2 != 0 { Some(cursor.signed()?) } else { None };
        Ok(Interval { from, to })
    }
}

/// One operation, borrowing its text and values from the bytes it was read from.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "the table above names every field")]
pub enum Operation<'a> {
    DefineName { id: NameId, name: &'a str },
    DefineNode { id: u32, key: &'a str },
    DefineEdge { id: u32, from: u32, kind: NameId, to: u32, key: &'a str },
    Create { entity: EntityId },
    Remove { entity: EntityId },
    Label { node: u32, name: NameId },
    Unlabel { node: u32, name: NameId },
    Set { entity: EntityId, name: NameId, valid: Interval, value: &'a [u8] },
    Unset { entity: EntityId, name: NameId, valid: Interval },
    Splice { entity: EntityId, name: NameId, at: u32, removed: u32, items: u32, inserted: &'a [u8] },
    Increment { entity: EntityId, name: NameId, by: &'a [u8] },
}

impl Operation<'_> {
    /// Appends the encoding.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let head = |out: &mut Vec<u8>, tag: u8, fields: &[u64]| {
            out.push(tag);
            fields.iter().for_each(|field| put_varint(out, *field));
        };
        match *self {
            Operation::DefineName { id, name } => {
                head(out, 1, &[id.into()]);
                put_bytes(out, name.as_bytes());
            }
            Operation::DefineNode { id, key } => {
                head(out, 2, &[id.into()]);
                put_bytes(out, key.as_bytes());
            }
            Operation::DefineEdge { id, from, kind, to, key } => {
                head(out, 3, &[id.into(), from.into(), kind.into(), to.into()]);
                put_bytes(out, key.as_bytes());
            }
            Operation::Create { entity } => head(out, 4, &[entity.packed()]),
            Operation::Remove { entity } => head(out, 5, &[entity.packed()]),
            Operation::Label { node, name } => head(out, 6, &[node.into(), name.into()]),
            Operation::Unlabel { node, name } => head(out, 7, &[node.into(), name.into()]),
            Operation::Set { entity, name, valid, value } => {
                head(out, 8, &[entity.packed(), name.into()]);
                valid.encode(out);
                out.extend_from_slice(value);
            }
            Operation::Unset { entity, name, valid } => {
                head(out, 9, &[entity.packed(), name.into()]);
                valid.encode(out);
            }
            Operation::Splice { entity, name, at, removed, items, inserted } => {
                head(out, 10, &[entity.packed(), name.into(), at.into(), removed.into(), items.into()]);
                put_bytes(out, inserted);
            }
            Operation::Increment { entity, name, by } => {
                head(out, 11, &[entity.packed(), name.into()]);
                out.extend_from_slice(by);
            }
        }
    }
}

/// Reads the operations of one commit, one after another; stops at the first malformed one.
#[derive(Clone, Debug)]
pub struct OperationReader<'a>(Cursor<'a>);

impl<'a> OperationReader<'a> {
    /// Reads from the encoded operations of one commit.
    pub fn new(bytes: &'a [u8]) -> Self {
        OperationReader(Cursor::new(bytes))
    }

    fn read(&mut self) -> Result<Operation<'a>> {
        let cursor = &mut self.0;
        let entity = |cursor: &mut Cursor<'a>| {
            let packed = cursor.varint()?;
            EntityId::unpack(packed).ok_or_else(|| cursor.malformed("an entity beyond 32 bits"))
        };
        Ok(match cursor.byte()? {
            1 => Operation::DefineName { id: cursor.id()?, name: cursor.text()? },
            2 => Operation::DefineNode { id: cursor.id()?, key: cursor.text()? },
            3 => Operation::DefineEdge {
                id: cursor.id()?,
                from: cursor.id()?,
                kind: cursor.id()?,
                to: cursor.id()?,
                key: cursor.text()?,
            },
            4 => Operation::Create { entity: entity(cursor)? },
            5 => Operation::Remove { entity: entity(cursor)? },
            6 => Operation::Label { node: cursor.id()?, name: cursor.id()? },
            7 => Operation::Unlabel { node: cursor.id()?, name: cursor.id()? },
            8 => Operation::Set {
                entity: entity(cursor)?,
                name: cursor.id()?,
                valid: Interval::decode(cursor)?,
                value: check(cursor)?,
            },
            9 => Operation::Unset {
                entity: entity(cursor)?,
                name: cursor.id()?,
                valid: Interval::decode(cursor)?,
            },
            10 => Operation::Splice {
                entity: entity(cursor)?,
                name: cursor.id()?,
                at: cursor.id()?,
                removed: cursor.id()?,
                items: cursor.id()?,
                inserted: cursor.bytes()?,
            },
            11 => Operation::Increment { entity: entity(cursor)?, name: cursor.id()?, by: check(cursor)? },
            _ => return Err(cursor.malformed("an unknown operation")),
        })
    }
}

impl<'a> Iterator for OperationReader<'a> {
    type Item = Result<Operation<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let item = self.read();
        if item.is_err() {
            self.0 = Cursor::new(&[]);
        }
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    #[test]
    fn every_operation_comes_back() {
        let value = Value::text("blue").to_bytes();
        let (node, edge) = (EntityId::Node(7), EntityId::Edge(300));
        let valid = Interval { from: Some(-5), to: Some(1 << 50) };
        let operations = [
            Operation::DefineName { id: 1, name: "Fact" },
            Operation::DefineNode { id: 7, key: "sky" },
            Operation::DefineEdge { id: 300, from: 7, kind: 1, to: 9, key: "" },
            Operation::Create { entity: node },
            Operation::Remove { entity: edge },
            Operation::Label { node: 7, name: 1 },
            Operation::Unlabel { node: 7, name: 1 },
            Operation::Set { entity: edge, name: 2, valid, value: &value },
            Operation::Set { entity: node, name: 2, valid: Interval::ALWAYS, value: &value },
            Operation::Unset { entity: node, name: 2, valid: Interval { from: None, to: Some(0) } },
            Operation::Splice { entity: node, name: 2, at: 3, removed: 1, items: 0, inserted: b"xyz" },
            Operation::Increment { entity: node, name: 2, by: &[3, 2] },
        ];
        let mut bytes = Vec::new();
        operations.iter().for_each(|operation| operation.encode(&mut bytes));
        let back: Vec<_> = OperationReader::new(&bytes).collect::<Result<_>>().unwrap();
        assert_eq!(back, operations);
        for end in 0..bytes.len() {
            let _ = OperationReader::new(&bytes[..end]).count();
        }
    }

    #[test]
    fn a_set_of_a_short_value_takes_few_bytes() {
        let value = Value::Integer(1).to_bytes();
        let mut bytes = Vec::new();
        let entity = EntityId::Node(1000);
        Operation::Set { entity, name: 3, valid: Interval::ALWAYS, value: &value }.encode(&mut bytes);
        assert_eq!(bytes.len(), 7);
    }
}
