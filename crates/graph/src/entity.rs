//! A node's or edge's state: existence, labels, properties, each with the commit that last changed it.
//!
//! An anchor holds: alive (byte), since, labels (count; name, since), properties (count; name, since, interval byte,
//! value). A delta holds, for each slot that the commit changed
//!
//! | tag | slot | before the commit |
//! |---|---|---|
//! | 0, 1 | existence | dead or alive, since |
//! | 2 | label | name: it was not there |
//! | 3 | label | name, since |
//! | 4 | property | name: it was not there |
//! | 5 | property | name, since, interval byte, value |
//! | 6 | property, spliced | name, since, at, inserted bytes, removed items, removed payload |
//!
//! The interval byte is 0 where the value holds always; the others are in `model/src/valid.rs`.

use crate::plan::difference;
use crate::versioned::State;
use karyon_model::bytes::{Cursor, put_bytes, put_varint};
use karyon_model::limits::{LABELS_MAX, PROPERTIES_MAX, VALUE_BYTES_MAX};
use karyon_model::valid::{self, is_temporal};
use karyon_model::value::{self, Sequence};
use karyon_model::{Code, Error, Interval, NameId, Operation, Result, Seq, property_count_error};
use smallvec::SmallVec;

/// An encoded value. Up to 16 bytes lie in the entity itself.
pub type Encoded = SmallVec<[u8; 16]>;

/// A property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// Its interned name.
    pub name: NameId,
    /// The commit that last changed it.
    pub since: Seq,
    /// Its encoded value, or those that it holds at different instants of valid time.
    pub value: Encoded,
}

/// The state of a node or edge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entity {
    alive: bool,
    since: Seq,
    /// Ascending by name.
    labels: SmallVec<[(NameId, Seq); 1]>,
    /// Ascending by name.
    properties: Vec<Property>,
}

/// One slot of an entity: what conflicts, blame and reverts are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Slot {
    /// Whether it exists.
    Existence,
    /// Whether it has a label.
    Label(NameId),
    /// A property's value.
    Property(NameId),
}

/// What a slot holds: something or nothing, since which commit, and a property's value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) there: bool,
    since: Seq,
    value: Encoded,
}

/// What a slot was before a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Undo {
    Whole(Slot, Held),
    Splice { name: NameId, since: Seq, at: usize, inserted: usize, items: usize, removed: Encoded },
}

impl Undo {
    pub(crate) fn slot(&self) -> Slot {
        match self {
            Undo::Whole(slot, _) => *slot,
            Undo::Splice { name, .. } => Slot::Property(*name),
        }
    }

    fn decode(cursor: &mut Cursor<'_>) -> Result<Undo> {
        let tag = cursor.byte()?;
        let slot = match tag {
            0 | 1 => Slot::Existence,
            2 | 3 => Slot::Label(cursor.id()?),
            4 | 5 => Slot::Property(cursor.id()?),
            6 => {
                return Ok(Undo::Splice {
                    name: cursor.id()?,
                    since: cursor.varint()?,
                    at: cursor.id()? as usize,
                    inserted: cursor.id()? as usize,
                    items: cursor.id()? as usize,
                    removed: cursor.bytes()?.into(),
                });
            }
            _ => return Err(cursor.malformed("an unknown delta")),
        };
        let there = tag & 1 == 1;
        let since = if there || tag == 0 { cursor.varint()? } else { 0 };
        let value = if tag == 5 { valid::read(cursor)?.into() } else { Encoded::new() };
        Ok(Undo::Whole(slot, Held { there, since, value }))
    }
}

/// Appends what leads from a state back to an older one: what the slots that have changed since were. False when none has.
pub(crate) fn put_delta(now: &Entity, older: &Entity, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    let put = |out: &mut Vec<u8>, tag: u8, name: NameId, since: Option<Seq>| {
        out.push(tag);
        [Some(name.into()), since].into_iter().flatten().for_each(|field| put_varint(out, field));
    };
    if now.since() != older.since() {
        out.push(older.is_alive().into());
        put_varint(out, older.since());
    }
    for name in older.labels().filter(|name| now.label(*name) != older.label(*name)) {
        put(out, 3, name, older.label(name));
    }
    for name in now.labels().filter(|name| older.label(*name).is_none()) {
        put(out, 2, name, None);
    }
    for Property { name, since, value } in older.properties() {
        let now = now.property(*name);
        if now.is_some_and(|now| now.since == *since) {
            continue;
        }
        if let Some(splice) = now.and_then(|now| difference(&now.value, value)) {
            put(out, 6, *name, Some(*since));
            [splice.at, splice.removed, splice.items].iter().for_each(|field| put_varint(out, *field as u64));
            put_bytes(out, splice.inserted);
        } else {
            put(out, 5, *name, Some(*since));
            valid::put(value, out);
        }
    }
    for property in now.properties() {
        if older.property(property.name).is_none() {
            put(out, 4, property.name, None);
        }
    }
    out.len() > start
}

/// Reads a delta.
pub(crate) fn decode_delta(delta: &[u8]) -> Result<Vec<Undo>> {
    let (mut cursor, mut undos) = (Cursor::new(delta), Vec::new());
    while !cursor.is_empty() {
        undos.push(Undo::decode(&mut cursor)?);
    }
    Ok(undos)
}

impl Entity {
    /// Whether it exists.
    pub fn is_alive(&self) -> bool {
        self.alive
    }

    /// The commit that made it exist, or cease to.
    pub fn since(&self) -> Seq {
        self.since
    }

    /// Its labels, ascending by interned name.
    pub fn labels(&self) -> impl ExactSizeIterator<Item = NameId> + Clone {
        self.labels.iter().map(|label| label.0)
    }

    /// Its properties, ascending by interned name.
    pub fn properties(&self) -> &[Property] {
        &self.properties
    }

    /// A property's encoded value.
    pub fn property(&self, name: NameId) -> Option<&Property> {
        self.find(name).ok().map(|at| &self.properties[at])
    }

    /// Whether it has a label, and since when.
    pub fn label(&self, name: NameId) -> Option<Seq> {
        self.labels.binary_search_by_key(&name, |label| label.0).ok().map(|at| self.labels[at].1)
    }

    /// What a slot holds, comparable and encodable: existence and labels as an empty value.
    pub(crate) fn slot(&self, slot: Slot) -> Option<(&[u8], Seq)> {
        match slot {
            Slot::Existence => self.alive.then_some((&[][..], self.since)),
            Slot::Label(name) => self.label(name).map(|since| (&[][..], since)),
            Slot::Property(name) => self.property(name).map(|property| (&property.value[..], property.since)),
        }
    }

    /// Every slot that holds something.
    pub(crate) fn slots(&self) -> impl Iterator<Item = Slot> {
        let existence = self.alive.then_some(Slot::Existence).into_iter();
        let labels = self.labels.iter().map(|label| Slot::Label(label.0));
        existence.chain(labels).chain(self.properties.iter().map(|property| Slot::Property(property.name)))
    }

    /// Whether labels and properties are the same, whoever made them so.
    pub(crate) fn holds_the_same(&self, other: &Entity) -> bool {
        let pair = |property: &'_ Property| (property.name, property.value.clone());
        self.labels().eq(other.labels())
            && self.properties.iter().map(pair).eq(other.properties.iter().map(pair))
    }

    /// What it holds at an instant of valid time; `None` when the property that says when an edge holds has nothing then.
    pub(crate) fn valid_at(&self, instant: i64, holds: Option<NameId>) -> Option<Entity> {
        let mut properties = Vec::with_capacity(self.properties.len());
        for Property { name, since, value } in &self.properties {
            match valid::at(value, instant) {
                [] if Some(*name) == holds => return None,
                value if !value.is_empty() && Some(*name) != holds => {
                    properties.push(Property { name: *name, since: *since, value: value.into() });
                }
                _ => {}
            }
        }
        Some(Entity { alive: self.alive, since: self.since, labels: self.labels.clone(), properties })
    }

    /// Whether a property holds different values at different instants.
    pub fn is_temporal(&self) -> bool {
        self.properties.iter().any(|property| is_temporal(&property.value))
    }

    /// What a property holds once it is written in an interval.
    fn portion(&self, name: NameId, valid: Interval, value: &[u8]) -> Result<(Slot, bool, Encoded)> {
        let before = self.property(name).map_or(&[][..], |property| &property.value);
        let held = valid::portion(before, valid, value)?;
        Ok((Slot::Property(name), !held.is_empty(), Encoded::from_vec(held)))
    }

    fn find(&self, name: NameId) -> std::result::Result<usize, usize> {
        self.properties.binary_search_by_key(&name, |property| property.name)
    }

    /// Carries out an operation on it at commit `seq` and says what the changed slots were before.
    ///
    /// Nothing has changed when it fails.
    pub(crate) fn apply(
        &mut self,
        operation: &Operation<'_>,
        seq: Seq,
        undo: &mut dyn FnMut(Undo),
    ) -> Result<()> {
        let (slot, there, value) = match *operation {
            Operation::Create { .. } => (Slot::Existence, true, Encoded::new()),
            Operation::Remove { .. } => {
                for slot in self.slots().collect::<Vec<_>>() {
                    let gone = Held { there: false, since: seq, value: Encoded::new() };
                    undo(Undo::Whole(slot, self.replace(slot, gone)));
                }
                return Ok(());
            }
            Operation::Label { name, .. } => (Slot::Label(name), true, Encoded::new()),
            Operation::Unlabel { name, .. } => (Slot::Label(name), false, Encoded::new()),
            Operation::Set { name, valid: Interval::ALWAYS, value, .. } => {
                (Slot::Property(name), true, value.into())
            }
            Operation::Unset { name, valid: Interval::ALWAYS, .. } => {
                (Slot::Property(name), false, Encoded::new())
            }
            Operation::Set { name, valid, value, .. } => self.portion(name, valid, value)?,
            Operation::Unset { name, valid, .. } => self.portion(name, valid, &[])?,
            Operation::Increment { name, by, .. } => {
                let current = self.property(name).map(|property| value::add(&property.value, by));
                let value = current.transpose()?.unwrap_or_else(|| by.to_vec());
                (Slot::Property(name), true, Encoded::from_vec(value))
            }
            Operation::Splice { name, at, removed, items, inserted, .. } => {
                let index = self.find(name).map_err(|_| splice_error())?;
                let property = &mut self.properties[index];
                let (at, removed, items) = (at as usize, removed as usize, items as usize);
                let (value, removed, items) = splice(&property.value, at, removed, items, inserted)?;
                undo(Undo::Splice {
                    name,
                    since: property.since,
                    at,
                    inserted: inserted.len(),
                    items,
                    removed,
                });
                (property.value, property.since) = (value, seq);
                return Ok(());
            }
            Operation::DefineName { .. }
            | Operation::DefineNode { .. }
            | Operation::DefineEdge { .. }
            | Operation::Declare { .. }
            | Operation::Fork { .. }
            | Operation::Drop { .. }
            | Operation::Merge { .. }
            | Operation::Erase { .. }
            | Operation::Archive { .. } => return Ok(()),
        };
        match slot {
            Slot::Label(name) if there == self.label(name).is_some() => return Ok(()),
            Slot::Label(_) if there && self.labels.len() >= LABELS_MAX => {
                let message = format!("a node would have more than {LABELS_MAX} labels; use properties");
                return Err(Error::new(Code::PropertyCount, message).with("limit", LABELS_MAX));
            }
            Slot::Property(name) if self.property(name).is_none() => {
                if !there {
                    return Ok(());
                }
                if self.properties.len() >= PROPERTIES_MAX {
                    return Err(property_count_error(self.properties.len() + 1));
                }
            }
            _ => {}
        }
        undo(Undo::Whole(slot, self.replace(slot, Held { there, since: seq, value })));
        Ok(())
    }

    /// Has a slot hold something else, or nothing. Returns what it held.
    fn replace(&mut self, slot: Slot, to: Held) -> Held {
        match slot {
            Slot::Existence => {
                let before = Held { there: self.alive, since: self.since, value: Encoded::new() };
                (self.alive, self.since) = (to.there, to.since);
                before
            }
            Slot::Label(name) => {
                let found = self.labels.binary_search_by_key(&name, |label| label.0);
                let before = found.ok().map(|at| self.labels.remove(at).1);
                if to.there {
                    self.labels.insert(found.unwrap_or_else(|at| at), (name, to.since));
                }
                before.map(|since| Held { there: true, since, value: Encoded::new() }).unwrap_or_default()
            }
            Slot::Property(name) => {
                let property = Property { name, since: to.since, value: to.value };
                let before = match (self.find(name), to.there) {
                    (Ok(at), true) => Some(std::mem::replace(&mut self.properties[at], property)),
                    (Ok(at), false) => Some(self.properties.remove(at)),
                    (Err(at), there) => {
                        there.then(|| self.properties.insert(at, property));
                        None
                    }
                };
                before
                    .map(|Property { since, value, .. }| Held { there: true, since, value })
                    .unwrap_or_default()
            }
        }
    }

    /// Takes one slot back.
    pub(crate) fn revert(&mut self, undo: Undo) -> Result<()> {
        match undo {
            Undo::Whole(slot, held) => drop(self.replace(slot, held)),
            Undo::Splice { name, since, at, inserted, items, removed } => {
                let Ok(index) = self.find(name) else {
                    return Err(Error::new(Code::Damaged, "a splice of a property that is not there"));
                };
                let property = &mut self.properties[index];
                property.value = splice(&property.value, at, inserted, items, &removed)?.0;
                property.since = since;
            }
        }
        Ok(())
    }
}

fn splice_error() -> Error {
    Error::new(
        Code::SpliceRange,
        "the splice lies outside of the value, or the property is absent; read it first",
    )
}

/// Replaces part of a string's, bytes' or list's payload. Returns the new value, the payload taken out and its items.
fn splice(
    encoded: &[u8],
    at: usize,
    removed: usize,
    items: usize,
    inserted: &[u8],
) -> Result<(Encoded, Encoded, usize)> {
    let sequence = Sequence::of(encoded)?;
    let payload = sequence.payload();
    let end = at.checked_add(removed).filter(|end| *end <= payload.len()).ok_or_else(splice_error)?;
    let taken_items = match sequence {
        Sequence::String(text) => {
            let whole = text.is_char_boundary(at) && text.is_char_boundary(end);
            if !whole || std::str::from_utf8(inserted).is_err() {
                return Err(splice_error());
            }
            0
        }
        Sequence::Bytes(_) => 0,
        Sequence::List(..) => {
            let mut cursor = Cursor::new(&payload[at..end]);
            let mut count = 0;
            while !cursor.is_empty() {
                value::check(&mut cursor)?;
                count += 1;
            }
            count
        }
    };
    let length = payload.len() - removed + inserted.len();
    if length > VALUE_BYTES_MAX {
        return Err(value::size_error(length));
    }
    let mut spliced = Vec::with_capacity(length);
    spliced.extend_from_slice(&payload[..at]);
    spliced.extend_from_slice(inserted);
    spliced.extend_from_slice(&payload[end..]);
    let count = (sequence.items() + items).checked_sub(taken_items).ok_or_else(splice_error)?;
    let value = Encoded::from_vec(sequence.rebuild(count, &spliced));
    Ok((value, payload[at..end].into(), taken_items))
}

impl State for Entity {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.alive));
        put_varint(out, self.since);
        put_varint(out, self.labels.len() as u64);
        for (name, since) in &self.labels {
            put_varint(out, u64::from(*name));
            put_varint(out, *since);
        }
        put_varint(out, self.properties.len() as u64);
        for property in &self.properties {
            put_varint(out, u64::from(property.name));
            put_varint(out, property.since);
            valid::put(&property.value, out);
        }
    }

    fn decode(bytes: &[u8]) -> Result<Self> {
        let mut cursor = Cursor::new(bytes);
        let alive = cursor.byte()? != 0;
        let since = cursor.varint()?;
        let mut entity = Entity { alive, since, ..Entity::default() };
        for _ in 0..cursor.length()? {
            entity.labels.push((cursor.id()?, cursor.varint()?));
        }
        for _ in 0..cursor.length()? {
            let (name, since) = (cursor.id()?, cursor.varint()?);
            entity.properties.push(Property { name, since, value: valid::read(&mut cursor)?.into() });
        }
        let sorted = entity.labels.is_sorted_by(|a, b| a.0 < b.0);
        if !sorted || !entity.properties.is_sorted_by(|a, b| a.name < b.name) || !cursor.is_empty() {
            return Err(cursor.malformed("an entity that is not in canonical order"));
        }
        Ok(entity)
    }

    fn undo<'d>(&mut self, mut deltas: impl Iterator<Item = &'d [u8]>) -> Result<()> {
        deltas.try_for_each(|delta| decode_delta(delta)?.into_iter().try_for_each(|undo| self.revert(undo)))
    }

    fn back_to(&self, older: &Entity) -> Vec<u8> {
        let mut out = Vec::new();
        put_delta(self, older, &mut out);
        out
    }

    fn size(&self) -> usize {
        let values: usize = self.properties.iter().map(|property| property.value.len() + 8).sum();
        8 + self.labels.len() * 6 + values
    }
}
