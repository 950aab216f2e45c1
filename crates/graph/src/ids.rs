//! A versioned list of ids: a node's edges of one type, a label's nodes.

use crate::versioned::State;
use karyon_history::ObjectId;
use karyon_model::{Cursor, put_ascending, put_varint};
use karyon_model::{Result, Seq};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Lists of the past that are remembered.
const RECENT_LISTS: usize = 4;
/// Ids of all of them together, unless one has more by itself.
const RECENT_IDS: usize = 1 << 22;
/// Lists with fewer ids, now and then, are soon made again, and would push longer ones out.
const RECENT_IDS_MIN: usize = 1024;

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
    /// The list without some ids.
    pub(crate) fn without(&self, is_gone: &dyn Fn(u32) -> bool) -> Ids {
        Ids(self.iter().copied().filter(|id| !is_gone(*id)).collect())
    }

    pub(crate) fn one(id: u32) -> Ids {
        Ids(vec![id])
    }

    /// Adds an id or removes it.
    pub(crate) fn put(&mut self, id: u32, present: bool) {
        if present && self.0.last().is_none_or(|last| *last < id) {
            self.0.push(id);
            return;
        }
        match self.0.binary_search(&id) {
            Err(at) if present => self.0.insert(at, id),
            Ok(at) if !present => drop(self.0.remove(at)),
            _ => {}
        }
    }

    /// The list with ids put, ascending, each in it or not.
    ///
    /// Cost: one copy of the list.
    pub(crate) fn merged(&self, put: impl ExactSizeIterator<Item = (u32, bool)>) -> Ids {
        let (mut ids, mut rest) = (Vec::with_capacity(self.0.len() + put.len()), &self.0[..]);
        for (id, present) in put {
            let (kept, from) = rest.split_at(rest.partition_point(|held| *held < id));
            ids.extend_from_slice(kept);
            ids.extend(present.then_some(id));
            rest = if from.first() == Some(&id) { &from[1..] } else { from };
        }
        ids.extend_from_slice(rest);
        Ids(ids)
    }
}

/// A list as of a version.
pub(crate) enum Listed<'g> {
    Newest(&'g [u32]),
    Past(Arc<Ids>),
}

impl std::ops::Deref for Listed<'_> {
    type Target = [u32];

    fn deref(&self) -> &[u32] {
        match self {
            Listed::Newest(ids) => ids,
            Listed::Past(ids) => ids,
        }
    }
}

impl<'g> Listed<'g> {
    /// The list with some ids more and some less, each in the list or not in it.
    pub(crate) fn with(&self, more: &[u32], less: &[u32]) -> Listed<'g> {
        let kept = self.iter().filter(|id| less.binary_search(id).is_err());
        let mut ids: Vec<u32> = kept.chain(more).copied().collect();
        // Two ascending runs.
        ids.sort();
        Listed::Past(Arc::new(Ids(ids)))
    }
}

/// A list as it was from one version to another.
type Past = (ObjectId, RangeInclusive<Seq>, Arc<Ids>);

/// The long lists of the past that were read last: the pages of a scan share one. None goes stale, as a list is kept only as it
/// was before a later commit changed it.
#[derive(Default)]
pub(crate) struct Recent(Mutex<VecDeque<Past>>);

impl Recent {
    /// The list as of `seq`, if it is remembered.
    pub(crate) fn find(&self, id: ObjectId, seq: Seq) -> Option<Arc<Ids>> {
        let recent = self.0.lock();
        recent.iter().find(|kept| kept.0 == id && kept.1.contains(&seq)).map(|kept| kept.2.clone())
    }

    /// Shares a list of the past, and remembers it unless it is soon made again.
    pub(crate) fn keep(&self, id: ObjectId, span: RangeInclusive<Seq>, mut ids: Ids, now: &Ids) -> Arc<Ids> {
        ids.0.shrink_to_fit();
        let ids = Arc::new(ids);
        if ids.len().max(now.len()) >= RECENT_IDS_MIN {
            let mut recent = self.0.lock();
            recent.push_front((id, span, ids.clone()));
            recent.truncate(RECENT_LISTS);
            while recent.len() > 1 && recent.iter().map(|kept| kept.2.len()).sum::<usize>() > RECENT_IDS {
                recent.pop_back();
            }
        }
        ids
    }
}

/// Appends what undoes a commit's changes of a list: (id, whether it was in the list before).
pub(crate) fn put_delta(before: &[(u32, bool)], out: &mut Vec<u8>) {
    put_varint(out, before.len() as u64);
    for (id, present) in before {
        put_varint(out, u64::from(*id) << 1 | u64::from(*present));
    }
}

/// Reads what `put_delta` wrote.
pub(crate) fn decode_delta(delta: &[u8]) -> Result<Vec<(u32, bool)>> {
    let mut cursor = Cursor::new(delta);
    let entry = |entry: u64, cursor: &Cursor<'_>| {
        let id = u32::try_from(entry >> 1).map_err(|_| cursor.malformed("an id beyond 32 bits"))?;
        Ok((id, entry & 1 == 1))
    };
    (0..cursor.length()?).map(|_| entry(cursor.varint()?, &cursor)).collect()
}

impl State for Ids {
    fn encode(&self, out: &mut Vec<u8>) {
        put_ascending(out, self.0.iter().map(|id| u64::from(*id)));
    }

    fn decode(bytes: &[u8]) -> Result<Self> {
        Cursor::new(bytes).ascending().map(Ids)
    }

    /// Cost: one copy of the list, and the sorting of what has changed, however many commits did.
    fn undo<'d>(&mut self, deltas: impl Iterator<Item = &'d [u8]>) -> Result<()> {
        let mut before = Vec::new();
        for delta in deltas {
            before.extend(decode_delta(delta)?);
        }
        // Oldest first, and the sort is stable: of an id that came and went, the oldest answer is kept.
        before.reverse();
        before.sort_by_key(|entry| entry.0);
        before.dedup_by_key(|entry| entry.0);
        *self = self.merged(before.into_iter());
        Ok(())
    }

    fn back_to(&self, older: &Ids) -> Vec<u8> {
        let apart = |of: &Ids, other: &Ids, present| {
            let missing = of.0.iter().filter(|id| other.binary_search(id).is_err());
            missing.map(|id| (*id, present)).collect::<Vec<_>>()
        };
        let mut out = Vec::new();
        put_delta(&[apart(self, older, false), apart(older, self, true)].concat(), &mut out);
        out
    }

    fn size(&self) -> usize {
        self.0.len() * 4
    }
}
