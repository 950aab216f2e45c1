//! Where permission is asked. The graph asks; whoever answers knows nothing of how it is done.

use crate::names::Names;
use karyon_model::{Code, NameId, Result};

/// Answers whether a principal may do something. Labels and types are interned in `names`; a node
/// without labels is asked for with none.
pub trait Gate {
    /// May it see a node with these labels?
    fn read_node(&self, labels: &mut dyn Iterator<Item = NameId>, names: &Names) -> Result<()>;
    /// May it see an edge of this type?
    fn read_edge(&self, kind: NameId, names: &Names) -> Result<()> {
        self.read_node(&mut std::iter::once(kind), names)
    }
    /// May it ask for a label or type that nothing in the store has ever had?
    fn read_unknown(&self, name: &str) -> Result<()>;
    /// May it change a node that had and has these labels, before and after?
    fn write_node(&self, labels: &mut dyn Iterator<Item = NameId>, names: &Names) -> Result<()>;
    /// May it change an edge of this type?
    fn write_edge(&self, kind: NameId, names: &Names) -> Result<()> {
        self.write_node(&mut std::iter::once(kind), names)
    }
}

/// Lets everything pass: the program itself.
pub struct Open;

impl Gate for Open {
    fn read_node(&self, _: &mut dyn Iterator<Item = NameId>, _: &Names) -> Result<()> {
        Ok(())
    }

    fn read_unknown(&self, _: &str) -> Result<()> {
        Ok(())
    }

    fn write_node(&self, _: &mut dyn Iterator<Item = NameId>, _: &Names) -> Result<()> {
        Ok(())
    }
}

/// Turns a refusal into false and lets every other error pass.
pub fn permitted(answer: Result<()>) -> Result<bool> {
    match answer {
        Ok(()) => Ok(true),
        Err(error) if error.code() == Code::Access => Ok(false),
        Err(error) => Err(error),
    }
}
