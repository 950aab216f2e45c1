//! The simulated disk as the code under test sees it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use karyon_log::{Disk, File, Lock, OpenMode, SECTOR_BYTES};

use super::crash::Crashes;
use super::fault::{Fault, Lie};
use super::volume::{Operation, Volume};

/// A disk in memory. Clones are the same disk.
///
/// ```
/// # use karyon_log::{Disk, OpenMode};
/// # use karyon_testkit::disk::{Fate, SimDisk};
/// let disk = SimDisk::new();
/// disk.open("f", OpenMode::Create)?.write_at(0, b"never synced")?;
/// let mut crashes = disk.crashes();
/// while let Some(crash) = crashes.next() {
///     for fate in Fate::spread(7, 10) {
///         let found = crash.disk(fate).contents("f");
///         assert!(crash.operations > 0 || found.is_none(), "after {} operations, {fate:?}", crash.operations);
///     }
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

struct State {
    /// As it was when the recording began.
    before: Volume,
    volume: Volume,
    recorded: Vec<Operation>,
    locked: BTreeSet<String>,
    /// Calls so far, reads included.
    calls: u64,
    faults: BTreeMap<u64, Fault>,
    /// A fault that has come and lasts.
    lasting: Option<Fault>,
    /// Files and the numbers of their sectors that cannot be read.
    bad: BTreeSet<(usize, u64)>,
    read_only: bool,
    /// Bytes that files may still grow by.
    room: Option<u64>,
    lie: Option<Lie>,
}

impl Default for SimDisk {
    fn default() -> Self {
        SimDisk::new()
    }
}

impl SimDisk {
    /// An empty disk.
    pub fn new() -> Self {
        SimDisk::of(Volume::new())
    }

    pub(super) fn of(volume: Volume) -> Self {
        SimDisk {
            state: Arc::new(Mutex::new(State {
                before: volume.clone(),
                volume,
                recorded: Vec::new(),
                locked: BTreeSet::new(),
                calls: 0,
                faults: BTreeMap::new(),
                lasting: None,
                bad: BTreeSet::new(),
                read_only: false,
                room: None,
                lie: None,
            })),
        }
    }

    /// How many operations that change something have been done; what
    /// [`Crash::operations`](super::Crash::operations) counts.
    pub fn operations(&self) -> usize {
        self.state().recorded.len()
    }

    /// Every moment so far at which power could have been cut.
    pub fn crashes(&self) -> Crashes {
        let state = self.state();
        Crashes::new(state.before.clone(), state.recorded.clone())
    }

    /// How many calls have been made, reads and refused calls included; what [`fail`](SimDisk::fail) counts.
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// Makes the call with the number `call` (from 0) fail, and all later ones where the fault lasts.
    pub fn fail(&self, call: u64, fault: Fault) {
        self.state().faults.insert(call, fault);
    }

    /// Forgets the faults that have not come yet, and ends one that lasts.
    pub fn heal(&self) {
        let mut state = self.state();
        state.faults.clear();
        state.lasting = None;
    }

    /// Refuses all that would change something from now on, or no longer.
    pub fn set_read_only(&self, read_only: bool) {
        self.state().read_only = read_only;
    }

    /// Lets files grow by `room` bytes more, then the disk is full; `None` for a disk without an end. A write that
    /// finds too little room fills what there is. What is written over takes no room; a new entry needs one byte
    /// to be left.
    pub fn set_room(&self, room: Option<u64>) {
        self.state().room = room;
    }

    /// Makes every read of the sector at `offset` of the file `path` fail from now on.
    ///
    /// # Panics
    /// If there is no such file.
    pub fn spoil(&self, path: &str, offset: u64) {
        let mut state = self.state();
        let file = state.volume.file(path).expect("the file that is to be spoilt exists");
        state.bad.insert((file, offset / SECTOR_BYTES as u64));
    }

    /// Makes some syncs report success and do nothing from now on, or no longer. No code survives that: a
    /// test that passes on such a disk tests nothing.
    pub fn set_lie(&self, lie: Option<Lie>) {
        self.state().lie = lie;
    }

    /// The bytes of the file `path`; `None` if there is none.
    pub fn contents(&self, path: &str) -> Option<Vec<u8>> {
        let state = self.state();
        state.volume.file(path).ok().map(|file| state.volume.bytes(file).to_vec())
    }

    /// All files and their bytes.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        self.state().volume.files().map(|(path, bytes)| (path.clone(), bytes.to_vec())).collect()
    }

    /// A new disk that holds what this one shows now, durably, and no recording.
    pub fn copy(&self) -> SimDisk {
        SimDisk::of(self.state().volume.after(super::Fate::Kept))
    }

    /// Replaces the bytes of the existing file `path` behind everybody's back.
    ///
    /// # Panics
    /// If there is no such file.
    pub fn damage(&self, path: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.state();
        let file = state.volume.file(path).expect("the file that is to be damaged exists");
        let mut bytes = state.volume.bytes(file).to_vec();
        change(&mut bytes);
        state.volume.replace(file, bytes.clone());
        // The recording goes on from the damaged state.
        let volume = state.volume.clone();
        state.before = volume;
        state.recorded.clear();
    }

    /// Flips one bit of the existing file `path`.
    ///
    /// # Panics
    /// If there is no such file, or the bit lies behind its end.
    pub fn flip(&self, path: &str, bit: u64) {
        self.damage(path, |bytes| bytes[(bit / 8) as usize] ^= 1 << (bit % 8));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A test that panics while it holds the lock has failed already.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Counts a call and says whether it shall fail.
    fn call(&mut self) -> Option<Fault> {
        let call = self.calls;
        self.calls += 1;
        let fault = self.faults.remove(&call).or(self.lasting);
        self.lasting = fault.filter(|fault| fault.lasts());
        fault
    }

    fn read(&mut self) -> io::Result<()> {
        self.call().filter(|fault| *fault != Fault::ReadOnly).map_or(Ok(()), |fault| Err(fault.error()))
    }

    /// Opens something for writing, which is to be refused where nothing may be written.
    fn may_write(&mut self) -> io::Result<()> {
        self.read()?;
        let refused = self.read_only || self.lasting == Some(Fault::ReadOnly);
        if refused { Err(Fault::ReadOnly.error()) } else { Ok(()) }
    }

    fn change(&mut self, operation: Operation) -> io::Result<()> {
        let fault = self.call();
        if self.read_only {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        let Some(fault) = fault else {
            let lies = match operation {
                Operation::Sync { .. } => self.lie == Some(Lie::FileSyncs),
                Operation::SyncDir(_) => self.lie == Some(Lie::DirectorySyncs),
                _ => false,
            };
            return if lies { Ok(()) } else { self.record_in_room(operation) };
        };
        match operation {
            Operation::Write { file, offset, bytes } if fault == Fault::Short => {
                let half = offset + bytes.len() as u64 / 2;
                let stop = (half - half % SECTOR_BYTES as u64).max(offset);
                let bytes = bytes[..(stop - offset) as usize].into();
                self.record(Operation::Write { file, offset, bytes })?;
            }
            Operation::Sync { file } => self.record(Operation::FailedSync { file, seed: self.calls })?,
            _ => {}
        }
        Err(fault.error())
    }

    /// Does what the room on the disk allows.
    fn record_in_room(&mut self, operation: Operation) -> io::Result<()> {
        let Some(room) = self.room else { return self.record(operation) };
        let full = || Fault::Full.error();
        let grown = |file: usize, end: u64| end.saturating_sub(self.volume.bytes(file).len() as u64);
        match operation {
            Operation::Write { file, offset, bytes } => {
                let needed = grown(file, offset + bytes.len() as u64);
                let kept = bytes.len() as u64 - needed.saturating_sub(room).min(bytes.len() as u64);
                self.room = Some(room.saturating_sub(needed));
                let cut = kept < bytes.len() as u64;
                self.record(Operation::Write { file, offset, bytes: bytes[..kept as usize].into() })?;
                if cut { Err(full()) } else { Ok(()) }
            }
            Operation::SetLen { file, len } if grown(file, len) > room => Err(full()),
            Operation::CreateFile(_) | Operation::CreateDir(_) if room == 0 => Err(full()),
            operation => self.record(operation),
        }
    }

    fn record(&mut self, operation: Operation) -> io::Result<()> {
        self.volume.apply(&operation)?;
        self.recorded.push(operation);
        Ok(())
    }
}

impl Disk for SimDisk {
    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let mut state = self.state();
        state.read()?;
        state.volume.list(path)
    }

    fn exists(&self, path: &str) -> io::Result<bool> {
        let mut state = self.state();
        state.read()?;
        Ok(state.volume.exists(path))
    }

    fn create_dir(&self, path: &str) -> io::Result<()> {
        self.state().change(Operation::CreateDir(path.into()))
    }

    fn open(&self, path: &str, mode: OpenMode) -> io::Result<Box<dyn File>> {
        let mut state = self.state();
        match mode {
            OpenMode::Create if !state.volume.exists(path) => {
                state.change(Operation::CreateFile(path.into()))?
            }
            OpenMode::Read => state.read()?,
            OpenMode::Create | OpenMode::ReadWrite => state.may_write()?,
        }
        let file = state.volume.file(path)?;
        Ok(Box::new(SimFile { disk: self.clone(), file, writable: mode != OpenMode::Read }))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.state().change(Operation::Remove(path.into()))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.state().change(Operation::Rename(from.into(), to.into()))
    }

    fn sync_dir(&self, path: &str) -> io::Result<()> {
        self.state().change(Operation::SyncDir(path.into()))
    }

    fn try_lock(&self, path: &str) -> io::Result<Option<Box<dyn Lock>>> {
        let mut state = self.state();
        if state.volume.exists(path) {
            state.may_write()?;
        } else {
            state.change(Operation::CreateFile(path.into()))?;
        }
        let free = state.locked.insert(path.to_string());
        Ok(free.then(|| Box::new(SimLock { disk: self.clone(), path: path.to_string() }) as Box<dyn Lock>))
    }
}

struct SimFile {
    disk: SimDisk,
    file: usize,
    writable: bool,
}

impl SimFile {
    fn change(&self, operation: Operation) -> io::Result<()> {
        if !self.writable {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        self.disk.state().change(operation)
    }
}

impl File for SimFile {
    fn len(&self) -> io::Result<u64> {
        let mut state = self.disk.state();
        state.read()?;
        Ok(state.volume.bytes(self.file).len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.disk.state();
        state.read()?;
        let bytes = state.volume.bytes(self.file);
        let start = bytes.len().min(offset as usize);
        let count = buffer.len().min(bytes.len() - start);
        let sectors = (start / SECTOR_BYTES) as u64..(start + count).div_ceil(SECTOR_BYTES) as u64;
        if state.bad.iter().any(|(file, sector)| *file == self.file && sectors.contains(sector)) {
            return Err(Fault::Io.error());
        }
        buffer[..count].copy_from_slice(&bytes[start..start + count]);
        Ok(count)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.change(Operation::Write { file: self.file, offset, bytes: bytes.into() })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(Operation::SetLen { file: self.file, len })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.change(Operation::Sync { file: self.file })
    }
}

struct SimLock {
    disk: SimDisk,
    path: String,
}

impl Lock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.disk.state().locked.remove(&self.path);
    }
}
