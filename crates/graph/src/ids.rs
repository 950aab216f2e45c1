//! A versioned list of ids: a node's edges of one type, a label's nodes.

use crate::versioned::State;
use karyon_model::Result;
use karyon_model::bytes::{Cursor, put_varint};

/// Ids, ascending. Ids grow with time, so adding is mostly appending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ids(Vec<u32>);

impl std::ops::Deref for Ids {
    type Target = [u32];

    fn deref(&self) -> &[u32] {
        &self.0
    }
}

impl Ids {
    /// Adds an id or removes it. False when nothing was to be done.
    pub(crate) fn put(&mut self, id: u32, present: bool) -> bool {
        if present && self.0.last().is_none_or(|last| *last < id) {
            self.0.push(id);
            return true;
        }
        match self.0.binary_search(&id) {
            Err(at) if present => self.0.insert(at, id),
            Ok(at) if !present => drop(self.0.remove(at)),
            _ => return false,
        }
        true
    }
}

/// Encodes what undoes a commit's changes of a list: (id, whether it was in the list before).
pub(crate) fn encode_delta(before: &[(u32, bool)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(before.len() * 4 + 1);
    put_varint(&mut out, before.len() as u64);
    for (id, present) in before {
        put_varint(&mut out, u64::from(*id) << 1 | u64::from(*present));
    }
    out
}

impl State for Ids {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.0.len() as u64);
        let mut before = 0;
        for id in &self.0 {
            put_varint(out, u64::from(id - before));
            before = *id;
        }
    }

    fn decode(bytes: &[u8]) -> Result<Self> {
        let mut cursor = Cursor::new(bytes);
        let count = cursor.length()?;
        let mut ids = Vec::with_capacity(count);
        let mut id = 0u32;
        for at in 0..count {
            let step = cursor.id()?;
            let next = id.checked_add(step).filter(|_| at == 0 || step > 0);
            id = next.ok_or_else(|| cursor.malformed("a list out of order"))?;
            ids.push(id);
        }
        Ok(Ids(ids))
    }

    fn undo(&mut self, delta: &[u8]) -> Result<()> {
        let mut cursor = Cursor::new(delta);
        for _ in 0..cursor.length()? {
            let entry = cursor.varint()?;
            let id = u32::try_from(entry >> 1).map_err(|_| cursor.malformed("an id beyond 32 bits"))?;
            self.put(id, entry & 1 == 1);
        }
        Ok(())
    }

    fn size(&self) -> usize {
        self.0.len() * 4
    }
}
