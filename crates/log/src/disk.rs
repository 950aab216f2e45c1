//! The disk, as the log sees it: a trait that is handed in, so that a simulated disk can stand in for the
//! real one.
//!
//! Paths are relative to the store's root, with `/` between their parts; the root itself is the empty path.
//! Nothing is durable before it is synced: a file's bytes and length by [`File::sync_data`], the creation, renaming
//! and removal of an entry by [`Disk::sync_dir`] of the directory that holds it.

use std::io;

/// How [`Disk::open`] opens a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// An existing file, for reading.
    Read,
    /// An existing file, for reading and writing.
    ReadWrite,
    /// A file that is created if need be, for reading and writing. One that is there stays as it is.
    Create,
}

/// A directory tree of files: the store's root and what is below it.
pub trait Disk: Send + Sync {
    /// The names (not paths) of the entries of the directory `path`, in ascending order.
    fn list(&self, path: &str) -> io::Result<Vec<String>>;

    /// The paths of the entries of the directory `path`, in ascending order; none where there is no such directory.
    fn paths(&self, path: &str) -> io::Result<Vec<String>> {
        match self.list(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            names => Ok(names?.into_iter().map(|name| format!("{path}/{name}")).collect()),
        }
    }

    /// The length of the file `path` in bytes.
    fn length(&self, path: &str) -> io::Result<u64> {
        self.open(path, OpenMode::Read)?.len()
    }

    /// Whether there is a file or directory at `path`.
    fn exists(&self, path: &str) -> io::Result<bool>;

    /// Creates the directory `path`, whose parent exists; that it exists already is no error.
    fn create_dir(&self, path: &str) -> io::Result<()>;

    /// Opens the file `path`.
    fn open(&self, path: &str, mode: OpenMode) -> io::Result<Box<dyn File>>;

    /// Creates the file `path`, or opens the one that is there, for reading and writing.
    fn create(&self, path: &str) -> io::Result<Box<dyn File>> {
        self.open(path, OpenMode::Create)
    }

    /// Removes the file `path`.
    fn remove(&self, path: &str) -> io::Result<()>;

    /// Renames the file `from` to `to`, replacing what is there, atomically.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Makes the entries of the directory `path` durable. Does nothing on Windows, which has no such call.
    fn sync_dir(&self, path: &str) -> io::Result<()>;

    /// Takes the exclusive lock of the file `path`, which is created if need be; `None` if somebody else
    /// holds it. The lock ends when it is dropped or its process ends, however that comes about; the file
    /// stays.
    fn try_lock(&self, path: &str) -> io::Result<Option<Box<dyn Lock>>>;
}

/// An open file. Reads and writes name their position, so that several threads may use one handle.
#[allow(clippy::len_without_is_empty, reason = "nobody asks a file whether it is empty")]
pub trait File: Send + Sync {
    /// The length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Fills `buffer` from `offset` on and returns how many bytes were read: fewer than asked only at the
    /// file's end.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes all of `bytes` at `offset`, extending the file if need be.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Cuts or extends (with zeros) the file.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Makes the bytes and the length durable.
    fn sync_data(&self) -> io::Result<()>;

    /// Writes `len` zeros from `offset` on, so that blocks are allocated before a commit needs them.
    fn write_zeros(&self, offset: u64, len: u64) -> io::Result<()> {
        static CHUNK: [u8; 64 << 10] = [0; 64 << 10];
        let starts = (0..len).step_by(CHUNK.len());
        let mut chunks = starts.map(|at| (offset + at, (len - at).min(CHUNK.len() as u64) as usize));
        chunks.try_for_each(|(offset, count)| self.write_at(offset, &CHUNK[..count]))
    }

    /// Fills `buffer` from `offset` on; `UnexpectedEof` if the file ends before.
    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let read = self.read_at(offset, buffer)?;
        if read == buffer.len() { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

/// An exclusive lock, held until it is dropped.
pub trait Lock: Send + Sync {}
