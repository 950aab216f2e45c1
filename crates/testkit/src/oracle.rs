//! A property graph that keeps a full copy of itself per version: slow, large and obviously right.
//!
//! The engine is compared with it. `V` stands for a property's value: canonical bytes, or whatever orders and
//! compares like them. Verbs that compute (increment, append, splice) are applied by the test, which patches
//! the result in.

use std::collections::{BTreeMap, BTreeSet};

/// What identifies an edge.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EdgeName {
    /// Key of the node that it leaves.
    pub from: String,
    /// Its type.
    pub edge_type: String,
    /// Key of the node that it reaches.
    pub to: String,
    /// Its own key, which tells parallel edges apart.
    pub key: String,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node<V> {
    /// Its labels.
    pub labels: BTreeSet<String>,
    /// Its properties.
    pub props: BTreeMap<String, V>,
}

/// The properties of an edge.
pub type Props<V> = BTreeMap<String, V>;

/// One version of the graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version<V> {
    /// The nodes by key.
    pub nodes: BTreeMap<String, Node<V>>,
    /// The edges by name.
    pub edges: BTreeMap<EdgeName, Props<V>>,
}

/// One step of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb<V> {
    /// Creates or replaces a node.
    Put {
        /// Key of the node.
        key: String,
        /// All its labels.
        labels: BTreeSet<String>,
        /// All its properties.
        props: BTreeMap<String, V>,
    },
    /// Creates or merges a node.
    Patch {
        /// Key of the node.
        key: String,
        /// Labels it gets.
        labels: BTreeSet<String>,
        /// Labels it loses.
        drop_labels: BTreeSet<String>,
        /// Properties it gets; `None` unsets.
        props: BTreeMap<String, Option<V>>,
    },
    /// Merges properties into an edge, which exists; `None` unsets.
    PatchEdge {
        /// Name of the edge.
        edge: EdgeName,
        /// Properties it gets; `None` unsets.
        props: BTreeMap<String, Option<V>>,
    },
    /// Removes a node.
    Remove {
        /// Key of the node.
        key: String,
        /// Whether its edges go with it; otherwise it must have none.
        detach: bool,
    },
    /// Creates or merges an edge between nodes that exist.
    Link {
        /// Name of the edge.
        edge: EdgeName,
        /// Properties it gets.
        props: BTreeMap<String, V>,
    },
    /// Removes an edge.
    Unlink {
        /// Name of the edge.
        edge: EdgeName,
    },
}

/// Why a verb is refused; the whole transaction is then without effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A node that must exist does not.
    NodeMissing,
    /// An edge that must exist does not.
    EdgeMissing,
    /// The node to be removed still has edges.
    HasEdges,
}

/// An entity that two versions hold differently, as it is in each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference<V> {
    /// A node.
    Node {
        /// Its key.
        key: String,
        /// As the first version has it.
        before: Option<Node<V>>,
        /// As the second version has it.
        after: Option<Node<V>>,
    },
    /// An edge.
    Edge {
        /// Its name.
        edge: EdgeName,
        /// As the first version has it.
        before: Option<Props<V>>,
        /// As the second version has it.
        after: Option<Props<V>>,
    },
}

impl<V> Default for Version<V> {
    fn default() -> Self {
        Version { nodes: BTreeMap::new(), edges: BTreeMap::new() }
    }
}

impl<V: Clone + Ord> Version<V> {
    /// Applies one verb. That something to be removed does not exist is no refusal.
    pub fn apply(&mut self, verb: &Verb<V>) -> Result<(), Refusal> {
        match verb {
            Verb::Put { key, labels, props } => {
                self.nodes.insert(key.clone(), Node { labels: labels.clone(), props: props.clone() });
            }
            Verb::Patch { key, labels, drop_labels, props } => {
                let empty = Node { labels: BTreeSet::new(), props: BTreeMap::new() };
                let node = self.nodes.entry(key.clone()).or_insert(empty);
                node.labels.extend(labels.iter().cloned());
                node.labels.retain(|label| !drop_labels.contains(label));
                merge(&mut node.props, props);
            }
            Verb::PatchEdge { edge, props } => {
                merge(self.edges.get_mut(edge).ok_or(Refusal::EdgeMissing)?, props);
            }
            Verb::Remove { key, detach } => {
                let touches = |edge: &EdgeName| edge.from == *key || edge.to == *key;
                if !detach && self.edges.keys().any(touches) {
                    return Err(Refusal::HasEdges);
                }
                self.edges.retain(|edge, _| !touches(edge));
                self.nodes.remove(key);
            }
            Verb::Link { edge, props } => {
                if !self.nodes.contains_key(&edge.from) || !self.nodes.contains_key(&edge.to) {
                    return Err(Refusal::NodeMissing);
                }
                self.edges.entry(edge.clone()).or_default().extend(props.clone());
            }
            Verb::Unlink { edge } => {
                self.edges.remove(edge);
            }
        }
        Ok(())
    }
}

fn merge<V: Clone>(props: &mut BTreeMap<String, V>, changes: &BTreeMap<String, Option<V>>) {
    for (name, value) in changes {
        match value {
            Some(value) => props.insert(name.clone(), value.clone()),
            None => props.remove(name),
        };
    }
}

/// Every version of a graph, each in full. Version 0 is the empty graph.
#[derive(Clone, Debug)]
pub struct FullCopyOracle<V> {
    versions: Vec<Version<V>>,
}

impl<V: Clone + Ord> Default for FullCopyOracle<V> {
    fn default() -> Self {
        FullCopyOracle { versions: vec![Version::default()] }
    }
}

impl<V: Clone + Ord> FullCopyOracle<V> {
    /// The empty graph.
    pub fn new() -> Self {
        Self::default()
    }

    /// Commits a transaction as the next version and returns its number; refused as a whole if one verb is.
    pub fn apply(&mut self, verbs: &[Verb<V>]) -> Result<u64, Refusal> {
        let mut next = self.newest().clone();
        verbs.iter().try_for_each(|verb| next.apply(verb))?;
        self.versions.push(next);
        Ok(self.version())
    }

    /// The newest version's number.
    pub fn version(&self) -> u64 {
        self.versions.len() as u64 - 1
    }

    /// The newest version.
    pub fn newest(&self) -> &Version<V> {
        self.at(self.version())
    }

    /// The graph as of `version`.
    ///
    /// # Panics
    /// If there is no such version.
    pub fn at(&self, version: u64) -> &Version<V> {
        &self.versions[version as usize]
    }

    /// Forgets the versions above `version`, as a crash forgets what was never durable.
    pub fn truncate(&mut self, version: u64) {
        self.versions.truncate(version as usize + 1);
    }

    /// Takes a node and its edges out of every version.
    pub fn erase(&mut self, key: &str) {
        for version in &mut self.versions {
            version.nodes.remove(key);
            version.edges.retain(|edge, _| edge.from != key && edge.to != key);
        }
    }

    /// What differs between two versions: nodes by key, then edges by name.
    pub fn diff(&self, from: u64, to: u64) -> Vec<Difference<V>> {
        let (from, to) = (self.at(from), self.at(to));
        let nodes: BTreeSet<&String> = from.nodes.keys().chain(to.nodes.keys()).collect();
        let nodes = nodes.into_iter().filter(|key| from.nodes.get(*key) != to.nodes.get(*key)).map(|key| {
            let (before, after) = (from.nodes.get(key).cloned(), to.nodes.get(key).cloned());
            Difference::Node { key: key.clone(), before, after }
        });
        let edges: BTreeSet<&EdgeName> = from.edges.keys().chain(to.edges.keys()).collect();
        let edges =
            edges.into_iter().filter(|edge| from.edges.get(*edge) != to.edges.get(*edge)).map(|edge| {
                let (before, after) = (from.edges.get(edge).cloned(), to.edges.get(edge).cloned());
                Difference::Edge { edge: edge.clone(), before, after }
            });
        nodes.chain(edges).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: &str, value: i32) -> Verb<i32> {
        let props = BTreeMap::from([("x".to_string(), value)]);
        Verb::Put { key: key.into(), labels: BTreeSet::from(["L".to_string()]), props }
    }

    fn name(from: &str, to: &str) -> EdgeName {
        EdgeName { from: from.into(), edge_type: "T".into(), to: to.into(), key: String::new() }
    }

    #[test]
    fn every_version_stays_as_it_was() {
        let mut oracle = FullCopyOracle::new();
        assert_eq!(oracle.apply(&[put("a", 1)]), Ok(1));
        assert_eq!(oracle.apply(&[put("a", 2), put("b", 3)]), Ok(2));
        assert_eq!(oracle.at(1).nodes["a"].props["x"], 1);
        assert_eq!(oracle.at(2).nodes["a"].props["x"], 2);
        assert!(oracle.at(0).nodes.is_empty());
        oracle.truncate(1);
        assert_eq!((oracle.version(), oracle.newest().nodes.len()), (1, 1));
    }

    #[test]
    fn a_refused_verb_leaves_nothing_of_its_transaction() {
        let mut oracle = FullCopyOracle::new();
        let link = Verb::Link { edge: name("a", "b"), props: BTreeMap::new() };
        assert_eq!(oracle.apply(&[put("a", 1), link.clone()]), Err(Refusal::NodeMissing));
        assert_eq!(oracle.version(), 0);
        oracle.apply(&[put("a", 1), put("b", 1), link]).unwrap();
        let remove = |detach| Verb::Remove { key: "b".into(), detach };
        assert_eq!(oracle.apply(&[remove(false)]), Err(Refusal::HasEdges));
        oracle.apply(&[remove(true)]).unwrap();
        assert!(oracle.newest().edges.is_empty());
        let patch = Verb::PatchEdge { edge: name("a", "b"), props: BTreeMap::new() };
        assert_eq!(oracle.apply(&[patch]), Err(Refusal::EdgeMissing));
    }

    #[test]
    fn a_patch_merges_and_unsets() {
        let mut oracle = FullCopyOracle::new();
        oracle.apply(&[put("a", 1)]).unwrap();
        let patch = Verb::Patch {
            key: "a".into(),
            labels: BTreeSet::from(["M".to_string()]),
            drop_labels: BTreeSet::from(["L".to_string()]),
            props: BTreeMap::from([("x".to_string(), None), ("y".to_string(), Some(5))]),
        };
        oracle.apply(&[patch]).unwrap();
        let node = &oracle.newest().nodes["a"];
        assert_eq!(node.labels, BTreeSet::from(["M".to_string()]));
        assert_eq!(node.props, BTreeMap::from([("y".to_string(), 5)]));
    }

    #[test]
    fn a_diff_names_what_differs_and_nothing_else() {
        let mut oracle = FullCopyOracle::new();
        oracle.apply(&[put("a", 1), put("b", 1)]).unwrap();
        let link = Verb::Link { edge: name("a", "b"), props: BTreeMap::new() };
        oracle.apply(&[put("b", 1), put("c", 1), link]).unwrap();
        let differences = oracle.diff(1, 2);
        assert_eq!(differences.len(), 2);
        assert!(
            matches!(&differences[0], Difference::Node { key, before: None, after: Some(_) } if key == "c")
        );
        assert!(matches!(&differences[1], Difference::Edge { before: None, after: Some(_), .. }));
        assert!(oracle.diff(2, 2).is_empty());
    }
}
