//! Sealed chapters: the newest in memory, the rest in tables on disk, found by object and moment.
//!
//! Chapters come in the order of their ends, and tables are written in that order: of one object, every chapter of an
//! older table ends before those of a newer one. So a look goes from the oldest table to the newest and ends at the first
//! chapter that ends after the moment. At most [`TABLES_MAX`] tables bound it, whatever the age of the store.

use crate::cache::Cache;
use crate::directory::Directory;
use crate::table::{
    FOLDER, Key, OBJECT_BYTES, Piece, Record, Records, Summary, Table, TableWriter, end_of, merged, path,
    records, refused,
};
use crate::{Chapter, History, ObjectId, Progress};
use karyon_log::{ChainPoint, Disk, StoreId, StoreIdField};
use karyon_model::bytes::Cursor;
use karyon_model::{Code, Error, Result, Seq};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Decoded chapters kept at hand, at most.
const CHAPTERS_CACHED: usize = 4096;
/// Blocks kept at hand, at most: 16 MiB.
const BLOCKS_CACHED: usize = 4096;
/// Tables at most. One more is merged into its smallest neighbours.
const TABLES_MAX: usize = 8;
/// A table is written when this many bytes of chapters wait in memory.
const RECENT_BYTES: usize = 4 * 1024 * 1024;
/// The directory's entry of how much of the log the tables cover.
const WATERMARK: &[u8] = b"W";

/// Every sealed chapter of a store.
pub struct Chapters {
    state: RwLock<State>,
    chapters: Cache<Key, Arc<Chapter>>,
    blocks: Cache<(u32, usize), Arc<[u8]>>,
    progress: Mutex<Progress>,
    /// A table was found damaged: nothing more is written, and the next opening builds all of them again.
    given_up: AtomicBool,
    backing: Option<Backing>,
}

#[derive(Default)]
struct State {
    recent: BTreeMap<Key, Arc<[u8]>>,
    recent_bytes: usize,
    /// Oldest first.
    tables: Arc<Vec<Arc<Table>>>,
    covered: Option<ChainPoint>,
}

/// Where the tables are.
struct Backing {
    disk: Arc<dyn Disk>,
    directory: Arc<dyn Directory>,
    store: StoreId,
    /// The number of the next table; held by whoever writes one.
    next: Mutex<u32>,
}

impl Default for Chapters {
    fn default() -> Self {
        Chapters::in_memory()
    }
}

impl Chapters {
    /// No chapters, and none will be kept on disk.
    pub fn in_memory() -> Chapters {
        Chapters {
            state: RwLock::default(),
            chapters: Cache::new(CHAPTERS_CACHED),
            blocks: Cache::new(BLOCKS_CACHED),
            progress: Mutex::new(Progress::Ready),
            given_up: AtomicBool::new(false),
            backing: None,
        }
    }

    /// The chapters that a store has on disk. Fails with `Damaged` when they cannot be used: see `clear`.
    pub fn open(disk: Arc<dyn Disk>, directory: Arc<dyn Directory>, store: StoreId) -> Result<Chapters> {
        let mut summaries = BTreeMap::new();
        let mut blocks: BTreeMap<u32, Vec<_>> = BTreeMap::new();
        let mut covered = None;
        for (key, value) in directory.load()? {
            let (mut key, mut value) = (Cursor::new(&key), Cursor::new(&value));
            match key.byte()? {
                b'T' => {
                    let number = u32::from_be_bytes(key.array()?);
                    summaries.insert(number, Summary::decode(&mut value)?);
                }
                b'B' => {
                    let blocks = blocks.entry(u32::from_be_bytes(key.array()?)).or_default();
                    while !value.is_empty() {
                        blocks.push((value.array()?, Piece::decode(&mut value)?));
                    }
                }
                _ if StoreIdField::decode(&mut value)? == store => {
                    covered = Some(ChainPoint::decode(&mut value)?);
                }
                _ => return Err(useless("belongs to another store")),
            }
        }
        if covered.is_none() && !summaries.is_empty() {
            return Err(useless("was given up"));
        }
        let mut tables = Vec::new();
        for (number, summary) in summaries {
            let blocks = blocks.remove(&number).unwrap_or_default();
            tables.push(Arc::new(Table::open(&*disk, store, number, summary, blocks)?));
        }
        // Written and never entered, or replaced and not removed before a crash.
        let names = if disk.exists(FOLDER).map_err(refused(FOLDER))? {
            disk.list(FOLDER).map_err(refused(FOLDER))?
        } else {
            Vec::new()
        };
        for name in names {
            if name.ends_with(".table") && !tables.iter().any(|table| path(table.number).ends_with(&name)) {
                disk.remove(&format!("{FOLDER}/{name}")).map_err(refused(FOLDER))?;
            }
        }
        let next = tables.iter().map(|table| table.number + 1).max().unwrap_or(1);
        tables.sort_by_key(|table| table.summary.last);
        let state = State { tables: Arc::new(tables), covered, ..State::default() };
        let backing = Backing { disk, directory, store, next: Mutex::new(next) };
        Ok(Chapters { state: RwLock::new(state), backing: Some(backing), ..Chapters::in_memory() })
    }

    /// Forgets the tables: what they hold is not of this log.
    pub fn reset(&self) -> Result<()> {
        let Some(backing) = &self.backing else { return Ok(()) };
        let _writing = lock(&backing.next);
        backing.directory.clear()?;
        let mut state = self.state_mut();
        (state.tables, state.covered) = (Arc::default(), None);
        Ok(())
    }

    /// How much of the log the tables cover: every chapter that ends at or before its last commit is in them.
    pub fn covered(&self) -> Option<ChainPoint> {
        self.state().covered
    }

    /// Whether enough waits in memory that a table is worth writing.
    pub fn is_due(&self) -> bool {
        self.backing.is_some() && self.state().recent_bytes >= RECENT_BYTES
    }

    /// Writes the chapters that end at or before a durable point of the log into a table, and has the directory say so.
    ///
    /// Readers wait for none of it. After an error everything is as before.
    pub fn write(&self, durable: ChainPoint) -> Result<()> {
        let Some(backing) = &self.backing else { return Ok(()) };
        let mut next = lock(&backing.next);
        let covered = self.covered();
        if self.given_up.load(Ordering::Relaxed) || covered.is_some_and(|at| at.next_seq >= durable.next_seq)
        {
            return Ok(());
        }
        if covered.is_none() {
            backing.disk.create_dir(FOLDER).map_err(refused(FOLDER))?;
            backing.disk.sync_dir("").map_err(refused(FOLDER))?;
        }
        let last = durable.next_seq - 1;
        let ready: Vec<_> = {
            let state = self.state();
            let ended = state.recent.iter().filter(|(key, _)| end_of(key) <= last);
            ended.map(|(key, record)| (*key, record.clone())).collect()
        };
        let mut watermark = Vec::new();
        StoreIdField::encode(&backing.store, &mut watermark);
        durable.encode(&mut watermark);
        let mut put = vec![(WATERMARK.to_vec(), watermark)];
        let mut written = None;
        if !ready.is_empty() {
            let table =
                backing.table(&mut next, ready.iter().map(|(key, record)| Ok((*key, record.clone()))))?;
            put.extend(table.entries());
            written = Some(Arc::new(table));
        }
        backing.directory.apply(put, Vec::new())?;
        let mut state = self.state_mut();
        state.tables = Arc::new(state.tables.iter().cloned().chain(written).collect());
        state.covered = Some(durable);
        for (key, record) in ready {
            state.recent.remove(&key);
            state.recent_bytes -= record.len();
        }
        let tables = state.tables.clone();
        drop(state);
        if tables.len() <= TABLES_MAX {
            return Ok(());
        }
        self.merge(backing, &mut next, &tables).map_err(|error| self.give_up(error))
    }

    /// Makes one table of the two neighbours that are smallest together.
    fn merge(&self, backing: &Backing, next: &mut u32, tables: &[Arc<Table>]) -> Result<()> {
        let bytes = |at: &usize| tables[*at].summary.bytes + tables[at + 1].summary.bytes;
        let Some(at) = (0..tables.len() - 1).min_by_key(bytes) else { return Ok(()) };
        let (older, newer) = (&tables[at], &tables[at + 1]);
        let merged = Arc::new(backing.table(next, merged(vec![older.all(), newer.all()]))?);
        let gone =
            [older, newer].into_iter().flat_map(|table| table.entries()).map(|entry| entry.0).collect();
        backing.directory.apply(merged.entries(), gone)?;
        let mut kept = tables.to_vec();
        kept.splice(at..at + 2, [merged]);
        self.state_mut().tables = Arc::new(kept);
        for table in [older, newer] {
            backing.disk.remove(&path(table.number)).map_err(refused(FOLDER))?;
        }
        Ok(())
    }

    /// Says how far a rebuild has come; questions that it cannot answer yet fail with `HistoryBuilding`.
    pub fn set_progress(&self, progress: Progress) {
        *lock(&self.progress) = progress;
    }

    /// Every sealed chapter of an object, oldest first.
    pub fn chapters(&self, object: ObjectId) -> Result<Vec<Chapter>> {
        let (mut chapters, mut end) = (Vec::new(), 0);
        while let Some((key, record)) = self.after(&Chapter::key(object, end))? {
            end = end_of(&key);
            chapters.push(Chapter::decode(object, end, &record)?);
        }
        Ok(chapters)
    }

    /// Every record, in the order of its key. For comparing a history with the one that the log gives.
    pub fn records(&self) -> impl Iterator<Item = Result<Record>> + use<> {
        let state = self.state();
        let recent: Vec<_> = state.recent.iter().map(|(key, record)| Ok((*key, record.clone()))).collect();
        let tables = state.tables.iter().map(|table| table.all());
        merged(tables.chain([Box::new(recent.into_iter()) as Records]).collect())
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    // A panic under the lock cannot leave half a change: records and tables come and go whole.
    fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first record after a key, if it is of the same object.
    fn after(&self, key: &Key) -> Result<Option<Record>> {
        let of_object = |found: &Key| found[..OBJECT_BYTES] == key[..OBJECT_BYTES];
        let (recent, tables) = {
            let state = self.state();
            let next = state.recent.range::<Key, _>((Bound::Excluded(key), Bound::Unbounded)).next();
            let next =
                next.filter(|(found, _)| of_object(found)).map(|(found, record)| (*found, record.clone()));
            (next, state.tables.clone())
        };
        let later = tables.iter().filter(|table| table.summary.last > end_of(key));
        for table in later {
            for at in table.blocks_after(key) {
                let block = self.blocks.get((table.number, at), || table.block(at))?;
                for record in records(&block) {
                    let (found, bytes) = record?;
                    if found <= *key {
                        continue;
                    }
                    if of_object(&found) {
                        return Ok(Some((found, bytes.into())));
                    }
                    break;
                }
            }
        }
        Ok(recent)
    }

    /// What was found cannot be trusted: the next opening reads the log again.
    fn give_up(&self, error: Error) -> Error {
        if error.code() == Code::Damaged
            && let Some(backing) = &self.backing
        {
            self.given_up.store(true, Ordering::Relaxed);
            let _ = backing.directory.apply(Vec::new(), vec![WATERMARK.to_vec()]);
        }
        error
    }
}

impl Backing {
    /// Writes a table and makes it durable, its name too.
    fn table(&self, next: &mut u32, records: impl Iterator<Item = Result<Record>>) -> Result<Table> {
        let mut writer = TableWriter::create(&*self.disk, self.store, *next)?;
        *next += 1;
        for record in records {
            let (key, bytes) = record?;
            writer.push(&key, &bytes)?;
        }
        let table = writer.finish()?;
        self.disk.sync_dir(FOLDER).map_err(refused(FOLDER))?;
        Ok(table)
    }
}

impl History for Chapters {
    fn seal(&self, object: ObjectId, chapter: &Chapter) -> Result<()> {
        let mut state = self.state_mut();
        // A replay of the log seals again what the tables hold already.
        if state.covered.is_none_or(|covered| chapter.end >= covered.next_seq) {
            let record: Arc<[u8]> = chapter.encode(object).into();
            state.recent_bytes += record.len();
            let before = state.recent.insert(Chapter::key(object, chapter.end), record);
            state.recent_bytes -= before.map_or(0, |before| before.len());
        }
        Ok(())
    }

    fn find(&self, object: ObjectId, seq: Seq) -> Result<Option<Arc<Chapter>>> {
        let found = self.after(&Chapter::key(object, seq)).map_err(|error| self.give_up(error))?;
        if let Some((key, record)) = found {
            let decode = || Chapter::decode(object, end_of(&key), &record);
            let chapter =
                self.chapters.get(key, || decode().map(Arc::new)).map_err(|error| self.give_up(error))?;
            if chapter.run.start() <= seq {
                return Ok(Some(chapter));
            }
        }
        lock(&self.progress).check()?;
        Ok(None)
    }

    fn progress(&self) -> Progress {
        lock(&self.progress).clone()
    }
}

fn useless(why: &str) -> Error {
    Error::new(Code::Damaged, format!("the history in {FOLDER:?} {why}; it is built again from the log"))
}

/// A panic while a lock was held cannot leave half a change.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
