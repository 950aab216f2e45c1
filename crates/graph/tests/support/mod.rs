//! What the tests of the graph have in common.

use karyon_graph::{Gate, Graph, Prepared, Transaction};
use karyon_model::Result;

/// A graph to which a transaction is committed at once.
pub trait AtOnce {
    /// Validates, carries out and publishes it; `None` when it changes nothing.
    fn commit(
        &mut self,
        transaction: &Transaction,
        principal: &str,
        gate: &dyn Gate,
    ) -> Result<Option<Prepared>>;
}

impl AtOnce for Graph {
    fn commit(
        &mut self,
        transaction: &Transaction,
        principal: &str,
        gate: &dyn Gate,
    ) -> Result<Option<Prepared>> {
        let Some(mut prepared) = self.prepare(transaction, principal, gate)? else { return Ok(None) };
        self.publish(&mut prepared, usize::MAX)?;
        Ok(Some(prepared))
    }
}
