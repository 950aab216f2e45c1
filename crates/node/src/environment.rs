//! What one JavaScript environment has open: kept in its instance data, dropped with it.

use crate::cells::SharedPort;
use crate::exchange::Exchange;
use crate::store::{Outcome, StoreHandle};
use crate::watchdog::Registration;
use karyon_kernel::model::Cursor;
use karyon_kernel::model::{Code, Error, Result, Seq};
use karyon_kernel::{Lookup, Pin, Session, Store, Transaction};
use napi::Env;
use slab::Slab;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;

/// What to do where a store or session is asked for that is gone.
pub(crate) const KERNEL_CLOSED: &str = "the kernel is closed; open it again";

/// The answer of a function that failed: see `take_failure`.
pub(crate) const FAILED: f64 = -1.0;

/// What a handle number stands for.
pub(crate) enum Handle {
    Store(StoreHandle),
    Session(SessionHandle),
    /// With what keeps its snapshot.
    Transaction(Box<Transaction>, SessionHandle, Pin),
    Cells(SharedPort),
    Lookup(Arc<Lookup>),
    Outcome(Result<Outcome>),
}

/// A session, and the newest version of its store that this environment has been told is durable.
#[derive(Clone)]
pub(crate) struct SessionHandle {
    pub(crate) session: Arc<Session>,
    pub(crate) visible: Rc<Cell<Seq>>,
    /// What its views show. It is kept no longer than the session.
    pub(crate) pins: Rc<RefCell<Vec<Pin>>>,
}

impl SessionHandle {
    /// The version that a number stands for; a negative one for the newest that is visible.
    pub(crate) fn version(&self, at: f64) -> Seq {
        if at < 0.0 { self.visible.get() } else { at as Seq }
    }
}

/// One environment's state.
#[derive(Default)]
pub(crate) struct Environment {
    pub(crate) exchange: Exchange,
    pub(crate) failure: Option<Error>,
    /// Reused for answers, so that none of them allocates.
    pub(crate) scratch: Vec<u8>,
    /// The instant of valid time for reads of a version and a half.
    pub(crate) valid: i64,
    /// Watched since it asked for it.
    pub(crate) watched: Option<Registration>,
    handles: Slab<Handle>,
}

impl Environment {
    /// Keeps something and returns its number.
    pub(crate) fn keep(&mut self, handle: Handle) -> Result<f64> {
        Ok(self.handles.insert(handle) as f64)
    }

    /// Lets go of a handle; nothing when it was already let go.
    pub(crate) fn release(&mut self, number: u32) -> Option<Handle> {
        self.handles.try_remove(number as usize)
    }

    pub(crate) fn handle(&mut self, number: u32) -> Option<&mut Handle> {
        self.handles.get_mut(number as usize)
    }

    /// What is visible of a store that is open here already.
    pub(crate) fn visible_of(&self, store: &Arc<Store>) -> Option<Rc<Cell<Seq>>> {
        self.handles.iter().find_map(|(_, handle)| match handle {
            Handle::Store(open) if Arc::ptr_eq(&open.open.store, store) => Some(open.visible.clone()),
            _ => None,
        })
    }

    pub(crate) fn store(&mut self, number: u32) -> Result<&mut StoreHandle> {
        let Some(Handle::Store(store)) = self.handle(number) else { return Err(closed(KERNEL_CLOSED)) };
        Ok(store)
    }

    pub(crate) fn session(&mut self, number: u32) -> Result<SessionHandle> {
        let Some(Handle::Session(session)) = self.handle(number) else { return Err(closed(KERNEL_CLOSED)) };
        Ok(session.clone())
    }

    pub(crate) fn cells(&mut self, number: u32) -> Result<SharedPort> {
        let stopped = || closed("the cells of this kernel are stopped; open it again");
        let Some(Handle::Cells(port)) = self.handle(number) else { return Err(stopped()) };
        Ok(port.clone())
    }

    /// What JavaScript has written: the first `length` bytes of the exchange.
    pub(crate) fn input(&self, length: u32) -> Cursor<'_> {
        Cursor::new(self.exchange.input(length as usize))
    }

    /// Has an answer written, and puts it into the exchange. Returns its length.
    pub(crate) fn answer(
        &mut self,
        act: impl FnOnce(&mut Environment, &mut Vec<u8>) -> Result<()>,
    ) -> Result<f64> {
        let mut out = std::mem::take(&mut self.scratch);
        out.clear();
        let done = act(self, &mut out);
        self.exchange.output(&out);
        self.scratch = out;
        done.map(|()| self.scratch.len() as f64)
    }
}

pub(crate) fn closed(message: &str) -> Error {
    Error::new(Code::Closed, message)
}

/// Runs a function's body with its environment: failures are kept for `take_failure`, panics become failures.
pub(crate) fn enter(env: &Env, act: impl FnOnce(&mut Environment) -> Result<f64>) -> f64 {
    find(env, act).unwrap_or(FAILED)
}

/// As `enter`, for what has nothing to answer.
pub(crate) fn run<T>(env: &Env, act: impl FnOnce(&mut Environment) -> Result<T>) -> f64 {
    enter(env, |environment| act(environment).map(|_| 0.0))
}

/// As `enter`, for what answers through the exchange: the answer's length in it.
pub(crate) fn answer(env: &Env, act: impl FnOnce(&mut Environment, &mut Vec<u8>) -> Result<()>) -> f64 {
    enter(env, |environment| environment.answer(act))
}

/// As `enter`, for functions that answer with something else than a number: nothing when they fail.
pub(crate) fn find<T>(env: &Env, act: impl FnOnce(&mut Environment) -> Result<T>) -> Option<T> {
    let environment = match env.get_instance_data::<Environment>().ok()? {
        Some(environment) => environment,
        None => {
            env.set_instance_data(Environment::default(), (), |_| {}).ok()?;
            env.get_instance_data::<Environment>().ok()??
        }
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| act(environment))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
        Err(Error::new(Code::Panic, format!("a defect in Karyon: {text}; close and open the store again")))
    });
    outcome.map_err(|error| environment.failure = Some(error)).ok()
}
