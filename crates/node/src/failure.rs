//! Failures: what the last function that returned a negative number has to say.

use crate::environment::find;
use karyon_kernel::model::{Code, Fact};
use napi::Env;
use napi::bindgen_prelude::{Either, Uint8Array};
use napi_derive::napi;

/// What the last failed function has to say: the stable code, what happened and what to do, and facts for programs, each a name and a value.
#[napi]
pub fn take_failure(env: &Env) -> Option<Vec<Either<f64, String>>> {
    let failure = find(env, |environment| Ok(environment.failure.take()))??;
    let facts = failure.details().iter().flat_map(|(name, fact)| {
        let value = match fact {
            Fact::Number(number) => Either::A(*number as f64),
            Fact::Text(text) => Either::B(text.clone()),
        };
        [Either::B((*name).into()), value]
    });
    let said = [failure.code().as_str(), failure.message()].map(|said| Either::B(said.into()));
    Some(said.into_iter().chain(facts).collect())
}

/// Every code that a failure of the engine may have.
#[napi]
pub fn error_codes() -> Vec<&'static str> {
    Code::ALL.iter().map(|code| code.as_str()).collect()
}

/// The environment's exchange with room for at least `bytes`. Ask again after an answer longer than it.
#[napi]
pub fn exchange(env: &Env, bytes: u32) -> Option<Uint8Array> {
    find(env, |environment| {
        environment.exchange.reserve(bytes as usize);
        Ok(environment.exchange.view())
    })
}
