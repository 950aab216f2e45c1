//! When a synchronous stretch of JavaScript has gone on for too long, in CPU time of its thread.
//!
//! A pure state machine: what a look finds goes in; out come what to do, and when to look again. What it knows of a stretch
//! begins with the first look that finds it, so that it never says more than was used: a thread that sleeps, or that the machine does
//! not run, uses nothing.

/// The longest stretch outside of turns (a continuation after an `await`, code of the program), and the default of turns, in microseconds.
pub const STRETCH_US: u64 = 1_000_000;
/// Looks that come between the beginning of a turn and its shortest limit, if it lasts that long.
const LOOKS_PER_LIMIT: u64 = 8;
/// The shortest time between looks, in microseconds.
const TICK_MIN_US: u64 = 500;
/// The longest time between looks while turns run, in microseconds: each look says of one turn that it used what was used since the last.
const SAMPLE_US: u64 = 10_000;
/// The time between looks while nothing happens, in microseconds.
const IDLE_US: u64 = 1_000_000;

/// What a look finds of one environment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Look {
    /// The CPU time that its thread has used, in microseconds.
    pub cpu_us: u64,
    /// The turn that runs; 0 is none.
    pub turn: u64,
    /// The longest that it may run in one stretch, in microseconds of CPU time; 0 is no limit.
    pub limit_us: u64,
    /// The shortest limit of any cell there, in microseconds.
    pub shortest_us: u64,
    /// Counts signs of life outside of turns: crossings to the scheduler, answers to pings.
    pub beats: u64,
}

/// What follows from a look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Finding {
    /// The stretch has used so much CPU time, in microseconds, which is its limit or more.
    pub overrun_us: Option<u64>,
    /// Tell of it: it is over its limit, and has used twice of what was told before.
    pub tell: bool,
    /// It was told of before, and goes on.
    pub again: bool,
    /// What the thread has used since the last look, in microseconds: of the turn that runs, if looks are taken as samples.
    pub sample_us: u64,
    /// Have its loop answer: the answer is a beat.
    pub ping: bool,
    /// Look again after so many microseconds.
    pub next_us: u64,
    /// Nothing happens there: a beat is a reason to look at once.
    pub idle: bool,
}

/// What is known of one environment. The default knows nothing yet.
#[derive(Clone, Copy, Debug, Default)]
pub struct Watch {
    /// The stretch that the last look found: its turn and the beats before it.
    stretch: (u64, u64),
    /// The CPU time when it was first found; outside of turns, when the ping went out.
    since_us: u64,
    /// The CPU time of the last look.
    last_us: u64,
    /// What it had used when it was last told of, in microseconds; 0 before that.
    told_us: u64,
    pinged: bool,
}

impl Watch {
    /// Takes in what a look found.
    pub fn look(&mut self, look: Look) -> Finding {
        let Look { cpu_us, turn, limit_us, shortest_us, beats } = look;
        let tick_us = (shortest_us.min(STRETCH_US) / LOOKS_PER_LIMIT).max(TICK_MIN_US);
        let beaten = self.stretch.1 != beats;
        let moved = cpu_us != self.last_us;
        // A pause between looks is nothing that the turn after it has used.
        let sample_us = cpu_us.saturating_sub(self.last_us).min(2 * SAMPLE_US);
        if self.stretch != (turn, beats) {
            *self = Watch { stretch: (turn, beats), since_us: cpu_us, ..Watch::default() };
        }
        self.last_us = cpu_us;
        let mut used_us = cpu_us.saturating_sub(self.since_us);
        let in_turn = turn != 0;
        // A loop that turns may use as much as it likes: only one that does not answer stands still.
        let ping = !in_turn && !self.pinged && used_us >= STRETCH_US / 2;
        if ping {
            (self.pinged, self.since_us, used_us) = (true, cpu_us, 0);
        }
        let outside_us = if self.pinged { STRETCH_US } else { 0 };
        let limit_us = if in_turn { limit_us } else { outside_us };
        let over = limit_us != 0 && used_us >= limit_us;
        let again = self.told_us != 0;
        let tell = over && used_us >= 2 * self.told_us;
        self.told_us = if tell { used_us } else { self.told_us };
        // Nobody uses more CPU time than passes: before that there is nothing to find.
        let left_us = if over || limit_us == 0 { tick_us } else { limit_us - used_us };
        let (next_us, idle) = match (in_turn || beaten, moved) {
            (true, _) => (left_us.min(tick_us).clamp(TICK_MIN_US / 5, SAMPLE_US), false),
            (false, true) => (STRETCH_US / LOOKS_PER_LIMIT, true),
            (false, false) => (IDLE_US, true),
        };
        Finding { overrun_us: over.then_some(used_us), tell, again, sample_us, ping, next_us, idle }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT_US: u64 = 5_000;

    fn in_turn(turn: u64, cpu_us: u64) -> Look {
        Look { cpu_us, turn, limit_us: LIMIT_US, shortest_us: LIMIT_US, beats: 1 }
    }

    fn outside(cpu_us: u64, beats: u64) -> Look {
        Look { cpu_us, beats, shortest_us: LIMIT_US, ..Look::default() }
    }

    #[test]
    fn a_turn_is_over_its_limit_by_the_cpu_time_since_it_was_first_seen() {
        let mut watch = Watch::default();
        assert_eq!(watch.look(in_turn(1, 70_000)).overrun_us, None);
        assert_eq!(watch.look(in_turn(1, 74_999)).overrun_us, None);
        let finding = watch.look(in_turn(1, 75_001));
        assert_eq!((finding.overrun_us, finding.tell, finding.again), (Some(5_001), true, false));
    }

    #[test]
    fn an_overrun_is_found_as_long_as_it_lasts_and_told_again_whenever_it_has_doubled() {
        let mut watch = Watch::default();
        let mut told = Vec::new();
        for cpu_us in (0..60_000).step_by(1_000) {
            let finding = watch.look(in_turn(1, cpu_us));
            assert_eq!(finding.overrun_us, (cpu_us >= LIMIT_US).then_some(cpu_us));
            if finding.tell {
                told.push((cpu_us, finding.again));
            }
        }
        assert_eq!(told, [(5_000, false), (10_000, true), (20_000, true), (40_000, true)]);
        assert_eq!(watch.look(in_turn(2, 61_000)).overrun_us, None);
        let finding = watch.look(in_turn(2, 66_000));
        assert_eq!((finding.tell, finding.again), (true, false));
    }

    #[test]
    fn many_short_turns_are_no_overrun_however_much_they_use_together() {
        let mut watch = Watch::default();
        assert!((1..1_000).all(|turn| watch.look(in_turn(turn, turn * 4_999)).overrun_us.is_none()));
    }

    #[test]
    fn a_turn_that_sleeps_is_no_overrun() {
        let mut watch = Watch::default();
        // However often is looked, and so however much time passes.
        assert!((0..10_000).all(|_| watch.look(in_turn(1, 3)).overrun_us.is_none()));
    }

    #[test]
    fn a_turn_without_a_limit_is_never_over_it() {
        let mut watch = Watch::default();
        let look = |cpu_us| Look { limit_us: 0, ..in_turn(1, cpu_us) };
        assert!((0..100).all(|step| watch.look(look(step * STRETCH_US)).overrun_us.is_none()));
    }

    #[test]
    fn a_loop_that_answers_may_use_as_much_as_it_likes() {
        let mut watch = Watch::default();
        let mut beats = 0;
        for step in 0..1_000 {
            let finding = watch.look(outside(step * 200_000, beats));
            assert_eq!(finding.overrun_us, None);
            beats += u64::from(finding.ping);
        }
        assert!((250..400).contains(&beats), "{beats} answers");
    }

    #[test]
    fn a_loop_that_does_not_answer_is_found_a_stretch_after_it_was_asked() {
        let mut watch = Watch::default();
        watch.look(outside(0, 0));
        assert!(!watch.look(outside(499_999, 0)).ping);
        let asked = watch.look(outside(600_000, 0));
        assert!(asked.ping && asked.overrun_us.is_none());
        let finding = watch.look(outside(1_599_999, 0));
        assert!(!finding.ping && finding.overrun_us.is_none());
        let finding = watch.look(outside(1_600_000, 0));
        assert_eq!((finding.overrun_us, finding.tell), (Some(1_000_000), true));
        // It turns again, and all begins anew.
        assert_eq!(watch.look(outside(1_700_000, 1)).overrun_us, None);
        assert!(watch.look(outside(2_200_000, 1)).ping);
    }

    #[test]
    fn a_turn_ends_the_stretch_before_it_and_the_pause_after_it_begins_another() {
        let mut watch = Watch::default();
        watch.look(outside(0, 1));
        assert!(watch.look(outside(600_000, 1)).ping);
        watch.look(in_turn(1, 1_500_000));
        assert_eq!(watch.look(outside(1_600_000, 1)).overrun_us, None);
        assert_eq!(watch.look(outside(2_000_000, 1)).overrun_us, None);
    }

    #[test]
    fn looks_are_rare_while_nothing_happens_and_near_the_limit_while_a_turn_runs() {
        let mut watch = Watch::default();
        watch.look(outside(9, 0));
        let idle = watch.look(outside(9, 0));
        assert_eq!((idle.next_us, idle.idle), (1_000_000, true));
        let moved = watch.look(outside(10, 0));
        assert_eq!((moved.next_us, moved.idle), (125_000, true));
        let beaten = watch.look(outside(11, 1));
        assert_eq!((beaten.next_us, beaten.idle), (625, false));
        assert_eq!(watch.look(in_turn(1, 11)).next_us, 625);
        // Nobody uses more than passes: the next look finds it at the limit, and not much after it.
        assert_eq!(watch.look(in_turn(1, 11 + 4_700)).next_us, 300);
        assert_eq!(watch.look(in_turn(1, 11 + 4_990)).next_us, 100);
    }

    #[test]
    fn what_was_used_between_looks_is_the_running_turn_s_but_for_a_long_pause() {
        let mut watch = Watch::default();
        watch.look(outside(1_000_000, 0));
        let used = |watch: &mut Watch, cpu_us| watch.look(in_turn(1, cpu_us)).sample_us;
        assert_eq!(used(&mut watch, 1_003_000), 3_000);
        assert_eq!(used(&mut watch, 1_003_000), 0);
        assert_eq!(used(&mut watch, 2_003_000), 2 * SAMPLE_US);
    }

    #[test]
    fn looks_are_never_closer_than_a_tick_however_short_a_limit_is() {
        let mut watch = Watch::default();
        let look = Look { limit_us: 1_000, shortest_us: 1_000, ..in_turn(1, 0) };
        assert_eq!(watch.look(look).next_us, 500);
        let unlimited = Look { limit_us: 0, shortest_us: u64::MAX, ..in_turn(2, 0) };
        assert_eq!(watch.look(unlimited).next_us, SAMPLE_US);
    }
}
