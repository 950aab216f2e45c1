//! Verifying: everything on disk is read again and must give what is in memory.

use crate::rebuild::visit_commits;
use crate::store::Store;
use karyon_graph::Graph;
use karyon_history::{History, MemoryHistory, Progress};
use karyon_model::{Code, Error, Result, Seq};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The version that was compared.
    pub version: Seq,
    /// Frames whose checksum and place in the hash chain were checked; 0 for a memory store.
    pub frames: u64,
    /// Nodes that exist.
    pub nodes: usize,
    /// Edges that exist.
    pub edges: usize,
    /// Sealed chapters compared byte for byte with those that the log gives.
    pub chapters: usize,
    /// The digest of that version, from memory and from the log alike.
    pub digest: [u8; 32],
}

impl Store {
    /// Checks every frame and the hash chain, replays the whole log and compares digest, structure and sealed chapters
    /// with what is in memory. Fails with `Damaged`, naming what differs.
    ///
    /// Cost: a pass over the whole log and a second graph in memory. Run it beside the work, not in it.
    pub fn verify(&self) -> Result<Verified> {
        let version = self.durable();
        let body = self.body()?;
        let (nodes, edges) = body.graph.audit_at(version)?;
        let digest = body.graph.digest_at(version)?;
        drop(body);
        let mut verified = Verified { version, frames: 0, nodes, edges, chapters: 0, digest };
        let Some(persistence) = &self.persistence else { return Ok(verified) };
        let fresh = Arc::new(MemoryHistory::new());
        let mut graph = Graph::new(fresh.clone());
        let checked = persistence.reader.verify(&persistence.head(), &mut |frame| {
            visit_commits(frame, &mut |commit| {
                if commit.header.seq > version {
                    return Ok(());
                }
                let outcome = graph.replay(&commit)?;
                outcome.sealed.iter().try_for_each(|(object, chapter)| fresh.seal(*object, chapter))
            })
        })?;
        verified.frames = checked.frames;
        graph.audit_at(version)?;
        if graph.digest_at(version)? != digest {
            let message = format!("memory and log differ at version {version}; open the store again");
            return Err(Error::new(Code::Damaged, message).with("version", version));
        }
        if self.progress() == Progress::Ready {
            let kept: BTreeMap<_, _> = self.history.records().into_iter().collect();
            for (key, bytes) in fresh.records() {
                verified.chapters += 1;
                if kept.get(&key) != Some(&bytes) {
                    let message = "a chapter of the history is not what the log gives; open the store again";
                    return Err(Error::new(Code::Damaged, message));
                }
            }
        }
        Ok(verified)
    }
}
