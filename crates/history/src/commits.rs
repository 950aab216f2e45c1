//! The index of commits: who, when, from what, and which nodes and edges each one changed.

use karyon_model::{CommitHeader, EntityId, NameId, Reverted, Seq};
use std::collections::BTreeMap;

/// What is known of one commit without reading the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitRow {
    /// µs since 1970.
    pub time: i64,
    /// Who committed it.
    pub principal: NameId,
    /// Which incarnation of the principal.
    pub incarnation: u32,
    /// The commit that made the writer act, if it said so.
    pub cause: Option<Seq>,
}

/// Rows for the commits `first..first + len`, and what they touched.
///
/// Cost: about 40 bytes per commit, 8 per changed entity and parent, in memory.
#[derive(Clone, Debug)]
pub struct Commits {
    first: Seq,
    rows: Vec<CommitRow>,
    touched: Columns<EntityId>,
    parents: Columns<Seq>,
    /// Apart from the rows, as few commits revert.
    reverts: BTreeMap<Seq, Reverted>,
}

/// Rows of different lengths, end to end.
#[derive(Clone, Debug)]
struct Columns<T> {
    ends: Vec<usize>,
    items: Vec<T>,
}

impl<T: Copy> Columns<T> {
    const fn new() -> Self {
        Columns { ends: Vec::new(), items: Vec::new() }
    }

    fn push(&mut self, items: &[T]) {
        self.items.extend_from_slice(items);
        self.ends.push(self.items.len());
    }

    fn append(&mut self, later: &Columns<T>) {
        let before = self.items.len();
        self.items.extend_from_slice(&later.items);
        self.ends.extend(later.ends.iter().map(|end| before + end));
    }

    fn row(&self, at: usize) -> &[T] {
        let from = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.items[from..self.ends[at]]
    }
}

impl Commits {
    /// An empty index whose next commit is `first`.
    pub fn starting(first: Seq) -> Commits {
        let (touched, parents) = (Columns::new(), Columns::new());
        Commits { first, rows: Vec::new(), touched, parents, reverts: BTreeMap::new() }
    }

    /// The oldest commit it knows (or will know first).
    pub fn first(&self) -> Seq {
        self.first
    }

    /// The newest commit it knows, or the one before `first`.
    pub fn last(&self) -> Seq {
        self.first + self.rows.len() as Seq - 1
    }

    /// Adds the next commit and what it changed.
    pub fn push(&mut self, header: &CommitHeader, touched: &[EntityId]) {
        debug_assert_eq!(header.seq, self.last() + 1);
        let CommitHeader { time, principal, incarnation, cause, .. } = *header;
        self.rows.push(CommitRow { time, principal, incarnation, cause });
        self.touched.push(touched);
        self.parents.push(&header.parents);
        self.reverts.extend(header.reverts.map(|reverts| (header.seq, reverts)));
    }

    /// Puts the commits that came before these in front.
    pub fn prepend(&mut self, mut earlier: Commits) {
        debug_assert_eq!(earlier.last() + 1, self.first);
        earlier.rows.append(&mut self.rows);
        earlier.touched.append(&self.touched);
        earlier.parents.append(&self.parents);
        earlier.reverts.append(&mut self.reverts);
        *self = earlier;
    }

    fn index(&self, seq: Seq) -> Option<usize> {
        seq.checked_sub(self.first).and_then(|at| usize::try_from(at).ok()).filter(|at| *at < self.rows.len())
    }

    /// A commit's row; `None` when it is not known.
    pub fn row(&self, seq: Seq) -> Option<&CommitRow> {
        self.index(seq).map(|at| &self.rows[at])
    }

    /// The nodes and edges that a commit changed.
    pub fn touched(&self, seq: Seq) -> &[EntityId] {
        self.index(seq).map_or(&[], |at| self.touched.row(at))
    }

    /// The commits that wrote what a commit read.
    pub fn parents(&self, seq: Seq) -> &[Seq] {
        self.index(seq).map_or(&[], |at| self.parents.row(at))
    }

    /// What a commit takes back, if that is what it is for.
    pub fn reverts(&self, seq: Seq) -> Option<Reverted> {
        self.reverts.get(&seq).copied()
    }

    /// Every commit that takes something back, oldest first.
    pub fn all_reverts(&self) -> impl DoubleEndedIterator<Item = (Seq, Reverted)> {
        self.reverts.iter().map(|(seq, reverts)| (*seq, *reverts))
    }

    /// The newest commit at or before a time; the one before `first` when all are later.
    ///
    /// Cost: a binary search.
    pub fn at_time(&self, micros: i64) -> Seq {
        self.first + self.rows.partition_point(|row| row.time <= micros) as Seq - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use karyon_model::Trust;

    fn header(seq: Seq, parents: &[Seq]) -> CommitHeader {
        CommitHeader {
            seq,
            time: seq as i64 * 100,
            layer: 0,
            principal: 5,
            incarnation: 0,
            on_behalf_of: None,
            trust: Trust::FULL,
            cause: seq.checked_sub(2),
            parents: parents.to_vec(),
            coarse: false,
            reverts: None,
        }
    }

    fn reverting(seq: Seq, since: Seq) -> CommitHeader {
        CommitHeader { reverts: Some(Reverted { principal: 5, since }), ..header(seq, &[]) }
    }

    #[test]
    fn commits_are_found_by_number_and_by_time() {
        let mut commits = Commits::starting(1);
        assert_eq!((commits.last(), commits.at_time(5)), (0, 0));
        commits.push(&header(1, &[]), &[EntityId::Node(1)]);
        commits.push(&header(2, &[1]), &[EntityId::Node(1), EntityId::Edge(2)]);
        assert_eq!([99, 100, 199, 200, 900].map(|time| commits.at_time(time)), [0, 1, 1, 2, 2]);
        assert_eq!(commits.touched(2), [EntityId::Node(1), EntityId::Edge(2)]);
        assert_eq!(commits.parents(2), [1]);
        assert_eq!(commits.touched(3), []);
        let row = CommitRow { time: 200, principal: 5, incarnation: 0, cause: Some(0) };
        assert_eq!(commits.row(2), Some(&row));
    }

    #[test]
    fn earlier_commits_go_in_front() {
        let mut late = Commits::starting(3);
        late.push(&header(3, &[2]), &[EntityId::Node(3)]);
        late.push(&reverting(4, 2), &[]);
        let mut early = Commits::starting(1);
        early.push(&header(1, &[]), &[EntityId::Node(1)]);
        early.push(&reverting(2, 1), &[]);
        late.prepend(early);
        assert_eq!((late.first(), late.last()), (1, 4));
        assert_eq!([1, 2, 3, 4].map(|seq| late.touched(seq).len()), [1, 0, 1, 0]);
        assert_eq!(late.touched(3), [EntityId::Node(3)]);
        assert_eq!([2, 3].map(|seq| late.parents(seq).len()), [0, 1]);
        assert_eq!(late.row(1).map(|row| row.time), Some(100));
        let reverts = [2, 4].map(|seq| (seq, Reverted { principal: 5, since: seq / 2 }));
        assert!(late.all_reverts().eq(reverts));
    }

    #[test]
    fn what_reverts_is_kept_apart_from_what_does_not() {
        let mut commits = Commits::starting(1);
        commits.push(&header(1, &[]), &[]);
        commits.push(&reverting(2, 0), &[]);
        commits.push(&header(3, &[]), &[]);
        assert_eq!([1, 2, 3, 4].map(|seq| commits.reverts(seq).is_some()), [false, true, false, false]);
        assert_eq!(commits.reverts(2), Some(Reverted { principal: 5, since: 0 }));
        assert_eq!(commits.all_reverts().count(), 1);
    }
}
