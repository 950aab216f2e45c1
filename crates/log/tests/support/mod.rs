//! What the log's tests share: small segments, payloads that can be told apart, and what must hold after any
//! opening.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::ops::ControlFlow;
use std::sync::Arc;

use karyon_log::{ChainPoint, Frame, Log, LogReader, Position, Recovery, SegmentSizes, StoreId};
use karyon_model::{Code, Error, Fact, Result};
use karyon_testkit::Random;
use karyon_testkit::disk::SimDisk;

pub const STORE: StoreId = StoreId(*b"the tests' store");

/// Segments so small that a few frames fill one.
pub const SMALL: SegmentSizes = SegmentSizes { smallest: 4096, largest: 8192, slice: 2048 };

/// `seeds`, or as many times more as `KARYON_TEST_SCALE` says: 1 for each push, more at night.
pub fn scaled(seeds: u64) -> u64 {
    seeds * std::env::var("KARYON_TEST_SCALE").ok().and_then(|scale| scale.parse().ok()).unwrap_or(1)
}

/// The payload of the frame that begins with commit `seq`: mixed lengths, some with sectors full of zeros,
/// and never the same twice.
pub fn payload(seq: u64) -> Vec<u8> {
    let mut random = Random::new(seq);
    let mut payload = seq.to_le_bytes().to_vec();
    match random.below(4) {
        0 => payload.extend(random.bytes(20)),
        1 => {
            let len = random.below(1500);
            payload.extend(random.bytes(len));
        }
        2 => {
            payload.resize(8 + random.below(2500), 0);
            payload.extend(random.bytes(3));
        }
        _ => payload.resize(8 + random.below(700), 0),
    }
    payload
}

/// How many commits the frame that begins with `seq` holds.
pub fn commits(seq: u64) -> u32 {
    1 + (seq % 3) as u32
}

pub fn draft(seq: u64, payload: &[u8]) -> Frame<'_> {
    Frame {
        first_seq: seq,
        commit_count: commits(seq),
        base_time: seq.cast_signed() * 1000,
        payload: payload.into(),
    }
}

/// Appends and syncs the next frame; returns the number of its last commit.
pub fn commit(log: &mut Log) -> Result<u64> {
    let seq = log.head().next_seq;
    log.append(&draft(seq, &payload(seq)))?;
    log.sync()?;
    Ok(log.head().next_seq - 1)
}

pub fn create(disk: &SimDisk) -> Result<Log> {
    Log::create(Arc::new(disk.clone()), STORE, SMALL, ChainPoint::genesis(STORE))
}

/// What opening found, the frames of commits that it showed, and the last commit in the log.
#[derive(Debug)]
pub struct Found {
    pub frames: u64,
    pub last_seq: u64,
    recovery: Recovery,
}

impl std::ops::Deref for Found {
    type Target = Recovery;

    fn deref(&self) -> &Recovery {
        &self.recovery
    }
}

/// Opens the log and checks each frame that it shows.
pub fn open(disk: &SimDisk) -> Result<(Log, Found)> {
    open_from(disk, None)
}

pub fn open_from(disk: &SimDisk, start: Option<ChainPoint>) -> Result<(Log, Found)> {
    open_at(disk, ChainPoint::genesis(STORE), start.unwrap_or_else(|| ChainPoint::genesis(STORE)))
}

/// The points of a log that begins at its genesis and is read from there.
pub fn whole() -> (ChainPoint, ChainPoint) {
    (ChainPoint::genesis(STORE), ChainPoint::genesis(STORE))
}

/// As `open`, where the log begins at `base`.
pub fn open_at(disk: &SimDisk, base: ChainPoint, start: ChainPoint) -> Result<(Log, Found)> {
    let (mut next, mut frames) = (start.next_seq, 0);
    let (log, recovery) =
        Log::open(Arc::new(disk.clone()), STORE, SMALL, (base, start), &mut |frame, end| {
            assert_eq!((frame.first_seq, frame.commit_count), (next, commits(next)), "no gap, nothing twice");
            assert_eq!(frame.base_time, next.cast_signed() * 1000);
            assert!(frame.payload == payload(next), "the payload of commit {next} is what was written");
            (next, frames) = (end.next_seq, frames + 1);
            Ok(())
        })?;
    let last_seq = log.head().next_seq - 1;
    Ok((log, Found { frames, last_seq, recovery }))
}

/// Opens the log whatever its frames hold.
pub fn unchecked(disk: &SimDisk) -> Result<(Log, Found)> {
    let mut frames = 0;
    let (log, recovery) = Log::open(Arc::new(disk.clone()), STORE, SMALL, whole(), &mut |_, _| {
        frames += 1;
        Ok(())
    })?;
    let last_seq = log.head().next_seq - 1;
    Ok((log, Found { frames, last_seq, recovery }))
}

/// A log of `frames` frames, with preparation, not sealed.
pub fn filled(frames: usize) -> (SimDisk, Log) {
    let disk = SimDisk::new();
    let mut log = create(&disk).unwrap();
    for _ in 0..frames {
        commit(&mut log).unwrap();
        log.prepare_ahead().unwrap();
    }
    (disk, log)
}

/// A reader of a log from its genesis on.
pub fn reader(disk: &SimDisk) -> LogReader {
    LogReader::new(Arc::new(disk.clone()), STORE, ChainPoint::genesis(STORE))
}

/// Reads the whole chain up to `head`; how many frames of commits there are.
pub fn verify(reader: &LogReader, head: &ChainPoint) -> Result<u64> {
    let mut frames = 0;
    reader.read(head, &mut |_, _| {
        frames += 1;
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(frames)
}

/// What must hold of every disk that a crash leaves, whatever came before: it opens, shows all that was
/// acknowledged and nothing that was never written, its chain verifies, and it can be written to and opened
/// again.
pub fn check_survivor(disk: &SimDisk, acknowledged: u64, written: u64) -> std::result::Result<Found, String> {
    let say = |what: &str, error: Error| format!("{what}: {error}");
    let (mut log, recovery) = open(disk).map_err(|error| say("open", error))?;
    if recovery.last_seq < acknowledged {
        return Err(format!("commit {acknowledged} was acknowledged, only {} are there", recovery.last_seq));
    }
    if recovery.last_seq > written {
        return Err(format!("{} commits are there, only {written} were written", recovery.last_seq));
    }
    verify(&reader(disk), &log.head()).map_err(|error| say("verify", error))?;
    let last = commit(&mut log).map_err(|error| say("append", error))?;
    drop(log);
    let (log, again) = open(disk).map_err(|error| say("open again", error))?;
    if again.last_seq != last || again.cut.is_some() || log.head().next_seq != last + 1 {
        return Err(format!("opened again, the log is another one: {again:?}"));
    }
    Ok(recovery)
}

/// Where each frame of commits lies: its position, and the offset of its end.
pub fn spans(disk: &SimDisk, log: &Log) -> Vec<(Position, u32)> {
    let mut spans = Vec::new();
    let visit = &mut |_: &Frame<'_>, end: &ChainPoint| {
        let Position { segment, offset } = end.position;
        spans.push((Position { segment, offset: end.frame }, offset));
        Ok(ControlFlow::Continue(()))
    };
    reader(disk).read(&log.head(), visit).unwrap();
    spans
}

pub fn detail(error: &Error, name: &str) -> Fact {
    let found = error.details().iter().find(|(detail, _)| *detail == name);
    found.map_or_else(|| panic!("{error} has no detail {name}"), |(_, value)| value.clone())
}

/// Asserts that opening fails with `code`, naming `segment`, and changes nothing.
pub fn refused(disk: &SimDisk, code: Code, segment: u32) -> Error {
    let before = disk.files();
    let error = unchecked(disk).map(|_| ()).expect_err("it must not open");
    assert_eq!(error.code(), code, "{error}");
    assert_eq!(detail(&error, "segment"), segment.into(), "{error}");
    assert!(disk.files() == before, "nothing was changed");
    error
}
