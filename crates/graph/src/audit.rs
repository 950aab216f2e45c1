//! The structure's invariants: what must hold at any version, checked the slow and obvious way.

use crate::head::Graph;
use crate::tables::Direction;
use hashbrown::HashSet;
use karyon_model::{Code, EntityId, Error, NameId, Result, Seq};

impl Graph {
    /// Checks that no edge dangles, that both ends list every edge and nothing else, and that label lists say what the
    /// nodes say. Returns how many nodes and edges exist.
    ///
    /// Cost: a pass over everything that ever existed.
    pub fn audit_at(&self, seq: Seq) -> Result<(usize, usize)> {
        let broken = |what: String| {
            Err(Error::new(Code::Damaged, format!("at version {seq}: {what}; restore a backup")))
        };
        let (nodes, edges) = self.numbered();
        let mut listed = HashSet::new();
        let mut labelled: HashSet<(NameId, u32)> = HashSet::new();
        for label in self.labels.keys() {
            labelled.extend(self.labelled_at(*label, seq)?.iter().map(|node| (*label, *node)));
        }
        let (mut live_nodes, mut live_edges, mut label_count) = (0, 0, 0);
        for id in 0..nodes {
            for direction in Direction::BOTH {
                for kind in self.edge_kinds(id, direction) {
                    for edge in self.edges_at(id, direction, kind, seq)?.iter() {
                        let slot = self.edge(*edge);
                        let end = if direction == Direction::Out { slot.from } else { slot.to };
                        if end != id || slot.kind != kind || !listed.insert((direction, *edge)) {
                            return broken(format!("a list of {:?} holds a foreign edge", self.node(id).key));
                        }
                    }
                }
            }
            let Some((entity, _)) = self.entity_at(EntityId::Node(id), seq)? else { continue };
            live_nodes += 1;
            for label in entity.labels() {
                label_count += 1;
                if !labelled.contains(&(label, id)) {
                    return broken(format!("a label's list misses {:?}", self.node(id).key));
                }
            }
        }
        if label_count != labelled.len() {
            return broken("a label's list holds a node without the label".into());
        }
        for id in 0..edges {
            if self.entity_at(EntityId::Edge(id), seq)?.is_none() {
                continue;
            }
            live_edges += 1;
            let slot = self.edge(id);
            for (end, direction) in [(slot.from, Direction::Out), (slot.to, Direction::In)] {
                if self.entity_at(EntityId::Node(end), seq)?.is_none() {
                    return broken(format!("an edge dangles at {:?}", self.node(end).key));
                }
                if !listed.contains(&(direction, id)) {
                    return broken(format!("a list of {:?} misses an edge", self.node(end).key));
                }
            }
        }
        if listed.len() != 2 * live_edges {
            return broken("a list holds an edge that does not exist".into());
        }
        if seq == self.head() && self.live() != (live_nodes, live_edges) {
            return broken("the counts of nodes and edges are wrong".into());
        }
        Ok((live_nodes, live_edges))
    }
}
