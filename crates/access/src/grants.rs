//! Grants: the labels and edge types that a principal may read and write. What is not granted is denied.

use karyon_model::{Code, Error, Result};
use std::collections::BTreeSet;

/// The grant for everything, nodes without labels included.
pub const EVERYTHING: &str = "*";

/// What someone wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// See a node or edge.
    Read,
    /// Change a node or edge.
    Write,
}

impl Action {
    /// The word for it in messages and events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Action::Read => "read",
            Action::Write => "write",
        }
    }
}

/// A set of labels and edge types.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    everything: bool,
    names: BTreeSet<Box<str>>,
}

impl<'a> FromIterator<&'a str> for Scope {
    fn from_iter<I: IntoIterator<Item = &'a str>>(names: I) -> Self {
        let names: BTreeSet<Box<str>> = names.into_iter().map(Into::into).collect();
        Scope { everything: names.contains(EVERYTHING), names }
    }
}

impl Scope {
    /// Whether it holds everything.
    pub fn is_everything(&self) -> bool {
        self.everything
    }

    /// Whether it holds a label or edge type.
    pub fn holds(&self, name: &str) -> bool {
        self.everything || self.names.contains(name)
    }
}

/// What one principal may do. The default is nothing.
///
/// ```
/// use karyon_access::{Action, Grants, Scope};
/// let grants = Grants { read: ["Fact", "CITES"].into_iter().collect(), write: Scope::default() };
/// assert!(grants.check("root/alice", Action::Read, &["Fact"]).is_ok());
/// assert!(grants.check("root/alice", Action::Read, &["Fact", "Secret"]).is_err());
/// assert!(grants.check("root/alice", Action::Read, &[""; 0]).is_err());
/// assert!(grants.check("root/alice", Action::Write, &["Fact"]).is_err());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// What it may see.
    pub read: Scope,
    /// What it may change.
    pub write: Scope,
}

impl Grants {
    /// The scope of an action.
    pub fn scope(&self, action: Action) -> &Scope {
        match action {
            Action::Read => &self.read,
            Action::Write => &self.write,
        }
    }

    /// Refuses with `Access` unless every name is granted. No name at all stands for a node without labels, which only
    /// the grant for everything covers.
    pub fn check(&self, principal: &str, action: Action, names: &[impl AsRef<str>]) -> Result<()> {
        let scope = self.scope(action);
        let unlabelled = (names.is_empty() && !scope.everything).then_some(EVERYTHING);
        let missing = unlabelled.or_else(|| names.iter().map(AsRef::as_ref).find(|name| !scope.holds(name)));
        missing.map_or(Ok(()), |name| Err(refusal(principal, action, name)))
    }
}

/// The error for what is not granted.
fn refusal(principal: &str, action: Action, name: &str) -> Error {
    let action = action.as_str();
    let what = if name == EVERYTHING { "nodes without labels".to_owned() } else { format!("{name:?}") };
    let message = format!("{principal} may not {action} {what}; add {name:?} to its {action} grants");
    Error::new(Code::Access, message).with("principal", principal).with("action", action).with("name", name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn only_what_is_granted_passes(granted: BTreeSet<u8>, asked: Vec<u8>) {
            let text = |name: &u8| format!("n{name}");
            let granted_text: Vec<_> = granted.iter().map(text).collect();
            let asked_text: Vec<_> = asked.iter().map(text).collect();
            let read: Scope = granted_text.iter().map(String::as_str).collect();
            let grants = Grants { read, write: Scope::default() };
            let allowed = !asked.is_empty() && asked.iter().all(|name| granted.contains(name));
            prop_assert_eq!(grants.check("p", Action::Read, &asked_text).is_ok(), allowed);
            prop_assert!(grants.check("p", Action::Write, &asked_text).is_err(), "a read grant is no write grant");
        }
    }

    #[test]
    fn nothing_is_granted_by_default_and_everything_covers_unlabelled_nodes() {
        assert_eq!(Grants::default().check("p", Action::Read, &["Fact"]).unwrap_err().code(), Code::Access);
        assert_eq!(Grants::default().check("p", Action::Read, &[""; 0]).unwrap_err().code(), Code::Access);
        let everything = Grants { write: [EVERYTHING].into_iter().collect(), ..Grants::default() };
        assert!(everything.check("p", Action::Write, &[""; 0]).is_ok());
    }

    #[test]
    fn a_refusal_names_who_what_and_the_missing_grant() {
        let error = Grants::default().check("root/eve", Action::Write, &["Fact"]).unwrap_err();
        assert!(error.message().contains("root/eve may not write \"Fact\""));
        let expected = [("principal", "root/eve"), ("action", "write"), ("name", "Fact")];
        assert_eq!(error.details(), expected.map(|(name, value)| (name, value.into())));
    }
}
