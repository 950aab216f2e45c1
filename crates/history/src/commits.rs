//! The index of commits: who, when, from what, and which nodes and edges each one changed.
//!
//! Commits come in pages of [`PAGE_COMMITS`]. A full page is sealed as a chapter of its own, [`ObjectId::Commits`]; the
//! last one is in memory, with the first time of every page, so that a time is found in one look. A page's bytes are the
//! time of its first commit (signed), and each commit as in a frame, its time counted from the one before: in the place of the
//! operations is what it touched, for each the signed step from the one before of number × 2, + 1 for an edge.

use crate::{Chapter, History, ObjectId, Run};
use karyon_model::{Code, CommitHeader, CommitRecord, EntityId, Error, Result, Reverted, Seq, encode_commit};
use karyon_model::{Cursor, put_signed, put_varint, put_varints};
use quick_cache::sync::Cache;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Commits of a full page.
pub const PAGE_COMMITS: u64 = 1024;
/// Decoded pages kept at hand.
const PAGES_CACHED: usize = 128;

/// What is known of one commit without reading the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Who, when, from what.
    pub header: CommitHeader,
    /// The nodes and edges that it changed.
    pub touched: Touched,
}

/// Nodes and edges, ascending, in a byte or some for each: the signed step from the number before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched(Box<[u8]>);

impl Touched {
    fn new(touched: &[EntityId]) -> Touched {
        let mut out = Vec::with_capacity(2 * touched.len());
        touched.iter().fold(0, |before, entity| {
            let number = entity.packed() as i64;
            put_signed(&mut out, number - before);
            number
        });
        Touched(out.into())
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = EntityId> {
        let (mut cursor, mut number) = (Cursor::new(&self.0), 0i64);
        std::iter::from_fn(move || {
            number = number.checked_add(cursor.signed().ok()?)?;
            EntityId::unpack(u64::try_from(number).ok()?)
        })
    }
}

/// A page of commits.
pub type Page = Arc<Vec<Commit>>;

/// Every commit of a store.
pub struct Commits {
    history: Arc<dyn History>,
    /// The commits since the last full page.
    tail: Page,
    /// The newest commit's time.
    newest_time: i64,
    /// The number of full pages, by the times of their first commits.
    starts: Vec<i64>,
    /// Apart from the pages, as few commits revert.
    reverts: BTreeMap<Seq, Reverted>,
    pages: Cache<u32, Page>,
}

impl Commits {
    /// An index without commits, whose full pages are kept in `history`.
    pub fn new(history: Arc<dyn History>) -> Commits {
        let (tail, starts, reverts) = (Page::default(), Vec::new(), BTreeMap::new());
        Commits { history, tail, newest_time: 0, starts, reverts, pages: Cache::new(PAGES_CACHED) }
    }

    /// The newest commit; 0 when there is none.
    pub fn last(&self) -> Seq {
        self.full() + self.tail.len() as Seq
    }

    /// The newest commit's time; 0 when there is none.
    pub fn newest_time(&self) -> i64 {
        self.newest_time
    }

    /// Commits in full pages.
    fn full(&self) -> Seq {
        self.starts.len() as Seq * PAGE_COMMITS
    }

    /// Adds the next commit and what it changed. Returns a page when one is full, to be sealed before anyone reads again.
    pub fn push(&mut self, header: &CommitHeader, touched: &[EntityId]) -> Option<(ObjectId, Chapter)> {
        debug_assert_eq!(header.seq, self.last() + 1);
        let CommitHeader { seq, time, reverts, .. } = *header;
        self.newest_time = time;
        self.reverts.extend(reverts.map(|reverts| (seq, reverts)));
        let commit = Commit { header: header.clone(), touched: Touched::new(touched) };
        Arc::make_mut(&mut self.tail).push(commit);
        if self.tail.len() as u64 != PAGE_COMMITS {
            return None;
        }
        let page = std::mem::take(&mut self.tail);
        let mut anchor = Vec::new();
        put_page(&page, &mut anchor);
        let (object, first) = (ObjectId::Commits(self.starts.len() as u32), &page[0].header);
        self.starts.push(first.time);
        // Its end is its own last commit, so that it goes with the log up to there.
        let run = Run::starting(first.seq - 1);
        let chapter = Chapter { end: seq, anchor: anchor.into(), run, thinned: false };
        Some((object, chapter))
    }

    /// The page that holds a commit; an empty one for the version 0 and for what has not happened.
    fn page(&self, seq: Seq) -> Result<Page> {
        if seq > self.full() {
            return Ok(self.tail.clone());
        }
        let Some(at) = seq.checked_sub(1) else { return Ok(Page::default()) };
        let number = (at / PAGE_COMMITS) as u32;
        self.pages.get_or_insert_with(&number, || {
            let Some(chapter) = self.history.find(ObjectId::Commits(number), at)? else {
                let what = format!("the commits around version {seq} are missing from the history");
                return Err(Error::new(Code::Damaged, what + "; open the store again"));
            };
            let commits = chapter.run.start() + 1..=chapter.end;
            take_page(commits, &mut Cursor::new(&chapter.anchor)).map(Page::new)
        })
    }

    /// Hands a commit to `read`; `None` when there is none of that number. Fails with `HistoryBuilding` while its page is not there.
    ///
    /// Cost: none for the newest commits; else one look into the history for each page of 1,024.
    pub fn read<T>(&self, seq: Seq, read: impl FnOnce(&Commit) -> T) -> Result<Option<T>> {
        let page = self.page(seq)?;
        let at = page.first().and_then(|first| seq.checked_sub(first.header.seq));
        Ok(at.and_then(|at| page.get(at as usize)).map(read))
    }

    /// Hands the commits in `(from, to]` to `visit`, oldest first, until it returns false.
    pub fn visit(&self, from: Seq, to: Seq, visit: &mut dyn FnMut(&Commit) -> Result<bool>) -> Result<()> {
        let mut next = from + 1;
        while next <= to.min(self.last()) {
            let page = self.page(next)?;
            let skipped = page.iter().take_while(|commit| commit.header.seq < next).count();
            for commit in &page[skipped..] {
                if commit.header.seq > to || !visit(commit)? {
                    return Ok(());
                }
                next = commit.header.seq + 1;
            }
        }
        Ok(())
    }

    /// Every commit that takes something back, oldest first.
    pub fn all_reverts(&self) -> impl DoubleEndedIterator<Item = (Seq, Reverted)> {
        self.reverts.iter().map(|(seq, reverts)| (*seq, *reverts))
    }

    /// The newest commit at or before a time; 0 when all are later.
    ///
    /// Cost: two binary searches, and a look into the history below the last page.
    pub fn at_time(&self, micros: i64) -> Result<Seq> {
        let in_tail = self.tail.first().is_some_and(|first| first.header.time <= micros);
        let page = match self.starts.partition_point(|start| *start <= micros) {
            _ if in_tail => self.tail.clone(),
            0 => return Ok(0),
            after => self.page(after as Seq * PAGE_COMMITS)?,
        };
        let count = page.partition_point(|commit| commit.header.time <= micros);
        Ok(page[count - 1].header.seq)
    }

    /// Appends everything that is not in full pages, for a checkpoint.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_signed(out, self.newest_time);
        put_varint(out, self.starts.len() as u64);
        self.starts.iter().fold(0, |before, start| {
            put_signed(out, start - before);
            *start
        });
        put_varint(out, self.reverts.len() as u64);
        for (seq, Reverted { principal, since }) in &self.reverts {
            put_varints(out, [*seq, (*principal).into(), *since]);
        }
        put_varint(out, self.tail.len() as u64);
        put_page(&self.tail, out);
    }

    /// Reads what `encode` wrote.
    pub fn decode(bytes: &[u8], history: Arc<dyn History>) -> Result<Commits> {
        let mut cursor = Cursor::new(bytes);
        let mut commits = Commits::new(history);
        commits.newest_time = cursor.signed()?;
        let mut start = 0;
        for _ in 0..cursor.length()? {
            start += cursor.signed()?;
            commits.starts.push(start);
        }
        for _ in 0..cursor.length()? {
            let seq = cursor.varint()?;
            commits.reverts.insert(seq, Reverted { principal: cursor.id()?, since: cursor.varint()? });
        }
        let (full, count) = (commits.full(), cursor.length()? as Seq);
        commits.tail = take_page(full + 1..=full + count, &mut cursor)?.into();
        cursor.expect(cursor.is_empty(), "an index of commits with more than its commits")?;
        Ok(commits)
    }
}

/// Appends the bytes of a page.
fn put_page(page: &[Commit], out: &mut Vec<u8>) {
    let base = page.first().map_or(0, |first| first.header.time);
    put_signed(out, base);
    page.iter().fold(base, |before, Commit { header, touched }| {
        encode_commit(header, &touched.0, before, out);
        header.time
    });
}

/// Reads the page of these commits.
fn take_page(commits: RangeInclusive<Seq>, cursor: &mut Cursor<'_>) -> Result<Vec<Commit>> {
    let (mut page, mut before) = (Vec::new(), cursor.signed()?);
    for seq in commits {
        let CommitRecord { header, operations } = CommitRecord::decode(cursor, seq, before)?;
        before = header.time;
        page.push(Commit { header, touched: Touched(operations.into()) });
    }
    Ok(page)
}
