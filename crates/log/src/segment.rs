//! Segments: the files of the log, `log/0000000001.seg` and on, and the sector that each begins with.
//!
//! A segment is zeros until its first frame is written, together with its header; all of it is written with
//! zeros and synced before that, so that a frame only ever replaces zeros, in a file whose length is durable.
//!
//! Little-endian, one sector. The places of magic, version and checksum are the same in every version.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | magic `KARYLOG\0` |
//! | 8 | 4 | format version, 1 |
//! | 12 | 4 | segment number, from 1 |
//! | 16 | 16 | store id |
//! | 32 | 8 | sequence number of the next commit |
//! | 40 | 32 | hash of the last frame before this segment |
//! | 72 | 4 | capacity: the file's length when the segment was begun; a shorter file has been cut |
//! | 76 | 432 | zero |
//! | 508 | 4 | CRC32C of bytes 0..508 |

use karyon_model::fields::{U32, U64};
use karyon_model::{Code, Cursor, Error, Result, layout};

use crate::failure::{damaged, expect, io_error};
use crate::frame::checked;
use crate::{Hash, HashField, LogReader, SECTOR_BYTES, StoreId, StoreIdField};

/// The format of every file of a store that this code writes. Files with a higher number are refused.
pub const FORMAT_VERSION: u32 = 1;
/// Length of a segment's header.
pub const SEGMENT_HEADER_BYTES: usize = SECTOR_BYTES;
/// The directory of the segments.
pub const LOG_DIRECTORY: &str = "log";

/// How long segments are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentSizes {
    /// Length of the first segment, in bytes; all are at least as long. A multiple of 512.
    pub smallest: u64,
    /// Segments grow with the log up to this length; longer is only one that a single frame needs longer.
    pub largest: u64,
    /// How many zeros are written ahead at once. A multiple of 512.
    pub slice: u64,
}

impl Default for SegmentSizes {
    /// 1 MiB at first, so that a small store stays small, up to 64 MiB, prepared 1 MiB at a time.
    fn default() -> Self {
        SegmentSizes { smallest: 1 << 20, largest: 64 << 20, slice: 1 << 20 }
    }
}

impl SegmentSizes {
    /// How long the segment after `log_bytes` of segments shall be, if its first frame and the room behind
    /// take `frame_bytes`.
    pub(crate) fn target(&self, log_bytes: u64, frame_bytes: u64) -> u64 {
        let needed = (SEGMENT_HEADER_BYTES as u64 + frame_bytes).next_multiple_of(self.slice);
        log_bytes.clamp(self.smallest, self.largest).max(needed)
    }
}

const MAGIC: [u8; 8] = *b"KARYLOG\0";

layout! {
    /// The first sector of a segment, between format version and zeros.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) SegmentHeader {
        number: u32 = U32,
        store: StoreId = StoreIdField,
        next_seq: u64 = U64,
        previous_hash: Hash = HashField,
        capacity: u32 = U32,
    }
}

impl SegmentHeader {
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        U32::encode(&FORMAT_VERSION, &mut bytes);
        self.encode(&mut bytes);
        bytes.resize(SEGMENT_HEADER_BYTES - 4, 0);
        U32::encode(&crc32c::crc32c(&bytes), &mut bytes);
        bytes
    }

    /// The header of segment `number` of `store`, whose file is `file_len` long.
    pub(crate) fn check(store: StoreId, number: u32, file_len: u64, bytes: &[u8]) -> Result<SegmentHeader> {
        let expect = |holds, reason: &str| expect(holds, number, 0, reason);
        let fields = checked(0, bytes).and_then(|bytes| bytes.strip_prefix(&MAGIC));
        let fields = fields.ok_or_else(|| damaged(number, 0, "its header does not match its checksum"))?;
        let mut fields = Cursor::new(fields);
        let version = U32::decode(&mut fields)?;
        check_format(&path(number), version)?;
        let header = SegmentHeader::decode(&mut fields)?;
        let SegmentHeader { number: named, capacity, .. } = header;
        expect(version > 0, "its format version is 0")?;
        expect(header.store == store, "it belongs to another store")?;
        expect(named == number, &format!("it is segment {named} under another name"))?;
        let whole = u64::from(capacity) <= file_len;
        expect(whole, &format!("the file was cut from {capacity} to {file_len} bytes"))?;
        Ok(header)
    }
}

/// Refuses a file of a store whose format is a later one.
pub fn check_format(file: &str, format: u32) -> Result<()> {
    if format <= FORMAT_VERSION {
        return Ok(());
    }
    let message = format!(
        "{file} has format {format}, this Karyon reads up to {FORMAT_VERSION}; open the store with the Karyon that \
         wrote it or a newer one"
    );
    let error = Error::new(Code::FormatNewer, message).with("file", file);
    Err(error.with("format", format).with("supported", FORMAT_VERSION))
}

/// The path of segment `number`.
pub fn path(number: u32) -> String {
    format!("{LOG_DIRECTORY}/{number:010}.seg")
}

fn number_of(found: &str) -> Option<u32> {
    let number = found.strip_suffix(".seg")?.rsplit('/').next()?.parse().ok()?;
    (path(number) == found).then_some(number)
}

/// The number of the last segment file; all before it, from that in which the log begins, exist as well.
pub(crate) fn last(log: &LogReader) -> Result<u32> {
    let (first, numbers) = (log.base.position.segment, numbers(log)?);
    let gap = (first..).find(|number| numbers.binary_search(number).is_err()).unwrap_or(first);
    let whole = gap > first && numbers.last() < Some(&gap);
    if whole { Ok(gap - 1) } else { Err(missing(gap)) }
}

/// Removes the segments before the one in which the log begins.
pub(crate) fn forget(log: &LogReader) -> Result<()> {
    let gone = numbers(log)?.into_iter().filter(|number| *number < log.base.position.segment);
    gone.map(path).try_for_each(|path| log.disk.remove(&path).map_err(io_error(&path, "remove")))
}

/// How long the segments from that in which the log begins up to segment `end` are together.
pub(crate) fn measure(log: &LogReader, end: u32) -> Result<u64> {
    let length = |path: String| log.disk.length(&path).map_err(io_error(&path, "measure"));
    (log.base.position.segment..end).map(path).map(length).sum()
}

/// The numbers of the segment files there are, ascending.
pub(crate) fn numbers(log: &LogReader) -> Result<Vec<u32>> {
    let paths = log.disk.paths(LOG_DIRECTORY).map_err(io_error(LOG_DIRECTORY, "list"))?;
    Ok(paths.iter().filter_map(|path| number_of(path)).collect())
}

pub(crate) fn missing(number: u32) -> Error {
    let file = path(number);
    let message = format!("{file} is missing; put it back from a backup, nothing was changed");
    Error::new(Code::SegmentMissing, message).with("segment", number).with("file", file)
}
