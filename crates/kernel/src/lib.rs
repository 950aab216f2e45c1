//! Composition of route, lifecycle and commit.
