//! Random runs of the store and the model side by side, over checkpoints, clean ends and kills.

use karyon_testkit::Random;

use crate::driver::{Commits, Driver};
use crate::invariants::{Checked, everything_holds};
use crate::rig;

/// `rounds` lie between two looks at everything.
fn run(seed: u64, stretches: usize, rounds: usize) -> Result<Driver, String> {
    let mut driver = Driver::new(seed, Commits::Honest);
    let mut random = Random::new(!seed);
    let mut stretch = |driver: &mut Driver| -> Checked {
        driver.run(rounds)?;
        if random.chance(1, 2) {
            driver.checkpoint()?;
        }
        let page = 1 + random.below(5);
        everything_holds(&driver.store, &driver.expected, page)?;
        driver.reopen(random.chance(1, 2))?;
        everything_holds(&driver.store, &driver.expected, page)
    };
    for at in 0..stretches {
        stretch(&mut driver).map_err(|error| format!("seed {seed}, stretch {at}: {error}"))?;
    }
    Ok(driver)
}

#[test]
fn the_store_does_what_the_model_does() {
    let (mut versions, mut conflicts, mut refusals) = (0, 0, 0);
    for seed in rig::seeds(0, 16) {
        let driver = run(seed, 5, 120).unwrap_or_else(|error| panic!("{error}"));
        versions += driver.expected.oracle.version();
        conflicts += driver.conflicts;
        refusals += driver.refusals;
    }
    // A workload that never meets itself would pass and say nothing.
    assert!(versions > 500 && conflicts > 100 && refusals > 100, "{versions} {conflicts} {refusals}");
}

#[test]
fn it_does_so_when_the_past_is_long_enough_for_chapters() {
    let mut chapters = 0;
    for seed in rig::seeds(10_000, 2) {
        let driver = run(seed, 3, 1200).unwrap_or_else(|error| panic!("{error}"));
        chapters += driver.store.verify().unwrap().chapters;
    }
    assert!(chapters > 50, "{chapters}");
}
