//! Archives: what is kept of a part of the log, in the place of its segments.
//!
//! The file `log/NNNNNNNNNN.archive` stands for every segment before the one of its number. It holds
//!
//! | offset | field |
//! |---|---|
//! | 0 | magic `KARYARC` and a zero byte |
//! | 8 | u32 format |
//! | 12 | store id, 16 bytes |
//! | 28 | where the log goes on: u32 segment, u32 offset, u64 next version, 32 bytes hash, u32 offset |
//! | 80 | i64 time of the last commit before, µs since 1970 |
//! | 88 | u32 length of the horizon, the horizon (see `Horizon::encode`) |
//! | | u32 CRC32C of what is before: it names the archive |
//! | | blocks, each with its length (u32) in front, in three parts that an empty block ends |
//! | | · of each frame of commits that it stands for: u64 version after it, 32 bytes hash behind it |
//! | | · the index of commits as in a checkpoint, and the graph's image, as of where the log goes on |
//! | | · the sealed chapters that are kept: key, length, bytes, ascending |
//! | | u32 CRC32C of everything before |
//!
//! The log says in a later commit which archive stands for its beginning, with the file's SHA-256: so the chain of hashes
//! vouches for it, and the hashes that it lists prove whatever somebody has noted of the chain before.
//!
//! The image is that of a graph to which the log was repeated up to there. It is complete with the chapters, so history, checkpoints
//! and everything else can be built from archive and log as before from the log alone.

use crate::layout::{CHECKPOINTS, FORMAT_VERSION, io_error};
use crate::rebuild::visit_commits;
use crate::store::{Author, Body, Committed, Store};
use crate::writer::{Persistence, lock};
use karyon_graph::{Gate, Graph, ImageReader, ImageWriter, Transaction};
use karyon_history::{
    Chapter, Chapters, Commits, History, Horizon, ObjectId, Progress, Record, end_of, object_of,
};
use karyon_log::{
    ASIDE_DIRECTORY, ChainPoint, Disk, File, HashField, LOG_DIRECTORY, OpenMode, StoreId, StoreIdField,
};
use karyon_model::bytes::{Cursor, put_bytes};
use karyon_model::fields::{I64, U32, U64};
use karyon_model::limits::KEPT_VERSIONS_MAX;
use karyon_model::{Code, Error, Result, Seq};
use sha2::{Digest, Sha256};
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

const MAGIC: &[u8; 8] = b"KARYARC\0";
const SUFFIX: &str = ".archive";
/// Bytes of the header before the horizon.
const HEAD_BYTES: usize = 92;
/// A block is closed when it has reached this size.
const BLOCK_BYTES: usize = 256 * 1024;
const SUM_BYTES: usize = 4;

/// What of the past is kept.
#[derive(Clone, Debug, Default)]
pub struct Retention {
    /// Everything from this version on.
    pub since: Seq,
    /// Of each node and edge at least its newest so many versions.
    pub versions: usize,
    /// Of what was before, the last version of each span of so many µs, counted from 1970; 0 for none.
    pub every: u64,
    /// Single versions.
    pub pins: Vec<Seq>,
}

/// What an archive has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archived {
    /// The commit that says so; the newest one where nothing was to be archived.
    pub committed: Committed,
    /// From here on everything is kept.
    pub since: Seq,
    /// Versions before it that are kept.
    pub kept: usize,
    /// Bytes of log and archive before, and after.
    pub bytes: [u64; 2],
}

/// An archive whose header was read.
#[derive(Clone, Debug)]
pub(crate) struct Archive {
    pub(crate) base: ChainPoint,
    pub(crate) horizon: Horizon,
    /// The time of the last commit that it stands for.
    pub(crate) time: i64,
    /// Names it: its header's checksum.
    pub(crate) mark: u32,
    path: String,
    /// Where the blocks begin.
    start: u64,
}

impl Archive {
    /// Where a log begins that nothing was archived of.
    pub(crate) fn none(store: StoreId) -> Archive {
        let (base, horizon) = (ChainPoint::genesis(store), Horizon::default());
        Archive { base, horizon, time: 0, mark: 0, path: String::new(), start: 0 }
    }

    /// The archive that stands for the beginning of a store's log.
    pub(crate) fn find(disk: &dyn Disk, store: StoreId) -> Result<Archive> {
        let Some(path) = list(disk)?.pop() else { return Ok(Archive::none(store)) };
        let file = disk.open(&path, OpenMode::Read).map_err(io_error(&path, "open"))?;
        let mut head = vec![0; HEAD_BYTES];
        let read = |head: &mut Vec<u8>, length: usize| {
            head.resize(length, 0);
            file.read_exact_at(0, head).map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => damaged(&path, "is cut short"),
                _ => io_error(&path, "read")(error),
            })
        };
        read(&mut head, HEAD_BYTES)?;
        let mut cursor = Cursor::new(&head);
        if cursor.array()? != *MAGIC {
            return Err(damaged(&path, "has no header"));
        }
        let format = U32::decode(&mut cursor)?;
        if format > FORMAT_VERSION {
            let message = format!(
                "{path:?} has format {format}, this is Karyon for format {FORMAT_VERSION}; upgrade Karyon"
            );
            return Err(Error::new(Code::FormatNewer, message).with("path", path).with("format", format));
        }
        let (id, base) = (StoreIdField::decode(&mut cursor)?, ChainPoint::decode(&mut cursor)?);
        let (time, length) = (I64::decode(&mut cursor)?, U32::decode(&mut cursor)? as usize);
        if length > KEPT_VERSIONS_MAX * 10 + 20 {
            return Err(damaged(&path, "has a header that does not match its checksum"));
        }
        read(&mut head, HEAD_BYTES + length + SUM_BYTES)?;
        let (head, sum) = head.split_at(HEAD_BYTES + length);
        let mark = crc32c::crc32c(head);
        if id != store || mark.to_le_bytes() != *sum {
            return Err(damaged(
                &path,
                "has a header that does not match its checksum, or is another store's",
            ));
        }
        let horizon = Horizon::decode(&mut Cursor::new(&head[HEAD_BYTES..]))?;
        let start = (head.len() + SUM_BYTES) as u64;
        Ok(Archive { base, horizon, time, mark, path, start })
    }

    /// Whether there is one.
    pub(crate) fn exists(&self) -> bool {
        self.mark != 0
    }

    /// The body as of where the log goes on. Chapters go to `into`, if it is given; the body looks its past up in `history`.
    ///
    /// Fails with `Damaged` when the file is not what was written.
    pub(crate) fn load(
        &self,
        disk: &dyn Disk,
        history: Arc<dyn History>,
        into: Option<&Chapters>,
    ) -> Result<Body> {
        if !self.exists() {
            return Ok(Body::empty(history));
        }
        let mut blocks = self.blocks(disk)?;
        while !blocks.next()?.is_empty() {}
        let commits = Commits::decode(&blocks.next()?, history.clone())?;
        let mut image = ImageReader::new(history);
        loop {
            match blocks.next()? {
                block if block.is_empty() => break,
                block => image.take(&block)?,
            }
        }
        let graph = image.finish()?;
        loop {
            let block = blocks.next()?;
            let mut cursor = Cursor::new(&block);
            while !cursor.is_empty() {
                let record = (cursor.array()?, cursor.bytes()?.into());
                into.inspect(|into| into.adopt(record));
            }
            if block.is_empty() {
                break;
            }
        }
        blocks.end()?;
        if graph.head() + 1 != self.base.next_seq || commits.last() != graph.head() {
            return Err(damaged(&self.path, "is of another version than its header says"));
        }
        Ok(Body { graph, commits })
    }

    /// The hashes behind the frames that it stands for, oldest first, as bytes.
    fn hashes(&self, disk: &dyn Disk, visit: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        if self.exists() {
            let mut blocks = self.blocks(disk)?;
            loop {
                match blocks.next()? {
                    block if block.is_empty() => break,
                    block => visit(&block)?,
                }
            }
        }
        Ok(())
    }

    /// Reads all of it and returns its SHA-256.
    pub(crate) fn digest(&self, disk: &dyn Disk) -> Result<[u8; 32]> {
        let mut blocks = self.blocks(disk)?;
        for _ in 0..3 {
            while !blocks.next()?.is_empty() {}
        }
        blocks.end()
    }

    /// Writes the same file to another disk.
    pub(crate) fn copy(&self, disk: &dyn Disk, target: &dyn Disk) -> Result<()> {
        if !self.exists() {
            return Ok(());
        }
        target.create_dir(LOG_DIRECTORY).map_err(io_error(LOG_DIRECTORY, "create"))?;
        let mut blocks = self.blocks(disk)?;
        let mut writer = Writer::create(target, &self.path)?;
        writer.put(&blocks.head)?;
        for _ in 0..3 {
            loop {
                let block = blocks.next()?;
                writer.block(&block)?;
                if block.is_empty() {
                    break;
                }
            }
        }
        if blocks.end()? != writer.finish()? {
            return Err(damaged(&self.path, "could not be copied"));
        }
        target.sync_dir(LOG_DIRECTORY).map_err(io_error(LOG_DIRECTORY, "sync"))
    }

    /// The chapters that are kept, in the order of their keys.
    fn chapters(&self, disk: &dyn Disk) -> Result<impl Iterator<Item = Result<Record>> + use<>> {
        let mut blocks = self.blocks(disk)?;
        for _ in 0..2 {
            while !blocks.next()?.is_empty() {}
        }
        let (mut block, mut at, mut ended) = (Vec::new(), 0, false);
        Ok(std::iter::from_fn(move || {
            let mut next = || {
                if at == block.len() && !ended {
                    (block, at) = (blocks.next()?, 0);
                    ended = block.is_empty();
                }
                let mut cursor = Cursor::new(&block[at..]);
                if ended {
                    return Ok(None);
                }
                let record = (cursor.array()?, cursor.bytes()?.into());
                at += cursor.position();
                Ok(Some(record))
            };
            next().transpose()
        }))
    }

    fn blocks(&self, disk: &dyn Disk) -> Result<Blocks> {
        let file = disk.open(&self.path, OpenMode::Read).map_err(io_error(&self.path, "open"))?;
        let length = file.len().map_err(io_error(&self.path, "measure"))?;
        let mut head = vec![0; self.start as usize];
        file.read_exact_at(0, &mut head).map_err(io_error(&self.path, "read"))?;
        let (sum, digest) = (crc32c::crc32c(&head), Sha256::new_with_prefix(&head));
        Ok(Blocks { file, path: self.path.clone(), head, at: self.start, length, sum, digest })
    }
}

/// Reads the blocks of an archive.
struct Blocks {
    file: Box<dyn File>,
    path: String,
    head: Vec<u8>,
    at: u64,
    length: u64,
    sum: u32,
    digest: Sha256,
}

impl Blocks {
    fn take(&mut self, length: usize) -> Result<Vec<u8>> {
        if self.at.saturating_add(length as u64) > self.length {
            return Err(damaged(&self.path, "is cut short or damaged"));
        }
        let mut bytes = vec![0; length];
        self.file.read_exact_at(self.at, &mut bytes).map_err(io_error(&self.path, "read"))?;
        self.at += length as u64;
        self.digest.update(&bytes);
        Ok(bytes)
    }

    fn next(&mut self) -> Result<Vec<u8>> {
        let length = self.take(4)?;
        let block = self.take(U32::decode(&mut Cursor::new(&length))? as usize)?;
        self.sum = crc32c::crc32c_append(crc32c::crc32c_append(self.sum, &length), &block);
        Ok(block)
    }

    /// Checks the end. Returns the SHA-256 of the file.
    fn end(mut self) -> Result<[u8; 32]> {
        let sum = self.sum.to_le_bytes();
        if self.take(SUM_BYTES)? != sum || self.at != self.length {
            return Err(damaged(&self.path, "does not match its checksum"));
        }
        Ok(self.digest.finalize().into())
    }
}

/// Writes an archive.
struct Writer {
    file: Box<dyn File>,
    path: String,
    at: u64,
    sum: u32,
    digest: Sha256,
}

impl Writer {
    fn create(disk: &dyn Disk, path: &str) -> Result<Writer> {
        let file = disk.create(path).map_err(io_error(path, "create"))?;
        file.set_len(0).map_err(io_error(path, "cut"))?;
        Ok(Writer { file, path: path.into(), at: 0, sum: 0, digest: Sha256::new() })
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.sum = crc32c::crc32c_append(self.sum, bytes);
        self.digest.update(bytes);
        self.file.write_at(self.at, bytes).map_err(io_error(&self.path, "write"))?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    fn block(&mut self, block: &[u8]) -> Result<()> {
        let length = u32::try_from(block.len()).map_err(|_| {
            Error::new(Code::Io, "a block of the archive is over 4 GiB; split the largest node")
        })?;
        self.put(&length.to_le_bytes())?;
        self.put(block)
    }

    /// Gathers items into blocks.
    fn gather(&mut self, gathered: &mut Vec<u8>, at_least: usize) -> Result<()> {
        if gathered.len() >= at_least.max(1) {
            self.block(gathered)?;
            gathered.clear();
        }
        Ok(())
    }

    /// Makes the file durable. Returns its SHA-256.
    fn finish(mut self) -> Result<[u8; 32]> {
        let sum = self.sum;
        self.put(&sum.to_le_bytes())?;
        self.file.sync_all().map_err(io_error(&self.path, "sync"))?;
        Ok(self.digest.finalize().into())
    }
}

/// The archives there are, oldest first.
fn list(disk: &dyn Disk) -> Result<Vec<String>> {
    if !disk.exists(LOG_DIRECTORY).map_err(io_error(LOG_DIRECTORY, "find"))? {
        return Ok(Vec::new());
    }
    let names = disk.list(LOG_DIRECTORY).map_err(io_error(LOG_DIRECTORY, "list"))?;
    let archives = names.into_iter().filter(|name| name.ends_with(SUFFIX));
    Ok(archives.map(|name| format!("{LOG_DIRECTORY}/{name}")).collect())
}

/// Removes the archives that a later one replaces.
pub(crate) fn remove_older(disk: &dyn Disk) -> Result<()> {
    let mut older = list(disk)?;
    older.pop();
    older.iter().try_for_each(|path| disk.remove(path).map_err(io_error(path, "remove")))
}

/// Empties a directory, durably.
fn remove_all(disk: &dyn Disk, directory: &str) -> Result<()> {
    if !disk.exists(directory).map_err(io_error(directory, "find"))? {
        return Ok(());
    }
    for name in disk.list(directory).map_err(io_error(directory, "list"))? {
        let path = format!("{directory}/{name}");
        disk.remove(&path).map_err(io_error(&path, "remove"))?;
    }
    disk.sync_dir(directory).map_err(io_error(directory, "sync"))
}

fn damaged(path: &str, what: &str) -> Error {
    let message = format!("{path} {what}; put it back from a backup, nothing was changed");
    Error::new(Code::Damaged, message).with("file", path)
}

/// What a graph in the making looks back at: everything is sealed already, and in the store's own history.
struct Past(Arc<Chapters>);

impl History for Past {
    fn seal(&self, _: ObjectId, _: &Chapter) -> Result<()> {
        Ok(())
    }

    fn find(&self, object: ObjectId, seq: Seq) -> Result<Option<Arc<Chapter>>> {
        self.0.find(object, seq)
    }

    fn check(&self, seq: Seq) -> Result<()> {
        self.0.check(seq)
    }

    fn progress(&self) -> Progress {
        self.0.progress()
    }
}

/// Records of which only what is kept is told, object by object, in the order of their keys.
struct Kept<'g, I> {
    records: I,
    ahead: Option<Record>,
    graph: &'g Graph,
    horizon: &'g Horizon,
    versions: usize,
}

impl<I: Iterator<Item = Result<Record>>> Kept<'_, I> {
    /// The chapters of the next object.
    fn next(&mut self) -> Result<Option<Vec<Record>>> {
        let Some(first) =
            self.ahead.take().map_or_else(|| self.records.next().transpose(), |it| Ok(Some(it)))?
        else {
            return Ok(None);
        };
        let Some(object) = object_of(&first.0) else {
            return Err(Error::new(
                Code::Damaged,
                "the history holds a chapter of nothing; open the store again",
            ));
        };
        let mut chapters = vec![Chapter::decode(object, end_of(&first.0), &first.1)?];
        for record in self.records.by_ref() {
            let record = record?;
            if object_of(&record.0) != Some(object) {
                self.ahead = Some(record);
                break;
            }
            chapters.push(Chapter::decode(object, end_of(&record.0), &record.1)?);
        }
        let kept = self.graph.kept(object, chapters, self.horizon, self.versions)?;
        let record = |chapter: Chapter| (Chapter::key(object, chapter.end), chapter.encode(object).into());
        Ok(Some(kept.into_iter().map(record).collect()))
    }
}

impl Store {
    /// Lets go of the past that a retention does not name: the segments of the log before its horizon are replaced by an archive
    /// of what is kept. What is kept can be asked for as before; what is not is told with `Horizon`. Also kept is what forks stand on.
    ///
    /// `Store::commit` says when it fails; `HistoryBuilding` while the past is being rebuilt, `Io` when the archive cannot be
    /// written, which changes nothing. Cost: repeats the log up to the horizon in a second graph, and writes what is kept.
    pub fn compact(&self, retention: &Retention, author: Author<'_>, gate: &dyn Gate) -> Result<Archived> {
        self.archive(retention, false, author, gate)
    }

    /// Erases a node with its edges, now and in the past: nothing of them stays in memory or in the store's files but their numbers
    /// and the times of their changes. That it was done, when and by whom stays, without its key.
    ///
    /// Everything before is archived, whole. When it fails behind its commit, the node is gone and its bytes are not: call it
    /// again, or open the store again, which finishes it. Cost: as `compact` of everything.
    pub fn erase(&self, key: &str, author: Author<'_>, gate: &dyn Gate) -> Result<Archived> {
        self.progress().check()?;
        let erased = self.commit(&Transaction::erasing(self.begin()?.snapshot(), key), author, gate);
        if let Err(error) = erased
            && (error.code() != Code::NodeMissing || !self.is_erasing()?)
        {
            return Err(error);
        }
        self.archive(&Retention::default(), true, author, gate)
    }

    /// Whether what was erased is still in the files.
    pub(crate) fn is_erasing(&self) -> Result<bool> {
        let erased = self.body()?.graph.erased();
        let archive = self.persistence.as_ref().map(Persistence::archive);
        Ok(archive
            .is_some_and(|it| erased >= it.base.next_seq || (erased > 0 && self.history.mark() != it.mark)))
    }

    pub(crate) fn archive(
        &self,
        retention: &Retention,
        whole: bool,
        author: Author<'_>,
        gate: &dyn Gate,
    ) -> Result<Archived> {
        self.progress().check()?;
        gate.write_node(&mut std::iter::empty(), self.body()?.graph.names())?;
        let Some(persistence) = &self.persistence else { return self.archive_memory(retention, whole) };
        let (_turn, _files) = (lock(&persistence.checkpoint_turn), persistence.own_files());
        self.pipeline()?.admit()?;
        while self.write_frame()? {}
        if let Err(error) = persistence.rotate() {
            // A full disk costs nothing here; of a failed sync nobody knows what it has cost.
            if error.code() == Code::SyncFailed {
                self.fail(error.clone());
            }
            return Err(error);
        }
        let before = persistence.archive();
        self.go_by(persistence, &before)?;
        let reader = persistence.reader();
        let mut boundaries = reader.boundaries()?;
        boundaries.push(persistence.head());
        let since = if whole { Seq::MAX } else { retention.since };
        let base = boundaries.into_iter().rev().find(|point| point.next_seq <= since.saturating_add(1));
        let base = base.unwrap_or(before.base);
        let through = base.next_seq - 1;
        let since = if whole { before.horizon.since } else { since.clamp(before.horizon.since, through) };
        let horizon = match whole {
            true => before.horizon.clone(),
            false => self.horizon(&*self.body()?, retention, since, through)?,
        };
        let versions = if whole { usize::MAX } else { retention.versions };
        let done = whole && self.body()?.graph.erased() < before.base.next_seq;
        if done || (base == before.base && horizon == before.horizon) {
            let committed = self.body()?.newest();
            let (since, bytes) = (horizon.since, persistence.log_bytes()?);
            return Ok(Archived { committed, since, kept: horizon.kept.len(), bytes: [bytes, bytes] });
        }
        let bytes_before = persistence.log_bytes()?;
        let new_path = format!("{LOG_DIRECTORY}/archive.new");
        let disk = &*persistence.disk;
        let write = || {
            let (mark, digest) = self.build(persistence, &before, base, &horizon, versions, &new_path)?;
            let archiving = Transaction::archiving(self.begin()?.snapshot(), through, digest);
            let committed = self.commit(&archiving, author, gate)?;
            self.make_durable(committed.seq)?;
            Ok((mark, committed))
        };
        let (mark, committed) = write().inspect_err(|_: &Error| drop(disk.remove(&new_path)))?;
        if whole {
            // Before the archive is in its place: as long as the log has everything, nothing needs them.
            // What was cut from a torn tail was never acknowledged, and may hold what was erased.
            remove_all(disk, CHECKPOINTS)?;
            remove_all(disk, ASIDE_DIRECTORY)?;
        }
        let path = format!("{LOG_DIRECTORY}/{:010}{SUFFIX}", base.position.segment);
        disk.rename(&new_path, &path).map_err(io_error(&path, "rename"))?;
        disk.sync_dir(LOG_DIRECTORY).map_err(io_error(LOG_DIRECTORY, "sync"))?;
        let archive = Archive::find(disk, persistence.id)?;
        debug_assert_eq!(archive.mark, mark, "what was written is what is found");
        persistence.set_archive(archive.clone());
        self.go_by(persistence, &archive)?;
        let bytes = [bytes_before, persistence.log_bytes()?];
        Ok(Archived { committed, since: horizon.since, kept: horizon.kept.len(), bytes })
    }

    /// Has the history and the log's files be what an archive says, which is in its place.
    fn go_by(&self, persistence: &Persistence, archive: &Archive) -> Result<()> {
        if self.history.mark() == archive.mark {
            return Ok(());
        }
        let (disk, Archive { base, horizon, mark, .. }) = (&*persistence.disk, archive);
        self.history.replace(archive.chapters(disk)?, *base, horizon.clone(), *mark)?;
        remove_older(disk)?;
        persistence.cut(*base)
    }

    /// Which versions before the horizon are kept.
    fn horizon(&self, body: &Body, retention: &Retention, since: Seq, through: Seq) -> Result<Horizon> {
        let before = self.history.horizon();
        let mut kept = [&retention.pins[..], &self.pinned()?].concat();
        for layer in body.graph.layers().iter().filter(|layer| layer.dropped.is_none_or(|seq| seq > through))
        {
            kept.push(layer.from);
            kept.extend(layer.merges.last());
        }
        let (every, mut seq) = (i64::try_from(retention.every).unwrap_or(i64::MAX), 1);
        while every > 0 && seq < since && kept.len() <= KEPT_VERSIONS_MAX {
            let time = body.commits.read(seq, |commit| commit.time)?.unwrap_or(i64::MAX);
            let end = time.div_euclid(every).saturating_add(1).saturating_mul(every).saturating_sub(1);
            let last = body.commits.at_time(end)?;
            kept.push(last);
            seq = last.max(seq) + 1;
        }
        kept.retain(|seq| *seq > 0 && *seq < since && before.keeps(*seq));
        kept.sort_unstable();
        kept.dedup();
        if kept.len() > KEPT_VERSIONS_MAX {
            let message = format!(
                "more than {KEPT_VERSIONS_MAX} versions would be kept one by one; keep fewer, further apart"
            );
            return Err(Error::new(Code::Argument, message).with("limit", KEPT_VERSIONS_MAX));
        }
        Ok(Horizon { since, kept })
    }

    /// Writes an archive of everything up to `base`. Returns its mark and its SHA-256.
    fn build(
        &self,
        persistence: &Persistence,
        before: &Archive,
        base: ChainPoint,
        horizon: &Horizon,
        versions: usize,
        path: &str,
    ) -> Result<(u32, [u8; 32])> {
        let (disk, reader) = (&*persistence.disk, persistence.reader());
        let mut head = [&MAGIC[..], &FORMAT_VERSION.to_le_bytes(), &persistence.id.0].concat();
        base.encode(&mut head);
        I64::encode(&self.time_of(base.next_seq - 1)?, &mut head);
        let mut encoded = Vec::new();
        horizon.encode(&mut encoded);
        U32::encode(&(encoded.len() as u32), &mut head);
        head.extend(encoded);
        let mark = crc32c::crc32c(&head);
        U32::encode(&mark, &mut head);
        let mut file = Writer::create(disk, path)?;
        file.put(&head)?;
        before.hashes(disk, &mut |block| file.block(block))?;
        let mut body = before.load(disk, Arc::new(Past(self.history.clone())), None)?;
        let mut gathered = Vec::new();
        reader.read_frames(reader.first(), base.position, &mut |frame| {
            U64::encode(&frame.end.next_seq, &mut gathered);
            HashField::encode(&frame.end.hash, &mut gathered);
            file.gather(&mut gathered, BLOCK_BYTES)?;
            visit_commits(frame, &mut |commit| body.replay(&Past(self.history.clone()), &commit))?;
            Ok(ControlFlow::Continue(()))
        })?;
        file.gather(&mut gathered, 0)?;
        file.block(&[])?;
        body.commits.encode(&mut gathered);
        file.gather(&mut gathered, 0)?;
        let mut image = ImageWriter::new(&body.graph);
        while let Some(block) = image.next_block(&body.graph)? {
            file.block(&block)?;
        }
        file.block(&[])?;
        let through = base.next_seq - 1;
        let records = self
            .history
            .records()
            .filter(|record| record.as_ref().map_or(true, |it| end_of(&it.0) <= through));
        let mut kept = Kept { records, ahead: None, graph: &body.graph, horizon, versions };
        while let Some(records) = kept.next()? {
            for (key, record) in records {
                gathered.extend_from_slice(&key);
                put_bytes(&mut gathered, &record);
                file.gather(&mut gathered, BLOCK_BYTES)?;
            }
        }
        file.gather(&mut gathered, 0)?;
        file.block(&[])?;
        Ok((mark, file.finish()?))
    }

    /// The same where nothing is on disk: there is no log to be archived.
    fn archive_memory(&self, retention: &Retention, whole: bool) -> Result<Archived> {
        let body = self.body()?;
        let through = body.graph.head();
        let before = self.history.horizon();
        let since = retention.since.clamp(before.since, through);
        let horizon = if whole { before } else { self.horizon(&body, retention, since, through)? };
        let records = self
            .history
            .records()
            .filter(|record| record.as_ref().map_or(true, |it| end_of(&it.0) <= through));
        let (mut all, graph) = (Vec::new(), &body.graph);
        let versions = if whole { usize::MAX } else { retention.versions };
        let mut kept = Kept { records, ahead: None, graph, horizon: &horizon, versions };
        while let Some(records) = kept.next()? {
            all.extend(records.into_iter().map(Ok));
        }
        let base = ChainPoint { next_seq: through + 1, ..ChainPoint::genesis(StoreId([0; 16])) };
        let archived = (body.newest(), horizon.since, horizon.kept.len());
        self.history.replace(all.into_iter(), base, horizon, 0)?;
        let (committed, since, kept) = archived;
        Ok(Archived { committed, since, kept, bytes: [0, 0] })
    }
}
