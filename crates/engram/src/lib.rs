//! Hashed lookup whose cost does not depend on how much is known.
//!
//! It knows neither stores nor cells nor files: keys and rows are handed in, and what is found is handed out.

mod column;
mod hash;
mod line;
mod table;

pub use column::Column;
pub use hash::{Tag, tag};
pub use table::{MISSING, Table};
