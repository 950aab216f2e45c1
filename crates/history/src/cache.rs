//! A bounded cache: every key has one place, and whoever comes later takes it.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash};
use std::sync::{Mutex, PoisonError};

type Slot<K, V> = Mutex<Option<(K, V)>>;

/// Values at hand, at most as many as it was made with.
#[derive(Debug)]
pub(crate) struct Cache<K, V> {
    slots: Box<[Slot<K, V>]>,
}

impl<K: Hash + Eq, V: Clone> Cache<K, V> {
    pub(crate) fn new(slots: usize) -> Self {
        Cache { slots: (0..slots).map(|_| Mutex::new(None)).collect() }
    }

    /// The value of a key, made if it is not at hand, and then kept if it is worth it.
    pub(crate) fn get<E>(
        &self,
        key: K,
        keep: impl FnOnce(&V) -> bool,
        make: impl FnOnce() -> Result<V, E>,
    ) -> Result<V, E> {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(&key);
        let slot = &self.slots[(hash % self.slots.len() as u64) as usize];
        // A panic while a slot was held cannot leave half an entry: each is replaced as a whole.
        if let Some((held, value)) = &*slot.lock().unwrap_or_else(PoisonError::into_inner)
            && *held == key
        {
            return Ok(value.clone());
        }
        let value = make()?;
        if keep(&value) {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some((key, value.clone()));
        }
        Ok(value)
    }
}
