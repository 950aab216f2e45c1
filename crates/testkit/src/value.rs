//! Values as trees, for tests: the engine moves their encoding, and builds none.

use karyon_model::value::check;
use karyon_model::{Cursor, Result, put_bytes, put_signed, put_varint};

// The tags of `karyon_model::value`, written down a second time: a test that takes them from there would not see them change.
const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const INTEGER: u8 = 3;
const FLOAT: u8 = 4;
const BIGINT: u8 = 5;
const STRING: u8 = 6;
const BYTES: u8 = 7;
const TIMESTAMP: u8 = 8;
const LIST: u8 = 9;
const MAP: u8 = 10;
const FLOATS: u8 = 11;

/// The bits of the one NaN.
const NAN_BITS: u64 = 0x7ff8_0000_0000_0000;

/// A value, apart from its encoding.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Null; not the same as absent.
    Null,
    /// A boolean.
    Bool(bool),
    /// A safe integer.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// A 64-bit integer that JavaScript holds as a bigint.
    BigInt(i64),
    /// Well-formed text, not normalised.
    String(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Microseconds since 1970.
    Timestamp(i64),
    /// A list.
    List(Vec<Value>),
    /// A map, its keys ascending by UTF-8 bytes.
    Map(Vec<(String, Value)>),
    /// Stored, not searched.
    Floats(Vec<f32>),
}

impl Value {
    /// A map with its keys put in canonical order.
    pub fn map<K: Into<String>>(entries: impl IntoIterator<Item = (K, Value)>) -> Value {
        let mut entries: Vec<_> = entries.into_iter().map(|(key, value)| (key.into(), value)).collect();
        entries.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
        Value::Map(entries)
    }

    /// A string value.
    pub fn text(text: impl Into<String>) -> Value {
        Value::String(text.into())
    }

    /// Appends the canonical encoding.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Value::Null => out.push(NULL),
            Value::Bool(value) => out.push(if *value { TRUE } else { FALSE }),
            Value::Integer(value) => put_signed(tagged(out, INTEGER), *value),
            Value::Float(value) => {
                let bits = if value.is_nan() { NAN_BITS } else { value.to_bits() };
                tagged(out, FLOAT).extend_from_slice(&bits.to_le_bytes());
            }
            Value::BigInt(value) => put_signed(tagged(out, BIGINT), *value),
            Value::String(text) => put_bytes(tagged(out, STRING), text.as_bytes()),
            Value::Bytes(bytes) => put_bytes(tagged(out, BYTES), bytes),
            Value::Timestamp(micros) => put_signed(tagged(out, TIMESTAMP), *micros),
            Value::List(items) => {
                put_varint(tagged(out, LIST), items.len() as u64);
                items.iter().for_each(|item| item.encode(out));
            }
            Value::Map(entries) => {
                put_varint(tagged(out, MAP), entries.len() as u64);
                for (key, value) in entries {
                    put_bytes(out, key.as_bytes());
                    value.encode(out);
                }
            }
            Value::Floats(values) => {
                put_varint(tagged(out, FLOATS), values.len() as u64);
                values.iter().for_each(|value| out.extend_from_slice(&value.to_le_bytes()));
            }
        }
    }

    /// The canonical encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode(&mut out);
        out
    }

    /// Reads one value, refusing every form but the canonical one.
    pub fn decode(cursor: &mut Cursor<'_>) -> Result<Value> {
        read(&mut Cursor::new(check(cursor)?))
    }
}

fn read(cursor: &mut Cursor<'_>) -> Result<Value> {
    Ok(match cursor.byte()? {
        NULL => Value::Null,
        FALSE => Value::Bool(false),
        TRUE => Value::Bool(true),
        INTEGER => Value::Integer(cursor.signed()?),
        FLOAT => Value::Float(f64::from_le_bytes(cursor.array()?)),
        BIGINT => Value::BigInt(cursor.signed()?),
        STRING => Value::text(cursor.text()?),
        BYTES => Value::Bytes(cursor.bytes()?.to_vec()),
        TIMESTAMP => Value::Timestamp(cursor.signed()?),
        LIST => Value::List((0..cursor.length()?).map(|_| read(cursor)).collect::<Result<_>>()?),
        MAP => {
            let entry = |cursor: &mut Cursor<'_>| Ok((cursor.text()?.to_owned(), read(cursor)?));
            Value::Map((0..cursor.length()?).map(|_| entry(cursor)).collect::<Result<_>>()?)
        }
        FLOATS => {
            let float = |cursor: &mut Cursor<'_>| cursor.array().map(f32::from_le_bytes);
            Value::Floats((0..cursor.length()?).map(|_| float(cursor)).collect::<Result<_>>()?)
        }
        tag => unreachable!("{tag} was checked"),
    })
}

fn tagged(out: &mut Vec<u8>, tag: u8) -> &mut Vec<u8> {
    out.push(tag);
    out
}
