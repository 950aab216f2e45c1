//! A node's or edge's state: existence, labels, properties, each with the commit that last changed it.
//!
//! An anchor holds its existence (varint: since × 2, + 1 while it exists) and its *block*, the bytes that are also what is in
//! memory; there is none without labels and properties:
//!
//! | bytes | field |
//! |---|---|
//! | 2 and 2 | how many labels, how many properties |
//! | 4 and 6 for each label | name, since; ascending by name |
//! | 4, 6 and 4 for each property | name, since, where its value ends in the rest; ascending by name |
//! | rest | the values, one after another |
//!
//! Its numbers are little-endian and of fixed length, so that a slot is found by binary search and nothing is decoded. A version
//! has 48 bits there: at a million commits a second they last nine years.
//!
//! A delta holds, for each slot that the commit changed
//!
//! | tag | slot | before the commit |
//! |---|---|---|
//! | 0, 1 | existence | dead or alive, since |
//! | 2 | label | name: it was not there |
//! | 3 | label | name, since |
//! | 4 | property | name: it was not there |
//! | 5 | property | name, since, interval byte, value |
//! | 6 | property | name, since, length, the value as pieces of the one since (`pieces.rs`) |
//!
//! The interval byte is 0 where the value holds always; the others are in `model/src/valid.rs`.

use crate::pieces::{Rope, difference};
use crate::versioned::State;
use karyon_model::bytes::{Cursor, put_bytes, put_varint};
use karyon_model::limits::{LABELS_MAX, PROPERTIES_MAX};
use karyon_model::valid::{self, is_temporal};
use karyon_model::value;
use karyon_model::{Code, Error, Interval, NameId, Operation, Result, Seq, property_count_error};
use smallvec::SmallVec;
use triomphe::{Arc, ThinArc};

/// An encoded value that was taken out of an entity.
pub type Encoded = SmallVec<[u8; 16]>;

/// A property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Property<'a> {
    /// Its interned name.
    pub name: NameId,
    /// The commit that last changed it.
    pub since: Seq,
    /// Its encoded value, or those that it holds at different instants of valid time.
    pub value: &'a [u8],
}

/// The state of a node or edge: 16 bytes, and one allocation where it has labels or properties.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entity {
    /// The commit that made it exist or cease to, × 2, + 1 while it exists.
    existence: u64,
    /// Never changed: whoever copies the entity shares it.
    block: Option<ThinArc<(), u8>>,
}

/// How many labels and properties a block says it has.
const COUNTS_BYTES: usize = 4;
/// A name and a version.
const LABEL_BYTES: usize = 10;
/// The same, and where the value ends.
const PROPERTY_BYTES: usize = 14;

/// A block's parts.
#[derive(Clone, Copy, Default)]
struct Parts<'a> {
    labels: &'a [[u8; LABEL_BYTES]],
    properties: &'a [[u8; PROPERTY_BYTES]],
    values: &'a [u8],
}

fn name_of<const N: usize>(entry: &[u8; N]) -> NameId {
    entry.first_chunk().map_or(0, |name| NameId::from_le_bytes(*name))
}

/// Where the entry of a name is, or would be.
fn find<const N: usize>(entries: &[[u8; N]], name: NameId) -> std::result::Result<usize, usize> {
    entries.binary_search_by_key(&name, name_of)
}

fn since_of<const N: usize>(entry: &[u8; N]) -> Seq {
    let mut since = [0; 8];
    since[..6].copy_from_slice(&entry[4..LABEL_BYTES]);
    Seq::from_le_bytes(since)
}

fn end_of(entry: &[u8; PROPERTY_BYTES]) -> usize {
    entry.last_chunk().map_or(0, |end| u32::from_le_bytes(*end) as usize)
}

fn entry(name: NameId, since: Seq, end: usize) -> [u8; PROPERTY_BYTES] {
    let mut entry = [0; PROPERTY_BYTES];
    entry[..4].copy_from_slice(&name.to_le_bytes());
    entry[4..LABEL_BYTES].copy_from_slice(&since.to_le_bytes()[..6]);
    entry[LABEL_BYTES..].copy_from_slice(&(end as u32).to_le_bytes());
    entry
}

impl<'a> Parts<'a> {
    /// The parts of a block whose counts fit its length.
    fn of(block: &'a [u8]) -> Parts<'a> {
        let Some(([a, b, c, d], rest)) = block.split_first_chunk() else { return Parts::default() };
        let count = |low, high| usize::from(u16::from_le_bytes([low, high]));
        let (labels, rest) = rest.split_at(count(*a, *b) * LABEL_BYTES);
        let (properties, values) = rest.split_at(count(*c, *d) * PROPERTY_BYTES);
        Parts { labels: labels.as_chunks().0, properties: properties.as_chunks().0, values }
    }

    /// Where the value of a property begins, which is where the one before ends.
    fn begin(&self, at: usize) -> usize {
        at.checked_sub(1).map_or(0, |before| end_of(&self.properties[before]))
    }

    fn get(&self, at: usize) -> Property<'a> {
        let entry = &self.properties[at];
        let value = &self.values[self.begin(at)..end_of(entry)];
        Property { name: name_of(entry), since: since_of(entry), value }
    }
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

/// What a slot was before a commit: a value, or pieces of the one that it has since.
pub(crate) struct Undo<'d> {
    pub(crate) slot: Slot,
    there: bool,
    since: Seq,
    value: &'d [u8],
    pieces: bool,
}

/// Appends what leads from a state back to an older one: what the slots that have changed since were. False when none has.
pub(crate) fn put_delta(now: &Entity, older: &Entity, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    if now.since() != older.since() {
        out.push(older.is_alive().into());
        put_varint(out, older.since());
    }
    let come = now.slots().filter(|slot| older.slot(*slot).is_none());
    for slot in older.slots().chain(come) {
        let (tag, name) = match slot {
            Slot::Existence => continue,
            Slot::Label(name) => (2, name),
            Slot::Property(name) => (4, name),
        };
        let (before, after) = (older.slot(slot), now.slot(slot));
        if before.map(|held| held.1) == after.map(|held| held.1) {
            continue;
        }
        let pieces = before.zip(after).and_then(|(before, after)| difference(after.0, before.0));
        out.push(tag + u8::from(before.is_some()) + u8::from(pieces.is_some()));
        put_varint(out, name.into());
        let Some((value, since)) = before else { continue };
        put_varint(out, since);
        match pieces {
            Some(pieces) => put_bytes(out, &pieces),
            None if tag == 4 => valid::put(value, out),
            None => {}
        }
    }
    out.len() > start
}

/// Reads a delta.
pub(crate) fn undos(delta: &[u8]) -> impl Iterator<Item = Result<Undo<'_>>> {
    let mut cursor = Cursor::new(delta);
    std::iter::from_fn(move || (!cursor.is_empty()).then(|| undo(&mut cursor)))
}

fn undo<'d>(cursor: &mut Cursor<'d>) -> Result<Undo<'d>> {
    let tag = cursor.byte()?;
    let slot = match tag {
        0 | 1 => Slot::Existence,
        2 | 3 => Slot::Label(cursor.id()?),
        4..=6 => Slot::Property(cursor.id()?),
        _ => return Err(cursor.malformed("an unknown delta")),
    };
    let there = tag == 6 || tag & 1 == 1;
    let since = if there || tag == 0 { cursor.varint()? } else { 0 };
    let value = match tag {
        5 => valid::read(cursor)?,
        6 => cursor.bytes()?,
        _ => &[],
    };
    Ok(Undo { slot, there, since, value, pieces: tag == 6 })
}

impl Entity {
    /// Whether it exists.
    pub fn is_alive(&self) -> bool {
        self.existence & 1 == 1
    }

    /// The commit that made it exist, or cease to.
    pub fn since(&self) -> Seq {
        self.existence >> 1
    }

    fn parts(&self) -> Parts<'_> {
        self.block.as_ref().map_or_else(Parts::default, |block| Parts::of(&block.slice))
    }

    /// Its labels, ascending by interned name.
    pub fn labels(&self) -> impl ExactSizeIterator<Item = NameId> + Clone {
        self.parts().labels.iter().map(name_of)
    }

    /// Its properties, ascending by interned name.
    pub fn properties(&self) -> impl ExactSizeIterator<Item = Property<'_>> + Clone {
        let parts = self.parts();
        (0..parts.properties.len()).map(move |at| parts.get(at))
    }

    /// A property.
    pub fn property(&self, name: NameId) -> Option<Property<'_>> {
        let parts = self.parts();
        find(parts.properties, name).ok().map(|at| parts.get(at))
    }

    /// Whether it has a label, and since when.
    pub fn label(&self, name: NameId) -> Option<Seq> {
        let parts = self.parts();
        find(parts.labels, name).ok().map(|at| since_of(&parts.labels[at]))
    }

    /// What a slot holds, comparable and encodable: existence and labels as an empty value.
    pub(crate) fn slot(&self, slot: Slot) -> Option<(&[u8], Seq)> {
        match slot {
            Slot::Existence => self.is_alive().then_some((&[][..], self.since())),
            Slot::Label(name) => self.label(name).map(|since| (&[][..], since)),
            Slot::Property(name) => self.property(name).map(|property| (property.value, property.since)),
        }
    }

    /// Every slot that holds something.
    pub(crate) fn slots(&self) -> impl Iterator<Item = Slot> {
        let existence = self.is_alive().then_some(Slot::Existence).into_iter();
        let properties = self.properties().map(|property| Slot::Property(property.name));
        existence.chain(self.labels().map(Slot::Label)).chain(properties)
    }

    /// Whether labels and properties are the same, whoever made them so.
    pub(crate) fn holds_the_same(&self, other: &Entity) -> bool {
        fn pair(property: Property<'_>) -> (NameId, &[u8]) {
            (property.name, property.value)
        }
        self.labels().eq(other.labels()) && self.properties().map(pair).eq(other.properties().map(pair))
    }

    /// What it holds at an instant of valid time; `None` when the property that says when an edge holds has nothing then.
    pub(crate) fn valid_at(&self, instant: i64, holds: Option<NameId>) -> Option<Entity> {
        let mut entity = self.clone();
        for Property { name, since, value: held } in self.properties() {
            let value = valid::at(held, instant);
            if value.is_empty() && Some(name) == holds {
                return None;
            }
            let value = if Some(name) == holds { &[] } else { value };
            if value != held {
                let to = Held { there: !value.is_empty(), since, value: value.into() };
                entity.replace(Slot::Property(name), to);
            }
        }
        Some(entity)
    }

    /// Whether a property holds different values at different instants.
    pub fn is_temporal(&self) -> bool {
        self.properties().any(|property| is_temporal(property.value))
    }

    /// What a property holds once it is written in an interval.
    fn portion(&self, name: NameId, valid: Interval, value: &[u8]) -> Result<(Slot, bool, Encoded)> {
        if valid == Interval::ALWAYS {
            return Ok((Slot::Property(name), !value.is_empty(), value.into()));
        }
        let before = self.property(name).map_or(&[][..], |property| property.value);
        let held = valid::portion(before, valid, value)?;
        Ok((Slot::Property(name), !held.is_empty(), Encoded::from_vec(held)))
    }

    /// Refuses a value beside which the others have no room: where one ends is a number of 32 bits.
    fn check_room(&self, value: &[u8]) -> Result<()> {
        let bytes = self.parts().values.len() + value.len();
        if bytes > u32::MAX as usize { Err(value::size_error(bytes)) } else { Ok(()) }
    }

    /// Carries out an operation on it at commit `seq`.
    ///
    /// Nothing has changed when it fails.
    pub(crate) fn apply(&mut self, operation: &Operation<'_>, seq: Seq) -> Result<()> {
        let (slot, there, value) = match *operation {
            Operation::Create { .. } => (Slot::Existence, true, Encoded::new()),
            Operation::Remove { .. } => {
                *self = Entity { existence: seq << 1, block: None };
                return Ok(());
            }
            Operation::Label { name, .. } => (Slot::Label(name), true, Encoded::new()),
            Operation::Unlabel { name, .. } => (Slot::Label(name), false, Encoded::new()),
            Operation::Set { name, valid, value, .. } => self.portion(name, valid, value)?,
            Operation::Unset { name, valid, .. } => self.portion(name, valid, &[])?,
            Operation::Increment { name, by, .. } => {
                let current = self.property(name).map(|property| value::add(property.value, by));
                let value = current.transpose()?.unwrap_or_else(|| by.to_vec());
                (Slot::Property(name), true, Encoded::from_vec(value))
            }
            Operation::Pieces { name, pieces, .. } => {
                let mut rope = Rope::of(self.property(name).map_or(&[], |property| property.value));
                rope.apply(pieces)?;
                (Slot::Property(name), true, rope.value()?)
            }
            // What is about no slot.
            _ => return Ok(()),
        };
        match slot {
            Slot::Label(name) if there == self.label(name).is_some() => return Ok(()),
            Slot::Label(_) if there && self.labels().len() >= LABELS_MAX => {
                let message = format!("a node would have more than {LABELS_MAX} labels; use properties");
                return Err(Error::new(Code::PropertyCount, message).with("limit", LABELS_MAX));
            }
            Slot::Property(name) if self.property(name).is_none() => {
                if !there {
                    return Ok(());
                }
                if self.properties().len() >= PROPERTIES_MAX {
                    return Err(property_count_error(self.properties().len() + 1));
                }
            }
            _ => {}
        }
        self.check_room(&value)?;
        self.replace(slot, Held { there, since: seq, value });
        Ok(())
    }

    /// Writes a property's value over one of the same length, where nobody shares the block. Whether it has.
    fn overwrite(&mut self, name: NameId, to: &Held) -> bool {
        let parts = self.parts();
        let Ok(at) = find(parts.properties, name) else { return false };
        if parts.get(at).value.len() != to.value.len() {
            return false;
        }
        let first = COUNTS_BYTES + parts.labels.len() * LABEL_BYTES;
        let begin = first + parts.properties.len() * PROPERTY_BYTES + parts.begin(at);
        let place = first + at * PROPERTY_BYTES + size_of::<NameId>();
        let Some(block) = &mut self.block else { return false };
        block.with_arc_mut(|block| {
            let Some(block) = Arc::get_mut(block) else { return false };
            let block = block.slice_mut();
            block[place..place + 6].copy_from_slice(&to.since.to_le_bytes()[..6]);
            block[begin..begin + to.value.len()].copy_from_slice(&to.value);
            true
        })
    }

    /// Has a slot hold something else, or nothing. Cost: one copy of the block.
    fn replace(&mut self, slot: Slot, to: Held) {
        match slot {
            Slot::Existence => {
                self.existence = to.since << 1 | u64::from(to.there);
                return;
            }
            Slot::Property(name) if to.there && self.overwrite(name, &to) => return,
            _ => {}
        }
        let before = self.slot(slot).map(|held| held.0.len());
        let (gone, come) = (usize::from(before.is_some()), usize::from(to.there));
        let value = if to.there { &to.value[..] } else { &[] };
        let Parts { labels, properties, values } = self.parts();
        let mut block = Vec::with_capacity(
            COUNTS_BYTES
                + labels.len() * LABEL_BYTES
                + (properties.len() + 1) * PROPERTY_BYTES
                + values.len()
                + value.len(),
        );
        let mut put = |bytes: &[u8]| block.extend_from_slice(bytes);
        let of_label = usize::from(matches!(slot, Slot::Label(_)));
        for (count, changed) in [(labels.len(), of_label), (properties.len(), 1 - of_label)] {
            put(&((count + changed * come - changed * gone) as u16).to_le_bytes());
        }
        match slot {
            Slot::Existence => {}
            Slot::Label(name) => {
                let at = find(labels, name).unwrap_or_else(|at| at);
                put(labels[..at].as_flattened());
                put(&entry(name, to.since, 0)[..come * LABEL_BYTES]);
                put(labels[at + gone..].as_flattened());
                put(properties.as_flattened());
                put(values);
            }
            Slot::Property(name) => {
                let at = find(properties, name).unwrap_or_else(|at| at);
                let old = before.unwrap_or(0);
                let (begin, end) = (self.parts().begin(at), self.parts().begin(at) + value.len());
                put(labels.as_flattened());
                put(properties[..at].as_flattened());
                put(&entry(name, to.since, end)[..come * PROPERTY_BYTES]);
                for later in &properties[at + gone..] {
                    put(&entry(name_of(later), since_of(later), end_of(later) - old + value.len()));
                }
                put(&values[..begin]);
                put(value);
                put(&values[begin + old..]);
            }
        }
        let some = block[..] != [0; COUNTS_BYTES];
        self.block = some.then(|| ThinArc::from_header_and_slice((), &block));
    }

    /// Takes slots back to what they were before changes, which come newest first.
    ///
    /// Cost: what the changes say; for each slot one copy of its value and one of the block, however many changes there are.
    pub(crate) fn revert<'d>(&mut self, undos: impl Iterator<Item = Result<Undo<'d>>>) -> Result<()> {
        let (now, mut before) = (self.clone(), SmallVec::<[(Slot, bool, Seq, Rope<'_>); 1]>::new());
        for undo in undos {
            let Undo { slot, there, since, value, pieces } = undo?;
            let at = before.binary_search_by_key(&slot, |held| held.0).unwrap_or_else(|at| {
                let held = now.slot(slot).map_or(&[][..], |held| held.0);
                before.insert(at, (slot, there, since, Rope::of(held)));
                at
            });
            let held = &mut before[at];
            (held.1, held.2) = (there, since);
            if pieces {
                held.3.apply(value)?;
            } else {
                held.3 = Rope::of(value);
            }
        }
        // What goes makes room first.
        before.sort_by_key(|held| held.1);
        for (slot, there, since, rope) in before {
            let value = rope.value()?;
            self.replace(slot, Held { there, since, value });
        }
        Ok(())
    }
}

impl State for Entity {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.existence);
        out.extend_from_slice(self.block.as_ref().map_or(&[], |block| &block.slice));
    }

    fn decode(bytes: &[u8]) -> Result<Self> {
        let mut cursor = Cursor::new(bytes);
        let existence = cursor.varint()?;
        let block = &bytes[cursor.position()..];
        if block.is_empty() {
            return Ok(Entity { existence, block: None });
        }
        let mut count = || cursor.array().map(|count| usize::from(u16::from_le_bytes(count)));
        let (labels, properties) = (count()?, count()?);
        cursor.take(labels * LABEL_BYTES + properties * PROPERTY_BYTES)?;
        let (parts, values) = (Parts::of(block), cursor.position());
        for entry in parts.properties {
            valid::check(&mut cursor)?;
            if cursor.position() - values != end_of(entry) {
                return Err(cursor.malformed("a value of another length"));
            }
        }
        let sorted = parts.labels.is_sorted_by(|a, b| name_of(a) < name_of(b))
            && parts.properties.is_sorted_by(|a, b| name_of(a) < name_of(b));
        if !sorted || !cursor.is_empty() || labels + properties == 0 {
            return Err(cursor.malformed("an entity that is not in canonical order"));
        }
        Ok(Entity { existence, block: Some(ThinArc::from_header_and_slice((), block)) })
    }

    fn undo<'d>(&mut self, deltas: impl Iterator<Item = &'d [u8]>) -> Result<()> {
        self.revert(deltas.flat_map(undos))
    }

    fn back_to(&self, older: &Entity) -> Vec<u8> {
        let mut out = Vec::new();
        put_delta(self, older, &mut out);
        out
    }

    fn size(&self) -> usize {
        let parts = self.parts();
        8 + parts.labels.len() * 6 + parts.properties.len() * 8 + parts.values.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use karyon_model::Value;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn slots() -> impl Strategy<Value = (Slot, bool, usize)> {
        let slot = prop_oneof![
            Just(Slot::Existence),
            (0u32..4).prop_map(Slot::Label),
            (0u32..6).prop_map(Slot::Property),
        ];
        (slot, any::<bool>(), 0usize..40)
    }

    proptest! {
        #[test]
        fn a_block_holds_what_a_map_holds(changes in proptest::collection::vec(slots(), 0..60), share: bool) {
            let (mut entity, mut model) = (Entity::default(), BTreeMap::new());
            for (seq, (slot, there, length)) in (1..).zip(changes) {
                let text = Value::text("x".repeat(length)).to_bytes();
                let value: &[u8] = if there && matches!(slot, Slot::Property(_)) { &text } else { &[] };
                let (since, shared) = (seq << 40 | seq, share.then(|| entity.clone()));
                let before = shared.as_ref().map(|shared| format!("{shared:?}"));
                entity.replace(slot, Held { there, since, value: value.into() });
                if there { model.insert(slot, (since, value.to_vec())) } else { model.remove(&slot) };
                prop_assert_eq!(shared.map(|shared| format!("{shared:?}")), before, "whoever shares it sees no change");
                let slots: Vec<_> = entity.slots().collect();
                prop_assert_eq!(&slots, &model.keys().copied().collect::<Vec<_>>());
                for (slot, (since, value)) in &model {
                    prop_assert_eq!(entity.slot(*slot), Some((&value[..], *since)));
                }
                let mut bytes = Vec::new();
                entity.encode(&mut bytes);
                prop_assert_eq!(&Entity::decode(&bytes).unwrap(), &entity);
                for end in 0..bytes.len() {
                    // What is whole without the rest is an entity without labels and properties.
                    prop_assert!(Entity::decode(&bytes[..end]).is_ok_and(|cut| cut.slots().count() < 2) || Entity::decode(&bytes[..end]).is_err());
                }
            }
        }

        #[test]
        fn random_bytes_are_no_entity_or_a_whole_one(bytes: Vec<u8>, labels in 0u8..3, properties in 0u8..3) {
            let bytes = [&[1, labels, 0, properties, 0][..], &bytes].concat();
            if let Ok(entity) = Entity::decode(&bytes) {
                let mut again = Vec::new();
                entity.encode(&mut again);
                prop_assert_eq!(&again, &bytes);
                prop_assert!(entity.slots().all(|slot| entity.slot(slot).is_some() || slot == Slot::Existence));
            }
        }
    }

    #[test]
    fn an_edge_without_properties_takes_no_allocation() {
        let mut entity = Entity::default();
        entity.replace(Slot::Existence, Held { there: true, since: 7, value: Encoded::new() });
        assert!(entity.block.is_none() && entity.is_alive() && entity.since() == 7);
        assert_eq!(size_of::<Entity>(), 16);
    }
}
