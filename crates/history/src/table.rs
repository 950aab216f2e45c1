//! Tables: immutable files of records in the order of their keys.
//!
//! | part | bytes |
//! |---|---|
//! | head | magic `KARYTAB\0`, u32 format, store id (16), u32 table number, u32 CRC32C of what is before |
//! | blocks | records: key (17), length (varint), bytes; a block is closed once it has 4 KiB |
//! | footer | u64 newest end; filter: length (varint), 64-bit words, little-endian, ten bits for each object, six of them set; of each block its first key and piece, to the end |
//!
//! A piece is u64 offset, u32 length, u32 CRC32C. The footer's stands in the directory: a table that the directory does not
//! name is nothing, and one that does not match it is damaged.

use crate::ObjectId;
use karyon_log::{Disk, File, OpenMode, StoreId, io_error};
use karyon_model::fields::{U32, U64};
use karyon_model::{Code, Cursor, Error, Result, Seq, layout, put_bytes, require};
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// An object's key and the end of its chapter, big-endian.
pub type Key = [u8; 17];

/// A key and an encoded chapter.
pub type Record = (Key, Arc<[u8]>);
/// Records, ascending by key.
pub(crate) type Records = Box<dyn Iterator<Item = Result<Record>>>;

/// The folder of the tables.
pub(crate) const FOLDER: &str = "history";
const MAGIC: &[u8; 8] = b"KARYTAB\0";
const FORMAT: u32 = 1;
const HEAD_BYTES: usize = 36;
/// Small enough that a look reads little besides what it looks for, large enough that their index is small.
const BLOCK_BYTES: usize = 4096;
/// Bits of the filter for each object, and how many of them are set: one look in a hundred is in vain.
const FILTER_BITS: usize = 10;
const FILTER_HASHES: u64 = 6;
/// Bytes of an object's key, before the end of its chapter.
pub(crate) const OBJECT_BYTES: usize = 9;

layout! {
    /// Where a part of the file lies.
    #[derive(Clone, Copy, Debug)]
    pub(crate) Piece { offset: u64 = U64, length: u32 = U32, sum: u32 = U32, }
}

/// A table that is open.
pub(crate) struct Table {
    pub(crate) number: u32,
    /// The newest end of a chapter in it.
    pub(crate) last: Seq,
    pub(crate) footer: Piece,
    file: Box<dyn File>,
    /// The first key of each block, ascending.
    blocks: Vec<(Key, Piece)>,
    filter: Filter,
}

/// Says of most objects that are not in a table that they are not (Bloom, 1970).
struct Filter(Vec<u64>);

impl Filter {
    fn of(objects: &[u64]) -> Filter {
        let mut filter = Filter(vec![0; (objects.len() * FILTER_BITS).div_ceil(64).max(1)]);
        for hash in objects {
            for bit in filter.bits(*hash) {
                filter.0[bit / 64] |= 1 << (bit % 64);
            }
        }
        filter
    }

    fn may_hold(&self, hash: u64) -> bool {
        self.bits(hash).all(|bit| self.0[bit / 64] >> (bit % 64) & 1 == 1)
    }

    /// The places of an object: two halves of its hash give them all (Kirsch, Mitzenmacher: "Less hashing, same
    /// performance", 2006).
    fn bits(&self, hash: u64) -> impl Iterator<Item = usize> + use<> {
        let count = self.0.len() as u64 * 64;
        let (first, step) = (hash & 0xffff_ffff, hash >> 32 | 1);
        (0..FILTER_HASHES).map(move |at| ((first + at * step) % count) as usize)
    }
}

/// Object keys are numbers of ours: they need spreading, not secrecy.
fn hash_of(key: &Key) -> u64 {
    let low = key[1..].first_chunk().map_or(0, |low| u64::from_le_bytes(*low));
    let mixed = (low ^ u64::from(key[0]) << 56).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ mixed >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
    mixed ^ mixed >> 32
}

pub(crate) fn path(number: u32) -> String {
    format!("{FOLDER}/{number:010}.table")
}

fn damaged(number: u32, what: &str) -> Error {
    let path = path(number);
    let message = format!("{path} {what}; delete the folder {FOLDER:?}, it is built again from the log");
    Error::new(Code::Damaged, message).with("file", path)
}

fn head(store: StoreId, number: u32) -> Vec<u8> {
    let mut head = [&MAGIC[..], &FORMAT.to_le_bytes(), &store.0, &number.to_le_bytes()].concat();
    U32::encode(&crc32c::crc32c(&head), &mut head);
    head
}

impl Table {
    /// Writes a table of records, ascending by key, and makes it durable; its name is durable once the folder is synced. A file
    /// of a table that was never entered is replaced.
    pub(crate) fn write(
        disk: &dyn Disk,
        store: StoreId,
        number: u32,
        records: impl Iterator<Item = Result<Record>>,
    ) -> Result<Table> {
        let path = path(number);
        let file = disk.create(&path).map_err(io_error(&path, "create"))?;
        file.set_len(0).map_err(io_error(&path, "cut"))?;
        let mut at = 0;
        let mut put = |bytes: &[u8]| {
            let length = u32::try_from(bytes.len()).map_err(|_| damaged(number, "would be too large"))?;
            file.write_at(at, bytes).map_err(io_error(&path, "write"))?;
            let piece = Piece { offset: at, length, sum: crc32c::crc32c(bytes) };
            at += u64::from(length);
            Ok(piece)
        };
        put(&head(store, number))?;
        let (mut blocks, mut block, mut first) = (Vec::new(), Vec::with_capacity(2 * BLOCK_BYTES), [0; 17]);
        let (mut objects, mut last) = (Vec::new(), 0);
        for record in records {
            let (key, bytes) = record?;
            if block.is_empty() {
                first = key;
            }
            block.extend_from_slice(&key);
            put_bytes(&mut block, &bytes);
            last = end_of(&key).max(last);
            objects.push(hash_of(&key));
            if block.len() >= BLOCK_BYTES {
                blocks.push((first, put(&block)?));
                block.clear();
            }
        }
        if !block.is_empty() {
            blocks.push((first, put(&block)?));
        }
        objects.dedup();
        let filter = Filter::of(&objects);
        let words: Vec<u8> = filter.0.iter().flat_map(|word| word.to_le_bytes()).collect();
        let mut footer = Vec::new();
        U64::encode(&last, &mut footer);
        put_bytes(&mut footer, &words);
        for (first, piece) in &blocks {
            footer.extend_from_slice(first);
            piece.encode(&mut footer);
        }
        let footer = put(&footer)?;
        file.sync_data().map_err(io_error(&path, "sync"))?;
        Ok(Table { number, last, footer, file, blocks, filter })
    }

    /// Opens a table whose footer lies where the directory says.
    pub(crate) fn open(disk: &dyn Disk, store: StoreId, number: u32, footer: Piece) -> Result<Table> {
        let file = disk.open(&path(number), OpenMode::Read).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => damaged(number, "is missing"),
            _ => io_error(&path(number), "open")(error),
        })?;
        let mut found = [0; HEAD_BYTES];
        let length = file.len().map_err(io_error(&path(number), "measure"))?;
        let read = file.read_at(0, &mut found).map_err(io_error(&path(number), "read"))?;
        let mut table =
            Table { number, last: 0, footer, file, blocks: Vec::new(), filter: Filter(Vec::new()) };
        let named = length == table.bytes() && read == HEAD_BYTES && head(store, number) == found;
        require(named, || damaged(number, "is not the table that the directory names"))?;
        let footer = table.read(footer)?;
        let mut cursor = Cursor::new(&footer);
        table.last = U64::decode(&mut cursor)?;
        let (words, rest) = cursor.bytes()?.as_chunks::<8>();
        require(!words.is_empty() && rest.is_empty(), || damaged(number, "has no filter"))?;
        table.filter = Filter(words.iter().map(|word| u64::from_le_bytes(*word)).collect());
        while !cursor.is_empty() {
            table.blocks.push((cursor.array()?, Piece::decode(&mut cursor)?));
        }
        Ok(table)
    }

    /// The length of its file.
    pub(crate) fn bytes(&self) -> u64 {
        self.footer.offset.saturating_add(self.footer.length.into())
    }

    fn read(&self, piece: Piece) -> Result<Vec<u8>> {
        let mut bytes = vec![0; piece.length as usize];
        self.file.read_exact_at(piece.offset, &mut bytes).map_err(io_error(&path(self.number), "read"))?;
        let whole = crc32c::crc32c(&bytes) == piece.sum;
        require(whole, || damaged(self.number, "does not match its checksum")).map(|()| bytes)
    }

    /// Every record of it, in order.
    pub(crate) fn all(self: &Arc<Self>) -> Records {
        let table = self.clone();
        Box::new(unpacked((0..self.blocks.len()).map(move |at| table.block(at))))
    }

    /// A block's bytes, checked.
    pub(crate) fn block(&self, at: usize) -> Result<Arc<[u8]>> {
        Ok(self.read(self.blocks[at].1)?.into())
    }

    /// The blocks in which the first record after a key can be, if the object of the key may be in the table at all.
    pub(crate) fn blocks_after(&self, key: &Key) -> Range<usize> {
        if !self.filter.may_hold(hash_of(key)) {
            return 0..0;
        }
        let next = self.blocks.partition_point(|(first, _)| first <= key);
        let same_object =
            self.blocks.get(next).is_some_and(|(first, _)| first[..OBJECT_BYTES] == key[..OBJECT_BYTES]);
        next.saturating_sub(1)..next + usize::from(same_object)
    }
}

/// The records of a block, in order.
pub fn records(block: &[u8]) -> impl Iterator<Item = Result<(Key, &[u8])>> {
    let mut cursor = Cursor::new(block);
    std::iter::from_fn(move || (!cursor.is_empty()).then(|| Ok((cursor.array()?, cursor.bytes()?))))
}

/// The records of blocks, in order.
pub fn unpacked(
    blocks: impl Iterator<Item = Result<impl AsRef<[u8]>>>,
) -> impl Iterator<Item = Result<Record>> {
    let own = |(key, bytes): (Key, &[u8])| (key, bytes.into());
    blocks.flat_map(move |block| match block {
        Ok(block) => records(block.as_ref()).map(|record| record.map(own)).collect(),
        Err(error) => vec![Err(error)],
    })
}

/// The object of a record's chapter; `None` when the key is of none.
pub fn object_of(key: &Key) -> Option<ObjectId> {
    key.first_chunk().and_then(|key| ObjectId::from_key(*key))
}

/// The end of a record's chapter.
pub fn end_of(key: &Key) -> Seq {
    key.last_chunk().map_or(0, |end| Seq::from_be_bytes(*end))
}

/// The records of several sources in one order. Of an error nothing follows.
pub(crate) fn merged(sources: Vec<Records>) -> impl Iterator<Item = Result<Record>> {
    let mut sources: Vec<_> = sources.into_iter().map(Iterator::peekable).collect();
    std::iter::from_fn(move || {
        let key = |source: &mut std::iter::Peekable<Records>| match source.peek() {
            // What failed comes first, so that nobody goes on without it.
            Some(Err(_)) => Some([0; 17]),
            Some(Ok((key, _))) => Some(*key),
            None => None,
        };
        let next = sources.iter_mut().filter_map(|source| key(source).map(|key| (key, source)));
        next.min_by_key(|(key, _)| *key).and_then(|(_, source)| source.next())
    })
}
