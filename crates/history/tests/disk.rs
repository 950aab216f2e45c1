//! Chapters and pages of commits on disk, with the directory in sled.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use karyon_history::{
    Chapter, Chapters, Commits, Directory, History, ObjectId, PAGE_COMMITS, Progress, Run, SledDirectory,
};
use karyon_log::{ChainPoint, Hash, Position, RealDisk, StoreId};
use karyon_model::{Code, CommitHeader, EntityId, Reverted, Seq, Trust};
use proptest::prelude::*;

fn node(id: u32) -> ObjectId {
    ObjectId::Entity(EntityId::Node(id))
}

const STORE: StoreId = StoreId([7; 16]);

/// A folder of the operating system, removed at the end of the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let unique =
            format!("karyon-history-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(unique);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn directory(&self) -> Arc<dyn Directory> {
        Arc::new(SledDirectory::new(self.0.join("history").join("directory")))
    }

    fn open(&self, directory: Arc<dyn Directory>) -> karyon_model::Result<Chapters> {
        Chapters::open(Arc::new(RealDisk::new(&self.0)), directory, STORE, 0)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn point(last: Seq) -> ChainPoint {
    let position = Position { segment: 1, offset: 512 };
    ChainPoint { position, next_seq: last + 1, hash: Hash([9; 32]), frame: 512 }
}

fn chapter(start: Seq, end: Seq) -> Chapter {
    Chapter { end, anchor: vec![end as u8; 40].into(), run: Run::starting(start), thinned: false }
}

fn tables(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder.join("history")) else { return 0 };
    entries.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(".table")).count()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Lives of objects, cut into chapters and written in any portions, are found again at every moment.
    #[test]
    fn every_moment_is_found_whatever_was_written_when(
        changes in prop::collection::vec((0u32..6, 1u64..4), 1..400),
        writes in prop::collection::vec(1u64..60, 1..40),
    ) {
        let folder = Folder::new();
        let mut chapters = folder.open(folder.directory()).unwrap();
        let memory = Chapters::in_memory();
        let (mut seq, mut starts, mut writes) = (1, [1u64; 6], writes.into_iter().cycle());
        let mut due = writes.next().unwrap();
        for (object, step) in changes {
            seq += step;
            let sealed = chapter(starts[object as usize], seq);
            starts[object as usize] = seq;
            for history in [&chapters, &memory] {
                history.seal(node(object), &sealed).unwrap();
            }
            due = due.saturating_sub(step);
            if due == 0 {
                due = writes.next().unwrap();
                chapters.write(point(seq)).unwrap();
                if due % 7 == 0 {
                    drop(chapters);
                    chapters = folder.open(folder.directory()).unwrap();
                    prop_assert_eq!(chapters.covered(), Some(point(seq)));
                }
            }
        }
        for object in (0..7).map(node).chain([ObjectId::Entity(EntityId::Edge(1)), ObjectId::Label(0)]) {
            for at in 0..=seq {
                prop_assert_eq!(chapters.find(object, at).unwrap(), memory.find(object, at).unwrap());
            }
            prop_assert_eq!(chapters.chapters(object).unwrap(), memory.chapters(object).unwrap());
        }
        let all = |history: &Chapters| history.records().collect::<karyon_model::Result<Vec<_>>>().unwrap();
        prop_assert_eq!(all(&chapters), all(&memory));
        prop_assert!(tables(&folder.0) <= 8);
    }
}

#[test]
fn what_is_not_durable_in_the_log_waits_in_memory() {
    let folder = Folder::new();
    let chapters = folder.open(folder.directory()).unwrap();
    for end in 2..=9 {
        chapters.seal(node(0), &chapter(end - 1, end)).unwrap();
    }
    chapters.write(point(5)).unwrap();
    drop(chapters);
    let chapters = folder.open(folder.directory()).unwrap();
    let ends: Vec<_> = chapters.chapters(node(0)).unwrap().iter().map(|chapter| chapter.end).collect();
    assert_eq!(ends, [2, 3, 4, 5]);
    // A replay seals everything again: what the tables have is not kept twice.
    for end in 2..=9 {
        chapters.seal(node(0), &chapter(end - 1, end)).unwrap();
    }
    chapters.write(point(9)).unwrap();
    assert_eq!(chapters.records().count(), 8);
}

#[test]
fn what_is_not_rebuilt_yet_is_a_typed_error() {
    let history = Chapters::in_memory();
    history.set_progress(Progress::Building { done: 3, total: 9 });
    assert_eq!(history.find(node(1), 2).unwrap_err().code(), Code::HistoryBuilding);
    history.seal(node(1), &chapter(1, 4)).unwrap();
    assert!(history.find(node(1), 2).unwrap().is_some());
    history.set_progress(Progress::Ready);
    assert_eq!(history.find(node(2), 2).unwrap(), None);
}

#[test]
fn a_store_without_tables_has_no_directory_and_none_of_its_threads() {
    let folder = Folder::new();
    let chapters = folder.open(folder.directory()).unwrap();
    chapters.seal(node(0), &chapter(1, 2)).unwrap();
    assert!(!folder.0.join("history").exists());
}

#[test]
fn a_directory_that_sled_cannot_read_is_damaged_and_can_be_cleared() {
    let folder = Folder::new();
    let chapters = folder.open(folder.directory()).unwrap();
    chapters.seal(node(0), &chapter(1, 2)).unwrap();
    chapters.write(point(2)).unwrap();
    drop(chapters);
    for file in std::fs::read_dir(folder.0.join("history/directory")).unwrap() {
        let file = file.unwrap();
        if file.file_type().unwrap().is_file() {
            std::fs::write(file.path(), b"something else than sled wrote").unwrap();
        }
    }
    let directory = folder.directory();
    assert_eq!(folder.open(directory.clone()).err().unwrap().code(), Code::Damaged);
    directory.clear().unwrap();
    let chapters = folder.open(directory).unwrap();
    assert_eq!((chapters.covered(), chapters.records().count()), (None, 0));
    assert_eq!(tables(&folder.0), 0, "tables that nothing names are removed");
}

#[test]
fn tables_of_another_store_are_refused() {
    let folder = Folder::new();
    let directory = folder.directory();
    let chapters = folder.open(directory.clone()).unwrap();
    chapters.seal(node(0), &chapter(1, 2)).unwrap();
    chapters.write(point(2)).unwrap();
    let disk = Arc::new(RealDisk::new(&folder.0));
    let foreign = Chapters::open(disk.clone(), directory.clone(), StoreId([8; 16]), 0);
    assert_eq!(foreign.err().unwrap().code(), Code::Damaged);
    directory.clear().unwrap();
    assert_eq!(Chapters::open(disk, directory, StoreId([8; 16]), 0).unwrap().records().count(), 0);
}

fn header(seq: Seq) -> CommitHeader {
    CommitHeader {
        seq,
        time: seq as i64 * 10 - 5_000,
        layer: 0,
        principal: (seq % 7) as u32,
        incarnation: (seq % 3) as u32,
        on_behalf_of: None,
        trust: Trust::FULL,
        cause: (seq.is_multiple_of(5) && seq > 5).then(|| seq - 3),
        parents: (1..seq.min(4)).map(|back| seq - back).collect(),
        coarse: false,
        reverts: (seq.is_multiple_of(500)).then(|| Reverted { principal: 2, since: seq - 9 }),
    }
}

#[test]
fn commits_are_found_in_full_pages_and_in_the_last_one_also_after_a_checkpoint() {
    let history = Arc::new(Chapters::in_memory());
    let mut commits = Commits::new(history.clone());
    let total = 2 * PAGE_COMMITS + 17;
    let touched = |seq: Seq| [EntityId::Node(seq as u32), EntityId::Edge(seq as u32 / 2)];
    for seq in 1..=total {
        if let Some((object, chapter)) = commits.push(&header(seq), &touched(seq)) {
            history.seal(object, &chapter).unwrap();
        }
        if [1, PAGE_COMMITS - 1, PAGE_COMMITS, PAGE_COMMITS + 1, 2 * PAGE_COMMITS, total].contains(&seq) {
            let mut bytes = Vec::new();
            commits.encode(&mut bytes);
            for cut in (0..bytes.len()).step_by(97) {
                assert!(Commits::decode(&bytes[..cut], history.clone()).is_err());
            }
            commits = Commits::decode(&bytes, history.clone()).unwrap();
            assert_eq!((commits.last(), commits.newest_time()), (seq, header(seq).time));
        }
    }
    for seq in 1..=total {
        let expected = header(seq);
        let found = commits.read(seq, Clone::clone).unwrap().unwrap();
        assert_eq!(found.header, expected);
        assert!(found.touched.iter().eq(touched(seq)));
        assert_eq!(commits.at_time(expected.time).unwrap(), seq);
        assert_eq!(commits.at_time(expected.time - 1).unwrap(), seq - 1);
    }
    assert_eq!(commits.read(0, |_| ()).unwrap(), None);
    assert_eq!(commits.read(total + 1, |_| ()).unwrap(), None);
    for (from, to) in [(0, total), (PAGE_COMMITS - 2, PAGE_COMMITS + 2), (5, 5), (total - 1, total + 9)] {
        let mut visited = Vec::new();
        let visit = &mut |commit: &karyon_history::Commit| {
            visited.push(commit.header.seq);
            Ok(true)
        };
        commits.visit(from, to, visit).unwrap();
        assert_eq!(visited, (from + 1..=to.min(total)).collect::<Vec<_>>());
    }
}

#[test]
fn a_rebuild_never_moves_back_what_is_covered() {
    let folder = Folder::new();
    let chapters = folder.open(folder.directory()).unwrap();
    for end in 2..=9 {
        chapters.seal(node(0), &chapter(end - 1, end)).unwrap();
    }
    chapters.write(point(9)).unwrap();
    chapters.write(point(3)).unwrap();
    assert_eq!(chapters.covered(), Some(point(9)));
    drop(chapters);
    assert_eq!(folder.open(folder.directory()).unwrap().covered(), Some(point(9)));
}

#[test]
fn after_damage_was_found_nothing_makes_the_tables_believed_again() {
    let folder = Folder::new();
    let chapters = folder.open(folder.directory()).unwrap();
    chapters.seal(node(0), &chapter(1, 2)).unwrap();
    chapters.write(point(2)).unwrap();
    drop(chapters);
    let table = folder.0.join("history/0000000001.table");
    let mut bytes = std::fs::read(&table).unwrap();
    bytes[60] ^= 1;
    std::fs::write(&table, bytes).unwrap();
    let chapters = folder.open(folder.directory()).unwrap();
    assert_eq!(chapters.find(node(0), 1).unwrap_err().code(), Code::Damaged);
    chapters.seal(node(0), &chapter(2, 3)).unwrap();
    chapters.write(point(3)).unwrap();
    drop(chapters);
    assert_eq!(folder.open(folder.directory()).err().unwrap().code(), Code::Damaged);
}

#[test]
fn a_directory_that_somebody_holds_is_left_alone() {
    let folder = Folder::new();
    let chapters = folder.open(folder.directory()).unwrap();
    chapters.seal(node(0), &chapter(1, 2)).unwrap();
    chapters.write(point(2)).unwrap();
    assert_eq!(folder.open(folder.directory()).err().unwrap().code(), Code::Io);
    chapters.close();
    assert_eq!(folder.open(folder.directory()).unwrap().covered(), Some(point(2)));
    assert!(chapters.find(node(0), 1).unwrap().is_some(), "reads go on");
    chapters.write(point(3)).unwrap();
    assert_eq!(folder.open(folder.directory()).unwrap().covered(), Some(point(2)), "nothing more is written");
}

/// A directory that forgets, and refuses everything while it is told to.
struct Refusing(AtomicBool);

impl Directory for Refusing {
    fn load(&self) -> karyon_model::Result<Option<Vec<u8>>> {
        Ok(None)
    }
    fn put(&self, _: &[u8]) -> karyon_model::Result<()> {
        let refused = Err(karyon_model::Error::new(Code::Io, "no space left"));
        if self.0.load(Ordering::Relaxed) { refused } else { Ok(()) }
    }
    fn clear(&self) -> karyon_model::Result<()> {
        self.put(&[])
    }
    fn close(&self) {}
}

#[test]
fn what_cannot_be_written_is_not_tried_again_at_once_and_leaves_nothing_behind() {
    let folder = Folder::new();
    let refusing = Arc::new(Refusing(AtomicBool::new(false)));
    let chapters = folder.open(refusing.clone()).unwrap();
    let large =
        |end| Chapter { end, anchor: vec![7; 1 << 20].into(), run: Run::starting(end - 1), thinned: false };
    let seal = |ends: std::ops::Range<Seq>| {
        ends.for_each(|end| chapters.seal(node(0), &large(end)).unwrap());
    };
    seal(2..7);
    assert!(chapters.is_due());
    chapters.write(point(1)).unwrap();
    assert!(!chapters.is_due(), "all of it is ahead of the log");
    seal(7..12);
    assert!(chapters.is_due());
    refusing.0.store(true, Ordering::Relaxed);
    for last in 12..20 {
        chapters.write(point(last)).unwrap_err();
        assert_eq!((chapters.is_due(), tables(&folder.0), chapters.covered()), (false, 0, Some(point(1))));
    }
    refusing.0.store(false, Ordering::Relaxed);
    chapters.write(point(20)).unwrap();
    assert_eq!((tables(&folder.0), chapters.covered()), (1, Some(point(20))));
    for end in 2..12 {
        assert_eq!(*chapters.find(node(0), end - 1).unwrap().unwrap(), large(end));
    }
}

#[test]
fn tables_that_cannot_be_forgotten_are_not_used_and_nothing_is_added_to_them() {
    let folder = Folder::new();
    let refusing = Arc::new(Refusing(AtomicBool::new(false)));
    let chapters = folder.open(refusing.clone()).unwrap();
    chapters.seal(node(0), &chapter(1, 2)).unwrap();
    chapters.write(point(2)).unwrap();
    refusing.0.store(true, Ordering::Relaxed);
    chapters.reset();
    assert_eq!((chapters.covered(), chapters.find(node(0), 1).unwrap()), (None, None));
    chapters.seal(node(0), &chapter(1, 2)).unwrap();
    chapters.write(point(3)).unwrap();
    assert_eq!(chapters.covered(), None);
    assert!(chapters.find(node(0), 1).unwrap().is_some(), "it is in memory");
}

#[test]
fn after_a_failure_the_directory_is_opened_anew_and_after_close_it_stays_closed() {
    let folder = Folder::new();
    let directory = folder.directory();
    std::fs::create_dir_all(folder.0.join("history")).unwrap();
    std::fs::write(folder.0.join("history/directory"), b"in the way").unwrap();
    let put = || directory.put(&[1, 2]);
    assert_eq!(put().unwrap_err().code(), Code::Io);
    std::fs::remove_file(folder.0.join("history/directory")).unwrap();
    put().unwrap();
    assert_eq!(directory.load().unwrap(), Some(vec![1, 2]));
    directory.close();
    assert_eq!(put().unwrap_err().code(), Code::Closed);
    assert_eq!(folder.directory().load().unwrap(), Some(vec![1, 2]));
}

/// A write of sled's goes on after its database was dropped, and longer on a busy machine, which these directories make.
#[test]
fn what_was_closed_or_dropped_can_be_opened_at_once_also_on_a_busy_machine() {
    let rounds = || {
        let folder = Folder::new();
        for round in 0..60u8 {
            let directory = folder.directory();
            directory.put(&[round; 2000]).unwrap();
            if round % 2 == 0 {
                directory.close();
            } else {
                drop(directory);
            }
            assert_eq!(folder.directory().load().unwrap(), Some(vec![round; 2000]));
        }
    };
    std::thread::scope(|scope| (0..16).for_each(|_| drop(scope.spawn(rounds))));
}
