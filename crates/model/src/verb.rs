//! Verbs: what a transaction asks for, as the batch that crosses from JavaScript.
//!
//! | tag | verb | fields |
//! |---|---|---|
//! | 1 | put | key, labels, changes |
//! | 2 | patch | target, labels, labels to drop, changes |
//! | 3 | remove | key, detach (0, 1) |
//! | 4 | link | from, type, to, key, changes |
//! | 5 | unlink | from, type, to, key |
//! | 6 | increment | target, property, number |
//! | 7 | splice | target, property, start, count to delete (a count beyond the end stops there), sequence |
//! | 8 | append | target, property, sequence |
//! | 9 | within | interval, whether nothing holds from its end on (0, 1), and a put, patch, link or unlink, which is about that time only |
//!
//! Text is a length and UTF-8. A target is 0 and a node's key, or 1 and from, type, to, key. Labels are a count and
//! texts. Changes are a count and (name, 1, value), or (name, 0) to unset. Only reverts and merges write
//! values with intervals (`valid.rs`), and the reserved property of edges that says when they hold. An interval is as in operations.

use crate::fields::{Encoded, Flag, Number, records};
use crate::ids::{check_key, check_name};
use crate::limits::{LABELS_MAX, PROPERTIES_MAX};
use crate::valid::{HOLDS, check};
use crate::{Code, Cursor, Error, Interval, Result, bounded, codecs, layout, put_bytes, put_varint};

layout! {
    /// An edge's identity.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
    pub EdgeKey<'a> {
        /// The key of the node it leaves.
        from: &'a str = Key,
        /// Its type.
        kind: &'a str = Name,
        /// The key of the node it enters.
        to: &'a str = Key,
        /// Tells parallel edges apart; empty by default.
        key: &'a str = ParallelKey,
    }
}

/// A node's key or an edge's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target<'a> {
    /// A node.
    Node(&'a str),
    /// An edge.
    Edge(EdgeKey<'a>),
}

/// A change of one property: its name, and its encoded value or `None` to unset it.
pub type Change<'a> = (&'a str, Option<&'a [u8]>);

codecs! {
    Key(&'a str) |cursor| match check_key(cursor.text()?)? {
        "" => Err(Error::new(Code::KeySize, "a node's key is empty; name it")),
        key => Ok(key),
    }, |key, out| put_bytes(out, key.as_bytes());
    ParallelKey(&'a str) |cursor| check_key(cursor.text()?), |key, out| put_bytes(out, key.as_bytes());
    Name(&'a str) |cursor| check_name(cursor.text()?), |name, out| put_bytes(out, name.as_bytes());
    Labels(Vec<&'a str>) |cursor| {
        let count = cursor.length()?;
        bounded(count <= LABELS_MAX, Code::PropertyCount, LABELS_MAX, || {
            format!("{count} labels are over the limit of {LABELS_MAX} per node; use properties or edges")
        })?;
        (0..count).map(|_| Name::decode(cursor)).collect()
    }, |labels, out| {
        put_varint(out, labels.len() as u64);
        labels.iter().for_each(|label| Name::encode(label, out));
    };
    Changes(Vec<Change<'a>>) |cursor| {
        let count = cursor.length()?;
        check_property_count(count)?;
        let mut changes = Vec::with_capacity(count);
        for _ in 0..count {
            let name = match cursor.text()? {
                HOLDS => HOLDS,
                name => check_name(name)?,
            };
            changes.push((name, if Flag::decode(cursor)? { Some(check(cursor)?) } else { None }));
        }
        Ok(changes)
    }, |changes, out| {
        put_varint(out, changes.len() as u64);
        for (name, value) in changes {
            Name::encode(name, out);
            Flag::encode(&value.is_some(), out);
            out.extend_from_slice(value.unwrap_or_default());
        }
    };
    Span(Interval) |cursor| match Interval::decode(cursor)? {
        Interval { from: Some(from), to: Some(to) } if from >= to => {
            Err(Error::new(Code::Time, "valid ends before it begins, or when it begins; swap from and to"))
        }
        valid => Ok(valid),
    }, |valid, out| valid.encode(out);
    Setting(Box<Verb<'a>>) |cursor| match { *cursor }.byte()? {
        1 | 2 | 4 | 5 => Verb::decode(cursor).map(Box::new),
        _ => Err(cursor.malformed("a verb that is not about valid time")),
    }, |verb, out| verb.encode(out);
}

records! {
    /// One verb, borrowing from the batch it was read from.
    #[derive(Clone, Debug, PartialEq)]
    Verb, "an unknown verb";
    /// Reads a batch, verb by verb.
    VerbReader;
    1 Put { key: &'a str = Key, labels: Vec<&'a str> = Labels, changes: Vec<Change<'a>> = Changes }
    2 Patch {
        target: Target<'a> = Target, labels: Vec<&'a str> = Labels,
        drop: Vec<&'a str> = Labels, changes: Vec<Change<'a>> = Changes
    }
    3 Remove { key: &'a str = Key, detach: bool = Flag }
    4 Link { edge: EdgeKey<'a> = EdgeKey, changes: Vec<Change<'a>> = Changes }
    5 Unlink { edge: EdgeKey<'a> = EdgeKey }
    6 Increment { target: Target<'a> = Target, name: &'a str = Name, by: &'a [u8] = Encoded }
    7 Splice {
        target: Target<'a> = Target, name: &'a str = Name,
        start: u64 = Number, delete: u64 = Number, insert: &'a [u8] = Encoded
    }
    8 Append { target: Target<'a> = Target, name: &'a str = Name, more: &'a [u8] = Encoded }
    9 Within { valid: Interval = Span, ends: bool = Flag, verb: Box<Verb<'a>> = Setting }
}

impl<'a> Target<'a> {
    /// Reads a target and checks the sizes of its keys.
    pub fn decode(cursor: &mut Cursor<'a>) -> Result<Target<'a>> {
        match cursor.byte()? {
            0 => Key::decode(cursor).map(Target::Node),
            1 => EdgeKey::decode(cursor).map(Target::Edge),
            _ => Err(cursor.malformed("an unknown target")),
        }
    }

    /// Appends the encoding.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(matches!(self, Target::Edge(_))));
        match self {
            Target::Node(key) => Key::encode(key, out),
            Target::Edge(edge) => edge.encode(out),
        }
    }
}

/// Refuses more properties than a node or edge may have.
pub fn check_property_count(count: usize) -> Result<()> {
    bounded(count <= PROPERTIES_MAX, Code::PropertyCount, PROPERTIES_MAX, || {
        format!("{count} properties are over the limit of {PROPERTIES_MAX}; nest them in maps or link nodes")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use karyon_testkit::Value;

    #[test]
    fn every_verb_comes_back() {
        let value = Value::Integer(5).to_bytes();
        let text = Value::text("more").to_bytes();
        let edge = EdgeKey { from: "a", kind: "KNOWS", to: "b", key: "" };
        let verbs = [
            Verb::Put { key: "a", labels: vec!["Fact"], changes: vec![("n", Some(&value))] },
            Verb::Patch {
                target: Target::Edge(edge),
                labels: vec![],
                drop: vec![],
                changes: vec![("n", Some(&value)), ("m", None)],
            },
            Verb::Remove { key: "a", detach: true },
            Verb::Link { edge, changes: vec![("n", None)] },
            Verb::Unlink { edge },
            Verb::Increment { target: Target::Node("a"), name: "n", by: &value },
            Verb::Splice { target: Target::Node("a"), name: "t", start: 1, delete: 2, insert: &text },
            Verb::Append { target: Target::Edge(edge), name: "t", more: &text },
            Verb::Within {
                valid: Interval { from: Some(-1), to: Some(1) },
                ends: true,
                verb: Box::new(Verb::Link { edge, changes: vec![("n", Some(&value))] }),
            },
        ];
        let mut batch = Vec::new();
        verbs.iter().for_each(|verb| verb.encode(&mut batch));
        let back: Vec<_> = VerbReader::new(&batch).collect::<Result<_>>().unwrap();
        assert_eq!(back, verbs);
    }

    #[test]
    fn oversized_and_empty_names_are_refused_by_their_own_codes() {
        let long = "k".repeat(1025);
        let code = |verb: Verb<'_>| {
            let mut batch = Vec::new();
            verb.encode(&mut batch);
            VerbReader::new(&batch).find_map(|verb| verb.err()).map(|error| error.code())
        };
        assert_eq!(code(Verb::Remove { key: &long, detach: false }), Some(Code::KeySize));
        assert_eq!(code(Verb::Remove { key: "", detach: false }), Some(Code::KeySize));
        assert_eq!(
            code(Verb::Put { key: "a", labels: vec!["__proto__"], changes: vec![] }),
            Some(Code::NameReserved)
        );
        let within = |verb, to| {
            let valid = Interval { from: Some(5), to: Some(to) };
            code(Verb::Within { valid, ends: false, verb: Box::new(verb) })
        };
        let put = || Verb::Put { key: "a", labels: vec![], changes: vec![] };
        assert_eq!(within(put(), 6), None);
        assert_eq!(within(put(), 5), Some(Code::Time));
        assert_eq!(within(Verb::Remove { key: "a", detach: true }, 6), Some(Code::Damaged));
        let null = Value::Null.to_bytes();
        let names: Vec<_> = (0..=PROPERTIES_MAX).map(|n| n.to_string()).collect();
        let changes = names.iter().map(|name| (name.as_str(), Some(&null[..]))).collect();
        assert_eq!(code(Verb::Put { key: "a", labels: vec![], changes }), Some(Code::PropertyCount));
    }
}
