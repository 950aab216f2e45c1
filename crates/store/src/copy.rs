//! Copies of a store: backups, stores restored as of a moment, and what can be saved of damaged ones.
//!
//! All are made in one way: the log's frames up to a point, byte for byte; of the next frame the commits that belong to
//! it, if the cut lies inside of one; a seal; and last the identity. Until it is there the directory is no store, and
//! nobody can take half a copy for one. Checkpoints and history are not copied: the log has everything.
//!
//! A copy keeps the store's id, also one that is cut and goes another way from there. Whatever is matched with a log is
//! matched by points of its chain, whose hashes no other log has, and never by the id alone; and as the frames are the
//! same, a segment of a copy can stand in for one that was damaged, and a hash noted elsewhere proves what it proved.

use crate::archive::Archive;
use crate::checkpoint::load_all;
use crate::layout::{LOCK, OWNER, io_error, read, write_identity};
use crate::open::{owned, take_lock};
use crate::{Committed, Moment, Store};
use karyon_history::{Chapters, History};
use karyon_log::{Disk, Frame, Log, Lost, SegmentSizes};
use karyon_model::Cursor;
use karyon_model::{Code, CommitRecord, Error, Result, Seq, require};
use std::ops::ControlFlow;
use std::sync::Arc;

/// What a copy holds, and what it does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Its newest version, and that one's time.
    pub newest: Committed,
    /// Bytes of its log's frames.
    pub bytes: u64,
    /// What is wrong with the store that it was salvaged from, as opening says it.
    pub damage: Option<Error>,
    /// What of that store is not in the copy, if it was salvaged. Empty where the damage cost nothing.
    pub lost: Option<Vec<Lost>>,
    /// The version of the newest whole checkpoint that the copy does not reach. With it the damaged store may open: its
    /// present is whole then, and can be read there.
    pub checkpoint: Option<Seq>,
}

impl Store {
    /// Copies everything that is durable now to `target`, an empty directory, while commits go on. `process` is whom
    /// others are told of who want that directory meanwhile.
    ///
    /// Fails with `NotEmpty`, `Io` when the copy cannot be written, `Damaged` when the log is; the store goes on.
    /// Cost: reads, decodes and hashes the log once and writes it after zeros; keeps one frame in memory.
    pub fn backup(&self, target: Arc<dyn Disk>, process: u32) -> Result<Copied> {
        let Some(persistence) = &self.persistence else {
            return Err(Error::new(Code::Argument, "a memory kernel has no log to copy; open a directory"));
        };
        let _files = persistence.files.read();
        // Nothing behind is looked at: it may be half written.
        let at = Moment::Version(persistence.head().next_seq - 1);
        let (floor, archive) = (self.pipeline()?.floor, persistence.archive.lock().clone());
        copy(&archive, (target, process), Some(at), Some(floor))
    }
}

/// Copies what the store in `source`, which is not changed, held as of `at` (everything by default) to `target`, an empty
/// directory. Versions, times, authors and provenance stay; the copy goes its own way from there. Salvaging copies what
/// is whole before the first damage and says what is lost; without, damage is a failure.
///
/// Fails with `Owned` while the store is open, `NotAStore`, `NotEmpty`, `Time` for a version that the store does not
/// have, `Io` when the copy cannot be written, and as opening does when the store is damaged before `at`. Cost: as a backup;
/// salvaging reads what is lost once more, and a checkpoint into memory.
pub fn restore(
    source: Arc<dyn Disk>,
    target: (Arc<dyn Disk>, u32),
    at: Option<Moment>,
    salvage: bool,
) -> Result<Copied> {
    let store = read(&*source)?;
    // Where there is no lock nobody has the store open, and where none can be taken nobody can write.
    let known = source.exists(LOCK).unwrap_or(false);
    let lock = known.then(|| source.try_lock(LOCK));
    require(!matches!(lock, Some(Ok(None))), || owned(&*source))?;
    let archive = Archive::find(source, store)?;
    let mut copied = copy(&archive, target, at, (!salvage).then_some(i64::MIN))?;
    if copied.damage.is_some() {
        let history: Arc<dyn History> = Arc::new(Chapters::in_memory());
        let newest = load_all(&archive, &history)?.next().map(|loaded| loaded.anchor.seq);
        copied.checkpoint = newest.filter(|seq| *seq > copied.newest.seq);
    }
    Ok(copied)
}

/// Writes a copy. `floor` is a time that was handed out, so that no commit of the copy gets it again; without one, damage
/// is no failure.
fn copy(
    archive: &Archive,
    (target, process): (Arc<dyn Disk>, u32),
    at: Option<Moment>,
    floor: Option<i64>,
) -> Result<Copied> {
    let names = target.list("").map_err(io_error("", "list"))?;
    if let Some(found) = names.iter().find(|name| ![LOCK, OWNER].contains(&name.as_str())) {
        let message = format!("the directory for the copy holds {found:?}; name an empty or new one");
        return Err(Error::new(Code::NotEmpty, message).with("found", found.as_str()));
    }
    // Of two that have come this far the second finds a log that is not empty.
    let _lock = take_lock(&*target, process)?;
    let (until, latest) = match at {
        Some(Moment::Version(seq)) => (seq, i64::MAX),
        Some(Moment::Time(time)) => (Seq::MAX, time),
        None => (Seq::MAX, i64::MAX),
    };
    let reader = &archive.log;
    let mut newest = Committed { seq: archive.log.base.next_seq - 1, time: archive.time };
    if until < newest.seq || latest < newest.time {
        let message = format!(
            "the log is kept from version {} on, and what was before cannot be made a store of its own; name that or a later one",
            newest.seq
        );
        return Err(Error::new(Code::Horizon, message).with("since", newest.seq));
    }
    let archived = newest.seq;
    let mut write = || {
        archive.copy(&target)?;
        let mut rest = None;
        let mut take = |frame: &Frame<'_>| {
            let (mut cursor, first, base_time) =
                (Cursor::new(&frame.payload), frame.first_seq, frame.base_time);
            for count in 0..frame.commit_count {
                let (seq, bytes) = (first + Seq::from(count), cursor.position());
                let time = CommitRecord::decode(&mut cursor, seq, base_time)?.header.time;
                if seq > until || time > latest {
                    let payload = frame.payload[..bytes].to_vec().into();
                    rest = (count > 0).then_some(Frame { commit_count: count, payload, ..*frame });
                    return Ok(ControlFlow::Break(false));
                }
                newest = Committed { seq, time };
            }
            Ok(if newest.seq == until { ControlFlow::Break(true) } else { ControlFlow::Continue(()) })
        };
        let (mut log, damage) = if until == archived {
            (Log::create(target.clone(), archive.log.store, SegmentSizes::default(), archive.log.base)?, None)
        } else {
            reader.copy(target.clone(), SegmentSizes::default(), &mut take)?
        };
        let lost = match &damage {
            Some(error) if floor.is_some() || error.code() == Code::FormatNewer => return Err(error.clone()),
            Some(_) => Some(reader.lost(&log.head())?),
            None => floor.is_none().then(Vec::new),
        };
        let (there, last) = (until <= newest.seq || until == Seq::MAX, newest.seq);
        let message = || format!("there is no version {until}, the newest is {last}; name that");
        require(there, || Error::new(Code::Time, message()).with("newest", last))?;
        rest.map_or(Ok(()), |rest| log.append(&rest))?;
        log.sync()?;
        log.seal(newest.time.max(floor.unwrap_or(i64::MIN)))?;
        write_identity(&*target, archive.log.store)?;
        Ok(Copied { newest, bytes: log.tail_bytes(), damage, lost, checkpoint: None })
    };
    write().map_err(|error: Error| match error.code() {
        Code::SyncFailed => Error::new(Code::Io, format!("the copy is not finished: {}", error.message())),
        _ => error,
    })
}
