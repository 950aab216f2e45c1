//! Cells by handle.

use crate::CellId;
use crate::cell::{Cell, Rare, Supervision};
use crate::limits::CELLS_MAX;
use std::collections::VecDeque;

/// All cells. Freed places are reused oldest first, so that a stale handle stays stale as long as it can.
#[derive(Debug, Default)]
pub(crate) struct Table {
    cells: Vec<Option<Cell>>,
    /// The handles of those that are free.
    free: VecDeque<CellId>,
    count: usize,
}

impl Table {
    pub fn len(&self) -> usize {
        self.count
    }

    /// Every place is a cell's, or was one's of which not all is told.
    pub fn is_full(&self) -> bool {
        self.free.is_empty() && self.cells.len() >= CELLS_MAX as usize
    }

    pub fn insert(&mut self, cell: Cell) -> CellId {
        let id = self.free.pop_front().unwrap_or(CellId::new(self.cells.len() as u32, 0));
        let cell = Some(Cell { generation: id.generation(), ..cell });
        match self.cells.get_mut(id.index()) {
            Some(place) => *place = cell,
            None => self.cells.push(cell),
        }
        self.count += 1;
        id
    }

    pub fn get(&self, id: CellId) -> Option<&Cell> {
        self.at(id.index()).filter(|cell| cell.generation == id.generation())
    }

    /// Whoever is in this place now.
    pub fn at(&self, place: usize) -> Option<&Cell> {
        self.cells.get(place)?.as_ref()
    }

    pub fn get_mut(&mut self, id: CellId) -> Option<&mut Cell> {
        self.cells.get_mut(id.index())?.as_mut().filter(|cell| cell.generation == id.generation())
    }

    /// What few cells have, of a cell that has it.
    pub fn rare_mut(&mut self, id: CellId) -> Option<&mut Rare> {
        self.get_mut(id)?.rare.as_deref_mut()
    }

    /// What a supervisor has beyond a cell.
    pub fn supervision_mut(&mut self, id: CellId) -> Option<&mut Supervision> {
        self.get_mut(id)?.supervision.as_deref_mut()
    }

    pub fn remove(&mut self, id: CellId) -> Option<Cell> {
        self.get(id)?;
        self.count -= 1;
        self.cells[id.index()].take()
    }

    /// Gives the place of a removed cell to others.
    pub fn free(&mut self, id: CellId) {
        self.free.push_back(id.next());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell() -> Cell {
        Cell::default()
    }

    #[test]
    fn a_handle_of_a_removed_cell_finds_nothing_even_when_its_place_is_reused() {
        let mut table = Table::default();
        let first = table.insert(cell());
        assert!(table.remove(first).is_some());
        let beside = table.insert(cell());
        assert_ne!(beside.index(), first.index());
        table.free(first);
        let second = table.insert(cell());
        assert_eq!(first.index(), second.index());
        assert!(table.get(first).is_none() && table.remove(first).is_none() && table.get(second).is_some());
        assert_eq!(table.len(), 2);
    }

    #[test]
    fn a_handle_from_nowhere_finds_nothing() {
        let mut table = Table::default();
        assert!(table.get_mut(CellId::NONE).is_none());
        assert!(table.get(CellId::new(7, 0)).is_none());
    }
}
