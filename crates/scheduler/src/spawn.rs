//! New cells and supervisors.

use crate::cell::{Cell, Phase, Supervision};
use crate::credits::CLOSED;
use crate::id::CellId;
use crate::limits::{CELLS_MAX, DEPTH_MAX, MAILBOX_DEFAULT, MAILBOX_MAX};
use crate::names::Names;
use crate::restart::{Restart, RestartPolicy, RestartWindow};
use crate::scheduler::Scheduler;
use std::fmt;

/// What a cell is started with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CellOptions {
    /// After which ends it is restarted.
    pub restart: Restart,
    /// It has an `init` to run before its first message.
    pub has_init: bool,
    /// How many messages may wait, 1 to [`MAILBOX_MAX`]; what is outside is brought inside.
    pub mailbox_limit: u32,
    /// The longest a turn may take, in milliseconds; 0 is no limit.
    pub turn_timeout_ms: u32,
}

impl Default for CellOptions {
    fn default() -> Self {
        CellOptions {
            restart: Restart::Transient,
            has_init: false,
            mailbox_limit: MAILBOX_DEFAULT,
            turn_timeout_ms: 0,
        }
    }
}

/// Why a cell could not be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpawnError {
    /// As many as possible are alive.
    CellCount,
    /// A living sibling has the name.
    NameTaken,
    /// The name is empty, too long, or holds a slash.
    NameInvalid,
    /// The parent is gone or stops.
    ParentGone,
    /// The parent is too deep.
    Depth,
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SpawnError::CellCount => "as many cells as possible are alive",
            SpawnError::NameTaken => "a living sibling has this name",
            SpawnError::NameInvalid => "the name is empty, too long, or holds a slash",
            SpawnError::ParentGone => "the parent is gone",
            SpawnError::Depth => "the path would be too deep",
        })
    }
}

impl std::error::Error for SpawnError {}

impl Scheduler {
    /// Starts a cell below `parent`. With `numbered`, a taken name gets the next free number instead of an error.
    pub fn spawn(
        &mut self,
        parent: CellId,
        name: &str,
        numbered: bool,
        options: CellOptions,
    ) -> Result<CellId, SpawnError> {
        let mut cell = self.prepare(parent, name, numbered)?;
        cell.restart = options.restart;
        cell.has_init = options.has_init;
        cell.mailbox_limit = options.mailbox_limit.clamp(1, MAILBOX_MAX);
        cell.turn_timeout_ms = options.turn_timeout_ms;
        cell.phase = Phase::Waiting(None);
        let room = cell.mailbox_limit as i32;
        let id = self.adopt(parent, cell);
        self.credits.set(id.index(), room);
        self.start(id);
        Ok(id)
    }

    /// Starts a supervisor below `parent`; its children are spawned below it, in the order of their start.
    pub fn spawn_supervisor(
        &mut self,
        parent: CellId,
        name: &str,
        numbered: bool,
        policy: RestartPolicy,
    ) -> Result<CellId, SpawnError> {
        let mut cell = self.prepare(parent, name, numbered)?;
        cell.supervision = Some(Box::new(Supervision { policy, window: RestartWindow::default() }));
        let id = self.adopt(parent, cell);
        self.credits.set(id.index(), CLOSED);
        Ok(id)
    }

    /// The name that a cell got.
    pub fn name(&self, cell: CellId) -> Option<&str> {
        self.table.get(cell).map(|cell| &*cell.name)
    }

    fn prepare(&mut self, parent: CellId, name: &str, numbered: bool) -> Result<Cell, SpawnError> {
        if !Names::valid(name) {
            return Err(SpawnError::NameInvalid);
        }
        if self.table.len() >= CELLS_MAX as usize {
            return Err(SpawnError::CellCount);
        }
        let above = self.table.get_mut(parent).ok_or(SpawnError::ParentGone)?;
        if above.stop.is_some() {
            return Err(SpawnError::ParentGone);
        }
        if above.depth >= DEPTH_MAX {
            return Err(SpawnError::Depth);
        }
        let depth = above.depth + 1;
        let name = if numbered {
            self.names.free(parent, name, &mut above.rare_mut().last_numbers)
        } else if self.names.is_taken(parent, name) {
            return Err(SpawnError::NameTaken);
        } else {
            name.into()
        };
        Ok(Cell::new(Some(parent), name, depth))
    }

    fn adopt(&mut self, parent: CellId, cell: Cell) -> CellId {
        self.names.take(parent, &cell.name);
        let id = self.table.insert(cell);
        if let Some(above) = self.table.get_mut(parent) {
            above.rare_mut().children.push(id);
        }
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_unique_among_living_siblings() {
        let mut scheduler = Scheduler::new(0);
        let root = scheduler.root();
        let first = scheduler.spawn(root, "a", false, CellOptions::default()).unwrap();
        assert_eq!(scheduler.spawn(root, "a", false, CellOptions::default()), Err(SpawnError::NameTaken));
        let second = scheduler.spawn(root, "a", true, CellOptions::default()).unwrap();
        assert_eq!(scheduler.name(second), Some("a-2"));
        scheduler.take(crate::Record::Stop { cell: first.word() }).unwrap();
        scheduler.step(0, 0);
        assert!(scheduler.spawn(root, "a", false, CellOptions::default()).is_ok());
    }

    #[test]
    fn a_path_cannot_grow_without_end() {
        let mut scheduler = Scheduler::new(0);
        let mut parent = scheduler.root();
        for _ in 0..DEPTH_MAX {
            parent = scheduler.spawn(parent, "x", false, CellOptions::default()).unwrap();
        }
        assert_eq!(scheduler.spawn(parent, "x", false, CellOptions::default()), Err(SpawnError::Depth));
    }

    #[test]
    fn nothing_is_spawned_below_a_cell_that_is_gone() {
        let mut scheduler = Scheduler::new(0);
        let nobody = CellId::from_word(CellId::NONE);
        assert_eq!(scheduler.spawn(nobody, "x", false, CellOptions::default()), Err(SpawnError::ParentGone));
    }
}
