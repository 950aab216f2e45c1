//! Composition of route, lifecycle and commit: the one room that knows all the others.
//!
//! It opens stores, gives every principal a session whose every read and write is checked, and turns what it finds into
//! the bytes that cross to JavaScript.

mod ask;
mod engines;
mod lookup;
mod past;
mod read;
mod session;
pub mod wire;

pub use engines::{OpenStore, memory, open, restore};
pub use lookup::{Lookup, put_tags};
pub use read::number_of;
pub use session::Session;

pub use karyon_access::{Action, Grants, Scope};
pub use karyon_graph::{Reader, Transaction};
pub use karyon_model as model;
pub use karyon_scheduler as scheduler;
pub use karyon_store::{Listener, Moment, Pin, Store};
