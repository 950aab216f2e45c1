//! Sealed chapters: the newest in memory, the rest in tables on disk, found by object and moment.
//!
//! Chapters come in the order of their ends, and tables are written in that order: of one object, every chapter of an
//! older table ends before those of a newer one. So a look goes from the oldest table to the newest and ends at the first
//! chapter that ends after the moment. At most [`TABLES_MAX`] tables bound it, whatever the age of the store.

use crate::table::{FOLDER, OBJECT_BYTES, Piece, Records, Table, merged, path};
use crate::{Chapter, Directory, History, Horizon, Key, ObjectId, Progress, Record, end_of, records};
use karyon_log::{ChainPoint, Disk, StoreId, StoreIdField, checked, io_error};
use karyon_model::fields::U32;
use karyon_model::{Code, Cursor, Error, Result, Seq, require};
use parking_lot::{Mutex, RwLock};
use quick_cache::sync::Cache;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Decoded chapters kept at hand, at most.
const CHAPTERS_CACHED: usize = 16_384;
/// Bytes of the longest of them.
const CHAPTER_BYTES_MAX: usize = 4096;
/// Blocks kept at hand, at most.
const BLOCKS_CACHED: usize = 16_384;
/// Bytes of the longest of them: blocks of short records are little more than 4 KiB. Either cache holds at most 96 MiB.
const BLOCK_BYTES_MAX: usize = 6 * 1024;
/// Tables at most. Before there is one more, the two neighbours that are smallest together are merged.
const TABLES_MAX: usize = 8;
/// A table is written when this many bytes of chapters wait in memory.
const RECENT_BYTES: usize = 4 * 1024 * 1024;

/// Every sealed chapter of a store. A panic under one of its locks cannot leave half a change: records and tables come and go whole.
pub struct Chapters {
    state: RwLock<State>,
    /// Of an object the chapter that was found last: it holds for its whole span, wherever it is kept.
    chapters: Cache<ObjectId, Arc<Chapter>>,
    blocks: Cache<(u32, usize), Arc<[u8]>>,
    progress: Mutex<Progress>,
    /// Nothing more is written: a table was found damaged and the next opening builds all of them again, or that is the
    /// next owner's business.
    ended: AtomicBool,
    backing: Option<Backing>,
}

#[derive(Default)]
struct State {
    recent: BTreeMap<Key, Arc<[u8]>>,
    recent_bytes: usize,
    /// What waits when the next table is due; 0 before the first.
    due_bytes: usize,
    /// Oldest first.
    tables: Arc<Vec<Arc<Table>>>,
    covered: Option<ChainPoint>,
    horizon: Horizon,
    /// What will be kept once an archive that is being written is in its place.
    coming: Horizon,
    /// Names what was archived of the log; 0 when nothing was.
    mark: u32,
}

/// Where the tables are.
struct Backing {
    disk: Arc<dyn Disk>,
    directory: Arc<dyn Directory>,
    store: StoreId,
    /// The number of the next table; held by whoever writes one.
    next: Mutex<u32>,
}

impl Chapters {
    /// No chapters, and none will be kept on disk.
    pub fn in_memory() -> Chapters {
        Chapters {
            state: RwLock::default(),
            chapters: Cache::new(CHAPTERS_CACHED),
            blocks: Cache::new(BLOCKS_CACHED),
            progress: Mutex::new(Progress::Ready),
            ended: AtomicBool::new(false),
            backing: None,
        }
    }

    /// The chapters that a store has on disk, of which so much was archived as `mark` says. Fails with `Damaged` when they
    /// cannot be used: see `Directory::clear`.
    pub fn open(disk: Arc<dyn Disk>, directory: Arc<dyn Directory>, id: StoreId, mark: u32) -> Result<Self> {
        let (mut tables, mut covered) = (Vec::new(), None);
        if let Some(value) = directory.load()? {
            let whole = checked(0, &value);
            let whole = whole.ok_or_else(|| useless("was given up, or its directory is damaged"))?;
            let mut value = Cursor::new(whole);
            let ours = StoreIdField::decode(&mut value)? == id && U32::decode(&mut value)? == mark;
            require(ours, || useless("belongs to another store or another archive"))?;
            covered = Some(ChainPoint::decode(&mut value)?);
            while !value.is_empty() {
                let (number, footer) = (U32::decode(&mut value)?, Piece::decode(&mut value)?);
                tables.push(Arc::new(Table::open(&*disk, id, number, footer)?));
            }
        }
        // Written and never entered, or replaced and not removed before a crash.
        for found in disk.paths(FOLDER).map_err(io_error(FOLDER, "list"))? {
            if found.ends_with(".table") && tables.iter().all(|table| path(table.number) != found) {
                disk.remove(&found).map_err(io_error(&found, "remove"))?;
            }
        }
        let next = tables.iter().map(|table| table.number + 1).max().unwrap_or(1);
        let state = State { tables: Arc::new(tables), covered, mark, ..State::default() };
        let backing = Backing { disk, directory, store: id, next: Mutex::new(next) };
        Ok(Chapters { state: RwLock::new(state), backing: Some(backing), ..Chapters::in_memory() })
    }

    /// Forgets the tables: what they hold is not of this log. Where that cannot be made to last, nothing more is written.
    pub fn reset(&self) {
        let Some(backing) = &self.backing else { return };
        let _writing = backing.next.lock();
        if backing.directory.clear().is_err() {
            self.ended.store(true, Ordering::Relaxed);
        }
        let mut state = self.state.write();
        (state.tables, state.covered) = (Arc::default(), None);
        self.chapters.clear();
    }

    /// Forgets what is in no table: what was sealed on a way that led nowhere.
    pub fn forget(&self) {
        let mut state = self.state.write();
        state.recent.clear();
        state.recent_bytes = 0;
        self.chapters.clear();
    }

    /// Says what of the past is kept.
    pub fn set_horizon(&self, horizon: Horizon, mark: u32) {
        let mut state = self.state.write();
        (state.horizon, state.mark) = (horizon, mark);
    }

    /// Says what will be kept soon: what begins now may not stand on anything else.
    pub fn announce(&self, coming: Horizon) {
        self.state.write().coming = coming;
    }

    /// What it was told names the archive that it goes by.
    pub fn mark(&self) -> u32 {
        self.state.read().mark
    }

    /// What of the past is kept.
    pub fn horizon(&self) -> Horizon {
        self.state.read().horizon.clone()
    }

    /// How much of the log the tables cover: every chapter that ends at or before its last commit is in them.
    pub fn covered(&self) -> Option<ChainPoint> {
        self.state.read().covered
    }

    /// Whether enough waits in memory that a table is worth writing.
    pub fn is_due(&self) -> bool {
        let state = self.state.read();
        let kept = self.backing.is_some() && !self.ended.load(Ordering::Relaxed);
        kept && state.recent_bytes >= state.due_bytes.max(RECENT_BYTES)
    }

    /// Writes the chapters that end at or before a durable point of the log into a table, and has the directory say so.
    ///
    /// Readers wait for none of it. After an error the chapters that are in no table are still in memory.
    pub fn write(&self, durable: ChainPoint) -> Result<()> {
        let Some(backing) = &self.backing else { return Ok(()) };
        let mut next = backing.next.lock();
        let covered = self.covered();
        if self.ended.load(Ordering::Relaxed) || covered.is_some_and(|at| at.next_seq >= durable.next_seq) {
            return Ok(());
        }
        let last = durable.next_seq - 1;
        let ready: Vec<_> = {
            let mut state = self.state.write();
            // What cannot be written now, because it is not durable or the disk refuses it, is not tried with every frame.
            state.due_bytes = state.recent_bytes + RECENT_BYTES;
            let ended = state.recent.iter().filter(|(key, _)| end_of(key) <= last);
            ended.map(|(key, record)| (*key, record.clone())).collect()
        };
        // Before, and not after: with a crash at the worst moment of each of its lives a store would have ever more.
        while let Some(covered) = covered.filter(|_| self.state.read().tables.len() >= TABLES_MAX) {
            self.merge(backing, &mut next, covered).map_err(|error| self.give_up(error))?;
        }
        let mut tables = self.state.read().tables.to_vec();
        if !ready.is_empty() {
            let records = ready.iter().map(|(key, record)| Ok((*key, record.clone())));
            tables.push(Arc::new(backing.table(&mut next, records)?));
        }
        self.enter(backing, tables, durable)?;
        let mut state = self.state.write();
        for (key, record) in ready {
            state.recent.remove(&key);
            state.recent_bytes -= record.len();
        }
        state.due_bytes = state.recent_bytes + RECENT_BYTES;
        Ok(())
    }

    /// Has the directory name these tables, oldest first, instead of those it names, and removes what they replace.
    fn enter(&self, backing: &Backing, tables: Vec<Arc<Table>>, covered: ChainPoint) -> Result<()> {
        let before = self.state.read().tables.clone();
        let (gone, fresh) = (apart(&before, &tables), apart(&tables, &before));
        let mut value = Vec::new();
        StoreIdField::encode(&backing.store, &mut value);
        U32::encode(&self.state.read().mark, &mut value);
        covered.encode(&mut value);
        for table in &tables {
            U32::encode(&table.number, &mut value);
            table.footer.encode(&mut value);
        }
        U32::encode(&crc32c::crc32c(&value), &mut value);
        let entered = backing.directory.put(&value);
        // Somebody may have found damage meanwhile.
        if self.ended.load(Ordering::Relaxed) {
            self.abandon(backing);
        }
        if entered.is_ok() {
            let mut state = self.state.write();
            (state.tables, state.covered) = (Arc::new(tables), Some(covered));
        }
        // What is in no directory is nothing, and goes with the next opening if it cannot go now.
        for table in if entered.is_ok() { gone } else { fresh } {
            let _ = backing.disk.remove(&path(table.number));
        }
        entered
    }

    /// Makes one table of the two neighbours that are smallest together.
    fn merge(&self, backing: &Backing, next: &mut u32, covered: ChainPoint) -> Result<()> {
        let mut tables = self.state.read().tables.to_vec();
        let bytes = |at: &usize| tables[*at].bytes() + tables[at + 1].bytes();
        let Some(at) = (0..tables.len() - 1).min_by_key(bytes) else { return Ok(()) };
        let (older, newer) = (&tables[at], &tables[at + 1]);
        let merged = Arc::new(backing.table(next, merged(vec![older.all(), newer.all()]))?);
        tables.splice(at..at + 2, [merged]);
        self.enter(backing, tables, covered)
    }

    /// Puts what an archive keeps, in the order of the keys, in the place of every chapter that ends at or before the archive's
    /// end; later chapters stay. From then on so much of the past is kept as the horizon says.
    ///
    /// After an error the tables are of no use: the next opening builds them again.
    pub fn replace(
        &self,
        kept: impl Iterator<Item = Result<Record>> + 'static,
        base: ChainPoint,
        horizon: Horizon,
        mark: u32,
    ) -> Result<()> {
        let (through, mut in_memory) = (base.next_seq - 1, Vec::new());
        if let Some(backing) = &self.backing {
            let mut next = backing.next.lock();
            let covered = self.covered().filter(|covered| covered.next_seq > base.next_seq).unwrap_or(base);
            let tables = self.state.read().tables.clone();
            // What cannot be read is not passed over: whoever merges finds it.
            let stays = move |it: &Result<Record>| !it.as_ref().is_ok_and(|(key, _)| end_of(key) <= through);
            let later = tables.iter().filter(|table| table.last > through);
            let later = later.map(|table| Box::new(table.all().filter(stays)) as Records);
            let records = merged([Box::new(kept) as Records].into_iter().chain(later).collect());
            let before = (self.horizon(), self.mark());
            let replaced = backing.table(&mut next, records).and_then(|table| {
                self.set_horizon(horizon, mark);
                self.enter(backing, vec![Arc::new(table)], covered)
            });
            if let Err(error) = replaced {
                self.set_horizon(before.0, before.1);
                self.abandon(backing);
                return Err(error);
            }
            // What was erased may not come back with a power cut.
            backing.disk.sync_dir(FOLDER).map_err(io_error(FOLDER, "sync"))?;
        } else {
            in_memory = kept.collect::<Result<Vec<_>>>()?;
            self.set_horizon(horizon, mark);
        }
        let mut state = self.state.write();
        state.recent.retain(|key, _| end_of(key) > through);
        state.recent.extend(in_memory);
        state.recent_bytes = state.recent.values().map(|record| record.len()).sum();
        drop(state);
        self.chapters.clear();
        Ok(())
    }

    /// Lets go of the directory. Reads go on.
    pub fn close(&self) {
        if let Some(backing) = &self.backing {
            let _writing = backing.next.lock();
            self.ended.store(true, Ordering::Relaxed);
            backing.directory.close();
        }
    }

    /// Says how far a rebuild has come; questions that it cannot answer yet fail with `HistoryBuilding`.
    pub fn set_progress(&self, progress: Progress) {
        *self.progress.lock() = progress;
    }

    /// How far the index covers the past.
    pub fn progress(&self) -> Progress {
        self.progress.lock().clone()
    }

    /// Every record, in the order of its key. For comparing a history with the one that the log gives.
    pub fn records(&self) -> impl Iterator<Item = Result<Record>> + use<> {
        let state = self.state.read();
        let recent: Vec<_> = state.recent.iter().map(|(key, record)| Ok((*key, record.clone()))).collect();
        let tables = state.tables.iter().map(|table| table.all());
        merged(tables.chain([Box::new(recent.into_iter()) as Records]).collect())
    }

    /// Keeps a record of an archive, unless the tables have it.
    pub fn adopt(&self, record: Record) {
        if self.covered().is_none_or(|covered| end_of(&record.0) >= covered.next_seq) {
            self.put(record);
        }
    }

    /// Keeps a record, in memory at first.
    fn put(&self, (key, record): Record) {
        let mut state = self.state.write();
        state.recent_bytes += record.len();
        let before = state.recent.insert(key, record);
        state.recent_bytes -= before.map_or(0, |before| before.len());
    }

    /// The first record after a key, if it is of the same object.
    fn after(&self, key: &Key) -> Result<Option<Record>> {
        let of_object = |found: &Key| found[..OBJECT_BYTES] == key[..OBJECT_BYTES];
        let (recent, tables) = {
            let state = self.state.read();
            let next = state.recent.range::<Key, _>((Bound::Excluded(key), Bound::Unbounded)).next();
            let next =
                next.filter(|(found, _)| of_object(found)).map(|(found, record)| (*found, record.clone()));
            (next, state.tables.clone())
        };
        let later = tables.iter().filter(|table| table.last > end_of(key));
        for table in later {
            for at in table.blocks_after(key) {
                let block = self.block(table, at)?;
                let is_after = |record: &Result<(Key, _)>| record.as_ref().map_or(true, |it| it.0 > *key);
                let next = records(&block).find(is_after).transpose()?;
                if let Some((found, bytes)) = next.filter(|(found, _)| of_object(found)) {
                    return Ok(Some((found, bytes.into())));
                }
            }
        }
        Ok(recent)
    }

    /// A block of a table, kept at hand if it is not long.
    fn block(&self, table: &Table, at: usize) -> Result<Arc<[u8]>> {
        let key = (table.number, at);
        if let Some(block) = self.blocks.get(&key) {
            return Ok(block);
        }
        let block = table.block(at)?;
        if block.len() <= BLOCK_BYTES_MAX {
            self.blocks.insert(key, block.clone());
        }
        Ok(block)
    }

    /// What was found cannot be trusted: nothing more is written, and the next opening reads the log again.
    pub fn give_up(&self, error: Error) -> Error {
        if error.code() == Code::Damaged
            && let Some(backing) = &self.backing
            && !self.ended.load(Ordering::Relaxed)
        {
            self.abandon(backing);
        }
        error
    }

    fn abandon(&self, backing: &Backing) {
        self.ended.store(true, Ordering::Relaxed);
        // No sum stands behind nothing.
        let _ = backing.directory.put(&[]);
    }
}

impl Backing {
    /// Writes a table and makes it durable, its name too.
    fn table(&self, next: &mut u32, records: impl Iterator<Item = Result<Record>>) -> Result<Table> {
        self.disk.create_dir(FOLDER).map_err(io_error(FOLDER, "create"))?;
        self.disk.sync_dir("").map_err(io_error("", "sync"))?;
        let (disk, number) = (&*self.disk, *next);
        *next += 1;
        Table::write(disk, self.store, number, records)
            .and_then(|table| disk.sync_dir(FOLDER).map(|()| table).map_err(io_error(FOLDER, "sync")))
            .inspect_err(|_| drop(disk.remove(&path(number))))
    }
}

impl History for Chapters {
    fn seal(&self, object: ObjectId, chapter: &Chapter) -> Result<()> {
        // A replay of the log seals again what the tables hold already.
        if self.covered().is_none_or(|covered| chapter.end >= covered.next_seq) {
            self.put((Chapter::key(object, chapter.end), chapter.encode(object).into()));
        }
        Ok(())
    }

    fn find(&self, object: ObjectId, seq: Seq) -> Result<Option<Arc<Chapter>>> {
        let covers = |chapter: &Arc<Chapter>| (chapter.run.start()..chapter.end).contains(&seq);
        let told = |chapter: Arc<Chapter>| match chapter.thinned {
            true => self.state.read().horizon.check(seq).map(|()| Some(chapter)),
            false => Ok(Some(chapter)),
        };
        if let Some(chapter) = self.chapters.get(&object).filter(covers) {
            return told(chapter);
        }
        let found = self.after(&Chapter::key(object, seq)).map_err(|error| self.give_up(error))?;
        if let Some((key, record)) = found {
            let chapter = Chapter::decode(object, end_of(&key), &record);
            let chapter = Arc::new(chapter.map_err(|error| self.give_up(error))?);
            if record.len() <= CHAPTER_BYTES_MAX {
                self.chapters.insert(object, chapter.clone());
            }
            if covers(&chapter) {
                return told(chapter);
            }
        }
        self.progress.lock().check()?;
        self.state.read().horizon.check(seq)?;
        Ok(None)
    }

    fn chapters(&self, object: ObjectId) -> Result<Vec<Chapter>> {
        let (mut chapters, mut end) = (Vec::new(), 0);
        while let Some((key, record)) = self.after(&Chapter::key(object, end))? {
            end = end_of(&key);
            chapters.push(Chapter::decode(object, end, &record)?);
        }
        Ok(chapters)
    }

    fn check(&self, seq: Seq) -> Result<()> {
        let state = self.state.read();
        state.horizon.check(seq).and_then(|()| state.coming.check(seq))
    }
}

/// The tables of one list that are not in the other.
fn apart(of: &[Arc<Table>], other: &[Arc<Table>]) -> Vec<Arc<Table>> {
    of.iter().filter(|table| other.iter().all(|other| other.number != table.number)).cloned().collect()
}

fn useless(why: &str) -> Error {
    Error::new(Code::Damaged, format!("the history in {FOLDER:?} {why}; it is built again from the log"))
}
