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
//! | 5 | property | name, since, what it held (`model/src/valid.rs`) |
//! | 6 | property | name, since, length, the value as pieces of the one since (`pieces.rs`) |

use crate::pieces::{Rope, difference};
use crate::versioned::State;
use karyon_model::limits::LABELS_MAX;
use karyon_model::valid::{self, is_temporal};
use karyon_model::value;
use karyon_model::{
    Code, Cursor, Interval, NameId, Operation, Result, Seq, bounded, check_property_count, put_bytes,
    put_varint, require,
};
use smallvec::SmallVec;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use triomphe::ThinArc;

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

/// A slot, since which commit, and what it holds: existence and labels no bytes; nothing where it is not there.
type Held<'a> = (Slot, Seq, Option<&'a [u8]>);

/// What a slot shall hold, likewise.
type Edit<'a> = (Slot, Option<Cow<'a, [u8]>>);

/// What a slot was before a commit: a value, or pieces of the one that it has since.
pub(crate) struct Undo<'d> {
    pub(crate) slot: Slot,
    there: bool,
    since: Seq,
    value: &'d [u8],
    pieces: bool,
}

/// Where two tables, ascending by name, do not have the same entry: the place in either.
fn differences<const N: usize>(
    now: &[[u8; N]],
    older: &[[u8; N]],
) -> impl Iterator<Item = (Option<usize>, Option<usize>)> {
    let (mut at, mut older_at) = (0, 0);
    std::iter::from_fn(move || {
        while let (Some(now), Some(older)) = (now.get(at), older.get(older_at))
            && now[..LABEL_BYTES] == older[..LABEL_BYTES]
        {
            (at, older_at) = (at + 1, older_at + 1);
        }
        let order = match (now.get(at), older.get(older_at)) {
            (Some(now), Some(older)) => name_of(now).cmp(&name_of(older)),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return None,
        };
        let pair = (order.is_le().then_some(at), order.is_ge().then_some(older_at));
        at += usize::from(order.is_le());
        older_at += usize::from(order.is_ge());
        Some(pair)
    })
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
    let (now, older) = (now.parts(), older.parts());
    for pair in differences(now.labels, older.labels) {
        match pair {
            (_, Some(at)) => put(out, 3, name_of(&older.labels[at]), Some(since_of(&older.labels[at]))),
            (at, None) => put(out, 2, name_of(&now.labels[at.unwrap_or(0)]), None),
        }
    }
    for (at, older_at) in differences(now.properties, older.properties) {
        let now = at.map(|at| now.get(at));
        let Some(Property { name, since, value }) = older_at.map(|at| older.get(at)) else {
            now.inspect(|now| put(out, 4, now.name, None));
            continue;
        };
        let pieces = now.and_then(|now| difference(now.value, value));
        put(out, if pieces.is_some() { 6 } else { 5 }, name, Some(since));
        match pieces {
            Some(pieces) => put_bytes(out, &pieces),
            None => out.extend_from_slice(value),
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
        5 => valid::check(cursor)?,
        6 => cursor.bytes()?,
        _ => &[],
    };
    Ok(Undo { slot, there, since, value, pieces: tag == 6 })
}

/// Whether both exist or neither, with the same labels and properties, whoever made them so.
pub(crate) fn same(a: &Entity, b: &Entity) -> bool {
    fn pair(property: Property<'_>) -> (NameId, &[u8]) {
        (property.name, property.value)
    }
    a.is_alive() == b.is_alive()
        && a.labels().eq(b.labels())
        && a.properties().map(pair).eq(b.properties().map(pair))
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

    /// What it holds at an instant of valid time; `None` when the property that says when an edge holds has nothing then.
    pub(crate) fn valid_at(&self, instant: i64, holds: Option<NameId>) -> Option<Entity> {
        let mut edits: SmallVec<[Held<'_>; 8]> = SmallVec::new();
        for Property { name, since, value: held } in self.properties() {
            let value = valid::at(held, instant);
            if value.is_empty() && Some(name) == holds {
                return None;
            }
            let value = Some(value).filter(|value| !value.is_empty() && Some(name) != holds);
            edits.push((Slot::Property(name), since, value));
        }
        Some(self.edited(edits.into_iter()))
    }

    /// Whether a property holds different values at different instants.
    pub fn is_temporal(&self) -> bool {
        self.properties().any(|property| is_temporal(property.value))
    }

    /// What a property holds once it is written in an interval; nothing where that is no bytes.
    fn portion<'v>(&self, name: NameId, valid: Interval, value: &'v [u8]) -> Result<Edit<'v>> {
        let before = || self.property(name).map_or(&[][..], |property| property.value);
        let always = valid == Interval::ALWAYS;
        let held = if always { value.into() } else { valid::portion(before(), valid, value)?.into() };
        Ok((Slot::Property(name), Some(held).filter(|held: &Cow<'_, _>| !held.is_empty())))
    }

    /// It once operations are carried out on it at commit `seq`, each of another slot; one that removes it stands alone.
    ///
    /// Cost: one copy of the block, however many there are.
    pub(crate) fn apply(&self, operations: &[Operation<'_>], seq: Seq) -> Result<Entity> {
        let mut edits: SmallVec<[Edit<'_>; 8]> = SmallVec::new();
        for operation in operations {
            edits.push(match *operation {
                Operation::Create { .. } => (Slot::Existence, Some(Cow::default())),
                Operation::Remove { .. } => return Ok(Entity { existence: seq << 1, block: None }),
                Operation::Label { name, .. } if self.label(name).is_some() => continue,
                Operation::Label { name, .. } => (Slot::Label(name), Some(Cow::default())),
                Operation::Unlabel { name, .. } => (Slot::Label(name), None),
                Operation::Set { name, valid, value, .. } => self.portion(name, valid, value)?,
                Operation::Unset { name, valid, .. } => self.portion(name, valid, &[])?,
                Operation::Increment { name, by, .. } => {
                    let current = self.property(name).map(|property| value::add(property.value, by));
                    let value = current.transpose()?.map_or(by.into(), Cow::from);
                    (Slot::Property(name), Some(value))
                }
                Operation::Pieces { name, pieces, .. } => {
                    let mut rope = Rope::of(self.property(name).map_or(&[], |property| property.value));
                    rope.apply(pieces)?;
                    (Slot::Property(name), Some(rope.value()?.into_vec().into()))
                }
                // Definitions, and what is about the graph as a whole.
                _ => continue,
            });
        }
        edits.sort_unstable_by_key(|edit| edit.0);
        let after = self.edited(edits.iter().map(|(slot, value)| (*slot, seq, value.as_deref())));
        // Where a value ends is a number of 32 bits. What is there in the end counts, or a replay could refuse what was committed.
        let bytes = after.parts().values.len();
        require(bytes <= u32::MAX as usize, || value::size_error(bytes))?;
        bounded(after.labels().len() <= LABELS_MAX, Code::PropertyCount, LABELS_MAX, || {
            format!("a node would have more than {LABELS_MAX} labels; use properties")
        })?;
        check_property_count(after.properties().len())?;
        Ok(after)
    }

    /// It with slots, ascending, that hold something else, or nothing. Cost: one copy of the block.
    fn edited<'e>(&self, edits: impl Iterator<Item = Held<'e>>) -> Entity {
        let (parts, mut edits) = (self.parts(), edits.peekable());
        let existence = edits.next_if(|edit| edit.0 == Slot::Existence);
        let existence = existence.map_or(self.existence, |it| it.1 << 1 | u64::from(it.2.is_some()));
        let before = self.block.as_ref().map_or(0, |block| block.slice.len());
        let (mut block, mut values) =
            (Vec::with_capacity(2 * before + 256), Vec::with_capacity(before + 128));
        block.extend_from_slice(&[0; COUNTS_BYTES]);
        let mut at = 0;
        while let Some(Slot::Label(name)) = edits.peek().map(|edit| edit.0)
            && let Some((_, since, there)) = edits.next()
        {
            let place = at + parts.labels[at..].partition_point(|label| name_of(label) < name);
            block.extend_from_slice(parts.labels[at..place].as_flattened());
            block.extend_from_slice(&entry(name, since, 0)[..usize::from(there.is_some()) * LABEL_BYTES]);
            at = place + usize::from(parts.labels.get(place).is_some_and(|label| name_of(label) == name));
        }
        block.extend_from_slice(parts.labels[at..].as_flattened());
        let labels = (block.len() - COUNTS_BYTES) / LABEL_BYTES;
        // What stays is copied, with other ends.
        let keep = |block: &mut Vec<u8>, values: &mut Vec<u8>, from: usize, to: usize| {
            let (begin, end) = (parts.begin(from), parts.begin(to));
            for property in &parts.properties[from..to] {
                block.extend_from_slice(&property[..LABEL_BYTES]);
                block.extend_from_slice(&((end_of(property) - begin + values.len()) as u32).to_le_bytes());
            }
            values.extend_from_slice(&parts.values[begin..end]);
        };
        at = 0;
        for (slot, since, value) in edits {
            let Slot::Property(name) = slot else { continue };
            let place = at + parts.properties[at..].partition_point(|property| name_of(property) < name);
            keep(&mut block, &mut values, at, place);
            if let Some(value) = value {
                values.extend_from_slice(value);
                block.extend_from_slice(&entry(name, since, values.len()));
            }
            at = place + usize::from(parts.properties.get(place).is_some_and(|it| name_of(it) == name));
        }
        keep(&mut block, &mut values, at, parts.properties.len());
        let properties = (block.len() - COUNTS_BYTES - labels * LABEL_BYTES) / PROPERTY_BYTES;
        block[..2].copy_from_slice(&(labels as u16).to_le_bytes());
        block[2..COUNTS_BYTES].copy_from_slice(&(properties as u16).to_le_bytes());
        block.extend_from_slice(&values);
        let some = labels + properties > 0;
        Entity { existence, block: some.then(|| ThinArc::from_header_and_slice((), &block)) }
    }

    /// It with slots taken back to what they were before changes, which come newest first.
    ///
    /// Cost: what the changes say, one copy of each slot's value and one of the block, however many changes there are.
    pub(crate) fn reverted<'d>(&self, undos: impl Iterator<Item = Result<Undo<'d>>>) -> Result<Entity> {
        let mut before: BTreeMap<Slot, (Seq, bool, Rope<'_>)> = BTreeMap::new();
        for undo in undos {
            let Undo { slot, there, since, value, pieces } = undo?;
            let own = || (since, there, Rope::of(self.slot(slot).map_or(&[], |held| held.0)));
            let held = before.entry(slot).or_insert_with(own);
            (held.0, held.1) = (since, there);
            if pieces {
                held.2.apply(value)?;
            } else {
                held.2 = Rope::of(value);
            }
        }
        if before.is_empty() {
            return Ok(self.clone());
        }
        let values = before.values().map(|held| held.2.value()).collect::<Result<Vec<_>>>()?;
        let edits = before.iter().zip(&values);
        Ok(self.edited(edits.map(|((slot, held), value)| (*slot, held.0, held.1.then_some(&value[..])))))
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
            cursor.expect(cursor.position() - values == end_of(entry), "a value of another length")?;
        }
        let sorted = parts.labels.is_sorted_by(|a, b| name_of(a) < name_of(b))
            && parts.properties.is_sorted_by(|a, b| name_of(a) < name_of(b));
        let canonical = sorted && cursor.is_empty() && labels + properties > 0;
        cursor.expect(canonical, "an entity that is not in canonical order")?;
        Ok(Entity { existence, block: Some(ThinArc::from_header_and_slice((), block)) })
    }

    fn undo<'d>(&mut self, deltas: impl Iterator<Item = &'d [u8]>) -> Result<()> {
        *self = self.reverted(deltas.flat_map(undos))?;
        Ok(())
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
    use karyon_model::EntityId;
    use karyon_testkit::Value;
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
                entity = entity.edited([(slot, since, there.then_some(value))].into_iter());
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
        let entity = Entity::default().apply(&[Operation::Create { entity: EntityId::Edge(0) }], 7).unwrap();
        assert!(entity.block.is_none() && entity.is_alive() && entity.since() == 7);
        assert_eq!(size_of::<Entity>(), 16);
    }
}
