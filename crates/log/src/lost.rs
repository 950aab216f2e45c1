//! What still stands behind damage, for a person who has to judge what is lost.

use karyon_model::Result;

use crate::frame::{FRAME_ALIGNMENT, Header};
use crate::segment;
use crate::segment_file::SegmentFile;
use crate::{ChainPoint, LogReader, OpenMode, Position, SECTOR_BYTES, StoreId};

/// The part of a segment that the chain from the log's beginning does not reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Where it begins.
    pub position: Position,
    /// How many bytes, up to the last that was written; 0 for a file that is missing.
    pub bytes: u64,
    /// Of those of its frames that are whole, the first commit and the last, each with the base time of its frame in µs
    /// since 1970.
    pub whole: Option<((u64, i64), (u64, i64))>,
    /// Why it is lost.
    pub reason: String,
}

impl LogReader {
    /// What stands in each segment behind `end`, connected with nothing before it. Changes nothing. What cannot be read
    /// is passed over by the sector. Reads the rest of the log once.
    pub fn lost(&self, end: &ChainPoint) -> Result<Vec<Lost>> {
        let Position { segment: first, .. } = end.position;
        let last = segment::numbers(self)?.last().copied().unwrap_or(first);
        let parts = (first..=last).map(|number| {
            let position = end.position.max(Position::first_of(number));
            match SegmentFile::open(self, number, OpenMode::Read) {
                Ok(file) => look_through(file, self.store, position),
                Err(error) => Lost { position, bytes: 0, whole: None, reason: error.message().to_owned() },
            }
        });
        Ok(parts.filter(|part| !part.reason.is_empty()).collect())
    }
}

fn look_through(mut file: SegmentFile, store: StoreId, mut position: Position) -> Lost {
    file.ahead = 0;
    let (mut whole, mut unread, mut at) = (None::<((u64, i64), (u64, i64))>, None, position.offset as usize);
    while (at as u64) < file.len {
        at += match file.frame_at(store, at as u32) {
            // Nothing is in it that could be lost.
            Ok(Some((header, frame))) if header.commit_count == 0 => {
                let leads = at == position.offset as usize;
                position.offset += if leads { frame.len() as u32 } else { 0 };
                frame.len()
            }
            Ok(Some((Header { first_seq, commit_count, base_time, .. }, frame))) => {
                let last = first_seq + u64::from(commit_count) - 1;
                whole = Some((whole.map_or((first_seq, base_time), |whole| whole.0), (last, base_time)));
                frame.len()
            }
            Ok(None) => FRAME_ALIGNMENT,
            Err(error) => {
                unread = Some(error.message().to_owned());
                SECTOR_BYTES - at % SECTOR_BYTES
            }
        };
    }
    let start = position.offset.into();
    let end = file.written_end(start).unwrap_or(Some(file.len));
    let known = if end.is_some() { "damaged, or connected with nothing before it" } else { "" };
    let (bytes, reason) = (end.map_or(0, |end| end - start), unread.unwrap_or(known.to_owned()));
    Lost { position, bytes, whole, reason }
}
