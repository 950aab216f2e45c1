//! What Erlang/OTP's documentation of `supervisor` says, one behaviour each.
//!
//! Children are named by a letter. What happens is told in words: `init a2` (its second incarnation begins), `a1 died of error`, `a is gone:
//! stopped`, `abort a`.

#![allow(clippy::unwrap_used)]

use karyon_model::Code;
use karyon_scheduler::limits::SHUTDOWN_INFINITE;
use karyon_scheduler::{
    AutoShutdown, Backoff, CellId, CellOptions, Class, Death, Effect, Record, Restart, RestartPolicy,
    Scheduler, Strategy, SupervisorPolicy, Verdict,
};
use std::collections::BTreeMap;

struct World {
    scheduler: Scheduler,
    ids: BTreeMap<String, CellId>,
    /// Of those that were restarted.
    incarnations: BTreeMap<CellId, u32>,
    now_ms: u64,
    slots: u32,
    batch: usize,
}

fn policy(strategy: Strategy) -> SupervisorPolicy {
    let restart = RestartPolicy { intensity: 3, period_ms: 1_000, backoff: Backoff::NONE };
    SupervisorPolicy { strategy, restart, ..SupervisorPolicy::default() }
}

fn shuts_down(auto_shutdown: AutoShutdown) -> SupervisorPolicy {
    SupervisorPolicy { auto_shutdown, ..policy(Strategy::OneForOne) }
}

/// Restarted after whatever ends it.
fn permanent() -> CellOptions {
    CellOptions { restart: Restart::Permanent, ..CellOptions::default() }
}

fn transient() -> CellOptions {
    CellOptions::default()
}

fn temporary() -> CellOptions {
    CellOptions { restart: Restart::Temporary, ..CellOptions::default() }
}

fn significant(options: CellOptions) -> CellOptions {
    CellOptions { significant: true, ..options }
}

fn dynamic(options: CellOptions) -> CellOptions {
    CellOptions { dynamic: true, ..options }
}

/// Its `init` lasts until the test says that it is over.
fn slow(options: CellOptions) -> CellOptions {
    CellOptions { has_init: true, ..options }
}

fn shutdown(shutdown_ms: u32, options: CellOptions) -> CellOptions {
    CellOptions { shutdown_ms, ..options }
}

impl World {
    fn new() -> World {
        World {
            scheduler: Scheduler::new(1),
            ids: BTreeMap::new(),
            incarnations: BTreeMap::new(),
            now_ms: 0,
            slots: 0,
            batch: 0,
        }
    }

    /// A supervisor `s` at the top, with children.
    fn with(policy: SupervisorPolicy, children: &[(&str, CellOptions)]) -> World {
        let mut world = World::new();
        world.supervisor("", "s", policy, permanent());
        children.iter().for_each(|(name, options)| world.child("s", name, *options));
        world.said();
        world
    }

    fn id(&self, name: &str) -> CellId {
        if name.is_empty() { self.scheduler.root() } else { self.ids[name] }
    }

    fn supervisor(&mut self, above: &str, name: &str, policy: SupervisorPolicy, options: CellOptions) {
        let id = self.scheduler.spawn(self.id(above), name, false, options, Some(policy)).unwrap();
        self.ids.insert(name.into(), id);
    }

    fn child(&mut self, above: &str, name: &str, options: CellOptions) {
        let id = self.scheduler.spawn(self.id(above), name, false, options, None).unwrap();
        self.ids.insert(name.into(), id);
    }

    fn tell(&mut self, record: Record) -> String {
        self.scheduler.take(record).unwrap();
        self.said()
    }

    fn send(&mut self, name: &str) {
        let cell = self.id(name);
        assert!(self.scheduler.credits().take(cell.index()), "{name} takes no messages");
        self.slots += 1;
        self.scheduler.take(Record::Send { cell, slot: self.slots, class: Class::User }).unwrap();
    }

    /// The child takes a message, whose turn goes on.
    fn busy(&mut self, name: &str) {
        self.send(name);
        self.round();
        assert_eq!(self.batch, 1, "{name} does not run");
        self.scheduler.take(Record::Async { position: 0, turn: self.id(name).0 }).unwrap();
        self.round();
    }

    /// What goes on is over.
    fn done(&mut self, name: &str) -> String {
        let cell = self.id(name);
        self.tell(Record::Settled { cell, turn: cell.0, verdict: Verdict::Ended })
    }

    /// It throws.
    fn fail(&mut self, name: &str) -> String {
        let (cell, incarnation) = (self.id(name), self.incarnation(name));
        self.tell(Record::Fail { cell, incarnation, death: Death::Error })
    }

    /// It ends its own work.
    fn ends(&mut self, name: &str) -> String {
        let (cell, incarnation) = (self.id(name), self.incarnation(name));
        self.tell(Record::Finish { cell, incarnation, death: Death::Ended })
    }

    fn stop(&mut self, name: &str) -> String {
        self.tell(Record::Stop { cell: self.id(name), kill: false })
    }

    fn inited(&mut self, name: &str, verdict: Verdict) -> String {
        let (cell, incarnation) = (self.id(name), self.incarnation(name));
        self.tell(Record::Inited { cell, incarnation, verdict })
    }

    /// A child is added again that ended in this place.
    fn again(&mut self, above: &str, name: &str, place: u32, options: CellOptions) -> String {
        self.child(above, name, CellOptions { place, ..options });
        self.said()
    }

    /// Nobody takes the place of a child that ended.
    fn vacant(&mut self, above: &str, place: u32, forget: bool) -> String {
        self.tell(Record::Vacant { cell: self.id(above), place, forget })
    }

    fn incarnation(&self, name: &str) -> u32 {
        self.incarnations.get(&self.id(name)).copied().unwrap_or(1)
    }

    fn after(&mut self, ms: u64) -> String {
        self.now_ms += ms;
        self.said()
    }

    fn round(&mut self) -> Vec<Effect> {
        self.scheduler.step(self.now_ms * 1_000, self.batch);
        let mut effects: Vec<_> = self.scheduler.effects().collect();
        self.batch = self.scheduler.issue().count();
        effects.extend(self.scheduler.effects());
        for effect in &effects {
            if let Effect::Restarted { cell, incarnation, .. } = *effect {
                self.incarnations.insert(cell, incarnation);
            }
        }
        effects
    }

    /// What happened, in words.
    fn said(&mut self) -> String {
        let effects = self.round();
        let name = |cell: CellId| {
            let found = self.ids.iter().find(|(_, id)| **id == cell);
            found.map_or("root", |(name, _)| name.as_str())
        };
        let said = effects.iter().filter_map(|effect| match *effect {
            Effect::Init { cell, incarnation } => Some(format!("init {}{incarnation}", name(cell))),
            Effect::Died { cell, incarnation, death } => {
                Some(format!("{}{incarnation} died of {death:?}", name(cell)).to_lowercase())
            }
            Effect::Restarted { cell, incarnation, .. } => Some(format!("{}{incarnation}", name(cell))),
            Effect::Gone { cell, gone } => Some(format!("{} is gone: {gone:?}", name(cell)).to_lowercase()),
            Effect::Abort { cell, .. } => Some(format!("abort {}", name(cell))),
            Effect::SupervisorGaveUp { cell } => Some(format!("{} gave up", name(cell))),
            Effect::RootFailed { .. } => Some("the kernel closes".into()),
            Effect::Vacant { place, .. } => Some(format!("who takes place {place}?")),
            _ => None,
        });
        said.collect::<Vec<_>>().join(", ")
    }

    /// Who runs a message that is sent to it now.
    fn up(&mut self) -> String {
        let names: Vec<_> = self.ids.keys().cloned().collect();
        let up = names.into_iter().filter(|name| {
            if !self.scheduler.credits().take(self.id(name).index()) {
                return false;
            }
            self.slots += 1;
            self.scheduler
                .take(Record::Send { cell: self.id(name), slot: self.slots, class: Class::User })
                .unwrap();
            self.round();
            self.batch == 1
        });
        up.collect::<Vec<_>>().join("")
    }
}

const ABC: [&str; 3] = ["a", "b", "c"];

fn abc(policy: SupervisorPolicy, options: CellOptions) -> World {
    World::with(policy, &ABC.map(|name| (name, options)))
}

#[test]
fn one_for_one_restarts_only_the_one_that_failed() {
    let mut world = abc(policy(Strategy::OneForOne), permanent());
    assert_eq!(world.fail("b"), "b1 died of error, b2");
    assert_eq!(world.up(), "abc");
}

#[test]
fn one_for_all_brings_the_others_down_from_the_last_and_up_from_the_first() {
    let mut world = abc(policy(Strategy::OneForAll), permanent());
    assert_eq!(world.fail("b"), "b1 died of error, b2, c1 died of supervisor, a1 died of supervisor, a2, c2");
    assert_eq!(world.up(), "abc");
}

#[test]
fn rest_for_one_restarts_those_that_were_started_after_it() {
    let mut world = abc(policy(Strategy::RestForOne), permanent());
    assert_eq!(world.fail("b"), "b1 died of error, b2, c1 died of supervisor, c2");
    assert_eq!(world.fail("c"), "c2 died of error, c3");
    assert_eq!(world.up(), "abc");
}

#[test]
fn children_start_in_their_order_each_when_the_one_before_is_up() {
    let mut world = World::new();
    world.supervisor("", "s", policy(Strategy::OneForOne), permanent());
    ABC.iter().for_each(|name| world.child("s", name, slow(permanent())));
    assert_eq!(world.said(), "init a1");
    assert_eq!(world.inited("a", Verdict::Ended), "init b1");
    assert_eq!(world.inited("b", Verdict::Ended), "init c1");
}

#[test]
fn a_subtree_is_up_before_the_next_child_starts() {
    let mut world = World::new();
    world.supervisor("", "s", policy(Strategy::OneForOne), permanent());
    world.supervisor("s", "t", policy(Strategy::OneForOne), permanent());
    world.child("t", "a", slow(permanent()));
    world.child("t", "b", slow(permanent()));
    world.child("s", "c", slow(permanent()));
    assert_eq!(world.said(), "init a1");
    assert_eq!(world.inited("a", Verdict::Ended), "init b1");
    assert_eq!(world.inited("b", Verdict::Ended), "init c1");
}

#[test]
fn a_group_starts_again_in_order_each_when_the_one_before_is_up() {
    let mut world = World::new();
    world.supervisor("", "s", policy(Strategy::OneForAll), permanent());
    ABC.iter().for_each(|name| world.child("s", name, slow(permanent())));
    world.said();
    ABC.iter().for_each(|name| drop(world.inited(name, Verdict::Ended)));
    let said = world.fail("c");
    assert_eq!(said, "c1 died of error, c2, b1 died of supervisor, a1 died of supervisor, a2, init a2");
    assert_eq!(world.inited("a", Verdict::Ended), "b2, init b2");
    assert_eq!(world.inited("b", Verdict::Ended), "init c2");
}

#[test]
fn what_fails_while_a_group_starts_is_counted_and_the_group_starts_anew() {
    let mut world = World::new();
    world.supervisor("", "s", policy(Strategy::OneForAll), permanent());
    ["a", "b"].iter().for_each(|name| world.child("s", name, slow(permanent())));
    world.said();
    assert_eq!(world.inited("a", Verdict::Ended), "init b1");
    for incarnation in 1..=3 {
        let next = incarnation + 1;
        assert_eq!(
            world.inited("b", Verdict::Failed),
            format!(
                "b{incarnation} died of init, b{next}, a{incarnation} died of supervisor, a{next}, init a{next}"
            )
        );
        assert_eq!(world.inited("a", Verdict::Ended), format!("init b{next}"));
    }
    assert!(world.inited("b", Verdict::Failed).contains("s gave up"));
}

#[test]
fn a_transient_child_that_ends_by_itself_is_gone_and_leaves_the_others_alone() {
    let mut world = abc(policy(Strategy::OneForAll), transient());
    assert_eq!(world.ends("b"), "b1 died of stop, b is gone: ended");
    world.ids.remove("b");
    assert_eq!(world.up(), "ac");
}

#[test]
fn a_transient_child_that_fails_is_restarted() {
    let mut world = abc(policy(Strategy::OneForOne), transient());
    assert_eq!(world.fail("b"), "b1 died of error, b2");
}

#[test]
fn a_permanent_child_that_ends_by_itself_is_restarted_with_its_group() {
    let mut world = abc(policy(Strategy::RestForOne), permanent());
    assert_eq!(world.ends("b"), "b1 died of ended, b2, c1 died of supervisor, c2");
}

#[test]
fn a_temporary_child_is_never_restarted_and_its_failure_concerns_nobody() {
    let mut world = abc(policy(Strategy::OneForAll), temporary());
    assert_eq!(world.fail("b"), "b1 died of error, b is gone: failed");
    world.ids.remove("b");
    assert_eq!(world.up(), "ac");
}

#[test]
fn a_temporary_child_that_comes_down_with_its_group_is_gone() {
    let children = [("a", permanent()), ("b", temporary()), ("c", permanent())];
    let mut world = World::with(policy(Strategy::OneForAll), &children);
    assert_eq!(
        world.fail("a"),
        "a1 died of error, a2, c1 died of supervisor, b1 died of stop, b is gone: stopped, c2"
    );
}

#[test]
fn more_restarts_than_the_intensity_within_the_period_end_the_supervisor() {
    let mut world = abc(policy(Strategy::OneForOne), permanent());
    for name in ABC {
        world.fail(name);
    }
    assert_eq!(
        world.fail("a"),
        "a2 died of error, s gave up, c2 died of supervisor, b2 died of supervisor, the kernel closes, \
         c is gone: supervisorgaveup, b is gone: supervisorgaveup, a is gone: supervisorgaveup, s is gone: gaveup"
    );
}

#[test]
fn restarts_that_lie_before_the_period_do_not_count() {
    let mut world = abc(policy(Strategy::OneForOne), permanent());
    for _ in 0..20 {
        assert!(world.fail("a").ends_with(&format!("a{}", world.incarnation("a"))));
        world.after(400);
    }
}

#[test]
fn a_group_counts_as_one_restart() {
    let mut world = abc(policy(Strategy::OneForAll), permanent());
    for _ in 0..3 {
        world.fail("b");
    }
    assert_eq!(world.up(), "abc");
    assert!(world.fail("b").contains("s gave up"));
}

/// `s` above `t` and c, `t` above a and b.
fn nested(above: SupervisorPolicy, below: SupervisorPolicy, options: CellOptions) -> World {
    let mut world = World::new();
    world.supervisor("", "s", above, permanent());
    world.supervisor("s", "t", below, options);
    ["a", "b"].iter().for_each(|name| world.child("t", name, permanent()));
    world.child("s", "c", permanent());
    world.said();
    world
}

fn give_up(world: &mut World, name: &str) -> String {
    (0..3).for_each(|_| drop(world.fail(name)));
    world.fail(name)
}

#[test]
fn a_supervisor_that_gives_up_is_restarted_by_the_one_above() {
    let mut world = nested(policy(Strategy::OneForOne), policy(Strategy::OneForOne), permanent());
    assert_eq!(give_up(&mut world, "a"), "a4 died of error, t gave up, b1 died of supervisor, t2, a5, b2");
    assert_eq!(world.up(), "abc");
    // It counts anew.
    assert_eq!(world.fail("a"), "a5 died of error, a6");
}

#[test]
fn a_supervisor_that_gives_up_takes_its_siblings_along_where_the_one_above_says_so() {
    let mut world = nested(policy(Strategy::OneForAll), policy(Strategy::OneForOne), permanent());
    assert_eq!(
        give_up(&mut world, "b"),
        "b4 died of error, t gave up, a1 died of supervisor, t2, c1 died of supervisor, a2, b5, c2"
    );
}

#[test]
fn a_group_takes_subtrees_down_and_up_again() {
    let mut world = nested(policy(Strategy::OneForAll), policy(Strategy::OneForOne), permanent());
    assert_eq!(
        world.fail("c"),
        "c1 died of error, c2, b1 died of supervisor, a1 died of supervisor, t2, a2, b2"
    );
}

#[test]
fn failures_go_up_until_somebody_allows_a_restart() {
    let none = SupervisorPolicy {
        restart: RestartPolicy { intensity: 0, ..policy(Strategy::OneForOne).restart },
        ..policy(Strategy::OneForOne)
    };
    let mut world = nested(none, policy(Strategy::OneForOne), permanent());
    let said = give_up(&mut world, "a");
    assert!(
        said.contains(
            "t gave up, b1 died of supervisor, s gave up, c1 died of supervisor, the kernel closes"
        )
    );
}

#[test]
fn a_temporary_supervisor_that_gives_up_is_gone() {
    let mut world = nested(policy(Strategy::OneForAll), policy(Strategy::OneForOne), temporary());
    let said = give_up(&mut world, "a");
    assert!(said.ends_with("t is gone: gaveup"), "{said}");
    world.ids.retain(|name, _| name == "c" || name == "s");
    assert_eq!(world.up(), "c");
}

#[test]
fn a_stop_goes_from_the_last_child_to_the_first() {
    let mut world = abc(policy(Strategy::OneForOne), permanent());
    let gone = |name| format!("{name}1 died of stop, {name} is gone: stopped, ");
    assert_eq!(world.stop("s"), ["c", "b", "a"].map(gone).concat() + "s is gone: stopped");
}

#[test]
fn each_child_has_its_own_while_to_end_and_those_before_it_wait() {
    let mut world = abc(policy(Strategy::OneForOne), shutdown(50, permanent()));
    ABC.iter().for_each(|name| world.busy(name));
    assert_eq!(world.stop("s"), "abort c");
    assert_eq!(world.after(49), "");
    assert_eq!(world.after(1), "c1 died of stop, c is gone: stopped, abort b");
    assert_eq!(world.done("b"), "b1 died of stop, b is gone: stopped, abort a");
    assert_eq!(world.after(50), "a1 died of stop, a is gone: stopped, s is gone: stopped");
}

#[test]
fn children_of_one_kind_and_those_of_a_cell_stop_all_at_once() {
    let options = dynamic(shutdown(50, permanent()));
    let mut world = abc(policy(Strategy::SimpleOneForOne), options);
    ["x", "y"].iter().for_each(|name| world.child("b", name, shutdown(50, transient())));
    ["a", "b", "c", "x", "y"].iter().for_each(|name| world.busy(name));
    assert_eq!(world.stop("s"), "abort c, abort y, abort x, abort a");
    assert_eq!(world.done("x"), "x1 died of stop, x is gone: stopped");
    assert_eq!(
        world.after(50),
        "c1 died of stop, c is gone: stopped, y1 died of stop, y is gone: stopped, abort b, a1 died of stop, a is gone: stopped"
    );
    assert_eq!(world.done("b"), "b1 died of stop, b is gone: stopped, s is gone: stopped");
}

#[test]
fn children_of_one_kind_go_all_at_once_with_a_supervisor_that_gives_up() {
    let options = dynamic(shutdown(50, permanent()));
    let mut world = World::with(policy(Strategy::OneForOne), &[]);
    world.supervisor("s", "t", policy(Strategy::SimpleOneForOne), permanent());
    ABC.iter().for_each(|name| world.child("t", name, options));
    world.said();
    ["a", "c"].iter().for_each(|name| world.busy(name));
    (0..3).for_each(|_| _ = world.fail("b"));
    assert_eq!(world.fail("b"), "b4 died of error, t gave up, abort c, b is gone: stopped, abort a");
    assert_eq!(world.done("a"), "a1 died of stop, a is gone: stopped");
    assert_eq!(world.done("c"), "c1 died of stop, c is gone: stopped, t2");
}

#[test]
fn a_cell_that_failed_waits_for_all_that_it_has_spawned() {
    let mut world = World::with(policy(Strategy::OneForOne), &[("a", slow(permanent()))]);
    world.inited("a", Verdict::Ended);
    ["x", "y"].iter().for_each(|name| world.child("a", name, permanent()));
    ["x", "y"].iter().for_each(|name| world.busy(name));
    assert_eq!(world.fail("a"), "a1 died of error, a2, abort y, abort x");
    assert_eq!(world.done("x"), "x1 died of stop, x is gone: stopped");
    assert_eq!(world.done("y"), "y1 died of stop, y is gone: stopped, init a2");
}

#[test]
fn a_child_without_a_while_is_killed_at_once_and_one_without_end_is_waited_for() {
    let children = [("a", shutdown(SHUTDOWN_INFINITE, permanent())), ("b", shutdown(0, permanent()))];
    let mut world = World::with(policy(Strategy::OneForOne), &children);
    ["a", "b"].iter().for_each(|name| world.busy(name));
    assert_eq!(world.stop("s"), "b1 died of stop, b is gone: stopped, abort a");
    assert_eq!(world.after(10_000_000), "");
    assert_eq!(world.done("a"), "a1 died of stop, a is gone: stopped, s is gone: stopped");
}

#[test]
fn a_group_comes_down_as_orderly_as_a_stop() {
    let mut world = abc(policy(Strategy::OneForAll), shutdown(50, permanent()));
    world.busy("a");
    world.busy("c");
    assert_eq!(world.fail("b"), "b1 died of error, b2, abort c");
    assert_eq!(world.done("c"), "c1 died of supervisor, abort a");
    assert_eq!(world.after(50), "a1 died of supervisor, a2, c2");
}

#[test]
fn what_fails_while_it_comes_down_does_not_count() {
    let mut world = abc(policy(Strategy::OneForAll), permanent());
    ABC.iter().for_each(|name| world.busy(name));
    for _ in 0..3 {
        world.fail("b");
        let cell = world.id("c");
        world.tell(Record::Settled { cell, turn: cell.0, verdict: Verdict::Failed });
        world.done("a");
        ["a", "c"].iter().for_each(|name| world.busy(name));
    }
    assert!(!world.up().is_empty(), "three of three");
}

#[test]
fn an_earlier_child_that_fails_widens_what_comes_down() {
    let mut world = abc(policy(Strategy::RestForOne), permanent());
    world.busy("c");
    assert_eq!(world.fail("b"), "b1 died of error, b2, abort c");
    assert_eq!(world.fail("a"), "a1 died of error, a2");
    assert_eq!(world.done("c"), "c1 died of supervisor, c2");
    assert_eq!(world.up(), "abc");
}

#[test]
fn a_stop_overtakes_what_comes_down_for_a_while() {
    let mut world = abc(policy(Strategy::OneForAll), permanent());
    world.busy("c");
    assert_eq!(world.fail("b"), "b1 died of error, b2, abort c");
    assert_eq!(world.stop("s"), "");
    assert_eq!(
        world.done("c"),
        "c1 died of stop, c is gone: stopped, b is gone: stopped, a1 died of stop, a is gone: stopped, s is gone: stopped"
    );
}

#[test]
fn a_wait_before_a_restart_is_that_of_the_group() {
    let backoff = Backoff { initial_ms: 100.0, factor: 2.0, max_ms: 1_000.0, jitter: 0.0 };
    let restart = RestartPolicy { backoff, ..policy(Strategy::OneForOne).restart };
    let mut world = abc(SupervisorPolicy { restart, ..policy(Strategy::OneForAll) }, permanent());
    assert_eq!(world.fail("b"), "b1 died of error, b2, c1 died of supervisor, a1 died of supervisor");
    assert_eq!(world.after(99), "");
    assert_eq!(world.after(1), "a2, c2");
    world.fail("b");
    assert_eq!(world.after(199), "");
    assert_eq!(world.after(1), "a3, c3");
}

#[test]
fn messages_wait_while_their_cell_is_down() {
    let mut world = abc(policy(Strategy::OneForAll), permanent());
    world.busy("a");
    world.fail("c");
    world.send("b");
    assert_eq!(world.said(), "");
    assert_eq!(world.batch, 0);
    world.done("a");
    assert_eq!(world.batch, 1);
}

#[test]
fn a_conflict_concerns_its_own_cell_alone_and_is_not_counted() {
    let mut world = abc(policy(Strategy::OneForAll), permanent());
    for incarnation in 1..=5 {
        if incarnation == 1 {
            world.send("b");
            world.round();
        }
        let conflict = Record::Result { position: 0, verdict: Verdict::Conflict };
        assert_eq!(world.tell(conflict), format!("b{incarnation} died of conflict, b{}", incarnation + 1));
    }
}

#[test]
fn a_supervisor_stops_when_any_significant_child_has_ended_by_itself() {
    let children = [("a", permanent()), ("b", significant(transient())), ("c", significant(temporary()))];
    let mut world = World::with(shuts_down(AutoShutdown::AnySignificant), &children);
    let said = world.ends("b");
    assert!(said.starts_with("b1 died of stop, b is gone: ended, c1 died of stop"), "{said}");
    assert!(said.ends_with("s is gone: ended"), "{said}");
    // A failure that is not restarted is an end too.
    let mut world = World::with(shuts_down(AutoShutdown::AnySignificant), &children);
    assert!(world.fail("c").ends_with("s is gone: ended"));
}

#[test]
fn a_supervisor_stops_when_all_significant_children_have_ended_by_themselves() {
    let children = [("a", permanent()), ("b", significant(transient())), ("c", significant(temporary()))];
    let mut world = World::with(shuts_down(AutoShutdown::AllSignificant), &children);
    assert_eq!(world.ends("b"), "b1 died of stop, b is gone: ended");
    assert!(world.fail("c").ends_with("s is gone: ended"));
}

#[test]
fn a_significant_child_that_is_restarted_or_stopped_from_outside_ends_nothing() {
    let children = [("a", significant(transient())), ("b", significant(transient()))];
    let mut world = World::with(shuts_down(AutoShutdown::AnySignificant), &children);
    assert_eq!(world.fail("a"), "a1 died of error, a2");
    assert_eq!(world.stop("a"), "a2 died of stop, a is gone: stopped");
    let mut world = World::with(policy(Strategy::OneForOne), &children);
    assert_eq!(world.ends("a"), "a1 died of stop, a is gone: ended", "where it never stops by itself");
}

#[test]
fn a_permanent_supervisor_that_stopped_by_itself_is_restarted_a_transient_one_is_not() {
    for (options, end) in [(permanent(), "t2, who takes place 2?, a2"), (transient(), "t is gone: ended")] {
        let mut world = World::new();
        world.supervisor("", "s", policy(Strategy::OneForOne), permanent());
        world.supervisor("s", "t", shuts_down(AutoShutdown::AnySignificant), options);
        world.child("t", "a", permanent());
        world.child("t", "b", significant(transient()));
        world.said();
        let said = world.ends("b");
        assert!(said.ends_with(end), "{said}");
    }
}

#[test]
fn dynamic_children_start_when_they_are_spawned_and_go_with_their_supervisor() {
    let mut world = nested(policy(Strategy::OneForOne), policy(Strategy::OneForOne), permanent());
    world.child("t", "x", slow(dynamic(permanent())));
    world.child("t", "y", slow(dynamic(permanent())));
    assert_eq!(world.said(), "init x1, init y1");
    ["x", "y"].iter().for_each(|name| drop(world.inited(name, Verdict::Ended)));
    let said = give_up(&mut world, "a");
    assert!(said.contains("y is gone: stopped, x1 died of stop, x is gone: stopped"), "{said}");
    assert!(said.ends_with("t2, a5, b2"), "{said}");
}

#[test]
fn dynamic_children_are_restarted_with_their_group() {
    let mut world = World::with(policy(Strategy::OneForAll), &[("a", permanent())]);
    world.child("s", "x", dynamic(permanent()));
    assert_eq!(world.fail("a"), "a1 died of error, a2, x1 died of supervisor, x2");
}

#[test]
fn a_child_that_is_started_again_takes_its_old_place() {
    let mut world = abc(policy(Strategy::RestForOne), permanent());
    assert_eq!(world.stop("b"), "b1 died of stop, b is gone: stopped");
    world.child("s", "b", CellOptions { place: 2, ..permanent() });
    assert_eq!(world.fail("a"), "a1 died of error, a2, c1 died of supervisor, b1 died of supervisor, b2, c2");
}

#[test]
fn a_child_that_ended_or_was_terminated_comes_back_with_its_group_in_its_place() {
    for options in [transient(), permanent()] {
        let mut world = abc(policy(Strategy::OneForAll), slow(options));
        ABC.iter().for_each(|name| drop(world.inited(name, Verdict::Ended)));
        let gone = if options.restart == Restart::Transient { world.ends("b") } else { world.stop("b") };
        assert!(gone.starts_with("b1 died of stop, b is gone"), "{gone}");
        let said = world.fail("c");
        assert_eq!(said, "c1 died of error, c2, a1 died of supervisor, who takes place 2?, a2, init a2");
        assert_eq!(world.inited("a", Verdict::Ended), "", "c stands behind b");
        assert_eq!(world.again("s", "b", 2, slow(options)), "init b1");
        assert_eq!(world.inited("b", Verdict::Ended), "init c2");
    }
}

#[test]
fn a_dynamic_child_that_ended_comes_back_behind_those_before_it() {
    let mut world = World::with(policy(Strategy::OneForAll), &[("a", slow(permanent()))]);
    world.child("s", "x", dynamic(transient()));
    world.said();
    world.inited("a", Verdict::Ended);
    world.ends("x");
    assert_eq!(world.fail("a"), "a1 died of error, a2, who takes place 2?, init a2");
    world.again("s", "x", 2, slow(dynamic(transient())));
    assert_eq!(world.inited("a", Verdict::Ended), "init x1");
}

#[test]
fn those_that_ended_before_the_one_that_failed_stay_so_where_the_rest_is_restarted() {
    let mut world = abc(policy(Strategy::RestForOne), transient());
    ["a", "c"].iter().for_each(|name| drop(world.ends(name)));
    assert_eq!(world.fail("b"), "b1 died of error, b2, who takes place 3?");
    world.again("s", "c", 3, transient());
    assert_eq!(world.fail("b"), "b2 died of error, b3, c1 died of supervisor, c2");
}

#[test]
fn one_that_ended_is_not_missed_where_each_stands_for_itself() {
    let mut world = abc(policy(Strategy::OneForOne), transient());
    world.ends("b");
    assert_eq!(world.fail("a"), "a1 died of error, a2");
}

#[test]
fn a_temporary_child_that_ended_is_forgotten() {
    let children = [("a", permanent()), ("b", temporary()), ("c", temporary())];
    let mut world = World::with(policy(Strategy::OneForAll), &children);
    world.ends("b");
    world.stop("c");
    assert_eq!(world.fail("a"), "a1 died of error, a2");
}

#[test]
fn a_child_that_is_terminated_while_its_group_comes_down_stays_away_until_the_next_time() {
    let mut world = abc(policy(Strategy::OneForAll), permanent());
    world.busy("a");
    assert_eq!(world.fail("c"), "c1 died of error, c2, b1 died of supervisor, abort a");
    assert_eq!(world.stop("b"), "b is gone: stopped");
    assert_eq!(world.done("a"), "a1 died of supervisor, a2");
    assert!(world.fail("c").ends_with("who takes place 2?, a3"));
}

#[test]
fn a_permanent_child_that_ends_itself_while_its_group_comes_down_comes_back_with_it() {
    let mut world = abc(policy(Strategy::OneForAll), permanent());
    world.child("a", "x", permanent());
    world.busy("x");
    world.fail("b");
    assert_eq!(world.ends("a"), "a1 died of ended");
    assert_eq!(world.done("x"), "x1 died of stop, x is gone: stopped, a2, c2");
}

#[test]
fn one_that_failed_starts_no_sooner_than_its_group() {
    let mut world = abc(policy(Strategy::OneForAll), permanent());
    world.child("a", "x", permanent());
    ["c", "x"].iter().for_each(|name| world.busy(name));
    assert_eq!(world.fail("a"), "a1 died of error, a2, abort x, abort c");
    assert_eq!(world.done("x"), "x1 died of stop, x is gone: stopped");
    assert_eq!(world.up(), "b");
    assert_eq!(world.done("c"), "c1 died of supervisor, b1 died of supervisor, b2, c2");
}

#[test]
fn a_supervisor_that_failed_starts_in_its_turn_whatever_becomes_of_its_children() {
    let mut world = World::with(policy(Strategy::OneForAll), &[("c", slow(permanent()))]);
    world.supervisor("s", "t", policy(Strategy::OneForOne), permanent());
    ["a", "b"].iter().for_each(|name| world.child("t", name, permanent()));
    world.said();
    world.inited("c", Verdict::Ended);
    assert!(give_up(&mut world, "a").ends_with("t2, c1 died of supervisor, c2, init c2"));
    assert_eq!(world.stop("a"), "a is gone: stopped");
    assert_eq!(world.inited("c", Verdict::Ended), "b2");
}

#[test]
fn nobody_needs_to_take_a_place_and_one_that_is_forgotten_is_not_asked_for_again() {
    let mut world = abc(policy(Strategy::OneForAll), permanent());
    world.stop("a");
    for (forget, asks) in [(false, true), (true, true), (false, false)] {
        let said = world.fail("b");
        assert_eq!(said.contains("who takes place 1?"), asks, "{said}");
        if asks {
            assert_eq!(world.up(), "", "b and c stand behind a");
            world.vacant("s", 1, forget);
        }
        assert_eq!(world.up(), "bc");
        world.after(1_000);
    }
}

#[test]
fn one_that_ended_goes_where_it_stood_when_its_supervisor_is_restarted() {
    let mut world = nested(policy(Strategy::OneForOne), policy(Strategy::OneForOne), permanent());
    world.stop("a");
    let said = give_up(&mut world, "b");
    assert!(said.ends_with("t gave up, t2, who takes place 1?"), "{said}");
    assert_eq!(world.again("t", "a", 1, slow(permanent())), "init a1");
    assert_eq!(world.inited("a", Verdict::Ended), "b5");
}

/// A supervisor whose children wait before they are restarted: the first time so long, and then longer.
fn waiting(strategy: Strategy, initial_ms: f64) -> SupervisorPolicy {
    let backoff = Backoff { initial_ms, factor: 10.0, max_ms: 10_000.0, jitter: 0.0 };
    let restart = RestartPolicy { intensity: 10, period_ms: 100_000, backoff };
    SupervisorPolicy { restart, ..policy(strategy) }
}

#[test]
fn a_child_that_waits_for_its_restart_holds_up_nobody_who_comes_later() {
    let mut world = abc(waiting(Strategy::OneForOne, 100.0), slow(permanent()));
    ABC.iter().for_each(|name| drop(world.inited(name, Verdict::Ended)));
    world.stop("b");
    world.fail("a");
    assert_eq!(world.again("s", "b", 2, slow(permanent())), "init b1");
    world.child("s", "x", slow(dynamic(permanent())));
    assert_eq!(world.said(), "init x1");
    // Neither does one that starts, or does not come up.
    world.inited("b", Verdict::Failed);
    world.inited("x", Verdict::Ended);
    world.fail("x");
    world.stop("c");
    assert_eq!(world.again("s", "c", 3, slow(permanent())), "init c1");
    assert_eq!(world.after(100), "init a2, init b2, init x2");
}

#[test]
fn a_group_that_waits_holds_up_those_that_stand_in_it_and_no_new_ones() {
    let mut world = abc(waiting(Strategy::RestForOne, 100.0), slow(permanent()));
    ABC.iter().for_each(|name| drop(world.inited(name, Verdict::Ended)));
    world.stop("a");
    assert_eq!(world.fail("b"), "b1 died of error, b2, c1 died of supervisor");
    world.child("s", "x", slow(dynamic(permanent())));
    assert_eq!(world.said(), "init x1");
    assert_eq!(world.again("s", "a", 1, slow(permanent())), "init a1", "it stands before");
    world.inited("a", Verdict::Ended);
    assert_eq!(world.after(100), "init b2");
    assert_eq!(world.inited("b", Verdict::Ended), "c2, init c2");
}

#[test]
fn a_new_child_waits_for_no_group_that_comes_down() {
    let mut world = abc(waiting(Strategy::OneForAll, 100.0), permanent());
    world.busy("a");
    world.fail("b");
    world.child("s", "x", slow(dynamic(permanent())));
    assert_eq!(world.said(), "init x1");
    world.done("a");
    world.inited("x", Verdict::Ended);
    assert_eq!(world.after(100), "a2, c2");
    assert_eq!(world.up(), "abcx");
}

#[test]
fn another_failure_shortens_no_wait_that_runs() {
    let mut world = abc(waiting(Strategy::RestForOne, 100.0), permanent());
    world.fail("b");
    world.after(100);
    world.fail("b");
    // The second time b waits for a second. The first time a would wait for a tenth of it.
    assert_eq!(world.after(500), "");
    assert_eq!(world.fail("a"), "a1 died of error, a2");
    assert_eq!(world.after(499), "");
    assert_eq!(world.up(), "");
    assert_eq!(world.after(1), "c3");
    assert_eq!(world.up(), "abc");
}

#[test]
fn a_stop_leaves_no_wait_behind() {
    let mut world = abc(waiting(Strategy::OneForAll, 100.0), permanent());
    world.fail("b");
    world.stop("s");
    assert_eq!(world.scheduler.next_due_us(), None);
}

#[test]
fn a_hundred_thousand_children_come_up_one_after_the_other() {
    const CHILDREN: usize = 100_000;
    let mut world = World::new();
    world.supervisor("", "s", policy(Strategy::OneForAll), permanent());
    let mut spawn = |number: usize| {
        world.scheduler.spawn(world.ids["s"], &number.to_string(), false, slow(permanent()), None).unwrap()
    };
    let ids: Vec<_> = (0..CHILDREN).map(&mut spawn).collect();
    for incarnation in [1, 2] {
        // Each step past all children would be ten thousand million of them.
        for cell in &ids {
            let init = Effect::Init { cell: *cell, incarnation };
            assert!(world.round().contains(&init));
            let verdict = Verdict::Ended;
            world.scheduler.take(Record::Inited { cell: *cell, incarnation, verdict }).unwrap();
        }
        world.round();
        world.scheduler.take(Record::Fail { cell: ids[7], incarnation, death: Death::Error }).unwrap();
    }
}

#[test]
fn a_hundred_thousand_that_die_at_once_come_back_together() {
    let mut world = World::new();
    world.supervisor("", "s", policy(Strategy::OneForAll), permanent());
    let ids: Vec<_> = (0..100_000)
        .map(|number| {
            let id =
                world.scheduler.spawn(world.id("s"), &number.to_string(), false, dynamic(permanent()), None);
            id.unwrap()
        })
        .collect();
    world.said();
    ids.iter().for_each(|id| {
        world.scheduler.take(Record::Fail { cell: *id, incarnation: 1, death: Death::Error }).unwrap()
    });
    world.round();
    assert!(ids.iter().all(|id| world.incarnations[id] == 2));
    assert_eq!(world.scheduler.stats().restarts, 100_000, "one counted, all restarted once");
}

#[test]
fn two_significant_children_that_end_at_once_end_their_supervisor_once() {
    let mut world = World::new();
    world.supervisor("", "s", policy(Strategy::OneForOne), permanent());
    world.supervisor("s", "t", shuts_down(AutoShutdown::AnySignificant), permanent());
    ["a", "b"].iter().for_each(|name| world.child("t", name, significant(transient())));
    world.child("t", "c", permanent());
    world.said();
    for name in ["a", "b"] {
        let cell = world.id(name);
        world.scheduler.take(Record::Finish { cell, incarnation: 1, death: Death::Ended }).unwrap();
    }
    let said = world.said();
    assert!(said.ends_with("c1 died of supervisor, t2, who takes place 1?, who takes place 2?"), "{said}");
    assert_eq!(world.up(), "", "c waits for a and b");
}

#[test]
fn a_dynamic_child_that_is_down_goes_when_a_group_turns_into_a_failure_of_its_supervisor() {
    let mut world = World::new();
    world.supervisor("", "s", policy(Strategy::OneForOne), permanent());
    world.supervisor("s", "t", policy(Strategy::OneForAll), permanent());
    ["a", "b"].iter().for_each(|name| world.child("t", name, permanent()));
    world.child("t", "x", dynamic(permanent()));
    world.said();
    (0..3).for_each(|_| drop(world.fail("x")));
    world.busy("a");
    let said = world.fail("x");
    assert!(said.contains("t gave up, x is gone: stopped"), "{said}");
    assert!(said.ends_with("abort a"), "{said}");
    let said = world.done("a");
    assert!(said.ends_with("t2, a5, b5"), "{said}");
}

#[test]
fn a_supervisor_that_was_held_while_its_group_waited_counts_anew() {
    let backoff = Backoff { initial_ms: 1_000.0, factor: 1.0, max_ms: 1_000.0, jitter: 0.0 };
    let restart = RestartPolicy { intensity: 3, period_ms: 100_000, backoff };
    let mut world = World::new();
    world.supervisor("", "s", policy(Strategy::OneForAll), permanent());
    world.supervisor("s", "t", SupervisorPolicy { restart, ..policy(Strategy::OneForAll) }, permanent());
    ["a", "b"].iter().for_each(|name| world.child("t", name, permanent()));
    world.child("s", "c", permanent());
    world.said();
    world.fail("a");
    let said = world.fail("c");
    assert!(said.contains("t2") && said.contains("c2"), "{said}");
    assert_eq!(world.up(), "abc");
    for _ in 0..3 {
        assert!(!world.fail("a").contains("gave up"));
        world.after(1_000);
    }
    assert!(world.fail("a").contains("t gave up"));
}

#[test]
fn nothing_is_started_below_a_supervisor_that_gives_up() {
    let mut scheduler = Scheduler::new(1);
    let (root, options) = (scheduler.root(), CellOptions::default());
    let restart = RestartPolicy { intensity: 0, period_ms: 1_000, backoff: Backoff::NONE };
    let policy = SupervisorPolicy { restart, ..SupervisorPolicy::default() };
    let above = scheduler.spawn(root, "above", false, options, Some(policy)).unwrap();
    let child = scheduler.spawn(above, "child", false, options, None).unwrap();
    let slow = scheduler.spawn(above, "slow", false, options, None).unwrap();
    scheduler.credits().take(slow.index());
    scheduler.take(Record::Send { cell: slow, slot: 0, class: Class::User }).unwrap();
    scheduler.step(0, 0);
    assert_eq!(scheduler.issue().count(), 1);
    scheduler.take(Record::Async { position: 0, turn: 1 }).unwrap();
    scheduler.take(Record::Fail { cell: child, incarnation: 1, death: Death::Error }).unwrap();
    scheduler.step(1, 1);
    // It waits for the turn of its last child, and then it fails.
    assert!(scheduler.effects().any(|effect| effect == Effect::SupervisorGaveUp { cell: above }));
    let late = scheduler.spawn(above, "late", true, CellOptions { dynamic: true, ..options }, None);
    assert_eq!(late.unwrap_err().code(), Code::CellDead);
    scheduler
        .take(Record::Settled { cell: slow, turn: 1, verdict: karyon_scheduler::Verdict::Ended })
        .unwrap();
    scheduler.step(2, 0);
    assert_eq!(scheduler.stats().cells, 0);
}

#[test]
fn a_hundred_thousand_cells_stop_one_by_one_in_any_order() {
    for backwards in [false, true] {
        let mut scheduler = Scheduler::new(1);
        let (root, options) = (scheduler.root(), CellOptions::default());
        let mut cells: Vec<_> =
            (0..100_000).map(|_| scheduler.spawn(root, "cell", true, options, None).unwrap()).collect();
        if backwards {
            cells.reverse();
        }
        for cell in cells {
            scheduler.take(Record::Stop { cell, kill: false }).unwrap();
        }
        scheduler.step(0, 0);
        assert_eq!(scheduler.stats().cells, 0);
    }
}
