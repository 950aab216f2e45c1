//! Versions are the order; times are labels that only rise. What was answered once for a past moment never changes.

use std::sync::Arc;

use karyon_model::Code;
use karyon_store::{Moment, Store};
use karyon_testkit::Value;
use karyon_testkit::disk::SimDisk;
use karyon_testkit::{LogicalClock, Random};

use crate::bad_input::put;
use crate::model::Step;
use crate::rig;

/// A step that changes something, as what changes nothing is no commit.
fn anew(store: &Store) -> Step {
    put("a", Value::Integer(store.begin().unwrap().snapshot() as i64))
}

fn at(store: &Store, micros: i64) -> karyon_model::Result<u64> {
    store.resolve(Moment::Time(micros), store.durable())
}

#[test]
fn times_rise_though_the_clock_stands_still_or_steps_back() {
    let (store, clock) = rig::memory();
    let mut before = i64::MIN;
    for step in [0, 0, 0, -500, 0, 1, 1_000_000, -1_000_000, -999_999_999] {
        clock.advance(step);
        let committed = rig::commit(&store, &[anew(&store)]).unwrap();
        assert!(committed.time > before && committed.time >= clock.now());
        assert_eq!(store.time_of(committed.seq).unwrap(), committed.time);
        before = committed.time;
    }
}

#[test]
fn what_changes_nothing_has_the_newest_commits_time_and_adds_nothing_to_the_log() {
    let disk = SimDisk::new();
    let (store, _) = rig::open(disk.clone()).unwrap();
    let first = rig::write(&store, &[put("a", Value::Null)]).unwrap();
    let second = rig::commit(&store, &[put("a", Value::Bool(true))]).unwrap();
    for _ in 0..3 {
        assert_eq!(rig::commit(&store, &[put("a", Value::Bool(true))]).unwrap(), second);
        assert_eq!(store.durable(), first.seq, "not before the commit that it answers with");
    }
    assert_eq!(store.stats().unwrap().waiting, 1);
    store.write_frame().unwrap();
    let operations = disk.operations();
    assert_eq!(rig::write(&store, &[put("a", Value::Bool(true))]).unwrap(), second);
    assert_eq!(disk.operations(), operations);
    store.checkpoint().unwrap();
    drop(store);
    let (store, _) = rig::open(disk).unwrap();
    assert_eq!(rig::write(&store, &[put("a", Value::Bool(true))]).unwrap(), second);
    assert_eq!(rig::write(&store, &[put("a", Value::Null)]).unwrap().seq, second.seq + 1);
}

#[test]
fn every_commit_after_now_is_strictly_later() {
    let (store, clock) = rig::memory();
    for step in [0, 10, -10, 0, -1_000] {
        clock.advance(step);
        let committed = rig::commit(&store, &[anew(&store)]).unwrap();
        let now = store.now().unwrap();
        assert!(now >= committed.time);
        assert!(store.now().unwrap() >= now);
        let later = rig::commit(&store, &[anew(&store)]).unwrap();
        assert!(later.time > now);
        assert_eq!(at(&store, now).unwrap(), committed.seq);
    }
}

#[test]
fn a_time_stands_for_the_newest_commit_at_or_before_it() {
    let (store, clock) = rig::memory();
    let first = rig::commit(&store, &[anew(&store)]).unwrap().time;
    clock.advance(1_000);
    let second = rig::commit(&store, &[anew(&store)]).unwrap().time;
    assert_eq!([i64::MIN, 0, first - 1].map(|micros| at(&store, micros).unwrap()), [0, 0, 0]);
    assert_eq!([first, first + 1, second - 1].map(|micros| at(&store, micros).unwrap()), [1, 1, 1]);
    assert_eq!(at(&store, second).unwrap(), 2);
    for ahead in [second + 1, i64::MAX] {
        assert_eq!(at(&store, ahead).unwrap_err().code(), Code::Unsettled);
    }
    assert_eq!(store.time_of(0).unwrap(), 0);
    assert_eq!(store.time_of(3).unwrap_err().code(), Code::Time);
}

#[test]
fn a_moment_that_was_asked_for_is_closed_to_later_commits() {
    let (store, clock) = rig::memory();
    rig::commit(&store, &[anew(&store)]).unwrap();
    let asked = clock.advance(500);
    assert_eq!(at(&store, asked).unwrap(), 1);
    // The clock is put back, and commits come: none of them may be at the time that was answered for.
    clock.advance(-400);
    for _ in 0..3 {
        assert!(rig::commit(&store, &[anew(&store)]).unwrap().time > asked);
        assert_eq!(at(&store, asked).unwrap(), 1);
    }
}

#[test]
fn what_is_not_durable_is_not_settled() {
    let (store, _) = rig::open(SimDisk::new()).unwrap();
    rig::write(&store, &[anew(&store)]).unwrap();
    let waiting = rig::commit(&store, &[anew(&store)]).unwrap();
    let unsettled =
        |moment| assert_eq!(store.resolve(moment, store.durable()).unwrap_err().code(), Code::Unsettled);
    unsettled(Moment::Version(2));
    unsettled(Moment::Version(3));
    unsettled(Moment::Time(waiting.time));
    assert_eq!(at(&store, waiting.time - 1).unwrap(), 1);
    assert_eq!(store.settles_with(Moment::Time(waiting.time)).unwrap(), Some(2));
    assert_eq!(store.settles_with(Moment::Version(2)).unwrap(), Some(2));
    assert_eq!(store.settles_with(Moment::Version(3)).unwrap(), None);
    assert_eq!(store.settles_with(Moment::Time(i64::MAX)).unwrap(), None);
    store.write_frame().unwrap();
    assert_eq!(at(&store, waiting.time).unwrap(), 2);
    assert_eq!(store.resolve(Moment::Version(2), store.durable()).unwrap(), 2);
}

#[test]
fn times_go_on_rising_after_the_clock_was_put_back_between_two_openings() {
    let disk = SimDisk::new();
    let mut newest = 0;
    for (opening, micros) in [5_000, 4_000, 1, 9_000].into_iter().enumerate() {
        let clock = Arc::new(LogicalClock::new(micros));
        let (store, _) = Store::open(rig::options(Arc::new(disk.clone()), &clock)).unwrap();
        assert!(store.now().unwrap() >= newest);
        for _ in 0..2 {
            let committed = rig::write(&store, &[anew(&store)]).unwrap();
            assert!(committed.time > newest);
            newest = committed.time;
        }
        if opening % 2 == 0 {
            store.checkpoint().unwrap();
        }
    }
}

#[test]
fn a_time_that_was_handed_out_before_a_clean_close_is_never_given_to_a_later_commit() {
    let disk = SimDisk::new();
    let mut newest = 0;
    for (opening, micros) in [5_000, 9_000, 4_000, 3_000, 1, 20_000, 2].into_iter().enumerate() {
        let clock = Arc::new(LogicalClock::new(micros));
        let (store, _) = Store::open(rig::options(Arc::new(disk.clone()), &clock)).unwrap();
        if opening % 3 == 0 {
            let committed = rig::write(&store, &[put("a", Value::Integer(opening as i64))]).unwrap();
            assert!(committed.time > newest, "opening {opening}: {} after {newest}", committed.time);
        }
        if opening % 2 == 1 {
            store.checkpoint().unwrap();
        }
        clock.advance(700);
        let asked = store.now().unwrap();
        assert!(asked >= newest, "opening {opening}");
        let answer = at(&store, asked).unwrap();
        newest = asked;
        store.close().unwrap();
        drop(store);
        // Whoever opens with a clock that was put back: the moment is in the past, and its answer stands.
        let clock = Arc::new(LogicalClock::new(0));
        let (store, _) = Store::open(rig::options(Arc::new(disk.copy()), &clock)).unwrap();
        assert_eq!(at(&store, asked).unwrap(), answer);
        assert!(rig::write(&store, &[put("a", Value::text("later"))]).unwrap().time > asked);
        assert_eq!(at(&store, asked).unwrap(), answer);
    }
}

#[test]
fn a_store_that_hands_out_no_time_is_not_sealed_again() {
    let disk = SimDisk::new();
    let (store, _) = rig::open(disk.clone()).unwrap();
    rig::write(&store, &[put("a", Value::Null)]).unwrap();
    store.close().unwrap();
    drop(store);
    let before = disk.files();
    for _ in 0..3 {
        let (store, recovery) = rig::open(disk.clone()).unwrap();
        assert!(recovery.sealed);
        store.close().unwrap();
    }
    assert!(disk.files() == before);
}

#[test]
fn answers_never_change_whatever_comes_after() {
    for seed in rig::seeds(0, 20) {
        let (disk, clock) = (SimDisk::new(), Arc::new(LogicalClock::new(10_000)));
        let mut random = Random::new(seed);
        let (store, _) = Store::open(rig::options(Arc::new(disk), &clock)).unwrap();
        let mut answered = Vec::new();
        for _ in 0..200 {
            match random.below(4) {
                0 => drop(clock.advance(random.below(60) as i64 - 25)),
                1 => drop(rig::commit(&store, &[anew(&store)]).unwrap()),
                2 => drop(store.write_frame().unwrap()),
                _ => {
                    let micros = clock.now() + random.below(80) as i64 - 60;
                    match at(&store, micros) {
                        Ok(version) => answered.push((micros, version)),
                        Err(error) => assert_eq!(error.code(), Code::Unsettled, "seed {seed}"),
                    }
                }
            }
            for (micros, version) in &answered {
                assert_eq!(at(&store, *micros).unwrap(), *version, "seed {seed}, {micros} µs");
            }
        }
        assert!(answered.len() > 10, "seed {seed}");
    }
}
