//! Files of blocks: what checkpoints and archives are written in.
//!
//! | offset | field |
//! |---|---|
//! | 0 | magic, 8 bytes |
//! | 8 | u32 format |
//! | 12 | store id, 16 bytes |
//! | 28 | blocks, each: u32 length, bytes, u32 CRC32C of everything before but such sums |
//!
//! Numbers are little-endian. The first block is the file's head. The others come in parts that a block without bytes ends.

use crate::layout::{file_head, io_error};
use crate::store::Body;
use karyon_graph::ImageReader;
use karyon_history::{Commits, History};
use karyon_log::{File, LogReader, OpenMode, StoreIdField, check_format};
use karyon_model::fields::U32;
use karyon_model::{Code, Cursor, Error, Result, Seq, require};
use std::sync::Arc;

/// Bytes before the first block.
const HEAD_BYTES: usize = 28;
const SUM_BYTES: usize = 4;
/// A block of gathered items is closed when it has reached this size.
pub(crate) const BLOCK_BYTES: usize = 256 * 1024;

/// Writes a file of blocks.
pub(crate) struct BlockWriter {
    file: Box<dyn File>,
    path: &'static str,
    at: u64,
    /// Of everything so far but the sums.
    sum: u32,
    gathered: Vec<u8>,
}

impl BlockWriter {
    /// Begins a file beside a log, in the place of what was there.
    pub(crate) fn create(log: &LogReader, path: &'static str, magic: &[u8; 8]) -> Result<BlockWriter> {
        let file = log.disk.create(path).map_err(io_error(path, "create"))?;
        file.set_len(0).map_err(io_error(path, "cut"))?;
        let mut writer = BlockWriter { file, path, at: 0, sum: 0, gathered: Vec::new() };
        writer.write(&file_head(magic, log.store))?;
        Ok(writer)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.sum = crc32c::crc32c_append(self.sum, bytes);
        self.put(bytes)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_at(self.at, bytes).map_err(io_error(self.path, "write"))?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    pub(crate) fn block(&mut self, block: &[u8]) -> Result<()> {
        let length = u32::try_from(block.len()).map_err(|_| {
            Error::new(Code::Io, format!("a block of {} is over 4 GiB; split the largest node", self.path))
        })?;
        self.write(&length.to_le_bytes())?;
        self.write(block)?;
        self.put(&self.sum.to_le_bytes())
    }

    /// Adds an item to the block that is filled.
    pub(crate) fn gather(&mut self, item: &[u8]) -> Result<()> {
        self.gathered.extend_from_slice(item);
        if self.gathered.len() >= BLOCK_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        let block = std::mem::take(&mut self.gathered);
        if block.is_empty() { Ok(()) } else { self.block(&block) }
    }

    /// Writes the index of commits and the blocks of an image, which are one part.
    pub(crate) fn body(
        &mut self,
        commits: &[u8],
        mut image: impl FnMut() -> Result<Option<Vec<u8>>>,
    ) -> Result<()> {
        self.block(commits)?;
        while let Some(block) = image()? {
            self.block(&block)?;
        }
        self.end_part()
    }

    pub(crate) fn end_part(&mut self) -> Result<()> {
        self.flush()?;
        self.block(&[])
    }

    /// Makes the file durable. Returns its length.
    pub(crate) fn finish(self) -> Result<u64> {
        self.file.sync_data().map_err(io_error(self.path, "sync"))?;
        Ok(self.at)
    }
}

/// Reads a file of blocks, one at a time: memory for all of it would take longer to get than its bytes do. No block is
/// handed out before it was checked.
pub(crate) struct BlockReader {
    file: Box<dyn File>,
    path: String,
    at: u64,
    length: u64,
    /// Of everything so far but the sums: behind the first block it names the file.
    pub(crate) sum: u32,
    buffer: Vec<u8>,
}

impl BlockReader {
    /// Opens a file beside a log, and returns its first block.
    ///
    /// Fails with `FormatNewer`, with `Damaged` when it is not what was written or is another store's, with `Io`.
    pub(crate) fn open(log: &LogReader, path: &str, magic: &[u8; 8]) -> Result<(BlockReader, Vec<u8>)> {
        let file = log.disk.open(path, OpenMode::Read).map_err(io_error(path, "open"))?;
        let length = file.len().map_err(io_error(path, "measure"))?;
        let mut reader = BlockReader { file, path: path.into(), at: 0, length, sum: 0, buffer: Vec::new() };
        let head = reader.take(HEAD_BYTES)?.to_vec();
        let mut cursor = Cursor::new(&head);
        reader.expect(cursor.array()? == *magic, "has no header")?;
        check_format(path, U32::decode(&mut cursor)?)?;
        let first = reader.block()?.to_vec();
        reader.expect(StoreIdField::decode(&mut cursor)? == log.store, "is another store's")?;
        Ok((reader, first))
    }

    /// Refuses a file of which something does not hold.
    fn expect(&self, holds: bool, what: &str) -> Result<()> {
        let message = || format!("{} {what}; put it back from a backup, nothing was changed", self.path);
        require(holds, || Error::new(Code::Damaged, message()).with("file", &*self.path))
    }

    fn take(&mut self, size: usize) -> Result<&[u8]> {
        // Damage must not make it ask for memory that there is not.
        self.expect(self.length - self.at >= size as u64, "is cut short or damaged")?;
        self.buffer.resize(size, 0);
        self.file.read_exact_at(self.at, &mut self.buffer).map_err(io_error(&self.path, "read"))?;
        (self.at, self.sum) = (self.at + size as u64, crc32c::crc32c_append(self.sum, &self.buffer));
        Ok(&self.buffer)
    }

    /// The next block.
    pub(crate) fn block(&mut self) -> Result<&[u8]> {
        let size = U32::decode(&mut Cursor::new(self.take(4)?))?;
        self.take(size as usize)?;
        let mut sum = [0; SUM_BYTES];
        let read = self.file.read_at(self.at, &mut sum).map_err(io_error(&self.path, "read"))?;
        let whole = read == SUM_BYTES && sum == self.sum.to_le_bytes();
        self.expect(whole, "does not match its checksum")?;
        self.at += SUM_BYTES as u64;
        Ok(&self.buffer)
    }

    /// The next block of this part; `None` behind its last one.
    pub(crate) fn in_part(&mut self) -> Result<Option<&[u8]>> {
        Ok(Some(self.block()?).filter(|block| !block.is_empty()))
    }

    pub(crate) fn skip_part(&mut self) -> Result<()> {
        while self.in_part()?.is_some() {}
        Ok(())
    }

    /// The index of commits and the graph's image, which are one part.
    pub(crate) fn body(&mut self, history: Arc<dyn History>) -> Result<Body> {
        let commits = Commits::decode(self.block()?, history.clone())?;
        let mut image = ImageReader::new(history);
        while let Some(block) = self.in_part()? {
            image.take(block)?;
        }
        Ok(Body { graph: image.finish()?, commits })
    }

    /// Refuses a body of another version than the head says, and what stands behind the end. Returns the file's length.
    pub(crate) fn end(self, body: &Body, version: Seq) -> Result<u64> {
        let same = [body.graph.head(), body.commits.last()] == [version; 2];
        self.expect(same, "is of another version than its header says")?;
        self.expect(self.at == self.length, "does not end where it should")?;
        Ok(self.length)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use karyon_log::{ChainPoint, StoreId};
    use karyon_testkit::disk::SimDisk;

    const MAGIC: &[u8; 8] = b"A TEST\0\0";
    const STORE: StoreId = StoreId([7; 16]);

    fn beside(disk: &SimDisk) -> LogReader {
        LogReader::new(Arc::new(disk.clone()), STORE, ChainPoint::genesis(STORE))
    }

    fn written() -> SimDisk {
        let disk = SimDisk::new();
        let mut file = BlockWriter::create(&beside(&disk), "f", MAGIC).unwrap();
        file.block(b"the head").unwrap();
        file.block(b"one").unwrap();
        file.block(b"two").unwrap();
        file.end_part().unwrap();
        file.finish().unwrap();
        disk
    }

    fn read(disk: &SimDisk) -> Result<Vec<Vec<u8>>> {
        let (mut reader, head) = BlockReader::open(&beside(disk), "f", MAGIC)?;
        let mut found = vec![head];
        while let Some(block) = reader.in_part()? {
            found.push(block.to_vec());
        }
        Ok(found)
    }

    #[test]
    fn what_was_written_is_read_and_nothing_else_is() {
        let disk = written();
        assert_eq!(read(&disk).unwrap(), [&b"the head"[..], b"one", b"two"]);
        let length = disk.contents("f").unwrap().len();
        for at in 0..length {
            let (flipped, cut) = (disk.copy(), disk.copy());
            flipped.flip("f", at as u64 * 8);
            cut.damage("f", |bytes| bytes.truncate(at));
            assert!(read(&flipped).is_err() && read(&cut).is_err(), "byte {at} of {length}");
        }
        // Each block is whole, but not in its place.
        let swapped = disk.copy();
        let first = HEAD_BYTES + 4 + 8 + SUM_BYTES;
        swapped.damage("f", |bytes| bytes[first..first + 22].rotate_left(11));
        assert_eq!(read(&swapped).unwrap_err().code(), Code::Damaged);
    }
}
