//! What the environments of one process share: a token, given out in one of them, is adopted in another.

use crate::cells::credit_words;
use crate::environment::{Handle, SessionHandle, closed, enter, find};
use crate::store::keep;
use karyon_kernel::model::Result;
use karyon_kernel::scheduler::Credits;
use karyon_kernel::{OpenStore, Session};
use napi::Env;
use napi::bindgen_prelude::Int32Array;
use napi_derive::napi;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

#[derive(Clone)]
enum Shared {
    Store(Arc<OpenStore>),
    Session(Arc<Session>),
    Credits(Arc<Credits>),
}

/// By token. As many as kernels have cells with a session in another environment, and two for each kernel.
static SHARED: Mutex<BTreeMap<u64, Shared>> = Mutex::new(BTreeMap::new());
/// No token is given out twice.
static TOKENS: AtomicU64 = AtomicU64::new(1);

fn shared(token: f64) -> Result<Shared> {
    let found = SHARED.lock().get(&(token as u64)).cloned();
    found.ok_or_else(|| closed("what was shared is gone: its kernel is closed, or its cell is dead"))
}

/// Shares a store, a session, or the credits of a scheduler, which other threads take from then on. Returns a token, until it is taken back.
#[napi]
pub fn share_handle(env: &Env, handle: u32) -> f64 {
    enter(env, |environment| {
        let what = match environment.handle(handle) {
            Some(Handle::Store(store)) => Shared::Store(store.open.clone()),
            Some(Handle::Session(session)) => Shared::Session(session.session.clone()),
            Some(Handle::Cells(port)) => {
                let credits = port.lock().scheduler.credits().clone();
                credits.share();
                Shared::Credits(credits)
            }
            _ => return Err(closed("the kernel is closed; open it again")),
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
    enter(env, |environment| match shared(token)? {
        Shared::Store(open) => keep(environment, open),
        _ => Err(closed("the token is none of a store")),
    })
}

/// The session behind a token, of a store that was adopted. Returns a handle. It dies with the one that was shared.
#[napi]
pub fn adopt_session(env: &Env, store: u32, token: f64) -> f64 {
    enter(env, |environment| match shared(token)? {
        Shared::Session(session) => {
            let visible = environment.store(store)?.visible.clone();
            environment.keep(Handle::Session(SessionHandle { session, visible, pins: Rc::default() }))
        }
        _ => Err(closed("the token is none of a session")),
    })
}

/// The credits behind a token: room in each mailbox, by cell index.
#[napi]
pub fn adopt_credits(env: &Env, token: f64) -> Option<Int32Array> {
    find(env, |_| match shared(token)? {
        Shared::Credits(credits) => Ok(credit_words(&credits)),
        _ => Err(closed("the token is none of a scheduler")),
    })
}
