//! The failure, told as a story.
//!
//! A program has been told that a fact is safe. It is in the middle of the next commit, or of a checkpoint, or of closing
//! its store, when the power goes. Of what it wrote since the last sync some sectors are on the disk and some are not; of
//! the names that it made, moved and removed some are there and some are not. The program starts again and opens its
//! store. While it does, the power goes again.
//!
//! What must be so, after every single operation on the disk at which this can happen and whatever survives of it: the
//! store opens; every fact that was called safe is there; what is there is one of the versions that were, whole, with
//! everything before it; the chain of frames verifies; and the store goes on.

use std::collections::BTreeSet;

use karyon_model::Seq;
use karyon_testkit::Random;
use karyon_testkit::disk::{Crash, Fate, SimDisk};

use crate::driver::{Commits, Driver};
use crate::invariants::{self, Checked, Expected};
use crate::model::Step;
use crate::rig;

/// What a run did, for whoever looks at its ruins.
pub struct Run {
    pub disk: SimDisk,
    pub expected: Expected,
    /// (operations done, version acknowledged by then), ascending.
    pub acknowledged: Vec<(usize, Seq)>,
}

impl Run {
    fn acknowledged_by(&self, operations: usize) -> Seq {
        let until = self.acknowledged.iter().take_while(|entry| entry.0 <= operations);
        until.last().map_or(0, |entry| entry.1)
    }
}

/// Commits, checkpoints, closes, dies and opens again, as the seed has it. A kill comes only when all is durable, so that
/// the run has one history.
pub fn work(seed: u64, steps: usize) -> Result<Run, String> {
    work_and(seed, steps, &mut |_| Ok(()))
}

/// The same, with something else now and then.
fn work_and(seed: u64, steps: usize, else_do: &mut dyn FnMut(&mut Driver) -> Checked) -> Result<Run, String> {
    let mut driver = Driver::new(seed, Commits::Honest);
    let mut random = Random::new(seed ^ 0x5eed);
    for _ in 0..steps {
        match random.below(12) {
            0 => driver.checkpoint()?,
            1 => driver.reopen(true)?,
            2 => {
                driver.settle()?;
                driver.reopen(false)?;
            }
            3 if random.chance(1, 2) => driver.declare()?,
            4 => {
                else_do(&mut driver)?;
                driver.write_frame()?;
            }
            3..=5 => driver.write_frame()?,
            _ => {
                driver.begin()?;
                driver.commit()?;
            }
        }
    }
    driver.settle()?;
    driver.checkpoint()?;
    driver.reopen(true)?;
    Ok(Run { disk: driver.disk.clone(), expected: driver.expected, acknowledged: driver.acknowledged })
}

/// What must hold of any disk that a crash leaves. Returns the newest version that is left.
pub fn check_survivor(
    disk: &SimDisk,
    expected: &Expected,
    acknowledged: Seq,
    thorough: bool,
) -> Result<Seq, String> {
    let (store, _) = rig::open(disk.clone()).map_err(|error| format!("it does not open: {error}"))?;
    let recovered = store.durable();
    let published = expected.oracle.version();
    invariants::acknowledged_is_durable(recovered, acknowledged, published)?;
    if thorough {
        let mut known = expected.clone();
        known.truncate(recovered);
        invariants::everything_holds(&store, &known, 3)?;
        goes_on(disk, store, &known)?;
    } else {
        invariants::as_of_equals_oracle(&store, expected, recovered, 5)?;
        invariants::as_of_equals_oracle(&store, expected, recovered / 2, 5)?;
        invariants::structure_holds(&store, recovered)?;
        invariants::replay_gives_the_same(&store, expected)?;
    }
    Ok(recovered)
}

/// The store takes another commit, and it is there after another opening.
fn goes_on(disk: &SimDisk, store: std::sync::Arc<karyon_store::Store>, known: &Expected) -> Checked {
    let said = |error: karyon_model::Error| error.to_string();
    let step = Step::Patch {
        place: crate::model::Place::Node("after the crash".into()),
        labels: BTreeSet::new(),
        drop: BTreeSet::new(),
        props: [("n".to_owned(), Some(karyon_testkit::Value::Integer(1)))].into(),
    };
    let committed = rig::write(&store, &[step]).map_err(said)?;
    if committed.seq != known.oracle.version() + 1 {
        return Err(format!("it goes on with version {}", committed.seq));
    }
    drop(store);
    let (store, _) = rig::open(disk.clone()).map_err(said)?;
    invariants::acknowledged_is_durable(store.durable(), committed.seq, committed.seq)?;
    invariants::as_of_equals_oracle(&store, known, known.oracle.version(), 5)?;
    store.verify().map(drop).map_err(said)
}

/// Cuts power at every operation of a run; `fates` torn fates are tried besides the two extremes. Every `again`-th image
/// is opened under the recorder, and power is cut at every operation of that opening too; 0 for none.
pub fn cut_power_everywhere(run: &Run, seed: u64, fates: u64, again: usize) -> Result<usize, String> {
    let mut random = Random::new(seed);
    let mut images = 0;
    let mut crashes = run.disk.crashes();
    while let Some(crash) = crashes.next() {
        let acknowledged = run.acknowledged_by(crash.operations);
        for fate in Fate::spread(random.next_u64(), fates) {
            let story = |error: String| {
                let operations = crash.operations;
                format!(
                    "seed {seed}, power cut after operation {operations}, {fate:?}, version {acknowledged} acknowledged: {error}"
                )
            };
            images += 1;
            let recovered = check_survivor(&crash.disk(fate), &run.expected, acknowledged, images % 16 == 0);
            let recovered = recovered.map_err(story)?;
            if again > 0 && images % again == 0 {
                images +=
                    cut_power_while_opening(run, &crash, fate, recovered, &mut random).map_err(story)?;
            }
        }
    }
    Ok(images)
}

fn cut_power_while_opening(
    run: &Run,
    crash: &Crash<'_>,
    fate: Fate,
    recovered: Seq,
    random: &mut Random,
) -> Result<usize, String> {
    let opening = crash.disk(fate);
    drop(rig::open(opening.clone()).map_err(|error| error.to_string())?);
    let mut images = 0;
    let mut second = opening.crashes();
    while let Some(cut) = second.next() {
        for again in Fate::spread(random.next_u64(), 1) {
            images += 1;
            // Nothing was acknowledged in between, and yet nothing that the first opening found may go.
            let found = check_survivor(&cut.disk(again), &run.expected, recovered, false);
            let found = found.map_err(|error| {
                format!("again after {} of the opening, {again:?}: {error}", cut.operations)
            })?;
            if found != recovered {
                return Err(format!("one opening found version {recovered}, the next {found}"));
            }
        }
    }
    Ok(images)
}

#[test]
fn power_cut_at_every_operation_loses_nothing_acknowledged() {
    let mut images = 0;
    for seed in rig::seeds(0, 12) {
        let run = work(seed, 16).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        images += cut_power_everywhere(&run, seed, 2, 0).unwrap_or_else(|error| panic!("{error}"));
    }
    assert!(images >= 6_000, "only {images} images");
}

#[test]
fn power_cut_while_the_past_is_let_go_costs_nothing_that_is_kept() {
    let mut images = 0;
    for seed in rig::seeds(30_000, 6) {
        let run =
            work_and(seed, 16, &mut Driver::compact).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        images += cut_power_everywhere(&run, seed, 2, 64).unwrap_or_else(|error| panic!("{error}"));
    }
    assert!(images >= 3_000, "only {images} images");
}

#[test]
fn power_cut_while_the_store_recovers_is_as_safe_as_any_other() {
    let mut images = 0;
    for seed in rig::seeds(20_000, 2) {
        let run = work(seed, 8).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        images += cut_power_everywhere(&run, seed, 1, 8).unwrap_or_else(|error| panic!("{error}"));
    }
    // With those of the other test, ten thousand.
    assert!(images >= 4_000, "only {images} images");
}
