//! Chapters in memory: an ordered map of encoded records, lost at exit and rebuilt from the log at the next start.

use crate::{Chapter, History, ObjectId, Progress};
use karyon_model::bytes::Cursor;
use karyon_model::{Result, Seq};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// Decoded chapters kept at hand, at most.
const CACHE_SLOTS: usize = 1024;

/// A decoded chapter and its record's key.
type Cached = ([u8; 17], Arc<Chapter>);

/// The in-memory backend.
pub struct MemoryHistory {
    records: RwLock<BTreeMap<[u8; 17], Box<[u8]>>>,
    cache: Mutex<Vec<Option<Cached>>>,
    progress: Mutex<Progress>,
}

impl Default for MemoryHistory {
    fn default() -> Self {
        MemoryHistory {
            records: RwLock::default(),
            cache: Mutex::new(vec![None; CACHE_SLOTS]),
            progress: Mutex::new(Progress::Ready),
        }
    }
}

impl MemoryHistory {
    /// An empty history that covers everything from now on.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says how far a rebuild has come; questions that it cannot answer yet fail with `HistoryBuilding`.
    pub fn set_progress(&self, progress: Progress) {
        *lock(&self.progress) = progress;
    }

    /// Every record, in the order of its key. For comparing a rebuilt history with the one it replaces.
    pub fn records(&self) -> Vec<([u8; 17], Box<[u8]>)> {
        let records = self.records.read().unwrap_or_else(PoisonError::into_inner);
        records.iter().map(|(key, bytes)| (*key, bytes.clone())).collect()
    }

    fn decoded(&self, object: ObjectId, key: [u8; 17], bytes: &[u8]) -> Result<Arc<Chapter>> {
        let slot = crc32c::crc32c(&key) as usize % CACHE_SLOTS;
        if let Some((cached, chapter)) = &lock(&self.cache)[slot]
            && *cached == key
        {
            return Ok(chapter.clone());
        }
        let end = Seq::from_be_bytes(Cursor::new(&key[9..]).array()?);
        let chapter = Arc::new(Chapter::decode(object, end, bytes)?);
        lock(&self.cache)[slot] = Some((key, chapter.clone()));
        Ok(chapter)
    }
}

/// A panic while a lock was held cannot leave a half-written record: each is replaced as a whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl History for MemoryHistory {
    fn seal(&self, object: ObjectId, chapter: &Chapter) -> Result<()> {
        let mut records = self.records.write().unwrap_or_else(PoisonError::into_inner);
        records.insert(Chapter::key(object, chapter.end), chapter.encode(object).into());
        Ok(())
    }

    fn find(&self, object: ObjectId, seq: Seq) -> Result<Option<Arc<Chapter>>> {
        let records = self.records.read().unwrap_or_else(PoisonError::into_inner);
        let after = Bound::Excluded(Chapter::key(object, seq));
        let next = records.range((after, Bound::Unbounded)).next();
        if let Some((key, bytes)) = next.filter(|(key, _)| key[..9] == object.key()) {
            let chapter = self.decoded(object, *key, bytes)?;
            if chapter.run.start() <= seq {
                return Ok(Some(chapter));
            }
        }
        drop(records);
        lock(&self.progress).check()?;
        Ok(None)
    }

    fn chapters(&self, object: ObjectId) -> Result<Vec<Arc<Chapter>>> {
        lock(&self.progress).check()?;
        let records = self.records.read().unwrap_or_else(PoisonError::into_inner);
        let all = records.range(Chapter::key(object, 0)..=Chapter::key(object, Seq::MAX));
        all.map(|(key, bytes)| self.decoded(object, *key, bytes)).collect()
    }

    fn progress(&self) -> Progress {
        lock(&self.progress).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Run;
    use karyon_model::Code;

    fn chapter(start: Seq, end: Seq) -> Chapter {
        Chapter { end, anchor: end.to_be_bytes().into(), run: Run::starting(start) }
    }

    fn damage(history: &MemoryHistory, key: &[u8; 17], change: impl FnOnce(&mut [u8])) {
        lock(&history.cache).fill(None);
        change(history.records.write().unwrap().get_mut(key).unwrap());
    }

    #[test]
    fn the_chapter_that_covers_a_moment_is_found() {
        let history = MemoryHistory::new();
        let object = ObjectId::Node(1);
        for (start, end) in [(3, 10), (10, 20), (30, 40)] {
            history.seal(object, &chapter(start, end)).unwrap();
        }
        history.seal(ObjectId::Node(2), &chapter(1, 1000)).unwrap();
        let end_at = |seq| history.find(object, seq).unwrap().map(|chapter| chapter.end);
        assert_eq!(end_at(2), None);
        assert_eq!(end_at(3), Some(10));
        assert_eq!(end_at(9), Some(10));
        assert_eq!(end_at(10), Some(20));
        assert_eq!(end_at(20), None, "between two lives");
        assert_eq!(end_at(40), None);
        assert_eq!(history.chapters(object).unwrap().len(), 3);
    }

    #[test]
    fn damage_is_an_error_and_never_an_answer() {
        let history = MemoryHistory::new();
        let object = ObjectId::Edge(4);
        history.seal(object, &chapter(1, 5)).unwrap();
        assert!(history.find(object, 2).unwrap().is_some());
        damage(&history, &Chapter::key(object, 5), |bytes| bytes[8] ^= 1);
        assert_eq!(history.find(object, 2).unwrap_err().code(), Code::Damaged);
    }

    #[test]
    fn what_is_not_rebuilt_yet_is_a_typed_error() {
        let history = MemoryHistory::new();
        history.set_progress(Progress::Building { done: 3, total: 9 });
        let error = history.find(ObjectId::Node(1), 2).unwrap_err();
        assert_eq!(error.code(), Code::HistoryBuilding);
        history.set_progress(Progress::Ready);
        assert_eq!(history.find(ObjectId::Node(1), 2).unwrap(), None);
    }
}
