//! Letting go of the past: what is kept is as it was, what is not is told as that, and what was erased is nowhere.

use karyon_testkit::Random;

use crate::driver::{Commits, Driver};
use crate::invariants::{Checked, everything_holds};
use crate::rig;

/// Work, over and over, with the past let go in between, checkpoints, clean ends and kills.
fn run(seed: u64, stretches: usize, rounds: usize) -> Result<Driver, String> {
    let mut driver = Driver::new(seed, Commits::Honest);
    let mut random = Random::new(!seed);
    let mut stretch = |driver: &mut Driver| -> Checked {
        driver.run(rounds)?;
        let page = 1 + random.below(5);
        match random.below(4) {
            0 => driver.checkpoint()?,
            1 => driver.erase()?,
            _ => driver.compact()?,
        }
        everything_holds(&driver.store, &driver.expected, page)?;
        if random.chance(1, 2) {
            driver.run(rounds / 4)?;
            driver.checkpoint()?;
        }
        driver.settle()?;
        driver.reopen(random.chance(1, 2))?;
        everything_holds(&driver.store, &driver.expected, page)
    };
    for at in 0..stretches {
        stretch(&mut driver).map_err(|error| {
            let story = driver.trace[driver.trace.len().saturating_sub(16)..].join("\n");
            format!("seed {seed}, stretch {at}: {error}\nafter\n{story}")
        })?;
    }
    Ok(driver)
}

#[test]
fn what_is_kept_is_as_it_was_and_what_is_not_is_never_guessed() {
    let mut lost = 0;
    for seed in rig::seeds(50_000, 12) {
        let driver = run(seed, 6, 120).unwrap_or_else(|error| panic!("{error}"));
        let expected = &driver.expected;
        lost += (0..expected.oracle.version()).filter(|version| !expected.keeps(*version)).count();
    }
    assert!(lost > 100, "{lost}");
}

#[test]
fn also_when_the_past_is_long_enough_for_chapters() {
    for seed in rig::seeds(60_000, 3) {
        run(seed, 4, 900).unwrap_or_else(|error| panic!("{error}"));
    }
}
