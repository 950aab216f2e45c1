//! An append-only, checksummed, hash-chained sequence of frames over a disk that is handed in.
