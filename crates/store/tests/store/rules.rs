//! Rules of labels, and nodes by what their properties hold, said a second time in the slow and obvious way.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use karyon_graph::Condition;
use karyon_model::order::Span;
use karyon_model::{Code, Cursor, Rules};
use karyon_testkit::Random;
use karyon_testkit::Value;
use karyon_testkit::oracle::Node;

use crate::model::State;
use crate::timeline::{is_gapless, is_temporal};
use crate::workload::{self, LABELS, NAMES};

/// The rules that hold, by label and property.
pub type Declared = BTreeMap<(String, String), Rules>;

/// Which values are meant.
#[derive(Clone, Debug)]
pub enum Values {
    Equal(Value),
    Between(Option<Value>, Option<Value>),
    Prefix(Value),
}

/// Nodes with a label whose property holds one of some values.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub label: String,
    pub property: String,
    pub values: Values,
}

// Values are not ordered by themselves; what is read is told apart by its text.
impl PartialEq for Wanted {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Wanted {}

impl PartialOrd for Wanted {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Wanted {
    fn cmp(&self, other: &Self) -> Ordering {
        format!("{self:?}").cmp(&format!("{other:?}"))
    }
}

/// How two values compare, where that means something.
pub fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    use Value::{BigInt, Bool, Bytes, Float, Integer, Null, String, Timestamp};
    let integer = |value: &Value| match value {
        Integer(value) | BigInt(value) => Some(i128::from(*value)),
        _ => None,
    };
    Some(match (a, b) {
        (Null, Null) => Ordering::Equal,
        (Bool(a), Bool(b)) => a.cmp(b),
        (Timestamp(a), Timestamp(b)) => a.cmp(b),
        (String(a), String(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Bytes(a), Bytes(b)) => a.cmp(b),
        (Float(a), Float(b)) if a.is_nan() || b.is_nan() => a.is_nan().cmp(&b.is_nan()),
        (Float(a), Float(b)) => a.partial_cmp(b)?,
        (Float(a), b) => compare(b, &Float(*a))?.reverse(),
        (a, Float(b)) => {
            let a = integer(a)?;
            // A float that is not infinite is no integer, so it lies between two of them, except for zero.
            match b {
                b if b.is_nan() || *b == f64::INFINITY => Ordering::Less,
                b if *b == f64::NEG_INFINITY => Ordering::Greater,
                b if *b == 0.0 => a.cmp(&0),
                b => a.cmp(&(b.floor() as i128)).then(Ordering::Less),
            }
        }
        (a, b) => match (integer(a), integer(b)) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => (a.to_bytes() == b.to_bytes()).then_some(Ordering::Equal)?,
        },
    })
}

fn decoded(bytes: &[u8]) -> Value {
    Value::decode(&mut Cursor::new(bytes)).expect("the model holds canonical bytes")
}

impl Wanted {
    /// Often by a property that is indexed.
    pub fn any(random: &mut Random, state: &State, declared: &Declared) -> Wanted {
        let indexed: Vec<_> =
            declared.iter().filter(|rules| rules.1.indexed).map(|rules| rules.0.clone()).collect();
        let (label, property) = if indexed.is_empty() || random.chance(1, 3) {
            (random.pick(&LABELS).to_string(), random.pick(&NAMES).to_string())
        } else {
            random.pick(&indexed).clone()
        };
        // Mostly a value that some node holds.
        let held = state.nodes.values().filter_map(|node| node.props.get(&property));
        let held: Vec<&Vec<u8>> = held.filter(|held| !is_temporal(held)).collect();
        let value = |random: &mut Random| match held.is_empty() || random.chance(1, 3) {
            true => workload::value(random, &property),
            false => decoded(random.pick::<&Vec<u8>>(&held)),
        };
        let rank = |value: &Value| {
            compare(value, value).is_some()
                && !matches!(value, Value::List(_) | Value::Map(_) | Value::Floats(_))
        };
        let (a, b) = (value(random), value(random));
        let values = match (random.below(4), &a) {
            (1, _) if rank(&a) && compare(&a, &b).is_some() => Values::Between(Some(a), Some(b)),
            (2, _) if rank(&a) => match random.chance(1, 2) {
                true => Values::Between(Some(a), None),
                false => Values::Between(None, Some(a)),
            },
            (3, Value::String(text)) => {
                let cut = text.chars().take(random.below(90)).collect();
                Values::Prefix(Value::String(cut))
            }
            (3, Value::Bytes(bytes)) => {
                Values::Prefix(Value::Bytes(bytes[..random.below(bytes.len() + 1)].to_vec()))
            }
            _ => Values::Equal(a),
        };
        Wanted { label, property, values }
    }

    fn meets(&self, node: &Node<Vec<u8>>) -> bool {
        let held = node.props.get(&self.property).filter(|held| !is_temporal(held));
        let Some(value) = held.map(|value| decoded(value)) else { return false };
        let of_the_kind = |bound: &Value| {
            std::mem::discriminant(bound) == std::mem::discriminant(&value)
                || compare(bound, &value).is_some()
        };
        let holds = match &self.values {
            Values::Equal(wanted) => compare(&value, wanted) == Some(Ordering::Equal),
            Values::Between(from, to) => {
                from.iter().chain(to).all(of_the_kind)
                    && from.as_ref().is_none_or(|from| compare(&value, from).is_some_and(Ordering::is_ge))
                    && to.as_ref().is_none_or(|to| compare(&value, to).is_some_and(Ordering::is_lt))
            }
            Values::Prefix(Value::String(prefix)) => {
                matches!(&value, Value::String(text) if text.starts_with(prefix))
            }
            Values::Prefix(Value::Bytes(prefix)) => {
                matches!(&value, Value::Bytes(bytes) if bytes.starts_with(prefix))
            }
            Values::Prefix(_) => unreachable!("a prefix is text or bytes"),
        };
        holds && node.labels.contains(&self.label)
    }

    /// The nodes that are meant, by key.
    pub fn nodes<'s>(&self, state: &'s State) -> BTreeMap<&'s String, &'s Node<Vec<u8>>> {
        state.nodes.iter().filter(|(_, node)| self.meets(node)).collect()
    }

    pub fn condition(&self) -> Condition<'_> {
        let bytes = |value: &Option<Value>| value.as_ref().map(Value::to_bytes);
        let span = match &self.values {
            Values::Equal(value) => Span::equal(&value.to_bytes()),
            Values::Prefix(value) => Span::prefix(&value.to_bytes()),
            Values::Between(from, to) => Span::between(bytes(from).as_deref(), bytes(to).as_deref()),
        };
        Condition { property: &self.property, span: span.expect("bounds of one kind") }
    }
}

/// The codes with which a graph breaks rules.
pub fn broken(state: &State, declared: &Declared) -> BTreeSet<&'static str> {
    let mut codes = BTreeSet::new();
    for ((label, property), rules) in declared {
        let nodes = state.nodes.values().filter(|node| node.labels.contains(label));
        let values: Vec<_> = nodes.map(|node| node.props.get(property)).collect();
        if rules.required && values.iter().any(|held| !held.is_some_and(|held| is_gapless(held))) {
            codes.insert(Code::Required.as_str());
        }
        let held = values.into_iter().flatten().filter(|held| !is_temporal(held));
        let held: Vec<_> = held.map(|held| decoded(held)).collect();
        let twice =
            |at: usize| held[..at].iter().any(|other| compare(other, &held[at]) == Some(Ordering::Equal));
        if rules.unique && (0..held.len()).any(twice) {
            codes.insert(Code::Unique.as_str());
        }
    }
    codes
}
