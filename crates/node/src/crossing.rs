//! The bare cost of the boundary, for `npm run bench -- crossing`: each function does next to nothing. They
//! are compiled with the feature `crossing` alone and are not in the addon that ships.

use napi_derive::napi;

/// Nothing in, nothing out.
#[napi]
pub fn crossing_empty() {}

/// Two numbers in, their sum out.
#[napi]
pub fn crossing_numbers(a: f64, b: f64) -> f64 {
    a + b
}

/// A string in, its length in UTF-8 bytes out.
#[napi]
pub fn crossing_string(text: String) -> u32 {
    u32::try_from(text.len()).unwrap_or(u32::MAX)
}

/// A typed array in, the sum of its bytes out.
#[napi]
pub fn crossing_bytes(bytes: &[u8]) -> u32 {
    bytes.iter().map(|byte| u32::from(*byte)).sum()
}

/// Many numbers in one call, their sum out.
#[napi]
pub fn crossing_batch(numbers: &[f64]) -> f64 {
    numbers.iter().sum()
}
