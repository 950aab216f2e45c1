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

use crate::layout::{FORMAT_VERSION, io_error};
use crate::store::Body;
use karyon_graph::ImageReader;
use karyon_history::{Chapters, Commits, History, Horizon, Record};
use karyon_log::{ChainPoint, Disk, File, LOG_DIRECTORY, OpenMode, StoreId, StoreIdField};
use karyon_model::bytes::Cursor;
use karyon_model::fields::{I64, U32};
use karyon_model::limits::KEPT_VERSIONS_MAX;
use karyon_model::{Code, Error, Result};
use sha2::{Digest, Sha256};
use std::io;
use std::sync::Arc;

const MAGIC: &[u8; 8] = b"KARYARC\0";
const SUFFIX: &str = ".archive";
/// Where one is written before it is put in its place.
pub(crate) const NEW: &str = "log/archive.new";
/// Bytes of the header before the horizon.
const HEAD_BYTES: usize = 92;
/// A block is closed when it has reached this size.
const BLOCK_BYTES: usize = 256 * 1024;
const SUM_BYTES: usize = 4;

/// An archive whose header was read.
#[derive(Clone, Debug)]
pub(crate) struct Archive {
    pub(crate) base: ChainPoint,
    pub(crate) horizon: Horizon,
    /// The time of the last commit that it stands for.
    pub(crate) time: i64,
    /// Names it: its header's checksum, and 0 where there is none.
    pub(crate) mark: u32,
    path: String,
    /// Whether something of what it replaces may be left.
    pub(crate) leaving: bool,
    /// Where the blocks begin.
    start: u64,
}

impl Archive {
    /// Where a log begins that nothing was archived of.
    pub(crate) fn none(store: StoreId) -> Archive {
        let (base, horizon) = (ChainPoint::genesis(store), Horizon::default());
        Archive { base, horizon, time: 0, mark: 0, path: String::new(), leaving: false, start: 0 }
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
        Ok(Archive { base, horizon, time, mark: mark.max(1), path, leaving: false, start })
    }

    /// Puts a file that was written in the place of the log before `base`, durably.
    pub(crate) fn put_in_place(disk: &dyn Disk, store: StoreId, base: ChainPoint) -> Result<Archive> {
        let path = format!("{LOG_DIRECTORY}/{:010}{SUFFIX}", base.position.segment);
        disk.rename(NEW, &path).map_err(io_error(&path, "rename"))?;
        disk.sync_dir(LOG_DIRECTORY).map_err(io_error(LOG_DIRECTORY, "sync"))?;
        Archive::find(disk, store)
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
        blocks.skip_parts(1)?;
        let commits = Commits::decode(&blocks.next()?, history.clone())?;
        let mut image = ImageReader::new(history);
        while let Some(block) = blocks.in_part()? {
            image.take(&block)?;
        }
        let graph = image.finish()?;
        while let Some(block) = blocks.in_part()? {
            let mut cursor = Cursor::new(&block);
            while !cursor.is_empty() {
                let record = (cursor.array()?, cursor.bytes()?.into());
                into.inspect(|into| into.adopt(record));
            }
        }
        blocks.end()?;
        if graph.head() + 1 != self.base.next_seq || commits.last() != graph.head() {
            return Err(damaged(&self.path, "is of another version than its header says"));
        }
        Ok(Body { graph, commits })
    }

    /// Hands the hashes behind the frames that it stands for to `visit`, oldest first, as bytes.
    pub(crate) fn visit_hashes(
        &self,
        disk: &dyn Disk,
        visit: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        if !self.exists() {
            return Ok(());
        }
        let mut blocks = self.blocks(disk)?;
        while let Some(block) = blocks.in_part()? {
            visit(&block)?;
        }
        Ok(())
    }

    /// Reads all of it and returns its SHA-256.
    pub(crate) fn digest(&self, disk: &dyn Disk) -> Result<[u8; 32]> {
        let mut blocks = self.blocks(disk)?;
        blocks.skip_parts(3)?;
        blocks.end()
    }

    /// Writes the same file to another disk, and checks it.
    pub(crate) fn copy(&self, disk: &dyn Disk, target: &dyn Disk) -> Result<()> {
        if !self.exists() {
            return Ok(());
        }
        target.create_dir(LOG_DIRECTORY).map_err(io_error(LOG_DIRECTORY, "create"))?;
        let from = disk.open(&self.path, OpenMode::Read).map_err(io_error(&self.path, "open"))?;
        let to = target.create(&self.path).map_err(io_error(&self.path, "create"))?;
        let (mut at, mut bytes) = (0, vec![0; BLOCK_BYTES]);
        loop {
            let count = from.read_at(at, &mut bytes).map_err(io_error(&self.path, "read"))?;
            if count == 0 {
                break;
            }
            to.write_at(at, &bytes[..count]).map_err(io_error(&self.path, "write"))?;
            at += count as u64;
        }
        to.sync_all().map_err(io_error(&self.path, "sync"))?;
        target.sync_dir(LOG_DIRECTORY).map_err(io_error(LOG_DIRECTORY, "sync"))?;
        self.digest(target).map(drop)
    }

    /// The chapters that are kept, in the order of their keys.
    pub(crate) fn chapters(&self, disk: &dyn Disk) -> Result<impl Iterator<Item = Result<Record>> + use<>> {
        let mut blocks = self.blocks(disk)?;
        blocks.skip_parts(2)?;
        let (mut block, mut at) = (Some(Vec::new()), 0);
        Ok(std::iter::from_fn(move || {
            let mut next = || {
                if block.as_ref().is_some_and(|block| block.len() == at) {
                    (block, at) = (blocks.in_part()?, 0);
                }
                let Some(block) = &block else { return Ok(None) };
                let mut cursor = Cursor::new(&block[at..]);
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
        Ok(Blocks { file, path: self.path.clone(), at: self.start, length, sum, digest })
    }
}

/// Reads the blocks of an archive.
struct Blocks {
    file: Box<dyn File>,
    path: String,
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

    /// The next block of this part; `None` behind its last one.
    fn in_part(&mut self) -> Result<Option<Vec<u8>>> {
        Ok(Some(self.next()?).filter(|block| !block.is_empty()))
    }

    fn skip_parts(&mut self, count: usize) -> Result<()> {
        (0..count).try_for_each(|_| {
            while self.in_part()?.is_some() {}
            Ok(())
        })
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
pub(crate) struct Writer {
    file: Box<dyn File>,
    at: u64,
    sum: u32,
    digest: Sha256,
    gathered: Vec<u8>,
}

impl Writer {
    pub(crate) fn create(
        disk: &dyn Disk,
        store: StoreId,
        base: ChainPoint,
        time: i64,
        horizon: &Horizon,
    ) -> Result<Writer> {
        let file = disk.create(NEW).map_err(io_error(NEW, "create"))?;
        file.set_len(0).map_err(io_error(NEW, "cut"))?;
        let (digest, gathered) = (Sha256::new(), Vec::new());
        let mut writer = Writer { file, at: 0, sum: 0, digest, gathered };
        let mut head = [&MAGIC[..], &FORMAT_VERSION.to_le_bytes(), &store.0].concat();
        base.encode(&mut head);
        I64::encode(&time, &mut head);
        let mut encoded = Vec::new();
        horizon.encode(&mut encoded);
        U32::encode(&(encoded.len() as u32), &mut head);
        head.extend(encoded);
        U32::encode(&crc32c::crc32c(&head), &mut head);
        writer.put(&head)?;
        Ok(writer)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.sum = crc32c::crc32c_append(self.sum, bytes);
        self.digest.update(bytes);
        self.file.write_at(self.at, bytes).map_err(io_error(NEW, "write"))?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    pub(crate) fn block(&mut self, block: &[u8]) -> Result<()> {
        let length = u32::try_from(block.len()).map_err(|_| {
            Error::new(Code::Io, "a block of the archive is over 4 GiB; split the largest node")
        })?;
        self.put(&length.to_le_bytes())?;
        self.put(block)
    }

    /// Adds an item to the block that is filled.
    pub(crate) fn gather(&mut self, item: &[u8]) -> Result<()> {
        self.gathered.extend_from_slice(item);
        if self.gathered.len() >= BLOCK_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        let mut block = std::mem::take(&mut self.gathered);
        if !block.is_empty() {
            self.block(&block)?;
        }
        block.clear();
        self.gathered = block;
        Ok(())
    }

    pub(crate) fn end_part(&mut self) -> Result<()> {
        self.flush()?;
        self.block(&[])
    }

    /// Makes the file durable. Returns its SHA-256.
    pub(crate) fn finish(mut self) -> Result<[u8; 32]> {
        let sum = self.sum;
        self.put(&sum.to_le_bytes())?;
        self.file.sync_all().map_err(io_error(NEW, "sync"))?;
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

/// Removes the archives that a later one replaces, and one that was not finished.
pub(crate) fn remove_older(disk: &dyn Disk) -> Result<()> {
    let mut older = list(disk)?;
    older.pop();
    older.extend(Some(NEW.to_owned()).filter(|new| disk.exists(new).unwrap_or(false)));
    older.iter().try_for_each(|path| disk.remove(path).map_err(io_error(path, "remove")))
}

fn damaged(path: &str, what: &str) -> Error {
    let message = format!("{path} {what}; put it back from a backup, nothing was changed");
    Error::new(Code::Damaged, message).with("file", path)
}
