//! What still stands behind damage, for a person who has to judge what is lost.

use karyon_model::Result;

use crate::chain::{ChainPoint, Position};
use crate::disk::OpenMode;
use crate::frame::{FRAME_ALIGNMENT, Header};
use crate::reader::LogReader;
use crate::segment::{self, SEGMENT_HEADER_BYTES};
use crate::segment_file::SegmentFile;

/// A stretch of the log that the chain from its beginning does not reach: damaged, or whole and not connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Number of the segment.
    pub segment: u32,
    /// Where it begins in the segment's file.
    pub offset: u64,
    /// How many bytes; 0 for a file that is missing.
    pub bytes: u64,
    /// The first and the last commit in it, where that is known.
    pub versions: Option<(u64, u64)>,
    /// The base times of the first and the last frame, µs since 1970, where the stretch is whole.
    pub times: Option<(i64, i64)>,
    /// Why it is lost.
    pub reason: String,
}

impl LogReader {
    /// What stands in the log behind `end`, in order: whole frames that follow each other as one stretch, and what is
    /// between them. Changes nothing.
    ///
    /// What cannot be read is passed over by the sector. Reads the rest of the log once.
    pub fn lost(&self, end: &ChainPoint) -> Result<Vec<Lost>> {
        let (mut lost, mut next_seq) = (Vec::<Lost>::new(), end.next_seq);
        let Position { segment: first, offset } = end.position;
        let last = segment::numbers(self.disk.as_ref())?.last().copied();
        for number in first..=last.unwrap_or(first) {
            let piece = |from: u64, until: u64, reason: &str| {
                let (bytes, reason) = (until - from, reason.to_owned());
                Lost { segment: number, offset: from, bytes, versions: None, times: None, reason }
            };
            let opened = self.disk.open(&segment::path(number), OpenMode::Read);
            let mut file = match opened.and_then(|file| SegmentFile::new(number, file)) {
                Ok(file) => file,
                Err(error) => {
                    lost.push(piece(0, 0, &format!("the file cannot be opened: {error}")));
                    continue;
                }
            };
            let mut at = if number == first { offset.into() } else { SEGMENT_HEADER_BYTES as u64 };
            let (mut gap, mut reason) = (at, "damaged: no whole frame begins here".to_owned());
            while at < file.len {
                let found = file.frame_at(self.store, at as u32);
                let Header { first_seq, commit_count, base_time, .. } = match found {
                    Ok(Some((header, frame))) => {
                        if gap < at {
                            lost.push(piece(gap, at, &reason));
                        }
                        gap = at + frame.len() as u64;
                        header
                    }
                    Ok(None) => {
                        at += FRAME_ALIGNMENT as u64;
                        continue;
                    }
                    Err(error) => {
                        reason = error.message().to_owned();
                        at = (at + 1).next_multiple_of(SEGMENT_HEADER_BYTES as u64);
                        continue;
                    }
                };
                let from = std::mem::replace(&mut at, gap);
                if commit_count == 0 {
                    continue;
                }
                let newest = first_seq + u64::from(commit_count) - 1;
                match lost.last_mut() {
                    Some(Lost {
                        segment,
                        offset,
                        bytes,
                        versions: Some(versions),
                        times: Some(times),
                        ..
                    }) if (*segment, *offset + *bytes, versions.1 + 1) == (number, from, first_seq) => {
                        (*bytes, versions.1, times.1) = (*bytes + gap - from, newest, base_time);
                    }
                    before => {
                        // What is missing in the count was in what lies before.
                        if let Some(before) =
                            before.filter(|before| before.times.is_none() && first_seq > next_seq)
                        {
                            before.versions = Some((next_seq, first_seq - 1));
                        }
                        let (versions, times) = (Some((first_seq, newest)), Some((base_time, base_time)));
                        let whole = piece(from, gap, "whole, but not connected to what stands before");
                        lost.push(Lost { versions, times, ..whole });
                    }
                }
                next_seq = newest + 1;
            }
            let end = file.written_end(gap).unwrap_or(Some(file.len));
            lost.extend(end.map(|end| piece(gap, end, &reason)));
        }
        Ok(lost)
    }
}
