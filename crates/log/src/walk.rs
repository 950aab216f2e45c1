//! Reading the chain frame by frame: what opening, verifying and reading ranges have in common.

use karyon_model::Result;

use crate::failure::{damaged, expect};
use crate::frame::{Frame, Header, Kind};
use crate::segment_file::SegmentFile;
use crate::{ChainPoint, LogReader, OpenMode, Position};

/// A walk along the chain.
pub(crate) struct Walk<'d> {
    pub(crate) log: &'d LogReader,
    pub(crate) mode: OpenMode,
    forgiving: bool,
    pub(crate) segment: SegmentFile,
    pub(crate) point: ChainPoint,
}

impl<'d> Walk<'d> {
    /// A walk from a known point of the chain. A forgiving one goes by the frames alone where a segment's header is
    /// damaged, which it then holds: the frames are chained from segment to segment.
    pub(crate) fn from_point(
        log: &'d LogReader,
        mode: OpenMode,
        at: ChainPoint,
        forgiving: bool,
    ) -> Result<Self> {
        let segment = SegmentFile::open(log, at.position.segment, mode)?;
        let mut walk = Walk { log, mode, forgiving, segment, point: at };
        walk.check_start()?;
        Ok(walk)
    }

    /// Passes over the frame here, and on into the next segment where it says so. Returns it with the point behind it. `None` where no whole frame
    /// stands, be it the end, a torn frame or damage: the walk stays there.
    pub(crate) fn step(&mut self) -> Result<Option<(Kind, Frame<'_>, ChainPoint)>> {
        let Position { segment: number, offset } = self.point.position;
        if self.segment.header.is_none() && !self.forgiving {
            return Ok(None);
        }
        let Some((header, bytes)) = self.segment.frame_at(self.log.store, offset)? else { return Ok(None) };
        let follows = header.previous_hash == self.point.hash && header.first_seq == self.point.next_seq;
        expect(follows, number, offset, "the frame here does not follow the one before it")?;
        let beyond = || damaged(number, offset, "the frame here ends past the last possible position");
        let end = header.end(bytes).ok_or_else(beyond)?;
        self.point = end;
        let Header { kind, first_seq, commit_count, base_time, .. } = header;
        let mut frame = Frame { commit_count, ..Frame::empty(first_seq, base_time) };
        match kind {
            Kind::Seal => {}
            Kind::Continued => self.enter_next_segment()?,
            // Asked for again (it is at hand), so that the other arms may move on to the next segment.
            Kind::Commits => {
                let bytes = self.segment.bytes(u64::from(offset), header.frame_len())?;
                frame.payload = bytes[header.payload_range()].into();
            }
        }
        Ok(Some((kind, frame, end)))
    }

    fn enter_next_segment(&mut self) -> Result<()> {
        let Position { segment, offset } = self.point.position;
        let number = segment.checked_add(1);
        let number = number.ok_or_else(|| damaged(segment, offset, "no segment can follow"))?;
        self.segment = SegmentFile::open(self.log, number, self.mode)?;
        self.point = ChainPoint::entering(number, self.point.next_seq, self.point.hash);
        self.check_start()
    }

    /// What must hold where a walk enters a segment.
    fn check_start(&mut self) -> Result<()> {
        let Position { segment: number, offset } = self.point.position;
        if self.forgiving {
            self.segment.ahead = 0;
        }
        self.segment.damage.take_if(|_| !self.forgiving).map_or(Ok(()), Err)?;
        if self.point.position == Position::first_of(number) {
            let follows = self.segment.header.is_none_or(|header| {
                header.previous_hash == self.point.hash && header.next_seq == self.point.next_seq
            });
            return expect(follows, number, 0, "it does not follow the segment before it");
        }
        // The log of a restored backup may be as long as this one was, and another.
        let before = match self.segment.header {
            Some(_) => self.segment.frame_at(self.log.store, self.point.frame)?,
            None => None,
        };
        let known = before.and_then(|(header, bytes)| header.end(bytes)) == Some(self.point);
        expect(known, number, offset, "the frames before here are not those that a checkpoint holds")
    }
}
