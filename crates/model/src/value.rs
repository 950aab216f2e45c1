//! Values and their one canonical encoding: the same bytes from TypeScript to the log.
//!
//! | tag | value | payload |
//! |---|---|---|
//! | 0 | null | – |
//! | 1, 2 | false, true | – |
//! | 3 | integer, −(2^53 − 1) to 2^53 − 1 | zigzag varint |
//! | 4 | float: not integral, or −0, ±∞, the one NaN | 8 bytes, little-endian |
//! | 5 | bigint, 64 bits signed | zigzag varint |
//! | 6 | string | length, UTF-8 |
//! | 7 | bytes | length, bytes |
//! | 8 | timestamp, µs since 1970 | zigzag varint |
//! | 9 | list | count, values |
//! | 10 | map | count, (key: length, UTF-8; value), keys strictly ascending by UTF-8 bytes |
//! | 11 | Float32Array | count, 4 bytes each, little-endian |

use crate::limits::{NESTING_MAX, VALUE_BYTES_MAX};
use crate::{Code, Cursor, Error, Result, bounded, ensure, put_signed, put_varint, require};
use std::fmt;

/// The largest integer that a JavaScript number holds exactly, 2^53 − 1.
pub const INTEGER_MAX: i64 = (1 << 53) - 1;

const NULL: u8 = 0;
const FALSE: u8 = 1;
pub(crate) const TRUE: u8 = 2;
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

/// Bytes of a value beside its text or bytes: the tag, and a length of at most 2^24.
const HEAD_BYTES: usize = 5;

/// The name that no property and no map key may have: JavaScript would take it for the prototype.
pub const NAME_RESERVED: &str = "__proto__";

/// A value as far as it is looked into: text and bytes are borrowed, and what is made of other values is its encoding alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    BigInt(i64),
    String(&'a str),
    Bytes(&'a [u8]),
    Timestamp(i64),
    Composite,
}

impl<'a> Value<'a> {
    /// Reads an encoded value.
    pub(crate) fn of(encoded: &'a [u8]) -> Result<Value<'a>> {
        walk(&mut Cursor::new(encoded), 0)
    }
}

fn tagged(out: &mut Vec<u8>, tag: u8) -> &mut Vec<u8> {
    out.push(tag);
    out
}

/// Passes over one value and returns its bytes, refusing every form but the canonical one.
///
/// Cost: one pass, no allocation.
pub fn check<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [u8]> {
    let start = cursor.position();
    walk(cursor, 0)?;
    let bytes = cursor.between(start, cursor.position());
    require(bytes.len() <= VALUE_BYTES_MAX + HEAD_BYTES, || size_error(bytes.len())).map(|()| bytes)
}

/// The error for a value that is too large.
pub fn size_error(bytes: usize) -> Error {
    let message = format!(
        "a value of {bytes} bytes is over the limit of {VALUE_BYTES_MAX}; split it over several nodes"
    );
    Error::new(Code::ValueSize, message).with("limit", VALUE_BYTES_MAX).with("bytes", bytes)
}

fn is_safe(integer: i64) -> bool {
    (-INTEGER_MAX..=INTEGER_MAX).contains(&integer)
}

fn range_error(number: impl fmt::Display) -> Error {
    Error::new(Code::IntegerRange, format!("{number} is beyond 2^53 − 1; pass a bigint"))
}

/// Passes over one value, refusing every form but the canonical one.
fn walk<'a>(cursor: &mut Cursor<'a>, depth: usize) -> Result<Value<'a>> {
    bounded(depth <= NESTING_MAX, Code::ValueDepth, NESTING_MAX, || {
        format!("a value is nested deeper than {NESTING_MAX}; flatten it or link nodes")
    })?;
    let sized = |bytes: usize| require(bytes <= VALUE_BYTES_MAX, || size_error(bytes));
    Ok(match cursor.byte()? {
        NULL => Value::Null,
        FALSE => Value::Bool(false),
        TRUE => Value::Bool(true),
        INTEGER => match cursor.signed()? {
            value if is_safe(value) => Value::Integer(value),
            value => return Err(range_error(value)),
        },
        FLOAT => {
            let value = f64::from_le_bytes(cursor.array()?);
            cursor.expect(!is_integral(value), "an integral float that should be an integer")?;
            let is_canonical = !value.is_nan() || value.to_bits() == NAN_BITS;
            cursor.expect(is_canonical, "a NaN that is not the canonical one")?;
            Value::Float(value)
        }
        BIGINT => Value::BigInt(cursor.signed()?),
        STRING => {
            let text = cursor.text()?;
            sized(text.len())?;
            Value::String(text)
        }
        BYTES => {
            let bytes = cursor.bytes()?;
            sized(bytes.len())?;
            Value::Bytes(bytes)
        }
        TIMESTAMP => Value::Timestamp(cursor.signed()?),
        LIST => {
            for _ in 0..cursor.length()? {
                walk(cursor, depth + 1)?;
            }
            Value::Composite
        }
        MAP => {
            let (count, mut before) = (cursor.length()?, None);
            for _ in 0..count {
                let key = cursor.text()?;
                let message = "the map key \"__proto__\" is refused; rename it";
                ensure(key != NAME_RESERVED, Code::NameReserved, message)?;
                // Text is ordered by its bytes.
                let follows = before.replace(key).is_none_or(|before| before < key);
                cursor.expect(follows, "map keys out of order")?;
                walk(cursor, depth + 1)?;
            }
            Value::Composite
        }
        FLOATS => {
            let count = cursor.length()?;
            let bytes = count.checked_mul(4).ok_or_else(|| cursor.malformed("too many floats"))?;
            cursor.take(bytes)?;
            Value::Composite
        }
        _ => return Err(cursor.malformed("an unknown value tag")),
    })
}

/// Adds a number to an encoded number: integers stay integers, a float makes the sum a float, bigints stay bigints.
///
/// Fails with `ValueType` when one of the two is not a number or they are of different kinds, and with
/// `IntegerRange` when the sum leaves the range.
pub fn add(current: &[u8], by: &[u8]) -> Result<Vec<u8>> {
    let mut sum = Vec::new();
    match (Value::of(current)?, Value::of(by)?) {
        (Value::Integer(a), Value::Integer(b)) if is_safe(a + b) => put_integer(&mut sum, a + b),
        (Value::Integer(_), Value::Integer(_)) => {
            return Err(Error::new(Code::IntegerRange, "the sum is beyond 2^53 − 1; store a bigint"));
        }
        (Value::BigInt(a), Value::BigInt(b)) => {
            let message = "the sum is beyond 64 bits; store a string or bytes";
            let value = a.checked_add(b).ok_or_else(|| Error::new(Code::IntegerRange, message))?;
            put_signed(tagged(&mut sum, BIGINT), value);
        }
        (Value::Integer(a), Value::Float(b)) => put_number(&mut sum, a as f64 + b)?,
        (Value::Float(a), Value::Integer(b)) => put_number(&mut sum, a + b as f64)?,
        (Value::Float(a), Value::Float(b)) => put_number(&mut sum, a + b)?,
        _ => {
            let message = "increment needs two numbers, or two bigints; set the property first";
            return Err(Error::new(Code::ValueType, message));
        }
    }
    Ok(sum)
}

/// What an encoded value is as a JavaScript number; `None` when it is none.
///
/// Cost: no allocation.
pub fn as_number(encoded: &[u8]) -> Option<f64> {
    let mut cursor = Cursor::new(encoded);
    match cursor.byte().ok()? {
        INTEGER => cursor.signed().ok().map(|value| value as f64),
        FLOAT => cursor.array().ok().map(f64::from_le_bytes),
        _ => None,
    }
}

/// Whether a JavaScript number is an integer, and not −0.
fn is_integral(number: f64) -> bool {
    number.is_finite() && number.fract() == 0.0 && !(number == 0.0 && number.is_sign_negative())
}

/// Appends a JavaScript number in its canonical form.
fn put_number(out: &mut Vec<u8>, number: f64) -> Result<()> {
    if !is_integral(number) {
        let bits = if number.is_nan() { NAN_BITS } else { number.to_bits() };
        tagged(out, FLOAT).extend_from_slice(&bits.to_le_bytes());
    } else if number.abs() <= INTEGER_MAX as f64 {
        put_integer(out, number as i64);
    } else {
        return Err(range_error(number));
    }
    Ok(())
}

fn put_integer(out: &mut Vec<u8>, value: i64) {
    put_signed(tagged(out, INTEGER), value);
}

/// What a splice works on: a string, bytes or list, taken apart.
#[derive(Clone, Copy, Debug)]
pub struct Sequence<'a> {
    tag: u8,
    /// Items of a list, bytes of the others.
    count: usize,
    /// Text, bytes, or the encodings of the items one after another.
    payload: &'a [u8],
}

impl<'a> Sequence<'a> {
    /// Takes an encoded value apart.
    pub fn of(encoded: &'a [u8]) -> Result<Sequence<'a>> {
        let mut cursor = Cursor::new(encoded);
        let tag = cursor.byte()?;
        let message = "only strings, bytes and lists can be spliced; set the property";
        ensure(matches!(tag, STRING | BYTES | LIST), Code::ValueType, message)?;
        Ok(Sequence { tag, count: cursor.length()?, payload: cursor.rest() })
    }

    /// The value with `delete` units from `start` on replaced: UTF-16 units of a string, bytes, items. A count beyond the end stops
    /// there; a start beyond the largest position means the end.
    ///
    /// Fails with `SpliceRange` when the start lies outside or a character would be cut in two, with `ValueType` when what is inserted
    /// is of another kind, and with `ValueSize` when the value would be too large. Cost: one copy; of lists and of text that is not
    /// ASCII also a look at what lies before.
    pub fn spliced(&self, (start, delete): (u64, u64), inserted: &Sequence<'_>) -> Result<Vec<u8>> {
        let message =
            "what is inserted has another type than the value; pass a string, bytes or a list alike";
        ensure(self.tag == inserted.tag, Code::ValueType, message)?;
        let length = self.payload.len();
        let (from, to, items) = if start == u64::MAX {
            (length, length, 0)
        } else {
            let end = start.saturating_add(delete).min(self.units() as u64).max(start);
            let offset = |units: u64| self.offset(units).ok_or_else(splice_error);
            (offset(start)?, offset(end)?, (end - start) as usize)
        };
        let length = length - (to - from) + inserted.payload.len();
        require(length <= VALUE_BYTES_MAX, || size_error(length))?;
        let mut out = Vec::with_capacity(length + HEAD_BYTES);
        let gone = if self.tag == LIST { items } else { to - from };
        put_varint(tagged(&mut out, self.tag), (self.count + inserted.count - gone) as u64);
        for part in [&self.payload[..from], inserted.payload, &self.payload[to..]] {
            out.extend_from_slice(part);
        }
        Ok(out)
    }

    /// The byte offset in the payload of a position in units. `None` when it lies outside or cuts a character in two.
    fn offset(&self, position: u64) -> Option<usize> {
        let position = usize::try_from(position).ok()?;
        if let Some(text) = self.text() {
            let mut units = 0;
            for (at, character) in text.char_indices() {
                if units == position {
                    return Some(at);
                }
                units += character.len_utf16();
            }
            return (units == position).then_some(text.len());
        }
        if self.tag != LIST {
            return (position <= self.count).then_some(position);
        }
        let mut cursor = Cursor::new(self.payload);
        (0..position).try_for_each(|_| check(&mut cursor).map(drop)).ok()?;
        Some(cursor.position())
    }

    /// Text of which the bytes are not the units.
    fn text(&self) -> Option<&'a str> {
        let text = (self.tag == STRING && !self.payload.is_ascii()).then_some(self.payload)?;
        std::str::from_utf8(text).ok()
    }

    fn units(&self) -> usize {
        self.text().map_or(self.count, |text| text.chars().map(char::len_utf16).sum())
    }
}

/// The error of a splice that lies outside of its value.
pub fn splice_error() -> Error {
    Error::new(Code::SpliceRange, "the splice lies outside of the value or cuts a character in two")
}

#[cfg(test)]
mod tests {
    use super::*;
    use karyon_testkit::Value;
    use proptest::prelude::*;

    #[test]
    fn forms_that_are_not_canonical_are_refused() {
        for bytes in [
            &[FLOAT, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f][..], // 1.0 is an integer
            &[FLOAT, 1, 0, 0, 0, 0, 0, 0xf8, 0x7f],     // another NaN
            &[MAP, 2, 1, b'b', NULL, 1, b'a', NULL],    // keys out of order
            &[MAP, 2, 1, b'a', NULL, 1, b'a', NULL],    // a key twice
            &[STRING, 1, 0xff],                         // not UTF-8
            &[LIST, 200],                               // a length beyond the end
            &[99],
        ] {
            assert_eq!(check(&mut Cursor::new(bytes)).unwrap_err().code(), Code::Damaged, "{bytes:?}");
        }
    }

    #[test]
    fn limits_have_their_own_codes() {
        let mut deep = [LIST, 1].repeat(NESTING_MAX + 1);
        deep.push(NULL);
        assert_eq!(check(&mut Cursor::new(&deep)).unwrap_err().code(), Code::ValueDepth);
        let large = Value::Bytes(vec![0; VALUE_BYTES_MAX + 1]).to_bytes();
        assert_eq!(check(&mut Cursor::new(&large)).unwrap_err().code(), Code::ValueSize);
        let largest = Value::Bytes(vec![0; VALUE_BYTES_MAX]).to_bytes();
        assert!(check(&mut Cursor::new(&largest)).is_ok(), "the limit itself is allowed");
        let beyond = Value::Integer(INTEGER_MAX + 1).to_bytes();
        assert_eq!(check(&mut Cursor::new(&beyond)).unwrap_err().code(), Code::IntegerRange);
        let reserved = Value::map([(NAME_RESERVED, Value::Null)]).to_bytes();
        assert_eq!(check(&mut Cursor::new(&reserved)).unwrap_err().code(), Code::NameReserved);
    }

    #[test]
    fn sums_keep_their_kind() {
        let sum = |a: Value, b: Value| add(&a.to_bytes(), &b.to_bytes());
        assert_eq!(sum(Value::Integer(2), Value::Integer(3)).unwrap(), Value::Integer(5).to_bytes());
        assert_eq!(sum(Value::Float(0.5), Value::Float(0.5)).unwrap(), Value::Integer(1).to_bytes());
        assert_eq!(sum(Value::BigInt(1), Value::BigInt(2)).unwrap(), Value::BigInt(3).to_bytes());
        assert_eq!(
            sum(Value::Integer(INTEGER_MAX), Value::Integer(1)).unwrap_err().code(),
            Code::IntegerRange
        );
        assert_eq!(sum(Value::Null, Value::Integer(1)).unwrap_err().code(), Code::ValueType);
    }

    #[test]
    fn positions_count_as_javascript_counts() {
        let text = Value::text("a𝒳é").to_bytes();
        let sequence = Sequence::of(&text).unwrap();
        assert_eq!(sequence.units(), 4);
        assert_eq!(sequence.offset(1), Some(1));
        assert_eq!(sequence.offset(2), None, "inside of a surrogate pair");
        assert_eq!(sequence.offset(3), Some(5));
        assert_eq!(sequence.offset(4), Some(7));
        assert_eq!(sequence.offset(5), None);
        assert_eq!(sequence.offset(0), Some(0));
    }

    proptest! {
        #[test]
        fn a_splice_does_what_it_does_to_units(
            text in "[a-cé𝒳]{0,12}", come in "[a-cé𝒳]{0,4}", start in 0u64..30, delete in 0u64..30, list: bool,
        ) {
            let make = |text: &str| match list {
                true => Value::List(text.chars().map(Value::text).collect()).to_bytes(),
                false => Value::text(text).to_bytes(),
            };
            let (before, inserted) = (make(&text), make(&come));
            let spliced = Sequence::of(&before).unwrap().spliced((start, delete), &Sequence::of(&inserted).unwrap());
            // A list's units are its items, a text's those of UTF-16; a surrogate is none of its own.
            let units: Vec<(char, bool)> = text.chars().flat_map(|character| {
                let first = [(character, true)].into_iter();
                first.chain((!list && character.len_utf16() == 2).then_some((character, false)))
            }).collect();
            let (from, to) = (start as usize, (start.saturating_add(delete) as usize).min(units.len()).max(start as usize));
            let whole = |at: usize| at == units.len() || units.get(at).is_some_and(|unit| unit.1);
            if !whole(from) || !whole(to) {
                prop_assert_eq!(spliced.unwrap_err().code(), Code::SpliceRange);
            } else {
                let kept = |units: &[(char, bool)]| units.iter().filter(|unit| unit.1).map(|unit| unit.0).collect::<String>();
                let expected = kept(&units[..from]) + &come + &kept(&units[to..]);
                prop_assert_eq!(spliced.unwrap(), make(&expected));
            }
        }
    }

    #[test]
    fn what_is_inserted_has_the_same_type_and_leaves_room() {
        let (text, bytes) = (Value::text("a").to_bytes(), Value::Bytes(vec![0; VALUE_BYTES_MAX]).to_bytes());
        let (text, bytes) = (Sequence::of(&text).unwrap(), Sequence::of(&bytes).unwrap());
        let code = |spliced: Result<Vec<u8>>| spliced.unwrap_err().code();
        assert_eq!(code(text.spliced((0, 0), &bytes)), Code::ValueType);
        assert_eq!(code(bytes.spliced((u64::MAX, 0), &bytes)), Code::ValueSize);
        assert_eq!(bytes.spliced((0, u64::MAX), &bytes).unwrap().len(), VALUE_BYTES_MAX + HEAD_BYTES);
        assert_eq!(Sequence::of(&Value::Null.to_bytes()).unwrap_err().code(), Code::ValueType);
    }
}
