//! Decides what a principal may read and write; never does it.
//!
//! This room knows names, and nothing of graphs, transactions or cells. Whoever does something asks here first.

mod grants;

pub use grants::{Action, EVERYTHING, Grants, Scope};
