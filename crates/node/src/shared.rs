//! What the environments of one process share: a token, given out in one of them, is adopted in another.

use crate::cells::credit_words;
use crate::environment::{Handle, KERNEL_CLOSED, SessionHandle, closed, enter, find};
use crate::store::keep;
use karyon_kernel::OpenStore;
use karyon_kernel::model::Result;
use napi::Env;
use napi::bindgen_prelude::Int32Array;
use napi_derive::napi;
use parking_lot::Mutex;
use std::any::Any;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A store, a session, or the credits of a scheduler.
type Shared = Arc<dyn Any + Send + Sync>;

/// By token. As many as kernels have cells with a session in another environment, and two for each kernel.
static SHARED: Mutex<BTreeMap<u64, Shared>> = Mutex::new(BTreeMap::new());
/// No token is given out twice.
static TOKENS: AtomicU64 = AtomicU64::new(1);

fn shared<T: Send + Sync + 'static>(token: f64) -> Result<Arc<T>> {
    let found = SHARED.lock().get(&(token as u64)).cloned();
    let gone = || closed("what was shared is gone: its kernel is closed, or its cell is dead");
    found.ok_or_else(gone)?.downcast().map_err(|_| closed("the token is that of something else"))
}

/// Shares a store, a session, or the credits of a scheduler, which other threads take from then on. Returns a token, until it is taken back.
#[napi]
pub fn share_handle(env: &Env, handle: u32) -> f64 {
    enter(env, |environment| {
        let what: Shared = match environment.handle(handle) {
            Some(Handle::Store(store)) => store.open.clone(),
            Some(Handle::Session(session)) => session.session.clone(),
            Some(Handle::Cells(port)) => {
                let credits = port.lock().scheduler.credits().clone();
                credits.share();
                credits
            }
            _ => return Err(closed(KERNEL_CLOSED)),
        };
        let token = TOKENS.fetch_add(1, Relaxed);
        SHARED.lock().insert(token, what);
        Ok(token as f64)
    })
}

/// Takes a token back. What was adopted by it stays with whoever did.
#[napi]
pub fn unshare(token: f64) {
    SHARED.lock().remove(&(token as u64));
}

/// The store behind a token. Returns a handle, which another environment's end does not close.
#[napi]
pub fn adopt_store(env: &Env, token: f64) -> f64 {
    enter(env, |environment| keep(environment, shared::<OpenStore>(token)?))
}

/// The session behind a token, of a store that was adopted. Returns a handle. It dies with the one that was shared.
#[napi]
pub fn adopt_session(env: &Env, store: u32, token: f64) -> f64 {
    enter(env, |environment| {
        let (session, visible) = (shared(token)?, environment.store(store)?.visible.clone());
        environment.keep(Handle::Session(SessionHandle { session, visible, pins: Rc::default() }))
    })
}

/// The credits behind a token: room in each mailbox, by cell index.
#[napi]
pub fn adopt_credits(env: &Env, token: f64) -> Option<Int32Array> {
    find(env, |_| Ok(credit_words(&shared(token)?)))
}
