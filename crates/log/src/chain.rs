//! Where a frame lies and what binds it to the frames before it.

use karyon_model::fields::{U32, U64};
use karyon_model::{codecs, layout};
use sha2::{Digest, Sha256};

use crate::segment::SEGMENT_HEADER_BYTES;

/// The random number that a store is given at its creation; every file of the log names it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct StoreId(pub [u8; 16]);

/// A SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// The hash that stands before a store's first frame: it binds the whole chain to the store.
    pub fn genesis(store: StoreId) -> Hash {
        Hash::of(&[b"karyon log v1\0", &store.0])
    }

    /// The hash of a frame: of the previous frame's hash and all of the frame's bytes.
    pub fn of_frame(previous: Hash, frame: &[u8]) -> Hash {
        Hash::of(&[&previous.0, frame])
    }

    fn of(parts: &[&[u8]]) -> Hash {
        let mut digest = Sha256::new();
        for part in parts {
            digest.update(part);
        }
        Hash(digest.finalize().into())
    }
}

layout! {
    /// The first byte of a frame, or the place where the next one goes.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub Position {
        /// Number of the segment, from 1.
        segment: u32 = U32,
        /// Offset in the segment's file, in bytes.
        offset: u32 = U32,
    }
}

impl Position {
    /// Where a segment's first frame begins.
    pub(crate) const fn first_of(segment: u32) -> Position {
        Position { segment, offset: SEGMENT_HEADER_BYTES as u32 }
    }
}

codecs! {
    /// A store's id: 16 bytes.
    pub StoreIdField(StoreId)
        |cursor| cursor.array().map(StoreId), |store, out| out.extend_from_slice(&store.0);
    /// A digest: 32 bytes.
    pub HashField(Hash) |cursor| cursor.array().map(Hash), |hash, out| out.extend_from_slice(&hash.0);
}

/// The sequence number of a store's first commit.
pub const FIRST_SEQ: u64 = 1;

layout! {
    /// A point of the chain between two frames: all that is needed to go on from there, reading or writing.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub ChainPoint {
        /// Where the next frame begins.
        position: Position = Position,
        /// The sequence number of the next commit.
        next_seq: u64 = U64,
        /// The hash of the frame before it.
        hash: Hash = HashField,
        /// Where in its segment the frame before it begins. At a segment's first position, as that frame is in another, its own offset.
        frame: u32 = U32,
    }
}

impl ChainPoint {
    /// The point before a store's first frame.
    pub fn genesis(store: StoreId) -> ChainPoint {
        ChainPoint::entering(1, FIRST_SEQ, Hash::genesis(store))
    }

    /// The point where a segment begins.
    pub(crate) fn entering(segment: u32, next_seq: u64, hash: Hash) -> ChainPoint {
        let position = Position::first_of(segment);
        ChainPoint { position, next_seq, hash, frame: position.offset }
    }
}
