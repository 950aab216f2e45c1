//! Interned names: labels, edge types, property names, principals.

use hashbrown::HashMap;
use karyon_model::limits::NAMES_MAX;
use karyon_model::{Code, Error, NameId, Result, bounded, require};
use parking_lot::RwLock;
use std::sync::Arc;

/// The dictionary of one store. Names are only ever added.
///
/// A name gets its number at first sight, also from a transaction that is never committed; the log defines it in the
/// first commit that uses it, with its number, so a replay gives the same numbers and unused ones stay holes.
///
/// A panic under its lock cannot leave half an entry: the map and the vector are written one after the other, and an entry missing from the
/// map only costs a second number.
#[derive(Debug, Default)]
pub struct Names(RwLock<Dictionary>);

#[derive(Debug, Default)]
struct Dictionary {
    ids: HashMap<Arc<str>, NameId>,
    /// By number; a hole has an empty text, which no name has.
    names: Vec<Name>,
}

#[derive(Clone, Debug, Default)]
struct Name {
    text: Arc<str>,
    logged: bool,
}

impl Names {
    /// The number of a name, if it was ever seen.
    pub fn get(&self, name: &str) -> Option<NameId> {
        self.0.read().ids.get(name).copied()
    }

    /// The number of a name, a new one at first sight.
    pub fn intern(&self, name: &str) -> Result<NameId> {
        if let Some(id) = self.get(name) {
            return Ok(id);
        }
        let mut dictionary = self.0.write();
        if let Some(id) = dictionary.ids.get(name) {
            return Ok(*id);
        }
        bounded(dictionary.names.len() < NAMES_MAX, Code::KeySize, NAMES_MAX, || {
            format!("the store knows {NAMES_MAX} names; put changing text into keys or values")
        })?;
        let id = dictionary.names.len() as NameId;
        dictionary.insert(id, name, false);
        Ok(id)
    }

    /// As `intern`, with the text, and whether the log has defined it.
    pub(crate) fn look_up(&self, name: &str) -> Result<(NameId, Arc<str>, bool)> {
        let id = self.intern(name)?;
        let Name { text, logged } = self.0.read().names[id as usize].clone();
        Ok((id, text, logged))
    }

    /// The text of a number that `intern` or `define` gave out; empty for a hole.
    pub fn text(&self, id: NameId) -> Arc<str> {
        self.0.read().names.get(id as usize).map(|name| name.text.clone()).unwrap_or_default()
    }

    /// Every name from a number on, holes as empty text. For readers that keep a copy of the dictionary.
    pub fn from(&self, first: NameId) -> Vec<Arc<str>> {
        self.0.read().names.iter().skip(first as usize).map(|name| name.text.clone()).collect()
    }

    /// Takes a definition from the log.
    pub(crate) fn define(&self, id: NameId, name: &str) -> Result<()> {
        let mut dictionary = self.0.write();
        let taken = dictionary.names.get(id as usize).is_some_and(|name| !name.text.is_empty());
        let free = !taken && (id as usize) < NAMES_MAX && !dictionary.ids.contains_key(name);
        let message = || format!("the log defines the name {name:?} or number {id} twice");
        require(free, || Error::new(Code::Damaged, message()))?;
        dictionary.insert(id, name, true);
        Ok(())
    }

    /// Marks names as defined in the log.
    pub(crate) fn mark_logged(&self, ids: &[NameId]) {
        if !ids.is_empty() {
            let mut dictionary = self.0.write();
            ids.iter().for_each(|id| dictionary.names[*id as usize].logged = true);
        }
    }

    /// The names that the log has defined, by number.
    pub(crate) fn logged(&self) -> Vec<(NameId, Arc<str>)> {
        let dictionary = self.0.read();
        let names = (0..).zip(&dictionary.names).filter(|(_, name)| name.logged);
        names.map(|(id, name)| (id, name.text.clone())).collect()
    }
}

impl Dictionary {
    fn insert(&mut self, id: NameId, name: &str, logged: bool) {
        let text: Arc<str> = name.into();
        if self.names.len() <= id as usize {
            self.names.resize(id as usize + 1, Name::default());
        }
        self.names[id as usize] = Name { text: text.clone(), logged };
        self.ids.insert(text, id);
    }
}
