//! Transactions: begin, verbs in batches, commit.

use crate::environment::{Handle, answer, enter, run};
use karyon_kernel::Declaration;
use karyon_kernel::model::bytes::Cursor;
use karyon_kernel::model::{Code, Error, Rules, Seq, check_name};
use napi::Env;
use napi_derive::napi;

/// Begins a transaction over the newest published version, serializable or under snapshot isolation. Returns its handle.
#[napi]
pub fn begin_transaction(env: &Env, session: u32, snapshot_isolation: bool) -> f64 {
    enter(env, |environment| {
        let session = environment.session(session)?;
        let mut transaction = session.begin()?;
        transaction.snapshot_isolation = snapshot_isolation;
        let pin = session.store().pin(transaction.snapshot())?;
        environment.keep(Handle::Transaction(Box::new(transaction), session, pin))
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
    enter(env, |environment| match environment.release(transaction) {
        Some(Handle::Transaction(transaction, owner, _pin)) => {
            let committed = owner.commit(&transaction, version_of(cause))?;
            environment.answer(&committed)
        }
        _ => Err(done()),
    })
}

/// Commits the verbs in the exchange as one transaction that has read nothing.
#[napi]
pub fn commit_verbs(env: &Env, session: u32, length: u32, cause: f64) -> f64 {
    answer(env, session, |session, environment| {
        let mut transaction = session.begin()?;
        transaction.push_unread(environment.exchange.input(length as usize))?;
        session.commit(&transaction, version_of(cause))
    })
}

fn version_of(cause: f64) -> Option<Seq> {
    (cause >= 0.0).then_some(cause as Seq)
}

/// Has rules hold for a property of the nodes with a label, both in the exchange. `rules`: bit 0, indexed; 1, unique; 2, required.
/// The answer holds version and time.
#[napi]
pub fn declare_rules(env: &Env, session: u32, rules: u8, length: u32) -> f64 {
    answer(env, session, |session, environment| {
        let mut cursor = environment.input(length);
        let (label, property) = (check_name(cursor.text()?)?.into(), check_name(cursor.text()?)?.into());
        let rules = Rules::decode(&mut Cursor::new(&[rules]))?;
        session.declare(Declaration { label, property, rules })
    })
}

/// The rules that hold as of a version, as an encoded list of maps.
#[napi]
pub fn read_rules(env: &Env, session: u32, at: f64) -> f64 {
    answer(env, session, |session, _| session.rules(session.version(at)))
}

pub(crate) fn done() -> Error {
    Error::new(Code::TransactionDone, "the transaction has ended; begin another")
}
