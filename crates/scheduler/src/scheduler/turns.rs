//! Batches: which messages run next, and how those that ran came out.

use super::*;

/// The neighbouring messages of one cell in a batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    cell: CellId,
    first: u32,
    count: u32,
    /// The first that is not used up: those from here on go back.
    until: u32,
    /// How many of those used up were reported: their outcome is counted elsewhere, or there is none yet.
    set_apart: u32,
    became: bool,
}

impl Scheduler {
    /// Issues the next batch; only after a step, when none is out. Cells in turn, each with a bounded run.
    pub fn issue(&mut self) -> impl Iterator<Item = Issue> + '_ {
        debug_assert!(self.runs.is_empty(), "a batch is out already");
        while self.batch.len() < BATCH_MAX {
            let Some(id) = self.next_ready() else { break };
            let Some(cell) = self.table.get_mut(id) else { continue };
            cell.queued = false;
            if !cell.is_runnable() {
                continue;
            }
            let remote = cell.options.remote;
            let most = if remote { cell.window() } else { RUN_MAX };
            let count = cell.mailbox.len().min(RUN_MAX).min(most).min(BATCH_MAX - self.batch.len());
            let first = self.batch.len() as u32;
            let run = self.runs.len() as u32;
            let controls = cell.controls().min(count);
            self.batch.extend(cell.mailbox.drain(..count).map(|message| (id, run, message)));
            if cell.mailbox.is_empty() && cell.mailbox.capacity() > BATCH_MAX {
                // Whoever grows next takes the larger one: memory that is new is cleared by the system first, in large pages.
                let emptied = std::mem::take(&mut cell.mailbox);
                if emptied.capacity() > self.spare.capacity() {
                    self.spare = emptied;
                }
            }
            if remote {
                let issued = self.batch[first as usize..].iter();
                let handed = issued.map(|&(.., message)| Message { handed: true, ..message });
                cell.rare_mut().flight.extend(handed);
            } else {
                cell.turn = Turn::Issued;
                (controls..count).for_each(|_| self.release(id));
            }
            let count = count as u32;
            self.runs.push(Run { cell: id, first, count, until: first + count, set_apart: 0, became: false });
        }
        self.batch.iter().map(|&(cell, _, message)| Issue { cell, slot: message.slot })
    }

    /// Ends the batch. What was run and not reported has ended; what was not run goes back, in order.
    pub(super) fn conclude(&mut self, ran: usize) {
        let mut runs = std::mem::take(&mut self.runs);
        let mut batch = std::mem::take(&mut self.batch);
        let ran = ran.min(batch.len()) as u32;
        // Backwards, so that cells that had no turn at all stand before all others, in their order.
        for run in runs.iter().rev() {
            let until = run.until.min(ran.max(run.first));
            let back = &batch[until as usize..(run.first + run.count) as usize];
            if let Some(cell) = self.table.get_mut(run.cell).filter(|cell| cell.options.remote) {
                cell.take_back(back.len());
                continue;
            }
            self.stats.ended += u64::from(until - run.first - run.set_apart);
            for &(cell, _, message) in back {
                self.occupy(cell, message);
            }
            let Some(cell) = self.table.get_mut(run.cell) else { continue };
            for &(_, _, message) in back.iter().rev() {
                cell.put_back(message);
            }
            if run.became {
                cell.undefer();
            }
            if cell.turn == Turn::Issued {
                cell.turn = Turn::None;
            }
            if until == run.first && !cell.queued && cell.is_runnable() {
                cell.queued = true;
                self.ready.push_front(run.cell);
            }
        }
        for run in &runs {
            self.wake(run.cell);
        }
        runs.clear();
        batch.clear();
        (self.runs, self.batch) = (runs, batch);
    }

    /// A message to an idle cell that the host ran already joins the batch at its end, as if it had been issued.
    pub(super) fn adopt_message(&mut self, id: CellId, slot: u32) -> Taken {
        self.stats.sent += 1;
        let idle = |cell: &&mut Cell| cell.phase == Phase::Live && !matches!(cell.turn, Turn::Open(_));
        let cell = self.table.get_mut(id).filter(idle);
        let cell = cell.ok_or("a message was run by a cell that was not idle")?;
        cell.turn = Turn::Issued;
        let (first, run) = (self.batch.len() as u32, self.runs.len() as u32);
        self.batch.push((id, run, Message::new(slot)));
        self.runs.push(Run { cell: id, first, count: 1, until: first + 1, set_apart: 0, became: false });
        Ok(())
    }

    pub(super) fn turn_went_async(&mut self, position: u32, number: u32) -> Taken {
        let (id, run, message) = self.use_up(position)?;
        let run = &mut self.runs[run as usize];
        run.until = position + 1;
        run.set_apart += 1;
        self.open_turn(id, number, Some(message));
        Ok(())
    }

    /// A turn or an `init` goes on; its time limit, if it has one, begins.
    pub(super) fn open_turn(&mut self, id: CellId, number: u32, message: Option<Message>) {
        let Some(cell) = self.table.get_mut(id) else { return };
        let limit_ms = cell.options.turn_timeout_ms;
        let open = OpenTurn { number, message, deadline: None, late: false, stopping: false };
        cell.turn = Turn::Open(Box::new(open));
        // Until a remote cell has begun, somebody else takes the time: a worker that starts.
        let begins = cell.options.remote && number == INIT_TURN;
        if limit_ms != 0 && !begins {
            self.limit_turn(id, limit_ms, Due::Turn(id));
        }
    }

    pub(super) fn turn_result(&mut self, position: u32, verdict: Verdict) -> Taken {
        let (id, place, message) = self.use_up(position)?;
        let run = &mut self.runs[place as usize];
        run.became |= verdict.became();
        run.until = match verdict {
            Verdict::Ended | Verdict::Deferred => run.until,
            Verdict::NotRun => position,
            _ => position + 1,
        };
        if verdict != Verdict::NotRun {
            run.set_apart += 1;
            self.outcome(id, message, verdict, false);
        }
        Ok(())
    }

    pub(super) fn turn_settled(&mut self, id: CellId, number: u32, verdict: Verdict) -> Taken {
        let Some(cell) = self.table.get_mut(id) else { return Ok(()) };
        let Turn::Open(open) = &cell.turn else { return Ok(()) };
        let open = **open;
        let Some(message) = open.message.filter(|_| open.number == number) else { return Ok(()) };
        require(verdict != Verdict::NotRun, || "a turn that went on was not run")?;
        self.close_turn(id);
        self.outcome(id, message, verdict, open.late);
        if let Some(cell) = self.table.get_mut(id).filter(|_| verdict.became()) {
            cell.undefer();
        }
        self.controls.push_back(Control::Changed(id));
        self.wake(id);
        Ok(())
    }

    /// Ends the open turn or `init`, its time limit with it.
    pub(super) fn close_turn(&mut self, id: CellId) -> Option<OpenTurn> {
        let cell = self.table.get_mut(id)?;
        let Turn::Open(open) = &cell.turn else { return None };
        let open = **open;
        cell.turn = Turn::None;
        self.deadlines.cancel(open.deadline);
        Some(open)
    }

    pub(super) fn init_settled(&mut self, id: CellId, incarnation: u32, verdict: Verdict) {
        let starts = |cell: &&Cell| cell.phase == Phase::Starting && cell.incarnation == incarnation;
        let Some(_) = self.table.get(id).filter(starts) else { return };
        let Some(open) = self.close_turn(id) else { return };
        if verdict == Verdict::Ended {
            self.controls.push_back(Control::Changed(id));
            self.is_up(id);
        } else {
            let death = if open.late { Death::Timeout } else { Death::Init };
            self.controls.push_back(Control::Fail(id, incarnation, death));
        }
    }

    /// What follows from how a turn came out.
    pub(super) fn outcome(&mut self, id: CellId, message: Message, verdict: Verdict, late: bool) {
        let Some(cell) = self.table.get_mut(id) else { return };
        let incarnation = cell.incarnation;
        // What a remote incarnation says that was dead by then is nothing to the next one.
        let lives = cell.phase == Phase::Live;
        match verdict {
            Verdict::Ended | Verdict::Became => self.stats.ended += 1,
            Verdict::Deferred | Verdict::DeferredBecame | Verdict::Conflict if !lives => {
                cell.put_back(message);
                self.occupy(id, message);
            }
            Verdict::Deferred | Verdict::DeferredBecame => {
                // From here on it waits as any other.
                let message = Message { control: false, ..message };
                let rare = cell.rare_mut();
                rare.put_aside = true;
                rare.deferred.push_back(message);
                self.occupy(id, message);
            }
            Verdict::NotRun => {}
            Verdict::Conflict => {
                let again = u32::from(message.redeliveries) < REDELIVERIES_MAX;
                let message = Message { redeliveries: message.redeliveries + 1, ..message };
                if !again {
                    self.lose(id, message, Lost::Conflict, AskEnd::Conflict);
                }
                let message = again.then_some(message);
                self.controls.push_back(Control::Redeliver(id, incarnation, message));
            }
            Verdict::Failed | Verdict::Invariant | Verdict::Stopped => {
                self.stats.failed += 1;
                self.settle_ask(message.slot, if late { AskEnd::TurnTimeout } else { AskEnd::Failed });
                let death = match verdict {
                    _ if late => Death::Timeout,
                    Verdict::Invariant => Death::Invariant,
                    Verdict::Stopped => Death::Cpu,
                    _ => Death::Error,
                };
                self.controls.extend(lives.then_some(Control::Fail(id, incarnation, death)));
            }
        }
    }

    fn use_up(&self, position: u32) -> Taken<(CellId, u32, Message)> {
        let &(id, run, message) =
            self.batch.get(position as usize).ok_or("a message that is not in the batch")?;
        let open = self.runs.get(run as usize).is_some_and(|run| position < run.until);
        require(open, || "a message after the end of its run").map(|()| (id, run, message))
    }
}
