//! Writing zeros, so that blocks are allocated before a commit needs them.

use std::io;

use crate::disk::File;

static CHUNK: [u8; 64 << 10] = [0; 64 << 10];

/// Writes `len` zeros from `offset` on.
pub(crate) fn write_zeros(file: &dyn File, mut offset: u64, len: u64) -> io::Result<()> {
    let end = offset + len;
    while offset < end {
        let count = (end - offset).min(CHUNK.len() as u64);
        file.write_at(offset, &CHUNK[..count as usize])?;
        offset += count;
    }
    Ok(())
}
