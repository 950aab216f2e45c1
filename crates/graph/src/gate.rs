//! Where permission is asked. The graph asks; whoever answers knows nothing of how it is done.

use crate::names::Names;
use crate::plan::{Surface, target};
use karyon_model::{Code, NameId, Result, Target, Verb, unless};
use smallvec::SmallVec;

/// A node's labels, or an edge's type.
pub(crate) type Labels = SmallVec<[NameId; 4]>;

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
    /// May it change a node with these labels, or an edge of this type? Asked for what was before a commit and what is then.
    fn write_node(&self, labels: &mut dyn Iterator<Item = NameId>, names: &Names) -> Result<()>;
    /// The same of an edge.
    fn write_edge(&self, kind: NameId, names: &Names) -> Result<()> {
        self.write_node(&mut std::iter::once(kind), names)
    }
}

/// Asks about a verb of which nothing has come, be it that it failed or that there was nothing to change: who may not change
/// its target must not learn of it by trying. A node that is not there counts with the labels that it would have got.
pub(crate) fn ask<S: Surface>(surface: &S, verb: &Verb<'_>, gate: &dyn Gate) -> Result<()> {
    let (names, target) = (surface.names(), target(verb));
    let absent = match (target, verb) {
        (Target::Edge(edge), _) => &[edge.kind][..],
        (_, Verb::Put { labels, .. } | Verb::Patch { labels, .. }) => labels,
        _ => &[],
    };
    let absent = absent.iter().map(|name| names.intern(name)).collect::<Result<Labels>>()?;
    let sides = surface.sides(&target)?;
    let absent = sides.iter().all(Option::is_none).then_some(absent);
    let mut asked = sides.into_iter().flatten().chain(absent);
    asked.try_for_each(|labels| gate.write_node(&mut labels.into_iter(), names))
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
    Ok(unless(Code::Access, answer)?.is_some())
}
