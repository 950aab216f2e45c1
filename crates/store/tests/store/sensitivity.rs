//! A check is trusted once broken builds have made it fail. Each of these is broken in one way, and must be noticed.

use std::collections::BTreeMap;

use karyon_testkit::disk::{Lie, SimDisk};

use crate::crashes::{Run, cut_power_everywhere, work};
use crate::driver::{Commits, Driver};
use crate::invariants;

/// A run with as many acknowledgements as one could wish for.
fn run() -> Run {
    work(21, 12).unwrap()
}

fn noticed(result: Result<usize, String>, words: &str) {
    let error = result.expect_err("the broken variant passed");
    assert!(error.contains(words), "it was noticed as something else: {error}");
}

#[test]
fn the_honest_run_passes() {
    cut_power_everywhere(&run(), 21, 1, 0).unwrap();
}

/// What a run on a disk that lies since its creation, or since the store's, leaves.
fn lied(lie: Lie, from_the_start: bool) -> Run {
    let disk = SimDisk::new();
    disk.set_lie(from_the_start.then_some(lie));
    let mut driver = Driver::on(disk, 21, Commits::Honest);
    driver.disk.set_lie(Some(lie));
    for _ in 0..6 {
        driver.begin().unwrap();
        driver.commit().unwrap();
        driver.write_frame().unwrap();
    }
    let Driver { disk, expected, acknowledged, .. } = driver;
    Run { disk, expected, acknowledged }
}

#[test]
fn a_disk_whose_syncs_do_nothing_is_noticed() {
    noticed(cut_power_everywhere(&lied(Lie::FileSyncs, false), 21, 2, 0), "was acknowledged");
    noticed(cut_power_everywhere(&lied(Lie::FileSyncs, true), 21, 2, 0), "does not open");
    noticed(cut_power_everywhere(&lied(Lie::DirectorySyncs, true), 21, 0, 0), "was acknowledged");
}

#[test]
fn an_acknowledgement_before_the_sync_is_noticed() {
    let mut run = run();
    // Each frame is called durable as of the acknowledgement before it.
    let early: Vec<_> = run.acknowledged.windows(2).map(|pair| (pair[0].0 + 1, pair[1].1)).collect();
    run.acknowledged = early;
    noticed(cut_power_everywhere(&run, 21, 1, 0), "was acknowledged");
}

#[test]
fn a_commit_that_nobody_validates_is_noticed() {
    let found = (0..20).any(|seed| {
        let result = Driver::new(seed, Commits::Forged).run(400);
        result.is_err_and(|error| error.contains("had to conflict"))
    });
    assert!(found, "20 runs without validation passed");
}

#[test]
fn a_store_that_shows_something_else_is_noticed() {
    let mut driver = Driver::new(3, Commits::Honest);
    driver.run(200).unwrap();
    driver.settle().unwrap();
    let (store, expected) = (&driver.store, &driver.expected);
    let newest = expected.oracle.version();
    invariants::everything_holds(store, expected, 3).unwrap();

    let node = expected.oracle.newest().nodes.keys().next().expect("some node exists").clone();
    let step = crate::bad_input::put(&node, karyon_testkit::Value::text("never said"));
    let verbs = crate::model::carry_out(&[step], expected.oracle.newest()).unwrap().0;
    let mut other = expected.clone();
    other.truncate(newest - 1);
    other.oracle.apply(&verbs).unwrap();
    other.prints.push(expected.prints[newest as usize].clone());
    other.times.push(expected.times[newest as usize]);
    other.principals.push(expected.principals[newest as usize].clone());
    other.declared.push(expected.declared[newest as usize].clone());
    assert!(invariants::as_of_equals_oracle(store, &other, newest, 3).is_err());
    assert!(invariants::digest_is_canonical(store, &other, newest).is_err());
    assert!(invariants::past_equals_oracle(store, &other).is_err());
    assert!(invariants::replay_gives_the_same(store, &other).is_err());

    let mut late = expected.clone();
    late.times[1] += 1;
    assert!(invariants::commits_are_indexed(store, &late).is_err());
    let mut renamed = expected.clone();
    renamed.principals[1] = "somebody else".into();
    assert!(invariants::commits_are_indexed(store, &renamed).is_err());
    assert!(invariants::acknowledged_is_durable(4, 5, 9).is_err());
    assert!(invariants::acknowledged_is_durable(10, 5, 9).is_err());
    assert_ne!(
        invariants::canonical_digest(&crate::model::State::default()),
        invariants::canonical_digest(&crate::model::State {
            nodes: BTreeMap::new(),
            edges: expected.oracle.newest().edges.clone().into_iter().take(1).collect(),
        }),
    );
}

#[test]
fn a_log_whose_bytes_were_changed_behind_the_stores_back_is_noticed() {
    let mut driver = Driver::new(5, Commits::Honest);
    driver.run(120).unwrap();
    driver.settle().unwrap();
    driver.disk.flip(&karyon_log::segment_path(1), 700 * 8);
    assert!(invariants::replay_gives_the_same(&driver.store, &driver.expected).is_err());
}
