//! Messages on their way into a mailbox, and room on its way back to senders.

use super::*;

impl Scheduler {
    /// A message whose sender took a credit.
    pub(super) fn send(&mut self, id: CellId, message: Message) {
        self.stats.sent += 1;
        let Some(cell) = self.table.get_mut(id).filter(|cell| !cell.is_stopping()) else {
            self.lose(id, message, Lost::Stopped, AskEnd::Stopped);
            return;
        };
        let limit = cell.options.mailbox_limit as usize;
        if cell.options.drop_oldest
            && cell.depth_of_mailbox() >= limit
            && let Some(oldest) = cell.take_oldest()
        {
            cell.mailbox.push_back(message);
            self.credits.add(id.index(), 1);
            self.lose(id, oldest, Lost::Dropped, AskEnd::Refused);
            return self.wake(id);
        }
        // A host that takes credits never gets here, but where more is owed than there is room; one that does not cannot fill the memory either.
        let crowded = cell.mailbox.len() >= limit + RUN_MAX && self.credits.get(id.index()) >= 0;
        if crowded && cell.depth_of_mailbox() >= limit + RUN_MAX {
            self.release(id);
            self.lose(id, message, Lost::Full, AskEnd::Refused);
            return;
        }
        let (len, spare) = (cell.mailbox.len(), self.spare.capacity());
        if len >= BATCH_MAX && len == cell.mailbox.capacity() && spare > len {
            self.spare.extend(cell.mailbox.drain(..));
            std::mem::swap(&mut self.spare, &mut cell.mailbox);
        }
        cell.mailbox.push_back(message);
        self.wake(id);
    }

    /// A message that goes before those of users, and needs no room.
    pub(super) fn send_control(&mut self, id: CellId, slot: u32) {
        self.stats.sent += 1;
        let message = Message { control: true, ..Message::new(slot) };
        match self.table.get_mut(id).filter(|cell| !cell.is_stopping()) {
            None => self.lose(id, message, Lost::Stopped, AskEnd::Stopped),
            Some(cell) if cell.controls() >= CONTROL_MAX => {
                self.lose(id, message, Lost::Full, AskEnd::Refused);
            }
            Some(cell) => {
                cell.mailbox.insert(cell.controls(), message);
                // It goes before all that a host was handed, too.
                self.recall(id);
                self.wake(id);
            }
        }
    }

    /// A message that takes room whether there is any or not, and is never dropped for another.
    pub(super) fn send_owed(&mut self, id: CellId, slot: u32) {
        self.stats.sent += 1;
        let message = Message { owed: true, ..Message::new(slot) };
        let Some(cell) = self.table.get_mut(id).filter(|cell| !cell.is_stopping()) else {
            return self.lose(id, message, Lost::Stopped, AskEnd::Stopped);
        };
        match cell.rare.as_deref_mut().filter(|rare| !rare.waiters.is_empty()) {
            // Those may be of the same sender.
            Some(rare) => rare.waiters.push_back(message),
            None => {
                cell.mailbox.push_back(message);
                self.occupy(id, message);
                self.wake(id);
            }
        }
    }

    /// A message that waits for room if there is none.
    pub(super) fn deliver(&mut self, id: CellId, slot: u32) {
        let message = Message::new(slot);
        let Some(cell) = self.table.get_mut(id).filter(|cell| !cell.is_stopping()) else {
            self.stats.sent += 1;
            self.lose(id, message, Lost::Stopped, AskEnd::Stopped);
            return;
        };
        if cell.options.drop_oldest {
            self.credits.add(id.index(), -1);
        }
        if cell.options.drop_oldest || self.credits.take(id.index()) {
            self.effects.push_back(Effect::Admitted { cell: id, slot });
            self.send(id, message);
            return;
        }
        self.stats.sent += 1;
        let waiters = &mut cell.rare_mut().waiters;
        if waiters.len() < WAITERS_MAX {
            waiters.push_back(message);
        } else {
            self.lose(id, message, Lost::Full, AskEnd::Refused);
        }
    }

    /// Calls a delivery off, if it still waits.
    pub(super) fn withdraw(&mut self, id: CellId, slot: u32) {
        let Some(Rare { waiters, .. }) = self.table.rare_mut(id) else { return };
        let place = waiters.iter().position(|message| message.slot == slot);
        if let Some(message) = place.and_then(|place| waiters.remove(place)) {
            self.lose(id, message, Lost::Withdrawn, AskEnd::Refused);
        }
    }

    /// Room for one more: the oldest that waits takes it, or a credit holds it.
    pub(super) fn release(&mut self, id: CellId) {
        let Some(cell) = self.table.get_mut(id).filter(|cell| !cell.is_stopping()) else { return };
        if self.credits.get(id.index()) >= 0
            && let Some(message) = cell.rare.as_deref_mut().and_then(|rare| rare.waiters.pop_front())
        {
            cell.mailbox.push_back(message);
            self.effects.push_back(Effect::Admitted { cell: id, slot: message.slot });
            return self.wake(id);
        }
        self.credits.add(id.index(), 1);
    }

    /// A message comes back to the mailbox: it needs room again, whether there is any or not.
    pub(super) fn occupy(&mut self, id: CellId, message: Message) {
        if !message.control && self.table.get(id).is_some_and(|cell| !cell.is_stopping()) {
            self.credits.add(id.index(), -1);
        }
    }

    /// The message has an outcome that is not a turn's end, and its ask, if it is one, this answer.
    pub(super) fn lose(&mut self, id: CellId, message: Message, why: Lost, end: AskEnd) {
        let count = match why {
            Lost::Full | Lost::Withdrawn | Lost::Cycle => &mut self.stats.refused,
            Lost::Stopped | Lost::InTurn | Lost::Dropped => &mut self.stats.dead_letters,
            Lost::Conflict => &mut self.stats.conflicts,
        };
        *count += 1;
        self.effects.push_back(Effect::Lost { cell: id, slot: message.slot, why });
        self.settle_ask(message.slot, end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mailbox_that_was_long_and_is_empty_lends_its_memory_to_the_next_that_grows() {
        let mut scheduler = Scheduler::new(1);
        let options = CellOptions { mailbox_limit: 10_000, ..CellOptions::default() };
        let [one, other] = ["one", "other"].map(|name| {
            let cell = scheduler.spawn(scheduler.root, name, false, options, None).unwrap();
            scheduler.step(0, 0);
            cell
        });
        let fill = |scheduler: &mut Scheduler, cell: CellId, messages: u32| {
            for slot in 0..messages {
                assert!(scheduler.credits.take(cell.index()));
                scheduler.send(cell, Message::new(slot));
            }
            scheduler.table.get(cell).unwrap().mailbox.capacity()
        };
        let most = fill(&mut scheduler, one, 5_000);
        let mut ran = scheduler.issue().count();
        while ran > 0 {
            scheduler.step(0, ran);
            ran = scheduler.issue().count();
        }
        scheduler.step(0, 0);
        assert_eq!(scheduler.table.get(one).unwrap().mailbox.capacity(), 0);
        assert!(fill(&mut scheduler, other, 10) < most);
        assert_eq!(fill(&mut scheduler, other, 2_000), most);
        assert_eq!(scheduler.stats.ended, 5_000);
    }
}
