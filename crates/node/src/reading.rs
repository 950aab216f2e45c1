//! Reading nodes and edges.
//!
//! A source is a number: a version from 0 on; −1 for the newest version that this environment was told is durable; −2 and
//! below for the transaction with the handle −2 − source. A version and a half is that version as of an instant of valid time, the one
//! that `set_valid_time` was told last: reads without one pay nothing for it.

use crate::environment::{Handle, answer, run};
use crate::transaction::done;
use karyon_kernel::model::Cursor;
use karyon_kernel::model::{Code, Error, Result, check_key};
use karyon_kernel::{Reader, Session, number_of, wire};
use napi::Env;
use napi_derive::napi;

/// Runs a read over a source, with input and output. Returns the length of its output.
fn reading(
    env: &Env,
    (session, source, length): (u32, f64, u32),
    act: impl FnOnce(&Session, &mut Reader<'_>, Cursor<'_>, &mut Vec<u8>) -> Result<()>,
) -> f64 {
    answer(env, |environment, out| {
        let handle = environment.session(session)?;
        if source >= -1.0 {
            let (seq, session) = (handle.version(source), &handle.session);
            let instant = (source > seq as f64).then_some(environment.valid);
            let input = environment.input(length);
            return session.read_at(seq, instant, |reader| act(session, reader, input, out));
        }
        let input = environment.exchange.input(length as usize).to_vec();
        let handle = environment.handle((-2.0 - source) as u32);
        let Some(Handle::Transaction(transaction, owner, _)) = handle else { return Err(done()) };
        let session = &owner.session;
        session.read_through(transaction, |reader| act(session, reader, Cursor::new(&input), out))
    })
}

/// The instant of valid time, in µs since 1970, for reads of a version and a half from now on.
#[napi]
pub fn set_valid_time(env: &Env, micros: f64) -> f64 {
    run(env, |environment| {
        environment.valid = micros as i64;
        Ok(())
    })
}

/// The key that is in the exchange.
pub(crate) fn key_in<'a>(input: &Cursor<'a>) -> Result<&'a str> {
    let malformed = |_| Error::new(Code::StringMalformed, "a key holds a lone surrogate; replace it");
    check_key(std::str::from_utf8(input.rest()).map_err(malformed)?)
}

/// Reads the node whose key is in the exchange. Returns the length of its body, or 0 when there is none.
#[napi]
pub fn read_node(env: &Env, session: u32, source: f64, length: u32) -> f64 {
    reading(env, (session, source, length), |_, reader, input, out| {
        reader
            .visit_node(key_in(&input)?, &mut |node| wire::put_body(&node.entity, node.version, true, out))
            .map(drop)
    })
}

/// Reads a property that is a number of one node, by their numbers; NaN where there is none. Nothing when it fails.
#[napi]
pub fn read_number(env: &Env, session: u32, source: f64, node: u32, name: u32) -> Option<f64> {
    let mut number = f64::NAN;
    let done = reading(env, (session, source, 0), |_, reader, _, _| {
        number = number_of(reader, node, name)?;
        Ok(())
    });
    (done >= 0.0).then_some(number)
}

/// Answers a question, by number, about what a source says; see `Session::answer`. What it is about is in the exchange, and so is the
/// answer, whose length is returned.
#[napi]
pub fn read(env: &Env, session: u32, source: f64, question: u32, length: u32) -> f64 {
    reading(env, (session, source, length), |session, reader, about, out| {
        session.answer(question, reader, about, out)
    })
}
