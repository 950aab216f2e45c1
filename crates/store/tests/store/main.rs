//! What a store promises, compared with a model that keeps a full copy of every version.
//!
//! - `rig`: opening stores on simulated and real disks · `reading`: a whole version, through the public readers
//! - `model`, and for valid time `timeline`: what a verb means, said a second time · `footprint`: what a commit may have touched, and who conflicts
//! - `invariants`: what must hold of any store, each one a function that every suite calls
//! - `workload`: random transactions · `driver`: the store and the model side by side
//! - the rest are the suites
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bad_input;
mod beside;
mod checkpoints;
mod concurrency;
mod copies;
mod crashes;
mod driver;
mod erasing;
mod faults;
mod footprint;
mod forks;
mod history;
mod hooked;
mod invariants;
mod large;
mod letting_go;
mod merges;
mod merging;
mod model;
mod oracle_runs;
mod panics;
mod reading;
mod relaxed;
mod retention;
mod reverts;
mod rig;
mod rules;
mod sensitivity;
mod time;
mod timeline;
mod workload;
