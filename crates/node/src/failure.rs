//! Failures: what the last function that returned a negative number has to say.

use crate::environment::find;
use karyon_kernel::model::{Code, Fact};
use napi::Env;
use napi::bindgen_prelude::{Either, Uint8Array};
use napi_derive::napi;

/// A fact about a failure.
#[napi(object)]
pub struct Detail {
    /// What it is about.
    pub name: String,
    /// The fact.
    pub value: Either<f64, String>,
}

/// A failure.
#[napi(object)]
pub struct Failure {
    /// The stable code.
    pub code: String,
    /// What happened and what to do.
    pub message: String,
    /// Facts for programs.
    pub details: Vec<Detail>,
}

/// What the last failed function has to say.
#[napi]
pub fn take_failure(env: &Env) -> Option<Failure> {
    let failure = find(env, |environment| Ok(environment.failure.take()))??;
    let details = failure.details().iter().map(|(name, fact)| Detail {
        name: (*name).into(),
        value: match fact {
            Fact::Number(number) => Either::A(*number as f64),
            Fact::Text(text) => Either::B(text.clone()),
        },
    });
    Some(Failure {
        code: failure.code().to_string(),
        message: failure.message().to_owned(),
        details: details.collect(),
    })
}

/// Every code that a failure may have.
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
