//! Transactions: begin, verbs in batches, commit.

use crate::environment::{Environment, Handle, enter};
use karyon_kernel::model::bytes::{Cursor, put_signed, put_varint};
use karyon_kernel::model::{Code, Error, Result, Rules, Seq, check_name};
use karyon_kernel::{Committed, Declaration, Session, Transaction};
use napi::Env;
use napi_derive::napi;

/// Begins a transaction over the newest published version, serializable or under snapshot isolation. Returns its handle.
#[napi]
pub fn begin_transaction(env: &Env, session: u32, snapshot_isolation: bool) -> f64 {
    enter(env, |environment| {
        let session = environment.session(session)?;
        let mut transaction = session.session.begin()?;
        transaction.snapshot_isolation = snapshot_isolation;
        environment.keep(Handle::Transaction(Box::new(transaction), session))
    })
}

/// Adds the verbs in the exchange to a transaction.
#[napi]
pub fn push_verbs(env: &Env, transaction: u32, length: u32) -> f64 {
    enter(env, |environment| {
        let batch = environment.exchange.input(length as usize).to_vec();
        let Some(Handle::Transaction(transaction, _)) = environment.handle(transaction) else {
            return Err(done());
        };
        transaction.push(&batch)?;
        Ok(0.0)
    })
}

/// Validates and publishes a transaction and lets go of it, whatever comes out. `cause` is a version, or negative for none.
/// The answer holds version and time.
#[napi]
pub fn commit_transaction(env: &Env, transaction: u32, cause: f64) -> f64 {
    enter(env, |environment| match environment.release(transaction) {
        Some(Handle::Transaction(transaction, owner)) => {
            commit(environment, &owner.session, &transaction, cause)
        }
        _ => Err(done()),
    })
}

/// Commits the verbs in the exchange as one transaction that has read nothing.
#[napi]
pub fn commit_verbs(env: &Env, session: u32, length: u32, cause: f64) -> f64 {
    enter(env, |environment| {
        let session = environment.session(session)?.session;
        let mut transaction = session.begin()?;
        transaction.push_unread(environment.exchange.input(length as usize))?;
        commit(environment, &session, &transaction, cause)
    })
}

fn commit(
    environment: &mut Environment,
    session: &Session,
    transaction: &Transaction,
    cause: f64,
) -> Result<f64> {
    let committed = session.commit(transaction, (cause >= 0.0).then_some(cause as Seq))?;
    put_committed(environment, committed)
}

pub(crate) fn put_committed(environment: &mut Environment, committed: Committed) -> Result<f64> {
    environment.answer(|out| {
        put_varint(out, committed.seq);
        put_signed(out, committed.time);
    })
}

/// Has rules hold for a property of the nodes with a label, both in the exchange. `rules`: bit 0, indexed; 1, unique; 2, required.
/// The answer holds version and time.
#[napi]
pub fn declare_rules(env: &Env, session: u32, rules: u8, length: u32) -> f64 {
    enter(env, |environment| {
        let session = environment.session(session)?.session;
        let mut cursor = environment.input(length);
        let (label, property) = (check_name(cursor.text()?)?.into(), check_name(cursor.text()?)?.into());
        let rules = Rules::decode(&mut Cursor::new(&[rules]))?;
        let committed = session.declare(Declaration { label, property, rules })?;
        put_committed(environment, committed)
    })
}

/// The rules that hold as of a version, as an encoded list of maps.
#[napi]
pub fn read_rules(env: &Env, session: u32, at: f64) -> f64 {
    enter(env, |environment| {
        let session = environment.session(session)?;
        let rules = session.session.rules(session.version(at))?;
        environment.answer(|out| rules.encode(out))
    })
}

/// Drops a transaction; nothing when it is gone.
#[napi]
pub fn drop_transaction(env: &Env, transaction: u32) -> f64 {
    enter(env, |environment| environment.drop_handle(transaction))
}

pub(crate) fn done() -> Error {
    Error::new(Code::TransactionDone, "the transaction has ended; begin another")
}
