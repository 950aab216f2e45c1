//! Verifying: everything on disk is read again and must give what is in memory.

use crate::rebuild::visit_commits;
use crate::store::Store;
use karyon_graph::Graph;
use karyon_history::{Chapters, Progress};
use karyon_model::{Code, Error, Operation, OperationReader, Result, Seq, ensure, require};
use std::ops::ControlFlow;
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

/// What forks say at a version, their structure checked.
fn digests_of(graph: &Graph, forks: &[u32], version: Seq) -> Result<Vec<[u8; 32]>> {
    let digest = |fork: &u32| graph.audit_in(*fork, version).and_then(|_| graph.digest_in(*fork, version));
    forks.iter().map(digest).collect()
}

impl Store {
    /// Checks every frame and the hash chain, replays the whole log and compares digest, structure and sealed chapters
    /// with what is in memory. Fails with `Damaged`, naming what differs.
    ///
    /// Cost: a pass over the whole log and a second graph in memory. Run it beside the work, not in it.
    pub fn verify(&self) -> Result<Verified> {
        let _files = self.persistence.as_ref().map(|persistence| persistence.files.read());
        let version = self.on_disk();
        let body = self.body()?;
        let (nodes, edges) = body.graph.audit_in(0, version)?;
        let digest = body.graph.digest_in(0, version)?;
        let living = (1..).zip(body.graph.layers());
        let living = living.filter(|(_, layer)| layer.is_living() && layer.created <= version);
        let forks: Vec<u32> = living.map(|(number, _)| number).collect();
        let of_forks = digests_of(&body.graph, &forks, version)?;
        drop(body);
        let mut verified = Verified { version, frames: 0, nodes, edges, chapters: 0, digest };
        let Some(persistence) = &self.persistence else { return Ok(verified) };
        let fresh = Arc::new(Chapters::in_memory());
        let archive = persistence.archive.lock().clone();
        fresh.set_horizon(archive.horizon.clone(), archive.mark);
        let mut log = archive.load(fresh.clone(), Some(&fresh))?;
        let archived = archive.exists().then(|| archive.digest()).transpose()?;
        // A copy may end before the commit that names its archive.
        let (mut named, mut vouched) = (false, false);
        persistence.reader().read(&persistence.head(), &mut |frame, _| {
            verified.frames += 1;
            visit_commits(frame, &mut |commit| {
                for operation in OperationReader::new(commit.operations) {
                    if let Operation::Archive { through, digest } = operation? {
                        // Another one may have been written later that never came into its place.
                        let names = archive.log.base.next_seq - 1 == through;
                        named |= names && archived.is_some();
                        vouched |= names && archived.is_some_and(|known| known == *digest);
                    }
                }
                if commit.header.seq > version {
                    return Ok(());
                }
                log.replay(&*fresh, &commit)
            })?;
            Ok(ControlFlow::Continue(()))
        })?;
        let message = "the archive of the log is not the one that the log names; restore it from a backup";
        ensure(vouched || !named, Code::Damaged, message)?;
        log.graph.audit_in(0, version)?;
        let same = log.graph.digest_in(0, version)? == digest
            && digests_of(&log.graph, &forks, version)? == of_forks;
        let message = || format!("memory and log differ at version {version}; open the store again");
        let damage = || Error::new(Code::Damaged, message()).with("version", version);
        require(same, damage)?;
        if self.progress() == Progress::Ready && self.history.mark() == archive.mark {
            // Commits since may have sealed more.
            let mut kept = self.history.records();
            for given in fresh.records() {
                let given = given?;
                verified.chapters += 1;
                let found = kept.find(|kept| kept.as_ref().map_or(true, |kept| kept.0 >= given.0));
                if found.transpose().map_err(|error| self.history.give_up(error))? != Some(given) {
                    let message = "a chapter of the history is not what the log gives; open the store again";
                    return Err(self.history.give_up(Error::new(Code::Damaged, message)));
                }
            }
        }
        Ok(verified)
    }
}
