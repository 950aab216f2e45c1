//! What a verb means: the changes it makes to what it finds. One text for commits and for a transaction's own reads.

use crate::entity::{Effect, Entity};
use crate::gate::Labels;
use crate::names::Names;
use karyon_model::limits::PROPERTIES_MAX;
use karyon_model::value::{self, Sequence};
use karyon_model::{Change, Code, EdgeKey, Error, NameId, Result, Target, Verb, property_count_error};

/// Values shorter than this are set whole: a splice would save nothing.
const SPLICE_BYTES_MIN: usize = 64;

/// What verbs work on: the head, or a transaction's private copy of what it has touched.
pub(crate) trait Surface {
    /// A node or edge of this surface.
    type Handle: Copy;
    /// The dictionary.
    fn names(&self) -> &Names;
    /// A node's labels before the commit or in the snapshot, and now; `None` where it does not exist. Of an edge its type.
    fn sides(&self, target: &Target<'_>) -> Result<[Option<Labels>; 2]>;
    /// A name's number.
    fn name(&mut self, text: &str) -> Result<NameId>;
    /// A node or edge that exists.
    fn find(&mut self, target: &Target<'_>) -> Result<Option<Self::Handle>>;
    /// A node or edge, existing or not.
    fn claim(&mut self, target: &Target<'_>) -> Result<Self::Handle>;
    /// Its present state.
    fn state(&self, handle: Self::Handle) -> &Entity;
    /// Makes one change.
    fn apply(&mut self, handle: Self::Handle, effect: Effect<'_>) -> Result<()>;
    /// The existing edges of a node, both directions; a self-loop once.
    fn incident(&mut self, key: &str) -> Result<Vec<Self::Handle>>;
}

/// What a verb is about.
pub(crate) fn target<'a>(verb: &Verb<'a>) -> Target<'a> {
    match *verb {
        Verb::Put { key, .. } | Verb::Remove { key, .. } => Target::Node(key),
        Verb::Link { edge, .. } | Verb::Unlink { edge } => Target::Edge(edge),
        Verb::Patch { target, .. }
        | Verb::Increment { target, .. }
        | Verb::Splice { target, .. }
        | Verb::Append { target, .. } => target,
    }
}

/// Carries out one verb.
pub(crate) fn perform<S: Surface>(surface: &mut S, verb: &Verb<'_>) -> Result<()> {
    match verb {
        Verb::Put { key, labels, changes } => put(surface, key, labels, changes),
        Verb::Patch { target: target @ Target::Node(_), labels, drop, changes } => {
            let handle = surface.claim(target)?;
            create(surface, handle)?;
            relabel(surface, handle, labels, drop)?;
            change(surface, handle, changes)
        }
        Verb::Patch { target: target @ Target::Edge(_), labels, drop, changes } => {
            if !labels.is_empty() || !drop.is_empty() {
                return Err(Error::new(Code::Argument, "edges have a type, not labels; link another type"));
            }
            let handle = existing(surface, target)?;
            change(surface, handle, changes)
        }
        Verb::Remove { key, detach } => remove(surface, key, *detach),
        Verb::Link { edge, changes } => {
            for end in [edge.from, edge.to] {
                existing(surface, &Target::Node(end))?;
            }
            let handle = surface.claim(&Target::Edge(*edge))?;
            create(surface, handle)?;
            change(surface, handle, changes)
        }
        Verb::Unlink { edge } => match surface.find(&Target::Edge(*edge))? {
            Some(handle) => surface.apply(handle, Effect::Remove),
            None => Ok(()),
        },
        Verb::Increment { target, name, by } => {
            let handle = existing(surface, target)?;
            let name = surface.name(name)?;
            value::add(by, by).map(drop).or_else(|error| match error.code() {
                Code::IntegerRange => Ok(()),
                _ => Err(error),
            })?;
            match surface.state(handle).property(name) {
                Some(property) if value::add(&property.value, by)? == property.value[..] => Ok(()),
                Some(_) => surface.apply(handle, Effect::Increment(name, by)),
                None => surface.apply(handle, Effect::Set(name, by)),
            }
        }
        Verb::Splice { target, name, start, delete, insert } => {
            let handle = existing(surface, target)?;
            let name = surface.name(name)?;
            splice(surface, handle, name, (*start, *delete), insert)
        }
        Verb::Append { target, name, more } => {
            let handle = existing(surface, target)?;
            let name = surface.name(name)?;
            Sequence::of(more)?;
            if surface.state(handle).property(name).is_none() {
                return surface.apply(handle, Effect::Set(name, more));
            }
            splice(surface, handle, name, (u64::MAX, 0), more)
        }
    }
}

fn existing<S: Surface>(surface: &mut S, target: &Target<'_>) -> Result<S::Handle> {
    if let Some(handle) = surface.find(target)? {
        return Ok(handle);
    }
    Err(match target {
        Target::Node(key) => {
            Error::new(Code::NodeMissing, format!("there is no node {key:?}; put it first")).with("key", key)
        }
        Target::Edge(EdgeKey { from, kind, to, key }) => {
            let message =
                format!("there is no edge {from:?} -{kind}-> {to:?} with key {key:?}; link it first");
            Error::new(Code::EdgeMissing, message).with("from", from).with("type", kind).with("to", to)
        }
    })
}

fn create<S: Surface>(surface: &mut S, handle: S::Handle) -> Result<()> {
    if surface.state(handle).is_alive() { Ok(()) } else { surface.apply(handle, Effect::Create) }
}

fn put<S: Surface>(surface: &mut S, key: &str, labels: &[&str], changes: &[Change<'_>]) -> Result<()> {
    let handle = surface.claim(&Target::Node(key))?;
    create(surface, handle)?;
    let labels = labels.iter().map(|label| surface.name(label)).collect::<Result<Vec<_>>>()?;
    let names = changes.iter().map(|change| surface.name(change.0)).collect::<Result<Vec<_>>>()?;
    let state = surface.state(handle);
    let gone_labels: Vec<_> = state.labels().filter(|label| !labels.contains(label)).collect();
    let gone: Vec<_> = state
        .properties()
        .iter()
        .map(|property| property.name)
        .filter(|name| !names.contains(name))
        .collect();
    for label in gone_labels {
        surface.apply(handle, Effect::Unlabel(label))?;
    }
    for name in gone {
        surface.apply(handle, Effect::Unset(name))?;
    }
    for label in labels {
        label_once(surface, handle, label)?;
    }
    change(surface, handle, changes)
}

fn relabel<S: Surface>(surface: &mut S, handle: S::Handle, add: &[&str], drop: &[&str]) -> Result<()> {
    for label in drop {
        let label = surface.name(label)?;
        if surface.state(handle).label(label).is_some() {
            surface.apply(handle, Effect::Unlabel(label))?;
        }
    }
    for label in add {
        let label = surface.name(label)?;
        label_once(surface, handle, label)?;
    }
    Ok(())
}

fn label_once<S: Surface>(surface: &mut S, handle: S::Handle, label: NameId) -> Result<()> {
    match surface.state(handle).label(label) {
        Some(_) => Ok(()),
        None => surface.apply(handle, Effect::Label(label)),
    }
}

/// Sets and unsets properties. What already has the value is left alone, so that its author stays.
fn change<S: Surface>(surface: &mut S, handle: S::Handle, changes: &[Change<'_>]) -> Result<()> {
    if changes.len() > PROPERTIES_MAX {
        return Err(property_count_error(changes.len()));
    }
    for (name, value) in changes {
        let name = surface.name(name)?;
        let before = surface.state(handle).property(name).map(|property| &property.value[..]);
        let effect = match (before, *value) {
            (None, None) => continue,
            (Some(_), None) => Effect::Unset(name),
            (Some(before), Some(value)) if before == value => continue,
            (Some(before), Some(value)) => {
                as_splice(name, before, value)?.unwrap_or(Effect::Set(name, value))
            }
            (None, Some(value)) => Effect::Set(name, value),
        };
        surface.apply(handle, effect)?;
    }
    Ok(())
}

fn remove<S: Surface>(surface: &mut S, key: &str, detach: bool) -> Result<()> {
    let Some(handle) = surface.find(&Target::Node(key))? else { return Ok(()) };
    let edges = surface.incident(key)?;
    if !edges.is_empty() && !detach {
        let message =
            format!("{key:?} has {} edges; unlink them or remove it with {{ detach: true }}", edges.len());
        return Err(Error::new(Code::HasEdges, message).with("key", key).with("edges", edges.len()));
    }
    for edge in edges {
        surface.apply(edge, Effect::Remove)?;
    }
    surface.apply(handle, Effect::Remove)
}

/// Replaces `delete` units from `start` on; a start beyond the largest position means the end.
fn splice<S: Surface>(
    surface: &mut S,
    handle: S::Handle,
    name: NameId,
    (start, delete): (u64, u64),
    insert: &[u8],
) -> Result<()> {
    let inserted = Sequence::of(insert)?;
    let outside =
        || Error::new(Code::SpliceRange, "the splice lies outside of the value or cuts a character in two");
    let Some(property) = surface.state(handle).property(name) else { return Err(outside()) };
    let current = Sequence::of(&property.value)?;
    if !current.same_kind(&inserted) {
        let message =
            "what is inserted has another type than the value; pass a string, bytes or a list alike";
        return Err(Error::new(Code::ValueType, message));
    }
    let (at, removed) = if start == u64::MAX {
        (current.payload().len(), 0)
    } else {
        let units = current.units() as u64;
        let end = start.saturating_add(delete).min(units);
        let offset = |units: u64| usize::try_from(units).ok().and_then(|units| current.offset(units));
        let at = offset(start).ok_or_else(outside)?;
        (at, offset(end.max(start)).ok_or_else(outside)? - at)
    };
    let (items, inserted) = (inserted.items(), inserted.payload());
    if current.payload()[at..at + removed] == *inserted {
        return Ok(());
    }
    surface.apply(handle, Effect::Splice { name, at, removed, items, inserted })
}

/// A set of a long string, bytes or list as the splice that makes the same value, when that is shorter.
fn as_splice<'a>(name: NameId, before: &[u8], after: &'a [u8]) -> Result<Option<Effect<'a>>> {
    if before.len() < SPLICE_BYTES_MIN || after.len() < SPLICE_BYTES_MIN {
        return Ok(None);
    }
    let (Ok(old), Ok(new)) = (Sequence::of(before), Sequence::of(after)) else { return Ok(None) };
    if !old.same_kind(&new) {
        return Ok(None);
    }
    let (from, to) = (old.payload(), new.payload());
    let shared = from.len().min(to.len());
    let mut prefix = from.iter().zip(to).take_while(|(a, b)| a == b).count();
    let mut suffix =
        from.iter().rev().zip(to.iter().rev()).take(shared - prefix).take_while(|(a, b)| a == b).count();
    let mut items = 0;
    match (old, new) {
        (Sequence::String(old), Sequence::String(new)) => {
            while !(old.is_char_boundary(prefix) && new.is_char_boundary(prefix)) {
                prefix -= 1;
            }
            let whole =
                |suffix| old.is_char_boundary(from.len() - suffix) && new.is_char_boundary(to.len() - suffix);
            while !whole(suffix) {
                suffix -= 1;
            }
        }
        (Sequence::List(..), Sequence::List(count, _)) => {
            // Items cannot be told apart from the back, so only the common beginning is kept.
            let mut cursor = karyon_model::bytes::Cursor::new(to);
            let (mut kept, mut kept_items) = (0, 0);
            while !cursor.is_empty() {
                value::check(&mut cursor)?;
                if cursor.position() > prefix {
                    break;
                }
                (kept, kept_items) = (cursor.position(), kept_items + 1);
            }
            (prefix, suffix, items) = (kept, 0, count - kept_items);
        }
        _ => {}
    }
    let inserted = &to[prefix..to.len() - suffix];
    if inserted.len() + SPLICE_BYTES_MIN / 2 > to.len() {
        return Ok(None);
    }
    Ok(Some(Effect::Splice { name, at: prefix, removed: from.len() - prefix - suffix, items, inserted }))
}
