//! What the environments of one process share: a token, given out in one of them, is adopted in another.

use crate::cells::credit_words;
use crate::environment::{Handle, SessionHandle, closed, enter, find};
use crate::store::keep;
use karyon_kernel::model::{Code, Error, Result};
use karyon_kernel::scheduler::Credits;
use karyon_kernel::{OpenStore, Session};
use napi::Env;
use napi::bindgen_prelude::Int32Array;
use napi_derive::napi;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// The most tokens at once: one for each session of a cell in another environment, and a few for each kernel.
const TOKENS_MAX: usize = 2_000_000;

#[derive(Clone)]
enum Shared {
    Store(Arc<OpenStore>),
    Session(Arc<Session>),
    Credits(Arc<Credits>),
}

/// By token. A token is given out once in four billion times.
static SHARED: LazyLock<Mutex<(u32, HashMap<u32, Shared>)>> = LazyLock::new(Mutex::default);

fn shared(token: u32) -> Result<Shared> {
    let table = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    table
        .1
        .get(&token)
        .cloned()
        .ok_or_else(|| closed("what was shared is gone: its kernel is closed, or its cell is dead"))
}

/// Shares a store, a session, or the credits of a scheduler, which other threads take from then on. Returns a token, until it is taken back.
#[napi]
pub fn share_handle(env: &Env, handle: u32) -> f64 {
    enter(env, |environment| {
        let what = match environment.handle(handle) {
            Some(Handle::Store(store)) => Shared::Store(store.open.clone()),
            Some(Handle::Session(session)) => Shared::Session(session.session.clone()),
            Some(Handle::Cells(port)) => {
                let credits = crate::cells::locked(port).scheduler.credits().clone();
                credits.share();
                Shared::Credits(credits)
            }
            _ => return Err(closed("the kernel is closed; open it again")),
        };
        let (last, table) = &mut *SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if table.len() >= TOKENS_MAX {
            let message = format!(
                "{TOKENS_MAX} things are shared with other threads, which is the most; stop some cells"
            );
            return Err(Error::new(Code::CellCount, message).with("limit", TOKENS_MAX));
        }
        *last = last.wrapping_add(1);
        while table.contains_key(last) {
            *last = last.wrapping_add(1);
        }
        table.insert(*last, what);
        Ok(f64::from(*last))
    })
}

/// Takes a token back. What was adopted by it stays with whoever did.
#[napi]
pub fn unshare(token: u32) {
    SHARED.lock().unwrap_or_else(PoisonError::into_inner).1.remove(&token);
}

/// The store behind a token. Returns a handle, which another environment's end does not close.
#[napi]
pub fn adopt_store(env: &Env, token: u32) -> f64 {
    enter(env, |environment| match shared(token)? {
        Shared::Store(open) => keep(environment, open),
        _ => Err(closed("the token is none of a store")),
    })
}

/// The session behind a token, of a store that was adopted. Returns a handle. It dies with the one that was shared.
#[napi]
pub fn adopt_session(env: &Env, store: u32, token: u32) -> f64 {
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
pub fn adopt_credits(env: &Env, token: u32) -> Option<Int32Array> {
    find(env, |_| match shared(token)? {
        Shared::Credits(credits) => Ok(credit_words(&credits)),
        _ => Err(closed("the token is none of a scheduler")),
    })
}
