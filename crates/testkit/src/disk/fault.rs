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
    /// From this call on the disk takes no change; it can be read.
    ReadOnly,
    /// From this call on the disk is gone, also for what was open.
    Gone,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Fault; 5] = [Fault::Io, Fault::Full, Fault::Short, Fault::ReadOnly, Fault::Gone];

    /// Whether it lasts until the disk is healed.
    pub fn lasts(self) -> bool {
        matches!(self, Fault::ReadOnly | Fault::Gone)
    }

    pub(super) fn error(self) -> io::Error {
        match self {
            Fault::Io => io::Error::other("simulated input/output error"),
            Fault::Full => io::ErrorKind::StorageFull.into(),
            Fault::Short => io::ErrorKind::WriteZero.into(),
            Fault::ReadOnly => io::ErrorKind::ReadOnlyFilesystem.into(),
            Fault::Gone => io::Error::other("the simulated disk is gone"),
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
