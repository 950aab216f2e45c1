//! Questions about the past.

use crate::environment::answer;
use crate::reading::optional_text;
use crate::store::{Background, in_background};
use karyon_kernel::model::bytes::Cursor;
use karyon_kernel::model::{Result, Target};
use napi::Env;
use napi::bindgen_prelude::AsyncTask;
use napi_derive::napi;

fn read_question<'a>(cursor: &mut Cursor<'a>) -> Result<(Target<'a>, Option<&'a str>)> {
    Ok((Target::decode(cursor)?, optional_text(cursor)?))
}

/// A page of a target's changes in `(after, until]`, newest first, as an encoded map of `changes` and `next`. The exchange
/// holds the target, and a byte 0 or 1 and a property's name.
#[napi]
pub fn read_history(env: &Env, session: u32, after: f64, until: f64, length: u32) -> f64 {
    answer(env, session, |session, environment| {
        let (target, name) = read_question(&mut environment.input(length))?;
        session.history(&target, name, after as u64, until as u64)
    })
}

/// A page of all changes in `(after, until]`, from a place in the first commit on, as an encoded map of `changes`, and of `after` and
/// `place` when there is more.
#[napi]
pub fn read_changes(env: &Env, session: u32, after: f64, place: f64, until: f64) -> f64 {
    answer(env, session, |session, _| session.changes((after as u64, place as usize), until as u64))
}

/// Who made a commit and from what, as an encoded map.
#[napi]
pub fn read_commit(env: &Env, session: u32, version: f64) -> f64 {
    answer(env, session, |session, _| session.commit_at(version as u64))
}

/// Who made a property or the existence what it is as of a version, as an encoded map or null.
#[napi]
pub fn read_blame(env: &Env, session: u32, at: f64, length: u32) -> f64 {
    answer(env, session, |session, environment| {
        let (target, name) = read_question(&mut environment.input(length))?;
        session.blame(&target, name, session.version(at))
    })
}

/// A page of what differs between two versions, from a commit on, of whose changes some are through.
#[napi]
pub fn page_diff(env: &Env, session: u32, from: f64, to: f64, start: f64, through: u32) -> f64 {
    let start = (start as u64, through as usize);
    answer(env, session, |session, _| session.diff(from as u64, to as u64, start))
}

/// Takes back what the principal in the exchange wrote after a version. Its outcome is a map.
#[napi(ts_return_type = "Promise<number>")]
pub fn revert_principal(
    env: &Env,
    session: u32,
    since: f64,
    dry_run: bool,
    length: u32,
) -> Option<AsyncTask<Background>> {
    in_background(env, session, length, move |session, mut input| {
        session.revert(input.text()?, since as u64, dry_run)
    })
}

/// The digest as of a version, 32 bytes in the exchange.
#[napi]
pub fn read_digest(env: &Env, session: u32, at: f64) -> f64 {
    answer(env, session, |session, _| session.digest(session.version(at)).map(Vec::from))
}

/// The names from a number on: count, texts.
#[napi]
pub fn read_names(env: &Env, session: u32, first: u32) -> f64 {
    answer(env, session, |session, _| session.names_from(first))
}
