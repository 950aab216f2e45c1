//! Batches of verbs, written from Rust. TypeScript has its own writer of the same bytes.

use karyon_model::Verb;

/// Writes a batch.
#[derive(Clone, Debug, Default)]
pub struct VerbWriter(Vec<u8>);

impl VerbWriter {
    /// Adds one verb.
    pub fn push(&mut self, verb: &Verb<'_>) -> &mut Self {
        verb.encode(&mut self.0);
        self
    }

    /// The batch.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}
