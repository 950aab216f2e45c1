//! A disk that says what it is asked for before it does it, so that something else can happen just then.

use std::io::Result;
use std::sync::{Arc, Mutex};

use karyon_log::{Disk, File, Lock, OpenMode};
use karyon_testkit::disk::SimDisk;

/// What is asked for.
pub enum Call<'a> {
    CreateDir,
    Open(&'a str, OpenMode),
}

#[derive(Clone)]
pub struct Hooked {
    disk: SimDisk,
    before: Arc<dyn Fn(Call<'_>) + Send + Sync>,
}

/// How the path of a file ends, how it is opened, and what happens then.
pub type Hook = (&'static str, OpenMode, Box<dyn FnOnce() + Send>);

impl Hooked {
    pub fn new(disk: SimDisk, before: impl Fn(Call<'_>) + Send + Sync + 'static) -> Hooked {
        Hooked { disk, before: Arc::new(before) }
    }

    /// What is put into the place beside it happens once.
    pub fn once(disk: SimDisk) -> (Hooked, Arc<Mutex<Option<Hook>>>) {
        let place = Arc::new(Mutex::new(None::<Hook>));
        let hook = place.clone();
        let hooked = Hooked::new(disk, move |call| {
            let Call::Open(path, mode) = call else { return };
            // Let go of first: what happens may open files.
            let meant = hook.lock().unwrap().take_if(|hook| path.ends_with(hook.0) && mode == hook.1);
            meant.into_iter().for_each(|hook| (hook.2)());
        });
        (hooked, place)
    }
}

impl Disk for Hooked {
    fn list(&self, path: &str) -> Result<Vec<String>> {
        self.disk.list(path)
    }
    fn exists(&self, path: &str) -> Result<bool> {
        self.disk.exists(path)
    }
    fn create_dir(&self, path: &str) -> Result<()> {
        (self.before)(Call::CreateDir);
        self.disk.create_dir(path)
    }
    fn open(&self, path: &str, mode: OpenMode) -> Result<Box<dyn File>> {
        (self.before)(Call::Open(path, mode));
        self.disk.open(path, mode)
    }
    fn remove(&self, path: &str) -> Result<()> {
        self.disk.remove(path)
    }
    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.disk.rename(from, to)
    }
    fn sync_dir(&self, path: &str) -> Result<()> {
        self.disk.sync_dir(path)
    }
    fn try_lock(&self, path: &str) -> Result<Option<Box<dyn Lock>>> {
        self.disk.try_lock(path)
    }
}
