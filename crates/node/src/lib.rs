//! The binding: converts, keeps handles, maps errors. The only place that names napi.
//!
//! Every function is free, takes handle numbers and returns a number; a negative one is a failure whose code, message and
//! facts `take_failure` hands out. Keys and batches go in and encoded answers come out through one buffer per environment.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod cells;
#[cfg(feature = "crossing")]
mod crossing;
mod environment;
mod exchange;
mod failure;
mod lookup;
mod reading;
mod session;
mod shared;
mod store;
mod thread;
mod transaction;
mod watchdog;
