//! The past: every change of one node or edge, newest first, who made the present what it is, and what differs between two
//! versions.

use crate::entity::{Encoded, Entity, Slot, same, undos};
use crate::{Graph, Shown};
use karyon_history::{Commit, Commits};
use karyon_model::{Code, EntityId, Error, Result, Seq};
use std::collections::BTreeSet;

/// One slot's change by one commit. Labels and existence have empty values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotChange {
    /// The commit.
    pub seq: Seq,
    /// What changed.
    pub slot: Slot,
    /// What it held before; `None` when nothing.
    pub before: Option<Encoded>,
    /// What it holds from then on; `None` when nothing.
    pub after: Option<Encoded>,
}

/// Is handed changes until it returns false.
pub type Visit<'v> = &'v mut dyn FnMut(SlotChange) -> Result<bool>;

/// A node or edge at the two versions, each with the commit that last changed it; `None` where it did not exist.
pub type Sides<'a> = [Shown<'a>; 2];

/// Where a page of differences begins: a commit, and how many of the nodes and edges that it changed are through. The first
/// page begins at the default.
pub type DiffStart = (Seq, usize);

impl Graph {
    /// Hands every change of a node or edge in a layer, behind one version and up to another, to `visit`, newest first, until it returns false. Where the
    /// changes are not kept any more it fails with `Horizon`, after those that are.
    ///
    /// Cost: those changes, each with one copy of what it was in, one anchor for each chapter passed, and what the first one holds after
    /// the other: at most one run, undone at once.
    pub fn visit_changes(&self, of: (u32, EntityId), span: (Seq, Seq), visit: Visit<'_>) -> Result<()> {
        let (history, (mut layer, id), (after, mut at)) = (&*self.history, of, span);
        while at > after {
            // A copy of a layer begins where what it was copied from goes on below.
            let (found_in, of, object, seq) = self.found_in(layer, id, at);
            (layer, at) = (found_in, seq);
            if at <= after || object.last() <= after {
                break;
            }
            // What it is below does not show beyond the version that the layer stands on.
            let seen = at;
            let start = object.in_run(of, at, history, |state, run, thinned| {
                if thinned {
                    let message = format!(
                        "what changed before version {at} is not kept change by change; ask for what is newer"
                    );
                    return Err(Error::new(Code::Horizon, message).with("version", at));
                }
                // What is newer than all that is told is undone at once.
                let newer = run.newest_first().take_while(|delta| delta.0 > seen);
                let mut state = state()?.reverted(newer.flat_map(|delta| undos(delta.1)))?;
                let told = run.newest_first().skip_while(|delta| delta.0 > seen);
                for (seq, delta) in told.take_while(|delta| delta.0 > after) {
                    let slots = undos(delta).flatten().map(|undo| undo.slot);
                    let before = state.reverted(undos(delta))?;
                    if !tell(seq, [&before, &state], slots, visit)? {
                        return Ok(0);
                    }
                    state = before;
                }
                // The first change of a run has no delta: it leads from the chapter before, or from nothing.
                let start = run.start();
                if start > after {
                    let before = self.state_in(layer, id, start - 1)?.0;
                    let slots: BTreeSet<_> = state.slots().chain(before.slots()).collect();
                    if !tell(start, [&before, &state], slots.into_iter(), visit)? {
                        return Ok(0);
                    }
                }
                Ok(start)
            })?;
            at = start.unwrap_or(0).saturating_sub(1);
        }
        Ok(())
    }

    /// Hands every node and edge that differs between two versions of a layer to `visit`, each once, in the order of its last change
    /// between them, until `visit` does not take one: the next page begins there.
    ///
    /// Cost: a look at each change of the commits from `start` on, and two reads for each node and edge that they changed.
    pub fn visit_differences(
        &self,
        commits: &Commits,
        layer: u32,
        (from, to): (Seq, Seq),
        start: DiffStart,
        visit: &mut dyn FnMut(EntityId, Sides<'_>) -> Result<bool>,
    ) -> Result<Option<DiffStart>> {
        let (end, mut next) = (from.max(to), None);
        commits.visit(start.0.max(from.min(to) + 1) - 1, end, &mut |Commit { header, touched }| {
            let through = if header.seq == start.0 { start.1 } else { 0 };
            for (at, id) in touched.iter().enumerate().skip(through) {
                // What a later commit changes again is told there; what another layer has changed does not show.
                if self.last_in(layer, id, end)? != header.seq {
                    continue;
                }
                let states = [self.state_in(layer, id, from)?, self.state_in(layer, id, to)?];
                let same = same(&states[0].0, &states[1].0);
                if !same && !visit(id, states.map(|state| Some(state).filter(|it| it.0.is_alive())))? {
                    next = Some((header.seq, at));
                    return Ok(false);
                }
            }
            Ok(true)
        })?;
        Ok(next)
    }

    /// The commit that made a slot what it is as of `seq`, also when it holds nothing because it was unset.
    ///
    /// Cost: none beyond the read for what exists; the object's past for what was unset.
    pub fn author_in(&self, layer: u32, id: EntityId, slot: Slot, seq: Seq) -> Result<Option<Seq>> {
        if let Some((entity, _)) = self.entity_in(layer, id, seq)?
            && let Some((_, since)) = entity.slot(slot)
        {
            return Ok(Some(since));
        }
        let mut author = None;
        self.visit_changes((layer, id), (0, seq), &mut |change| {
            if change.slot == slot {
                author = Some(change.seq);
            }
            Ok(author.is_none())
        })?;
        Ok(author)
    }
}

/// Hands what a commit has changed of slots to `visit`. False when it wants no more. Existence has no value to compare: one commit
/// may end a life and begin another.
fn tell(seq: Seq, states: [&Entity; 2], slots: impl Iterator<Item = Slot>, visit: Visit<'_>) -> Result<bool> {
    let renewed = states[0].since() != states[1].since();
    for slot in slots {
        let [before, after] = states.map(|state| state.slot(slot).map(|held| Encoded::from(held.0)));
        let renewed = renewed && slot == Slot::Existence && after.is_some();
        if (before != after || renewed) && !visit(SlotChange { seq, slot, before, after })? {
            return Ok(false);
        }
    }
    Ok(true)
}
