//! The function that crosses into one scheduler: it takes nothing and owns what it needs.
//!
//! A generated function converts a handle and looks the environment's state up under a lock, which on this path, taken
//! once for each batch of messages, costs more than the scheduler's own work.
#![allow(unsafe_code)] // Node's C interface; argued below.

use karyon_kernel::model::{Code, Error, Result};
use karyon_kernel::scheduler::Port;
use napi::Env;
use napi::bindgen_prelude::{FromNapiValue, Function, sys};
use std::cell::RefCell;
use std::ffi::{CString, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::rc::Rc;

/// A scheduler, held by its handle and by the function that crosses into it.
pub(crate) type SharedPort = Rc<RefCell<Port>>;

/// A function without arguments and result: records in; effects and the next batch out. It throws on defects only.
pub(crate) fn crossing(env: &Env, port: &SharedPort) -> Result<Function<'static, (), ()>> {
    let refused = || Error::new(Code::Panic, "a defect in Karyon: Node refused to make a function");
    let owner: *mut c_void = Box::into_raw(Box::new(Rc::clone(port))).cast();
    let mut function = ptr::null_mut();
    // SAFETY: `env` is the environment of the running call and `cross` has the signature that Node wants.
    let made =
        unsafe { sys::napi_create_function(env.raw(), ptr::null(), 0, Some(cross), owner, &mut function) };
    // SAFETY: `function` is read only if it was made; `disown` takes `owner` back once, after the last call of it.
    if made != sys::Status::napi_ok
        || unsafe {
            sys::napi_add_finalizer(
                env.raw(),
                function,
                owner,
                Some(disown),
                ptr::null_mut(),
                ptr::null_mut(),
            )
        } != sys::Status::napi_ok
    {
        // SAFETY: no finalizer will run for it and nobody has seen the function: it is still ours alone.
        drop(unsafe { Box::from_raw(owner.cast::<SharedPort>()) });
        return Err(refused());
    }
    // SAFETY: `function` was made just now in this environment and is a function.
    unsafe { Function::from_napi_value(env.raw(), function) }.map_err(|_| refused())
}

extern "C" fn cross(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let mut owner = ptr::null_mut();
    // SAFETY: both come from Node for this call; what is not asked for may be null.
    let read = unsafe {
        sys::napi_get_cb_info(env, info, ptr::null_mut(), ptr::null_mut(), ptr::null_mut(), &mut owner)
    };
    if read != sys::Status::napi_ok || owner.is_null() {
        return ptr::null_mut();
    }
    // SAFETY: the function is alive while it is called, and `owner` with it: see `crossing`.
    let port = unsafe { &*owner.cast::<SharedPort>() };
    let outcome = catch_unwind(AssertUnwindSafe(|| match port.try_borrow_mut() {
        Ok(mut port) => port.cross().map_err(|error| error.to_string()),
        Err(_) => Err("the cell scheduler was entered twice".to_owned()),
    }));
    match outcome {
        Ok(Ok(())) => {}
        Ok(Err(defect)) => throw(env, &defect),
        Err(_) => throw(env, "the cell scheduler panicked"),
    }
    ptr::null_mut()
}

fn throw(env: sys::napi_env, defect: &str) {
    let message = format!("a defect in Karyon: {defect}; please report it").replace('\0', " ");
    let (Ok(code), Ok(message)) = (CString::new(Code::Panic.as_str()), CString::new(message)) else { return };
    // SAFETY: both strings end with a zero and outlive the call. If it fails, an exception is pending already.
    let _ = unsafe { sys::napi_throw_error(env, code.as_ptr(), message.as_ptr()) };
}

extern "C" fn disown(_env: sys::napi_env, owner: *mut c_void, _hint: *mut c_void) {
    // SAFETY: the box of `crossing`; Node runs a finalizer once, when the function cannot be called any more.
    drop(unsafe { Box::from_raw(owner.cast::<SharedPort>()) });
}
