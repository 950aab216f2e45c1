//! Hashed lookup: what crosses of it.

use karyon_engram::tag;
use karyon_model::{Cursor, Result};

/// The tags of keys, 16 bytes each, little-endian.
pub fn put_tags(seed: u64, keys: &mut Cursor<'_>, out: &mut Vec<u8>) -> Result<()> {
    for _ in 0..keys.length()? {
        out.extend_from_slice(&tag(seed, keys.bytes()?).to_le_bytes());
    }
    Ok(())
}
