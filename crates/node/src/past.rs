//! Questions about the past.

use crate::environment::enter;
use crate::store::{Background, Outcome, answer_value};
use karyon_kernel::model::bytes::Cursor;
use karyon_kernel::model::{Result, Target, Value};
use napi::Env;
use napi::bindgen_prelude::AsyncTask;
use napi_derive::napi;

fn read_question<'a>(cursor: &mut Cursor<'a>) -> Result<(Target<'a>, Option<&'a str>)> {
    let target = Target::decode(cursor)?;
    let name = if cursor.byte()? == 0 { None } else { Some(cursor.text()?) };
    Ok((target, name))
}

/// A page of a target's changes in `(after, until]`, newest first, as an encoded map of `changes` and `next`. The exchange
/// holds the target, and a byte 0 or 1 and a property's name.
#[napi]
pub fn read_history(env: &Env, session: u32, after: f64, until: f64, length: u32) -> f64 {
    enter(env, |environment| {
        let session = environment.session(session)?.session;
        let (target, name) = read_question(&mut Cursor::new(environment.exchange.input(length as usize)))?;
        let value = session.history(&target, name, after as u64, until as u64)?;
        answer_value(environment, &value)
    })
}

/// Who made a property or the existence what it is as of a version, as an encoded map or null.
#[napi]
pub fn read_blame(env: &Env, session: u32, at: f64, length: u32) -> f64 {
    enter(env, |environment| {
        let session = environment.session(session)?;
        let (target, name) = read_question(&mut Cursor::new(environment.exchange.input(length as usize)))?;
        let at = if at < 0.0 { session.shared.visible.get() } else { at as u64 };
        let value = session.session.blame(&target, name, at)?;
        answer_value(environment, &value)
    })
}

/// A page of what differs between two versions, from a commit on, of whose changes some are through.
#[napi]
pub fn page_diff(env: &Env, session: u32, from: f64, to: f64, start: f64, through: u32) -> f64 {
    enter(env, |environment| {
        let session = environment.session(session)?.session;
        environment.scratch.clear();
        let start = (start as u64, through as usize);
        session.diff(from as u64, to as u64, start, &mut environment.scratch)?;
        Ok(environment.answer())
    })
}

/// Takes back what the principal in the exchange wrote after a version. Its outcome is a map.
#[napi(ts_return_type = "Promise<number>")]
pub fn revert_principal(
    env: &Env,
    session: u32,
    since: f64,
    dry_run: bool,
    length: u32,
) -> Option<AsyncTask<Background<Value>>> {
    let mut found = None;
    enter(env, |environment| {
        let session = environment.session(session)?.session;
        let principal = Cursor::new(environment.exchange.input(length as usize)).text()?.to_owned();
        found = Some((session, principal));
        Ok(0.0)
    });
    found.map(|(session, principal)| {
        Background::start(
            move || session.revert(&principal, since as u64, dry_run),
            |_, value| Ok(Outcome::Value(value)),
        )
    })
}

/// The digest as of a version, 32 bytes in the exchange.
#[napi]
pub fn read_digest(env: &Env, session: u32, at: f64) -> f64 {
    enter(env, |environment| {
        let session = environment.session(session)?;
        let at = if at < 0.0 { session.shared.visible.get() } else { at as u64 };
        let digest = session.session.digest(at)?;
        environment.scratch.clear();
        environment.scratch.extend_from_slice(&digest);
        Ok(environment.answer())
    })
}

/// The names from a number on: count, texts.
#[napi]
pub fn read_names(env: &Env, session: u32, first: u32) -> f64 {
    enter(env, |environment| {
        let session = environment.session(session)?.session;
        environment.scratch.clear();
        session.names_from(first, &mut environment.scratch)?;
        Ok(environment.answer())
    })
}
