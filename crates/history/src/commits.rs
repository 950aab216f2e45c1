//! The index of commits: who, when, from what, and which nodes and edges each one changed.

use karyon_model::{EntityId, NameId, Seq};

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

    fn row(&self, at: usize) -> &[T] {
        let from = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.items[from..self.ends[at]]
    }
}

impl Commits {
    /// An empty index whose next commit is `first`.
    pub fn starting(first: Seq) -> Commits {
        Commits { first, rows: Vec::new(), touched: Columns::new(), parents: Columns::new() }
    }

    /// The oldest commit it knows (or will know first).
    pub fn first(&self) -> Seq {
        self.first
    }

    /// The newest commit it knows, or the one before `first`.
    pub fn last(&self) -> Seq {
        self.first + self.rows.len() as Seq - 1
    }

    /// Adds the next commit.
    pub fn push(&mut self, row: CommitRow, touched: &[EntityId], parents: &[Seq]) {
        self.rows.push(row);
        self.touched.push(touched);
        self.parents.push(parents);
    }

    /// Puts the commits that came before these in front.
    pub fn prepend(&mut self, mut earlier: Commits) {
        debug_assert_eq!(earlier.last() + 1, self.first);
        for at in 0..self.rows.len() {
            earlier.push(self.rows[at].clone(), self.touched.row(at), self.parents.row(at));
        }
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

    fn row(time: i64) -> CommitRow {
        CommitRow { time, principal: 0, incarnation: 0, cause: None }
    }

    #[test]
    fn commits_are_found_by_number_and_by_time() {
        let mut commits = Commits::starting(1);
        assert_eq!((commits.last(), commits.at_time(5)), (0, 0));
        commits.push(row(100), &[EntityId::Node(1)], &[]);
        commits.push(row(200), &[EntityId::Node(1), EntityId::Edge(2)], &[1]);
        assert_eq!([99, 100, 199, 200, 900].map(|time| commits.at_time(time)), [0, 1, 1, 2, 2]);
        assert_eq!(commits.touched(2), [EntityId::Node(1), EntityId::Edge(2)]);
        assert_eq!(commits.parents(2), [1]);
        assert_eq!(commits.touched(3), []);
    }

    #[test]
    fn earlier_commits_go_in_front() {
        let mut late = Commits::starting(3);
        late.push(row(300), &[EntityId::Node(3)], &[2]);
        let mut early = Commits::starting(1);
        early.push(row(100), &[EntityId::Node(1)], &[]);
        early.push(row(200), &[], &[1]);
        late.prepend(early);
        assert_eq!((late.first(), late.last()), (1, 3));
        assert_eq!(late.touched(3), [EntityId::Node(3)]);
        assert_eq!(late.row(1).map(|row| row.time), Some(100));
    }
}
