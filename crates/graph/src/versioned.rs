//! A present state with the run of deltas that leads back from it.

use karyon_history::{Chapter, History, ObjectId, Run};
use karyon_model::{Code, Result, Seq, unless};
use karyon_model::{Cursor, put_bytes};
use std::borrow::Cow;

/// A state that can be written whole and taken back one delta at a time.
pub trait State: Clone + Default {
    /// Appends the whole state: what a chapter's anchor holds.
    fn encode(&self, out: &mut Vec<u8>);
    /// The whole state.
    fn encoded(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode(&mut out);
        out
    }
    /// Reads what `encode` wrote.
    fn decode(bytes: &[u8]) -> Result<Self>;
    /// Turns the state into the one that held before the deltas' commits, which come newest first.
    fn undo<'d>(&mut self, deltas: impl Iterator<Item = &'d [u8]>) -> Result<()>;
    /// The delta that turns the state into an older one, whatever lies between.
    fn back_to(&self, older: &Self) -> Vec<u8>;
    /// About how many bytes `encode` would append; the same for equal states.
    fn size(&self) -> usize;
}

/// An object: its newest state, and its open run.
#[derive(Clone, Debug, Default)]
pub struct Object<S> {
    state: S,
    /// The newest commit that changed it; 0 before the first.
    last: Seq,
    /// `None` while only one commit has changed it, as with most objects.
    past: Option<Box<Past>>,
}

/// What led to an object's newest state.
#[derive(Clone, Debug)]
struct Past {
    run: Run,
    /// Whether what was before the run is in sealed chapters. Otherwise there was nothing.
    sealed: bool,
}

impl<S: State> Object<S> {
    /// The newest state.
    pub fn state(&self) -> &S {
        &self.state
    }

    /// The newest commit that changed it; 0 before the first.
    pub fn last(&self) -> Seq {
        self.last
    }

    /// The open run; `None` while only one commit has changed it.
    pub(crate) fn open_run(&self) -> Option<&Run> {
        self.past.as_ref().map(|past| &past.run)
    }

    /// Has it be another state and another open run, as if it had always been so.
    pub(crate) fn set(&mut self, state: S, run: Option<Run>) {
        self.state = state;
        if let Some((past, run)) = self.past.as_mut().zip(run) {
            past.run = run;
        }
    }

    /// Has nothing have been before `seq`, the newest commit.
    pub(crate) fn erase(&mut self, seq: Seq) {
        *self = Object { last: seq, ..Object::default() };
    }

    /// Puts an object together from its parts.
    pub(crate) fn restore(state: S, run: Run, sealed: bool) -> Self {
        let last = run.last();
        Object { state, last, past: (sealed || !run.is_empty()).then(|| Box::new(Past { run, sealed })) }
    }

    /// Whether what was before its open run is in sealed chapters.
    pub(crate) fn is_sealed(&self) -> bool {
        self.past.as_ref().is_some_and(|past| past.sealed)
    }

    /// Hands the run that holds the moment `seq` to `look`, with what reads the state at the run's end, and whether it is thinned.
    /// `None` when there was nothing yet.
    pub(crate) fn in_run<'a, T>(
        &'a self,
        id: ObjectId,
        seq: Seq,
        history: &dyn History,
        look: impl FnOnce(&dyn Fn() -> Result<Cow<'a, S>>, &Run, bool) -> Result<T>,
    ) -> Result<Option<T>> {
        let empty = Run::starting(self.last);
        let (run, sealed) = self.past.as_ref().map_or((&empty, false), |past| (&past.run, past.sealed));
        if seq >= run.start() {
            return look(&|| Ok(Cow::Borrowed(&self.state)), run, false).map(Some);
        }
        let chapter = if sealed { history.find(id, seq)? } else { None };
        let state = |found: &Chapter| S::decode(&found.anchor).map(Cow::Owned);
        chapter.map(|found| look(&|| state(&found), &found.run, found.thinned)).transpose()
    }

    /// The state as of `seq`, and the commit that made it so (0 when there was nothing yet).
    ///
    /// Cost: none for the newest state; else one clone and the run's undo; below the open run one look into history.
    pub fn at(&self, id: ObjectId, seq: Seq, history: &dyn History) -> Result<(Cow<'_, S>, Seq)> {
        if self.last <= seq {
            return Ok((Cow::Borrowed(&self.state), self.last));
        }
        let found = self.in_run(id, seq, history, |state, run, _| {
            let mut state = state()?.into_owned();
            undo_to(&mut state, run, seq)?;
            Ok((Cow::Owned(state), run.last_at(seq)))
        });
        Ok(found?.unwrap_or_default())
    }

    /// The commit that made the state what it is as of `seq`; 0 when there was nothing yet.
    ///
    /// Cost: a binary search; below the open run one look into history.
    pub fn last_at(&self, id: ObjectId, seq: Seq, history: &dyn History) -> Result<Seq> {
        if self.last <= seq {
            return Ok(self.last);
        }
        Ok(self.in_run(id, seq, history, |_, run, _| Ok(run.last_at(seq)))?.unwrap_or(0))
    }

    /// Appends the state and the run as they were at `seq`, for an image: a byte (0: nothing as of the version; 1; 2: it has sealed
    /// chapters), the state (length, bytes), the run.
    pub(crate) fn put(&self, id: ObjectId, seq: Seq, history: &dyn History, out: &mut Vec<u8>) -> Result<()> {
        let found = self.in_run(id, seq, history, |state, run, _| {
            let (mut state, mut run) = (state()?.into_owned(), run.clone());
            undo_to(&mut state, &run, seq)?;
            run.truncate(seq);
            Ok((state, run))
        })?;
        let Some((state, run)) = found.filter(|(_, run)| run.start() > 0) else {
            out.push(0);
            return Ok(());
        };
        // What is not kept was something.
        let before = || unless(Code::Horizon, history.find(id, run.start() - 1));
        let open = self.past.as_ref().filter(|past| past.sealed).map(|past| past.run.start());
        let sealed = open.is_some_and(|start| seq >= start)
            || (open.is_some() && before()?.is_none_or(|found| found.is_some()));
        out.push(1 + u8::from(sealed));
        put_bytes(out, &state.encoded());
        run.encode(out);
        Ok(())
    }

    /// Reads what `put` has appended.
    pub(crate) fn take(cursor: &mut Cursor<'_>) -> Result<Self> {
        match cursor.byte()? {
            0 => Ok(Object::default()),
            flag @ (1 | 2) => {
                let state = S::decode(cursor.bytes()?)?;
                Ok(Object::restore(state, Run::decode(cursor)?, flag == 2))
            }
            _ => Err(cursor.malformed("an unknown object of the image")),
        }
    }

    /// Has the commit `seq` change the state; `delta` leads back. A run that is full is sealed first, in `history`.
    pub(crate) fn change(
        &mut self,
        id: ObjectId,
        seq: Seq,
        delta: &[u8],
        history: &dyn History,
        change: impl FnOnce(&mut S),
    ) -> Result<()> {
        if self.last > 0 {
            let starting = || Box::new(Past { run: Run::starting(self.last), sealed: false });
            let past = self.past.get_or_insert_with(starting);
            if past.run.is_full(self.state.size(), id.is_list()) {
                let anchor = self.state.encoded().into();
                let run = std::mem::replace(&mut past.run, Run::starting(seq));
                history.seal(id, &Chapter { end: seq, anchor, run, thinned: false })?;
                past.sealed = true;
            } else {
                past.run.push(seq, delta);
            }
        }
        self.last = seq;
        change(&mut self.state);
        Ok(())
    }
}

/// Takes a state at the end of a run back to the moment `seq`.
pub(crate) fn undo_to<S: State>(state: &mut S, run: &Run, seq: Seq) -> Result<()> {
    state.undo(run.newest_first().take_while(|delta| delta.0 > seq).map(|delta| delta.1))
}
