//! When a restart is allowed, and how long it waits.

use crate::limits::{INTENSITY_DEFAULT, PERIOD_DEFAULT_MS};
use std::collections::VecDeque;

/// Which ends of a cell are followed by a restart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Restart {
    /// After a failure, and not after a stop of its own.
    #[default]
    Transient,
    /// After a failure and after a stop of its own.
    Permanent,
    /// Never.
    Temporary,
}

/// How long a restart waits: `initial × factor^n`, at most `max`, less a random share of up to `jitter`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// The wait before the first restart in the window, in milliseconds; 0 restarts at once, always.
    pub initial_ms: f64,
    /// What each further restart in the window multiplies the wait by.
    pub factor: f64,
    /// The longest wait, in milliseconds.
    pub max_ms: f64,
    /// The share of the wait, 0 to 1, that chance may take away, so that cells do not come back in step.
    pub jitter: f64,
}

impl Backoff {
    /// No wait at all.
    pub const NONE: Backoff = Backoff { initial_ms: 0.0, factor: 1.0, max_ms: 0.0, jitter: 0.0 };

    /// The wait before the restart that follows `earlier` others in the window, in microseconds.
    pub(crate) fn delay_us(&self, earlier: u32, random: &mut Random) -> u64 {
        if self.initial_ms <= 0.0 {
            return 0;
        }
        let exponent = i32::try_from(earlier).unwrap_or(i32::MAX);
        let full_ms = (self.initial_ms * self.factor.powi(exponent)).min(self.max_ms);
        let kept = 1.0 - self.jitter.clamp(0.0, 1.0) * random.unit();
        (full_ms * kept * 1_000.0) as u64
    }
}

/// How many restarts, in which time, with which waits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RestartPolicy {
    /// Restarts allowed within the period.
    pub intensity: u32,
    /// The period, in milliseconds.
    pub period_ms: u32,
    /// The wait before each.
    pub backoff: Backoff,
}

impl Default for RestartPolicy {
    fn default() -> Self {
        RestartPolicy { intensity: INTENSITY_DEFAULT, period_ms: PERIOD_DEFAULT_MS, backoff: Backoff::NONE }
    }
}

/// Who is restarted together with a child that failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// Nobody.
    #[default]
    OneForOne,
    /// All its siblings.
    OneForAll,
    /// Its siblings that were started after it.
    RestForOne,
    /// Nobody. All are of one kind, added one by one, and stop all at once.
    SimpleOneForOne,
}

/// When a supervisor stops because children that count have ended by themselves: OTP's `auto_shutdown`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AutoShutdown {
    /// Never.
    #[default]
    Never,
    /// When one has.
    AnySignificant,
    /// When all have.
    AllSignificant,
}

/// What a supervisor does about its children.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SupervisorPolicy {
    /// How often they may be restarted.
    pub restart: RestartPolicy,
    /// Who is restarted together.
    pub strategy: Strategy,
    /// When it stops by itself.
    pub auto_shutdown: AutoShutdown,
}

/// The restarts that still lie within a policy's period.
#[derive(Clone, Debug, Default)]
pub(crate) struct RestartWindow {
    restarts_us: VecDeque<u64>,
}

impl RestartWindow {
    /// Counts one restart if the policy allows it, and says how many lie before it in the period.
    pub fn allow(&mut self, policy: &RestartPolicy, now_us: u64) -> Option<u32> {
        let period_us = u64::from(policy.period_ms) * 1_000;
        while self.restarts_us.front().is_some_and(|&at| at + period_us <= now_us) {
            self.restarts_us.pop_front();
        }
        let earlier = self.restarts_us.len() as u32;
        if earlier >= policy.intensity {
            return None;
        }
        self.restarts_us.push_back(now_us);
        Some(earlier)
    }
}

/// Seeded numbers for jitter: SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014). Its
/// whole future follows from its seed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number in [0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_allows_its_intensity_and_no_more_until_the_period_has_passed() {
        let policy = RestartPolicy { intensity: 2, period_ms: 10, backoff: Backoff::NONE };
        let mut window = RestartWindow::default();
        assert_eq!(window.allow(&policy, 0), Some(0));
        assert_eq!(window.allow(&policy, 5_000), Some(1));
        assert_eq!(window.allow(&policy, 9_999), None);
        assert_eq!(window.allow(&policy, 10_000), Some(1));
        assert_eq!(window.allow(&policy, 10_001), None);
    }

    #[test]
    fn an_intensity_of_zero_allows_nothing() {
        let policy = RestartPolicy { intensity: 0, ..RestartPolicy::default() };
        assert_eq!(RestartWindow::default().allow(&policy, 0), None);
    }

    #[test]
    fn waits_grow_up_to_the_longest() {
        let backoff = Backoff { initial_ms: 10.0, factor: 2.0, max_ms: 35.0, jitter: 0.0 };
        let mut random = Random(1);
        let waits: Vec<_> = (0..4).map(|earlier| backoff.delay_us(earlier, &mut random)).collect();
        assert_eq!(waits, [10_000, 20_000, 35_000, 35_000]);
        assert_eq!(backoff.delay_us(u32::MAX, &mut random), 35_000);
    }

    #[test]
    fn jitter_only_shortens_a_wait_and_by_its_share_at_most() {
        let backoff = Backoff { initial_ms: 100.0, factor: 1.0, max_ms: 100.0, jitter: 0.25 };
        let mut random = Random(2);
        assert!((0..1_000).all(|_| (75_000..=100_000).contains(&backoff.delay_us(0, &mut random))));
    }

    #[test]
    fn the_same_seed_gives_the_published_sequence() {
        let mut random = Random(1_234_567);
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn units_stay_below_one() {
        let mut random = Random(7);
        assert!((0..1_000).all(|_| (0.0..1.0).contains(&random.unit())));
    }
}
