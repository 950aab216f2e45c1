//! Verbs: what a transaction asks for, as the batch that crosses from JavaScript.
//!
//! | tag | verb | fields |
//! |---|---|---|
//! | 1 | put | key, labels, properties |
//! | 2 | patch | target, labels, labels to drop, changes |
//! | 3 | remove | key, detach (0, 1) |
//! | 4 | link | from, type, to, key, changes |
//! | 5 | unlink | from, type, to, key |
//! | 6 | increment | target, property, number |
//! | 7 | splice | target, property, start, count to delete (a count beyond the end stops there), sequence |
//! | 8 | append | target, property, sequence |
//!
//! Text is a length and UTF-8. A target is 0 and a node's key, or 1 and from, type, to, key. Labels are a count and
//! texts. Properties are a count and (name, value); a change is (name, 1, value) or (name, 0) to unset.

use crate::bytes::{Cursor, put_bytes, put_varint};
use crate::ids::{check_key, check_name};
use crate::limits::{LABELS_MAX, PROPERTIES_MAX};
use crate::value::check;
use crate::{Code, Error, Result};

/// An edge's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EdgeKey<'a> {
    /// The key of the node it leaves.
    pub from: &'a str,
    /// Its type.
    pub kind: &'a str,
    /// The key of the node it enters.
    pub to: &'a str,
    /// Tells parallel edges apart; empty by default.
    pub key: &'a str,
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

/// One verb, borrowing from the batch it was read from.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the table above names every field")]
pub enum Verb<'a> {
    Put { key: &'a str, labels: Vec<&'a str>, changes: Vec<Change<'a>> },
    Patch { target: Target<'a>, labels: Vec<&'a str>, drop: Vec<&'a str>, changes: Vec<Change<'a>> },
    Remove { key: &'a str, detach: bool },
    Link { edge: EdgeKey<'a>, changes: Vec<Change<'a>> },
    Unlink { edge: EdgeKey<'a> },
    Increment { target: Target<'a>, name: &'a str, by: &'a [u8] },
    Splice { target: Target<'a>, name: &'a str, start: u64, delete: u64, insert: &'a [u8] },
    Append { target: Target<'a>, name: &'a str, more: &'a [u8] },
}

impl<'a> Target<'a> {
    /// Reads a target and checks the sizes of its keys.
    pub fn decode(cursor: &mut Cursor<'a>) -> Result<Target<'a>> {
        match cursor.byte()? {
            0 => Ok(Target::Node(read_key(cursor)?)),
            1 => Ok(Target::Edge(EdgeKey::decode(cursor)?)),
            _ => Err(cursor.malformed("an unknown target")),
        }
    }

    /// Appends the encoding.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Target::Node(key) => {
                out.push(0);
                put_bytes(out, key.as_bytes());
            }
            Target::Edge(edge) => {
                out.push(1);
                edge.encode(out);
            }
        }
    }
}

impl<'a> EdgeKey<'a> {
    /// Reads an identity and checks the sizes of its keys.
    pub fn decode(cursor: &mut Cursor<'a>) -> Result<EdgeKey<'a>> {
        let from = read_key(cursor)?;
        let kind = read_name(cursor)?;
        let to = read_key(cursor)?;
        let key = cursor.text()?;
        check_key(key)?;
        Ok(EdgeKey { from, kind, to, key })
    }

    /// Appends the encoding.
    pub fn encode(&self, out: &mut Vec<u8>) {
        for text in [self.from, self.kind, self.to, self.key] {
            put_bytes(out, text.as_bytes());
        }
    }
}

fn read_key<'a>(cursor: &mut Cursor<'a>) -> Result<&'a str> {
    let key = cursor.text()?;
    if key.is_empty() {
        return Err(Error::new(Code::KeySize, "a node's key is empty; name it"));
    }
    check_key(key)?;
    Ok(key)
}

fn read_name<'a>(cursor: &mut Cursor<'a>) -> Result<&'a str> {
    let name = cursor.text()?;
    check_name(name)?;
    Ok(name)
}

fn read_labels<'a>(cursor: &mut Cursor<'a>) -> Result<Vec<&'a str>> {
    let count = cursor.length()?;
    if count > LABELS_MAX {
        return Err(Error::new(
            Code::PropertyCount,
            format!("{count} labels are over the limit of {LABELS_MAX} per node; use properties or edges"),
        )
        .with("limit", LABELS_MAX));
    }
    (0..count).map(|_| read_name(cursor)).collect()
}

fn read_changes<'a>(cursor: &mut Cursor<'a>, always_set: bool) -> Result<Vec<Change<'a>>> {
    let count = cursor.length()?;
    if count > PROPERTIES_MAX {
        return Err(property_count_error(count));
    }
    let mut changes = Vec::with_capacity(count);
    for _ in 0..count {
        let name = read_name(cursor)?;
        let set = always_set || cursor.byte()? != 0;
        changes.push((name, if set { Some(check(cursor)?) } else { None }));
    }
    Ok(changes)
}

/// The error for an entity that would hold too many properties.
pub fn property_count_error(count: usize) -> Error {
    Error::new(
        Code::PropertyCount,
        format!("{count} properties are over the limit of {PROPERTIES_MAX}; nest them in maps or link nodes"),
    )
    .with("limit", PROPERTIES_MAX)
}

/// Reads a batch, verb by verb.
#[derive(Clone, Debug)]
pub struct VerbReader<'a>(Cursor<'a>);

impl<'a> VerbReader<'a> {
    /// Reads from the first byte of a batch.
    pub fn new(bytes: &'a [u8]) -> Self {
        VerbReader(Cursor::new(bytes))
    }

    fn read(&mut self) -> Result<Verb<'a>> {
        let cursor = &mut self.0;
        Ok(match cursor.byte()? {
            1 => Verb::Put {
                key: read_key(cursor)?,
                labels: read_labels(cursor)?,
                changes: read_changes(cursor, true)?,
            },
            2 => Verb::Patch {
                target: Target::decode(cursor)?,
                labels: read_labels(cursor)?,
                drop: read_labels(cursor)?,
                changes: read_changes(cursor, false)?,
            },
            3 => Verb::Remove { key: read_key(cursor)?, detach: cursor.byte()? != 0 },
            4 => Verb::Link { edge: EdgeKey::decode(cursor)?, changes: read_changes(cursor, false)? },
            5 => Verb::Unlink { edge: EdgeKey::decode(cursor)? },
            6 => Verb::Increment {
                target: Target::decode(cursor)?,
                name: read_name(cursor)?,
                by: check(cursor)?,
            },
            7 => Verb::Splice {
                target: Target::decode(cursor)?,
                name: read_name(cursor)?,
                start: cursor.varint()?,
                delete: cursor.varint()?,
                insert: check(cursor)?,
            },
            8 => Verb::Append {
                target: Target::decode(cursor)?,
                name: read_name(cursor)?,
                more: check(cursor)?,
            },
            _ => return Err(cursor.malformed("an unknown verb")),
        })
    }
}

impl<'a> Iterator for VerbReader<'a> {
    type Item = Result<Verb<'a>>;

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

/// Writes a batch from Rust: what reverts and tests use. TypeScript has its own writer of the same bytes.
#[derive(Clone, Debug, Default)]
pub struct VerbWriter {
    bytes: Vec<u8>,
    count: usize,
}

impl VerbWriter {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one verb.
    pub fn push(&mut self, verb: &Verb<'_>) -> &mut Self {
        let out = &mut self.bytes;
        let texts = |out: &mut Vec<u8>, texts: &[&str]| {
            put_varint(out, texts.len() as u64);
            texts.iter().for_each(|text| put_bytes(out, text.as_bytes()));
        };
        let changes = |out: &mut Vec<u8>, changes: &[Change<'_>], always_set: bool| {
            put_varint(out, changes.len() as u64);
            for (name, value) in changes {
                put_bytes(out, name.as_bytes());
                if !always_set {
                    out.push(u8::from(value.is_some()));
                }
                out.extend_from_slice(value.unwrap_or_default());
            }
        };
        match verb {
            Verb::Put { key, labels, changes: properties } => {
                out.push(1);
                put_bytes(out, key.as_bytes());
                texts(out, labels);
                changes(out, properties, true);
            }
            Verb::Patch { target, labels, drop, changes: properties } => {
                out.push(2);
                target.encode(out);
                texts(out, labels);
                texts(out, drop);
                changes(out, properties, false);
            }
            Verb::Remove { key, detach } => {
                out.push(3);
                put_bytes(out, key.as_bytes());
                out.push(u8::from(*detach));
            }
            Verb::Link { edge, changes: properties } => {
                out.push(4);
                edge.encode(out);
                changes(out, properties, false);
            }
            Verb::Unlink { edge } => {
                out.push(5);
                edge.encode(out);
            }
            Verb::Increment { target, name, by } => {
                out.push(6);
                target.encode(out);
                put_bytes(out, name.as_bytes());
                out.extend_from_slice(by);
            }
            Verb::Splice { target, name, start, delete, insert } => {
                out.push(7);
                target.encode(out);
                put_bytes(out, name.as_bytes());
                put_varint(out, *start);
                put_varint(out, *delete);
                out.extend_from_slice(insert);
            }
            Verb::Append { target, name, more } => {
                out.push(8);
                target.encode(out);
                put_bytes(out, name.as_bytes());
                out.extend_from_slice(more);
            }
        }
        self.count += 1;
        self
    }

    /// The batch.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many verbs it holds.
    pub fn count(&self) -> usize {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

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
        ];
        let mut writer = VerbWriter::new();
        verbs.iter().for_each(|verb| {
            writer.push(verb);
        });
        assert_eq!(writer.count(), verbs.len());
        let back: Vec<_> = VerbReader::new(writer.bytes()).collect::<Result<_>>().unwrap();
        assert_eq!(back, verbs);
    }

    #[test]
    fn oversized_and_empty_names_are_refused_by_their_own_codes() {
        let long = "k".repeat(1025);
        let code = |verb: Verb<'_>| {
            let mut writer = VerbWriter::new();
            writer.push(&verb);
            VerbReader::new(writer.bytes()).find_map(|verb| verb.err()).map(|error| error.code())
        };
        assert_eq!(code(Verb::Remove { key: &long, detach: false }), Some(Code::KeySize));
        assert_eq!(code(Verb::Remove { key: "", detach: false }), Some(Code::KeySize));
        assert_eq!(
            code(Verb::Put { key: "a", labels: vec!["__proto__"], changes: vec![] }),
            Some(Code::NameReserved)
        );
        let null = Value::Null.to_bytes();
        let names: Vec<_> = (0..=PROPERTIES_MAX).map(|n| n.to_string()).collect();
        let changes = names.iter().map(|name| (name.as_str(), Some(&null[..]))).collect();
        assert_eq!(code(Verb::Put { key: "a", labels: vec![], changes }), Some(Code::PropertyCount));
    }
}
