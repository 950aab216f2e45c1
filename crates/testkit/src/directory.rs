//! The directory of a history's tables, in one file of a disk that can be simulated.

use karyon_history::{Directory, DirectoryEntry};
use karyon_log::Disk;
use karyon_model::bytes::{Cursor, put_bytes};
use karyon_model::{Code, Error, Result};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

const FOLDER: &str = "history";
/// Where `FileDirectory` keeps everything.
pub const DIRECTORY: &str = "history/directory";
const NEW: &str = "history/directory.new";

/// All entries in one file, written anew with every change and put in its place by renaming: what it says survives a
/// crash as a whole or not at all, as far as the disk keeps its word.
#[derive(Clone)]
pub struct FileDirectory(pub Arc<dyn Disk>);

fn refused(error: io::Error) -> Error {
    Error::new(Code::Io, format!("the directory of the history: {error}"))
}

impl Directory for FileDirectory {
    fn load(&self) -> Result<Vec<DirectoryEntry>> {
        let disk = &self.0;
        if !disk.exists(DIRECTORY).map_err(refused)? {
            return Ok(Vec::new());
        }
        let file = disk.open(DIRECTORY, karyon_log::OpenMode::Read).map_err(refused)?;
        let mut bytes = vec![0; file.len().map_err(refused)? as usize];
        file.read_exact_at(0, &mut bytes).map_err(refused)?;
        let mut cursor = Cursor::new(&bytes);
        let mut entries = Vec::new();
        while !cursor.is_empty() {
            entries.push((cursor.bytes()?.to_vec(), cursor.bytes()?.to_vec()));
        }
        Ok(entries)
    }

    fn apply(&self, put: Vec<DirectoryEntry>, remove: Vec<Vec<u8>>) -> Result<()> {
        let disk = &self.0;
        let mut entries: BTreeMap<_, _> = self.load()?.into_iter().collect();
        entries.extend(put);
        remove.iter().for_each(|key| drop(entries.remove(key)));
        let mut bytes = Vec::new();
        for (key, value) in &entries {
            put_bytes(&mut bytes, key);
            put_bytes(&mut bytes, value);
        }
        disk.create_dir(FOLDER).map_err(refused)?;
        let file = disk.create(NEW).map_err(refused)?;
        file.set_len(0).map_err(refused)?;
        file.write_at(0, &bytes).map_err(refused)?;
        file.sync_all().map_err(refused)?;
        disk.rename(NEW, DIRECTORY).map_err(refused)?;
        disk.sync_dir(FOLDER).map_err(refused)
    }

    fn clear(&self) -> Result<()> {
        if !self.0.exists(DIRECTORY).map_err(refused)? {
            return Ok(());
        }
        self.0.remove(DIRECTORY).map_err(refused)?;
        self.0.sync_dir(FOLDER).map_err(refused)
    }

    fn close(&self) {}
}
