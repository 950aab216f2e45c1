//! Values, keys, names, operations, their one canonical encoding, errors and limits.
//!
//! This room knows no files and no threads.

mod error;

pub use error::{Code, Error, Result};
