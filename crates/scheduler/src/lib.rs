//! Mailboxes, order, fairness, timers and supervision, as one pure state machine.
//!
//! It runs nothing. The host tells it what happened ([`Record`]), asks what to do next ([`Scheduler::step`],
//! [`Scheduler::issue`]), runs that, and tells it again. Payloads stay with the host, in numbered slots; here a message
//! is its slot. Time and chance are handed in: the same records with the same times and seed give the same effects.
//!
//! What it does not know: threads, clocks, JavaScript, what a message says, and the store.
//!
//! # One round
//! 1. The host's records are taken one by one ([`Scheduler::take`]). Nothing dies while they are read, so that each of
//!    them means what it meant when it was written.
//! 2. [`Scheduler::step`] ends the batch that was out, then acts on failures and stops, then on what fell due.
//! 3. [`Scheduler::issue`] hands out the next batch: cells in turn, each with a bounded run of its messages.
#![deny(missing_docs)]

mod cell;
mod credits;
mod deadlines;
mod effect;
mod exchange;
pub mod guard;
mod id;
pub mod limits;
mod names;
mod record;
mod restart;
mod scheduler;
mod table;
mod watchdog;
mod words;

pub use credits::{CLOSED, Credits};
pub use effect::{AskEnd, Death, EFFECT_WORDS, Effect, Gone, Lost};
pub use exchange::{Exchange, Port, header};
pub use guard::Guard;
pub use id::CellId;
pub use record::{Class, INIT_TURN, NO_SLOT, NO_TURN, RECORD_WORDS, Record, Taken, Verdict};
pub use restart::{AutoShutdown, Backoff, Restart, RestartPolicy, Strategy, SupervisorPolicy};
pub use scheduler::{CellOptions, Issue, Scheduler, Stats};
pub use watchdog::{Finding, Look, STRETCH_US, Watch};
