//! The log's errors.

use std::io;

use karyon_model::{Code, Error, Result, require};

use crate::segment;

/// Bytes of segment `number` at `offset` are not what was acknowledged.
pub(crate) fn damaged(number: u32, offset: u32, reason: impl Into<String>) -> Error {
    let (file, reason) = (segment::path(number), reason.into());
    let message = format!(
        "{file} is damaged at offset {offset}: {reason}; nothing was changed: put the file back from a backup, or salvage \
         what is whole"
    );
    let error = Error::new(Code::Damaged, message).with("segment", number).with("offset", offset);
    error.with("file", file).with("reason", reason)
}

/// Refuses bytes of segment `number` at `offset` of which something does not hold.
pub(crate) fn expect(holds: bool, number: u32, offset: u32, reason: &str) -> Result<()> {
    require(holds, || damaged(number, offset, reason))
}

/// The operating system refused something that loses nothing.
pub(crate) fn io_failed(verb: &str, path: &str, error: &io::Error) -> Error {
    let shown = if path.is_empty() { "the store's directory" } else { path };
    let message = format!("cannot {verb} {shown}: {error}; check the disk and its permissions");
    Error::new(Code::Io, message).with("path", path).with("cause", error.to_string())
}

/// What the operating system's refusal to do something with a file or directory of a store becomes.
pub fn io_error(path: &str, verb: &str) -> impl FnOnce(io::Error) -> Error {
    move |error| io_failed(verb, path, &error)
}

/// The same where a write or sync has failed.
pub(crate) fn sync_error(path: &str, verb: &str) -> impl FnOnce(io::Error) -> Error {
    move |error| sync_failed(verb, path, &error)
}

/// A write or sync failed: what is on disk is unknown, or what is not has nowhere to go.
pub(crate) fn sync_failed(verb: &str, path: &str, error: &io::Error) -> Error {
    let remedy = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "the disk is full: free space, then open the store again; what was acknowledged is safe"
        }
        _ => "nothing more is written until the store is opened again",
    };
    Error::new(Code::SyncFailed, format!("cannot {verb} {path}: {error}; {remedy}"))
        .with("file", path)
        .with("cause", error.to_string())
}

/// What an error of the operating system becomes: [`io_failed`] or [`sync_failed`].
pub(crate) type Failure = fn(&str, &str, &io::Error) -> Error;
