//! Faults that a disk can be told to have.

use std::io;

/// What goes wrong with one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The operation fails with an input/output error. A sync leaves each sector old or new for ever.
    Io,
    /// The disk is full.
    Full,
    /// A write stops half way, between two sectors (operating systems copy whole pages), then fails. Other
    /// operations fail without an effect.
    Short,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Fault; 3] = [Fault::Io, Fault::Full, Fault::Short];

    pub(super) fn error(self) -> io::Error {
        match self {
            Fault::Io => io::Error::other("simulated input/output error"),
            Fault::Full => io::ErrorKind::StorageFull.into(),
            Fault::Short => io::ErrorKind::WriteZero.into(),
        }
    }
}

/// Syncs that report success and do nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// Those of files.
    FileSyncs,
    /// Those of directories.
    DirectorySyncs,
}
