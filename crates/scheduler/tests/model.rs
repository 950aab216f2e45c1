//! Random hosts against the scheduler: what must hold whatever is sent, fails, restarts or stops.
//!
//! The host here keeps its own books in plain maps and checks every effect against them. `KARYON_SEED=n` replays one
//! seed; a failure prints the seed that it had.

#![allow(clippy::unwrap_used)]

use karyon_scheduler::{
    AskEnd, AutoShutdown, Backoff, CLOSED, CellId, CellOptions, Class, Death, Effect, Gone, Issue, Lost,
    NO_SLOT, Record, Restart, RestartPolicy, Scheduler, Strategy, SupervisorPolicy, Verdict,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::Ordering::Relaxed;

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    fn one_in(&mut self, sides: u64) -> bool {
        self.roll(sides) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        (!from.is_empty()).then(|| from[self.roll(from.len() as u64) as usize])
    }
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Stage {
    /// On its way, waiting, or running.
    Open,
    Done,
}

struct Letter {
    to: CellId,
    from: CellId,
    number: u64,
    ask: bool,
    control: bool,
    owed: bool,
    message: Stage,
    answer: Stage,
    deferred: bool,
    attempts: u32,
}

struct CellBook {
    limit: u32,
    drop_oldest: bool,
    paused: bool,
    incarnation: u32,
    alive: bool,
    /// It is certain that this incarnation has begun: it may have to wait for that.
    begun: bool,
    /// A message was issued to this incarnation.
    issued: bool,
    supervised: bool,
    /// Its supervisor and its place there, if its specification stays when it ends.
    keeps: Option<(CellId, u32)>,
    /// It stands below the root, and nobody told it to stop.
    unharmed: bool,
    open_turn: Option<(u32, u32)>,
    /// Its turns run elsewhere.
    elsewhere: Option<Elsewhere>,
    starting: bool,
    counted_restarts_us: VecDeque<u64>,
}

/// What is known of a remote cell where its turns run.
#[derive(Default)]
struct Elsewhere {
    /// Handed over and not begun.
    handed: VecDeque<u32>,
    /// The message whose turn runs, that turn's number, and whether the scheduler was told of it.
    runs: Option<(u32, u32, bool)>,
    /// It has put messages aside since its behaviour last changed.
    deferred: bool,
    /// It begins nothing until it was asked for what it was handed.
    closed: bool,
    /// The scheduler has asked, and knows that it runs.
    found: bool,
    /// What has simply ended and was not told of.
    untold: Vec<u32>,
}

struct Host {
    dice: Dice,
    scheduler: Scheduler,
    cells: BTreeMap<CellId, CellBook>,
    /// Those that are gone, and of which something may be told still.
    leaving: BTreeSet<CellId>,
    parents: Vec<CellId>,
    letters: BTreeMap<u32, Letter>,
    free: Vec<u32>,
    slots: u32,
    turns: u32,
    timers: BTreeMap<u32, CellId>,
    /// The last place that was given to a child.
    places: u32,
    /// Places of children that ended and were not forgotten; those of which the scheduler wants to know who takes them.
    vacant: BTreeSet<(CellId, u32)>,
    asked: BTreeSet<(CellId, u32)>,
    /// Cells of which the scheduler wants to know what runs.
    recalls: Vec<CellId>,
    /// Timers of incarnations that died: the scheduler owes word of their end.
    owed: BTreeSet<u32>,
    /// Nothing but messages was told since the last step.
    plain: bool,
    next_number: u64,
    /// The last letter of each class, of each sender, that each cell ended, for order.
    last_seen: BTreeMap<(CellId, CellId, bool), u64>,
    log: Vec<String>,
    host_refused: u64,
    now_us: u64,
}

const INTENSITY: u32 = 3;
const PERIOD_MS: u32 = 50;

impl Host {
    fn new(seed: u64) -> Self {
        let mut host = Host {
            dice: Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            scheduler: Scheduler::new(seed),
            cells: BTreeMap::new(),
            leaving: BTreeSet::new(),
            parents: Vec::new(),
            letters: BTreeMap::new(),
            free: Vec::new(),
            slots: 0,
            turns: 0,
            timers: BTreeMap::new(),
            places: 0,
            vacant: BTreeSet::new(),
            asked: BTreeSet::new(),
            recalls: Vec::new(),
            owed: BTreeSet::new(),
            plain: true,
            next_number: 0,
            last_seen: BTreeMap::new(),
            log: Vec::new(),
            host_refused: 0,
            now_us: 0,
        };
        let root = host.scheduler.root();
        let backoff = Backoff { initial_ms: host.dice.roll(3) as f64, factor: 2.0, max_ms: 8.0, jitter: 0.5 };
        let restart = RestartPolicy { intensity: INTENSITY, period_ms: PERIOD_MS, backoff };
        let mut policy = || {
            use {AutoShutdown::*, Strategy::*};
            let strategy = [OneForOne, OneForAll, RestForOne, SimpleOneForOne][host.dice.roll(4) as usize];
            let auto_shutdown = [Never, Never, AnySignificant, AllSignificant][host.dice.roll(4) as usize];
            SupervisorPolicy { restart, strategy, auto_shutdown }
        };
        let (one, two) = (policy(), policy());
        let options = CellOptions { restart: Restart::Permanent, ..CellOptions::default() };
        let above = host.scheduler.spawn(root, "above", false, options, Some(one)).unwrap();
        let below = host.scheduler.spawn(above, "below", false, options, Some(two)).unwrap();
        host.parents = vec![root, root, above, below];
        for _ in 0..6 {
            host.spawn(None);
        }
        host
    }

    /// Spawns a cell anywhere, or in a place; whether that was possible.
    fn spawn(&mut self, place: Option<(CellId, u32)>) -> bool {
        let anywhere = self.dice.pick(&self.parents).unwrap();
        self.places += 1;
        let (parent, place) = place.unwrap_or((anywhere, self.places));
        let options = CellOptions {
            restart: [Restart::Transient, Restart::Permanent, Restart::Temporary][self.dice.roll(3) as usize],
            has_init: self.dice.one_in(2),
            mailbox_limit: 1 + self.dice.roll(6) as u32,
            drop_oldest: self.dice.one_in(4),
            turn_timeout_ms: if self.dice.one_in(3) { 5 } else { 0 },
            turn_cpu_ms: 0,
            shutdown_ms: [0, 3, 5_000, u32::MAX][self.dice.roll(4) as usize],
            significant: self.dice.one_in(8),
            remote: self.dice.one_in(2),
            dynamic: self.dice.one_in(4),
            place,
        };
        let Ok(id) = self.scheduler.spawn(parent, "cell", true, options, None) else { return false };
        let taken = self.leaving.iter().chain(self.cells.keys()).find(|cell| cell.index() == id.index());
        assert_eq!(taken, None, "the place is not free");
        self.vacant.remove(&(parent, place));
        self.asked.remove(&(parent, place));
        if self.dice.one_in(4) {
            self.parents.push(id);
        }
        let supervised = parent != self.scheduler.root() && !self.cells.contains_key(&parent);
        self.cells.insert(
            id,
            CellBook {
                limit: options.mailbox_limit,
                drop_oldest: options.drop_oldest,
                paused: false,
                incarnation: 1,
                alive: true,
                begun: !supervised,
                issued: false,
                supervised,
                keeps: (supervised && options.restart != Restart::Temporary).then_some((parent, place)),
                unharmed: parent == self.scheduler.root(),
                open_turn: None,
                elsewhere: options.remote.then(Elsewhere::default),
                starting: false,
                counted_restarts_us: VecDeque::new(),
            },
        );
        true
    }

    /// Says who takes the places that are to be filled: another cell, nobody for now, or nobody ever.
    fn fill(&mut self, all: bool) {
        for (cell, place) in self.asked.clone() {
            if !all && self.dice.one_in(3) || self.dice.one_in(2) && self.spawn(Some((cell, place))) {
                continue;
            }
            let forget = self.dice.one_in(2);
            self.asked.remove(&(cell, place));
            if forget {
                self.vacant.remove(&(cell, place));
            }
            self.take(Record::Vacant { cell, place, forget });
        }
    }

    fn take(&mut self, record: Record) {
        self.log.push(format!("{record:?}"));
        if let Record::Stop { cell, .. } = record {
            let all = cell == self.scheduler.root();
            let told = self.cells.iter_mut().filter(|(id, _)| all || **id == cell);
            told.for_each(|(_, book)| book.unharmed = false);
        }
        self.plain &= matches!(record, Record::Send { .. });
        // Through words and back, as the host would write it.
        assert_eq!(Record::decode(record.encode()), Some(record));
        self.scheduler.take(record).unwrap();
    }

    fn slot(&mut self, to: CellId, from: CellId, ask: bool, control: bool) -> u32 {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots += 1;
            self.slots - 1
        });
        self.next_number += 1;
        let answer = if ask { Stage::Open } else { Stage::Done };
        let number = self.next_number;
        let letter = Letter {
            to,
            from,
            number,
            ask,
            control,
            owed: false,
            message: Stage::Open,
            answer,
            deferred: false,
            attempts: 0,
        };
        assert!(self.letters.insert(slot, letter).is_none(), "slot {slot} is in use");
        slot
    }

    fn any_cell(&mut self) -> Option<CellId> {
        let ids: Vec<_> = self.cells.keys().copied().collect();
        self.dice.pick(&ids)
    }

    fn owe(&mut self, to: CellId, from: CellId) {
        let slot = self.slot(to, from, false, false);
        self.letters.get_mut(&slot).unwrap().owed = true;
        self.take(Record::Send { cell: to, slot, class: Class::Owed });
    }

    fn send_something(&mut self, from: Option<(CellId, u32)>) {
        let Some(to) = self.any_cell() else { return };
        let sender = from.map_or(CellId::NONE, |(cell, _)| cell);
        match self.dice.roll(10) {
            9 => self.owe(to, sender),
            8 => {
                let slot = self.slot(to, sender, false, true);
                self.take(Record::Send { cell: to, slot, class: Class::Control });
            }
            0 => {
                let slot = self.slot(to, sender, false, false);
                self.take(Record::Deliver { cell: to, slot });
                if self.dice.one_in(4) {
                    self.take(Record::Withdraw { cell: to, slot });
                }
            }
            kind => {
                if self.cells[&to].drop_oldest && !self.scheduler.is_stopping(to) {
                    self.scheduler.credits().words()[to.index()].fetch_sub(1, Relaxed);
                } else if !self.scheduler.credits().take(to.index()) {
                    self.host_refused += 1;
                    return;
                }
                let ask = kind < 4;
                let slot = self.slot(to, sender, ask, false);
                if ask {
                    let turn = from.map_or(0, |(_, turn)| turn);
                    let timeout_ms = [0, 3, 20][self.dice.roll(3) as usize];
                    self.take(Record::Ask { cell: to, slot, asker: sender, turn, timeout_ms });
                    if self.dice.one_in(10) {
                        self.take(Record::Abandon { slot });
                    }
                } else {
                    self.take(Record::Send { cell: to, slot, class: Class::User });
                }
            }
        }
    }

    /// The turn is over for the host: the letter has its outcome, and perhaps its answer.
    fn ended(&mut self, slot: u32, replied: bool) {
        let letter = self.letters.get_mut(&slot).unwrap();
        assert_eq!(letter.message, Stage::Open, "slot {slot} has two outcomes");
        letter.message = Stage::Done;
        if replied && !letter.deferred && letter.attempts == 0 {
            let last = self.last_seen.insert((letter.from, letter.to, letter.control), letter.number);
            assert!(last.is_none_or(|last| last < letter.number), "slot {slot} overtook an earlier one");
        }
        let (ask, answer) = (letter.ask, letter.answer);
        if replied && ask && answer == Stage::Open {
            self.take(Record::Reply { slot });
        }
        self.free_if_done(slot);
    }

    fn free_if_done(&mut self, slot: u32) {
        let letter = &self.letters[&slot];
        if letter.message == Stage::Done && letter.answer == Stage::Done {
            self.letters.remove(&slot);
            self.free.push(slot);
        }
    }

    fn verdict(&mut self) -> Verdict {
        match self.dice.roll(40) {
            0 => Verdict::Failed,
            1 => Verdict::Invariant,
            2 => Verdict::Conflict,
            3 => Verdict::Deferred,
            4 | 5 => Verdict::Became,
            6 => Verdict::DeferredBecame,
            7 => Verdict::Stopped,
            _ => Verdict::Ended,
        }
    }

    /// What the host itself knows once a turn is over.
    fn note(&mut self, slot: u32, verdict: Verdict) {
        match verdict {
            Verdict::Ended | Verdict::Became => self.ended(slot, true),
            Verdict::Failed | Verdict::Invariant | Verdict::Stopped => self.ended(slot, false),
            Verdict::Conflict => self.letters.get_mut(&slot).unwrap().attempts += 1,
            Verdict::Deferred | Verdict::DeferredBecame => {
                self.letters.get_mut(&slot).unwrap().deferred = true
            }
            Verdict::NotRun => {}
        }
    }

    /// Runs a batch up to a random place; how far it got.
    fn run_batch(&mut self, batch: &[Issue]) -> usize {
        let stop_at =
            if self.dice.one_in(5) { self.dice.roll(batch.len() as u64 + 1) as usize } else { batch.len() };
        let mut closed: Option<CellId> = None;
        for (position, issue) in batch.iter().enumerate().take(stop_at) {
            if closed == Some(issue.cell) {
                continue;
            }
            closed = None;
            assert!(self.cells[&issue.cell].alive, "a turn for a dead incarnation");
            assert!(!self.cells[&issue.cell].paused, "a turn of a paused cell");
            assert!(self.cells[&issue.cell].open_turn.is_none(), "two turns at once");
            assert!(!self.cells[&issue.cell].starting, "a turn before init");
            assert_eq!(self.letters[&issue.slot].to, issue.cell);
            let book = self.cells.get_mut(&issue.cell).unwrap();
            book.begun = true;
            if let Some(elsewhere) = &mut book.elsewhere {
                if self.dice.one_in(25) {
                    let position = position as u32;
                    self.take(Record::Result { position, verdict: Verdict::NotRun });
                    closed = Some(issue.cell);
                } else {
                    elsewhere.handed.push_back(issue.slot);
                }
                continue;
            }
            book.issued = true;
            self.turns += 1;
            let (position, turn) = (position as u32, self.turns);
            for _ in 0..self.dice.roll(3) {
                self.send_something(Some((issue.cell, turn)));
            }
            if self.dice.one_in(30) {
                let incarnation = self.cells[&issue.cell].incarnation;
                let death = self.dice.pick(&[Death::Ended, Death::Budget]).unwrap();
                self.take(Record::Finish { cell: issue.cell, incarnation, death });
                self.take(Record::Lease { cell: issue.cell, incarnation, period_ms: self.turns % 4 });
            }
            if self.dice.one_in(6) {
                self.take(Record::Async { position, turn });
                self.cells.get_mut(&issue.cell).unwrap().open_turn = Some((turn, issue.slot));
                closed = Some(issue.cell);
                continue;
            }
            if self.dice.one_in(25) {
                self.take(Record::Result { position, verdict: Verdict::NotRun });
                closed = Some(issue.cell);
                continue;
            }
            let verdict = self.verdict();
            if verdict != Verdict::Ended {
                self.take(Record::Result { position, verdict });
            }
            self.note(issue.slot, verdict);
            if !matches!(verdict, Verdict::Ended | Verdict::Deferred) {
                closed = Some(issue.cell);
            }
        }
        if stop_at == batch.len() { stop_at + self.run_here(batch.len() as u32) } else { stop_at }
    }

    /// Runs messages to idle cells that were never issued, as a host may; how many it had adopted.
    fn run_here(&mut self, mut position: u32) -> usize {
        let batch = position;
        while self.plain && self.dice.one_in(2) {
            let idle: Vec<_> =
                self.cells.iter().filter(|(id, book)| self.is_idle(**id, book)).map(|(id, _)| *id).collect();
            let Some(cell) = self.dice.pick(&idle) else { break };
            let slot = self.slot(cell, CellId::NONE, false, false);
            self.turns += 1;
            let turn = self.turns;
            if self.dice.one_in(3) {
                self.send_something(Some((cell, turn)));
            }
            let verdict = self.verdict();
            let goes_on = self.dice.one_in(6);
            if verdict == Verdict::Ended && !goes_on {
                self.log.push(format!("ended {slot} here"));
                self.scheduler.count_ended(1);
                self.note(slot, verdict);
                continue;
            }
            self.take(Record::Adopt { cell, slot });
            if goes_on {
                self.take(Record::Async { position, turn });
                self.cells.get_mut(&cell).unwrap().open_turn = Some((turn, slot));
            } else {
                self.take(Record::Result { position, verdict });
                self.note(slot, verdict);
            }
            position += 1;
        }
        (position - batch) as usize
    }

    fn is_idle(&self, id: CellId, book: &CellBook) -> bool {
        let room = self.scheduler.credits().words()[id.index()].load(Relaxed);
        let quiet = !book.paused && !self.letters.values().any(|letter| letter.to == id && letter.control);
        quiet
            && book.alive
            && book.issued
            && book.open_turn.is_none()
            && i64::from(room) == i64::from(book.limit)
    }

    /// Turns of a remote cell begin, go on and end, while the scheduler sees nothing but what is reported.
    fn run_elsewhere(&mut self, cell: CellId, all: bool) {
        while all || !self.dice.one_in(3) {
            self.turns += 1;
            let turn = self.turns;
            let book = self.cells.get_mut(&cell).unwrap();
            let (alive, Some(there)) = (book.alive && !book.starting, &mut book.elsewhere) else { return };
            if !alive || there.closed {
                return;
            }
            if there.runs.is_none() {
                there.runs = there.handed.pop_front().map(|slot| (slot, turn, false));
                if there.runs.is_none() {
                    return;
                }
                (0..if all { 0 } else { self.dice.roll(3) })
                    .for_each(|_| self.send_something(Some((cell, turn))));
                continue;
            }
            let Some((slot, turn, told)) = there.runs else { return };
            if !all && self.dice.one_in(3) {
                if !told {
                    there.runs = Some((slot, turn, true));
                    self.take(Record::Opened { cell, slot, turn });
                    self.note_untold(cell);
                }
                return;
            }
            let verdict = if all { Verdict::Ended } else { self.verdict() };
            let there = self.cells.get_mut(&cell).unwrap().elsewhere.as_mut().unwrap();
            there.runs = None;
            let found = std::mem::take(&mut there.found);
            there.deferred |= matches!(verdict, Verdict::Deferred | Verdict::DeferredBecame);
            let became = matches!(verdict, Verdict::Became | Verdict::DeferredBecame);
            there.closed = became && there.deferred
                || matches!(verdict, Verdict::Failed | Verdict::Invariant | Verdict::Conflict);
            there.deferred &= !became;
            // What goes without saying is said with what comes next.
            if verdict == Verdict::Ended
                && !told
                && !found
                && !self.letters[&slot].ask
                && !self.dice.one_in(3)
            {
                there.untold.push(slot);
                continue;
            }
            self.take(Record::Out { cell, slot, verdict });
            self.note_untold(cell);
            self.note(slot, verdict);
        }
    }

    fn note_untold(&mut self, cell: CellId) {
        let there = self.cells.get_mut(&cell).unwrap().elsewhere.as_mut().unwrap();
        for slot in std::mem::take(&mut there.untold) {
            self.note(slot, Verdict::Ended);
        }
    }

    /// Of what has ended, the last: the host comes to rest.
    fn tell_untold(&mut self, cell: CellId) {
        let there = self.cells[&cell].elsewhere.as_ref();
        if let Some(&slot) = there.and_then(|there| there.untold.last()) {
            self.take(Record::Out { cell, slot, verdict: Verdict::Ended });
            self.note_untold(cell);
        }
    }

    /// The scheduler asks what runs: nothing else will.
    fn recall(&mut self, cell: CellId) {
        let runs = |there: &Elsewhere| there.runs.is_some_and(|(.., told)| !told);
        // What runs and was not told of says it of those before it.
        if !self.cells[&cell].elsewhere.as_ref().is_some_and(runs) {
            self.tell_untold(cell);
        }
        let book = self.cells.get_mut(&cell).unwrap();
        let there = book.elsewhere.as_mut().unwrap();
        let slot = there.runs.filter(|(_, _, told)| !told).map_or(NO_SLOT, |(slot, ..)| slot);
        there.handed.clear();
        there.closed = false;
        there.found = slot != NO_SLOT;
        let alive = book.alive;
        self.take(Record::Recalled { cell, slot });
        self.note_untold(cell);
        if !alive {
            self.cells.get_mut(&cell).unwrap().elsewhere = Some(Elsewhere::default());
        }
    }

    fn settle_open_turns(&mut self, all: bool) {
        for cell in std::mem::take(&mut self.recalls) {
            self.recall(cell);
        }
        self.fill(all);
        let ids: Vec<_> = self.cells.keys().copied().collect();
        for id in ids {
            let book = self.cells.get_mut(&id).unwrap();
            if let Some((turn, slot)) = book.open_turn
                && (all || self.dice.one_in(3))
            {
                book.open_turn = None;
                let verdict = if all { Verdict::Ended } else { self.verdict() };
                self.take(Record::Settled { cell: id, turn, verdict });
                self.note(slot, verdict);
            }
            let book = self.cells.get_mut(&id).unwrap();
            if book.starting && (all || self.dice.one_in(2)) {
                book.starting = false;
                let incarnation = book.incarnation;
                let verdict = if !all && self.dice.one_in(6) { Verdict::Failed } else { Verdict::Ended };
                self.take(Record::Inited { cell: id, incarnation, verdict });
            }
            self.run_elsewhere(id, all);
            if all || self.dice.one_in(2) {
                self.tell_untold(id);
            }
        }
    }

    fn disturb(&mut self) {
        match self.dice.roll(70) {
            0 => {
                if let Some(id) = self.any_cell() {
                    let kill = self.dice.one_in(3);
                    self.take(Record::Stop { cell: id, kill });
                }
            }
            1..4 => drop(self.spawn(None)),
            4 | 5 => {
                if let Some(id) = self.any_cell() {
                    let incarnation = self.cells[&id].incarnation;
                    self.take(Record::Fail { cell: id, incarnation, death: Death::Error });
                }
            }
            6..12 => {
                if let Some(id) = self.any_cell().filter(|id| self.cells[id].alive && self.cells[id].begun) {
                    let timer = (0..).find(|timer| !self.timers.contains_key(timer)).unwrap();
                    let period_ms = self.dice.roll(2) as u32 * 4;
                    let delay_ms = self.dice.roll(9) as u32;
                    self.timers.insert(timer, id);
                    self.take(Record::TimerSet { timer, cell: id, delay_ms, period_ms, referenced: true });
                }
            }
            12..15 => {
                if let Some((&timer, _)) = self.timers.iter().next() {
                    self.timers.remove(&timer);
                    self.take(Record::TimerCancel { timer });
                }
            }
            15..25 => {
                let Some(id) = self.any_cell() else { return };
                let incarnation = self.cells[&id].incarnation;
                match self.dice.roll(4) {
                    3 => self.take(Record::Fail { cell: id, incarnation, death: Death::Collateral }),
                    0 => {
                        let period_ms = self.dice.roll(6) as u32;
                        self.take(Record::Lease { cell: id, incarnation, period_ms });
                    }
                    1 => self.take(Record::Fail { cell: id, incarnation, death: Death::Linked }),
                    _ => self.pause(id, self.turns.is_multiple_of(2)),
                }
            }
            _ => {}
        }
    }

    fn is_control(&self, issue: &Issue) -> bool {
        let letter = &self.letters[&issue.slot];
        letter.control && !letter.deferred
    }

    fn pause(&mut self, id: CellId, paused: bool) {
        self.cells.get_mut(&id).unwrap().paused = paused;
        self.take(Record::Pause { cell: id, paused });
    }

    fn outcome(&mut self, slot: u32) {
        let Some(letter) = self.letters.get_mut(&slot) else {
            panic!(
                "slot {slot} has an outcome and no message: {:#?}",
                &self.log[self.log.len().saturating_sub(60)..]
            )
        };
        assert_eq!(letter.message, Stage::Open, "slot {slot} has two outcomes");
        letter.message = Stage::Done;
        self.free_if_done(slot);
    }

    fn handle(&mut self, effect: Effect) {
        self.log.push(format!("{effect:?}"));
        assert_eq!(Effect::decode(effect.encode()), Some(effect));
        match effect {
            Effect::Init { cell, incarnation } => {
                let book = self.cells.get_mut(&cell).unwrap();
                assert_eq!(book.incarnation, incarnation);
                book.starting = true;
                (book.alive, book.begun) = (true, true);
            }
            Effect::Began { cell } => {
                // Supervisors have no book, and no `init`.
                let Some(book) = self.cells.get_mut(&cell) else { return };
                assert!(book.alive && !book.begun, "{cell:?} begins twice");
                book.begun = true;
            }
            Effect::Died { cell, incarnation, death } => {
                let book = self.cells.get_mut(&cell).unwrap();
                assert!(book.alive && book.incarnation == incarnation, "died twice");
                (book.alive, book.open_turn, book.starting) = (false, None, false);
                let dead = self.timers.iter().filter(|(_, owner)| **owner == cell).map(|(timer, _)| *timer);
                self.owed.extend(dead);
                self.timers.retain(|_, owner| *owner != cell);
                // A restart that its window would not allow must not follow; see `Restarted`.
                let counted = matches!(
                    death,
                    Death::Error
                        | Death::Invariant
                        | Death::Timeout
                        | Death::Cpu
                        | Death::Init
                        | Death::Ended
                        | Death::Lease
                        | Death::Budget
                        | Death::Linked
                );
                use Death::{Collateral, Conflict, Stop, Supervisor};
                assert!(counted || matches!(death, Conflict | Collateral | Supervisor | Stop));
            }
            Effect::Restarted { cell, incarnation, death } => {
                let now_us = self.now_us;
                // Supervisors have no book.
                let Some(book) = self.cells.get_mut(&cell) else { return };
                assert!(!book.alive || book.incarnation < incarnation);
                // Of one that ended before it began nothing is counted.
                let waited = book.alive;
                book.incarnation = incarnation;
                (book.alive, book.begun, book.issued) = (true, false, false);
                book.starting = false;
                // What had ended there still has: it is told when the scheduler asks.
                let untold = |there: Elsewhere| Elsewhere { untold: there.untold, ..Elsewhere::default() };
                book.elsewhere = book.elsewhere.take().map(untold);
                if waited || matches!(death, Death::Conflict | Death::Collateral | Death::Supervisor) {
                    return;
                }
                let (intensity, period_ms) =
                    if book.supervised { (INTENSITY, PERIOD_MS) } else { (5, 10_000) };
                book.counted_restarts_us.push_back(now_us);
                let window_us = u64::from(period_ms) * 1_000;
                while book.counted_restarts_us.front().is_some_and(|at| at + window_us <= now_us) {
                    book.counted_restarts_us.pop_front();
                }
                // A supervisor that is restarted begins a new window, which `book` does not see.
                if !book.supervised {
                    assert!(book.counted_restarts_us.len() <= intensity as usize, "too many restarts");
                }
            }
            Effect::Gone { cell, gone } => {
                self.parents.retain(|parent| *parent != cell);
                let book = self.cells.remove(&cell);
                let kept = book.as_ref().and_then(|book| book.keeps);
                self.vacant.extend(kept);
                let told = book.is_none_or(|book| !book.unharmed);
                assert!(told || gone != Gone::Stopped, "{cell:?} was stopped by nobody");
                self.leaving.insert(cell);
                // What the host sent before it knew.
                self.owe(cell, CellId::NONE);
            }
            Effect::Forgotten { cell } => assert!(self.leaving.remove(&cell)),
            Effect::Lost { cell, slot, why } => {
                assert!(
                    self.cells.contains_key(&cell) || self.leaving.contains(&cell),
                    "{cell:?} is forgotten"
                );
                let letter = &self.letters[&slot];
                assert!(
                    !letter.owed
                        || letter.deferred
                        || matches!(why, Lost::Stopped | Lost::InTurn | Lost::Conflict)
                );
                if why == Lost::Conflict {
                    assert_eq!(self.letters[&slot].attempts, 6, "five more attempts after the first");
                }
                self.outcome(slot);
            }
            Effect::AskSettled { slot, end } => {
                let letter = self.letters.get_mut(&slot).unwrap();
                assert!(letter.ask && letter.answer == Stage::Open, "slot {slot} was settled twice");
                letter.answer = Stage::Done;
                assert!(end != AskEnd::Replied || letter.message == Stage::Done);
                self.free_if_done(slot);
            }
            Effect::Timer { timer, again } => {
                assert!(self.timers.contains_key(&timer), "a timer of the dead fell due");
                if !again {
                    self.timers.remove(&timer);
                }
            }
            Effect::TimerOver { timer } => {
                assert!(self.owed.remove(&timer), "a timer of the living is over");
            }
            Effect::Recall { cell } => self.recalls.push(cell),
            Effect::Vacant { cell, place } => {
                assert!(self.vacant.contains(&(cell, place)), "nobody ended in place {place}");
                self.asked.insert((cell, place));
            }
            Effect::Warned { .. }
            | Effect::Admitted { .. }
            | Effect::AskPath { .. }
            | Effect::Abort { .. }
            | Effect::SupervisorGaveUp { .. }
            | Effect::RootFailed { .. } => {}
        }
    }

    fn step(&mut self, ran: usize) -> Vec<Issue> {
        self.now_us += self.dice.roll(2_000);
        self.scheduler.step(self.now_us, ran);
        let effects: Vec<_> = self.scheduler.effects().collect();
        effects.into_iter().for_each(|effect| self.handle(effect));
        let batch: Vec<_> = self.scheduler.issue().collect();
        let effects: Vec<_> = self.scheduler.effects().collect();
        effects.into_iter().for_each(|effect| self.handle(effect));
        assert!(self.owed.is_empty(), "timers of the dead are left");
        self.plain = true;
        self.log.extend(batch.iter().map(|issue| format!("{issue:?}")));
        let overtaken = |pair: &&[Issue]| {
            let same = pair[0].cell == pair[1].cell;
            same && self.is_control(&pair[1]) && !self.is_control(&pair[0])
        };
        assert!(batch.windows(2).find(overtaken).is_none(), "a message before one of control");
        batch
    }

    fn check_books(&self) {
        let stats = self.scheduler.stats();
        let open = self.letters.values().filter(|letter| letter.message == Stage::Open).count() as u64;
        assert_eq!(stats.in_flight(), open, "every message has one outcome");
        let asks = self.letters.values().filter(|letter| letter.answer == Stage::Open).count() as u64;
        assert_eq!(stats.asks, asks);
        assert_eq!(stats.referenced_timers, self.timers.len() as u64);
    }

    /// Rounds in which all ends well.
    fn settle(&mut self, mut batch: Vec<Issue>, rounds: u32) -> Vec<Issue> {
        for _ in 0..rounds {
            for issue in std::mem::take(&mut batch) {
                match &mut self.cells.get_mut(&issue.cell).unwrap().elsewhere {
                    Some(there) => there.handed.push_back(issue.slot),
                    None => self.ended(issue.slot, true),
                }
            }
            self.settle_open_turns(true);
            batch = self.step(usize::MAX);
            self.now_us += 1_000;
        }
        batch
    }

    fn run(&mut self, rounds: u32) {
        let mut batch = Vec::new();
        for _ in 0..rounds {
            let ran = self.run_batch(&batch);
            self.settle_open_turns(false);
            self.disturb();
            for _ in 0..self.dice.roll(4) {
                self.send_something(None);
            }
            batch = self.step(ran);
            self.check_books();
        }
        // Nothing fails any more: what lives comes up, and answers.
        for (id, incarnation) in
            self.cells.iter().map(|(id, book)| (*id, book.incarnation)).collect::<Vec<_>>()
        {
            self.pause(id, false);
            self.take(Record::Lease { cell: id, incarnation, period_ms: 0 });
        }
        batch = self.settle(batch, 200);
        for cell in self.cells.keys().copied().collect::<Vec<_>>() {
            if !self.scheduler.credits().take(cell.index()) {
                continue;
            }
            let slot = self.slot(cell, CellId::NONE, false, false);
            self.take(Record::Send { cell, slot, class: Class::User });
        }
        batch = self.settle(batch, 50);
        // What is deferred takes room, for which others wait.
        let deferred = |cell| self.letters.values().any(|letter| letter.deferred && letter.to == cell);
        let silent: Vec<_> =
            self.letters.values().map(|letter| letter.to).filter(|to| !deferred(*to)).collect();
        assert!(silent.is_empty(), "{silent:?} do not answer");
        // Then all is stopped, with every message accounted for.
        let root = self.scheduler.root();
        self.take(Record::Stop { cell: root, kill: false });
        self.settle(batch, 10_000);
        assert!(self.cells.is_empty() && self.letters.is_empty() && self.timers.is_empty());
        assert_eq!(self.scheduler.stats().cells, 0);
        assert_eq!(self.scheduler.next_due_us(), None);
    }
}

fn seeds() -> Vec<u64> {
    match std::env::var("KARYON_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (1..=100).collect(),
    }
}

/// Prints the seed of a run that panics.
struct Naming(u64);

impl Drop for Naming {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("replay with KARYON_SEED={}", self.0);
        }
    }
}

#[test]
fn every_message_has_one_outcome_and_every_ask_one_answer_whatever_fails() {
    for seed in seeds() {
        let _naming = Naming(seed);
        Host::new(seed).run(400);
    }
}

#[test]
fn the_same_seed_and_inputs_give_the_same_effects() {
    for seed in seeds().into_iter().take(10) {
        let _naming = Naming(seed);
        let logs: Vec<_> = (0..2)
            .map(|_| {
                let mut host = Host::new(seed);
                host.run(300);
                host.log
            })
            .collect();
        assert!(logs[0] == logs[1]);
    }
}

#[test]
fn room_in_mailboxes_is_counted_exactly() {
    for seed in seeds() {
        let _naming = Naming(seed);
        let mut host = Host::new(seed);
        let mut batch = Vec::new();
        for _ in 0..200 {
            let ran = host.run_batch(&batch);
            host.settle_open_turns(false);
            host.send_something(None);
            batch = host.step(ran);
            for (id, book) in &host.cells {
                let Some(waiting) = host.scheduler.mailbox_len(*id) else { continue };
                let room = host.scheduler.credits().words()[id.index()].load(Relaxed);
                if host.scheduler.is_stopping(*id) {
                    assert_eq!(room, CLOSED);
                } else {
                    assert_eq!(i64::from(room), i64::from(book.limit) - waiting as i64);
                }
            }
        }
    }
}
