//! Sessions: one principal's way to a store. The hub: no read or write has a second path.

use karyon_access::{Action, Grants};
use karyon_graph::{Gate, Names, Reader, Transaction};
use karyon_model::{Code, Error, NameId, Result, Seq, require};
use karyon_store::{Author, Body, Committed, Store};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLockReadGuard};

/// One incarnation of one principal, with what it may do.
#[derive(Clone)]
pub struct Session {
    store: Arc<Store>,
    principal: Box<str>,
    incarnation: u32,
    grants: Grants,
    /// What it reads and writes: a fork, or the base (0).
    pub(crate) layer: u32,
    /// Shared with its sessions in forks.
    dead: Arc<AtomicBool>,
}

impl Session {
    /// A session of a principal: supervision path and name, and which incarnation.
    pub fn new(store: Arc<Store>, principal: &str, incarnation: u32, grants: Grants) -> Session {
        Session { store, principal: principal.into(), incarnation, grants, layer: 0, dead: Arc::default() }
    }

    /// The same session in a fork, found by name among those that stand on what it reads. It ends with this one.
    pub fn in_fork(&self, name: &str) -> Result<Session> {
        let body = self.alive()?.body()?;
        let layer = body.graph.layer_named(name)?;
        let stands_here = body.graph.living(layer)?.is_some_and(|found| found.parent == self.layer);
        let message = || format!("the fork {name:?} stands elsewhere; open it there");
        require(stands_here, || Error::new(Code::Layer, message()))?;
        Ok(Session { layer, ..self.clone() })
    }

    /// The graph and the commits, while it is alive and what it reads is there.
    pub(crate) fn body(&self) -> Result<RwLockReadGuard<'_, Body>> {
        let body = self.alive()?.body()?;
        body.graph.living(self.layer)?;
        Ok(body)
    }

    /// The store behind it, for what concerns nobody's data.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Ends the session: from now on nothing of it is read, validated or committed, also of transactions that it has open. Cost: one store.
    pub(crate) fn kill(&self) {
        self.dead.store(true, Ordering::Release);
    }

    /// The store, for what is done in the session's name. Refuses what a dead incarnation asks for.
    pub fn alive(&self) -> Result<&Arc<Store>> {
        if !self.dead.load(Ordering::Acquire) {
            return Ok(&self.store);
        }
        let (principal, incarnation) = (&*self.principal, self.incarnation);
        let message =
            format!("incarnation {incarnation} of {principal} is dead; its successor has its own ctx");
        Err(Error::new(Code::CellDead, message).with("principal", principal).with("incarnation", incarnation))
    }

    /// Whether it may read everything, so that counts need no scan.
    pub fn reads_everything(&self) -> bool {
        self.grants.scope(Action::Read).is_everything()
    }

    /// Reads a version with the grants applied, as of an instant of valid time in µs since 1970 if one is given.
    pub fn read_at<T>(
        &self,
        seq: Seq,
        instant: Option<i64>,
        read: impl FnOnce(&mut Reader<'_>) -> Result<T>,
    ) -> Result<T> {
        let body = self.body()?;
        read(&mut Reader::at(&body.graph, seq, self).in_layer(self.layer).valid_at(instant))
    }

    /// Reads through a transaction: its own writes, then its snapshot.
    pub fn read_through<T>(
        &self,
        transaction: &mut Transaction,
        read: impl FnOnce(&mut Reader<'_>) -> Result<T>,
    ) -> Result<T> {
        read(&mut Reader::through(&self.body()?.graph, transaction, self)?)
    }

    /// A transaction over the newest published version.
    pub fn begin(&self) -> Result<Transaction> {
        Ok(self.alive()?.begin()?.in_layer(self.layer))
    }

    /// Validates and publishes a transaction. Nothing has changed when it fails.
    pub fn commit(&self, transaction: &Transaction, cause: Option<Seq>) -> Result<Committed> {
        self.alive()?.commit(transaction, self.author(cause))
    }

    pub(crate) fn author(&self, cause: Option<Seq>) -> Author<'_> {
        Author { principal: &self.principal, incarnation: self.incarnation, cause, gate: self }
    }

    fn check(&self, action: Action, names: &Names, labels: &mut dyn Iterator<Item = NameId>) -> Result<()> {
        if self.grants.scope(action).is_everything() {
            return Ok(());
        }
        let texts: Vec<_> = labels.map(|label| names.text(label)).collect();
        self.grants.check(&self.principal, action, &texts)
    }
}

impl Gate for Session {
    fn read_node(&self, labels: &mut dyn Iterator<Item = NameId>, names: &Names) -> Result<()> {
        self.check(Action::Read, names, labels)
    }

    fn read_unknown(&self, name: &str) -> Result<()> {
        self.grants.check(&self.principal, Action::Read, &[name])
    }

    fn write_node(&self, labels: &mut dyn Iterator<Item = NameId>, names: &Names) -> Result<()> {
        self.check(Action::Write, names, labels)
    }
}
