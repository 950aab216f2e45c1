//! Names, unique among living siblings.

use crate::CellId;
use crate::cell::Cell;
use crate::limits::NAME_BYTES_MAX;
use crate::table::Table;
use std::collections::{BTreeSet, HashMap};
use std::hash::BuildHasher;

/// A name that nobody has, with its hash.
type Free = (u32, Box<str>);

/// Who has which name.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// All cells, each below the hash of its parent and name: a tree, as a table would be half empty at times, and move all at once.
    taken: BTreeSet<(u32, CellId)>,
    /// By parent, the last number given out for each name.
    last: HashMap<CellId, HashMap<Box<str>, u64>>,
}

impl Names {
    /// Whether a path may contain this name.
    pub fn valid(name: &str) -> bool {
        !name.is_empty() && name.len() <= NAME_BYTES_MAX && !name.contains(['/', '\0'])
    }

    /// The name itself. If a sibling has it: with `numbered` the first free of `name-2`, `name-3`, …, else nothing.
    pub fn free(&mut self, cells: &Table, parent: CellId, name: &str, numbered: bool) -> Option<Free> {
        let mut free: Box<str> = name.into();
        loop {
            let hash = self.hash(parent, &free);
            let has_it = |cell: &Cell| cell.parent == parent && cell.name == free;
            let mut alike = self.taken.range((hash, CellId(0))..=(hash, CellId::NONE));
            if !alike.any(|&(_, id)| cells.get(id).is_some_and(has_it)) {
                return Some((hash, free));
            }
            if !numbered {
                return None;
            }
            let number = self.last.entry(parent).or_default().entry(name.into()).or_insert(1);
            *number += 1;
            free = format!("{name}-{number}").into();
        }
    }

    /// A cell has got the name of that hash.
    pub fn take(&mut self, hash: u32, id: CellId) {
        self.taken.insert((hash, id));
    }

    /// A cell is gone.
    pub fn release(&mut self, cell: &Cell, id: CellId) {
        self.taken.remove(&(self.hash(cell.parent, &cell.name), id));
        self.last.remove(&id);
    }

    fn hash(&self, parent: CellId, name: &str) -> u32 {
        self.last.hasher().hash_one((parent, name)) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Starts cells below a parent, as long as their names are free.
    fn claim(
        names: &mut Names,
        cells: &mut Table,
        parent: CellId,
        name: &str,
        numbered: bool,
    ) -> Option<CellId> {
        let (hash, name) = names.free(cells, parent, name, numbered)?;
        let id = cells.insert(Cell { parent, name, ..Cell::default() });
        names.take(hash, id);
        Some(id)
    }

    #[test]
    fn a_name_is_taken_among_siblings_only_and_free_again_once_released() {
        let (mut names, mut cells) = (Names::default(), Table::default());
        let [one, other] = [7, 8].map(|index| CellId::new(index, 0));
        let first = claim(&mut names, &mut cells, one, "alice", false).unwrap();
        assert_eq!(claim(&mut names, &mut cells, one, "alice", false), None);
        assert!(claim(&mut names, &mut cells, other, "alice", false).is_some());
        let second = claim(&mut names, &mut cells, one, "alice", true).unwrap();
        assert_eq!(cells.get(second).map(|cell| &*cell.name), Some("alice-2"));
        names.release(&cells.remove(first).unwrap(), first);
        let third = claim(&mut names, &mut cells, one, "alice", true).unwrap();
        assert_eq!(cells.get(third).map(|cell| &*cell.name), Some("alice"));
    }

    #[test]
    fn many_names_are_kept_apart() {
        let (mut names, mut cells) = (Names::default(), Table::default());
        let all: Vec<_> = (0..10_000).map(|at| format!("cell-{at}")).collect();
        for name in &all {
            assert!(claim(&mut names, &mut cells, CellId::NONE, name, false).is_some());
        }
        for name in &all {
            assert_eq!(claim(&mut names, &mut cells, CellId::NONE, name, false), None);
        }
    }

    #[test]
    fn a_name_cannot_hold_a_slash_and_cannot_be_empty() {
        assert!(
            Names::valid("a b")
                && !Names::valid("")
                && !Names::valid("a/b")
                && !Names::valid(&"x".repeat(256))
        );
    }
}
