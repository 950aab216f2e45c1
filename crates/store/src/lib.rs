//! The commit pipeline, recovery and checkpoints over graph, history and log.
//!
//! This room knows no cells. The log is the truth, the graph in memory is the present, the history is an index of the past
//! that can always be built again.

mod archive;
mod blocks;
mod checkpoint;
mod copy;
mod layout;
mod open;
mod pipeline;
mod rebuild;
mod retention;
mod revert;
mod store;
mod time;
mod verify;
mod writer;

pub use copy::{Copied, restore};
pub use karyon_log::Lost;
pub use open::{Options, Recovery};
pub use retention::{Archived, Retention};
pub use revert::Report;
pub use store::{Author, Body, Committed, Listener, Pin, Stats, Store};
pub use time::{Clock, Moment};
pub use verify::Verified;
