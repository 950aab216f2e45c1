//! Classes of messages, full mailboxes that drop, pauses, leases and kills: one behaviour each.

#![allow(clippy::unwrap_used)]

mod bench;

use bench::Bench;
use karyon_scheduler::{
    AskEnd, CellId, CellOptions, Class, Death, Effect, Gone, Lost, Record, SupervisorPolicy, Verdict,
    limits::CONTROL_MAX,
};

#[test]
fn control_messages_go_first_in_their_order_and_need_no_room() {
    let mut bench = Bench::new();
    let cell = bench.spawn("a", CellOptions { mailbox_limit: 2, ..CellOptions::default() });
    bench.send(cell, 1);
    bench.send(cell, 2);
    for slot in [10, 11] {
        bench.take(Record::Send { cell, slot, class: Class::Control });
    }
    assert_eq!(bench.round(0, 0).1, [10, 11, 1, 2]);
    // What was not run goes back to its class, behind what came meanwhile of the other.
    bench.take(Record::Send { cell, slot: 12, class: Class::Control });
    assert_eq!(bench.round(0, 3).1, [12, 2]);
    assert_eq!(bench.scheduler.stats().ended, 3);
}

#[test]
fn what_is_owed_stands_behind_what_was_sent_and_is_never_refused_nor_dropped() {
    let mut bench = Bench::new();
    let options = CellOptions { mailbox_limit: 2, drop_oldest: true, ..CellOptions::default() };
    let [cell, dropping] =
        [CellOptions { mailbox_limit: 2, ..CellOptions::default() }, options].map(|options| {
            let cell = bench.spawn(if options.drop_oldest { "dropping" } else { "a" }, options);
            bench.send(cell, 1);
            (2..7).for_each(|slot| bench.take(Record::Send { cell, slot, class: Class::Owed }));
            cell
        });
    let [a, b] = [cell, dropping].map(CellId::index);
    assert!(!bench.scheduler.credits().take(a), "it takes room");
    bench.take(Record::Deliver { cell, slot: 7 });
    bench.take(Record::Send { cell, slot: 8, class: Class::Owed });
    bench.scheduler.credits().words()[b].fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
    bench.take(Record::Send { cell: dropping, slot: 9, class: Class::User });
    let (effects, batch) = bench.round(0, 0);
    assert_eq!(batch[..6], [1, 2, 3, 4, 5, 6]);
    assert_eq!(batch[6..], [2, 3, 4, 5, 6, 9]);
    assert_eq!(effects[0], Effect::Lost { cell: dropping, slot: 1, why: Lost::Dropped });
    let admitted = effects.iter().filter(|effect| matches!(effect, Effect::Admitted { .. }));
    assert_eq!(admitted.count(), 2, "what waits behind a delivery comes behind it");
    assert_eq!(bench.round(0, 12).1, [7, 8]);
    bench.round(0, 2);
    assert_eq!(
        [a, b].map(|at| bench.scheduler.credits().words()[at].load(std::sync::atomic::Ordering::Relaxed)),
        [2, 2]
    );
}

#[test]
fn however_much_is_owed_who_has_paid_is_admitted_and_a_mailbox_that_drops_refuses_nobody() {
    for drop_oldest in [false, true] {
        let mut bench = Bench::new();
        let cell = bench.spawn("a", CellOptions { mailbox_limit: 1, drop_oldest, ..CellOptions::default() });
        // It is sent when there is room, and arrives behind what is owed.
        assert!(bench.scheduler.credits().take(cell.index()));
        (0..500).for_each(|slot| bench.take(Record::Send { cell, slot, class: Class::Owed }));
        bench.take(Record::Send { cell, slot: 500, class: Class::User });
        assert_eq!(bench.round(0, 0).0, []);
        assert_eq!(bench.scheduler.stats().in_flight(), 501);
    }
}

#[test]
fn a_delivery_has_the_room_of_an_ask_that_closes_a_circle_and_of_what_was_another_s() {
    let mut bench = Bench::new();
    let options = CellOptions { mailbox_limit: 1, ..CellOptions::default() };
    let [a, b] = ["a", "b"].map(|name| bench.spawn(name, options));
    bench.send(a, 1);
    bench.round(0, 0);
    bench.take(Record::Async { position: 0, turn: 1 });
    bench.ask(b, 2, a, 1);
    bench.round(0, 1);
    bench.take(Record::Async { position: 0, turn: 2 });
    bench.round(0, 1);
    // The turn of b has asked a, whose credit it took, and does not know yet that it may not.
    assert!(bench.scheduler.credits().take(a.index()));
    bench.take(Record::Deliver { cell: a, slot: 3 });
    bench.take(Record::Ask { cell: a, slot: 4, asker: b, turn: 2, timeout_ms: 0 });
    let effects = bench.round(0, 0).0;
    assert!(effects.contains(&Effect::Lost { cell: a, slot: 4, why: Lost::Cycle }));
    assert!(effects.contains(&Effect::Admitted { cell: a, slot: 3 }));

    bench.take(Record::Deliver { cell: a, slot: 5 });
    assert_eq!(bench.round(0, 0).0, []);
    bench.take(Record::Settled { cell: a, turn: 1, verdict: Verdict::Ended });
    // Its turn takes the one and admits the other.
    assert_eq!(bench.round(0, 0), (vec![Effect::Admitted { cell: a, slot: 5 }], vec![3]));

    let c = bench.spawn("c", options);
    assert!(bench.scheduler.credits().take(c.index()));
    bench.take(Record::Deliver { cell: c, slot: 6 });
    assert_eq!(bench.round(0, 1).1, [5]);
    bench.take(Record::Refund { cell: c });
    assert_eq!(bench.round(0, 1), (vec![Effect::Admitted { cell: c, slot: 6 }], vec![6]));
}

#[test]
fn control_messages_are_bounded_too() {
    let mut bench = Bench::new();
    let cell = bench.spawn("a", CellOptions::default());
    for slot in 0..=CONTROL_MAX as u32 {
        bench.take(Record::Send { cell, slot, class: Class::Control });
    }
    let full = Effect::Lost { cell, slot: CONTROL_MAX as u32, why: Lost::Full };
    assert_eq!(bench.round(0, 0).0, [full]);
}

#[test]
fn a_full_mailbox_drops_its_oldest_if_it_is_said_to() {
    let mut bench = Bench::new();
    let cell =
        bench.spawn("a", CellOptions { mailbox_limit: 2, drop_oldest: true, ..CellOptions::default() });
    bench.ask(cell, 1, CellId::NONE, 0);
    bench.send(cell, 2);
    // The host takes a credit also where none is left.
    bench.scheduler.credits().words()[cell.index()].fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
    bench.take(Record::Send { cell, slot: 3, class: Class::User });
    bench.take(Record::Deliver { cell, slot: 4 });
    let (effects, batch) = bench.round(0, 0);
    assert_eq!(
        effects,
        [
            Effect::Lost { cell, slot: 1, why: Lost::Dropped },
            Effect::AskSettled { slot: 1, end: AskEnd::Refused },
            Effect::Admitted { cell, slot: 4 },
            Effect::Lost { cell, slot: 2, why: Lost::Dropped },
        ]
    );
    assert_eq!(batch, [3, 4]);
    bench.round(0, 2);
    let stats = bench.scheduler.stats();
    assert_eq!((stats.ended, stats.dead_letters, stats.in_flight()), (2, 2, 0));
    assert!([true, true, false] == [(); 3].map(|()| bench.scheduler.credits().take(cell.index())));
}

#[test]
fn a_paused_cell_begins_no_turn_and_loses_none() {
    let mut bench = Bench::new();
    let cell = bench.spawn("a", CellOptions::default());
    bench.take(Record::Pause { cell, paused: true });
    bench.send(cell, 1);
    assert_eq!(bench.round(0, 0).1, []);
    bench.take(Record::Pause { cell, paused: false });
    assert_eq!(bench.round(0, 0).1, [1]);
}

#[test]
fn a_lease_that_is_not_renewed_warns_then_quiets_then_kills_within_two_periods() {
    let mut bench = Bench::new();
    let cell = bench.spawn("a", CellOptions::default());
    bench.take(Record::Lease { cell, incarnation: 1, period_ms: 10 });
    assert_eq!(bench.round(9, 0).0, []);
    assert_eq!(bench.round(1, 0).0, [Effect::Warned { cell, quiescent: false }]);
    bench.send(cell, 1);
    assert_eq!(bench.round(0, 0).1, [1], "a warned one still works");
    bench.round(0, 1);
    assert_eq!(bench.round(5, 0).0, [Effect::Warned { cell, quiescent: true }]);
    bench.send(cell, 2);
    assert_eq!(bench.round(0, 0).1, [], "a quiescent one begins no turn");
    let (effects, batch) = bench.round(5, 0);
    assert_eq!(effects[0], Effect::Died { cell, incarnation: 1, death: Death::Lease });
    assert_eq!(effects[1], Effect::Restarted { cell, incarnation: 2, death: Death::Lease });
    assert_eq!(batch, [2], "its next incarnation does");
    assert_eq!(bench.scheduler.next_due_us(), None);
}

#[test]
fn a_lease_that_is_renewed_begins_anew_at_every_step() {
    let mut bench = Bench::new();
    let cell = bench.spawn("a", CellOptions::default());
    for _ in 0..3 {
        bench.take(Record::Lease { cell, incarnation: 1, period_ms: 10 });
        bench.round(10, 0);
        assert_eq!(bench.round(5, 0).0, [Effect::Warned { cell, quiescent: true }]);
    }
    bench.send(cell, 1);
    bench.take(Record::Lease { cell, incarnation: 1, period_ms: 0 });
    assert_eq!(bench.round(0, 0).1, [1]);
    assert_eq!(bench.scheduler.next_due_us(), None);
    bench.take(Record::Lease { cell, incarnation: 7, period_ms: 10 });
    assert_eq!(bench.scheduler.next_due_us(), None, "an incarnation that is not alive has none");
}

#[test]
fn what_has_used_up_its_budget_ends_with_its_turn_and_begins_anew() {
    let mut bench = Bench::new();
    let cell = bench.spawn("a", CellOptions::default());
    bench.send(cell, 1);
    bench.round(0, 0);
    bench.take(Record::Async { position: 0, turn: 1 });
    bench.take(Record::Finish { cell, incarnation: 1, death: Death::Budget });
    bench.send(cell, 2);
    assert_eq!(bench.round(0, 1), (vec![], vec![]));
    bench.take(Record::Settled { cell, turn: 1, verdict: karyon_scheduler::Verdict::Ended });
    let (effects, batch) = bench.round(0, 0);
    assert_eq!(effects[0], Effect::Died { cell, incarnation: 1, death: Death::Budget });
    assert_eq!(batch, [2]);
    assert_eq!((bench.scheduler.stats().ended, bench.scheduler.stats().restarts), (1, 1));
}

#[test]
fn a_kill_cuts_short_whatever_runs_below_also_after_a_stop() {
    for stop_first in [true, false] {
        let mut bench = Bench::new();
        let (root, options) = (bench.scheduler.root(), CellOptions::default());
        let policy = SupervisorPolicy::default();
        let above = bench.scheduler.spawn(root, "above", false, options, Some(policy)).unwrap();
        let endless = CellOptions { shutdown_ms: u32::MAX, ..options };
        let cells = ["a", "b"].map(|name| bench.scheduler.spawn(above, name, false, endless, None).unwrap());
        for (slot, cell) in cells.into_iter().enumerate() {
            bench.send(cell, slot as u32);
        }
        bench.round(0, 0);
        for position in [0, 1] {
            bench.take(Record::Async { position, turn: position + 1 });
        }
        bench.round(0, 2);
        if stop_first {
            bench.take(Record::Stop { cell: above, kill: false });
            assert_eq!(bench.round(0, 0).0, [Effect::Abort { cell: cells[1], stop: true }]);
        }
        bench.take(Record::Stop { cell: above, kill: true });
        let (effects, _) = bench.round(0, 0);
        let gone: Vec<_> = effects.iter().filter(|effect| matches!(effect, Effect::Gone { .. })).collect();
        let stopped = |cell| Effect::Gone { cell, gone: Gone::Stopped };
        assert_eq!(gone, [&stopped(cells[1]), &stopped(cells[0]), &stopped(above)]);
        assert_eq!(bench.scheduler.stats().in_flight(), 0);
    }
}
