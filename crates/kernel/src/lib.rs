//! Composition of route, lifecycle and commit: the one room that knows all the others.
//!
//! It opens stores, gives every principal a session whose every read and write is checked, and turns what it finds into
//! the bytes that cross to JavaScript.

mod engines;
mod past;
mod session;
pub mod wire;

pub use engines::{OpenStore, backup, memory, open, restore};
pub use past::PAGE_BYTES;
pub use session::{Session, Source};

pub use karyon_access::{Action, Grants, Scope};
pub use karyon_graph::{Declaration, Direction, PageLimit, PageStart, Prefer, Reader, Transaction, Walk};
pub use karyon_model as model;
pub use karyon_scheduler as scheduler;
pub use karyon_store::{
    Archived, Committed, Copied, Listener, Lost, Moment, Pin, Recovery, Retention, Stats, Store, Verified,
};
