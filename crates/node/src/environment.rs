//! What one JavaScript environment has open: kept in its instance data, dropped with it.

use crate::cells::SharedPort;
use crate::exchange::Exchange;
use crate::store::{Outcome, StoreHandle};
use karyon_kernel::model::limits::SNAPSHOTS_MAX;
use karyon_kernel::model::{Code, Error, Result};
use karyon_kernel::{Session, Transaction};
use napi::Env;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;

/// The answer of a function that failed: see `take_failure`.
pub(crate) const FAILED: f64 = -1.0;

/// What a handle number stands for.
pub(crate) enum Handle {
    Store(StoreHandle),
    Session(SessionHandle),
    Transaction(Box<Transaction>, SessionHandle),
    Cells(SharedPort),
    Outcome(Result<Outcome>),
}

/// A session, and what this environment has to do with its store.
#[derive(Clone)]
pub(crate) struct SessionHandle {
    pub(crate) session: Arc<Session>,
    pub(crate) shared: Rc<StoreShare>,
}

/// What this environment's handles of one store share.
pub(crate) struct StoreShare {
    /// The newest version that the environment has been told is durable.
    pub(crate) visible: Cell<u64>,
    /// Transactions that are open.
    pub(crate) transactions: Cell<usize>,
}

/// One environment's state.
pub(crate) struct Environment {
    pub(crate) exchange: Exchange,
    pub(crate) failure: Option<Error>,
    /// Reused for answers, so that none of them allocates.
    pub(crate) scratch: Vec<u8>,
    handles: Vec<Option<Handle>>,
    free: Vec<u32>,
}

impl Environment {
    fn new() -> Environment {
        Environment {
            exchange: Exchange::new(),
            failure: None,
            scratch: Vec::new(),
            handles: Vec::new(),
            free: Vec::new(),
        }
    }

    /// Keeps something and returns its number.
    pub(crate) fn keep(&mut self, handle: Handle) -> Result<f64> {
        if let Handle::Transaction(_, session) = &handle {
            let open = &session.shared.transactions;
            if open.get() >= SNAPSHOTS_MAX {
                let message =
                    format!("{SNAPSHOTS_MAX} transactions are open; commit or roll back some of them");
                return Err(Error::new(Code::SnapshotCount, message).with("limit", SNAPSHOTS_MAX));
            }
            open.set(open.get() + 1);
        }
        let number = match self.free.pop() {
            Some(number) => number,
            None => {
                self.handles.push(None);
                self.handles.len() as u32 - 1
            }
        };
        self.handles[number as usize] = Some(handle);
        Ok(f64::from(number))
    }

    /// Lets go of a handle; nothing when it was already let go.
    pub(crate) fn release(&mut self, number: u32) -> Option<Handle> {
        let handle = self.handles.get_mut(number as usize)?.take()?;
        if let Handle::Transaction(_, session) = &handle {
            let open = &session.shared.transactions;
            open.set(open.get() - 1);
        }
        self.free.push(number);
        Some(handle)
    }

    pub(crate) fn handle(&mut self, number: u32) -> Option<&mut Handle> {
        self.handles.get_mut(number as usize)?.as_mut()
    }

    pub(crate) fn store(&mut self, number: u32) -> Result<&mut StoreHandle> {
        match self.handle(number) {
            Some(Handle::Store(store)) => Ok(store),
            _ => Err(closed("the kernel is closed; open it again")),
        }
    }

    pub(crate) fn session(&mut self, number: u32) -> Result<SessionHandle> {
        match self.handle(number) {
            Some(Handle::Session(session)) => Ok(session.clone()),
            _ => Err(closed("the kernel is closed; open it again")),
        }
    }

    pub(crate) fn cells(&mut self, number: u32) -> Result<SharedPort> {
        match self.handle(number) {
            Some(Handle::Cells(port)) => Ok(port.clone()),
            _ => Err(closed("the cells of this kernel are stopped; open it again")),
        }
    }

    /// Writes the scratch memory out as the answer and returns its length.
    pub(crate) fn answer(&mut self) -> f64 {
        self.exchange.output(&self.scratch);
        self.scratch.len() as f64
    }
}

pub(crate) fn closed(message: &str) -> Error {
    Error::new(Code::Closed, message)
}

/// Runs a function's body with its environment: failures are kept for `take_failure`, panics become failures.
pub(crate) fn enter(env: &Env, act: impl FnOnce(&mut Environment) -> Result<f64>) -> f64 {
    let environment = match env.get_instance_data::<Environment>() {
        Ok(Some(environment)) => environment,
        _ => {
            if env.set_instance_data(Environment::new(), (), |_| {}).is_err() {
                return FAILED;
            }
            match env.get_instance_data::<Environment>() {
                Ok(Some(environment)) => environment,
                _ => return FAILED,
            }
        }
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| act(environment))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
        Err(Error::new(Code::Panic, format!("a defect in Karyon: {text}; close and open the store again")))
    });
    outcome.unwrap_or_else(|error| {
        environment.failure = Some(error);
        FAILED
    })
}
