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

use karyon_model::{Code, Error, Result};

use crate::chain::{Hash, StoreId};
use crate::disk::Disk;
use crate::failure::{damaged, io_failed};
use crate::sector_map::SECTOR_BYTES;

/// The version of the log's files that this code writes.
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
const CRC_OFFSET: usize = SECTOR_BYTES - 4;

/// The first sector of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) store: StoreId,
    pub(crate) number: u32,
    pub(crate) next_seq: u64,
    pub(crate) previous_hash: Hash,
    pub(crate) capacity: u32,
}

impl SegmentHeader {
    pub(crate) fn to_bytes(self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        bytes[0..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.number.to_le_bytes());
        bytes[16..32].copy_from_slice(&self.store.0);
        bytes[32..40].copy_from_slice(&self.next_seq.to_le_bytes());
        bytes[40..72].copy_from_slice(&self.previous_hash.0);
        bytes[72..76].copy_from_slice(&self.capacity.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..CRC_OFFSET]);
        bytes[CRC_OFFSET..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The header of segment `number` of `store`, whose file is `file_len` long.
    pub(crate) fn decode(
        store: StoreId,
        number: u32,
        file_len: u64,
        bytes: &[u8; SEGMENT_HEADER_BYTES],
    ) -> Result<SegmentHeader> {
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let damage = |reason: String| Err(damaged(number, 0, reason));
        if bytes[..8] != MAGIC || word(CRC_OFFSET) != crc32c::crc32c(&bytes[..CRC_OFFSET]) {
            return damage("its header does not match its checksum".into());
        }
        let version = word(8);
        if version > FORMAT_VERSION {
            return Err(Error::new(
                Code::FormatNewer,
                format!(
                    "{} has format version {version}, this Karyon reads up to {FORMAT_VERSION}; open the store with \
                     the Karyon that wrote it or a newer one",
                    path(number)
                ),
            )
            .with("file", path(number))
            .with("version", version)
            .with("supported", FORMAT_VERSION));
        }
        let mut header = SegmentHeader {
            store: StoreId([0; 16]),
            number: word(12),
            next_seq: u64::from(word(32)) | u64::from(word(36)) << 32,
            previous_hash: Hash([0; 32]),
            capacity: word(72),
        };
        header.store.0.copy_from_slice(&bytes[16..32]);
        header.previous_hash.0.copy_from_slice(&bytes[40..72]);
        if version == 0 {
            return damage("its format version is 0".into());
        }
        if header.store != store {
            return damage("it belongs to another store".into());
        }
        if header.number != number {
            return damage(format!("it is segment {} under another name", header.number));
        }
        if file_len < u64::from(header.capacity) {
            return damage(format!("the file was cut from {} to {file_len} bytes", header.capacity));
        }
        Ok(header)
    }
}

/// The path of segment `number`.
pub fn path(number: u32) -> String {
    format!("{LOG_DIRECTORY}/{number:010}.seg")
}

fn number_of(name: &str) -> Option<u32> {
    let digits = name.strip_suffix(".seg")?;
    (digits.len() == 10 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
}

/// The number of the last segment file; all before it, from 1, exist as well.
pub(crate) fn last(disk: &dyn Disk) -> Result<u32> {
    let names = match disk.list(LOG_DIRECTORY) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        names => names.map_err(|error| io_failed("list", LOG_DIRECTORY, &error))?,
    };
    let mut numbers: Vec<u32> = names.iter().filter_map(|name| number_of(name)).collect();
    numbers.sort_unstable();
    let expected = 1..;
    for (expected, found) in expected.zip(numbers.iter().chain(numbers.is_empty().then_some(&0))) {
        if *found != expected {
            return Err(missing(expected));
        }
    }
    Ok(numbers.len() as u32)
}

pub(crate) fn missing(number: u32) -> Error {
    Error::new(
        Code::SegmentMissing,
        format!("{} is missing; put it back from a backup, nothing was changed", path(number)),
    )
    .with("segment", number)
    .with("file", path(number))
}
