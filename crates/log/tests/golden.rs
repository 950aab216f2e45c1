//! The bytes of format version 1, written down once: a change that moves one of them needs a new version.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::Arc;

use karyon_log::{ChainPoint, Disk, Frame, Log, OpenMode, RealDisk, SegmentSizes, StoreId, segment_path};
use karyon_testkit::disk::SimDisk;

const STORE: StoreId = StoreId([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
const SIZES: SegmentSizes = SegmentSizes { smallest: 2560, largest: 4096, slice: 512 };

/// Three frames of commits, the second with two zero sectors, the third in a segment of its own; then a seal.
fn drafts() -> Vec<(u64, u32, i64, Vec<u8>)> {
    let mut zeros = vec![0xaa; 1500];
    zeros[100..1450].fill(0);
    vec![
        (1, 1, -1, b"first".to_vec()),
        (2, 3, 1_700_000_000_000_000, zeros),
        (5, 2, i64::MAX, vec![0x55; 300]),
    ]
}

fn write() -> SimDisk {
    let disk = SimDisk::new();
    let mut log = Log::create(Arc::new(disk.clone()), STORE, SIZES, ChainPoint::genesis(STORE)).unwrap();
    for (first_seq, commit_count, base_time, payload) in &drafts() {
        let (first_seq, commit_count, base_time) = (*first_seq, *commit_count, *base_time);
        log.append(&Frame { first_seq, commit_count, base_time, payload: payload.into() }).unwrap();
        log.sync().unwrap();
    }
    log.seal(0).unwrap();
    disk
}

fn fixture(number: u32) -> Vec<u8> {
    let fixtures = RealDisk::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/version-1"));
    let file = fixtures.open(&segment_path(number), OpenMode::Read).unwrap();
    let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
    file.read_exact_at(0, &mut bytes).unwrap();
    bytes
}

#[test]
fn what_is_written_today_is_the_fixture_byte_for_byte() {
    let disk = write();
    // To make the fixtures of a new version: print these bytes to files once, and keep the old ones.
    for number in [1, 2] {
        assert!(disk.contents(&segment_path(number)).unwrap() == fixture(number), "segment {number}");
    }
    assert!(!disk.exists(&segment_path(3)).unwrap());
}

#[test]
fn the_fixture_opens() {
    let disk = SimDisk::new();
    disk.create_dir("log").unwrap();
    for number in [1, 2] {
        disk.open(&segment_path(number), OpenMode::Create).unwrap().write_at(0, &fixture(number)).unwrap();
    }
    let mut found = Vec::new();
    let visit = &mut |frame: &Frame<'_>, _: &karyon_log::ChainPoint| {
        found.push((frame.first_seq, frame.commit_count, frame.base_time, frame.payload.to_vec()));
        Ok(())
    };
    let (log, recovery) = Log::open(
        Arc::new(disk),
        STORE,
        SIZES,
        (ChainPoint::genesis(STORE), ChainPoint::genesis(STORE)),
        visit,
    )
    .unwrap();
    assert!(found == drafts());
    assert!(recovery.sealed && recovery.cut.is_none());
    let hash: String = log.head().hash.0.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hash, HEAD);
}

const HEAD: &str = "61b01c195bc187e1cffd6c5f22b567d1b35a03ffc6c0bec34b806005e68e8043";

#[test]
fn the_fields_lie_where_the_tables_say() {
    let segment = fixture(1);
    let number = |at: usize| u32::from_le_bytes(segment[at..at + 4].try_into().unwrap());
    assert_eq!(&segment[..8], b"KARYLOG\0");
    assert_eq!((number(8), number(12)), (1, 1), "version, number");
    assert_eq!(segment[16..32], STORE.0);
    assert_eq!(number(32), 1, "first sequence number");
    assert_eq!(number(72), 2560, "capacity");
    assert!(segment[76..508].iter().all(|&byte| byte == 0));
    assert_eq!(number(508), crc32c::crc32c(&segment[..508]));

    let frame = &segment[512..];
    let number = |at: usize| u32::from_le_bytes(frame[at..at + 4].try_into().unwrap());
    assert_eq!(&frame[..4], b"KaFr");
    assert_eq!(number(4), 5, "payload length");
    assert_eq!((number(8), number(12)), (1, 0), "first sequence number");
    assert_eq!(frame[16..24], (-1i64).to_le_bytes(), "time");
    assert_eq!((number(24), number(28)), (1, 512), "own position");
    assert_eq!(frame[32..64], segment[40..72], "hash of the frame before");
    assert_eq!((number(64), number(68)), (0, 1), "map checksum, commits");
    assert_eq!(number(72), 1, "kind 1, empty map");
    assert_eq!(number(76), crc32c::crc32c_append(crc32c::crc32c(&STORE.0), &frame[..76]));
    assert_eq!(&frame[80..88], b"first\xff\xff\xff");
    assert_eq!(number(88), crc32c::crc32c(&frame[..88]));
    assert_eq!(&frame[92..96], b"rFaK");

    // The second frame begins at 608 of the file; its payload at 688; zeros from 788 to 2138; sectors 2 and 3
    // are zero, which are the first and second behind the frame's own.
    let second = &frame[96..];
    assert_eq!(second[72..76], [1, 2, 0, 0], "kind 1, a map of two bytes");
    assert_eq!(second[80 + 1500..80 + 1502], [1, 2], "one sector on, two sectors");
}
