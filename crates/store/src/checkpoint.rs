//! Checkpoints: the head as of one version, so that opening reads an image and the log's tail, not the whole log.
//!
//! A file `checkpoint/NNNNNNNNNNNNNNNNNNNN.image`, named by its version, is a file of blocks with the magic `KARYIMG` and a zero
//! byte (see `blocks`):
//!
//! | part | blocks |
//! |---|---|
//! | head | u64 version of the image; where the log's tail begins: u32 segment, u32 offset, u64 next version, 32 bytes hash and u32 offset of the frame before it |
//! | 1 | the index of commits, then the graph's image |
//! | end | one block: a point of the log behind the image's version, as in the head: the log that the image belongs to goes through it |
//!
//! The tail begins at or before the image's version; what the image already holds is skipped.
//! A file is written under another name, synced, renamed: a half-written one is never found under its name.

use crate::archive::Archive;
use crate::blocks::{BlockReader, BlockWriter};
use crate::layout::{CHECKPOINTS, files, io_error};
use crate::store::Body;
use karyon_history::History;
use karyon_log::{ChainPoint, Disk, LogReader};
use karyon_model::fields::U64;
use karyon_model::{Cursor, Result, Seq, layout};
use std::sync::Arc;

const MAGIC: &[u8; 8] = b"KARYIMG\0";
/// Where one is written before it is put in its place.
const NEW: &str = "checkpoint/new";
const SUFFIX: &str = ".image";
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

/// Begins to write a checkpoint. Dropped before `publish`, it is never found.
pub(crate) fn begin(log: &LogReader, anchor: &Anchor) -> Result<BlockWriter> {
    log.disk.create_dir(CHECKPOINTS).map_err(io_error(CHECKPOINTS, "create"))?;
    log.disk.sync_dir("").map_err(io_error("", "sync"))?;
    let (mut file, mut head) = (BlockWriter::create(log, NEW, MAGIC)?, Vec::new());
    anchor.encode(&mut head);
    file.block(&head)?;
    Ok(file)
}

/// Ends the file, makes it durable and puts it in its place. Older checkpoints but one go. Returns its bytes.
pub(crate) fn publish(disk: &dyn Disk, mut file: BlockWriter, seq: Seq, through: ChainPoint) -> Result<u64> {
    let (path, mut end) = (format!("{CHECKPOINTS}/{seq:020}{SUFFIX}"), Vec::new());
    through.encode(&mut end);
    file.block(&end)?;
    let bytes = file.finish()?;
    disk.rename(NEW, &path).map_err(io_error(&path, "rename"))?;
    disk.sync_dir(CHECKPOINTS).map_err(io_error(CHECKPOINTS, "sync"))?;
    // What has a higher number is of a future that this log does not have.
    let (known, foreign): (Vec<_>, Vec<_>) =
        files(disk, CHECKPOINTS, SUFFIX)?.into_iter().partition(|found| *found <= path);
    for old in known.iter().rev().skip(KEPT).chain(&foreign) {
        disk.remove(old).map_err(io_error(old, "remove"))?;
    }
    Ok(bytes)
}

/// A checkpoint that was read.
pub(crate) struct Loaded {
    pub(crate) anchor: Anchor,
    pub(crate) through: ChainPoint,
    pub(crate) body: Body,
    pub(crate) bytes: u64,
    pub(crate) path: String,
}

/// Every checkpoint that is whole, newest first, of the log that goes on from an archive. A damaged one is passed over: the log has
/// everything.
pub(crate) fn load_all(
    archive: &Archive,
    history: &Arc<dyn History>,
) -> Result<impl Iterator<Item = Loaded>> {
    let paths = files(&*archive.log.disk, CHECKPOINTS, SUFFIX)?.into_iter().rev();
    let loaded = paths.filter_map(move |path| load(archive, path, history.clone()).ok());
    Ok(loaded.filter(move |loaded| loaded.anchor.tail.position >= archive.log.base.position))
}

fn load(archive: &Archive, path: String, history: Arc<dyn History>) -> Result<Loaded> {
    let (mut blocks, head) = BlockReader::open(&archive.log, &path, MAGIC)?;
    let anchor = Anchor::decode(&mut Cursor::new(&head))?;
    let body = blocks.body(history)?;
    let through = ChainPoint::decode(&mut Cursor::new(blocks.block()?))?;
    let bytes = blocks.end(&body, anchor.seq)?;
    Ok(Loaded { anchor, through, body, bytes, path })
}
