//! The digest: SHA-256 over what the graph says, in canonical order, whatever the numbers inside.
//!
//! Hashed are: a format byte 1; for each node by key: 'N', key, labels (count; texts by UTF-8), properties; for each edge by
//! (from, type, to, key): 'E', those four, properties. Properties are a count and (name, interval byte 0, value) by name.
//! Texts are a length (varint) and UTF-8.

use crate::entity::Entity;
use crate::head::Graph;
use karyon_model::bytes::{put_bytes, put_varint};
use karyon_model::{EntityId, NameId, Result, Seq};
use sha2::{Digest, Sha256};
use std::sync::Arc;

impl Graph {
    /// The digest of the graph as of a version.
    ///
    /// Cost: a pass over everything that ever existed and a sort.
    pub fn digest_at(&self, seq: Seq) -> Result<[u8; 32]> {
        let names = self.names.from(0);
        let mut hash = Sha256::new();
        hash.update([1]);
        let mut nodes: Vec<u32> = (0..self.numbered().0).collect();
        nodes.sort_unstable_by(|a, b| self.node(*a).key.as_bytes().cmp(self.node(*b).key.as_bytes()));
        let mut out = Vec::new();
        for id in nodes {
            let Some((entity, _)) = self.entity_at(EntityId::Node(id), seq)? else { continue };
            out.clear();
            out.push(b'N');
            put_bytes(&mut out, self.node(id).key.as_bytes());
            let mut labels: Vec<_> = entity.labels().map(|label| &names[label as usize]).collect();
            labels.sort_unstable();
            put_varint(&mut out, labels.len() as u64);
            labels.into_iter().for_each(|label| put_bytes(&mut out, label.as_bytes()));
            put_properties(&entity, &names, &mut out);
            hash.update(&out);
        }
        let mut edges: Vec<u32> = (0..self.numbered().1).collect();
        let identity = |id: u32| {
            let edge = self.edge(id);
            let text = |id: NameId| names[id as usize].as_bytes();
            let node = |id: u32| self.node(id).key.as_bytes();
            [node(edge.from), text(edge.kind), node(edge.to), edge.key.as_bytes()]
        };
        edges.sort_unstable_by(|a, b| identity(*a).cmp(&identity(*b)));
        for id in edges {
            let Some((entity, _)) = self.entity_at(EntityId::Edge(id), seq)? else { continue };
            out.clear();
            out.push(b'E');
            identity(id).into_iter().for_each(|text| put_bytes(&mut out, text));
            put_properties(&entity, &names, &mut out);
            hash.update(&out);
        }
        Ok(hash.finalize().into())
    }
}

fn put_properties(entity: &Entity, names: &[Arc<str>], out: &mut Vec<u8>) {
    let mut properties: Vec<_> = entity.properties().iter().collect();
    properties.sort_unstable_by(|a, b| names[a.name as usize].cmp(&names[b.name as usize]));
    put_varint(out, properties.len() as u64);
    for property in properties {
        put_bytes(out, names[property.name as usize].as_bytes());
        out.push(0);
        out.extend_from_slice(&property.value);
    }
}
