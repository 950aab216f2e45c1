//! Questions about the past and about forks: none of them is on a hot path.

use crate::session::Session;
use crate::wire::{Told, optional_text, put_edge, put_node, tell_all};
use karyon_graph::{Entity, Gate, Graph, Layer, Obstacle, Prefer, Slot, SlotChange, permitted};
use karyon_history::Commit;
use karyon_model::limits::{LABELS_MAX, PROPERTIES_MAX};
use karyon_model::{Code, CommitHeader, Cursor, EntityId, Error, Result, Rules, Seq, Target, ensure};
use karyon_store::{Body, Report, Store};
use std::sync::Arc;

/// Changes of one page of a history, or of all changes.
const HISTORY_PAGE: usize = 256;
/// What tells the changes of one commit apart: the place of the node or edge among those that it touched, times this, and the place
/// of the change among those of that node or edge, of which there are fewer.
const PLACES: usize = 2 * (PROPERTIES_MAX + LABELS_MAX) + 2;
/// Bytes of the values that make a page full, however few changes it has.
pub(crate) const PAGE_BYTES: usize = 1024 * 1024;
/// Entities of one page of a diff.
const DIFF_PAGE: usize = 128;

/// A node or edge, and a property of it if one is named.
type Asked = (EntityId, Option<Slot>);

/// Who wrote a commit, when and why.
fn put_provenance(body: &Body, seq: Seq, out: &mut Vec<u8>) -> Result<()> {
    let told = body.commits.read(seq, |Commit { header, .. }| {
        let CommitHeader { time, principal, incarnation, cause, .. } = header;
        tell_all(&[&seq, time, principal, incarnation, cause], out);
    })?;
    let message = || format!("version {seq} is not in the index of commits; open the store again");
    told.ok_or_else(|| Error::new(Code::Damaged, message()))
}

/// A node or edge.
fn put_target(graph: &Graph, id: EntityId, out: &mut Vec<u8>) {
    graph.with_target(id, |target| target.encode(out));
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

    /// The store, for who may see everything.
    pub(crate) fn seeing_everything(&self) -> Result<&Arc<Store>> {
        let body = self.body()?;
        self.read_node(&mut std::iter::empty(), body.graph.names())?;
        Ok(self.store())
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
    /// there never was such a thing. Reads the target, the name if there is one, and the version, which comes back.
    fn asked(&self, body: &Body, about: &mut Cursor<'_>) -> Result<(Seq, Option<Asked>)> {
        let (target, name, at) = (Target::decode(about)?, optional_text(about)?, about.varint()?);
        let graph = &body.graph;
        let Some(id) = graph.id_of(&target) else { return Ok((at, None)) };
        let entity = graph.entity_in(self.layer, id, at)?.map(|found| found.0);
        self.may_see(graph, id, entity.as_deref())?;
        let known = name.map(|name| graph.names().get(name).map(Slot::Property));
        Ok((at, if known == Some(None) { None } else { Some((id, known.flatten())) }))
    }

    /// Up to a page of changes as of `until`, newest first, down to `after`: for each 1, who made it, the change; then 0 and the version to go on
    /// below, if there is more.
    pub(crate) fn history(&self, about: &mut Cursor<'_>, out: &mut Vec<u8>) -> Result<()> {
        let body = self.body()?;
        let (until, asked) = self.asked(&body, about)?;
        let (after, Some((id, only))) = (about.varint()?, asked) else {
            tell_all(&[&false, &None::<Seq>], out);
            return Ok(());
        };
        let mut next = None;
        // The commit that is being told, how many changes came before, and whether it may be seen: a node may have had other
        // labels then, and what may not be seen is left out, as in a diff.
        let (mut count, mut bytes, mut told) = (0, 0, (Seq::MAX, false));
        let visited = body.graph.visit_changes((self.layer, id), (after, until), &mut |change| {
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
                out.push(1);
                put_provenance(&body, change.seq, out)?;
                change.tell(out);
            }
            Ok(true)
        });
        match visited {
            // What is kept is told first, and then, with the next page, that there is no more.
            Err(error) if error.code() == Code::Horizon && !out.is_empty() => next = Some(told.0),
            visited => visited?,
        }
        tell_all(&[&false, &next], out);
        Ok(())
    }

    /// A page of all changes in `(after, until]` that may be seen, in the order of their commits, from a place in the first one on: for each
    /// 1, who made it, its target, its place in its commit, the change; then 0 and where the next page begins, if there is more.
    pub(crate) fn changes(&self, about: &mut Cursor<'_>, out: &mut Vec<u8>) -> Result<()> {
        let (mut after, mut place, until) = (about.varint()?, about.varint()? as usize, about.varint()?);
        let body = self.body()?;
        let (mut count, mut bytes, mut more) = (0, 0, false);
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
                if body.graph.last_in(self.layer, id, seq)? != seq {
                    continue;
                }
                let (mut next, visible) = (at * PLACES, self.may_see_change(&body, id, seq)?);
                body.graph.visit_changes((self.layer, id), (seq - 1, seq), &mut |change| {
                    let size = weight(&change);
                    if visible && next >= place {
                        out.push(1);
                        put_provenance(&body, seq, out)?;
                        put_target(&body.graph, id, out);
                        tell_all(&[&next, &change], out);
                    }
                    (count, next, bytes) = (count + 1, next + 1, bytes + size);
                    Ok(true)
                })?;
            }
            (after, place) = (seq, 0);
            Ok(true)
        })?;
        tell_all(&[&false, &more.then_some((after, place))], out);
        Ok(())
    }

    /// Who made a commit; the commits that wrote what it had read, and whether some are left out. For those who may see everything.
    pub(crate) fn commit_at(&self, seq: Seq, out: &mut Vec<u8>) -> Result<()> {
        self.seeing_everything()?;
        let body = self.body()?;
        put_provenance(&body, seq, out)?;
        body.commits.read(seq, |Commit { header, .. }| tell_all(&[&header.parents, &header.coarse], out))?;
        Ok(())
    }

    /// Who made a property, or without a name the existence, what it is as of a version; nothing when nobody did.
    pub(crate) fn blame(&self, about: &mut Cursor<'_>, out: &mut Vec<u8>) -> Result<()> {
        let body = self.body()?;
        let (at, Some((id, slot))) = self.asked(&body, about)? else { return Ok(()) };
        let author = body.graph.author_in(self.layer, id, slot.unwrap_or(Slot::Existence), at)?;
        match author {
            Some(seq) if self.may_see_change(&body, id, seq)? => put_provenance(&body, seq, out),
            _ => Ok(()),
        }
    }

    /// A page of what differs between two versions, from where the page before has ended.
    ///
    /// The answer is for each difference: 1; kind of target ('N' or 'E'); before and after (each 0, or 1 and the entity); then 0
    /// and where the next page begins: two numbers (0 and 0 when done).
    pub(crate) fn diff(&self, about: &mut Cursor<'_>, out: &mut Vec<u8>) -> Result<()> {
        let (span, start) = ((about.varint()?, about.varint()?), (about.varint()?, about.varint()? as usize));
        let body = self.body()?;
        let (graph, mut left) = (&body.graph, DIFF_PAGE);
        let next = graph.visit_differences(&body.commits, self.layer, span, start, &mut |id, sides| {
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
                    EntityId::Node(node) => put_node(&graph.node_item(node, entity, version), out),
                    EntityId::Edge(edge) => put_edge(&graph.edge_item(edge, entity, version), out),
                }
            }
            Ok(true)
        })?;
        tell_all(&[&false, &next.unwrap_or_default()], out);
        Ok(())
    }

    /// Takes back what a principal wrote after a version; see `Store::revert`. For those who may see everything.
    ///
    /// The answer is its report, and the descendants.
    pub(crate) fn revert(&self, principal: &str, since: Seq, dry_run: bool, out: &mut Vec<u8>) -> Result<()> {
        // Its report names whatever the principal has written, of any label.
        self.seeing_everything()?;
        ensure(self.layer == 0, Code::Layer, "a fork is not reverted; write in it, or drop it")?;
        let report = self.store().revert((principal, since), dry_run, self.author(None))?;
        self.put_report(&report, out)?;
        report.plan.descendants.tell(out);
        Ok(())
    }

    /// How much was changed, where something was not and why, and the commit if there is one.
    fn put_report(&self, Report { plan, committed }: &Report, out: &mut Vec<u8>) -> Result<()> {
        let body = self.store().body()?;
        tell_all(&[&plan.changed, &plan.obstacles.len()], out);
        for Obstacle { entity, slot, reason } in &plan.obstacles {
            put_target(&body.graph, *entity, out);
            tell_all(&[slot, reason], out);
        }
        committed.map(|committed| committed.seq).tell(out);
        Ok(())
    }

    /// The forks that stand on what it reads. For those who may see everything.
    pub(crate) fn forks(&self, out: &mut Vec<u8>) -> Result<()> {
        self.seeing_everything()?;
        let body = self.body()?;
        let ours = body.graph.layers().iter().filter(|layer| layer.is_living() && layer.parent == self.layer);
        for Layer { name, from, created, .. } in ours {
            tell_all(&[&true, name, from, created], out);
        }
        out.push(0);
        Ok(())
    }

    /// The fork that it reads; nothing for the base.
    pub(crate) fn fork_info(&self, out: &mut Vec<u8>) -> Result<()> {
        let body = self.body()?;
        if let Some(Layer { name, from, created, .. }) = body.graph.living(self.layer)? {
            tell_all(&[name, from, created], out);
        }
        Ok(())
    }

    /// Merges the fork that it reads into another one that stands on the same, or, where `into` is empty, into that, in one commit; see
    /// `Graph::plan_merge`. For those who may see everything.
    ///
    /// The answer is its report.
    pub(crate) fn merge_fork(&self, into: &str, prefer: Prefer, out: &mut Vec<u8>) -> Result<()> {
        self.seeing_everything()?;
        let named = || self.store().body()?.graph.layer_named(into);
        let into = (!into.is_empty()).then(named).transpose()?;
        let plan = |body: &Body| body.graph.plan_merge(self.layer, into, prefer);
        self.put_report(&self.store().commit_planned(false, self.author(None), plan)?, out)
    }

    /// The rules that hold as of a version: for each property of a label its name, and whether it is indexed, unique, required.
    pub(crate) fn rules(&self, at: Seq, out: &mut Vec<u8>) -> Result<()> {
        self.seeing_everything()?;
        let body = self.body()?;
        let at = body.graph.ground(self.layer, at);
        for index in body.graph.indexes() {
            let rules = index.rules_at(at);
            if rules != Rules::default() {
                tell_all(&[&true, &index.label, &index.property], out);
                rules.encode(out);
            }
        }
        out.push(0);
        Ok(())
    }
}

/// Bytes of a change's values.
fn weight(change: &SlotChange) -> usize {
    let values = [&change.before, &change.after].into_iter().flatten();
    values.map(|value| value.len()).sum()
}
