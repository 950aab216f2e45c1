//! Names, unique among living siblings.

use crate::id::CellId;
use crate::limits::NAME_BYTES_MAX;
use std::collections::{HashMap, HashSet};

/// Which names are taken below which parent. Looked up, never walked: the order of the map shows nowhere.
#[derive(Debug, Default)]
pub(crate) struct Names {
    taken: HashSet<(CellId, Box<str>)>,
}

/// The last number given out for each name below one parent; goes with the parent.
pub(crate) type LastNumbers = HashMap<Box<str>, u64>;

impl Names {
    /// Whether a path may contain this name.
    pub fn valid(name: &str) -> bool {
        !name.is_empty() && name.len() <= NAME_BYTES_MAX && !name.contains(['/', '\0'])
    }

    pub fn is_taken(&self, parent: CellId, name: &str) -> bool {
        self.taken.contains(&(parent, name.into()))
    }

    /// The name itself, or the first free of `name-2`, `name-3`, …
    pub fn free(&self, parent: CellId, name: &str, last: &mut LastNumbers) -> Box<str> {
        if !self.is_taken(parent, name) {
            return name.into();
        }
        let number = last.entry(name.into()).or_insert(1);
        loop {
            *number += 1;
            let candidate = format!("{name}-{number}");
            if !self.is_taken(parent, &candidate) {
                return candidate.into();
            }
        }
    }

    pub fn take(&mut self, parent: CellId, name: &str) {
        self.taken.insert((parent, name.into()));
    }

    pub fn release(&mut self, parent: CellId, name: &str) {
        self.taken.remove(&(parent, name.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_among_siblings_only_and_free_again_once_released() {
        let (root, other, mut last) = (CellId::new(0, 0), CellId::new(1, 0), LastNumbers::new());
        let mut names = Names::default();
        names.take(root, "alice");
        assert!(names.is_taken(root, "alice") && !names.is_taken(other, "alice"));
        assert_eq!(&*names.free(root, "alice", &mut last), "alice-2");
        names.release(root, "alice");
        assert_eq!(&*names.free(root, "alice", &mut last), "alice");
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
