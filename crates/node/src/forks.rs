//! Forks: sessions of their own above a version of what another one reads.

use crate::environment::{Handle, SessionHandle, answer, enter};
use crate::store::{Background, in_background};
use karyon_kernel::Prefer;
use karyon_kernel::model::check_name;
use napi::Env;
use napi::bindgen_prelude::AsyncTask;
use napi_derive::napi;
use std::sync::Arc;

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
