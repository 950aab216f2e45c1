//! Values as trees and their one encoding say the same.

use karyon_model::Cursor;
use karyon_model::value::INTEGER_MAX;
use karyon_testkit::Value;
use proptest::prelude::*;

/// The value of a JavaScript number, unless it is an integer beyond the safe ones.
fn canonical(number: f64) -> Option<Value> {
    let integral = number.is_finite() && number.fract() == 0.0 && number.to_bits() != (-0.0f64).to_bits();
    let safe = number.abs() <= INTEGER_MAX as f64;
    if integral { safe.then_some(Value::Integer(number as i64)) } else { Some(Value::Float(number)) }
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        (-INTEGER_MAX..=INTEGER_MAX).prop_map(Value::Integer),
        any::<f64>().prop_filter_map("in range", canonical),
        any::<i64>().prop_map(Value::BigInt),
        ".*".prop_map(Value::String),
        any::<Vec<u8>>().prop_map(Value::Bytes),
        any::<i64>().prop_map(Value::Timestamp),
        proptest::collection::vec(-1e9f32..1e9, 0..5).prop_map(Value::Floats),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            proptest::collection::btree_map("[a-zé𝒳]{0,3}", inner, 0..4).prop_map(Value::map),
        ]
    })
}

proptest! {
    #[test]
    fn a_value_comes_back_the_same_bytes(value in values()) {
        let bytes = value.to_bytes();
        let mut cursor = Cursor::new(&bytes);
        let back = Value::decode(&mut cursor).unwrap();
        prop_assert!(cursor.is_empty());
        prop_assert_eq!(back.to_bytes(), bytes);
    }

    #[test]
    fn what_decodes_is_canonical(bytes: Vec<u8>) {
        let mut cursor = Cursor::new(&bytes);
        if let Ok(value) = Value::decode(&mut cursor) {
            prop_assert_eq!(value.to_bytes(), &bytes[..cursor.position()]);
        }
    }
}
