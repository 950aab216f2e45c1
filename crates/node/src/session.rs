//! Sessions: what one incarnation of one principal may do, and its forks: sessions of their own above a version of what it reads.

use crate::environment::{Handle, SessionHandle, answer, enter, find, run};
use crate::store::{Background, Outcome, Promised};
use karyon_kernel::model::{Cursor, Result};
use karyon_kernel::{Grants, Scope, Session};
use napi::Env;
use napi_derive::napi;
use std::rc::Rc;
use std::sync::Arc;

/// Opens a session. The exchange holds the principal, the names it may read (count, texts) and those it may write.
#[napi]
pub fn open_session(env: &Env, store: u32, incarnation: u32, length: u32) -> f64 {
    enter(env, |environment| {
        let mut cursor = environment.input(length);
        let principal = cursor.text()?.to_owned();
        let mut scope = || -> Result<Scope> {
            let count = cursor.length()?;
            (0..count).map(|_| cursor.text()).collect()
        };
        let grants = Grants { read: scope()?, write: scope()? };
        let handle = environment.store(store)?;
        let (store, visible) = (handle.open.store.clone(), handle.visible.clone());
        let session = Arc::new(Session::new(store, &principal, incarnation, grants));
        environment.keep(Handle::Session(SessionHandle { session, visible, pins: Rc::default() }))
    })
}

/// Lets go of the handle of a closed store, of a session, or of a transaction, which is dropped; nothing when it is gone.
#[napi]
pub fn release_handle(env: &Env, handle: u32) -> f64 {
    run(env, |environment| Ok(environment.release(handle)))
}

/// Opens the fork named in the exchange: a session like the one given, in the fork. Returns its handle.
#[napi]
pub fn open_fork(env: &Env, session: u32, length: u32) -> f64 {
    enter(env, |environment| {
        let SessionHandle { session, visible, pins } = environment.session(session)?;
        let session = session.in_fork(environment.input(length).text()?)?;
        environment.keep(Handle::Session(SessionHandle { session: Arc::new(session), visible, pins }))
    })
}

/// Asks a session something, by number; see `Session::ask`. What it is about is in the exchange, and so is the answer, whose length is
/// returned.
#[napi]
pub fn ask(env: &Env, session: u32, question: u32, length: u32) -> f64 {
    answer(env, |environment, out| {
        let session = environment.session(session)?.session;
        session.ask(question, environment.input(length), out)
    })
}

/// As `ask`, on a thread of the pool. The answer is its outcome.
#[napi(ts_return_type = "Promise<number>")]
pub fn ask_in_background(env: &Env, session: u32, question: u32, length: u32) -> Option<Promised> {
    find(env, |environment| {
        let session = environment.session(session)?.session;
        let about = environment.exchange.input(length as usize).to_vec();
        Ok(Background::start(move || {
            let mut out = Vec::new();
            session.ask(question, Cursor::new(&about), &mut out).map(|()| Outcome::Answer(out))
        }))
    })
}
