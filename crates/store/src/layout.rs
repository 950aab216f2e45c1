//! What lies where in a store's directory, and the file that makes a directory a store.
//!
//! | path | what |
//! |---|---|
//! | `karyon` | identity: 64 bytes, written once |
//! | `lock` | empty; locked by the process that has the store open |
//! | `owner` | that process's id, as text |
//! | `log/` | the segments |
//! | `checkpoint/` | images, the two newest |
//! | `history/` | tables of chapters, and their directory |
//! | `aside/` | bytes cut from a torn tail |
//!
//! The identity: 0 magic `KARYON` and two zero bytes; 8 u32 format, little-endian; 12 store id, 16 bytes; 28 zeros;
//! 60 u32 CRC32C of what is before.

pub(crate) use karyon_log::io_error;
use karyon_log::{
    ChainPoint, Disk, FORMAT_VERSION, Log, OpenMode, SegmentSizes, StoreId, StoreIdField, check_format,
};
use karyon_model::Cursor;
use karyon_model::{Code, Error, Result, require};
use std::io;
use std::sync::Arc;

pub(crate) const LOCK: &str = "lock";
pub(crate) const OWNER: &str = "owner";
pub(crate) const CHECKPOINTS: &str = "checkpoint";
const IDENTITY: &str = "karyon";
const IDENTITY_NEW: &str = "karyon.new";
const KNOWN: [&str; 8] = [IDENTITY, IDENTITY_NEW, LOCK, OWNER, "log", CHECKPOINTS, "aside", "history"];

const MAGIC: &[u8; 8] = b"KARYON\0\0";
const BYTES: usize = 64;

/// Refuses a directory that holds something else than a store.
pub(crate) fn check_foreign(disk: &dyn Disk) -> Result<()> {
    let names = disk.list("").map_err(io_error("", "list"))?;
    if names.iter().any(|name| name == IDENTITY) {
        return Ok(());
    }
    let refused = |found: &str| {
        let message =
            format!("the directory holds {found:?} and is no store; name an empty or new directory");
        Err(Error::new(Code::NotAStore, message).with("found", found))
    };
    if let Some(name) = names.iter().find(|name| !KNOWN.contains(&name.as_str())) {
        return refused(name);
    }
    // Names like `log` are anybody's: what is in them tells.
    for (directory, ours) in [("log", ".seg"), (CHECKPOINTS, ".image"), ("aside", "")] {
        if !names.iter().any(|name| name == directory) {
            continue;
        }
        let Ok(inside) = disk.list(directory) else { return refused(directory) };
        let numbered = |name: &str| name.starts_with(|first: char| first.is_ascii_digit());
        if let Some(name) = inside.iter().find(|name| !(numbered(name) && name.ends_with(ours))) {
            return refused(&format!("{directory}/{name}"));
        }
    }
    Ok(())
}

/// Reads the store's id, or makes the directory a store with the id that is handed in. True when it is new.
///
/// The log is made first and the identity last: a crash in between leaves a log without frames, which is made again. So a
/// store with an identity and without a log has lost it, and is refused.
pub(crate) fn identify(disk: &Arc<dyn Disk>, fresh: StoreId) -> Result<(StoreId, bool)> {
    if disk.exists(IDENTITY).map_err(io_error(IDENTITY, "find"))? {
        return read(&**disk).map(|id| (id, false));
    }
    Log::create(disk.clone(), fresh, SegmentSizes::default(), ChainPoint::genesis(fresh)).map_err(
        |error| {
            if error.code() == Code::Io || error.code() == Code::SyncFailed {
                return error;
            }
            let message = "the directory has a log and no identity file \"karyon\"; restore it from a backup";
            Error::new(Code::Damaged, message).with("path", IDENTITY).with("cause", error.to_string())
        },
    )?;
    write_identity(&**disk, fresh).map(|()| (fresh, true))
}

/// Makes the directory a store, durably: the last thing that is done to it.
pub(crate) fn write_identity(disk: &dyn Disk, id: StoreId) -> Result<()> {
    let mut bytes = file_head(MAGIC, id);
    bytes.resize(BYTES - 4, 0);
    bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
    write_whole(disk, IDENTITY_NEW, &bytes)?;
    disk.rename(IDENTITY_NEW, IDENTITY).map_err(io_error(IDENTITY, "rename"))?;
    disk.sync_dir("").map_err(io_error("", "sync"))
}

/// The id of the store that is there.
pub(crate) fn read(disk: &dyn Disk) -> Result<StoreId> {
    let mut bytes = [0; BYTES];
    let count = match disk.open(IDENTITY, OpenMode::Read).and_then(|file| file.read_at(0, &mut bytes)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        read => read.map_err(io_error(IDENTITY, "read"))?,
    };
    let refused = |code, message| Error::new(code, message).with("path", IDENTITY);
    let message =
        "there is no file \"karyon\" with a store's identity; name another directory or restore a backup";
    require(count >= 12 && bytes[..8] == *MAGIC, || refused(Code::NotAStore, message))?;
    check_format(IDENTITY, u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]))?;
    let whole = count == BYTES && bytes[60..] == crc32c::crc32c(&bytes[..60]).to_le_bytes();
    let message = "the identity file \"karyon\" does not match its checksum; restore it from a backup";
    require(whole, || refused(Code::Damaged, message))?;
    StoreIdField::decode(&mut Cursor::new(&bytes[12..]))
}

/// What every file of a store but the log's begins with.
pub(crate) fn file_head(magic: &[u8; 8], store: StoreId) -> Vec<u8> {
    [&magic[..], &FORMAT_VERSION.to_le_bytes(), &store.0].concat()
}

/// The files of a folder whose names end so, ascending.
pub(crate) fn files(disk: &dyn Disk, folder: &str, suffix: &str) -> Result<Vec<String>> {
    let paths = disk.paths(folder).map_err(io_error(folder, "list"))?;
    Ok(paths.into_iter().filter(|path| path.ends_with(suffix)).collect())
}

/// Removes files of a folder, durably.
pub(crate) fn remove(disk: &dyn Disk, folder: &str, paths: &[String]) -> Result<()> {
    paths.iter().try_for_each(|path| disk.remove(path).map_err(io_error(path, "remove")))?;
    if paths.is_empty() { Ok(()) } else { disk.sync_dir(folder).map_err(io_error(folder, "sync")) }
}

/// Writes a file anew and makes its bytes durable; its name is durable after the directory's sync.
pub(crate) fn write_whole(disk: &dyn Disk, path: &str, bytes: &[u8]) -> Result<()> {
    let file = disk.create(path).map_err(io_error(path, "create"))?;
    file.set_len(0).map_err(io_error(path, "cut"))?;
    file.write_at(0, bytes).map_err(io_error(path, "write"))?;
    file.sync_data().map_err(io_error(path, "sync"))
}
