//! What this addon keeps for each environment (the main thread's and every worker's): tables of handles.
#![allow(unsafe_code)] // One word of Node's is turned back into what was put there; argued below.

use crate::thrown::{Thrown, native_failure, thrown};
use karyon_model::Code;
use karyon_scheduler::Port;
use napi::{Env, bindgen_prelude::sys};
use std::ffi::c_void;
use std::ptr;

/// Everything of one environment. Nothing of it is shared with another, and nothing refers to a JavaScript value.
#[derive(Default)]
pub struct Environment {
    /// Cell schedulers.
    pub cells: Handles<Port>,
}

/// Things by number; numbers are reused.
pub struct Handles<T>(Vec<Option<Box<T>>>);

impl<T> Default for Handles<T> {
    fn default() -> Self {
        Handles(Vec::new())
    }
}

impl<T> Handles<T> {
    /// Keeps a thing and numbers it.
    pub fn insert(&mut self, thing: T) -> u32 {
        let free = self.0.iter().position(Option::is_none).unwrap_or_else(|| {
            self.0.push(None);
            self.0.len() - 1
        });
        self.0[free] = Some(Box::new(thing));
        free as u32
    }

    /// The thing of that number.
    pub fn get(&mut self, handle: u32) -> Result<&mut T, Thrown> {
        self.0
            .get_mut(handle as usize)
            .and_then(Option::as_deref_mut)
            .ok_or_else(|| thrown(Code::Closed, "this handle is closed"))
    }

    /// Lets the thing go; nothing happens the second time.
    pub fn remove(&mut self, handle: u32) -> Option<Box<T>> {
        self.0.get_mut(handle as usize)?.take()
    }
}

/// Runs with the environment's own state.
pub fn with_environment<R>(
    env: &Env,
    run: impl FnOnce(&mut Environment) -> Result<R, Thrown>,
) -> Result<R, Thrown> {
    run(environment_of(env.raw())?)
}

/// The environment's own state, made at its first use. For the length of one native call.
///
/// Read with one call of Node's rather than through napi's checked slot, which takes a process-wide lock: this stands on
/// the path of every batch of messages.
pub fn environment_of<'call>(env: sys::napi_env) -> Result<&'call mut Environment, Thrown> {
    let mut slot: *mut c_void = ptr::null_mut();
    // SAFETY: `env` is the environment of the running call, and `slot` outlives it.
    let status = unsafe { sys::napi_get_instance_data(env, &mut slot) };
    if status != sys::Status::napi_ok {
        return Err(native_failure("the environment's state cannot be read"));
    }
    if slot.is_null() {
        slot = Box::into_raw(Box::<Environment>::default()).cast();
        // SAFETY: `slot` came from a box just now; `drop_environment` takes it back once, when the environment ends.
        let status =
            unsafe { sys::napi_set_instance_data(env, slot, Some(drop_environment), ptr::null_mut()) };
        if status != sys::Status::napi_ok {
            // SAFETY: Node did not take it, so it is still ours alone.
            drop(unsafe { Box::from_raw(slot.cast::<Environment>()) });
            return Err(native_failure("the environment's state cannot be kept"));
        }
    }
    // SAFETY: the slot belongs to this addon in this environment, and only the lines above fill it. The reference is
    // the only one: an environment runs on one thread, each native call asks once, and none that holds the state calls
    // into JavaScript, from where another native call could begin.
    Ok(unsafe { &mut *slot.cast::<Environment>() })
}

extern "C" fn drop_environment(_env: sys::napi_env, slot: *mut c_void, _hint: *mut c_void) {
    // SAFETY: the pointer that `with_environment` put there; Node calls this once, when nothing can read it any more.
    drop(unsafe { Box::from_raw(slot.cast::<Environment>()) });
}
