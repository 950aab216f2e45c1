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
//! | 10 | pieces | entity, name, a value as pieces of the one before (`graph/src/pieces.rs`) |
//! | 11 | increment | entity, name, number |
//! | 12 | declare | label, property, rules (bit 0: indexed; 1: unique; 2: required; 0: none any more) |
//! | 13 | fork | name, layer below, version of it |
//! | 14, 15 | drop, merge | layer |
//! | 16 | erase | node, postings that go with it (varints) |
//! | 17 | archive | the version up to which the log is in an archive, SHA-256 of that file |
//!
//! An interval is one byte (bit 0: it has a beginning; bit 1: it has an end) and a signed varint in µs for each. What is set always may
//! have intervals of its own (`valid.rs`): so a revert or a merge brings back at once what a property holds.

use crate::fields::{Bytes, Encoded, Held, Id, Number, Text, records};
use crate::{Cursor, EntityId, NameId, Result, codecs, put_signed, put_varint};

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

    /// Appends the encoding.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.from.is_some()) | u8::from(self.to.is_some()) << 1);
        self.from.inspect(|bound| put_signed(out, *bound));
        self.to.inspect(|bound| put_signed(out, *bound));
    }

    /// Reads what `encode` wrote.
    pub fn decode(cursor: &mut Cursor<'_>) -> Result<Interval> {
        let flags = cursor.byte()?;
        cursor.expect(flags <= 3, "an unknown interval")?;
        let from = if flags & 1 != 0 { Some(cursor.signed()?) } else { None };
        let to = if flags & 2 != 0 { Some(cursor.signed()?) } else { None };
        Ok(Interval { from, to })
    }
}

/// What holds for a property of the nodes with a label.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Its values are indexed.
    pub indexed: bool,
    /// No two nodes have the same value; only where it is indexed.
    pub unique: bool,
    /// Every node has it.
    pub required: bool,
}

impl Rules {
    /// Appends one byte.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.indexed) | u8::from(self.unique) << 1 | u8::from(self.required) << 2);
    }

    /// Reads what `encode` wrote.
    pub fn decode(cursor: &mut Cursor<'_>) -> Result<Rules> {
        let bits = cursor.byte()?;
        cursor.expect(bits <= 7 && bits & 3 != 2, "unknown rules")?;
        Ok(Rules { indexed: bits & 1 != 0, unique: bits & 2 != 0, required: bits & 4 != 0 })
    }
}

codecs! {
    Entity(EntityId)
        |cursor| EntityId::unpack(cursor.varint()?).ok_or_else(|| cursor.malformed("an entity beyond 32 bits")),
        |entity, out| put_varint(out, entity.packed());
}

records! {
    /// One operation, borrowing its text and values from the bytes it was read from.
    #[derive(Clone, Copy, Debug, PartialEq)]
    Operation, "an unknown operation";
    /// Reads the operations of one commit, one after another; stops at the first malformed one.
    OperationReader;
    1 DefineName { id: NameId = Id, name: &'a str = Text }
    2 DefineNode { id: u32 = Id, key: &'a str = Text }
    3 DefineEdge { id: u32 = Id, from: u32 = Id, kind: NameId = Id, to: u32 = Id, key: &'a str = Text }
    4 Create { entity: EntityId = Entity }
    5 Remove { entity: EntityId = Entity }
    6 Label { node: u32 = Id, name: NameId = Id }
    7 Unlabel { node: u32 = Id, name: NameId = Id }
    8 Set { entity: EntityId = Entity, name: NameId = Id, valid: Interval = Interval, value: &'a [u8] = Held }
    9 Unset { entity: EntityId = Entity, name: NameId = Id, valid: Interval = Interval }
    10 Pieces { entity: EntityId = Entity, name: NameId = Id, pieces: &'a [u8] = Bytes }
    11 Increment { entity: EntityId = Entity, name: NameId = Id, by: &'a [u8] = Encoded }
    12 Declare { label: NameId = Id, name: NameId = Id, rules: Rules = Rules }
    13 Fork { name: NameId = Id, parent: u32 = Id, from: u64 = Number }
    14 Drop { layer: u32 = Id }
    15 Merge { layer: u32 = Id }
    16 Erase { node: u32 = Id, postings: &'a [u8] = Bytes }
    17 Archive { through: u64 = Number, digest: &'a [u8] = Bytes }
}

#[cfg(test)]
mod tests {
    use super::*;
    use karyon_testkit::Value;

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
            Operation::Pieces { entity: node, name: 2, pieces: b"xyz" },
            Operation::Increment { entity: node, name: 2, by: &[3, 2] },
            Operation::Declare {
                label: 1,
                name: 2,
                rules: Rules { indexed: true, unique: true, required: false },
            },
            Operation::Erase { node: 7, postings: &[1, 2] },
            Operation::Archive { through: 1 << 40, digest: &[9; 32] },
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
