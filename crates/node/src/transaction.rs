//! Transactions: begin, verbs in batches, commit.

use crate::environment::{Environment, Handle, enter};
use karyon_kernel::Committed;
use karyon_kernel::model::bytes::{put_signed, put_varint};
use karyon_kernel::model::{Code, Error, Seq};
use napi::Env;
use napi_derive::napi;

/// Begins a transaction over the newest published version. Returns its handle.
#[napi]
pub fn begin_transaction(env: &Env, session: u32) -> f64 {
    enter(env, |environment| {
        let session = environment.session(session)?;
        let transaction = session.session.begin()?;
        environment.keep(Handle::Transaction(Box::new(transaction), session))
    })
}

/// Adds the verbs in the exchange to a transaction.
#[napi]
pub fn push_verbs(env: &Env, transaction: u32, length: u32) -> f64 {
    enter(env, |environment| {
        let batch = environment.exchange.input(length as usize).to_vec();
        match environment.handle(transaction) {
            Some(Handle::Transaction(transaction, _)) => transaction.push(&batch)?,
            _ => return Err(done()),
        }
        Ok(0.0)
    })
}

/// Validates and publishes a transaction and lets go of it, whatever comes out. `cause` is a version, or negative for none.
/// The answer holds version and time.
#[napi]
pub fn commit_transaction(env: &Env, transaction: u32, cause: f64) -> f64 {
    enter(env, |environment| {
        let Some(Handle::Transaction(transaction, session)) = environment.release(transaction) else {
            return Err(done());
        };
        let committed = session.session.commit(&transaction, as_cause(cause))?;
        Ok(answer_committed(environment, committed))
    })
}

/// Commits the verbs in the exchange as one transaction that has read nothing.
#[napi]
pub fn commit_verbs(env: &Env, session: u32, length: u32, cause: f64) -> f64 {
    enter(env, |environment| {
        let session = environment.session(session)?.session;
        let mut transaction = session.begin()?;
        transaction.push(environment.exchange.input(length as usize))?;
        let committed = session.commit(&transaction, as_cause(cause))?;
        Ok(answer_committed(environment, committed))
    })
}

/// Drops a transaction; nothing when it is gone.
#[napi]
pub fn drop_transaction(env: &Env, transaction: u32) -> f64 {
    enter(env, |environment| {
        drop(environment.release(transaction));
        Ok(0.0)
    })
}

fn as_cause(cause: f64) -> Option<Seq> {
    (cause >= 0.0).then_some(cause as Seq)
}

fn answer_committed(environment: &mut Environment, committed: Committed) -> f64 {
    environment.scratch.clear();
    put_varint(&mut environment.scratch, committed.seq);
    put_signed(&mut environment.scratch, committed.time);
    environment.answer()
}

pub(crate) fn done() -> Error {
    Error::new(Code::TransactionDone, "the transaction has ended; begin another")
}
