//! Remote cells: their host is handed messages ahead of their turns, one behaviour each.

#![allow(clippy::unwrap_used)]

use karyon_scheduler::{
    AskEnd, CellId, CellOptions, Class, Death, Effect, Gone, Lost, NO_SLOT, Record, Scheduler, Verdict,
};

struct Bench {
    scheduler: Scheduler,
    cell: CellId,
    now_us: u64,
}

impl Bench {
    fn new() -> Self {
        Bench::with(CellOptions::default())
    }

    fn with(options: CellOptions) -> Self {
        let mut scheduler = Scheduler::new(1);
        let root = scheduler.root();
        let options = CellOptions { remote: true, ..options };
        let cell = scheduler.spawn(root, "a", false, options, None).unwrap();
        Bench { scheduler, cell, now_us: 0 }
    }

    /// One that was handed 1, 2 and 3, and whose incarnation is dead.
    fn dead(death: Death) -> Self {
        let mut bench = Bench::new();
        bench.send([1, 2, 3]);
        bench.round();
        bench.take(Record::Fail { cell: bench.cell, incarnation: 1, death });
        bench.round();
        bench
    }

    fn send(&mut self, slots: impl IntoIterator<Item = u32>) {
        let cell = self.cell;
        for slot in slots {
            assert!(self.scheduler.credits().take(cell.index()));
            self.take(Record::Send { cell, slot, class: Class::User });
        }
    }

    fn take(&mut self, record: Record) {
        self.scheduler.take(record).unwrap();
    }

    fn out(&mut self, slot: u32, verdict: Verdict) {
        self.take(Record::Out { cell: self.cell, slot, verdict });
    }

    fn recalled(&mut self, slot: u32) {
        self.take(Record::Recalled { cell: self.cell, slot });
    }

    fn room(&self) -> i32 {
        self.scheduler.credits().words()[self.cell.index()].load(std::sync::atomic::Ordering::Relaxed)
    }

    /// One round: the effects, and the slots of the batch, of which the host hands over all.
    fn round(&mut self) -> (Vec<Effect>, Vec<u32>) {
        self.now_us += 1_000;
        self.scheduler.step(self.now_us, usize::MAX);
        let mut effects: Vec<_> = self.scheduler.effects().collect();
        let batch = self.scheduler.issue().map(|issue| issue.slot).collect();
        effects.extend(self.scheduler.effects());
        (effects, batch)
    }
}

#[test]
fn messages_are_issued_ahead_and_take_room_until_they_came_out() {
    let mut bench = Bench::with(CellOptions { mailbox_limit: 3, ..CellOptions::default() });
    bench.send([1, 2, 3]);
    assert_eq!(bench.round().1, [1, 2, 3]);
    assert_eq!((bench.round().1, bench.room()), (vec![], 0));
    bench.out(1, Verdict::Ended);
    bench.take(Record::Opened { cell: bench.cell, slot: 2, turn: 9 });
    assert_eq!(bench.room(), 2, "one is over, and the turn of one goes on");
    bench.out(2, Verdict::Ended);
    bench.out(3, Verdict::Ended);
    bench.round();
    assert_eq!((bench.room(), bench.scheduler.stats().ended), (3, 3));
}

#[test]
fn what_was_not_handed_over_stands_where_it_stood() {
    let mut bench = Bench::new();
    bench.send([1, 2, 3]);
    bench.round();
    bench.scheduler.step(2_000, 1);
    assert_eq!(bench.scheduler.issue().map(|issue| issue.slot).collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn after_a_failure_the_rest_comes_back_before_the_next_incarnation_begins() {
    let mut bench = Bench::new();
    bench.send([1, 2, 3]);
    bench.round();
    bench.out(1, Verdict::Failed);
    let (effects, batch) = bench.round();
    assert!(effects.contains(&Effect::Recall { cell: bench.cell }) && batch.is_empty());
    bench.send([4]);
    assert_eq!(bench.round().1, [], "nobody knows yet what runs");
    bench.recalled(NO_SLOT);
    assert_eq!(bench.round().1, [2, 3, 4]);
}

#[test]
fn the_message_that_ran_when_a_worker_was_lost_is_a_dead_letter_and_nothing_else_is() {
    let mut bench = Bench::dead(Death::Collateral);
    // One had come out before, and its report was read only now.
    bench.out(1, Verdict::Ended);
    bench.recalled(2);
    let (effects, batch) = bench.round();
    assert!(effects.contains(&Effect::Lost { cell: bench.cell, slot: 2, why: Lost::InTurn }));
    assert_eq!(batch, [3]);
    assert_eq!((bench.scheduler.stats().ended, bench.scheduler.stats().dead_letters), (1, 1));
}

#[test]
fn the_loss_of_a_worker_is_counted_for_nobody() {
    let mut bench = Bench::new();
    for incarnation in 1..=50 {
        bench.take(Record::Fail { cell: bench.cell, incarnation, death: Death::Collateral });
        let restarted =
            Effect::Restarted { cell: bench.cell, incarnation: incarnation + 1, death: Death::Collateral };
        assert!(bench.round().0.contains(&restarted));
    }
}

#[test]
fn a_stop_waits_for_the_turn_that_runs_and_for_no_other() {
    let mut bench = Bench::new();
    bench.send([1, 2]);
    bench.round();
    bench.take(Record::Stop { cell: bench.cell, kill: false });
    bench.round();
    bench.recalled(1);
    let (effects, _) = bench.round();
    assert!(effects.contains(&Effect::Abort { cell: bench.cell, stop: true }), "it is told to hurry");
    bench.out(1, Verdict::Ended);
    let (effects, _) = bench.round();
    assert!(effects.contains(&Effect::Lost { cell: bench.cell, slot: 2, why: Lost::Stopped }));
    assert!(effects.contains(&Effect::Gone { cell: bench.cell, gone: Gone::Stopped }));
}

#[test]
fn deferred_messages_come_back_before_those_that_the_host_has() {
    let mut bench = Bench::new();
    bench.send([1, 2, 3]);
    bench.round();
    bench.out(1, Verdict::Deferred);
    bench.out(2, Verdict::Became);
    bench.round();
    bench.recalled(NO_SLOT);
    assert_eq!(bench.round().1, [1, 3]);
}

#[test]
fn a_message_of_control_goes_before_all_that_the_host_has_not_begun() {
    let mut bench = Bench::new();
    bench.send([1, 2]);
    bench.round();
    bench.take(Record::Send { cell: bench.cell, slot: 9, class: Class::Control });
    bench.round();
    bench.recalled(1);
    assert_eq!(bench.round().1, [9, 2]);
}

#[test]
fn a_conflict_is_tried_again_first() {
    let mut bench = Bench::new();
    bench.send([1, 2]);
    bench.round();
    bench.out(1, Verdict::Conflict);
    bench.round();
    bench.recalled(NO_SLOT);
    assert_eq!(bench.round().1, [1, 2]);
}

#[test]
fn what_cannot_be_handed_over_is_refused() {
    let mut bench = Bench::new();
    let cell = bench.cell;
    assert!(bench.scheduler.credits().take(cell.index()));
    bench.take(Record::Ask { cell, slot: 1, asker: CellId::NONE, turn: 0, timeout_ms: 0 });
    bench.round();
    bench.out(1, Verdict::NotRun);
    let (effects, _) = bench.round();
    assert!(effects.contains(&Effect::AskSettled { slot: 1, end: AskEnd::Refused }));
    assert_eq!(bench.scheduler.stats().refused, 1);
}

#[test]
fn the_time_limit_of_an_init_begins_when_it_does() {
    let options = CellOptions { has_init: true, turn_timeout_ms: 10, ..CellOptions::default() };
    let mut bench = Bench::with(options);
    bench.round();
    bench.now_us += 1_000_000;
    assert_eq!(bench.round().0, [], "its worker still starts");
    bench.take(Record::Opened { cell: bench.cell, slot: NO_SLOT, turn: karyon_scheduler::INIT_TURN });
    bench.round();
    bench.now_us += 20_000;
    assert!(bench.round().0.contains(&Effect::Abort { cell: bench.cell, stop: false }));
}

#[test]
fn a_turn_of_a_cell_that_is_killed_is_not_told_to_hurry() {
    let mut bench = Bench::new();
    bench.send([1]);
    bench.round();
    bench.take(Record::Opened { cell: bench.cell, slot: 1, turn: 7 });
    bench.round();
    bench.take(Record::Stop { cell: bench.cell, kill: true });
    let (effects, _) = bench.round();
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Died { death: Death::Stop, .. })));
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Abort { .. })), "{effects:?}");
}

#[test]
fn what_is_told_of_a_message_says_that_those_before_it_simply_ended() {
    let mut bench = Bench::new();
    bench.send(1..=6);
    bench.round();
    bench.out(2, Verdict::Ended);
    bench.take(Record::Opened { cell: bench.cell, slot: 4, turn: 7 });
    assert_eq!(bench.scheduler.stats().ended, 3);
    bench.out(4, Verdict::Ended);
    bench.take(Record::Stop { cell: bench.cell, kill: false });
    bench.round();
    bench.recalled(6);
    assert_eq!(bench.scheduler.stats().ended, 5);
    // Of one that could not be handed over nothing follows.
    let mut bench = Bench::new();
    bench.send([1, 2]);
    bench.round();
    bench.out(2, Verdict::NotRun);
    assert_eq!((bench.scheduler.stats().ended, bench.scheduler.stats().refused), (0, 1));
}

#[test]
fn what_a_dead_incarnation_still_says_is_nothing_to_the_next_one() {
    for verdict in [Verdict::Failed, Verdict::Invariant, Verdict::Conflict, Verdict::Deferred] {
        let mut bench = Bench::dead(Death::Linked);
        bench.out(1, Verdict::Ended);
        bench.out(2, verdict);
        bench.recalled(NO_SLOT);
        let (effects, batch) = bench.round();
        let dies = |effect: &Effect| matches!(effect, Effect::Died { .. } | Effect::Restarted { .. });
        assert!(!effects.iter().any(dies), "{verdict:?}: {effects:?}");
        // A turn that did not count is nobody's loss: its message is the next one's.
        let again: &[u32] =
            if matches!(verdict, Verdict::Conflict | Verdict::Deferred) { &[2, 3] } else { &[3] };
        assert_eq!(batch, again, "{verdict:?}");
    }
}

#[test]
fn a_turn_that_opened_as_its_incarnation_died_is_lost_with_it() {
    let mut bench = Bench::dead(Death::Linked);
    bench.take(Record::Opened { cell: bench.cell, slot: 2, turn: 7 });
    bench.recalled(2);
    let (effects, batch) = bench.round();
    assert!(effects.contains(&Effect::Lost { cell: bench.cell, slot: 2, why: Lost::InTurn }));
    assert_eq!(batch, [3]);
    bench.out(3, Verdict::Ended);
    bench.round();
    assert_eq!(bench.scheduler.stats().in_flight(), 0);
}
