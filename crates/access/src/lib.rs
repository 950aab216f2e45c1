//! Decides what a principal may read and write; never does it.
