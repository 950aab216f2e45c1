//! A native function that takes nothing, returns nothing, and knows its handle: the cheapest crossing there is.
//!
//! What `#[napi]` generates converts arguments and tracks borrows for each call; on the path that every batch of messages
//! takes, that cost more than the scheduler itself (`crossing/*` in the benches shows both).
#![allow(unsafe_code)] // Node's C interface; argued below.

use crate::environment::{Environment, environment_of};
use crate::thrown::{Thrown, guarded, native_failure};
use napi::Env;
use napi::bindgen_prelude::{FromNapiValue, Function, sys};
use std::ffi::{CString, c_void};
use std::ptr;

/// The work of a direct function.
pub trait Direct {
    /// Runs it for one handle.
    fn run(state: &mut Environment, handle: u32) -> Result<(), Thrown>;
}

/// A function that runs `D` for `handle`.
pub fn direct_function<D: Direct>(env: &Env, handle: u32) -> Result<Function<'static, (), ()>, Thrown> {
    let mut function = ptr::null_mut();
    // The number itself is the data: nothing to own, nothing to free.
    let data = handle as usize as *mut c_void;
    // SAFETY: `env` is the environment of the running call; the name may be missing; `call` matches Node's signature.
    let status =
        unsafe { sys::napi_create_function(env.raw(), ptr::null(), 0, Some(call::<D>), data, &mut function) };
    if status != sys::Status::napi_ok {
        return Err(native_failure("a function cannot be made"));
    }
    // SAFETY: `function` is a function that was made just now in this environment.
    unsafe { Function::from_napi_value(env.raw(), function) }
        .map_err(|_| native_failure("a function cannot be made"))
}

extern "C" fn call<D: Direct>(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let mut data = ptr::null_mut();
    // SAFETY: both come from Node for this call; all that is not asked for may be null.
    let status = unsafe {
        sys::napi_get_cb_info(env, info, ptr::null_mut(), ptr::null_mut(), ptr::null_mut(), &mut data)
    };
    let outcome = guarded(|| {
        if status != sys::Status::napi_ok {
            return Err(native_failure("a call cannot be read"));
        }
        D::run(environment_of(env)?, data as usize as u32)
    });
    if let Err(error) = outcome {
        throw(env, &error);
    }
    ptr::null_mut()
}

fn throw(env: sys::napi_env, error: &Thrown) {
    let text = |text: &str| CString::new(text.replace('\0', " ")).unwrap_or_default();
    let (code, message) = (text(error.status.as_ref()), text(&error.reason));
    // SAFETY: both strings end with a zero and outlive the call. A failure leaves an exception pending already.
    let _ = unsafe { sys::napi_throw_error(env, code.as_ptr(), message.as_ptr()) };
}
