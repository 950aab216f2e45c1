//! Remote cells: their host is handed messages ahead of their turns, and tells how each came out.
//!
//! What the host was handed is the cell's flight. It still takes room in the mailbox, until its turn is known to go on or is over. Before a
//! remote cell ends, starts anew or has deferred messages back, the host is asked which of its flight runs; no other turn begins from
//! then on, and the rest stands before all others in the mailbox again: so no message is lost, doubled or overtaken, also where a worker is.
//! Turns come in the order of the flight: whatever is told of one message says of those before it that they simply ended.

use super::*;

impl Scheduler {
    /// A message of the flight, or the one whose turn goes on, with whether that is late.
    fn land(&mut self, id: CellId, slot: u32) -> Option<(Message, bool)> {
        let cell = self.table.get_mut(id)?;
        if matches!(&cell.turn, Turn::Open(open) if open.message.is_some_and(|message| message.slot == slot))
        {
            let open = self.close_turn(id)?;
            return Some((open.message?, open.late));
        }
        self.land_next(id, slot).map(|message| (message, false))
    }

    /// A message of the flight that has begun or is over; and with it those before.
    fn land_next(&mut self, id: CellId, slot: u32) -> Option<Message> {
        self.place_in_flight(id, |message| message.slot == slot)?;
        loop {
            // What has come back meanwhile stands before them, and was not handed over.
            let place = self.place_in_flight(id, |message| message.handed)?;
            let message = self.take_off(id, place)?;
            if message.slot == slot {
                return Some(message);
            }
            self.outcome(id, message, Verdict::Ended, false);
        }
    }

    fn place_in_flight(&self, id: CellId, fits: impl Fn(&Message) -> bool) -> Option<usize> {
        self.table.get(id)?.rare.as_deref()?.flight.iter().position(fits)
    }

    fn take_off(&mut self, id: CellId, place: usize) -> Option<Message> {
        let message = self.table.get_mut(id)?.rare.as_deref_mut()?.flight.remove(place)?;
        if !message.control {
            self.release(id);
        }
        Some(message)
    }

    /// The turn of a message goes on, or may: it has asked for something. Of an `init`, that it has begun.
    pub(super) fn flight_opened(&mut self, id: CellId, slot: u32, number: u32) {
        let Some(cell) = self.table.get_mut(id) else { return };
        let limit_ms = cell.options.turn_timeout_ms;
        let lives = cell.phase == Phase::Live;
        if let Turn::Open(open) = &mut cell.turn {
            open.number = number;
            if limit_ms != 0 && open.deadline.is_none() {
                self.limit_turn(id, limit_ms, Due::Turn(id));
            }
        } else if let Some((message, _)) = lives.then(|| self.land(id, slot)).flatten() {
            self.open_turn(id, number, Some(message));
        }
    }

    pub(super) fn flight_out(&mut self, id: CellId, slot: u32, verdict: Verdict) {
        if verdict == Verdict::NotRun {
            // It was not handed over; of those before it this says nothing.
            let refused = self
                .place_in_flight(id, |message| message.slot == slot)
                .and_then(|place| self.take_off(id, place));
            refused.into_iter().for_each(|message| self.lose(id, message, Lost::Withdrawn, AskEnd::Refused));
        } else if let Some((message, late)) = self.land(id, slot) {
            self.outcome(id, message, verdict, late);
        }
        // Its host, which knows what was deferred, begins no turn until it was asked.
        let has_deferred = |cell: &Cell| cell.rare.as_deref().is_some_and(|rare| rare.put_aside);
        if verdict.became() && self.table.get(id).is_some_and(has_deferred) {
            self.controls.push_back(Control::Recall(id));
        }
        self.controls.push_back(Control::Changed(id));
        self.wake(id);
    }

    /// Asks the host for the flight, if there is one. Whether all of it is back.
    pub(super) fn recall(&mut self, id: CellId) -> bool {
        let Some(rare) = self.table.rare_mut(id) else { return true };
        if !rare.recalled && !rare.flight.is_empty() {
            rare.recalled = true;
            self.effects.push_back(Effect::Recall { cell: id });
        }
        !rare.recalled
    }

    /// Asks the host for the flight, also where there is none: deferred messages come back before it.
    pub(super) fn recall_deferred(&mut self, id: CellId) {
        let Some(cell) = self.table.get_mut(id) else { return };
        cell.undefer();
        if !std::mem::replace(&mut cell.rare_mut().recalled, true) {
            self.effects.push_back(Effect::Recall { cell: id });
        }
    }

    /// The host's answer: the message that runs, if one does, and nothing else of the flight will.
    pub(super) fn flight_recalled(&mut self, id: CellId, running: u32) {
        let running = self.land_next(id, running);
        let Some(cell) = self.table.get_mut(id) else { return };
        let rare = cell.rare_mut();
        rare.recalled = false;
        let flight = std::mem::take(&mut rare.flight);
        flight.into_iter().rev().for_each(|message| cell.put_back(message));
        let alive = cell.phase == Phase::Live;
        if let Some(message) = running {
            if alive {
                self.open_turn(id, UNKNOWN_TURN, Some(message));
            } else {
                self.lose(id, message, Lost::InTurn, AskEnd::LostInTurn);
            }
        }
        // Its end, or its start, may have waited for this.
        self.controls.push_back(Control::Changed(id));
        self.tell_above(id);
        self.wake(id);
    }
}
