//! What is kept of an object's sealed past: everything from a version on, some versions before it, nothing of what was erased.

use crate::ids::Ids;
use crate::versioned::{State, undo_to};
use crate::{Entity, Graph};
use karyon_history::{Chapter, Horizon, ObjectId, Run};
use karyon_model::{Result, Seq};

impl Graph {
    /// Of an object's sealed chapters, oldest first, those that are kept: whole what ends behind the horizon and what holds the
    /// newest `versions` of a node or edge, thinned to the kept versions what is older.
    ///
    /// A kept version is told as it was. Cost: decodes the chapters that are thinned, and those of lists once a node was erased.
    pub fn kept(
        &self,
        object: ObjectId,
        chapters: Vec<Chapter>,
        horizon: &Horizon,
        mut versions: usize,
    ) -> Result<Vec<Chapter>> {
        if let ObjectId::Commits(_) = object {
            return Ok(chapters);
        }
        let mut whole = chapters.len();
        while let Some(at) = whole.checked_sub(1) {
            if chapters[at].end <= horizon.since && (versions == 0 || object.is_list()) {
                break;
            }
            versions = versions.saturating_sub(chapters[at].run.len() + 1);
            whole = at;
        }
        let mut kept = match object.is_list() {
            true => thin::<Ids>(object, &chapters[..whole], &horizon.kept)?,
            false => thin::<Entity>(object, &chapters[..whole], &horizon.kept)?,
        };
        kept.extend_from_slice(&chapters[whole..]);
        self.purged(object, kept)
    }
}

/// The kept versions of chapters that are let go.
fn thin<S: State>(object: ObjectId, chapters: &[Chapter], kept: &[Seq]) -> Result<Vec<Chapter>> {
    let Some(end) = chapters.last().map(|chapter| chapter.end) else { return Ok(Vec::new()) };
    let (mut thinned, mut before, mut run) = (Vec::new(), None::<S>, Run::default());
    for chapter in chapters {
        let span = chapter.run.start()..chapter.end;
        let first = kept.partition_point(|seq| *seq < span.start);
        for seq in kept[first..].iter().take_while(|seq| span.contains(seq)) {
            let since = chapter.run.last_at(*seq);
            if before.is_some() && since <= run.last() {
                continue;
            }
            let mut state = S::decode(&chapter.anchor)?;
            undo_to(&mut state, &chapter.run, *seq)?;
            match &before {
                None => run = Run::starting(since),
                Some(before) if run.is_full(state.size(), object.is_list()) => {
                    let run = std::mem::replace(&mut run, Run::starting(since));
                    thinned.push(Chapter { end: since, anchor: before.encoded().into(), run, thinned: true });
                }
                Some(before) => run.push(since, &state.back_to(before)),
            }
            before = Some(state);
        }
    }
    // It reaches up to what is kept whole, so that a look for what lies between finds that it is thinned.
    thinned.extend(before.map(|before| Chapter { end, anchor: before.encoded().into(), run, thinned: true }));
    Ok(thinned)
}
