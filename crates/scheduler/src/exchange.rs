//! The memory that scheduler and host share, and the one crossing between them.

use crate::limits::{BATCH_MAX, EFFECTS_MAX, OUTBOX_MAX};
use crate::{CellId, EFFECT_WORDS, Guard, RECORD_WORDS, Record, Scheduler, Taken};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// Places of the words in the header. Times are `f64` bits in milliseconds, the rest are counts.
pub mod header {
    /// From the host: its clock.
    pub const NOW: usize = 0;
    /// From the host: records in the outbox.
    pub const RECORDS: usize = 1;
    /// From the host: messages of the last batch that it got through, those it adopted among them.
    pub const RAN: usize = 2;
    /// To the host: messages in the inbox.
    pub const BATCH: usize = 3;
    /// To the host: effects.
    pub const EFFECTS: usize = 4;
    /// To the host: 1 if it should cross again at once: more effects, or cells that are ready.
    pub const MORE: usize = 5;
    /// To the host: when the next thing falls due; infinite if nothing does.
    pub const NEXT_DUE: usize = 6;
    /// To the host: messages without an outcome, asks without an answer, and referenced timers.
    pub const OPEN: usize = 7;
    /// From the host: the first record that counts. Those before it are messages to idle cells that it ran itself.
    pub const FIRST: usize = 8;
    /// From the host: how many of those simply ended since the last crossing.
    pub const ENDED: usize = 9;
    /// From the host: the cell and the number of the turn that runs, as two words of 32 bits; 0 while none does. It writes one after the other:
    /// in between, the thread uses no time of which anybody could be accused.
    pub const TURN: usize = 10;
    /// To the host: 1 when the turn that was called under the guard was stopped. The host takes it back.
    pub const STOPPED: usize = 11;
    /// To the host: the CPU time of all turns so far in milliseconds, by the watchdog's samples: what it grew by is the running turn's.
    pub const CPU: usize = 12;
    /// From the host: on which terms a cell or supervisor is to be started, see `Exchange::terms`.
    pub const TERMS: usize = 13;
    /// How many there are.
    pub const WORDS: usize = TERMS + super::TERMS;
}

/// How many terms there are.
pub const TERMS: usize = 14;
/// Words in one message of the inbox: cell, slot.
const ISSUE_WORDS: usize = 2;

/// The shared words. Both sides run on one thread; atomics make writes from outside of Rust defined, relaxed because
/// the call between them orders everything.
#[derive(Debug)]
pub struct Exchange {
    /// See [`header`]. Counts are stored as `f64` too, so that one view reads them all.
    pub header: [AtomicU64; header::WORDS],
    /// Records from the host.
    pub outbox: Box<[AtomicU32]>,
    /// The batch: cell and slot of each message.
    pub inbox: Box<[AtomicU32]>,
    /// Effects for the host.
    pub effects: Box<[AtomicU32]>,
    /// Whether the turn that runs may be stopped.
    pub guard: Guard,
    /// The shortest limit that turns have, as of the last crossing; in microseconds of CPU time.
    shortest_us: AtomicU64,
}

impl Default for Exchange {
    fn default() -> Self {
        let words = |count: usize| (0..count).map(|_| AtomicU32::new(0)).collect();
        Exchange {
            header: std::array::from_fn(|_| AtomicU64::new(0)),
            outbox: words(OUTBOX_MAX * RECORD_WORDS),
            inbox: words(BATCH_MAX * ISSUE_WORDS),
            effects: words(EFFECTS_MAX * EFFECT_WORDS),
            guard: Guard::default(),
            shortest_us: AtomicU64::new(u64::MAX),
        }
    }
}

impl Exchange {
    /// The word of the turn that runs, its number, and the place of its cell. For any thread.
    pub fn turn(&self) -> Option<(u64, u64, usize)> {
        let word = self.header[header::TURN].load(Relaxed);
        (word != 0).then_some((word, word >> 32, CellId(word as u32).index()))
    }

    /// The shortest limit that turns have, in microseconds of CPU time. For any thread.
    pub fn shortest_us(&self) -> u64 {
        self.shortest_us.load(Relaxed)
    }

    /// Says of the turn that runs that it has used so much more CPU time, in microseconds. For one other thread.
    pub fn tell_used(&self, sample_us: u64) {
        self.write(header::CPU, self.read(header::CPU) + sample_us as f64 / 1e3);
    }

    /// Says that the turn was stopped.
    pub fn tell_stopped(&self) {
        self.write(header::STOPPED, 1.0);
    }

    /// Flags, place, limit of the mailbox, time limits of a turn, of a shutdown and of a stretch; then of a supervisor strategy, auto-shutdown,
    /// intensity, period, and its backoff: initial, factor, most, jitter.
    pub fn terms(&self) -> [f64; TERMS] {
        std::array::from_fn(|at| self.read(header::TERMS + at))
    }

    fn read(&self, place: usize) -> f64 {
        f64::from_bits(self.header[place].load(Relaxed))
    }

    /// Reads a word that is for one crossing only.
    fn take(&self, place: usize) -> f64 {
        f64::from_bits(self.header[place].swap(0, Relaxed))
    }

    fn write(&self, place: usize, value: f64) {
        self.header[place].store(value.to_bits(), Relaxed);
    }
}

/// A scheduler behind shared memory.
#[derive(Debug)]
pub struct Port {
    /// For what is not worth a record: spawning, counting.
    pub scheduler: Scheduler,
    exchange: Arc<Exchange>,
}

impl Port {
    /// A scheduler with memory of its own to exchange.
    pub fn new(scheduler: Scheduler) -> Self {
        Port { scheduler, exchange: Arc::default() }
    }

    /// The shared words.
    pub fn exchange(&self) -> &Arc<Exchange> {
        &self.exchange
    }

    /// Takes the records and empties the outbox. Alone, when the outbox is full in the middle of a batch.
    pub fn absorb(&mut self) -> Taken {
        self.scheduler.tell_time(self.now_us());
        let [first, count, ended] =
            [header::FIRST, header::RECORDS, header::ENDED].map(|place| self.exchange.take(place) as usize);
        self.scheduler.count_ended(ended as u64);
        let words = self.exchange.outbox.get(first * RECORD_WORDS..count * RECORD_WORDS);
        let words = words.ok_or("more records than the outbox holds")?;
        for record in words.chunks_exact(RECORD_WORDS) {
            let words = std::array::from_fn(|place| record[place].load(Relaxed));
            let record = Record::decode(words).ok_or("an unknown record")?;
            self.scheduler.take(record)?;
        }
        Ok(())
    }

    fn now_us(&self) -> u64 {
        (self.exchange.read(header::NOW) * 1_000.0) as u64
    }

    /// One crossing: records in; effects and the next batch out. No batch while effects are left for the next crossing.
    pub fn cross(&mut self) -> Taken {
        self.absorb()?;
        let ran = self.exchange.take(header::RAN) as usize;
        self.scheduler.step(self.now_us(), ran);
        let mut issued = 0;
        // Issuing adds at most one effect for each message; all of them must fit beside the batch.
        if self.scheduler.effects.len() + BATCH_MAX <= EFFECTS_MAX {
            let inbox = self.exchange.inbox.chunks_exact(ISSUE_WORDS);
            for (issue, words) in self.scheduler.issue().zip(inbox) {
                words[0].store(issue.cell.0, Relaxed);
                words[1].store(issue.slot, Relaxed);
                issued += 1;
            }
        }
        // After the batch: issuing makes room, which admits deliveries.
        let mut count = 0;
        let places = self.exchange.effects.chunks_exact(EFFECT_WORDS);
        for (words, effect) in places.zip(self.scheduler.effects()) {
            for (word, value) in words.iter().zip(effect.encode()) {
                word.store(value, Relaxed);
            }
            count += 1;
        }
        let more = !self.scheduler.ready.is_empty() || !self.scheduler.effects.is_empty();
        let stats = self.scheduler.stats();
        let open = stats.in_flight() + stats.asks + stats.referenced_timers;
        let next_due_ms =
            self.scheduler.next_due_us().map_or(f64::INFINITY, |due_us| due_us as f64 / 1_000.0);
        self.exchange.shortest_us.store(self.scheduler.shortest_cpu_us(), Relaxed);
        self.exchange.write(header::BATCH, f64::from(issued));
        self.exchange.write(header::EFFECTS, f64::from(count));
        self.exchange.write(header::MORE, f64::from(u8::from(more)));
        self.exchange.write(header::OPEN, open as f64);
        self.exchange.write(header::NEXT_DUE, next_due_ms);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CellOptions;

    #[test]
    fn one_crossing_takes_records_and_gives_a_batch() {
        let mut port = Port::new(Scheduler::new(1));
        let root = port.scheduler.root();
        let cell = port.scheduler.spawn(root, "a", false, CellOptions::default(), None).unwrap();
        let exchange = port.exchange().clone();
        let record = Record::Send { cell, slot: 5, class: crate::Class::User };
        for (place, word) in record.encode().into_iter().enumerate() {
            exchange.outbox[place].store(word, Relaxed);
        }
        exchange.write(header::RECORDS, 1.0);
        port.cross().unwrap();
        assert_eq!((exchange.read(header::BATCH), exchange.read(header::OPEN)), (1.0, 1.0));
        assert_eq!(exchange.inbox[0].load(Relaxed), cell.0);
        assert_eq!(exchange.inbox[1].load(Relaxed), 5);
        exchange.write(header::RAN, 1.0);
        port.cross().unwrap();
        assert_eq!((exchange.read(header::BATCH), exchange.read(header::OPEN)), (0.0, 0.0));
        assert_eq!(port.scheduler.stats().ended, 1);
    }

    #[test]
    fn the_watchdog_finds_the_turn_that_runs_and_whose_it_is() {
        let mut port = Port::new(Scheduler::new(1));
        let (root, options) =
            (port.scheduler.root(), CellOptions { turn_cpu_ms: 7, ..CellOptions::default() });
        let above = port.scheduler.spawn(root, "above", false, CellOptions::default(), None).unwrap();
        assert_eq!((port.exchange().turn(), port.exchange().shortest_us()), (None, u64::MAX));
        let cell = port.scheduler.spawn(above, "below", false, options, None).unwrap();
        port.cross().unwrap();
        assert_eq!(port.exchange().shortest_us(), 7_000);
        let word = 0xffff_ffff << 32 | u64::from(cell.0);
        port.exchange().header[header::TURN].store(word, Relaxed);
        assert_eq!(port.exchange().turn(), Some((word, 0xffff_ffff, cell.index())));
        assert_eq!(port.scheduler.path(cell.index()), "root/above/below");
        assert_eq!(port.scheduler.turn_cpu_us(cell.index()), Some(7_000));
        assert_eq!((port.scheduler.path(9), port.scheduler.turn_cpu_us(9)), (String::new(), None));
    }

    #[test]
    fn records_that_are_none_are_refused() {
        let mut port = Port::new(Scheduler::new(1));
        port.exchange().write(header::RECORDS, 1.0);
        assert!(port.cross().is_err());
        port.exchange().write(header::RECORDS, 1e9);
        assert!(port.cross().is_err());
    }
}
