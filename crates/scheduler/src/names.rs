//! Names, unique among living siblings.

use crate::limits::NAME_BYTES_MAX;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// The names of one parent's children. Looked up, never walked: the order of the maps shows nowhere.
#[derive(Debug, Default)]
pub(crate) struct Names {
    taken: HashSet<Arc<str>>,
    /// The last number given out for each name.
    last: HashMap<Arc<str>, u64>,
}

impl Names {
    /// Whether a path may contain this name.
    pub fn valid(name: &str) -> bool {
        !name.is_empty() && name.len() <= NAME_BYTES_MAX && !name.contains(['/', '\0'])
    }

    /// Takes the name. If a sibling has it: with `numbered` the first free of `name-2`, `name-3`, …, else nothing.
    pub fn claim(&mut self, name: &str, numbered: bool) -> Option<Arc<str>> {
        let mut free: Arc<str> = name.into();
        while self.taken.contains(&free) {
            if !numbered {
                return None;
            }
            let number = self.last.entry(name.into()).or_insert(1);
            *number += 1;
            free = format!("{name}-{number}").into();
        }
        self.taken.insert(free.clone());
        Some(free)
    }

    pub fn release(&mut self, name: &str) {
        self.taken.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_among_siblings_only_and_free_again_once_released() {
        let (mut names, mut others) = (Names::default(), Names::default());
        assert_eq!(names.claim("alice", false).as_deref(), Some("alice"));
        assert_eq!(names.claim("alice", false), None);
        assert_eq!(others.claim("alice", false).as_deref(), Some("alice"));
        assert_eq!(names.claim("alice", true).as_deref(), Some("alice-2"));
        names.release("alice");
        assert_eq!(names.claim("alice", true).as_deref(), Some("alice"));
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
