//! Where permission is asked. The graph asks; whoever answers knows nothing of how it is done.

use karyon_model::{NameId, Result};

/// Answers whether a principal may do something. Labels are interned; a node without labels is asked for with none.
pub trait Gate {
    /// May it see a node with these labels?
    fn read_node(&self, labels: &mut dyn Iterator<Item = NameId>) -> Result<()>;
    /// May it see an edge of this type?
    fn read_edge(&self, kind: NameId) -> Result<()>;
    /// May it change a node that had and has these labels, before and after?
    fn write_node(&self, labels: &mut dyn Iterator<Item = NameId>) -> Result<()>;
    /// May it change an edge of this type?
    fn write_edge(&self, kind: NameId) -> Result<()>;
}

/// Lets everything pass: the program itself.
pub struct Open;

impl Gate for Open {
    fn read_node(&self, _: &mut dyn Iterator<Item = NameId>) -> Result<()> {
        Ok(())
    }

    fn read_edge(&self, _: NameId) -> Result<()> {
        Ok(())
    }

    fn write_node(&self, _: &mut dyn Iterator<Item = NameId>) -> Result<()> {
        Ok(())
    }

    fn write_edge(&self, _: NameId) -> Result<()> {
        Ok(())
    }
}
