//! A bounded cache: every key has one place, and whoever comes later takes it.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash};
use std::sync::{Mutex, MutexGuard, PoisonError};

type Slot<K, V> = Mutex<Option<(K, V)>>;

/// Values at hand, at most as many as it was made with.
#[derive(Debug)]
pub(crate) struct Cache<K, V> {
    slots: Box<[Slot<K, V>]>,
    place: fn(&K) -> u64,
}

/// The place of keys that have no order of their own.
pub(crate) fn hashed<K: Hash>(key: &K) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(key)
}

impl<K: Eq, V: Clone> Cache<K, V> {
    /// `place` tells keys apart; those that have the same push each other out.
    pub(crate) fn new(slots: usize, place: fn(&K) -> u64) -> Self {
        Cache { slots: (0..slots).map(|_| Mutex::new(None)).collect(), place }
    }

    fn slot(&self, key: &K) -> MutexGuard<'_, Option<(K, V)>> {
        let slot = &self.slots[((self.place)(key) % self.slots.len() as u64) as usize];
        // A panic while a slot was held cannot leave half an entry: each is replaced as a whole.
        slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value of a key, if it is at hand.
    pub(crate) fn held(&self, key: &K) -> Option<V> {
        self.slot(key).as_ref().filter(|held| held.0 == *key).map(|held| held.1.clone())
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        self.slots.iter().for_each(|slot| *slot.lock().unwrap_or_else(PoisonError::into_inner) = None);
    }

    /// Keeps the value of a key.
    pub(crate) fn keep(&self, key: K, value: V) {
        let mut slot = self.slot(&key);
        *slot = Some((key, value));
    }

    /// The value of a key, made if it is not at hand, and then kept if it is worth it.
    pub(crate) fn get<E>(
        &self,
        key: K,
        keep: impl FnOnce(&V) -> bool,
        make: impl FnOnce() -> Result<V, E>,
    ) -> Result<V, E> {
        if let Some(value) = self.held(&key) {
            return Ok(value);
        }
        let value = make()?;
        if keep(&value) {
            self.keep(key, value.clone());
        }
        Ok(value)
    }
}
