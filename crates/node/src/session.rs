//! Sessions: what one incarnation of one principal may do, and its forks: sessions of their own above a version of what it reads.

use crate::environment::{Handle, SessionHandle, answer, enter, run};
use crate::store::{Background, in_background};
use karyon_kernel::model::{Result, check_name};
use karyon_kernel::{Grants, Prefer, Scope, Session};
use napi::Env;
use napi::bindgen_prelude::AsyncTask;
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

/// Ends a session: nothing of it is validated any more, also of transactions that it has open.
#[napi]
pub fn kill_session(env: &Env, session: u32) -> f64 {
    run(env, |environment| {
        environment.session(session)?.kill();
        Ok(())
    })
}

/// Lets go of the handle of a closed store, of a session, or of a transaction, which is dropped; nothing when it is gone.
#[napi]
pub fn release_handle(env: &Env, handle: u32) -> f64 {
    run(env, |environment| {
        drop(environment.release(handle));
        Ok(())
    })
}

/// Makes a fork, named in the exchange, above a version of what a session reads. The answer holds version and time.
#[napi]
pub fn make_fork(env: &Env, session: u32, from: f64, length: u32) -> f64 {
    answer(env, session, |session, environment| {
        session.fork(check_name(environment.input(length).text()?)?, session.version(from))
    })
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

/// The forks that stand on what a session reads, as an encoded list of maps.
#[napi]
pub fn read_forks(env: &Env, session: u32) -> f64 {
    answer(env, session, |session, _| session.forks())
}

/// The fork that a session reads, as an encoded map; null for the graph itself.
#[napi]
pub fn read_fork(env: &Env, session: u32) -> f64 {
    answer(env, session, |session, _| session.fork_info())
}

/// Drops the fork that a session reads. The answer holds version and time.
#[napi]
pub fn drop_fork(env: &Env, session: u32) -> f64 {
    answer(env, session, |session, _| session.drop_fork())
}

/// Merges the fork that a session reads into the one named in the exchange, or, where that is empty, into what it stands on. `prefer`: 0,
/// nobody; 1, what it is merged into; 2, the fork. Its outcome is a map.
#[napi(ts_return_type = "Promise<number>")]
pub fn merge_fork(env: &Env, session: u32, prefer: u8, length: u32) -> Option<AsyncTask<Background>> {
    let prefer = match prefer {
        1 => Prefer::Other,
        2 => Prefer::Layer,
        _ => Prefer::Neither,
    };
    in_background(env, session, length, move |session, mut input| session.merge_fork(input.text()?, prefer))
}
