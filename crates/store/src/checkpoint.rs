//! Checkpoints: the head as of one version, so that opening reads an image and the log's tail, not the whole log.
//!
//! A file `checkpoint/NNNNNNNNNNNNNNNNNNNN.image`, named by its version, holds
//!
//! | offset | field |
//! |---|---|
//! | 0 | magic `KARYIMG` and a zero byte |
//! | 8 | u32 format |
//! | 12 | store id, 16 bytes |
//! | 28 | u64 version of the image |
//! | 36 | where the log's tail begins: u32 segment, u32 offset, u64 next version, 32 bytes hash and u32 offset of the frame before it |
//! | 88 | blocks: length (u32), bytes, CRC32C of everything before. First the index of commits, then the graph's image; one without bytes ends them |
//! | | a point of the log behind the image's version, as at 36: the log that the image belongs to goes through it |
//! | | CRC32C of everything before |
//!
//! Numbers are little-endian. The tail begins at or before the image's version; what the image already holds is skipped.
//! A file is written under another name, synced, renamed: a half-written one is never found under its name.

use crate::layout::{CHECKPOINTS, FORMAT_VERSION, io_error};
use crate::store::Body;
use karyon_graph::ImageReader;
use karyon_history::{Commits, History};
use karyon_log::{ChainPoint, Disk, File, OpenMode, Position, StoreId, StoreIdField};
use karyon_model::bytes::Cursor;
use karyon_model::fields::{U32, U64};
use karyon_model::{Code, Error, Result, Seq, layout};
use std::sync::Arc;

const MAGIC: &[u8; 8] = b"KARYIMG\0";
const SUM_BYTES: usize = 4;
/// Bytes of a point of the log.
const POINT_BYTES: usize = 52;
/// Bytes before the blocks.
const HEAD_BYTES: usize = 36 + POINT_BYTES;
/// Checkpoints kept.
const KEPT: usize = 2;

layout! {
    /// What an image belongs to.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) Anchor {
        seq: Seq = U64,
        tail: ChainPoint = ChainPoint,
    }
}

/// A checkpoint being written. Dropped before `publish`, it is never found.
pub(crate) struct CheckpointWriter {
    disk: Arc<dyn Disk>,
    file: Box<dyn File>,
    sum: u32,
    at: u64,
    path: String,
    new_path: String,
}

impl CheckpointWriter {
    pub(crate) fn create(disk: Arc<dyn Disk>, store: StoreId, anchor: &Anchor) -> Result<CheckpointWriter> {
        disk.create_dir(CHECKPOINTS).map_err(io_error(CHECKPOINTS, "create"))?;
        disk.sync_dir("").map_err(io_error("", "sync"))?;
        let path = format!("{CHECKPOINTS}/{:020}.image", anchor.seq);
        let new_path = format!("{CHECKPOINTS}/new");
        let file = disk.create(&new_path).map_err(io_error(&new_path, "create"))?;
        file.set_len(0).map_err(io_error(&new_path, "cut"))?;
        let mut writer = CheckpointWriter { disk, file, sum: 0, at: 0, path, new_path };
        let mut head = [&MAGIC[..], &FORMAT_VERSION.to_le_bytes(), &store.0].concat();
        anchor.encode(&mut head);
        writer.write(&head)?;
        Ok(writer)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.sum = crc32c::crc32c_append(self.sum, bytes);
        self.file.write_at(self.at, bytes).map_err(io_error(&self.new_path, "write"))?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    pub(crate) fn block(&mut self, block: &[u8]) -> Result<()> {
        let length = u32::try_from(block.len()).map_err(|_| {
            Error::new(Code::Io, "a block of the image is over 4 GiB; split the largest node")
        })?;
        self.write(&length.to_le_bytes())?;
        self.write(block)?;
        self.write(&self.sum.to_le_bytes())
    }

    /// Ends the file, makes it durable and puts it in its place. Older checkpoints but one go. Returns its bytes.
    pub(crate) fn publish(mut self, through: ChainPoint) -> Result<u64> {
        self.block(&[])?;
        let mut end = Vec::new();
        through.encode(&mut end);
        self.write(&end)?;
        self.write(&self.sum.to_le_bytes())?;
        self.file.sync_all().map_err(io_error(&self.new_path, "sync"))?;
        self.disk.rename(&self.new_path, &self.path).map_err(io_error(&self.path, "rename"))?;
        self.disk.sync_dir(CHECKPOINTS).map_err(io_error(CHECKPOINTS, "sync"))?;
        // What has a higher number is of a future that this log does not have.
        let (known, foreign): (Vec<_>, Vec<_>) =
            list(&*self.disk)?.into_iter().partition(|path| *path <= self.path);
        for old in known.iter().rev().skip(KEPT).chain(&foreign) {
            self.disk.remove(old).map_err(io_error(old, "remove"))?;
        }
        Ok(self.at)
    }
}

/// Removes checkpoints that the log contradicts, durably: a log that grows to their place again must not meet them.
pub(crate) fn discard(disk: &dyn Disk, paths: &[String]) -> Result<()> {
    for path in paths {
        disk.remove(path).map_err(io_error(path, "remove"))?;
    }
    if paths.is_empty() { Ok(()) } else { disk.sync_dir(CHECKPOINTS).map_err(io_error(CHECKPOINTS, "sync")) }
}

/// The checkpoints there are, oldest first.
fn list(disk: &dyn Disk) -> Result<Vec<String>> {
    if !disk.exists(CHECKPOINTS).map_err(io_error(CHECKPOINTS, "find"))? {
        return Ok(Vec::new());
    }
    let names = disk.list(CHECKPOINTS).map_err(io_error(CHECKPOINTS, "list"))?;
    let images = names.into_iter().filter(|name| name.ends_with(".image"));
    Ok(images.map(|name| format!("{CHECKPOINTS}/{name}")).collect())
}

/// A checkpoint that was read.
pub(crate) struct Loaded {
    pub(crate) anchor: Anchor,
    pub(crate) through: ChainPoint,
    pub(crate) body: Body,
    pub(crate) bytes: u64,
    pub(crate) path: String,
}

/// Every checkpoint that is whole, newest first, of a log that begins at `base`. A damaged one is passed over: the log has
/// everything.
pub(crate) fn load_all(
    disk: &dyn Disk,
    store: StoreId,
    base: Position,
    history: &Arc<dyn History>,
) -> Result<impl Iterator<Item = Loaded>> {
    let paths = list(disk)?.into_iter().rev();
    let loaded = paths.filter_map(move |path| load(disk, store, path, history.clone()));
    Ok(loaded.filter(move |loaded| loaded.anchor.tail.position >= base))
}

/// Reads a checkpoint, or nothing when it is not whole. Each block is checked before it is looked into.
fn load(disk: &dyn Disk, store: StoreId, path: String, history: Arc<dyn History>) -> Option<Loaded> {
    let file = disk.open(&path, OpenMode::Read).ok()?;
    let bytes = file.len().ok()?;
    let mut parts = Parts { file, at: 0, sum: 0, buffer: Vec::new() };
    let mut cursor = Cursor::new(parts.take(HEAD_BYTES)?);
    let known = cursor.array().ok()? == *MAGIC && U32::decode(&mut cursor).ok()? <= FORMAT_VERSION;
    if !known || StoreIdField::decode(&mut cursor).ok()? != store {
        return None;
    }
    let anchor = Anchor::decode(&mut cursor).ok()?;
    let commits = Commits::decode(parts.block()?, history.clone()).ok()?;
    let mut reader = ImageReader::new(history);
    loop {
        match parts.block()? {
            [] => break,
            block => reader.take(block).ok()?,
        }
    }
    let through = ChainPoint::decode(&mut Cursor::new(parts.take(POINT_BYTES)?)).ok()?;
    parts.check()?;
    let graph = reader.finish().ok()?;
    let whole = parts.at == bytes && graph.head() == anchor.seq && commits.last() == anchor.seq;
    whole.then_some(Loaded { anchor, through, body: Body { graph, commits }, bytes, path })
}

/// A checkpoint, part by part: memory for all of it would take longer to get than its bytes do.
struct Parts {
    file: Box<dyn File>,
    at: u64,
    /// Of everything so far.
    sum: u32,
    buffer: Vec<u8>,
}

impl Parts {
    fn take(&mut self, size: usize) -> Option<&[u8]> {
        self.buffer.resize(size, 0);
        self.file.read_exact_at(self.at, &mut self.buffer).ok()?;
        (self.at, self.sum) = (self.at + size as u64, crc32c::crc32c_append(self.sum, &self.buffer));
        Some(&self.buffer)
    }

    fn block(&mut self) -> Option<&[u8]> {
        let size = u32::from_le_bytes(*self.take(4)?.first_chunk()?);
        // Damage must not make it ask for memory that there is not.
        let left = self.file.len().ok()?.saturating_sub(self.at);
        self.take(usize::try_from(size).ok().filter(|size| *size as u64 <= left)?)?;
        self.check()?;
        Some(&self.buffer)
    }

    /// Compares the sum of everything so far with what is written next.
    fn check(&mut self) -> Option<()> {
        let (sum, mut written) = (self.sum.to_le_bytes(), [0; SUM_BYTES]);
        self.file.read_exact_at(self.at, &mut written).ok()?;
        (self.at, self.sum) = (self.at + SUM_BYTES as u64, crc32c::crc32c_append(self.sum, &written));
        (written == sum).then_some(())
    }
}
