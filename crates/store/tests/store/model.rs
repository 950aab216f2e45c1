//! What a verb means, said a second time in the slow and obvious way, over full copies.

use std::collections::{BTreeMap, BTreeSet};

use karyon_model::value::INTEGER_MAX;
use karyon_model::{Code, Cursor, EdgeKey, Target, Verb, VerbReader};
use karyon_testkit::oracle::{self, EdgeName, Refusal};
use karyon_testkit::{Value, VerbWriter};

use crate::timeline::{HOLDS, Span, TRUE, interval, is_temporal, written};

/// One version of the graph; a property's value is its canonical bytes.
pub type State = oracle::Version<Vec<u8>>;
type OracleVerb = oracle::Verb<Vec<u8>>;
type Labels = BTreeSet<String>;
type Changes = BTreeMap<String, Option<Value>>;

/// A node or an edge, by identity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    Node(String),
    Edge(EdgeName),
}

/// One verb of a transaction.
#[derive(Clone, Debug)]
pub enum Step {
    Put {
        key: String,
        labels: Labels,
        props: BTreeMap<String, Value>,
    },
    Patch {
        place: Place,
        labels: Labels,
        drop: Labels,
        props: Changes,
    },
    Remove {
        key: String,
        detach: bool,
    },
    Link {
        edge: EdgeName,
        props: Changes,
    },
    Unlink {
        edge: EdgeName,
    },
    Increment {
        place: Place,
        name: String,
        by: Value,
    },
    Append {
        place: Place,
        name: String,
        more: Value,
    },
    Splice {
        place: Place,
        name: String,
        start: u64,
        delete: u64,
        insert: Value,
    },
    /// A put, patch, link or unlink in a span of valid time, at whose end what it sets may end.
    Within {
        span: Span,
        ends: bool,
        step: Box<Step>,
    },
}

pub fn edge_key(edge: &EdgeName) -> EdgeKey<'_> {
    EdgeKey { from: &edge.from, kind: &edge.edge_type, to: &edge.to, key: &edge.key }
}

pub fn target(place: &Place) -> Target<'_> {
    match place {
        Place::Node(key) => Target::Node(key),
        Place::Edge(edge) => Target::Edge(edge_key(edge)),
    }
}

impl Place {
    /// The place's properties, when it exists.
    pub fn props<'a>(&self, state: &'a State) -> Option<&'a BTreeMap<String, Vec<u8>>> {
        match self {
            Place::Node(key) => state.nodes.get(key).map(|node| &node.props),
            Place::Edge(edge) => state.edges.get(edge),
        }
    }

    fn existing(&self, state: &State) -> Result<(), Code> {
        match self.props(state) {
            Some(_) => Ok(()),
            None => Err(match self {
                Place::Node(_) => Code::NodeMissing,
                Place::Edge(_) => Code::EdgeMissing,
            }),
        }
    }

    fn set(&self, name: &str, value: Vec<u8>) -> OracleVerb {
        let props = BTreeMap::from([(name.to_owned(), Some(value))]);
        match self {
            Place::Node(key) => {
                let (labels, drop_labels) = (Labels::new(), Labels::new());
                OracleVerb::Patch { key: key.clone(), labels, drop_labels, props }
            }
            Place::Edge(edge) => OracleVerb::PatchEdge { edge: edge.clone(), props },
        }
    }
}

impl Step {
    /// The verb as a store is asked for it.
    pub fn push(&self, writer: &mut VerbWriter) {
        let texts = |labels: &'_ Labels| labels.iter().cloned().collect::<Vec<_>>();
        let encoded = |changes: &Changes| {
            let encode = |(name, value): (&String, &Option<Value>)| {
                (name.clone(), value.as_ref().map(|value| value.to_bytes()))
            };
            changes.iter().map(encode).collect::<Vec<_>>()
        };
        let (mut labels, mut drops, mut changes) = (Vec::new(), Vec::new(), Vec::new());
        let mut bytes = Vec::new();
        match self {
            Step::Put { labels: all, props, .. } => {
                labels = texts(all);
                changes = props.iter().map(|(name, value)| (name.clone(), Some(value.to_bytes()))).collect();
            }
            Step::Patch { labels: add, drop, props, .. } => {
                (labels, drops, changes) = (texts(add), texts(drop), encoded(props));
            }
            Step::Link { props, .. } => changes = encoded(props),
            Step::Increment { by: value, .. }
            | Step::Append { more: value, .. }
            | Step::Splice { insert: value, .. } => bytes = value.to_bytes(),
            Step::Remove { .. } | Step::Unlink { .. } => {}
            Step::Within { span, ends, step } => {
                let mut inner = VerbWriter::default();
                step.push(&mut inner);
                let verb = VerbReader::new(inner.bytes()).next().unwrap().unwrap();
                writer.push(&Verb::Within { valid: interval(*span), ends: *ends, verb: Box::new(verb) });
                return;
            }
        }
        let labels = labels.iter().map(String::as_str).collect();
        let drop = drops.iter().map(String::as_str).collect();
        let changes = changes.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect();
        writer.push(&match self {
            Step::Put { key, .. } => Verb::Put { key, labels, changes },
            Step::Patch { place, .. } => Verb::Patch { target: target(place), labels, drop, changes },
            Step::Remove { key, detach } => Verb::Remove { key, detach: *detach },
            Step::Link { edge, .. } => Verb::Link { edge: edge_key(edge), changes },
            Step::Unlink { edge } => Verb::Unlink { edge: edge_key(edge) },
            Step::Increment { place, name, .. } => {
                Verb::Increment { target: target(place), name, by: &bytes }
            }
            Step::Within { .. } => unreachable!("it was pushed above"),
            Step::Append { place, name, .. } => Verb::Append { target: target(place), name, more: &bytes },
            Step::Splice { place, name, start, delete, .. } => {
                let (start, delete) = (*start, *delete);
                Verb::Splice { target: target(place), name, start, delete, insert: &bytes }
            }
        });
    }

    /// The step itself, whenever it is to hold.
    pub fn plain(&self) -> &Step {
        if let Step::Within { step, .. } = self { step } else { self }
    }

    /// What a step in a span of valid time does.
    fn meaning_within(&self, state: &State, span: Span, ends: bool) -> Result<Vec<OracleVerb>, Code> {
        let held =
            |place: &Place, name: &String| place.props(state).and_then(|props| props.get(name)).cloned();
        let after = |place: &Place, name: &String, value: Option<Vec<u8>>| {
            written(held(place, name).as_ref(), span, ends, value)
        };
        let changed = |place: &Place, changes: &Changes| -> BTreeMap<_, _> {
            let bytes = |value: &Option<Value>| value.as_ref().map(Value::to_bytes);
            let change = |(name, value): (&String, _)| (name.clone(), after(place, name, bytes(value)));
            changes.iter().map(change).collect()
        };
        let holding = |edge: &EdgeName, value: Option<Vec<u8>>| {
            let own = state.edges.get(edge).map(|props| props.get(HOLDS).cloned().unwrap_or(TRUE.into()));
            written(own.as_ref(), span, ends, value)
        };
        // What holds always says nothing about it.
        let own = |holding: Vec<u8>| Some(holding).filter(|holding| *holding != TRUE);
        Ok(match self {
            Step::Put { key, labels, props } => {
                let place = Place::Node(key.clone());
                let names = place.props(state).into_iter().flatten().map(|held| held.0).chain(props.keys());
                let after = |name: &String| {
                    let value = props.get(name).map(Value::to_bytes);
                    after(&place, name, value).map(|held| (name.clone(), held))
                };
                let props = names.filter_map(after).collect();
                vec![OracleVerb::Put { key: key.clone(), labels: labels.clone(), props }]
            }
            Step::Patch { place, labels, drop, props } => {
                let plain = Step::Patch {
                    place: place.clone(),
                    labels: labels.clone(),
                    drop: drop.clone(),
                    props: [].into(),
                };
                let mut verbs = plain.meaning(state)?;
                let (OracleVerb::Patch { props: all, .. } | OracleVerb::PatchEdge { props: all, .. }) =
                    &mut verbs[0]
                else {
                    unreachable!("a patch means one patch")
                };
                *all = changed(place, props);
                verbs
            }
            Step::Link { edge, props } => {
                let mut props = changed(&Place::Edge(edge.clone()), props);
                props.insert(
                    HOLDS.into(),
                    own(holding(edge, Some(TRUE.into())).expect("a span is not empty")),
                );
                vec![
                    OracleVerb::Link { edge: edge.clone(), props: BTreeMap::new() },
                    OracleVerb::PatchEdge { edge: edge.clone(), props },
                ]
            }
            Step::Unlink { edge } => match holding(edge, None) {
                Some(holding) => {
                    let props = BTreeMap::from([(HOLDS.to_owned(), own(holding))]);
                    vec![OracleVerb::PatchEdge { edge: edge.clone(), props }]
                }
                None => vec![OracleVerb::Unlink { edge: edge.clone() }],
            },
            _ => unreachable!("it is not about valid time"),
        })
    }

    /// What the step does to this state, in the oracle's words, or the code with which it is refused.
    fn meaning(&self, state: &State) -> Result<Vec<OracleVerb>, Code> {
        let encoded = |changes: &Changes| {
            let encode = |(name, value): (&String, &Option<Value>)| {
                (name.clone(), value.as_ref().map(|value| value.to_bytes()))
            };
            changes.iter().map(encode).collect::<BTreeMap<_, _>>()
        };
        Ok(vec![match self {
            Step::Within { span, ends, step } => return step.meaning_within(state, *span, *ends),
            Step::Put { key, labels, props } => {
                let props = props.iter().map(|(name, value)| (name.clone(), value.to_bytes())).collect();
                OracleVerb::Put { key: key.clone(), labels: labels.clone(), props }
            }
            Step::Patch { place: Place::Node(key), labels, drop, props } => {
                let (key, labels, drop_labels) = (key.clone(), labels.clone(), drop.clone());
                OracleVerb::Patch { key, labels, drop_labels, props: encoded(props) }
            }
            Step::Patch { place: Place::Edge(edge), labels, drop, props } => {
                if !labels.is_empty() || !drop.is_empty() {
                    return Err(Code::Argument);
                }
                OracleVerb::PatchEdge { edge: edge.clone(), props: encoded(props) }
            }
            Step::Remove { key, detach } => OracleVerb::Remove { key: key.clone(), detach: *detach },
            Step::Link { edge, props } => {
                let mut props = encoded(props);
                props.insert(HOLDS.into(), None);
                return Ok(vec![
                    OracleVerb::Link { edge: edge.clone(), props: BTreeMap::new() },
                    OracleVerb::PatchEdge { edge: edge.clone(), props },
                ]);
            }
            Step::Unlink { edge } => OracleVerb::Unlink { edge: edge.clone() },
            Step::Increment { place, name, by } => {
                place.existing(state)?;
                if !matches!(by, Value::Integer(_) | Value::Float(_) | Value::BigInt(_)) {
                    return Err(Code::ValueType);
                }
                let sum = match value(place, state, name)? {
                    Some(current) => sum(&current, by)?,
                    None => by.clone(),
                };
                place.set(name, sum.to_bytes())
            }
            Step::Append { place, name, more } => {
                place.existing(state)?;
                is_sequence(more)?;
                let appended = match value(place, state, name)? {
                    Some(current) => spliced(&current, None, more)?,
                    None => more.clone(),
                };
                place.set(name, appended.to_bytes())
            }
            Step::Splice { place, name, start, delete, insert } => {
                place.existing(state)?;
                is_sequence(insert)?;
                let current = value(place, state, name)?.ok_or(Code::SpliceRange)?;
                place.set(name, spliced(&current, Some((*start, *delete)), insert)?.to_bytes())
            }
        }])
    }
}

/// What a transaction does to this state, in the oracle's words, or the code with which it is refused.
pub fn carry_out(steps: &[Step], state: &State) -> Result<(Vec<OracleVerb>, State), Code> {
    let (mut verbs, mut next) = (Vec::new(), state.clone());
    for step in steps {
        for verb in step.meaning(&next)? {
            next.apply(&verb).map_err(|refusal| match refusal {
                Refusal::NodeMissing => Code::NodeMissing,
                Refusal::EdgeMissing => Code::EdgeMissing,
                Refusal::HasEdges => Code::HasEdges,
            })?;
            verbs.push(verb);
        }
    }
    Ok((verbs, next))
}

/// Whether any of the steps, which can be carried out, changes what it finds.
pub fn changes(steps: &[Step], state: &State) -> bool {
    let mut now = state.clone();
    steps.iter().any(|step| {
        let next = carry_out(std::slice::from_ref(step), &now).expect("it can be carried out").1;
        let changed = next != now;
        now = next;
        changed
    })
}

pub fn batch(steps: &[Step]) -> Vec<u8> {
    let mut writer = VerbWriter::default();
    steps.iter().for_each(|step| step.push(&mut writer));
    writer.bytes().to_vec()
}

/// The value that a property holds always.
fn value(place: &Place, state: &State, name: &str) -> Result<Option<Value>, Code> {
    match place.props(state).and_then(|props| props.get(name)) {
        None => Ok(None),
        Some(bytes) if is_temporal(bytes) => Err(Code::ValueType),
        Some(bytes) => {
            Ok(Some(Value::decode(&mut Cursor::new(bytes)).expect("the model's own values are canonical")))
        }
    }
}

fn sum(current: &Value, by: &Value) -> Result<Value, Code> {
    let as_float = |value: &Value| match value {
        Value::Integer(value) => *value as f64,
        Value::Float(value) => *value,
        _ => f64::NAN,
    };
    match (current, by) {
        (Value::Integer(a), Value::Integer(b)) => {
            let sum = i128::from(*a) + i128::from(*b);
            if sum.abs() > i128::from(INTEGER_MAX) {
                Err(Code::IntegerRange)
            } else {
                Ok(Value::Integer(a + b))
            }
        }
        (Value::BigInt(a), Value::BigInt(b)) => {
            a.checked_add(*b).map(Value::BigInt).ok_or(Code::IntegerRange)
        }
        (Value::Integer(_) | Value::Float(_), Value::Integer(_) | Value::Float(_)) => {
            let sum = as_float(current) + as_float(by);
            if !sum.is_finite() || sum.fract() != 0.0 || (sum == 0.0 && sum.is_sign_negative()) {
                Ok(Value::Float(sum))
            } else if sum.abs() > INTEGER_MAX as f64 {
                Err(Code::IntegerRange)
            } else {
                Ok(Value::Integer(sum as i64))
            }
        }
        _ => Err(Code::ValueType),
    }
}

fn is_sequence(value: &Value) -> Result<(), Code> {
    match value {
        Value::String(_) | Value::Bytes(_) | Value::List(_) => Ok(()),
        _ => Err(Code::ValueType),
    }
}

/// Replaces a range; without one, appends.
fn spliced(current: &Value, range: Option<(u64, u64)>, insert: &Value) -> Result<Value, Code> {
    fn replace<T: Clone>(items: &[T], range: Option<(u64, u64)>, insert: &[T]) -> Result<Vec<T>, Code> {
        let length = items.len() as u64;
        let (start, delete) = range.unwrap_or((length, 0));
        if start > length {
            return Err(Code::SpliceRange);
        }
        let end = start.saturating_add(delete).min(length);
        Ok([&items[..start as usize], insert, &items[end as usize..]].concat())
    }
    match (current, insert) {
        (Value::String(text), Value::String(insert)) => {
            let units: Vec<u16> = text.encode_utf16().collect();
            let insert: Vec<u16> = insert.encode_utf16().collect();
            let cut = |at: u64| {
                let low = units.get(at as usize).is_some_and(|unit| (0xdc00..0xe000).contains(unit));
                at > 0 && low
            };
            if let Some((start, delete)) = range
                && (cut(start) || cut(start.saturating_add(delete).min(units.len() as u64)))
            {
                return Err(Code::SpliceRange);
            }
            let spliced = replace(&units, range, &insert)?;
            Ok(Value::String(String::from_utf16(&spliced).expect("whole characters were cut and joined")))
        }
        (Value::Bytes(bytes), Value::Bytes(insert)) => Ok(Value::Bytes(replace(bytes, range, insert)?)),
        (Value::List(items), Value::List(insert)) => Ok(Value::List(replace(items, range, insert)?)),
        _ => Err(Code::ValueType),
    }
}
