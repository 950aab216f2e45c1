//! Hashed lookup.

use crate::environment::answer;
use karyon_kernel::put_tags;
use napi::Env;
use napi_derive::napi;

/// The tags, 16 bytes each, of the keys in the exchange: how many there are, and each with its length in front. The seed is given in halves.
/// Returns the length of the answer.
#[napi]
pub fn tags(env: &Env, seed_low: u32, seed_high: u32, length: u32) -> f64 {
    let seed = u64::from(seed_high) << 32 | u64::from(seed_low);
    answer(env, |environment, out| put_tags(seed, &mut environment.input(length), out))
}
