//! Transactions: begin, verbs in batches, commit.

use crate::environment::{Handle, answer, enter, run};
use karyon_kernel::model::{Code, Error, Seq};
use karyon_kernel::wire::Told;
use napi::Env;
use napi_derive::napi;

/// Begins a transaction over the newest published version, serializable or under snapshot isolation. Returns its handle.
#[napi]
pub fn begin_transaction(env: &Env, session: u32, snapshot_isolation: bool) -> f64 {
    enter(env, |environment| {
        let owner = environment.session(session)?;
        let mut transaction = owner.session.begin()?;
        transaction.snapshot_isolation = snapshot_isolation;
        let pin = owner.session.store().pin(transaction.snapshot())?;
        environment.keep(Handle::Transaction(Box::new(transaction), owner, pin))
    })
}

/// Adds the verbs in the exchange to a transaction.
#[napi]
pub fn push_verbs(env: &Env, transaction: u32, length: u32) -> f64 {
    run(env, |environment| {
        let batch = environment.exchange.input(length as usize).to_vec();
        let Some(Handle::Transaction(transaction, ..)) = environment.handle(transaction) else {
            return Err(done());
        };
        transaction.push(&batch)
    })
}

/// Validates and publishes a transaction and lets go of it, whatever comes out. `cause` is a version, or negative for none.
/// The answer holds version and time.
#[napi]
pub fn commit_transaction(env: &Env, transaction: u32, cause: f64) -> f64 {
    answer(env, |environment, out| match environment.release(transaction) {
        Some(Handle::Transaction(transaction, owner, _pin)) => {
            owner.session.commit(&transaction, version_of(cause))?.tell(out);
            Ok(())
        }
        _ => Err(done()),
    })
}

/// Commits the verbs in the exchange as one transaction that has read nothing.
#[napi]
pub fn commit_verbs(env: &Env, session: u32, length: u32, cause: f64) -> f64 {
    answer(env, |environment, out| {
        let session = environment.session(session)?.session;
        let mut transaction = session.begin()?;
        transaction.push_unread(environment.exchange.input(length as usize))?;
        session.commit(&transaction, version_of(cause))?.tell(out);
        Ok(())
    })
}

fn version_of(cause: f64) -> Option<Seq> {
    (cause >= 0.0).then_some(cause as Seq)
}

pub(crate) fn done() -> Error {
    Error::new(Code::TransactionDone, "the transaction has ended; begin another")
}
