//! The directory of a history's tables, in one file of a disk that can be simulated.

use karyon_history::Directory;
use karyon_log::Disk;
use karyon_model::{Code, Error, Result};
use std::io;
use std::sync::Arc;

const FOLDER: &str = "history";
/// Where `FileDirectory` keeps everything.
pub const DIRECTORY: &str = "history/directory";
const NEW: &str = "history/directory.new";

/// One file, written anew with every change and put in its place by renaming: what it says survives a
/// crash as a whole or not at all, as far as the disk keeps its word.
#[derive(Clone)]
pub struct FileDirectory(pub Arc<dyn Disk>);

fn refused(error: io::Error) -> Error {
    Error::new(Code::Io, format!("the directory of the history: {error}"))
}

impl Directory for FileDirectory {
    fn load(&self) -> Result<Option<Vec<u8>>> {
        let disk = &self.0;
        if !disk.exists(DIRECTORY).map_err(refused)? {
            return Ok(None);
        }
        let file = disk.open(DIRECTORY, karyon_log::OpenMode::Read).map_err(refused)?;
        let mut bytes = vec![0; file.len().map_err(refused)? as usize];
        file.read_exact_at(0, &mut bytes).map_err(refused)?;
        Ok(Some(bytes))
    }

    fn put(&self, value: &[u8]) -> Result<()> {
        let disk = &self.0;
        disk.create_dir(FOLDER).map_err(refused)?;
        let file = disk.create(NEW).map_err(refused)?;
        file.set_len(0).map_err(refused)?;
        file.write_at(0, value).map_err(refused)?;
        file.sync_data().map_err(refused)?;
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
