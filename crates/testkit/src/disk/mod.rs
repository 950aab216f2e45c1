//! A disk in memory that can lose power after every operation.
//!
//! [`SimDisk`] is what the code under test sees. It records what is done to it; [`SimDisk::crashes`] walks
//! through the recording and builds, at each operation, the disks that could be found after a power cut
//! there.
//!
//! What a power cut does ([`Fate`]): bytes and lengths that were synced stay. Those that were not are
//! dropped, kept, or torn: each 512-byte sector holds what it held before or after any of the writes to it
//! since, and the file has one of the lengths it had since. The creation, renaming or removal of an entry
//! that was not followed by a sync of its directory may or may not have happened. A failed sync leaves each
//! of its sectors old or new for ever, though reads still see the new. The kill of a process alone loses
//! nothing, and makes nothing durable ([`Crash::killed`]).

mod crash;
mod fault;
mod sim;
#[cfg(test)]
mod tests;
mod volume;

pub use crash::{Crash, Crashes, Fate};
pub use fault::{Fault, Lie};
pub use sim::SimDisk;
