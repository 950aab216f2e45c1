//! The digest: SHA-256 over what the graph says, in canonical order, whatever the numbers inside.
//!
//! Hashed are: a format byte 1; for each node by key: 'N', key, labels (count; texts by UTF-8), properties; for each edge by
//! (from, type, to, key): 'E', those four, properties. Properties are a count and (name, what it holds) by name.
//! Texts are a length (varint) and UTF-8.

use crate::head::Graph;
use karyon_model::{EntityId, Result, Seq};
use karyon_model::{put_bytes, put_varint};
use sha2::{Digest, Sha256};

impl Graph {
    /// The digest of a layer (0 is the base) as of a version.
    ///
    /// Cost: a pass over everything that ever existed and a sort.
    pub fn digest_in(&self, layer: u32, seq: Seq) -> Result<[u8; 32]> {
        let names = self.names.from(0);
        let mut hash = Sha256::new();
        hash.update([1]);
        let node = |id: u32| self.key(id).as_bytes();
        let mut nodes: Vec<u32> = (0..self.numbered().0).collect();
        nodes.sort_unstable_by_key(|id| node(*id));
        let edge = |id: u32| {
            let edge = self.edge(id);
            [
                node(edge.from),
                names[edge.kind as usize].as_bytes(),
                node(edge.to),
                self.tables.edge_key(edge).as_bytes(),
            ]
        };
        let mut edges: Vec<u32> = (0..self.numbered().1).collect();
        edges.sort_unstable_by_key(|id| edge(*id));
        for id in nodes.into_iter().map(EntityId::Node).chain(edges.into_iter().map(EntityId::Edge)) {
            let Some((entity, _)) = self.entity_in(layer, id, seq)? else { continue };
            let mut out = Vec::new();
            match id {
                EntityId::Node(id) => {
                    out.push(b'N');
                    put_bytes(&mut out, node(id));
                    let mut labels: Vec<_> = entity.labels().map(|label| &names[label as usize]).collect();
                    labels.sort_unstable();
                    put_varint(&mut out, labels.len() as u64);
                    labels.into_iter().for_each(|label| put_bytes(&mut out, label.as_bytes()));
                }
                EntityId::Edge(id) => {
                    out.push(b'E');
                    edge(id).into_iter().for_each(|text| put_bytes(&mut out, text));
                }
            }
            let mut properties: Vec<_> = entity.properties().collect();
            properties.sort_unstable_by_key(|property| &names[property.name as usize]);
            put_varint(&mut out, properties.len() as u64);
            for property in properties {
                put_bytes(&mut out, names[property.name as usize].as_bytes());
                out.extend_from_slice(property.value);
            }
            hash.update(&out);
        }
        Ok(hash.finalize().into())
    }
}
