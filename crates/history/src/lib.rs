//! Chapters: an anchor and its run of undo deltas, kept in memory or on disk.
