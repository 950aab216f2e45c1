//! Archives: what is kept of a part of the log, in the place of its segments.
//!
//! The file `log/NNNNNNNNNN.archive` stands for every segment before the one of its number. It is a file of blocks with the magic
//! `KARYARC` and a zero byte (see `blocks`):
//!
//! | part | blocks |
//! |---|---|
//! | head | where the log goes on: u32 segment, u32 offset, u64 next version, 32 bytes hash, u32 offset; i64 time of the last commit before, µs since 1970; the horizon (see `Horizon::encode`). The sum behind it names the archive |
//! | 1 | of each frame of commits that it stands for: u64 version after it, 32 bytes hash behind it |
//! | 2 | the index of commits as in a checkpoint, and the graph's image, as of where the log goes on |
//! | 3 | the sealed chapters that are kept: key, length, bytes, ascending |
//!
//! The log says in a later commit which archive stands for its beginning, with the file's SHA-256: so the chain of hashes
//! vouches for it, and the hashes that it lists prove whatever somebody has noted of the chain before.
//!
//! The image is that of a graph to which the log was repeated up to there. It is complete with the chapters, so history, checkpoints
//! and everything else can be built from archive and log as before from the log alone.

use crate::blocks::{BLOCK_BYTES, BlockReader, BlockWriter};
use crate::layout::{files, io_error};
use crate::store::Body;
use karyon_history::{Chapters, History, Horizon, Record, records, unpacked};
use karyon_log::{ChainPoint, Disk, LOG_DIRECTORY, LogReader, OpenMode, StoreId};
use karyon_model::fields::I64;
use karyon_model::{Cursor, Result};
use sha2::{Digest, Sha256};
use std::sync::Arc;

const MAGIC: &[u8; 8] = b"KARYARC\0";
const SUFFIX: &str = ".archive";
/// Where one is written before it is put in its place.
pub(crate) const NEW: &str = "log/archive.new";

/// An archive whose header was read.
#[derive(Clone)]
pub(crate) struct Archive {
    /// The log that goes on where it ends.
    pub(crate) log: LogReader,
    pub(crate) horizon: Horizon,
    /// The time of the last commit that it stands for.
    pub(crate) time: i64,
    /// Names it: its header's checksum, and 0 where there is none.
    pub(crate) mark: u32,
    path: String,
    /// Whether something of what it replaces may be left.
    pub(crate) leaving: bool,
}

/// What an archive is to keep.
pub(crate) struct Kept {
    /// Of what was before it.
    pub(crate) base: ChainPoint,
    pub(crate) horizon: Horizon,
    /// Of each node and edge at least its newest so many versions.
    pub(crate) versions: usize,
}

impl Archive {
    /// Where a log begins that nothing was archived of.
    pub(crate) fn none(disk: Arc<dyn Disk>, store: StoreId) -> Archive {
        let log = LogReader::new(disk, store, ChainPoint::genesis(store));
        Archive { log, horizon: Horizon::default(), time: 0, mark: 0, path: String::new(), leaving: false }
    }

    /// The archive that stands for the beginning of a store's log.
    pub(crate) fn find(disk: Arc<dyn Disk>, store: StoreId) -> Result<Archive> {
        let none = Archive::none(disk, store);
        let Some(path) = files(&*none.log.disk, LOG_DIRECTORY, SUFFIX)?.pop() else { return Ok(none) };
        let (reader, head) = BlockReader::open(&none.log, &path, MAGIC)?;
        let mut head = Cursor::new(&head);
        let (base, time) = (ChainPoint::decode(&mut head)?, I64::decode(&mut head)?);
        let horizon = Horizon::decode(&mut head)?;
        let log = LogReader { base, ..none.log };
        Ok(Archive { log, horizon, time, mark: reader.sum.max(1), path, leaving: false })
    }

    /// Begins to write one in the place of this one, whose hashes it takes over.
    pub(crate) fn succeed(&self, kept: &Kept, time: i64) -> Result<BlockWriter> {
        let (mut file, mut head) = (BlockWriter::create(&self.log, NEW, MAGIC)?, Vec::new());
        kept.base.encode(&mut head);
        I64::encode(&time, &mut head);
        kept.horizon.encode(&mut head);
        file.block(&head)?;
        if self.exists() {
            let mut blocks = self.blocks(&self.log)?;
            while let Some(hashes) = blocks.in_part()? {
                file.gather(hashes)?;
            }
        }
        Ok(file)
    }

    /// Puts the one that was written in the place of this one and of the log before `base`, durably.
    pub(crate) fn succeeded(&self, base: ChainPoint) -> Result<Archive> {
        let path = format!("{LOG_DIRECTORY}/{:010}{SUFFIX}", base.position.segment);
        self.log.disk.rename(NEW, &path).map_err(io_error(&path, "rename"))?;
        self.log.disk.sync_dir(LOG_DIRECTORY).map_err(io_error(LOG_DIRECTORY, "sync"))?;
        Archive::find(self.log.disk.clone(), self.log.store)
    }

    /// Whether there is one.
    pub(crate) fn exists(&self) -> bool {
        self.mark != 0
    }

    /// The body as of where the log goes on. Chapters go to `into`, if it is given; the body looks its past up in `history`.
    ///
    /// Fails with `Damaged` when the file is not what was written.
    pub(crate) fn load(&self, history: Arc<dyn History>, into: Option<&Chapters>) -> Result<Body> {
        if !self.exists() {
            return Ok(Body::empty(history));
        }
        let mut blocks = self.blocks(&self.log)?;
        blocks.skip_part()?;
        let body = blocks.body(history)?;
        while let Some(block) = blocks.in_part()? {
            for record in records(block) {
                let (key, bytes) = record?;
                into.inspect(|into| into.adopt((key, bytes.into())));
            }
        }
        blocks.end(&body, self.log.base.next_seq - 1)?;
        Ok(body)
    }

    /// Its SHA-256. Cost: reads all of it.
    pub(crate) fn digest(&self) -> Result<[u8; 32]> {
        digest(&*self.log.disk, &self.path)
    }

    /// Writes the same file to another disk, and checks it.
    pub(crate) fn copy(&self, target: &Arc<dyn Disk>) -> Result<()> {
        if !self.exists() {
            return Ok(());
        }
        target.create_dir(LOG_DIRECTORY).map_err(io_error(LOG_DIRECTORY, "create"))?;
        let to = target.create(&self.path).map_err(io_error(&self.path, "create"))?;
        read_through(&*self.log.disk, &self.path, &mut |at, bytes| {
            to.write_at(at, bytes).map_err(io_error(&self.path, "write"))
        })?;
        to.sync_data().map_err(io_error(&self.path, "sync"))?;
        target.sync_dir(LOG_DIRECTORY).map_err(io_error(LOG_DIRECTORY, "sync"))?;
        let copy = LogReader { disk: target.clone(), ..self.log.clone() };
        let mut copied = self.blocks(&copy)?;
        (0..3).try_for_each(|_| copied.skip_part())
    }

    /// The chapters that are kept, in the order of their keys.
    pub(crate) fn chapters(&self) -> Result<impl Iterator<Item = Result<Record>> + use<>> {
        let mut blocks = self.blocks(&self.log)?;
        (0..2).try_for_each(|_| blocks.skip_part())?;
        let block = move || blocks.in_part().map(|block| block.map(<[u8]>::to_vec)).transpose();
        Ok(unpacked(std::iter::from_fn(block)))
    }

    fn blocks(&self, log: &LogReader) -> Result<BlockReader> {
        BlockReader::open(log, &self.path, MAGIC).map(|opened| opened.0)
    }
}

/// The SHA-256 of a file.
pub(crate) fn digest(disk: &dyn Disk, path: &str) -> Result<[u8; 32]> {
    let mut digest = Sha256::new();
    read_through(disk, path, &mut |_, bytes| {
        digest.update(bytes);
        Ok(())
    })?;
    Ok(digest.finalize().into())
}

/// Hands a file to `visit`, piece by piece, each with its offset.
fn read_through(disk: &dyn Disk, path: &str, visit: &mut dyn FnMut(u64, &[u8]) -> Result<()>) -> Result<()> {
    let file = disk.open(path, OpenMode::Read).map_err(io_error(path, "open"))?;
    let (mut at, mut bytes) = (0, vec![0; BLOCK_BYTES]);
    loop {
        let count = file.read_at(at, &mut bytes).map_err(io_error(path, "read"))?;
        if count == 0 {
            return Ok(());
        }
        visit(at, &bytes[..count])?;
        at += count as u64;
    }
}

/// Removes the archives that a later one replaces, and one that was not finished.
pub(crate) fn remove_older(disk: &dyn Disk) -> Result<()> {
    let mut older = files(disk, LOG_DIRECTORY, SUFFIX)?;
    older.pop();
    older.extend(Some(NEW.to_owned()).filter(|new| disk.exists(new).unwrap_or(false)));
    older.iter().try_for_each(|path| disk.remove(path).map_err(io_error(path, "remove")))
}
