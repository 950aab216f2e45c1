//! Small crews, and everything that can happen to them, one thing after the other, up to a depth: explored on the real scheduler.
//!
//! A state is what led to it, and is the same as another where the schedulers look the same. What must hold is checked at each effect, and
//! at each state by letting all end well from there: whoever lives comes up.

#![allow(clippy::unwrap_used)]

use karyon_scheduler::{
    AutoShutdown, Backoff, CellId, CellOptions, Class, Death, Effect, Record, Restart, RestartPolicy,
    Scheduler, Strategy, SupervisorPolicy, Verdict,
};
use stateright::{Checker, Model, Property};
use std::collections::VecDeque;
use std::hash::{Hash, Hasher};

/// One thing that happens, to the child of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Action {
    Inited(usize, bool),
    /// One that ended takes its place again, or nobody does.
    Fill(usize, bool),
    Fail(usize),
    End(usize),
    Stop(usize),
    Busy(usize),
    Done(usize),
    StopSupervisor,
    /// Whatever is next to fall due does.
    Wait,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Down,
    Starting,
    Up,
    Gone,
    /// It is gone, and its place is to be filled.
    Asked,
}

/// What the host knows of a child.
#[derive(Debug)]
struct Child {
    id: CellId,
    /// 0 for `s`; 1 for `t`, where there is one.
    above: usize,
    stage: Stage,
    incarnation: u32,
    busy: bool,
    /// Somebody told it alone to stop.
    told: bool,
    /// It was gone when a group began to come down that it belongs to.
    missed: bool,
}

/// A crew: `s` with three children, or `s` with `t`, of two, and a third.
#[derive(Clone, Copy, Debug)]
struct Crew {
    strategy: Strategy,
    nested: bool,
    restarts: [Restart; 3],
    auto_shutdown: AutoShutdown,
    backoff_ms: f64,
}

struct Sim {
    crew: Crew,
    scheduler: Scheduler,
    supervisors: Vec<CellId>,
    children: Vec<Child>,
    /// When each supervisor counted a restart, since it was itself restarted.
    counted_us: Vec<VecDeque<u64>>,
    now_us: u64,
    batch: usize,
    /// `s` was told to stop, or has failed.
    over: bool,
    wrong: Option<String>,
}

const INTENSITY: u32 = 1;
const PERIOD_MS: u32 = 1_000;

/// The child of a number, in its place.
fn spawn(
    scheduler: &mut Scheduler,
    above: CellId,
    number: usize,
    restart: Restart,
) -> karyon_model::Result<CellId> {
    let (significant, place) = (restart != Restart::Permanent, number as u32 + 1);
    let options = CellOptions { restart, has_init: true, significant, place, ..CellOptions::default() };
    scheduler.spawn(above, &number.to_string(), false, options, None)
}

impl Sim {
    fn new(crew: Crew) -> Sim {
        let mut scheduler = Scheduler::new(1);
        let backoff = Backoff { initial_ms: crew.backoff_ms, factor: 1.0, max_ms: 1_000.0, jitter: 0.0 };
        let restart = RestartPolicy { intensity: INTENSITY, period_ms: PERIOD_MS, backoff };
        let policy = SupervisorPolicy { restart, strategy: crew.strategy, auto_shutdown: crew.auto_shutdown };
        let permanent = CellOptions { restart: Restart::Permanent, ..CellOptions::default() };
        let mut supervisors = vec![scheduler.root()];
        for name in if crew.nested { &["s", "t"][..] } else { &["s"] } {
            let above = *supervisors.last().unwrap();
            supervisors.push(scheduler.spawn(above, name, false, permanent, Some(policy)).unwrap());
        }
        supervisors.remove(0);
        let children = crew.restarts.iter().enumerate().map(|(number, restart)| {
            let above = usize::from(crew.nested && number < 2);
            let id = spawn(&mut scheduler, supervisors[above], number, *restart).unwrap();
            let [busy, told, missed] = [false; 3];
            Child { id, above, stage: Stage::Down, incarnation: 1, busy, told, missed }
        });
        let children = children.collect();
        let counted_us = supervisors.iter().map(|_| VecDeque::new()).collect();
        let (now_us, batch, over, wrong) = (0, 0, false, None);
        let mut sim = Sim { crew, scheduler, supervisors, children, counted_us, now_us, batch, over, wrong };
        sim.round();
        sim
    }

    fn wrong(&mut self, what: String) {
        self.wrong.get_or_insert(what);
    }

    fn actions(&self) -> Vec<Action> {
        let mut actions = vec![Action::StopSupervisor];
        actions.extend(self.scheduler.next_due_us().map(|_| Action::Wait));
        for (number, child) in self.children.iter().enumerate() {
            match child.stage {
                Stage::Up if child.busy => actions.push(Action::Done(number)),
                Stage::Up => actions.push(Action::Busy(number)),
                Stage::Starting => actions.extend([true, false].map(|ends| Action::Inited(number, ends))),
                Stage::Asked => actions.extend([true, false].map(|comes| Action::Fill(number, comes))),
                Stage::Down | Stage::Gone => {}
            }
            if child.stage == Stage::Up {
                actions.extend([Action::Fail(number), Action::End(number)]);
            }
            if !matches!(child.stage, Stage::Gone | Stage::Asked) {
                actions.push(Action::Stop(number));
            }
        }
        actions
    }

    fn act(&mut self, action: Action) {
        let verdict = |ends| if ends { Verdict::Ended } else { Verdict::Failed };
        let record = match action {
            Action::Inited(number, ends) => {
                let Child { id, incarnation, stage, .. } = &mut self.children[number];
                *stage = if ends { Stage::Up } else { *stage };
                Record::Inited { cell: *id, incarnation: *incarnation, verdict: verdict(ends) }
            }
            Action::Fail(number) => {
                let Child { id, incarnation, .. } = self.children[number];
                Record::Fail { cell: id, incarnation, death: Death::Error }
            }
            Action::End(number) => {
                let Child { id, incarnation, .. } = self.children[number];
                Record::Finish { cell: id, incarnation, death: Death::Ended }
            }
            Action::Stop(number) => {
                self.children[number].told = true;
                Record::Stop { cell: self.children[number].id, kill: false }
            }
            Action::Fill(number, comes) => {
                let above = self.supervisors[self.children[number].above];
                let child = &mut self.children[number];
                (child.stage, child.told) = (Stage::Gone, false);
                let restart = self.crew.restarts[number];
                let id = comes.then(|| spawn(&mut self.scheduler, above, number, restart));
                if let Some(Ok(id)) = id {
                    (child.stage, child.id, child.incarnation) = (Stage::Down, id, 1);
                    return self.round();
                }
                Record::Vacant { cell: above, place: number as u32 + 1, forget: false }
            }
            Action::StopSupervisor => {
                self.over = true;
                Record::Stop { cell: self.supervisors[0], kill: false }
            }
            Action::Busy(number) => {
                let child = &mut self.children[number];
                if !self.scheduler.credits().take(child.id.index()) {
                    return;
                }
                self.scheduler
                    .take(Record::Send { cell: child.id, slot: number as u32, class: Class::User })
                    .unwrap();
                self.round();
                if self.batch == 0 {
                    return;
                }
                self.children[number].busy = true;
                Record::Async { position: 0, turn: number as u32 }
            }
            Action::Done(number) => {
                let child = &mut self.children[number];
                child.busy = false;
                Record::Settled { cell: child.id, turn: number as u32, verdict: Verdict::Ended }
            }
            Action::Wait => {
                self.now_us = self.scheduler.next_due_us().unwrap_or(self.now_us);
                return self.round();
            }
        };
        self.scheduler.take(record).unwrap();
        self.round();
    }

    fn round(&mut self) {
        self.scheduler.step(self.now_us, self.batch);
        let mut effects: Vec<_> = self.scheduler.effects().collect();
        self.batch = self.scheduler.issue().count();
        effects.extend(self.scheduler.effects());
        effects.into_iter().for_each(|effect| self.see(effect));
    }

    fn see(&mut self, effect: Effect) {
        let number = |cell: CellId| self.children.iter().position(|child| child.id == cell);
        let grouped = self.crew.strategy != Strategy::OneForOne;
        match effect {
            Effect::Init { cell, incarnation } => {
                let number = number(cell).unwrap();
                let above = self.children[number].above;
                let before =
                    self.children[..number].iter().filter(|child| child.above == above && !child.told);
                let all_up = before.clone().all(|child| matches!(child.stage, Stage::Up | Stage::Gone));
                let child = &mut self.children[number];
                if child.stage != Stage::Down || child.incarnation != incarnation {
                    self.wrong(format!("{number} starts twice"));
                } else if grouped && !all_up {
                    self.wrong(format!("{number} starts before those before it are up"));
                }
                self.children[number].stage = Stage::Starting;
            }
            Effect::Died { cell, incarnation, death } => {
                let number = number(cell).unwrap();
                let above = self.children[number].above;
                let later = self.children[number + 1..].iter().filter(|child| child.above == above);
                let later_up = later.clone().any(|child| matches!(child.stage, Stage::Up | Stage::Starting));
                let child = &mut self.children[number];
                if !matches!(child.stage, Stage::Up | Stage::Starting) || child.incarnation != incarnation {
                    self.wrong(format!("{number} dies twice"));
                } else if death == Death::Supervisor && later_up {
                    self.wrong(format!("{number} comes down before those after it"));
                }
                let child = &mut self.children[number];
                (child.stage, child.busy) = (Stage::Down, false);
            }
            Effect::Restarted { cell, incarnation, death } => {
                if let Some(number) = number(cell) {
                    let child = &mut self.children[number];
                    child.incarnation += 1;
                    if child.stage != Stage::Down || child.incarnation != incarnation {
                        self.wrong(format!("{number} has an incarnation too many"));
                    }
                    let above = self.children[number].above;
                    self.count(above, death);
                    self.miss(number, death);
                } else if cell != self.supervisors[0] {
                    // `t` counts anew.
                    self.counted_us[1].clear();
                    self.count(0, death);
                }
            }
            Effect::Gone { cell, .. } => {
                if let Some(number) = number(cell) {
                    if !matches!(self.children[number].stage, Stage::Down) {
                        self.wrong(format!("{number} is gone and did not die"));
                    }
                    self.children[number].stage = Stage::Gone;
                }
            }
            Effect::Vacant { cell, place } => {
                let child = &mut self.children[place as usize - 1];
                if child.stage != Stage::Gone && child.stage != Stage::Asked
                    || cell != self.supervisors[child.above]
                {
                    self.wrong(format!("{} starts where it is", place - 1));
                } else {
                    (child.stage, child.missed) = (Stage::Asked, false);
                }
            }
            Effect::RootFailed { .. } => self.over = true,
            _ => {}
        }
    }

    /// A child failed and takes others along: those that were gone before come back with them.
    fn miss(&mut self, failed: usize, death: Death) {
        if self.crew.strategy == Strategy::OneForOne || death == Death::Supervisor {
            return;
        }
        let from = if self.crew.strategy == Strategy::OneForAll { 0 } else { failed };
        let above = self.children[failed].above;
        for (child, restart) in self.children.iter_mut().zip(self.crew.restarts).skip(from) {
            let kept = child.above == above && restart != Restart::Temporary;
            child.missed |= kept && child.stage == Stage::Gone;
        }
    }

    /// A restart counts, unless a group or a supervisor above brought it.
    fn count(&mut self, above: usize, death: Death) {
        if death == Death::Supervisor {
            return;
        }
        let counted = &mut self.counted_us[above];
        counted.push_back(self.now_us);
        while counted.front().is_some_and(|at| at + u64::from(PERIOD_MS) * 1_000 <= self.now_us) {
            counted.pop_front();
        }
        if counted.len() > INTENSITY as usize {
            self.wrong("more restarts than the window allows".into());
        }
    }

    /// From here on all ends well: whoever lives comes up, and time stands still in the end.
    fn settle(&mut self) {
        for _ in 0..40 {
            for number in 0..self.children.len() {
                match self.children[number].stage {
                    Stage::Starting => self.act(Action::Inited(number, true)),
                    Stage::Up if self.children[number].busy => self.act(Action::Done(number)),
                    Stage::Asked => self.act(Action::Fill(number, true)),
                    _ => {}
                }
            }
            self.act(Action::Wait);
        }
        let down = |child: &Child| !matches!(child.stage, Stage::Up | Stage::Gone);
        if let Some(number) = self.children.iter().position(down) {
            self.wrong(format!("{number} never comes up"));
        }
        if let Some(number) = self.children.iter().position(|child| child.missed && !self.over) {
            self.wrong(format!("{number} never comes up again"));
        }
        if self.scheduler.next_due_us().is_some() {
            self.wrong("something is left to fall due".into());
        }
    }
}

/// What happened, and how the scheduler looks then.
#[derive(Clone, Debug)]
struct State {
    actions: Vec<Action>,
    look: u64,
    wrong: Option<String>,
}

impl PartialEq for State {
    fn eq(&self, other: &State) -> bool {
        self.look == other.look
    }
}

impl Hash for State {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.look.hash(hasher);
    }
}

impl Crew {
    fn reached(&self, actions: Vec<Action>) -> State {
        let mut sim = Sim::new(*self);
        actions.iter().for_each(|action| sim.act(*action));
        // Counts tell the way here, and not what will follow.
        let look = format!("{:?}", sim.scheduler);
        let mut hasher = std::hash::DefaultHasher::new();
        look.rsplit_once("stats:").map_or(&*look, |(look, _)| look).hash(&mut hasher);
        format!("{:?}", sim.children).hash(&mut hasher);
        sim.settle();
        State { actions, look: hasher.finish(), wrong: sim.wrong }
    }
}

impl Model for Crew {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        // From the very beginning, and from where all are up.
        let up = (0..3).map(|number| Action::Inited(number, true)).collect();
        vec![self.reached(Vec::new()), self.reached(up)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let mut sim = Sim::new(*self);
        state.actions.iter().for_each(|action| sim.act(*action));
        actions.extend(sim.actions());
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut actions = state.actions.clone();
        actions.push(action);
        Some(self.reached(actions))
    }

    fn properties(&self) -> Vec<Property<Crew>> {
        vec![Property::always("all is as a supervisor promises", |_, state: &State| state.wrong.is_none())]
    }
}

/// How many things happen, one after the other. `KARYON_DEPTH=n` for the long form.
fn depth() -> usize {
    std::env::var("KARYON_DEPTH").map_or(4, |depth| depth.parse().unwrap())
}

#[test]
fn whatever_happens_to_a_crew_it_is_as_a_supervisor_promises() {
    use {AutoShutdown::*, Restart::*, Strategy::*};
    let mut states = 0;
    for strategy in [OneForOne, OneForAll, RestForOne] {
        for (nested, restarts, auto_shutdown, backoff_ms) in [
            (false, [Permanent, Transient, Temporary], Never, 0.0),
            (false, [Permanent, Permanent, Transient], AllSignificant, 10.0),
            (true, [Permanent, Transient, Permanent], AnySignificant, 0.0),
        ] {
            let crew = Crew { strategy, nested, restarts, auto_shutdown, backoff_ms };
            let checker = crew.checker().threads(2).target_max_depth(depth() + 1).spawn_bfs().join();
            if let Some(path) = checker.discovery("all is as a supervisor promises") {
                let last = path.last_state();
                panic!("{crew:?}\n{:?}: {}", last.actions, last.wrong.as_deref().unwrap_or_default());
            }
            states += checker.unique_state_count();
        }
    }
    assert!(states > 10_000, "only {states} states were seen");
}
