//! Values, keys, names, operations, their one canonical encoding, errors and limits.
//!
//! This room knows no files and no threads.

mod bytes;
mod commit;
mod error;
pub mod fields;
mod ids;
pub mod limits;
mod operation;
pub mod order;
pub mod valid;
pub mod value;
mod verb;

pub use bytes::{Cursor, put_ascending, put_bytes, put_signed, put_varint, put_varints};
pub use commit::{CommitHeader, CommitRecord, Reverted, Trust, encode_commit};
pub use error::{Code, Error, Fact, Result, bounded, ensure, require, unless};
pub use ids::{EntityId, NameId, Seq, check_key, check_name};
pub use operation::{Interval, Operation, OperationReader, Rules};
pub use verb::{Change, EdgeKey, Target, Verb, VerbReader, check_property_count};
