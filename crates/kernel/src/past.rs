//! Questions about the past, answered as canonical values: none of them is on a hot path.

use crate::session::Session;
use crate::wire::{intervals_value, put_edge, put_node, slot_text, target_value};
use karyon_graph::{DiffStart, Entity, Gate, Graph, Layer, Prefer, Slot, SlotChange, permitted};
use karyon_history::Commit;
use karyon_model::bytes::{Cursor, put_bytes, put_varint};
use karyon_model::limits::{LABELS_MAX, PROPERTIES_MAX};
use karyon_model::valid::{HOLDS, is_temporal};
use karyon_model::{Code, EntityId, Error, Result, Seq, Target, Value};
use karyon_store::{Body, MergeReport, RevertReport, RevertRequest};

/// Changes of one page of a history, or of all changes.
const HISTORY_PAGE: usize = 256;
/// What tells the changes of one commit apart: the place of the node or edge among those that it touched, times this, and the place
/// of the change among those of that node or edge, of which there are fewer.
const PLACES: usize = 2 * (PROPERTIES_MAX + LABELS_MAX) + 2;
/// Bytes of the values that make a page full, however few changes it has.
pub const PAGE_BYTES: usize = 1024 * 1024;
/// Entities of one page of a diff.
const DIFF_PAGE: usize = 128;

/// Who wrote a commit, when and why, as entries of a map.
fn provenance(body: &Body, seq: Seq) -> Result<Vec<(&'static str, Value)>> {
    let entries = body.commits.read(seq, |Commit { header, .. }| {
        let mut entries = vec![
            ("version", Value::number(seq)),
            ("time", Value::Timestamp(header.time)),
            ("principal", Value::text(&*body.graph.names().text(header.principal))),
            ("incarnation", Value::Integer(header.incarnation.into())),
        ];
        entries.extend(header.cause.map(|cause| ("cause", Value::number(cause))));
        entries
    })?;
    let message = || format!("version {seq} is not in the index of commits; open the store again");
    entries.ok_or_else(|| Error::new(Code::Damaged, message()))
}

impl Session {
    fn may_see(&self, graph: &Graph, id: EntityId, entity: Option<&Entity>) -> Result<()> {
        match id {
            EntityId::Edge(edge) => self.read_edge(graph.edge(edge).kind, graph.names()),
            // What a node was before it went is for those who may see everything.
            EntityId::Node(_) => {
                self.read_node(&mut entity.into_iter().flat_map(Entity::labels), graph.names())
            }
        }
    }

    /// Refuses whoever may not see everything.
    pub fn check_sees_everything(&self) -> Result<()> {
        let body = self.body()?;
        self.read_node(&mut std::iter::empty(), body.graph.names())
    }

    /// Whether it may see what a node or edge was both before and after a commit.
    fn may_see_change(&self, body: &Body, id: EntityId, seq: Seq) -> Result<bool> {
        if self.reads_everything() {
            return Ok(true);
        }
        for side in [seq - 1, seq] {
            let entity = body.graph.entity_in(self.layer, id, side)?.map(|found| found.0);
            let Some(entity) = entity else { continue };
            if !permitted(self.may_see(&body.graph, id, Some(&entity)))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What is asked about: a node or edge that may be seen as of a version, and a property of it if one is named. `None` when
    /// there never was such a thing.
    fn asked(
        &self,
        body: &Body,
        target: &Target<'_>,
        name: Option<&str>,
        at: Seq,
    ) -> Result<Option<(EntityId, Option<Slot>)>> {
        let graph = &body.graph;
        let Some(id) = graph.id_of(target) else { return Ok(None) };
        let entity = graph.entity_in(self.layer, id, at)?.map(|found| found.0);
        self.may_see(graph, id, entity.as_deref())?;
        let known = name.map(|name| graph.names().get(name).map(Slot::Property));
        Ok(if known == Some(None) { None } else { Some((id, known.flatten())) })
    }

    /// Up to a page of changes in `(after, until]`, newest first, and the version to go on from (exclusive), if any.
    ///
    /// The answer is a map of `changes` and `next`.
    pub fn history(&self, target: &Target<'_>, name: Option<&str>, after: Seq, until: Seq) -> Result<Value> {
        let body = self.body()?;
        let Some((id, only)) = self.asked(&body, target, name, until)? else {
            return Ok(page_value(vec![], None));
        };
        let (mut values, mut next) = (Vec::new(), None);
        // The commit that is being told, how many changes came before, and whether it may be seen: a node may have had other
        // labels then, and what may not be seen is left out, as in a diff.
        let (mut count, mut bytes, mut told) = (0, 0, (Seq::MAX, false));
        let visited = body.graph.visit_changes((self.layer, id), after, until, &mut |change| {
            if only.is_some_and(|only| only != change.slot) {
                return Ok(true);
            }
            if change.seq != told.0 {
                // A page ends between two commits, so that it can go on below the last one.
                if count >= HISTORY_PAGE || bytes >= PAGE_BYTES {
                    next = Some(told.0);
                    return Ok(false);
                }
                told = (change.seq, self.may_see_change(&body, id, change.seq)?);
            }
            (count, bytes) = (count + 1, bytes + weight(&change));
            if told.1 {
                let entries = provenance(&body, change.seq)?;
                values.push(change_value(&body, change, entries)?);
            }
            Ok(true)
        });
        match visited {
            // What is kept is told first, and then, with the next page, that there is no more.
            Err(error) if error.code() == Code::Horizon && !values.is_empty() => next = Some(told.0),
            visited => visited?,
        }
        Ok(page_value(values, next))
    }

    /// A page of all changes in `(after, until]` that may be seen, in the order of their commits, from a place in the first one on.
    ///
    /// The answer is a map of `changes`, each with its target and its place in its commit, and of `after` and `place`, where the next
    /// page begins, if there is more.
    pub fn changes(&self, (mut after, mut place): (Seq, usize), until: Seq) -> Result<Value> {
        let body = self.body()?;
        let (mut values, mut count, mut bytes, mut more) = (Vec::new(), 0, 0, false);
        body.graph.check_kept(after)?;
        body.commits.visit(after, until, &mut |Commit { header, touched }| {
            let seq = header.seq;
            let touched = touched.iter().enumerate().skip(place / PLACES);
            for (at, id) in touched {
                if count >= HISTORY_PAGE || bytes >= PAGE_BYTES {
                    (place, more) = (at * PLACES, true);
                    return Ok(false);
                }
                // What another layer has changed does not show.
                if !body.graph.is_changed_in(self.layer, id, seq)? {
                    continue;
                }
                let (mut next, visible) = (at * PLACES, self.may_see_change(&body, id, seq)?);
                body.graph.visit_changes((self.layer, id), seq - 1, seq, &mut |change| {
                    let size = weight(&change);
                    if visible && next >= place {
                        let mut entries = provenance(&body, seq)?;
                        entries.push(("target", target_value(&body.graph, id)));
                        entries.push(("place", Value::Integer(next as i64)));
                        values.push(change_value(&body, change, entries)?);
                    }
                    (count, next, bytes) = (count + 1, next + 1, bytes + size);
                    Ok(true)
                })?;
            }
            (after, place) = (seq, 0);
            Ok(true)
        })?;
        let mut entries = vec![("changes", Value::List(values))];
        if more {
            entries.extend([("after", Value::number(after)), ("place", Value::Integer(place as i64))]);
        }
        Ok(Value::map(entries))
    }

    /// Who made a commit, and the commits that wrote what it had read. For those who may see everything.
    pub fn commit_at(&self, seq: Seq) -> Result<Value> {
        self.check_sees_everything()?;
        let body = self.body()?;
        let mut entries = provenance(&body, seq)?;
        body.commits.read(seq, |Commit { header, .. }| {
            let parents = header.parents.iter().map(|parent| Value::number(*parent));
            entries.push(("parents", Value::List(parents.collect())));
            entries.push(("coarse", Value::Bool(header.coarse)));
        })?;
        Ok(Value::map(entries))
    }

    /// Who made a property, or without a name the existence, what it is as of a version; null when nobody did.
    pub fn blame(&self, target: &Target<'_>, name: Option<&str>, at: Seq) -> Result<Value> {
        let body = self.body()?;
        let Some((id, slot)) = self.asked(&body, target, name, at)? else { return Ok(Value::Null) };
        let author = body.graph.author_in(self.layer, id, slot.unwrap_or(Slot::Existence), at)?;
        let Some(seq) = author else { return Ok(Value::Null) };
        if !self.may_see_change(&body, id, seq)? {
            return Ok(Value::Null);
        }
        Ok(Value::map(provenance(&body, seq)?))
    }

    /// A page of what differs between two versions, from where the page before has ended.
    ///
    /// The answer is for each difference: 1; kind of target ('N' or 'E'); before and after (each 0, or 1 and the entity); then 0
    /// and where the next page begins: two numbers (0 and 0 when done).
    pub fn diff(&self, from: Seq, to: Seq, start: DiffStart) -> Result<Vec<u8>> {
        let body = self.body()?;
        let graph = &body.graph;
        let (mut left, mut out) = (DIFF_PAGE, Vec::new());
        let next =
            graph.visit_differences(&body.commits, self.layer, (from, to), start, &mut |id, sides| {
                for (entity, _) in sides.iter().flatten() {
                    if !permitted(self.may_see(graph, id, Some(entity)))? {
                        return Ok(true);
                    }
                }
                if left == 0 || out.len() >= PAGE_BYTES {
                    return Ok(false);
                }
                left -= 1;
                out.push(1);
                out.push(if matches!(id, EntityId::Node(_)) { b'N' } else { b'E' });
                for side in sides {
                    out.push(u8::from(side.is_some()));
                    let Some((entity, version)) = side else { continue };
                    match id {
                        EntityId::Node(node) => put_node(&graph.node_item(node, entity, version), &mut out),
                        EntityId::Edge(edge) => put_edge(&graph.edge_item(edge, entity, version), &mut out),
                    }
                }
                Ok(true)
            })?;
        out.push(0);
        let (seq, through) = next.unwrap_or_default();
        [seq, through as u64].into_iter().for_each(|part| put_varint(&mut out, part));
        Ok(out)
    }

    /// Takes back what a principal wrote after a version; see `Store::revert`. For those who may see everything.
    pub fn revert(&self, principal: &str, since: Seq, dry_run: bool) -> Result<Value> {
        // Its report names whatever the principal has written, of any label.
        self.check_sees_everything()?;
        if self.layer > 0 {
            return Err(Error::new(Code::Layer, "a fork is not reverted; write in it, or drop it"));
        }
        let request = RevertRequest { principal, since, dry_run };
        let RevertReport { plan, committed } = self.store().revert(request, self.author(None), self)?;
        let body = self.store().body()?;
        let kept = plan.kept.iter().map(|kept| place_value(&body.graph, kept.entity, kept.slot, kept.reason));
        let mut entries = vec![
            ("restored", Value::Integer(plan.restored as i64)),
            ("kept", Value::List(kept.collect())),
            ("descendants", Value::List(plan.descendants.into_iter().map(Value::number).collect())),
        ];
        entries.extend(committed.map(|committed| ("version", Value::number(committed.seq))));
        Ok(Value::map(entries))
    }

    /// The forks that stand on what it reads. For those who may see everything.
    pub fn forks(&self) -> Result<Value> {
        self.check_sees_everything()?;
        let body = self.body()?;
        let ours = body.graph.layers().iter().filter(|layer| layer.is_living() && layer.parent == self.layer);
        Ok(Value::List(ours.map(|layer| fork_value(&body.graph, layer)).collect()))
    }

    /// The fork that it reads; null for the base.
    pub fn fork_info(&self) -> Result<Value> {
        let body = self.body()?;
        Ok(body.graph.living(self.layer)?.map_or(Value::Null, |layer| fork_value(&body.graph, layer)))
    }

    /// Merges the fork that it reads into another one that stands on the same, or, where `into` is empty, into that; see `Store::merge`. For
    /// those who may see everything.
    pub fn merge_fork(&self, into: &str, prefer: Prefer) -> Result<Value> {
        self.check_sees_everything()?;
        let named = || self.store().body()?.graph.layer_named(into);
        let into = (!into.is_empty()).then(named).transpose()?;
        let MergeReport { plan, committed } =
            self.store().merge((self.layer, into), prefer, self.author(None), self)?;
        let body = self.store().body()?;
        let clashes =
            plan.clashes.iter().map(|clash| place_value(&body.graph, clash.entity, clash.slot, clash.reason));
        let mut entries = vec![
            ("applied", Value::Integer(plan.applied as i64)),
            ("conflicts", Value::List(clashes.collect())),
        ];
        entries.extend(committed.map(|committed| ("version", Value::number(committed.seq))));
        Ok(Value::map(entries))
    }

    /// The digest as of a version, for those who may see everything.
    pub fn digest(&self, at: Seq) -> Result<[u8; 32]> {
        self.check_sees_everything()?;
        self.body()?.graph.digest_in(self.layer, at)
    }

    /// The number of a name, if anything has it.
    pub fn name_number(&self, name: &str) -> Result<Option<u32>> {
        self.check_alive()?;
        Ok(self.store().body()?.graph.names().get(name))
    }

    /// The names from a number on: count, texts.
    pub fn names_from(&self, first: u32) -> Result<Vec<u8>> {
        let (body, mut out) = (self.store().body()?, Vec::new());
        let names = body.graph.names().from(first);
        put_varint(&mut out, names.len() as u64);
        names.iter().for_each(|name| put_bytes(&mut out, name.as_bytes()));
        Ok(out)
    }
}

/// A fork's name, the version it stands on and the commit that made it.
fn fork_value(graph: &Graph, layer: &Layer) -> Value {
    Value::map([
        ("name", Value::text(&*graph.names().text(layer.name))),
        ("from", Value::number(layer.from)),
        ("created", Value::number(layer.created)),
    ])
}

/// Bytes of a change's values.
fn weight(change: &SlotChange) -> usize {
    let values = [&change.before, &change.after].into_iter().flatten();
    values.map(|value| value.len()).sum()
}

/// Where something could not be done, and why.
fn place_value(graph: &Graph, entity: EntityId, slot: Slot, reason: &str) -> Value {
    Value::map([
        ("target", target_value(graph, entity)),
        ("slot", Value::text(slot_text(graph, slot))),
        ("reason", Value::text(reason)),
    ])
}

/// A change in words and values, beside who made it.
fn change_value(body: &Body, change: SlotChange, mut entries: Vec<(&'static str, Value)>) -> Result<Value> {
    let text = |name| Value::text(&*body.graph.names().text(name));
    let kinds = match change.slot {
        Slot::Existence => ["removed", "created"],
        Slot::Label(_) => ["unlabelled", "labelled"],
        Slot::Property(_) => ["unset", "set"],
    };
    entries.push(("kind", Value::text(kinds[usize::from(change.after.is_some())])));
    match change.slot {
        Slot::Existence => {}
        Slot::Label(name) => entries.push(("label", text(name))),
        Slot::Property(name) => {
            // Without a property it is told when an edge holds.
            entries.extend(
                Some(text(name)).filter(|name| *name != Value::text(HOLDS)).map(|name| ("property", name)),
            );
            let sides =
                [("before", "intervalsBefore", change.before), ("after", "intervalsAfter", change.after)];
            for (side, intervals, value) in sides {
                match value {
                    Some(held) if is_temporal(&held) => entries.push((intervals, intervals_value(&held)?)),
                    Some(value) => entries.push((side, Value::decode(&mut Cursor::new(&value))?)),
                    None => {}
                }
            }
        }
    }
    Ok(Value::map(entries))
}

fn page_value(changes: Vec<Value>, next: Option<Seq>) -> Value {
    let mut entries = vec![("changes", Value::List(changes))];
    entries.extend(next.map(|next| ("next", Value::number(next))));
    Value::map(entries)
}
