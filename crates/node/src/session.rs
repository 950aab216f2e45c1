//! Sessions: what one incarnation of one principal may do.

use crate::environment::{Handle, SessionHandle, enter, run};
use karyon_kernel::model::Result;
use karyon_kernel::{Grants, Scope, Session};
use napi::Env;
use napi_derive::napi;
use std::rc::Rc;
use std::sync::Arc;

/// Opens a session. The exchange holds the principal, the names it may read (count, texts) and those it may write.
#[napi]
pub fn open_session(env: &Env, store: u32, incarnation: u32, length: u32) -> f64 {
    enter(env, |environment| {
        let mut cursor = environment.input(length);
        let principal = cursor.text()?.to_owned();
        let mut scope = || -> Result<Scope> {
            let count = cursor.length()?;
            (0..count).map(|_| cursor.text()).collect()
        };
        let grants = Grants { read: scope()?, write: scope()? };
        let handle = environment.store(store)?;
        let (store, visible) = (handle.open.store.clone(), handle.visible.clone());
        let session = Arc::new(Session::new(store, &principal, incarnation, grants));
        environment.keep(Handle::Session(SessionHandle { session, visible, pins: Rc::default() }))
    })
}

/// Ends a session: nothing of it is validated any more, also of transactions that it has open.
#[napi]
pub fn kill_session(env: &Env, session: u32) -> f64 {
    run(env, |environment| {
        environment.session(session)?.kill();
        Ok(())
    })
}

/// Lets go of the handle of a closed store, of a session, or of a transaction, which is dropped; nothing when it is gone.
#[napi]
pub fn release_handle(env: &Env, handle: u32) -> f64 {
    run(env, |environment| {
        drop(environment.release(handle));
        Ok(())
    })
}
