//! An append-only, checksummed, hash-chained sequence of frames over a disk that is handed in.
//!
//! The log knows nothing of what a frame's payload means. A frame is the unit of checksum, of hash, of sync
//! and of atomic recovery: it is wholly there after a crash or not at all. One frame is in flight at a time.
//!
//! - `disk`, `real_disk`: the disk that is handed in, and the operating system's
//! - `chain`: positions, hashes, points of the chain
//! - `frame`, `sector_map`, `segment`: the bytes, drawn and coded
//! - `segment_file`: a segment's file, read and written; `walk`: reading along the chain; `reader`: the same for other threads
//! - `recovery`: what an unreadable end is; `open`: what is done about it
//! - `log`: writing · `lost`: what still stands behind damage

mod chain;
mod disk;
mod failure;
mod frame;
mod log;
mod lost;
mod open;
mod reader;
mod real_disk;
mod recovery;
mod sector_map;
mod segment;
mod segment_file;
mod walk;

pub use chain::{ChainPoint, FIRST_SEQ, Hash, HashField, Position, StoreId, StoreIdField};
pub use disk::{Disk, File, Lock, OpenMode};
pub use failure::io_error;
pub use frame::{FRAME_HEADER_BYTES, Frame, MAX_COMMITS, MAX_FRAME_BYTES, MAX_PAYLOAD_BYTES, Visit, checked};
pub use log::Log;
pub use lost::Lost;
pub use open::ASIDE_DIRECTORY;
pub use reader::LogReader;
pub use real_disk::{RealDisk, identity};
pub use recovery::{Cut, Recovery};
pub use sector_map::SECTOR_BYTES;
pub use segment::{
    FORMAT_VERSION, LOG_DIRECTORY, SEGMENT_HEADER_BYTES, SegmentSizes, check_format, path as segment_path,
};
