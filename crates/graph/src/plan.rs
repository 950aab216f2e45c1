//! What a verb means: the changes it makes to what it finds. One text for commits and for a transaction's own reads.

use crate::entity::{Entity, Property};
use crate::gate::Labels;
use crate::names::Names;
use karyon_model::valid::{HOLDS, TRUE, is_temporal, portion};
use karyon_model::value::{self, Sequence};
use karyon_model::{
    Change, Code, EdgeKey, EntityId, Error, Interval, NameId, Operation, Result, Target, Verb,
    check_property_count, ensure, unless,
};
use smallvec::SmallVec;

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
    /// Changes a node or edge, each operation another slot of it.
    fn apply(&mut self, entity: EntityId, operations: &[Operation<'_>]) -> Result<()>;
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
        Verb::Put { key, labels, changes } => write_node(surface, key, labels, None, changes, valid),
        Verb::Within { valid, ends, verb } => {
            perform_in(surface, verb, *valid)?;
            let Some(end) = valid.to.filter(|_| *ends) else { return Ok(()) };
            let rest = Interval { from: Some(end), to: None };
            unsetting(verb).iter().try_for_each(|verb| perform_in(surface, verb, rest))
        }
        Verb::Patch { target: Target::Node(key), labels, drop, changes } => {
            write_node(surface, key, labels, Some(drop), changes, valid)
        }
        Verb::Patch { target: target @ Target::Edge(_), labels, drop, changes } => {
            let message = "edges have a type, not labels; link another type";
            ensure(labels.is_empty() && drop.is_empty(), Code::Argument, message)?;
            let entity = existing(surface, target)?;
            let changes = named(surface, changes)?;
            change(surface, entity, Operations::new(), &changes, valid)
        }
        Verb::Remove { key, detach } => remove(surface, key, *detach),
        Verb::Link { edge, changes } => {
            for end in [edge.from, edge.to] {
                existing(surface, &Target::Node(end))?;
            }
            let entity = surface.edge(edge)?;
            let held = surface.state(entity).is_alive();
            if !held {
                surface.apply(entity, &[Operation::Create { entity }])?;
            }
            hold(surface, entity, held, valid, TRUE)?;
            let changes = named(surface, changes)?;
            change(surface, entity, Operations::new(), &changes, valid)
        }
        Verb::Unlink { edge } => match surface.find(&Target::Edge(*edge))? {
            Some(entity) => hold(surface, entity, true, valid, &[]),
            None => Ok(()),
        },
        Verb::Increment { target, name, by } => {
            let (entity, name) = (existing(surface, target)?, surface.name(name)?);
            // Whether it is a number: what it makes twice may be out of range.
            unless(Code::IntegerRange, value::add(by, by))?;
            match steady(surface.state(entity), name)? {
                Some(property) if value::add(property.value, by)? == property.value => Ok(()),
                Some(_) => surface.apply(entity, &[Operation::Increment { entity, name, by }]),
                None => surface.apply(entity, &[set(entity, name, by)]),
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
        return surface.apply(entity, &[Operation::Remove { entity }]);
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
        return surface.apply(entity, &[Operation::Remove { entity }]);
    }
    let always = after == TRUE;
    if !always && own.is_none() && held {
        surface.apply(entity, &[set(entity, name, TRUE)])?;
    }
    let (holds, valid) = if always { (&[][..], Interval::ALWAYS) } else { (holds, valid) };
    let holds = Some(holds).filter(|holds| !holds.is_empty());
    change(surface, entity, Operations::new(), &[(name, holds)], valid)
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

/// A verb's operations on one node or edge.
pub(crate) type Operations<'a> = SmallVec<[Operation<'a>; 8]>;

/// A change of one property, by the number of its name.
type Numbered<'a> = (NameId, Option<&'a [u8]>);

fn numbers<S: Surface>(surface: &mut S, names: &[&str]) -> Result<Labels> {
    names.iter().map(|name| surface.name(name)).collect()
}

/// Replaces a node, or merges into it where it is said which labels it loses; its properties only in the interval.
fn write_node<S: Surface>(
    surface: &mut S,
    key: &str,
    labels: &[&str],
    drop: Option<&[&str]>,
    changes: &[Change<'_>],
    valid: Interval,
) -> Result<()> {
    let node = surface.node(key)?;
    let entity = EntityId::Node(node);
    let drop = drop.map(|names| numbers(surface, names)).transpose()?;
    let labels = numbers(surface, labels)?;
    let changes = named(surface, changes)?;
    let (state, mut operations) = (surface.state(entity), Operations::new());
    if !state.is_alive() {
        operations.push(Operation::Create { entity });
    }
    let goes = |name: &NameId| !labels.contains(name) && drop.as_ref().is_none_or(|drop| drop.contains(name));
    operations.extend(state.labels().filter(goes).map(|name| Operation::Unlabel { node, name }));
    for (at, name) in labels.iter().enumerate() {
        if state.label(*name).is_none() && !labels[..at].contains(name) {
            operations.push(Operation::Label { node, name: *name });
        }
    }
    if drop.is_none() {
        for Property { name, .. } in state.properties() {
            if changes.binary_search_by_key(&name, |change| change.0).is_err() {
                write(&mut operations, state, (entity, name), None, valid)?;
            }
        }
    }
    change(surface, entity, operations, &changes, valid)
}

/// Changes by number of the name, ascending; of several of one property the last.
fn named<'a, S: Surface>(surface: &mut S, changes: &[Change<'a>]) -> Result<SmallVec<[Numbered<'a>; 8]>> {
    check_property_count(changes.len())?;
    let mut named: SmallVec<[_; 8]> = SmallVec::with_capacity(changes.len());
    for (name, value) in changes {
        named.push((surface.name(name)?, *value));
    }
    named.reverse();
    named.sort_by_key(|change: &Numbered<'_>| change.0);
    named.dedup_by_key(|change| change.0);
    Ok(named)
}

/// Carries out operations, and sets and unsets properties in an interval.
fn change<'a, S: Surface>(
    surface: &mut S,
    entity: EntityId,
    mut operations: Operations<'a>,
    changes: &[Numbered<'a>],
    valid: Interval,
) -> Result<()> {
    let state = surface.state(entity);
    for (name, value) in changes {
        write(&mut operations, state, (entity, *name), *value, valid)?;
    }
    surface.apply(entity, &operations)
}

/// Sets or unsets a property in an interval. What already has the value is left alone, so that its author stays.
fn write<'a>(
    operations: &mut Operations<'a>,
    state: &Entity,
    (entity, name): (EntityId, NameId),
    value: Option<&'a [u8]>,
    valid: Interval,
) -> Result<()> {
    let before = state.property(name).map_or(&[][..], |property| property.value);
    let after = value.unwrap_or_default();
    let same =
        if valid == Interval::ALWAYS { after == before } else { portion(before, valid, after)? == before };
    if !same {
        let unset = Operation::Unset { entity, name, valid };
        operations.push(value.map_or(unset, |value| Operation::Set { entity, name, valid, value }));
    }
    Ok(())
}

fn remove<S: Surface>(surface: &mut S, key: &str, detach: bool) -> Result<()> {
    let Some(entity) = surface.find(&Target::Node(key))? else { return Ok(()) };
    let edges = surface.incident(key)?;
    if !edges.is_empty() && !detach {
        let message =
            format!("{key:?} has {} edges; unlink them or remove it with {{ detach: true }}", edges.len());
        return Err(Error::new(Code::HasEdges, message).with("key", key).with("edges", edges.len()));
    }
    let mut gone = edges.into_iter().chain([entity]);
    gone.try_for_each(|entity| surface.apply(entity, &[Operation::Remove { entity }]))
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
    change(surface, entity, Operations::new(), &[(name, Some(&value))], Interval::ALWAYS)
}
