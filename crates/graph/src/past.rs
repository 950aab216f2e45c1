//! The past of one node or edge: every change, newest first, and who made the present what it is.

use crate::entity::{Encoded, Entity, Slot, decode_delta};
use crate::head::{Graph, object_id};
use crate::versioned::State;
use karyon_model::{EntityId, Result, Seq};

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

impl Graph {
    /// Hands every change in `(after, until]` to `visit`, newest first, until it returns false.
    ///
    /// Cost: every change back from the newest state, those after `until` included, plus one anchor for each
    /// chapter passed.
    pub fn visit_changes(
        &self,
        id: EntityId,
        after: Seq,
        until: Seq,
        visit: &mut dyn FnMut(SlotChange) -> bool,
    ) -> Result<()> {
        let object = self.object(id);
        if object.last() <= after {
            return Ok(());
        }
        let mut state = object.state().clone();
        let mut run = object.run();
        let mut sealed = object.is_sealed();
        loop {
            for (seq, delta) in run.newest_first() {
                if seq <= after {
                    return Ok(());
                }
                let undos = decode_delta(delta)?;
                let slots: Vec<_> = undos.iter().map(|undo| undo.slot()).collect();
                let held: Vec<_> = slots.iter().map(|slot| value(&state, *slot)).collect();
                let since = state.since();
                undos.into_iter().try_for_each(|undo| state.revert(undo))?;
                for (slot, held) in slots.into_iter().zip(held) {
                    let change = SlotChange { seq, slot, before: value(&state, slot), after: held };
                    // Existence has no value to compare: one commit may end a life and begin another.
                    let renewed =
                        slot == Slot::Existence && change.before.is_some() && state.since() != since;
                    let changed = change.before != change.after || (renewed && change.after.is_some());
                    if seq <= until && changed && !visit(change) {
                        return Ok(());
                    }
                }
            }
            // The first change of a run has no delta: it leads from the chapter before, or from nothing.
            let start = run.start();
            if start <= after {
                return Ok(());
            }
            let chapter = if sealed { self.history.find(object_id(id), start - 1)? } else { None };
            let before = match &chapter {
                Some(chapter) => Entity::decode(&chapter.anchor)?,
                None => Entity::default(),
            };
            if start <= until {
                let mut slots: Vec<_> = state.slots().chain(before.slots()).collect();
                slots.sort_unstable();
                slots.dedup();
                for slot in slots {
                    let change = SlotChange {
                        seq: start,
                        slot,
                        before: value(&before, slot),
                        after: value(&state, slot),
                    };
                    let renewed = slot == Slot::Existence && before.since() != state.since();
                    if (change.before != change.after || renewed) && !visit(change) {
                        return Ok(());
                    }
                }
            }
            let Some(chapter) = chapter else { return Ok(()) };
            state = before;
            run = chapter.run.clone();
            sealed = true;
        }
    }

    /// The commit that made a slot what it is as of `seq`, also when it holds nothing because it was unset.
    ///
    /// Cost: none beyond the read for what exists; the object's past for what was unset.
    pub fn author_at(&self, id: EntityId, slot: Slot, seq: Seq) -> Result<Option<Seq>> {
        if let Some((entity, _)) = self.entity_at(id, seq)?
            && let Some((_, since)) = entity.slot(slot)
        {
            return Ok(Some(since));
        }
        let mut author = None;
        self.visit_changes(id, 0, seq, &mut |change| {
            if change.slot == slot {
                author = Some(change.seq);
            }
            author.is_none()
        })?;
        Ok(author)
    }
}

fn value(entity: &Entity, slot: Slot) -> Option<Encoded> {
    entity.slot(slot).map(|held| held.0.into())
}
