//! What users of cells rely on, one behaviour each, with every record and effect in sight.

#![allow(clippy::unwrap_used)]

mod bench;

use bench::Bench;
use karyon_model::Code;
use karyon_scheduler::{
    AskEnd, Backoff, CellId, CellOptions, Class, Death, Effect, Gone, Lost, Record, RestartPolicy,
    SupervisorPolicy, Verdict, limits::CELLS_MAX,
};

#[test]
fn a_busy_cell_does_not_keep_others_from_their_turn() {
    let mut bench = Bench::new();
    let busy = bench.spawn("busy", CellOptions::default());
    let quiet = bench.spawn("quiet", CellOptions::default());
    (0..200).for_each(|slot| bench.send(busy, slot));
    bench.send(quiet, 999);
    let (_, batch) = bench.round(0, 0);
    assert_eq!(batch.len(), 65, "64 of the busy one, then the other");
    assert_eq!(batch[64], 999);
    let (_, batch) = bench.round(0, 65);
    assert_eq!(batch[0], 64);
}

#[test]
fn a_place_is_free_once_all_is_told_of_its_cell() {
    let mut bench = Bench::new();
    let [a, b] = ["a", "b"].map(|name| bench.spawn(name, CellOptions::default()));
    bench.take(Record::Stop { cell: a, kill: false });
    bench.take(Record::Stop { cell: b, kill: false });
    bench.scheduler.step(0, 0);
    let is_gone = |cell| Effect::Gone { cell, gone: Gone::Stopped };
    let mut one = || bench.scheduler.effects().find(|effect| !matches!(effect, Effect::Died { .. }));
    assert_eq!(one(), Some(is_gone(a)));
    // A host that learns of one end tells the other cell, of whose end it has not heard yet.
    bench.take(Record::Send { cell: b, slot: 1, class: Class::Owed });
    let c = bench.spawn("c", CellOptions::default());
    let effects = bench.round(0, 0).0;
    let lost = Effect::Lost { cell: b, slot: 1, why: Lost::Stopped };
    let died = Effect::Died { cell: b, incarnation: 1, death: Death::Stop };
    assert_eq!(effects, [died, is_gone(b), lost, Effect::Forgotten { cell: a }]);
    let d = bench.spawn("d", CellOptions::default());
    assert_eq!(bench.round(0, 0).0, [Effect::Forgotten { cell: b }]);
    let e = bench.spawn("e", CellOptions::default());
    let places = [a, b, c, d, e].map(CellId::index);
    assert_eq!(places[3..], places[..2]);
    assert!(!places[..2].contains(&places[2]));
}

#[test]
fn what_was_not_run_is_issued_again_first_and_in_order() {
    let mut bench = Bench::new();
    let (a, b) = (bench.spawn("a", CellOptions::default()), bench.spawn("b", CellOptions::default()));
    for slot in [1, 2] {
        bench.send(a, slot);
    }
    for slot in [3, 4] {
        bench.send(b, slot);
    }
    assert_eq!(bench.round(0, 0).1, [1, 2, 3, 4]);
    assert_eq!(bench.round(0, 1).1, [3, 4, 2]);
}

#[test]
fn messages_behind_a_turn_that_goes_on_wait_for_it() {
    let mut bench = Bench::new();
    let cell = bench.spawn("a", CellOptions::default());
    for slot in [1, 2] {
        bench.send(cell, slot);
    }
    bench.round(0, 0);
    bench.take(Record::Async { position: 0, turn: 7 });
    assert_eq!(bench.round(0, 2).1, [], "the second was skipped and waits");
    bench.take(Record::Settled { cell, turn: 7, verdict: Verdict::Ended });
    assert_eq!(bench.round(0, 0).1, [2]);
}

#[test]
fn a_failure_restarts_at_once_and_keeps_the_rest_of_the_mailbox() {
    let mut bench = Bench::new();
    let cell = bench.spawn("a", CellOptions::default());
    for slot in [1, 2] {
        bench.send(cell, slot);
    }
    bench.round(0, 0);
    bench.take(Record::Result { position: 0, verdict: Verdict::Failed });
    let (effects, batch) = bench.round(0, 2);
    let death = Death::Error;
    assert_eq!(
        effects,
        [
            Effect::Died { cell, incarnation: 1, death },
            Effect::Restarted { cell, incarnation: 2, death },
            Effect::Began { cell },
        ]
    );
    assert_eq!(batch, [2]);
}

#[test]
fn an_ask_that_would_close_a_circle_is_refused_with_the_way_round() {
    let mut bench = Bench::new();
    let [a, b, c] = ["a", "b", "c"].map(|name| bench.spawn(name, CellOptions::default()));
    bench.send(a, 1);
    bench.round(0, 0);
    bench.take(Record::Async { position: 0, turn: 10 });
    bench.ask(b, 2, a, 10);
    assert_eq!(bench.round(0, 1).1, [2]);
    bench.take(Record::Async { position: 0, turn: 11 });
    bench.ask(c, 3, b, 11);
    assert_eq!(bench.round(0, 1).1, [3]);
    bench.ask(a, 4, c, 12);
    let (effects, _) = bench.round(0, 1);
    let path: Vec<_> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::AskPath { cell, .. } => Some(*cell),
            _ => None,
        })
        .collect();
    assert_eq!(path, [c, a, b, c]);
    assert!(effects.contains(&Effect::AskSettled { slot: 4, end: AskEnd::Cycle }));
}

#[test]
fn an_ask_whose_turn_ended_without_waiting_closes_no_circle() {
    let mut bench = Bench::new();
    let [a, b] = ["a", "b"].map(|name| bench.spawn(name, CellOptions::default()));
    bench.send(a, 1);
    bench.round(0, 0);
    bench.ask(b, 2, a, 10);
    assert_eq!(bench.round(0, 1).1, [2]);
    bench.ask(a, 3, b, 11);
    let (effects, batch) = bench.round(0, 1);
    assert_eq!((effects, batch), (vec![], vec![3]));
}

#[test]
fn a_turn_past_its_limit_is_told_and_then_lost() {
    let mut bench = Bench::new();
    let cell = bench.spawn("a", CellOptions { turn_timeout_ms: 50, ..CellOptions::default() });
    bench.send(cell, 1);
    bench.round(0, 0);
    bench.take(Record::Async { position: 0, turn: 1 });
    assert_eq!(bench.round(0, 1).0, []);
    assert_eq!(bench.round(50, 0).0, [Effect::Abort { cell, stop: false }]);
    let (effects, _) = bench.round(100, 0);
    let death = Death::Timeout;
    assert_eq!(
        effects,
        [
            Effect::Died { cell, incarnation: 1, death },
            Effect::Lost { cell, slot: 1, why: Lost::InTurn },
            Effect::Restarted { cell, incarnation: 2, death },
            Effect::Began { cell },
        ]
    );
}

#[test]
fn a_stop_lengthens_no_turn() {
    // At its limit 50, then 100 of grace: at 150 it is over, whenever the stop came.
    for stopped_at in [20, 60] {
        let mut bench = Bench::new();
        let cell = bench.spawn("a", CellOptions { turn_timeout_ms: 50, ..CellOptions::default() });
        bench.send(cell, 1);
        bench.round(0, 0);
        bench.take(Record::Async { position: 0, turn: 1 });
        bench.round(0, 1);
        bench.round(stopped_at.min(50), 0);
        bench.round(stopped_at.saturating_sub(50), 0);
        bench.take(Record::Stop { cell, kill: false });
        assert_eq!(bench.round(0, 0).0, [Effect::Abort { cell, stop: true }]);
        bench.round(50_u64.saturating_sub(stopped_at), 0);
        let (effects, _) = bench.round(149 - stopped_at.max(50), 0);
        assert_eq!(effects, []);
        let (effects, _) = bench.round(1, 0);
        assert_eq!(effects[0], Effect::Died { cell, incarnation: 1, death: Death::Timeout });
        assert_eq!(effects.last(), Some(&Effect::Gone { cell, gone: Gone::Stopped }));
    }
}

#[test]
fn conflicts_are_not_counted_as_failures() {
    let mut bench = Bench::new();
    let cell = bench.spawn("a", CellOptions::default());
    bench.send(cell, 1);
    let mut ran = 0;
    for _ in 0..6 {
        assert_eq!(bench.round(0, ran).1, [1]);
        bench.take(Record::Result { position: 0, verdict: Verdict::Conflict });
        ran = 1;
    }
    let (effects, batch) = bench.round(0, 1);
    assert!(effects.contains(&Effect::Lost { cell, slot: 1, why: Lost::Conflict }) && batch.is_empty());
    assert_eq!((bench.scheduler.stats().restarts, bench.scheduler.stats().conflicts), (6, 1));
}

#[test]
fn a_supervisor_at_the_top_that_gives_up_says_so_and_stops_all_below() {
    let mut bench = Bench::new();
    let root = bench.scheduler.root();
    let restart = RestartPolicy { intensity: 0, period_ms: 1_000, backoff: Backoff::NONE };
    let (policy, options) =
        (SupervisorPolicy { restart, ..SupervisorPolicy::default() }, CellOptions::default());
    let top = bench.scheduler.spawn(root, "top", false, options, Some(policy)).unwrap();
    let [a, b] = ["a", "b"].map(|name| bench.scheduler.spawn(top, name, false, options, None).unwrap());
    bench.take(Record::Fail { cell: a, incarnation: 1, death: Death::Error });
    let (effects, _) = bench.round(0, 0);
    assert!(effects.contains(&Effect::SupervisorGaveUp { cell: top }));
    assert!(effects.contains(&Effect::RootFailed { cell: top }));
    let gone: Vec<_> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Gone { cell, gone } => Some((*cell, *gone)),
            _ => None,
        })
        .collect();
    let below = Gone::SupervisorGaveUp;
    assert_eq!(gone, [(b, below), (a, below), (top, Gone::GaveUp)]);
}

#[test]
fn a_cell_that_ends_by_itself_leaves_its_parent_and_siblings_alone() {
    let mut bench = Bench::new();
    let parent = bench.spawn("parent", CellOptions::default());
    let [one, two] = ["one", "two"]
        .map(|name| bench.scheduler.spawn(parent, name, false, CellOptions::default(), None).unwrap());
    let beside = bench.spawn("beside", CellOptions::default());
    for cell in [one, beside] {
        bench.take(Record::Finish { cell, incarnation: 1, death: Death::Ended });
        let (effects, _) = bench.round(0, 0);
        let death = Death::Stop;
        assert_eq!(
            effects,
            [Effect::Died { cell, incarnation: 1, death }, Effect::Gone { cell, gone: Gone::Ended }]
        );
        assert_eq!(bench.round(0, 0).0, [Effect::Forgotten { cell }]);
    }
    bench.send(two, 1);
    bench.send(parent, 2);
    assert_eq!(bench.round(0, 0).1, [1, 2]);
}

#[test]
fn a_million_living_cells_are_the_limit() {
    let mut bench = Bench::new();
    let root = bench.scheduler.root();
    let mut spawn = || bench.scheduler.spawn(root, "cell", true, CellOptions::default(), None);
    // The root is a cell too.
    for _ in 1..CELLS_MAX {
        spawn().unwrap();
    }
    assert_eq!(spawn().unwrap_err().code(), Code::CellCount);
}
