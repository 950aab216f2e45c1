//! Sessions: one principal's way to a store. The hub: no read or write has a second path.

use karyon_access::{Action, Grants};
use karyon_graph::{Declaration, Gate, Names, Reader, Transaction};
use karyon_model::{Code, Error, NameId, Result, Seq, check_key};
use karyon_store::{Archived, Author, Body, Committed, Retention, Store};
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

/// What a read reads from.
pub enum Source<'t> {
    /// A version, and as of which instant of valid time in µs since 1970, if any.
    At(Seq, Option<i64>),
    /// A transaction: its own writes, then its snapshot.
    Through(&'t mut Transaction),
}

impl Session {
    /// A session of a principal: supervision path and name, and which incarnation.
    pub fn new(store: Arc<Store>, principal: &str, incarnation: u32, grants: Grants) -> Session {
        Session { store, principal: principal.into(), incarnation, grants, layer: 0, dead: Arc::default() }
    }

    /// The same session in a fork, found by name among those that stand on what it reads. It ends with this one.
    pub fn in_fork(&self, name: &str) -> Result<Session> {
        self.check_alive()?;
        let body = self.store.body()?;
        let layer = body.graph.layer_named(name)?;
        if body.graph.living(layer)?.is_none_or(|found| found.parent != self.layer) {
            return Err(Error::new(
                Code::Layer,
                format!("the fork {name:?} stands elsewhere; open it there"),
            ));
        }
        Ok(Session { layer, ..self.clone() })
    }

    /// The graph and the commits, while it is alive and what it reads is there.
    pub(crate) fn body(&self) -> Result<RwLockReadGuard<'_, Body>> {
        self.check_alive()?;
        let body = self.store.body()?;
        body.graph.living(self.layer)?;
        Ok(body)
    }

    /// Makes a fork above a version of what it reads. For those who may write everything.
    pub fn fork(&self, name: &str, from: Seq) -> Result<Committed> {
        self.check_alive()?;
        self.store.fork(name, (self.layer, from), self.author(None), self).map(|made| made.1)
    }

    /// Drops the fork that it reads. For those who may write everything.
    pub fn drop_fork(&self) -> Result<Committed> {
        let snapshot = self.begin()?.snapshot();
        self.commit(&Transaction::dropping(snapshot, self.layer), None)
    }

    /// The store behind it, for what concerns nobody's data.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Ends the session: from now on nothing of it is read, validated or committed. Cost: one store.
    pub fn kill(&self) {
        self.dead.store(true, Ordering::Release);
    }

    /// Refuses what a dead incarnation asks for.
    pub fn check_alive(&self) -> Result<()> {
        if !self.dead.load(Ordering::Acquire) {
            return Ok(());
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

    /// Reads with the grants applied.
    pub fn read<T>(&self, source: Source<'_>, read: impl FnOnce(&mut Reader<'_>) -> Result<T>) -> Result<T> {
        let body = self.body()?;
        match source {
            Source::At(seq, instant) => {
                read(&mut Reader::at(&body.graph, seq, self).in_layer(self.layer).valid_at(instant))
            }
            Source::Through(transaction) => read(&mut Reader::through(&body.graph, transaction, self)?),
        }
    }

    /// A transaction over the newest published version.
    pub fn begin(&self) -> Result<Transaction> {
        self.check_alive()?;
        Ok(self.store.begin()?.in_layer(self.layer))
    }

    /// Has rules hold for a property of the nodes with a label. For those who may write everything.
    pub fn declare(&self, declaration: Declaration) -> Result<Committed> {
        let snapshot = self.begin()?.snapshot();
        self.commit(&Transaction::declaring(snapshot, declaration).in_layer(self.layer), None)
    }

    /// Lets go of what of the past a retention does not name. For those who may write everything.
    pub fn compact(&self, retention: &Retention) -> Result<Archived> {
        self.check_alive()?;
        self.store.compact(retention, self.author(None), self)
    }

    /// Erases a node, now and in the past. For those who may write everything.
    pub fn erase(&self, key: &str) -> Result<Archived> {
        self.check_alive()?;
        self.store.erase(check_key(key)?, self.author(None), self)
    }

    /// Validates and publishes a transaction. Nothing has changed when it fails.
    pub fn commit(&self, transaction: &Transaction, cause: Option<Seq>) -> Result<Committed> {
        self.check_alive()?;
        self.store.commit(transaction, self.author(cause), self)
    }

    pub(crate) fn author(&self, cause: Option<Seq>) -> Author<'_> {
        Author { principal: &self.principal, incarnation: self.incarnation, cause }
    }

    fn check(&self, action: Action, names: &Names, labels: &mut dyn Iterator<Item = NameId>) -> Result<()> {
        if self.grants.scope(action).is_everything() {
            return Ok(());
        }
        let texts: Vec<_> = labels.map(|label| names.text(label)).collect();
        self.grants.check(&self.principal, action, texts.iter().map(|text| &**text))
    }
}

impl Gate for Session {
    fn read_node(&self, labels: &mut dyn Iterator<Item = NameId>, names: &Names) -> Result<()> {
        self.check(Action::Read, names, labels)
    }

    fn read_unknown(&self, name: &str) -> Result<()> {
        self.grants.check(&self.principal, Action::Read, [name])
    }

    fn write_node(&self, labels: &mut dyn Iterator<Item = NameId>, names: &Names) -> Result<()> {
        self.check(Action::Write, names, labels)
    }
}
