//! Simulated disk and clock, reference models and generators.
//!
//! Everything here is deterministic: the same seed gives the same faults, the same crash images, the same
//! cases. What a test found is repeated by the seed that it prints.
#![deny(missing_docs)]

mod clock;
mod directory;
pub mod disk;
pub mod oracle;
mod random;
mod value;
mod verbs;

pub use clock::LogicalClock;
pub use directory::{DIRECTORY, FileDirectory};
pub use random::Random;
pub use value::Value;
pub use verbs::VerbWriter;
