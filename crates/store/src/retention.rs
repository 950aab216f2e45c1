//! Letting go of the past: what a retention keeps is archived, the rest goes with the log's segments; what is erased goes for good.

use crate::archive::{Archive, Kept, NEW, digest, remove_older};
use crate::layout::{CHECKPOINTS, files, io_error, remove};
use crate::rebuild::{Sealed, visit_commits};
use crate::store::{Author, Committed, Store};
use crate::writer::Persistence;
use karyon_graph::{Graph, ImageWriter, Purpose, Transaction};
use karyon_history::{Chapter, Chapters, Horizon, Record, end_of, object_of};
use karyon_log::{ASIDE_DIRECTORY, ChainPoint, HashField, LOG_DIRECTORY, StoreId};
use karyon_model::fields::U64;
use karyon_model::limits::KEPT_VERSIONS_MAX;
use karyon_model::{Code, Error, Result, Seq, bounded, put_bytes};
use std::ops::ControlFlow;
use std::sync::Arc;

/// What of the past is kept.
#[derive(Clone, Debug, Default)]
pub struct Retention {
    /// Everything from this version on.
    pub since: Seq,
    /// Of each node and edge at least its newest so many versions.
    pub versions: usize,
    /// Of what was before, the last version of each span of so many µs, counted from 1970; 0 for none.
    pub every: u64,
}

/// What an archive has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archived {
    /// The commit that says so; the newest one where nothing was to be archived.
    pub committed: Committed,
    /// From here on everything is kept.
    pub since: Seq,
    /// Versions before it that are kept.
    pub kept: usize,
    /// Bytes of log and archive before, and after.
    pub bytes: (u64, u64),
}

impl Store {
    /// Lets go of the past that a retention does not name: the segments of the log before its horizon are replaced by an archive
    /// of what is kept. What is kept can be asked for as before; what is not is told with `Horizon`. Also kept is what forks stand on.
    ///
    /// `Store::commit` says when it fails; `HistoryBuilding` while the past is being rebuilt, `Io` when the archive cannot be
    /// written, which changes nothing. Cost: repeats the log up to the horizon in a second graph, and writes what is kept.
    pub fn compact(&self, retention: &Retention, author: Author<'_>) -> Result<Archived> {
        self.archive(Some(retention), None, author)
    }

    /// Erases a node with its edges, now and in the past: nothing of them stays in memory or in the store's files but their numbers
    /// and the times of their changes. That it was done, when and by whom stays, without its key.
    ///
    /// Everything before is archived, whole. When it fails behind its commit, the node is gone and its bytes are not: call it
    /// again, or open the store again, which finishes it. Cost: as `compact` of everything.
    pub fn erase(&self, key: &str, author: Author<'_>) -> Result<Archived> {
        self.archive(None, Some(key), author)
    }

    /// Whether what was erased is still in the files.
    pub(crate) fn is_erasing(&self) -> Result<bool> {
        let erased = self.body()?.graph.erased();
        let archive = self.persistence.as_ref().map(|persistence| persistence.archive.lock().clone());
        Ok(archive.is_some_and(|it| erased >= it.log.base.next_seq || (erased > 0 && it.leaving)))
    }

    /// Archives what a retention keeps, or without one everything, so that what was erased goes, and with it a node.
    pub(crate) fn archive(
        &self,
        retention: Option<&Retention>,
        key: Option<&str>,
        author: Author<'_>,
    ) -> Result<Archived> {
        self.progress().check()?;
        author.gate.write_node(&mut std::iter::empty(), self.body()?.graph.names())?;
        let erase = || {
            let Some(key) = key else { return Ok(()) };
            let erasing = Transaction::with(self.begin()?.snapshot(), Purpose::Erase(key.into()));
            match self.commit(&erasing, author) {
                // It is gone already, and its bytes are not.
                Err(error) if error.code() == Code::NodeMissing && self.is_erasing()? => Ok(()),
                erased => erased.map(drop),
            }
        };
        let _turn = self.archiving.lock();
        let Some(persistence) = &self.persistence else {
            let done = erase().and_then(|()| self.archive_memory(retention));
            self.history.announce(Horizon::default());
            return done;
        };
        // An image in the making would show half of what is erased.
        let (_image, _files) = (persistence.checkpoint_turn.lock(), persistence.files.write());
        self.pipeline()?.admit()?;
        erase()?;
        let done = self.archive_log(persistence, retention, author);
        self.history.announce(Horizon::default());
        done.inspect_err(|_| drop(persistence.disk.remove(NEW)))
    }

    fn archive_log(
        &self,
        persistence: &Persistence,
        retention: Option<&Retention>,
        author: Author<'_>,
    ) -> Result<Archived> {
        while self.write_frame()? {}
        // A full disk costs nothing here; of a failed sync nobody knows what it has cost.
        let failed = |error: &Error| {
            if error.code() == Code::SyncFailed {
                self.fail(error.clone())
            }
        };
        let newest = persistence.rotate().inspect_err(failed)?;
        let before = persistence.archive.lock().clone();
        self.go_by(persistence, before.clone())?;
        let mut boundaries = persistence.reader().boundaries()?;
        // Commits go on: where the log ends by now is amid a segment.
        boundaries.push(newest);
        let until = retention.map_or(Seq::MAX, |retention| retention.since.saturating_add(1));
        let base =
            boundaries.into_iter().rev().find(|point| point.next_seq <= until).unwrap_or(before.log.base);
        let keep = self.announced(retention, base)?;
        let bytes = persistence.log_bytes()?;
        let archived = |committed, bytes| {
            let (since, kept) = (keep.horizon.since, keep.horizon.kept.len());
            Ok(Archived { committed, since, kept, bytes })
        };
        let gone = retention.is_none() && self.body()?.graph.erased() < before.log.base.next_seq;
        if gone || (base == before.log.base && keep.horizon == before.horizon) {
            return archived(self.body()?.newest(), (bytes, bytes));
        }
        let written = self.write_archive(persistence, &before, &keep);
        let digest = written.map_err(|error| self.history.give_up(error))?;
        let purpose = Purpose::Archive { through: base.next_seq - 1, digest };
        let archiving = Transaction::with(self.begin()?.snapshot(), purpose);
        let committed = self.commit(&archiving, author)?;
        self.make_durable(committed.seq)?;
        let disk = &*persistence.disk;
        let erased = self.body()?.graph.erased();
        if (before.log.base.next_seq..base.next_seq).contains(&erased) {
            // Before the archive is in its place: as long as the log has everything, nothing needs them. What was cut from
            // a torn tail was never acknowledged, and may hold what was erased.
            remove(disk, CHECKPOINTS, &files(disk, CHECKPOINTS, "")?)?;
            remove(disk, ASIDE_DIRECTORY, &files(disk, ASIDE_DIRECTORY, "")?)?;
        }
        let archive = before.succeeded(base)?;
        self.go_by(persistence, archive)?;
        archived(committed, (bytes, persistence.log_bytes()?))
    }

    /// Has the history and the log's files be what an archive says, which is in its place.
    fn go_by(&self, persistence: &Persistence, mut archive: Archive) -> Result<()> {
        let disk = &*persistence.disk;
        archive.leaving = true;
        *persistence.archive.lock() = archive.clone();
        if self.history.mark() != archive.mark {
            let horizon = archive.horizon.clone();
            self.history.replace(archive.chapters()?, archive.log.base, horizon, archive.mark)?;
        }
        remove_older(disk)?;
        persistence.log.lock().cut(archive.log.base)?;
        // What was erased may not come back with a power cut.
        disk.sync_dir(LOG_DIRECTORY).map_err(io_error(LOG_DIRECTORY, "sync"))?;
        archive.leaving = false;
        *persistence.archive.lock() = archive;
        Ok(())
    }

    /// What will be kept of the past before a point, made known under the commit lock: no fork is made any more on what goes. All of it
    /// without a retention.
    fn announced(&self, retention: Option<&Retention>, base: ChainPoint) -> Result<Kept> {
        let (before, through) = (self.history.horizon(), base.next_seq - 1);
        let Some(retention) = retention else {
            return Ok(Kept { base, horizon: before, versions: usize::MAX });
        };
        let (_pipeline, pins) = (self.pipeline()?, self.pins.lock());
        let (body, since) = (self.body()?, retention.since.min(through).max(before.since));
        let mut kept: Vec<_> = pins.keys().copied().collect();
        let layers = body.graph.layers().iter();
        kept.extend(
            layers.filter(|layer| layer.dropped.is_none_or(|seq| seq > through)).map(|layer| layer.from),
        );
        kept.extend(body.graph.merge_bases());
        let (every, mut seq) = (i64::try_from(retention.every).unwrap_or(i64::MAX), 1);
        while every > 0 && seq < since && kept.len() <= KEPT_VERSIONS_MAX {
            let time = body.commits.read(seq, |commit| commit.header.time)?.unwrap_or(i64::MAX);
            let end = time.div_euclid(every).saturating_add(1).saturating_mul(every).saturating_sub(1);
            let last = body.commits.at_time(end)?;
            kept.push(last);
            seq = last.max(seq) + 1;
        }
        kept.retain(|seq| *seq > 0 && *seq < since && before.keeps(*seq));
        kept.sort_unstable();
        kept.dedup();
        bounded(kept.len() <= KEPT_VERSIONS_MAX, Code::Argument, KEPT_VERSIONS_MAX, || {
            format!(
                "more than {KEPT_VERSIONS_MAX} versions would be kept one by one; keep fewer, further apart"
            )
        })?;
        let horizon = Horizon { since, kept };
        self.history.announce(horizon.clone());
        Ok(Kept { base, horizon, versions: retention.versions })
    }

    /// Writes an archive of what is to be kept. Returns its SHA-256.
    fn write_archive(&self, persistence: &Persistence, before: &Archive, keep: &Kept) -> Result<[u8; 32]> {
        let mut file = before.succeed(keep, self.time_of(keep.base.next_seq - 1)?)?;
        // What it seals again is there already.
        let past = Arc::new(Sealed(self.history.clone()));
        let (mut body, mut item) = (before.load(past.clone(), None)?, Vec::new());
        persistence.reader().read(&keep.base, &mut |frame, end| {
            item.clear();
            U64::encode(&end.next_seq, &mut item);
            HashField::encode(&end.hash, &mut item);
            file.gather(&item)?;
            visit_commits(frame, &mut |commit| body.replay(&*past, &commit))?;
            Ok(ControlFlow::Continue(()))
        })?;
        file.end_part()?;
        item.clear();
        body.commits.encode(&mut item);
        let mut image = ImageWriter::new(&body.graph);
        file.body(&item, || image.next_block(&body.graph))?;
        visit_kept(&self.history, &body.graph, keep, &mut |(key, record)| {
            item.clear();
            item.extend_from_slice(&key);
            put_bytes(&mut item, &record);
            file.gather(&item)
        })?;
        file.end_part()?;
        file.finish()?;
        digest(&*persistence.disk, NEW)
    }

    /// The same where nothing is on disk: there is no log to be archived.
    fn archive_memory(&self, retention: Option<&Retention>) -> Result<Archived> {
        let next_seq = self.body()?.graph.head() + 1;
        let base = ChainPoint { next_seq, ..ChainPoint::genesis(StoreId([0; 16])) };
        let keep = self.announced(retention, base)?;
        let (body, mut all) = (self.body()?, Vec::new());
        visit_kept(&self.history, &body.graph, &keep, &mut |record| {
            all.push(Ok(record));
            Ok(())
        })?;
        let (since, kept, committed) = (keep.horizon.since, keep.horizon.kept.len(), body.newest());
        self.history.replace(all.into_iter(), base, keep.horizon, 0)?;
        Ok(Archived { committed, since, kept, bytes: (0, 0) })
    }
}

/// Hands the records that are kept of the chapters that end before a point to `visit`, in the order of their keys.
fn visit_kept(
    history: &Chapters,
    graph: &Graph,
    keep: &Kept,
    visit: &mut dyn FnMut(Record) -> Result<()>,
) -> Result<()> {
    let ended =
        |record: &Result<Record>| record.as_ref().map_or(true, |it| end_of(&it.0) < keep.base.next_seq);
    let (mut chapters, mut records) = (Vec::new(), history.records().filter(ended).peekable());
    while let Some(record) = records.next() {
        let (key, bytes) = record?;
        let message = "the history holds a chapter of nothing; open the store again";
        let object = object_of(&key).ok_or_else(|| Error::new(Code::Damaged, message))?;
        chapters.push(Chapter::decode(object, end_of(&key), &bytes)?);
        let next = records.peek().and_then(|next| next.as_ref().ok()).and_then(|next| object_of(&next.0));
        if next != Some(object) {
            for kept in graph.kept(object, std::mem::take(&mut chapters), &keep.horizon, keep.versions)? {
                visit((Chapter::key(object, kept.end), kept.encode(object).into()))?;
            }
        }
    }
    Ok(())
}
