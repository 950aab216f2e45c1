//! What a verb means: the changes it makes to what it finds. One text for commits and for a transaction's own reads.

use crate::entity::{Entity, Property};
use crate::gate::Labels;
use crate::names::Names;
use crate::pieces::difference;
use karyon_model::limits::PROPERTIES_MAX;
use karyon_model::valid::{HOLDS, TRUE, is_temporal, portion};
use karyon_model::value::{self, Sequence};
use karyon_model::{
    Change, Code, EdgeKey, EntityId, Error, Interval, NameId, Operation, Result, Target, Verb,
    property_count_error,
};

/// What verbs work on: the head, or a transaction's private copy of what it has touched. It numbers nodes and edges as it likes.
pub(crate) trait Surface {
    /// The dictionary.
    fn names(&self) -> &Names;
    /// A node's labels before the commit or in the snapshot, and now; `None` where it does not exist. Of an edge its type.
    fn sides(&self, target: &Target<'_>) -> Result<[Option<Labels>; 2]>;
    /// A name's number.
    fn name(&mut self, text: &str) -> Result<NameId>;
    /// A node or edge that exists.
    fn find(&mut self, target: &Target<'_>) -> Result<Option<EntityId>>;
    /// A node, existing or not.
    fn node(&mut self, key: &str) -> Result<u32>;
    /// An edge, existing or not.
    fn edge(&mut self, edge: &EdgeKey<'_>) -> Result<EntityId>;
    /// Its present state.
    fn state(&self, id: EntityId) -> &Entity;
    /// Makes one change.
    fn apply(&mut self, operation: Operation<'_>) -> Result<()>;
    /// The existing edges of a node, both directions; a self-loop once.
    fn incident(&mut self, key: &str) -> Result<Vec<EntityId>>;
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
        Verb::Within { ref verb, .. } => target(verb),
    }
}

/// Carries out one verb.
pub(crate) fn perform<S: Surface>(surface: &mut S, verb: &Verb<'_>) -> Result<()> {
    perform_in(surface, verb, Interval::ALWAYS)
}

/// Carries out one verb, whose properties are written in an interval of valid time.
fn perform_in<S: Surface>(surface: &mut S, verb: &Verb<'_>, valid: Interval) -> Result<()> {
    match verb {
        Verb::Put { key, labels, changes } => put(surface, key, labels, changes, valid),
        Verb::Within { valid, ends, verb } => {
            perform_in(surface, verb, *valid)?;
            let Some(end) = valid.to.filter(|_| *ends) else { return Ok(()) };
            let rest = Interval { from: Some(end), to: None };
            unsetting(verb).iter().try_for_each(|verb| perform_in(surface, verb, rest))
        }
        Verb::Patch { target: Target::Node(key), labels, drop, changes } => {
            let node = surface.node(key)?;
            create(surface, EntityId::Node(node))?;
            for label in drop {
                let name = surface.name(label)?;
                if surface.state(EntityId::Node(node)).label(name).is_some() {
                    surface.apply(Operation::Unlabel { node, name })?;
                }
            }
            for label in labels {
                let name = surface.name(label)?;
                label_once(surface, node, name)?;
            }
            change(surface, EntityId::Node(node), changes, valid)
        }
        Verb::Patch { target: target @ Target::Edge(_), labels, drop, changes } => {
            if !labels.is_empty() || !drop.is_empty() {
                return Err(Error::new(Code::Argument, "edges have a type, not labels; link another type"));
            }
            let entity = existing(surface, target)?;
            change(surface, entity, changes, valid)
        }
        Verb::Remove { key, detach } => remove(surface, key, *detach),
        Verb::Link { edge, changes } => {
            for end in [edge.from, edge.to] {
                existing(surface, &Target::Node(end))?;
            }
            let entity = surface.edge(edge)?;
            let held = surface.state(entity).is_alive();
            if !held {
                surface.apply(Operation::Create { entity })?;
            }
            hold(surface, entity, held, valid, TRUE)?;
            change(surface, entity, changes, valid)
        }
        Verb::Unlink { edge } => match surface.find(&Target::Edge(*edge))? {
            Some(entity) => hold(surface, entity, true, valid, &[]),
            None => Ok(()),
        },
        Verb::Increment { target, name, by } => {
            let (entity, name) = (existing(surface, target)?, surface.name(name)?);
            value::add(by, by).map(drop).or_else(|error| match error.code() {
                Code::IntegerRange => Ok(()),
                _ => Err(error),
            })?;
            match steady(surface.state(entity), name)? {
                Some(property) if value::add(property.value, by)? == property.value => Ok(()),
                Some(_) => surface.apply(Operation::Increment { entity, name, by }),
                None => surface.apply(set(entity, name, by)),
            }
        }
        Verb::Splice { target, name, start, delete, insert } => {
            splice(surface, target, name, (*start, *delete), insert)
        }
        Verb::Append { target, name, more } => splice(surface, target, name, AT_THE_END, more),
    }
}

fn set(entity: EntityId, name: NameId, value: &[u8]) -> Operation<'_> {
    Operation::Set { entity, name, valid: Interval::ALWAYS, value }
}

/// What ends with what a verb has set: its properties, and the edge.
fn unsetting<'a>(verb: &Verb<'a>) -> Vec<Verb<'a>> {
    let unset = |changes: &[Change<'a>]| changes.iter().map(|change| (change.0, None)).collect();
    match verb {
        Verb::Put { key, labels, .. } => vec![Verb::Put { key, labels: labels.clone(), changes: vec![] }],
        Verb::Patch { target, changes, .. } => {
            let (target, changes) = (*target, unset(changes));
            vec![Verb::Patch { target, labels: vec![], drop: vec![], changes }]
        }
        Verb::Link { edge, changes } => {
            let (target, changes) = (Target::Edge(*edge), unset(changes));
            let patch = Verb::Patch { target, labels: vec![], drop: vec![], changes };
            vec![patch, Verb::Unlink { edge: *edge }]
        }
        _ => vec![],
    }
}

/// Has an edge hold in an interval, or not (no bytes). One that does not hold at any instant any more is removed.
fn hold<S: Surface>(
    surface: &mut S,
    entity: EntityId,
    held: bool,
    valid: Interval,
    holds: &[u8],
) -> Result<()> {
    if valid == Interval::ALWAYS && holds.is_empty() {
        return surface.apply(Operation::Remove { entity });
    }
    if valid == Interval::ALWAYS && !surface.state(entity).is_temporal() {
        return Ok(());
    }
    let name = surface.name(HOLDS)?;
    let own = surface.state(entity).property(name).map(|property| property.value);
    let before = own.unwrap_or(if held { TRUE } else { &[] });
    let after = portion(before, valid, holds)?;
    if after == before {
        return Ok(());
    }
    if after.is_empty() {
        return surface.apply(Operation::Remove { entity });
    }
    if after == TRUE {
        return write(surface, entity, name, None, Interval::ALWAYS);
    }
    if own.is_none() && held {
        surface.apply(set(entity, name, TRUE))?;
    }
    write(surface, entity, name, Some(holds).filter(|holds| !holds.is_empty()), valid)
}

/// A property for verbs that make a value of the one before: there is none where it depends on the instant.
fn steady(entity: &Entity, name: NameId) -> Result<Option<Property<'_>>> {
    match entity.property(name) {
        Some(property) if is_temporal(property.value) => {
            let message =
                "the property holds different values at different times; set it with patch and valid";
            Err(Error::new(Code::ValueType, message))
        }
        property => Ok(property),
    }
}

fn existing<S: Surface>(surface: &mut S, target: &Target<'_>) -> Result<EntityId> {
    if let Some(entity) = surface.find(target)? {
        return Ok(entity);
    }
    let what = describe(target);
    Err(match target {
        Target::Node(key) => {
            Error::new(Code::NodeMissing, format!("there is no {what}; put it first")).with("key", *key)
        }
        Target::Edge(EdgeKey { from, kind, to, .. }) => {
            let error = Error::new(Code::EdgeMissing, format!("there is no {what}; link it first"));
            error.with("from", *from).with("type", *kind).with("to", *to)
        }
    })
}

/// A node or edge in words.
pub(crate) fn describe(target: &Target<'_>) -> String {
    match target {
        Target::Node(key) => format!("node {key:?}"),
        Target::Edge(EdgeKey { from, kind, to, key }) => {
            format!("edge {from:?} -{kind}-> {to:?} with key {key:?}")
        }
    }
}

fn create<S: Surface>(surface: &mut S, entity: EntityId) -> Result<()> {
    if surface.state(entity).is_alive() { Ok(()) } else { surface.apply(Operation::Create { entity }) }
}

/// Replaces a node; its properties only in the interval.
fn put<S: Surface>(
    surface: &mut S,
    key: &str,
    labels: &[&str],
    changes: &[Change<'_>],
    valid: Interval,
) -> Result<()> {
    let node = surface.node(key)?;
    let entity = EntityId::Node(node);
    create(surface, entity)?;
    let labels = labels.iter().map(|label| surface.name(label)).collect::<Result<Vec<_>>>()?;
    let names = changes.iter().map(|change| surface.name(change.0)).collect::<Result<Vec<_>>>()?;
    let state = surface.state(entity);
    let gone_labels = state.labels().filter(|label| !labels.contains(label));
    let gone = state.properties().map(|property| property.name).filter(|name| !names.contains(name));
    let (gone_labels, gone): (Vec<_>, Vec<_>) = (gone_labels.collect(), gone.collect());
    gone_labels.into_iter().try_for_each(|name| surface.apply(Operation::Unlabel { node, name }))?;
    gone.into_iter().try_for_each(|name| write(surface, entity, name, None, valid))?;
    labels.into_iter().try_for_each(|label| label_once(surface, node, label))?;
    change(surface, entity, changes, valid)
}

fn label_once<S: Surface>(surface: &mut S, node: u32, name: NameId) -> Result<()> {
    match surface.state(EntityId::Node(node)).label(name) {
        Some(_) => Ok(()),
        None => surface.apply(Operation::Label { node, name }),
    }
}

fn change<S: Surface>(
    surface: &mut S,
    entity: EntityId,
    changes: &[Change<'_>],
    valid: Interval,
) -> Result<()> {
    if changes.len() > PROPERTIES_MAX {
        return Err(property_count_error(changes.len()));
    }
    for (name, value) in changes {
        let name = surface.name(name)?;
        write(surface, entity, name, *value, valid)?;
    }
    Ok(())
}

/// Sets or unsets a property in an interval. What already has the value is left alone, so that its author stays.
fn write<S: Surface>(
    surface: &mut S,
    entity: EntityId,
    name: NameId,
    value: Option<&[u8]>,
    valid: Interval,
) -> Result<()> {
    let before = surface.state(entity).property(name).map(|property| property.value);
    let operation = match (before, value) {
        _ if valid != Interval::ALWAYS => {
            let before = before.unwrap_or_default();
            if portion(before, valid, value.unwrap_or_default())? == before {
                return Ok(());
            }
            let unset = Operation::Unset { entity, name, valid };
            value.map_or(unset, |value| Operation::Set { entity, name, valid, value })
        }
        (before, value) if before == value => return Ok(()),
        (_, None) => Operation::Unset { entity, name, valid },
        (before, Some(value)) => match before.and_then(|before| difference(before, value)) {
            Some(pieces) => return surface.apply(Operation::Pieces { entity, name, pieces: &pieces }),
            None => set(entity, name, value),
        },
    };
    surface.apply(operation)
}

fn remove<S: Surface>(surface: &mut S, key: &str, detach: bool) -> Result<()> {
    let Some(entity) = surface.find(&Target::Node(key))? else { return Ok(()) };
    let edges = surface.incident(key)?;
    if !edges.is_empty() && !detach {
        let message =
            format!("{key:?} has {} edges; unlink them or remove it with {{ detach: true }}", edges.len());
        return Err(Error::new(Code::HasEdges, message).with("key", key).with("edges", edges.len()));
    }
    edges.into_iter().chain([entity]).try_for_each(|entity| surface.apply(Operation::Remove { entity }))
}

/// Where what is appended is spliced in.
const AT_THE_END: (u64, u64) = (u64::MAX, 0);

/// Replaces a number of units from a start on.
fn splice<S: Surface>(
    surface: &mut S,
    target: &Target<'_>,
    name: &str,
    range: (u64, u64),
    insert: &[u8],
) -> Result<()> {
    let (entity, name) = (existing(surface, target)?, surface.name(name)?);
    let inserted = Sequence::of(insert)?;
    let value = match steady(surface.state(entity), name)? {
        Some(before) => Sequence::of(before.value)?.spliced(range, &inserted)?,
        None if range == AT_THE_END => insert.to_vec(),
        None => return Err(value::splice_error()),
    };
    write(surface, entity, name, Some(&value), Interval::ALWAYS)
}
