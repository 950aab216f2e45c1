//! Asks: opened once, settled once, and never in a circle.

use super::*;

/// An ask that waits for its answer. Its name is its message's slot, which the host keeps until both are over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    target: CellId,
    /// `None`: from outside of all cells.
    asker: Option<CellId>,
    /// The turn in which it was made: while that goes on, the asker waits.
    turn: u32,
    deadline: Option<DeadlineKey>,
}

impl Scheduler {
    pub(super) fn ask(&mut self, target: CellId, slot: u32, asker: CellId, turn: u32, timeout_ms: u32) {
        let message = Message::new(slot);
        let deadline = (timeout_ms != 0).then(|| self.arm_in(timeout_ms, Due::Ask(slot)));
        let asker = self.table.get(asker).map(|_| asker);
        self.asks.insert(slot, Ask { target, asker, turn, deadline });
        if self.table.get(target).is_none_or(Cell::is_stopping) {
            self.stats.sent += 1;
            self.lose(target, message, Lost::Stopped, AskEnd::Stopped);
            return;
        }
        if let Some(asker) = asker {
            let path = if turn == NO_TURN { None } else { self.cycle(asker, target) };
            if let Some(path) = path {
                self.stats.sent += 1;
                self.release(target);
                self.effects.extend(path.into_iter().map(|cell| Effect::AskPath { slot, cell }));
                self.lose(target, message, Lost::Cycle, AskEnd::Cycle);
                return;
            }
            if let Some(cell) = self.table.get_mut(asker) {
                cell.rare_mut().asks.insert(slot);
            }
        }
        self.send(target, message);
    }

    /// Settles the ask of a message, if it is one and was not settled before.
    pub(super) fn settle_ask(&mut self, slot: u32, end: AskEnd) {
        let Some(ask) = self.asks.remove(&slot) else { return };
        self.deadlines.cancel(ask.deadline);
        if let Some(rare) = ask.asker.and_then(|asker| self.table.rare_mut(asker)) {
            rare.asks.remove(&slot);
        }
        self.effects.push_back(Effect::AskSettled { slot, end });
    }

    /// The way from the asker over the target back to the asker, if the target waits for it already.
    ///
    /// A cell waits for those whom its open turn asked. Whether the asker will wait is not known yet; it is taken to.
    fn cycle(&self, asker: CellId, target: CellId) -> Option<Vec<CellId>> {
        if asker == target {
            return Some(vec![asker, asker]);
        }
        let mut reached_from = HashMap::new();
        let mut pending = vec![target];
        while let Some(id) = pending.pop() {
            let Some(cell) = self.table.get(id) else { continue };
            let Turn::Open(open) = &cell.turn else { continue };
            for slot in cell.rare.as_deref().into_iter().flat_map(|rare| &rare.asks) {
                let Some(ask) = self.asks.get(slot).filter(|ask| ask.turn == open.number) else { continue };
                if ask.target == target || reached_from.contains_key(&ask.target) {
                    continue;
                }
                reached_from.insert(ask.target, id);
                if ask.target == asker {
                    let back = std::iter::successors(Some(asker), |at| reached_from.get(at).copied());
                    let mut path: Vec<_> = back.chain([asker]).collect();
                    path.reverse();
                    return Some(path);
                }
                pending.push(ask.target);
            }
        }
        None
    }
}
