//! A scheduler without a host: records in, effects and batches out, time as it is told.

use karyon_scheduler::{CellId, CellOptions, Class, Effect, Record, Scheduler};

pub struct Bench {
    pub scheduler: Scheduler,
    pub now_us: u64,
}

impl Bench {
    pub fn new() -> Self {
        Bench { scheduler: Scheduler::new(1), now_us: 0 }
    }

    pub fn spawn(&mut self, name: &str, options: CellOptions) -> CellId {
        let root = self.scheduler.root();
        self.scheduler.spawn(root, name, false, options, None).unwrap()
    }

    pub fn send(&mut self, cell: CellId, slot: u32) {
        assert!(self.scheduler.credits().take(cell.index()));
        self.scheduler.take(Record::Send { cell, slot, class: Class::User }).unwrap();
    }

    pub fn ask(&mut self, cell: CellId, slot: u32, asker: CellId, turn: u32) {
        assert!(self.scheduler.credits().take(cell.index()));
        self.scheduler.take(Record::Ask { cell, slot, asker, turn, timeout_ms: 0 }).unwrap();
    }

    pub fn take(&mut self, record: Record) {
        self.scheduler.take(record).unwrap();
    }

    /// One round at a later time: the effects, and the slots of the batch.
    pub fn round(&mut self, later_ms: u64, ran: usize) -> (Vec<Effect>, Vec<u32>) {
        self.now_us += later_ms * 1_000;
        self.scheduler.step(self.now_us, ran);
        let mut effects: Vec<_> = self.scheduler.effects().collect();
        let batch = self.scheduler.issue().map(|issue| issue.slot).collect();
        effects.extend(self.scheduler.effects());
        (effects, batch)
    }
}
