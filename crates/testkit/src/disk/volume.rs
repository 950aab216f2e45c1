//! The state of a disk: what programs see, and what a power cut would leave.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use karyon_log::SECTOR_BYTES;

use super::crash::Fate;
use crate::random::Random;

/// Something done to the disk.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    CreateDir(String),
    CreateFile(String),
    Remove(String),
    Rename(String, String),
    SyncDir(String),
    Write {
        file: usize,
        offset: u64,
        bytes: Arc<[u8]>,
    },
    SetLen {
        file: usize,
        len: u64,
    },
    Sync {
        file: usize,
    },
    /// A sync that reported an error; the seed decides what became of each sector.
    FailedSync {
        file: usize,
        seed: u64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Directory,
    File(usize),
}

/// A change of a directory.
#[derive(Clone, Debug)]
enum Renaming {
    Insert(String, Entry),
    Remove(String),
    Rename(String, String),
}

impl Renaming {
    /// The path whose directory must be synced to make this durable.
    fn path(&self) -> &str {
        match self {
            Renaming::Insert(path, _) | Renaming::Remove(path) | Renaming::Rename(_, path) => path,
        }
    }

    fn apply(&self, entries: &mut BTreeMap<String, Entry>) {
        match self {
            Renaming::Insert(path, entry) => {
                entries.insert(path.clone(), *entry);
            }
            Renaming::Remove(path) => {
                entries.remove(path);
            }
            Renaming::Rename(from, to) => {
                if let Some(entry) = entries.remove(from) {
                    entries.insert(to.clone(), entry);
                }
            }
        }
    }
}

/// A change of a file.
#[derive(Clone, Debug)]
enum Change {
    Write(u64, Arc<[u8]>),
    SetLen(u64),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Change::Write(offset, written) => {
                let end = *offset as usize + written.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[*offset as usize..end].copy_from_slice(written);
            }
            Change::SetLen(len) => bytes.resize(*len as usize, 0),
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Inode {
    /// What reads see.
    live: Vec<u8>,
    /// What a power cut leaves at least.
    durable: Vec<u8>,
    /// What was done since the last sync.
    pending: Vec<Change>,
}

impl Inode {
    fn sync(&mut self) {
        for change in self.pending.drain(..) {
            change.apply(&mut self.durable);
        }
    }

    /// What a power cut leaves.
    fn after(&self, fate: Fate, random: &mut Random) -> Vec<u8> {
        let mut after = self.durable.clone();
        match fate {
            Fate::Dropped => {}
            Fate::Kept => self.pending.iter().for_each(|change| change.apply(&mut after)),
            Fate::Torn(_) => after = self.torn(random),
        }
        after
    }

    /// Each sector as it was after some of the changes, in a file as long as it was after some of them.
    fn torn(&self, random: &mut Random) -> Vec<u8> {
        if self.pending.is_empty() {
            return self.durable.clone();
        }
        // Weights differ from case to case, so that there are images with one sector lost and with one sector
        // kept.
        let weight = random.below(9);
        let mut lens = vec![self.durable.len()];
        let mut touched = BTreeSet::new();
        let mut state = self.durable.clone();
        for change in &self.pending {
            let (from, to) = match change {
                Change::Write(offset, bytes) => (*offset as usize, *offset as usize + bytes.len()),
                Change::SetLen(len) => ((*len as usize).min(state.len()), (*len as usize).max(state.len())),
            };
            touched.extend(from / SECTOR_BYTES..to.div_ceil(SECTOR_BYTES));
            change.apply(&mut state);
            lens.push(state.len());
        }
        let len = if random.below(8) < weight { state.len() } else { *random.pick(&lens) };
        let mut after = self.durable.clone();
        after.resize(len, 0);
        for sector in touched {
            let start = sector * SECTOR_BYTES;
            if start >= len {
                break;
            }
            let kept = if random.below(8) < weight {
                self.pending.len()
            } else if random.chance(1, 4) {
                random.below(self.pending.len() + 1)
            } else {
                0
            };
            let end = (start + SECTOR_BYTES).min(len);
            let now = self.range_after(kept, start, end);
            after[start..end].copy_from_slice(&now);
        }
        after
    }

    /// The bytes of a range after the first `count` pending changes.
    fn range_after(&self, count: usize, start: usize, end: usize) -> Vec<u8> {
        let mut part = vec![0; end - start];
        let durable_end = self.durable.len().min(end);
        if start < durable_end {
            part[..durable_end - start].copy_from_slice(&self.durable[start..durable_end]);
        }
        for change in &self.pending[..count] {
            match change {
                Change::Write(offset, bytes) => {
                    let (from, to) = (*offset as usize, *offset as usize + bytes.len());
                    let (low, high) = (from.max(start), to.min(end));
                    if low < high {
                        part[low - start..high - start].copy_from_slice(&bytes[low - from..high - from]);
                    }
                }
                Change::SetLen(len) => {
                    let low = (*len as usize).clamp(start, end);
                    part[low - start..].fill(0);
                }
            }
        }
        part
    }
}

/// Directories and files, as seen and as durable.
#[derive(Clone, Debug)]
pub(super) struct Volume {
    live: BTreeMap<String, Entry>,
    durable: BTreeMap<String, Entry>,
    pending: Vec<Renaming>,
    inodes: Vec<Inode>,
}

impl Volume {
    pub(super) fn new() -> Self {
        let root = BTreeMap::from([(String::new(), Entry::Directory)]);
        Volume { live: root.clone(), durable: root, pending: Vec::new(), inodes: Vec::new() }
    }

    /// Does `operation`, or says why it cannot be done.
    pub(super) fn apply(&mut self, operation: &Operation) -> io::Result<()> {
        match operation {
            Operation::CreateDir(path) => match self.live.get(path) {
                None => self.insert(path, Entry::Directory)?,
                Some(Entry::Directory) => {}
                Some(Entry::File(_)) => return Err(io::ErrorKind::AlreadyExists.into()),
            },
            Operation::CreateFile(path) => {
                if self.live.contains_key(path) {
                    return Err(io::ErrorKind::AlreadyExists.into());
                }
                self.insert(path, Entry::File(self.inodes.len()))?;
                self.inodes.push(Inode::default());
            }
            Operation::Remove(path) => {
                self.file(path)?;
                self.rename(Renaming::Remove(path.clone()));
            }
            Operation::Rename(from, to) => {
                self.file(from)?;
                self.parent_of(to)?;
                self.rename(Renaming::Rename(from.clone(), to.clone()));
            }
            Operation::SyncDir(path) => {
                if self.entry(path)? != Entry::Directory {
                    return Err(io::ErrorKind::NotADirectory.into());
                }
                let (synced, pending) = std::mem::take(&mut self.pending)
                    .into_iter()
                    .partition(|change| parent(change.path()) == path);
                self.pending = pending;
                let synced: Vec<Renaming> = synced;
                synced.iter().for_each(|change| change.apply(&mut self.durable));
            }
            Operation::Write { file, offset, bytes } => {
                self.change(*file, Change::Write(*offset, bytes.clone()))
            }
            Operation::SetLen { file, len } => self.change(*file, Change::SetLen(*len)),
            Operation::Sync { file } => self.inodes[*file].sync(),
            Operation::FailedSync { file, seed } => {
                let inode = &mut self.inodes[*file];
                inode.durable = inode.torn(&mut Random::new(*seed));
                // What is not durable by now never will be: the operating system holds it for written.
                inode.pending.clear();
            }
        }
        Ok(())
    }

    /// What is found after a power cut now.
    pub(super) fn after(&self, fate: Fate) -> Volume {
        let mut random = Random::new(match fate {
            Fate::Torn(seed) => seed,
            Fate::Dropped | Fate::Kept => 0,
        });
        let mut entries = self.durable.clone();
        let weight = random.below(3);
        for change in &self.pending {
            let happened = match fate {
                Fate::Dropped => false,
                Fate::Kept => true,
                Fate::Torn(_) => random.below(2) < weight,
            };
            if happened {
                change.apply(&mut entries);
            }
        }
        // What lies in a directory that never came to be is gone with it.
        let named: BTreeMap<String, Entry> = entries
            .iter()
            .filter(|(path, _)| path.is_empty() || has_parents(&entries, path))
            .map(|(path, entry)| (path.clone(), *entry))
            .collect();
        let inodes = self
            .inodes
            .iter()
            .map(|inode| {
                let bytes = inode.after(fate, &mut random);
                Inode { live: bytes.clone(), durable: bytes, pending: Vec::new() }
            })
            .collect();
        Volume { live: named.clone(), durable: named, pending: Vec::new(), inodes }
    }

    pub(super) fn list(&self, path: &str) -> io::Result<Vec<String>> {
        if self.entry(path)? != Entry::Directory {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        let inside = self.live.keys().filter(|name| !name.is_empty() && parent(name) == path);
        Ok(inside.map(|name| name.rsplit('/').next().unwrap_or(name).to_string()).collect())
    }

    pub(super) fn exists(&self, path: &str) -> bool {
        self.live.contains_key(path)
    }

    /// The number of the file `path`.
    pub(super) fn file(&self, path: &str) -> io::Result<usize> {
        match self.entry(path)? {
            Entry::File(file) => Ok(file),
            Entry::Directory => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    /// The bytes of a file as reads see them.
    pub(super) fn bytes(&self, file: usize) -> &[u8] {
        &self.inodes[file].live
    }

    /// Replaces a file's bytes behind everybody's back, durably.
    pub(super) fn replace(&mut self, file: usize, bytes: Vec<u8>) {
        self.inodes[file] = Inode { live: bytes.clone(), durable: bytes, pending: Vec::new() };
    }

    /// All files and their bytes as reads see them.
    pub(super) fn files(&self) -> impl Iterator<Item = (&String, &[u8])> {
        self.live.iter().filter_map(|(path, entry)| match entry {
            Entry::File(file) => Some((path, self.bytes(*file))),
            Entry::Directory => None,
        })
    }

    fn entry(&self, path: &str) -> io::Result<Entry> {
        self.live.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn parent_of(&self, path: &str) -> io::Result<()> {
        match self.entry(parent(path))? {
            Entry::Directory => Ok(()),
            Entry::File(_) => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn insert(&mut self, path: &str, entry: Entry) -> io::Result<()> {
        self.parent_of(path)?;
        self.rename(Renaming::Insert(path.to_string(), entry));
        Ok(())
    }

    fn rename(&mut self, change: Renaming) {
        change.apply(&mut self.live);
        self.pending.push(change);
    }

    fn change(&mut self, file: usize, change: Change) {
        let inode = &mut self.inodes[file];
        change.apply(&mut inode.live);
        inode.pending.push(change);
    }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

fn has_parents(entries: &BTreeMap<String, Entry>, path: &str) -> bool {
    let parent = parent(path);
    parent.is_empty() || (entries.contains_key(parent) && has_parents(entries, parent))
}
