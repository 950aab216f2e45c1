//! The MVCC head: nodes, edges, versions, transactions, conflicts, adjacency and label lists.
//!
//! This room knows no files, no Node, no cells and no wall clock. A `Graph` is a plain state machine: commits go in, in
//! order; operations for the log come out, sealed chapters go to the history; reads name the version they want.

mod audit;
mod commit;
mod digest;
mod draft;
mod entity;
mod gate;
mod head;
mod ids;
mod image;
mod index;
mod layer;
mod merge;
mod names;
mod overlay;
mod past;
mod patches;
mod pieces;
mod plan;
mod publish;
mod purge;
mod reader;
mod retain;
mod revert;
mod tables;
mod transaction;
mod versioned;
mod walk;

pub use commit::Prepared;
pub use entity::{Encoded, Entity, Property, Slot};
pub use gate::{Gate, Open, permitted};
pub use head::{Follower, Graph};
pub use image::{ImageReader, ImageWriter};
pub use index::Index;
pub use karyon_history::Direction;
pub use layer::{Layer, Shown};
pub use merge::Prefer;
pub use names::Names;
pub use past::{DiffStart, Sides, SlotChange, Visit};
pub use patches::{Obstacle, Plan};
pub use reader::{Condition, EdgeItem, NodeItem, PageLimit, PageStart, Reader, VisitEdge, VisitNode};
pub use tables::{EdgeSlot, NodeSlot};
pub use transaction::{Declaration, Purpose, Transaction};
pub use walk::{Reached, Walk};
