//! Moments: a version, or a time that stands for the newest commit at or before it.

use crate::store::Store;
use karyon_model::{Code, Error, Result, Seq};
use std::sync::Arc;

/// The wall clock that is handed in: µs since 1970. It may step back; commits never do.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// A version or a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// A commit's number.
    Version(Seq),
    /// µs since 1970.
    Time(i64),
}

impl Store {
    /// A time after every commit so far; every later commit's is strictly greater.
    pub fn now(&self) -> Result<i64> {
        let clock = (self.clock)();
        Ok(self.pipeline()?.now(clock))
    }

    /// The version that a moment stands for, for somebody who knows of a durable one. What was answered once never changes.
    ///
    /// Fails with `Unsettled` while a commit that belongs to the answer is later than that, or when the moment lies ahead of the clock; with `HistoryBuilding` while the index of commits does not reach back that far.
    pub fn resolve(&self, moment: Moment, durable: Seq) -> Result<Seq> {
        let what = match moment {
            Moment::Version(seq) => format!("version {seq}"),
            Moment::Time(micros) => format!("the time {micros} µs after 1970"),
        };
        if let Some(seq) = self.settles_with(moment)?.filter(|seq| *seq <= durable) {
            return Ok(seq);
        }
        let message =
            format!("{what} is not settled yet: durable is version {durable}; await graph.settled(…)");
        Err(Error::new(Code::Unsettled, message).with("durable", durable))
    }

    /// The version that must be durable before `resolve` answers for this moment, or `None` when it lies ahead of the
    /// clock. For waiting.
    pub fn settles_with(&self, moment: Moment) -> Result<Option<Seq>> {
        match moment {
            Moment::Version(seq) => Ok((seq <= self.body()?.graph.head()).then_some(seq)),
            Moment::Time(micros) => {
                // Under the commit lock: no commit can get this time any more once it was asked for.
                if micros > self.now()? {
                    return Ok(None);
                }
                self.body()?.commits.at_time(micros).map(Some)
            }
        }
    }

    /// A commit's time; for the version 0 the beginning of time, as nothing was before it.
    pub fn time_of(&self, seq: Seq) -> Result<i64> {
        if seq == 0 {
            return Ok(0);
        }
        let time = self.body()?.commits.read(seq, |commit| commit.header.time)?;
        time.ok_or_else(|| {
            Error::new(Code::Time, format!("there is no version {seq} yet")).with("version", seq)
        })
    }
}
