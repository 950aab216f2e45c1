//! The n-th call to the disk fails, for n = 0, 1, 2, … until a run meets no failure any more.

use karyon_model::{Code, Seq};
use karyon_testkit::Value;
use karyon_testkit::disk::{Fate, Fault, SimDisk};

use crate::bad_input::put;
use crate::crashes::check_survivor;
use crate::footprint::Footprint;
use crate::invariants::{self, Checked, Expected};
use crate::model::{Step, carry_out, changes};
use crate::{rig, workload};
use karyon_store::Store;
use karyon_testkit::Random;

/// Openings, commits, frames, checkpoints and a clean end; the commits' contents follow from the seed.
const OPENINGS: usize = 2;
const COMMITS: usize = 7;

struct Scenario {
    disk: SimDisk,
    random: Random,
    expected: Expected,
    acknowledged: Seq,
}

/// An error must be one that says what the disk did.
fn typed(error: &karyon_model::Error) -> Checked {
    match error.code() {
        Code::Io | Code::SyncFailed => Ok(()),
        _ => Err(format!("a failing disk gives {error}")),
    }
}

impl Scenario {
    /// False when a call has failed.
    fn run(&mut self) -> Result<bool, String> {
        for _ in 0..OPENINGS {
            let store = match rig::open(self.disk.clone()) {
                Ok((store, _)) => store,
                Err(error) => return typed(&error).map(|()| false),
            };
            // What was never acknowledged may have been lost on the way.
            self.expected.truncate(store.durable());
            for at in 0..COMMITS {
                if !self.commit(&store, at)? {
                    return Ok(false);
                }
            }
            if let Err(error) = store.close() {
                typed(&error)?;
                return Ok(false);
            }
            self.acknowledged = self.expected.oracle.version();
        }
        Ok(true)
    }

    fn commit(&mut self, store: &Store, at: usize) -> Result<bool, String> {
        let before = self.expected.oracle.newest().clone();
        let steps = vec![workload::step(&mut self.random, &before)];
        if let Ok((verbs, _)) = carry_out(&steps, &before) {
            let committed =
                rig::commit(store, &steps).map_err(|error| format!("a commit waits for no disk: {error}"))?;
            if changes(&steps, &before) {
                self.expected.oracle.apply(&verbs).expect("carried out before");
                self.expected.prints.push(Footprint::of(&steps, &before));
                self.expected.times.push(committed.time);
                self.expected.principals.push(rig::ROOT.principal.to_owned());
                self.expected.declared.push(Default::default());
            }
        }
        if at % 2 == 1 {
            let written = store.write_frame();
            self.acknowledged = store.durable();
            if let Err(error) = written {
                typed(&error)?;
                self.refused_until_reopened(store)?;
                return Ok(false);
            }
        }
        if at == COMMITS / 2
            && let Err(error) = store.checkpoint()
        {
            self.acknowledged = store.durable();
            typed(&error)?;
            if store.failure().map_err(|error| error.to_string())?.is_some() {
                self.refused_until_reopened(store)?;
                return Ok(false);
            }
            // A checkpoint that could not be written costs nothing: the store goes on.
        }
        self.acknowledged = store.durable();
        Ok(true)
    }

    /// After a failed write: no commit is taken, reads go on at the watermark, and closing says what happened.
    fn refused_until_reopened(&self, store: &Store) -> Checked {
        for attempt in 0..2 {
            let step = Step::Remove { key: "nobody".into(), detach: true };
            match rig::commit(store, &[step]) {
                Err(error) if error.code() == Code::SyncFailed => {}
                other => return Err(format!("attempt {attempt} after a failed write: {other:?}")),
            }
        }
        if store.write_frame().is_ok_and(|written| written) {
            return Err("a frame was written after a failed write".into());
        }
        if store.durable() != self.acknowledged {
            return Err("the watermark moved after a failed write".into());
        }
        for version in 0..=store.durable() {
            invariants::as_of_equals_oracle(store, &self.expected, version, 4)?;
        }
        match store.close() {
            Err(error) if error.code() == Code::SyncFailed => Ok(()),
            other => Err(format!("closing after a failed write: {other:?}")),
        }
    }
}

/// The scenario with the `call`-th call failing; false when it met no failure.
fn fails(call: u64, fault: Fault, seed: u64) -> Result<bool, String> {
    let disk = SimDisk::new();
    disk.fail(call, fault);
    let (random, expected) = (Random::new(seed), Expected::new());
    let mut scenario = Scenario { disk: disk.clone(), random, expected, acknowledged: 0 };
    scenario.run()?;
    let met = disk.calls() > call;
    disk.heal();
    let Scenario { expected, acknowledged, .. } = scenario;
    // The process ends; what it finds when it starts again, and what it finds if power was cut in between.
    let mut last = Vec::new();
    if call.is_multiple_of(3) {
        let mut crashes = disk.crashes();
        while let Some(crash) = crashes.next() {
            if crash.operations == disk.operations() {
                last.extend(Fate::spread(call, 1).map(|fate| crash.disk(fate)));
            }
        }
    }
    last.push(disk.clone());
    for disk in last {
        check_survivor(&disk, &expected, acknowledged, true)?;
    }
    Ok(met)
}

#[test]
fn any_call_to_the_disk_may_fail_and_nothing_acknowledged_is_lost() {
    for (seed, fault) in Fault::ALL.into_iter().enumerate() {
        let mut call = 0;
        loop {
            match fails(call, fault, seed as u64) {
                Ok(true) => call += 1,
                Ok(false) => break,
                Err(error) => panic!("{fault:?} at call {call}, seed {seed}: {error}"),
            }
        }
        assert!(call > 100, "the scenario makes only {call} calls");
    }
}

/// The disk is full before the next segment can be prepared: nobody notices until the active one is full as well.
#[test]
fn a_store_on_a_full_disk_takes_commits_until_its_segment_is_full() {
    let disk = SimDisk::new();
    let (store, _) = rig::open(disk.clone()).unwrap();
    let put = |at: u64| put(&format!("n{at}"), Value::text("x".repeat(40_000)));
    rig::write(&store, &[put(1)]).unwrap();
    disk.set_room(Some(100_000));
    let mut last = 1;
    let error = loop {
        match rig::write(&store, &[put(last + 1)]) {
            Ok(committed) => last = committed.seq,
            Err(error) => break error,
        }
    };
    assert_eq!(error.code(), Code::SyncFailed);
    assert!(error.message().contains("the disk is full: free space"), "{error}");
    assert!(last * 40_000 > (1 << 20) - 50_000, "only {last} commits went into the segment");
    assert_eq!(store.durable(), last);
    let refused = rig::commit(&store, &[put(1)]).unwrap_err();
    assert_eq!(refused.message(), error.message(), "who comes later is told the same");
    assert_eq!(store.close().unwrap_err().code(), Code::SyncFailed);
    drop(store);
    disk.set_room(None);
    let (store, recovery) = rig::open(disk).unwrap();
    assert_eq!((store.durable(), recovery.sealed, recovery.cut), (last, false, None));
    assert_eq!(store.stats().unwrap().nodes as u64, last);
    rig::write(&store, &[put(last + 1)]).unwrap();
}

#[test]
fn a_store_on_a_read_only_disk_does_not_open_and_nothing_is_changed() {
    let disk = SimDisk::new();
    let (store, _) = rig::open(disk.clone()).unwrap();
    rig::write(&store, &[Step::Put { key: "a".into(), labels: [].into(), props: [].into() }]).unwrap();
    store.close().unwrap();
    drop(store);
    let before = disk.files();
    disk.set_read_only(true);
    assert_eq!(rig::open(disk.clone()).err().unwrap().code(), Code::Io);
    assert_eq!(disk.files(), before);
    disk.set_read_only(false);
    assert_eq!(rig::open(disk).unwrap().0.durable(), 1);
}
