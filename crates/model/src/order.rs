//! Order keys: bytes that compare as the values do that they stand for.
//!
//! | rank | values | rest of the key |
//! |---|---|---|
//! | 0 | null | – |
//! | 1 | false, true | 0, 1 |
//! | 2 | numbers of every kind, by what they are worth; NaN last | the nearest float, turned so that its bytes compare; the rest, 2 bytes |
//! | 3 | timestamps | 8 bytes |
//! | 4 | strings, by UTF-8 | the text |
//! | 5 | bytes | the bytes |
//! | 6 | lists, maps, vectors: equal or not, in no order that means anything | the encoding |

use crate::value::Value;
use crate::{Code, Result, ensure};
use std::ops::{Bound, RangeBounds};

const NUMBER: u8 = 2;
const STRING: u8 = 4;
const BYTES: u8 = 5;
const COMPOSITE: u8 = 6;
const SIGN: u64 = 1 << 63;

/// The order key of an encoded value.
pub fn order_key(encoded: &[u8]) -> Result<Vec<u8>> {
    let number = |near: f64, rest: i16| {
        // Both zeros are worth the same. Negative floats compare the other way round.
        let bits = (near + 0.0).to_bits();
        let bits = if bits & SIGN == 0 { bits | SIGN } else { !bits };
        let rest = rest.cast_unsigned() ^ 0x8000;
        [&[NUMBER][..], &bits.to_be_bytes(), &rest.to_be_bytes()].concat()
    };
    Ok(match Value::of(encoded)? {
        Value::Null => vec![0],
        Value::Bool(value) => vec![1, u8::from(value)],
        Value::Integer(value) => number(value as f64, 0),
        Value::Float(value) => number(value, 0),
        // Between two floats of this size lie at most 1,024 integers.
        Value::BigInt(value) => number(value as f64, (i128::from(value) - value as f64 as i128) as i16),
        Value::Timestamp(micros) => [&[3][..], &(micros.cast_unsigned() ^ SIGN).to_be_bytes()].concat(),
        Value::String(text) => [&[STRING], text.as_bytes()].concat(),
        Value::Bytes(bytes) => [&[BYTES], bytes].concat(),
        Value::Composite => [&[COMPOSITE], encoded].concat(),
    })
}

/// Which values are meant: order keys from one on, up to a bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The least key.
    pub from: Vec<u8>,
    /// Where the keys end.
    pub to: Bound<Vec<u8>>,
}

impl Span {
    /// Values that are equal to one; numbers are equal when they are worth the same.
    pub fn equal(value: &[u8]) -> Result<Span> {
        let key = order_key(value)?;
        Ok(Span { from: key.clone(), to: Bound::Included(key) })
    }

    /// Values of one kind in `[from, to)`, open where `None`. One of the two must be there.
    pub fn between(from: Option<&[u8]>, to: Option<&[u8]>) -> Result<Span> {
        let [from, to] = [from.map(order_key).transpose()?, to.map(order_key).transpose()?];
        let rank = from.as_ref().or(to.as_ref()).map_or(COMPOSITE, |key| key[0]);
        let alike = rank < COMPOSITE && to.as_ref().is_none_or(|to| to[0] == rank);
        let message =
            "a range goes from one value to another of the same kind: numbers, strings, times, bytes";
        ensure(alike, Code::ValueType, message)?;
        Ok(Span {
            from: from.unwrap_or_else(|| vec![rank]),
            to: Bound::Excluded(to.unwrap_or_else(|| vec![rank + 1])),
        })
    }

    /// Strings or bytes that begin with a value.
    pub fn prefix(value: &[u8]) -> Result<Span> {
        let from = order_key(value)?;
        ensure(matches!(from[0], STRING | BYTES), Code::ValueType, "a prefix is a string or bytes")?;
        let to = after_prefix(&from);
        Ok(Span { from, to: Bound::Excluded(to) })
    }

    /// Whether an order key is meant.
    pub fn holds(&self, key: &[u8]) -> bool {
        (Bound::Included(&self.from[..]), self.to.as_ref().map(Vec::as_slice)).contains(key)
    }
}

/// The least key above all that begin with this one, whose first byte is a rank.
pub fn after_prefix(key: &[u8]) -> Vec<u8> {
    let kept = key.iter().rposition(|byte| *byte < u8::MAX).unwrap_or(0);
    let mut after = key[..=kept].to_vec();
    after[kept] += 1;
    after
}

#[cfg(test)]
mod tests {
    use super::*;
    use karyon_testkit::Value;

    fn key(value: &Value) -> Vec<u8> {
        order_key(&value.to_bytes()).unwrap()
    }

    #[test]
    fn keys_compare_as_values_do() {
        let big = |value: i64| Value::BigInt(value);
        let ascending = [
            Value::Null,
            Value::Bool(false),
            Value::Bool(true),
            Value::Float(f64::NEG_INFINITY),
            big(i64::MIN),
            big(i64::MIN + 1),
            Value::Integer(-(1 << 53) + 1),
            Value::Float(-1.5),
            Value::Integer(-1),
            Value::Float(-1e-9),
            Value::Integer(0),
            Value::Float(5e-324),
            Value::Integer(1),
            Value::Float(1.5),
            Value::Integer((1 << 53) - 1),
            big(1 << 53),
            big((1 << 53) + 1),
            big((1 << 53) + 2),
            big(i64::MAX - 513),
            big(i64::MAX - 512),
            big(i64::MAX - 511),
            big(i64::MAX),
            Value::Float(f64::INFINITY),
            Value::Float(f64::NAN),
            Value::Timestamp(-1),
            Value::Timestamp(0),
            Value::text(""),
            Value::text("a"),
            Value::text("a\0"),
            Value::text("ab"),
            Value::text("\u{10ffff}"),
            Value::Bytes(vec![]),
            Value::Bytes(vec![0xff, 0xff]),
            Value::List(vec![]),
        ];
        for pair in ascending.windows(2) {
            assert!(key(&pair[0]) < key(&pair[1]), "{pair:?}");
        }
        assert_eq!(key(&Value::Float(-0.0)), key(&Value::Integer(0)));
        assert_eq!(key(&big(7)), key(&Value::Integer(7)));
    }

    #[test]
    fn spans_hold_what_they_say() {
        let bytes = |value: Value| value.to_bytes();
        let (two, five) = (bytes(Value::Integer(2)), bytes(Value::Float(5.5)));
        let span = Span::between(Some(&two), Some(&five)).unwrap();
        let held = |span: &Span, value: Value| span.holds(&key(&value));
        assert!(held(&span, Value::Integer(2)) && held(&span, Value::BigInt(5)));
        assert!(!held(&span, Value::Float(5.5)) && !held(&span, Value::text("3")));
        let open = Span::between(None, Some(&five)).unwrap();
        assert!(held(&open, Value::Float(f64::NEG_INFINITY)) && !held(&open, Value::Bool(true)));
        let prefix = Span::prefix(&bytes(Value::text("ab"))).unwrap();
        assert!(held(&prefix, Value::text("ab")) && held(&prefix, Value::text("ab\u{10ffff}")));
        assert!(!held(&prefix, Value::text("ac")) && !held(&prefix, Value::text("a")));
        let all = Span::prefix(&bytes(Value::Bytes(vec![0xff]))).unwrap();
        assert!(held(&all, Value::Bytes(vec![0xff; 9])) && !held(&all, Value::List(vec![])));
        assert!(held(&Span::equal(&five).unwrap(), Value::Float(5.5)));
        for refused in [
            Span::between(Some(&two), Some(&bytes(Value::text("a")))),
            Span::between(Some(&bytes(Value::List(vec![]))), None),
            Span::between(None, None),
            Span::prefix(&two),
        ] {
            assert_eq!(refused.unwrap_err().code(), Code::ValueType);
        }
    }
}
