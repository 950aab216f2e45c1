//! Errors on their way to JavaScript: the stable code and the sentence.

use karyon_model::Code;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a native function throws.
pub type Thrown = napi::Error<ErrorCode>;

/// The `code` of the thrown error.
#[derive(Clone, Copy, Debug)]
pub struct ErrorCode(Code);

impl AsRef<str> for ErrorCode {
    fn as_ref(&self) -> &str {
        self.0.as_str()
    }
}

/// An error with one of the kernel's codes.
pub fn thrown(code: Code, message: impl Into<String>) -> Thrown {
    napi::Error::new(ErrorCode(code), message.into())
}

/// Node refused something that it never should.
pub fn native_failure(what: &str) -> Thrown {
    thrown(Code::Panic, format!("{what}; this is a defect in Karyon, please report it"))
}

/// Runs a native function's work and turns a panic into an error.
pub fn guarded<R>(work: impl FnOnce() -> Result<R, Thrown>) -> Result<R, Thrown> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".to_owned());
        Err(thrown(Code::Panic, format!("a defect in Karyon, please report it: {text}")))
    })
}
