//! An append-only, checksummed, hash-chained sequence of frames over a disk that is handed in.
//!
//! The log knows nothing of what a frame's payload means. A frame is the unit of checksum, of hash, of sync and of atomic
//! recovery: it is wholly there after a crash or not at all. One frame is in flight at a time.
//!
//! ```text
//! Log::create(disk: Arc<dyn Disk>, store: StoreId) -> Result<Log>
//! Log::open(disk: Arc<dyn Disk>, store: StoreId, start: Option<ChainPoint>,
//!           visit: &mut dyn FnMut(&FrameView<'_>) -> Result<()>) -> Result<(Log, Recovery)>
//! log.append(&FrameDraft { first_seq, commit_count, base_time, payload }) -> Result<Position>   writes only
//! log.sync() -> Result<()>
//! log.prepare_ahead() -> Result<()>          one slice; after sync
//! log.seal() -> Result<()>                   a clean close
//! log.head() -> ChainPoint                   .position() .head_hash() .tail_bytes()
//! log.reader() -> LogReader                  Clone + Send + Sync
//! reader.read_frames(from: Position, until: Position,
//!           visit: &mut dyn FnMut(&FrameView<'_>) -> Result<ControlFlow<()>>) -> Result<()>
//! reader.verify(head: &ChainPoint, visit: &mut dyn FnMut(&FrameView<'_>) -> Result<()>) -> Result<Verified>
//!
//! FrameView { position, first_seq, commit_count, base_time, payload, previous_hash, hash, end }
//! Recovery  { frames, last_seq, last_time: Option<i64>, sealed, cut: Option<Cut { segment, offset, bytes, file }> }
//! ```
#![deny(missing_docs)]

mod chain;
mod disk;
mod real_disk;

pub use chain::{ChainPoint, Hash, Position, StoreId};
pub use disk::{Disk, File, Lock, OpenMode};
pub use real_disk::RealDisk;
