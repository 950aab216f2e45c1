//! The disk of the operating system, through the standard library alone.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::disk::{Disk, File, Lock, OpenMode};

/// A directory of the operating system's file system.
#[derive(Clone, Debug)]
pub struct RealDisk {
    root: PathBuf,
    /// Which directory was there at first.
    identity: Option<Identity>,
}

/// Device and number of a directory, where the system has them.
pub type Identity = (u64, u64);

impl RealDisk {
    /// The disk whose root is the directory `root`, which must exist.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        RealDisk { identity: identity_of(&root), root }
    }

    /// Fails once the directory was moved: what is at its path then belongs to somebody else.
    fn resolve(&self, path: &str) -> io::Result<PathBuf> {
        if identity_of(&self.root) != self.identity {
            let reason =
                "the directory was moved or replaced while it was open; close it and open it where it is now";
            return Err(io::Error::other(reason));
        }
        // `Path::join` of an empty part would add a trailing separator, which some calls refuse.
        Ok(path.split('/').filter(|part| !part.is_empty()).fold(self.root.clone(), |at, part| at.join(part)))
    }

    fn file(&self, path: &str, mode: OpenMode) -> io::Result<fs::File> {
        let mut options = fs::OpenOptions::new();
        // Not truncated: what is there may be an earlier attempt's, or the holder's of a lock.
        options.read(true).write(mode != OpenMode::Read).create(mode == OpenMode::Create).truncate(false);
        options.open(self.resolve(path)?)
    }
}

impl Disk for RealDisk {
    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        // A name that is not Unicode is none of ours.
        let known = |entry: fs::DirEntry| entry.file_name().into_string().ok();
        let names = fs::read_dir(self.resolve(path)?)?.filter_map(|entry| entry.map(known).transpose());
        let mut names: Vec<_> = names.collect::<io::Result<_>>()?;
        names.sort_unstable();
        Ok(names)
    }

    fn exists(&self, path: &str) -> io::Result<bool> {
        self.resolve(path)?.try_exists()
    }

    fn create_dir(&self, path: &str) -> io::Result<()> {
        let path = self.resolve(path)?;
        match fs::create_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            result => result,
        }
    }

    fn open(&self, path: &str, mode: OpenMode) -> io::Result<Box<dyn File>> {
        Ok(Box::new(RealFile(self.file(path, mode)?)))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        fs::remove_file(self.resolve(path)?)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.resolve(from)?, self.resolve(to)?)
    }

    fn sync_dir(&self, path: &str) -> io::Result<()> {
        if cfg!(unix) { fs::File::open(self.resolve(path)?)?.sync_all() } else { Ok(()) }
    }

    fn try_lock(&self, path: &str) -> io::Result<Option<Box<dyn Lock>>> {
        let file = self.file(path, OpenMode::Create)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(RealFile(file)))),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }
}

struct RealFile(fs::File);

impl File for RealFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        repeat(buffer.len(), |done| read_some(&self.0, offset + done as u64, &mut buffer[done..]))
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let written = repeat(bytes.len(), |done| write_some(&self.0, offset + done as u64, &bytes[done..]))?;
        if written == bytes.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

/// Repeats a call that may do a part, until `len` bytes are done or it does nothing more.
fn repeat(len: usize, mut part: impl FnMut(usize) -> io::Result<usize>) -> io::Result<usize> {
    let mut done = 0;
    while done < len {
        match part(done) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

fn identity_of(root: &Path) -> Option<Identity> {
    fs::metadata(root).ok().and_then(|found| identity(&found))
}

/// What tells a directory apart, whatever it is called.
#[cfg(unix)]
pub fn identity(found: &fs::Metadata) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;
    Some((found.dev(), found.ino()))
}

/// Nothing where an open directory cannot be moved.
#[cfg(not(unix))]
pub fn identity(_: &fs::Metadata) -> Option<Identity> {
    None
}

fn read_some(file: &fs::File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::read_at(file, buffer, offset);
    #[cfg(windows)]
    return std::os::windows::fs::FileExt::seek_read(file, buffer, offset);
}

fn write_some(file: &fs::File, offset: u64, bytes: &[u8]) -> io::Result<usize> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::write_at(file, bytes, offset);
    #[cfg(windows)]
    return std::os::windows::fs::FileExt::seek_write(file, bytes, offset);
}

/// The lock of an open file lives as long as the file is open.
impl Lock for RealFile {}
