//! Cells by handle.

use crate::cell::{Cell, Rare, Supervision};
use crate::id::CellId;
use std::collections::VecDeque;

#[derive(Debug)]
struct Entry {
    generation: u16,
    cell: Option<Cell>,
}

/// All cells. Freed places are reused oldest first, so that a stale handle stays stale as long as it can, and only once the host knows.
#[derive(Debug, Default)]
pub(crate) struct Table {
    entries: Vec<Entry>,
    free: VecDeque<u32>,
    count: usize,
}

impl Table {
    pub fn len(&self) -> usize {
        self.count
    }

    pub fn insert(&mut self, cell: Cell) -> CellId {
        self.count += 1;
        if let Some(index) = self.free.pop_front() {
            let entry = &mut self.entries[index as usize];
            entry.cell = Some(cell);
            return CellId::new(index, entry.generation);
        }
        self.entries.push(Entry { generation: 0, cell: Some(cell) });
        CellId::new(self.entries.len() as u32 - 1, 0)
    }

    pub fn get(&self, id: CellId) -> Option<&Cell> {
        let entry = self.entries.get(id.index())?;
        if entry.generation == id.generation() { entry.cell.as_ref() } else { None }
    }

    /// Whoever is in this place now.
    pub fn at(&self, place: usize) -> Option<&Cell> {
        self.entries.get(place)?.cell.as_ref()
    }

    pub fn get_mut(&mut self, id: CellId) -> Option<&mut Cell> {
        let entry = self.entries.get_mut(id.index())?;
        if entry.generation == id.generation() { entry.cell.as_mut() } else { None }
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
        let entry = &mut self.entries[id.index()];
        entry.generation = CellId::next_generation(entry.generation);
        self.count -= 1;
        entry.cell.take()
    }

    /// Gives the place of a removed cell to others.
    pub fn free(&mut self, id: CellId) {
        self.free.push_back(id.index() as u32);
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
