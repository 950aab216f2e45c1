//! What a verb means: the changes it makes to what it finds. One text for commits and for a transaction's own reads.

use crate::gate::Labels;
use crate::{Entity, Names, Property};
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
    Performance { surface, valid: Interval::ALWAYS }.perform(verb)
}

/// A verb that is being carried out.
struct Performance<'s, S> {
    surface: &'s mut S,
    /// The interval of valid time in which its properties are written.
    valid: Interval,
}

impl<S: Surface> Performance<'_, S> {
    fn perform(&mut self, verb: &Verb<'_>) -> Result<()> {
        match verb {
            Verb::Put { key, labels, changes } => self.write_node(key, labels, None, changes),
            Verb::Within { valid, ends, verb } => {
                self.within(*valid).perform(verb)?;
                let Some(end) = valid.to.filter(|_| *ends) else { return Ok(()) };
                let rest = Interval { from: Some(end), to: None };
                unsetting(verb).iter().try_for_each(|verb| self.within(rest).perform(verb))
            }
            Verb::Patch { target: Target::Node(key), labels, drop, changes } => {
                self.write_node(key, labels, Some(drop), changes)
            }
            Verb::Patch { target: target @ Target::Edge(_), labels, drop, changes } => {
                let message = "edges have a type, not labels; link another type";
                ensure(labels.is_empty() && drop.is_empty(), Code::Argument, message)?;
                let entity = self.existing(target)?;
                let changes = self.named(changes)?;
                self.change(entity, &changes)
            }
            Verb::Remove { key, detach } => self.remove(key, *detach),
            Verb::Link { edge, changes } => {
                for end in [edge.from, edge.to] {
                    self.existing(&Target::Node(end))?;
                }
                let entity = self.surface.edge(edge)?;
                let held = self.surface.state(entity).is_alive();
                if !held {
                    self.surface.apply(entity, &[Operation::Create { entity }])?;
                }
                self.hold(entity, held, TRUE)?;
                let changes = self.named(changes)?;
                self.change(entity, &changes)
            }
            Verb::Unlink { edge } => match self.surface.find(&Target::Edge(*edge))? {
                Some(entity) => self.hold(entity, true, &[]),
                None => Ok(()),
            },
            Verb::Increment { target, name, by } => {
                let (entity, name) = (self.existing(target)?, self.surface.name(name)?);
                // Whether it is a number: what it makes twice may be out of range.
                unless(Code::IntegerRange, value::add(by, by))?;
                match steady(self.surface.state(entity), name)? {
                    Some(property) if value::add(property.value, by)? == property.value => Ok(()),
                    Some(_) => self.surface.apply(entity, &[Operation::Increment { entity, name, by }]),
                    None => self.surface.apply(entity, &[set(entity, name, by)]),
                }
            }
            Verb::Splice { target, name, start, delete, insert } => {
                self.splice(target, name, (*start, *delete), insert)
            }
            Verb::Append { target, name, more } => self.splice(target, name, AT_THE_END, more),
        }
    }

    /// The same in another interval.
    fn within(&mut self, valid: Interval) -> Performance<'_, S> {
        Performance { surface: self.surface, valid }
    }

    /// Has an edge hold in the interval, or not (no bytes). One that does not hold at any instant any more is removed.
    fn hold(&mut self, entity: EntityId, held: bool, holds: &[u8]) -> Result<()> {
        let always = self.valid == Interval::ALWAYS;
        if always && holds.is_empty() {
            return self.surface.apply(entity, &[Operation::Remove { entity }]);
        }
        if always && !self.surface.state(entity).is_temporal() {
            return Ok(());
        }
        let name = self.surface.name(HOLDS)?;
        let own = self.surface.state(entity).property(name).map(|property| property.value);
        let before = own.unwrap_or(if held { TRUE } else { &[] });
        let after = portion(before, self.valid, holds)?;
        if after == before {
            return Ok(());
        }
        if after.is_empty() {
            return self.surface.apply(entity, &[Operation::Remove { entity }]);
        }
        let always = after == TRUE;
        if !always && own.is_none() && held {
            self.surface.apply(entity, &[set(entity, name, TRUE)])?;
        }
        let valid = if always { Interval::ALWAYS } else { self.valid };
        let holds = Some(holds).filter(|holds| !always && !holds.is_empty());
        self.within(valid).change(entity, &[(name, holds)])
    }

    fn existing(&mut self, target: &Target<'_>) -> Result<EntityId> {
        if let Some(entity) = self.surface.find(target)? {
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

    fn numbers(&mut self, names: &[&str]) -> Result<Labels> {
        names.iter().map(|name| self.surface.name(name)).collect()
    }

    /// Changes by number of the name, ascending; of several of one property the last.
    fn named<'a>(&mut self, changes: &[Change<'a>]) -> Result<SmallVec<[Numbered<'a>; 8]>> {
        check_property_count(changes.len())?;
        let mut named: SmallVec<[_; 8]> = SmallVec::with_capacity(changes.len());
        for (name, value) in changes {
            named.push((self.surface.name(name)?, *value));
        }
        named.reverse();
        named.sort_by_key(|change: &Numbered<'_>| change.0);
        named.dedup_by_key(|change| change.0);
        Ok(named)
    }

    /// Replaces a node, or merges into it where it is said which labels it loses; its properties only in the interval.
    fn write_node(
        &mut self,
        key: &str,
        labels: &[&str],
        drop: Option<&[&str]>,
        changes: &[Change<'_>],
    ) -> Result<()> {
        let node = self.surface.node(key)?;
        let entity = EntityId::Node(node);
        let drop = drop.map(|names| self.numbers(names)).transpose()?;
        let labels = self.numbers(labels)?;
        let changes = self.named(changes)?;
        let (state, mut operations) = (self.surface.state(entity), Operations::new());
        if !state.is_alive() {
            operations.push(Operation::Create { entity });
        }
        let goes =
            |name: &NameId| !labels.contains(name) && drop.as_ref().is_none_or(|drop| drop.contains(name));
        operations.extend(state.labels().filter(goes).map(|name| Operation::Unlabel { node, name }));
        for (at, name) in labels.iter().enumerate() {
            if state.label(*name).is_none() && !labels[..at].contains(name) {
                operations.push(Operation::Label { node, name: *name });
            }
        }
        if drop.is_none() {
            for Property { name, .. } in state.properties() {
                if changes.binary_search_by_key(&name, |change| change.0).is_err() {
                    operations.extend(self.write(entity, state, (name, None))?);
                }
            }
        }
        for change in &changes {
            operations.extend(self.write(entity, state, *change)?);
        }
        self.surface.apply(entity, &operations)
    }

    /// Sets and unsets properties in the interval.
    fn change(&mut self, entity: EntityId, changes: &[Numbered<'_>]) -> Result<()> {
        let state = self.surface.state(entity);
        let operations = changes.iter().filter_map(|change| self.write(entity, state, *change).transpose());
        let operations = operations.collect::<Result<Operations<'_>>>()?;
        self.surface.apply(entity, &operations)
    }

    /// What sets or unsets a property in the interval. What already has the value is left alone, so that its author stays.
    fn write<'a>(&self, id: EntityId, state: &Entity, change: Numbered<'a>) -> Result<Option<Operation<'a>>> {
        let (entity, (name, value), valid) = (id, change, self.valid);
        let before = state.property(name).map_or(&[][..], |property| property.value);
        let after = value.unwrap_or_default();
        let always = valid == Interval::ALWAYS;
        let same = if always { after == before } else { portion(before, valid, after)? == before };
        let unset = Operation::Unset { entity, name, valid };
        let set = value.map_or(unset, |value| Operation::Set { entity, name, valid, value });
        Ok((!same).then_some(set))
    }

    fn remove(&mut self, key: &str, detach: bool) -> Result<()> {
        let Some(entity) = self.surface.find(&Target::Node(key))? else { return Ok(()) };
        let edges = self.surface.incident(key)?;
        if !edges.is_empty() && !detach {
            let message = format!(
                "{key:?} has {} edges; unlink them or remove it with {{ detach: true }}",
                edges.len()
            );
            return Err(Error::new(Code::HasEdges, message).with("key", key).with("edges", edges.len()));
        }
        let mut gone = edges.into_iter().chain([entity]);
        gone.try_for_each(|entity| self.surface.apply(entity, &[Operation::Remove { entity }]))
    }

    /// Replaces a number of units from a start on.
    fn splice(&mut self, target: &Target<'_>, name: &str, range: (u64, u64), insert: &[u8]) -> Result<()> {
        let (entity, name) = (self.existing(target)?, self.surface.name(name)?);
        let inserted = Sequence::of(insert)?;
        let value = match steady(self.surface.state(entity), name)? {
            Some(before) => Sequence::of(before.value)?.spliced(range, &inserted)?,
            None if range == AT_THE_END => insert.to_vec(),
            None => return Err(value::splice_error()),
        };
        self.change(entity, &[(name, Some(&value))])
    }
}

/// Where what is appended is spliced in.
const AT_THE_END: (u64, u64) = (u64::MAX, 0);

/// A verb's operations on one node or edge.
pub(crate) type Operations<'a> = SmallVec<[Operation<'a>; 8]>;

/// A change of one property, by the number of its name.
type Numbered<'a> = (NameId, Option<&'a [u8]>);

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

/// A node or edge in words.
pub(crate) fn describe(target: &Target<'_>) -> String {
    match target {
        Target::Node(key) => format!("node {key:?}"),
        Target::Edge(EdgeKey { from, kind, to, key }) => {
            format!("edge {from:?} -{kind}-> {to:?} with key {key:?}")
        }
    }
}
