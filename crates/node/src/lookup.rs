//! Hashed lookup.

use crate::environment::{Handle, answer, closed, find};
use crate::reading::key_in;
use crate::store::{Background, Outcome, Promised};
use karyon_kernel::model::{Cursor, Result, Seq};
use karyon_kernel::{Lookup, Session, put_tags};
use napi::Env;
use napi_derive::napi;

/// The tags, 16 bytes each, of the keys in the exchange: how many there are, and each with its length in front. The seed is given in halves; without,
/// it is this process's own. Returns the length of the answer.
#[napi]
pub fn tags(env: &Env, length: u32, seed_low: Option<u32>, seed_high: Option<u32>) -> f64 {
    let seed = seed_low.zip(seed_high).map(|(low, high)| u64::from(high) << 32 | u64::from(low));
    answer(env, |environment, out| put_tags(seed, &mut environment.input(length), out))
}

/// Makes the lookup of the property named in the exchange. Its outcome is the lookup's handle.
#[napi(ts_return_type = "Promise<number>")]
pub fn open_lookup(env: &Env, session: u32, length: u32) -> Option<Promised> {
    find(env, |environment| {
        let session = environment.session(session)?.session;
        let property = environment.input(length).text()?.to_owned();
        Ok(Background::start(move || session.lookup(&property).map(Outcome::Lookup)))
    })
}

/// What a lookup has for the key in the exchange; NaN where that is no number. Nothing when it fails.
#[napi]
pub fn look_up(env: &Env, session: u32, lookup: u32, strict: bool, length: u32) -> Option<f64> {
    let mut number = f64::NAN;
    let done = looking(env, (session, lookup, length), |session, lookup, version, key, _| {
        number = session.look_up(lookup, key_in(&key)?, strict, version)?;
        Ok(())
    });
    (done >= 0.0).then_some(number)
}

/// What a lookup has for each of the tags in the exchange, or for each handle: 8 bytes each. Returns the length of the answer.
#[napi]
pub fn look_up_many(env: &Env, session: u32, lookup: u32, tagged: bool, length: u32) -> f64 {
    looking(env, (session, lookup, length), |session, lookup, version, about, out| {
        session.look_up_many(lookup, tagged, about.rest(), version, out)
    })
}

fn looking(
    env: &Env,
    (session, lookup, length): (u32, u32, u32),
    look: impl FnOnce(&Session, &Lookup, Seq, Cursor<'_>, &mut Vec<u8>) -> Result<()>,
) -> f64 {
    answer(env, |environment, out| {
        let session = environment.session(session)?;
        let Some(Handle::Lookup(lookup)) = environment.handle(lookup) else {
            return Err(closed("the lookup is closed; make another one"));
        };
        let lookup = lookup.clone();
        look(&session.session, &lookup, session.visible.get(), environment.input(length), out)
    })
}
