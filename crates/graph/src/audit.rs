//! The structure's invariants: what must hold at any version, checked the slow and obvious way.

use crate::head::Graph;
use hashbrown::HashSet;
use karyon_history::{Direction, ObjectId};
use karyon_model::{Code, EntityId, Error, Result, Seq};

impl Graph {
    /// Checks that no edge dangles, that both ends list every edge and nothing else, and that label lists and indexes say what
    /// the nodes say, in a layer (0 is the base). Returns how many nodes and edges exist.
    ///
    /// Cost: a pass over everything that ever existed.
    pub fn audit_in(&self, layer: u32, seq: Seq) -> Result<(usize, usize)> {
        let broken = |what: String| {
            Err(Error::new(Code::Damaged, format!("at version {seq}: {what}; restore a backup")))
        };
        let (nodes, edges) = self.numbered();
        let (mut live, mut listed, mut due) = ((0, 0), HashSet::new(), HashSet::new());
        let mut read = |list: ObjectId| -> Result<()> {
            listed.extend(self.listed_in(layer, list, seq)?.iter().map(|id| (list, *id)));
            Ok(())
        };
        self.labels.keys().try_for_each(|label| read(ObjectId::Label(*label)))?;
        (0..self.indexes.numbered().1 as u32).try_for_each(|posting| read(ObjectId::Posting(posting)))?;
        for id in 0..nodes {
            self.all_lists(id).try_for_each(&mut read)?;
            let Some((entity, _)) = self.entity_in(layer, EntityId::Node(id), seq)? else { continue };
            live.0 += 1;
            due.extend(entity.labels().map(|label| (ObjectId::Label(label), id)));
            for (index, key) in self.indexes.entries(&entity, self.ground(layer, seq))? {
                let Some(posting) = self.indexes.all[index as usize].postings.get(&key[..]) else {
                    return broken(format!("{:?} is missing in an index", self.key(id)));
                };
                due.insert((ObjectId::Posting(*posting), id));
            }
        }
        for id in 0..edges {
            if self.entity_in(layer, EntityId::Edge(id), seq)?.is_none() {
                continue;
            }
            live.1 += 1;
            let slot = self.edge(id);
            for (end, direction) in [(slot.from, Direction::Out), (slot.to, Direction::In)] {
                if self.entity_in(layer, EntityId::Node(end), seq)?.is_none() {
                    return broken(format!("an edge dangles at {:?}", self.key(end)));
                }
                due.insert((ObjectId::Edges(direction, end, slot.kind), id));
            }
        }
        if let Some((list, id)) = due.symmetric_difference(&listed).next() {
            return broken(format!("the list {list:?} is wrong about number {id}"));
        }
        if layer == 0 && seq == self.head() && self.live() != live {
            return broken("the counts of nodes and edges are wrong".into());
        }
        Ok(live)
    }
}
