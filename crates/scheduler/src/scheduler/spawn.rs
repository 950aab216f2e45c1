//! New cells and supervisors.

use super::*;
use karyon_model::{Code, Error, Result};

/// What a cell is started with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CellOptions {
    /// After which ends it is restarted.
    pub restart: Restart,
    /// It has an `init` to run before its first message.
    pub has_init: bool,
    /// How many messages may wait, 1 to [`MAILBOX_MAX`]; what is outside is brought inside.
    pub mailbox_limit: u32,
    /// A full mailbox drops its oldest message for a new one, instead of refusing it.
    pub drop_oldest: bool,
    /// The longest a turn may take, in milliseconds; 0 is no limit.
    pub turn_timeout_ms: u32,
    /// The longest stretch of a turn, in milliseconds of CPU time; 0 is no limit. For the watchdog alone.
    pub turn_cpu_ms: u32,
    /// How long its turn may go on after it was told to come down, in milliseconds; 0 cuts it short at once,
    /// [`SHUTDOWN_INFINITE`] never.
    pub shutdown_ms: u32,
    /// It counts for the `auto_shutdown` of its supervisor.
    pub significant: bool,
    /// Its turns run elsewhere: its messages are issued ahead, and the host tells what came of them.
    pub remote: bool,
    /// It came to its supervisor later on: no sibling waits for it, it starts at once unless the supervisor itself is down, and goes with an
    /// incarnation of the supervisor.
    pub dynamic: bool,
    /// Where it stands among the children of its supervisor, ascending; 0 is after all others.
    pub place: u32,
}

impl Default for CellOptions {
    fn default() -> Self {
        CellOptions {
            restart: Restart::Transient,
            has_init: false,
            mailbox_limit: MAILBOX_DEFAULT,
            drop_oldest: false,
            turn_timeout_ms: 0,
            turn_cpu_ms: 0,
            shutdown_ms: SHUTDOWN_DEFAULT_MS,
            significant: false,
            remote: false,
            dynamic: false,
            place: 0,
        }
    }
}

impl Scheduler {
    /// Starts a cell below `parent`; with a policy a supervisor, whose children are spawned below it. Those that are not dynamic start with the
    /// next step, in the order of their places, each once the one before is up; those that come later at once, unless it is just bringing
    /// others up. With `numbered`, a taken name gets the next free number instead of an error.
    pub fn spawn(
        &mut self,
        parent: CellId,
        name: &str,
        numbered: bool,
        mut options: CellOptions,
        policy: Option<SupervisorPolicy>,
    ) -> Result<CellId> {
        let refused = |code, why: &str| Error::new(code, format!("cell {name:?}: {why}"));
        let why = || format!("a name of a cell has 1 to {NAME_BYTES_MAX} bytes without a slash");
        require(Names::valid(name), || refused(Code::Argument, &why()).with("name", name))?;
        let why = || format!("{CELLS_MAX} cells are alive, which is the most; stop some first");
        require(!self.table.is_full(), || refused(Code::CellCount, &why()).with("limit", CELLS_MAX))?;
        self.spawned = self.spawned.wrapping_add(1);
        let above = self.table.get(parent).filter(|above| above.takes_children());
        let gone = || refused(Code::CellDead, "the cell that would be the parent is gone or stops");
        let depth = above.ok_or_else(gone)?.depth + 1;
        let why = || format!("a path has at most {DEPTH_MAX} parts below the root; spawn it higher up");
        require(depth <= DEPTH_MAX, || refused(Code::Argument, &why()).with("limit", DEPTH_MAX))?;
        let why = "a living sibling has the name; choose another or stop it first";
        let free = self.names.free(&self.table, parent, name, numbered);
        let (hash, free) = free.ok_or_else(|| refused(Code::CellName, why).with("name", name))?;
        options.mailbox_limit = options.mailbox_limit.clamp(1, MAILBOX_MAX);
        let mut in_order = !options.dynamic;
        if let Some(own) = self.table.supervision_mut(parent) {
            options.place = if options.place == 0 { own.next_place } else { options.place };
            own.next_place = own.next_place.max(options.place.saturating_add(1));
            own.vacant.remove(&options.place);
            in_order |= own.due.remove(&options.place);
        } else {
            // Below a cell, in the order of their start.
            options.place = self.spawned;
        }
        if options.turn_cpu_ms != 0 {
            let own_us = u64::from(options.turn_cpu_ms) * 1_000;
            self.shortest_cpu_us = Some(self.shortest_cpu_us.map_or(own_us, |us| us.min(own_us)));
        }
        let credits = if policy.is_some() { CLOSED } else { options.mailbox_limit as i32 };
        let own = |policy| Box::new(Supervision { policy, next_place: 1, ..Supervision::default() });
        let id = self.table.insert(Cell {
            parent,
            name: free,
            depth,
            incarnation: 1,
            options,
            phase: Phase::Waiting,
            supervision: policy.map(own),
            ..Cell::default()
        });
        self.names.take(hash, id);
        let (children, before) =
            (self.children(parent), |child: &CellId| self.place(*child) <= options.place);
        // Mostly it is the last.
        let is_last = children.last().is_none_or(before);
        let at = if is_last { children.len() } else { children.partition_point(before) };
        if let Some(above) = self.table.get_mut(parent) {
            above.rare_mut().children.insert(at, id);
        }
        self.credits.set(id.index(), credits);
        self.start_in_turn(id, in_order);
        Ok(id)
    }

    /// The name that a cell got.
    pub fn name(&self, cell: CellId) -> Option<&str> {
        self.table.get(cell).map(|cell| &*cell.name)
    }

    /// The path of the cell in a place, below the root and with it.
    pub fn path(&self, place: usize) -> String {
        let cells = std::iter::successors(self.table.at(place), |cell| self.table.get(cell.parent));
        let mut names: Vec<_> = cells.map(|cell| &*cell.name).collect();
        names.reverse();
        names.join("/")
    }

    /// The shortest limit that any cell has had for its turns, in microseconds of CPU time.
    pub(crate) fn shortest_cpu_us(&self) -> u64 {
        self.shortest_cpu_us.unwrap_or(u64::MAX)
    }

    /// The longest stretch of a turn of the cell in a place, in microseconds of CPU time, if it has a limit.
    pub fn turn_cpu_us(&self, place: usize) -> Option<u64> {
        let limit_ms = self.table.at(place)?.options.turn_cpu_ms;
        (limit_ms != 0).then(|| u64::from(limit_ms) * 1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_unique_among_living_siblings() {
        let mut scheduler = Scheduler::new(0);
        let root = scheduler.root();
        let first = scheduler.spawn(root, "a", false, CellOptions::default(), None).unwrap();
        let again = scheduler.spawn(root, "a", false, CellOptions::default(), None);
        assert_eq!(again.unwrap_err().code(), Code::CellName);
        let second = scheduler.spawn(root, "a", true, CellOptions::default(), None).unwrap();
        assert_eq!(scheduler.name(second), Some("a-2"));
        scheduler.take(crate::Record::Stop { cell: first, kill: false }).unwrap();
        scheduler.step(0, 0);
        assert!(scheduler.spawn(root, "a", false, CellOptions::default(), None).is_ok());
    }

    #[test]
    fn a_path_cannot_grow_without_end() {
        let mut scheduler = Scheduler::new(0);
        let mut parent = scheduler.root();
        for _ in 0..DEPTH_MAX {
            parent = scheduler.spawn(parent, "x", false, CellOptions::default(), None).unwrap();
        }
        let deeper = scheduler.spawn(parent, "x", false, CellOptions::default(), None);
        assert_eq!(deeper.unwrap_err().code(), Code::Argument);
    }

    #[test]
    fn nothing_is_spawned_below_a_cell_that_is_gone() {
        let mut scheduler = Scheduler::new(0);
        let nobody = CellId::NONE;
        let late = scheduler.spawn(nobody, "x", false, CellOptions::default(), None);
        assert_eq!(late.unwrap_err().code(), Code::CellDead);
    }
}
