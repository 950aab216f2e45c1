//! The horizon: from which version on the past is kept whole, and what is kept of what was before.

use karyon_model::fields::{Ascending, Number};
use karyon_model::{Code, Error, Result, Seq, layout};

layout! {
    /// What of the past can be asked for.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub Horizon {
        /// Every version from this one on is kept; 0 when all are.
        since: Seq = Number,
        /// The versions before it that are kept, ascending.
        kept: Vec<Seq> = Ascending,
    }
}

impl Horizon {
    /// Whether a version is kept. Before the first commit there was nothing, and that stays known.
    pub fn keeps(&self, seq: Seq) -> bool {
        seq >= self.since || seq == 0 || self.kept.binary_search(&seq).is_ok()
    }

    /// Fails with `Horizon` for a version that is not kept, naming the nearest ones that are.
    pub fn check(&self, seq: Seq) -> Result<()> {
        if self.keeps(seq) {
            return Ok(());
        }
        let after = self.kept.partition_point(|kept| *kept < seq);
        let next = self.kept.get(after).copied().unwrap_or(self.since);
        let message = format!(
            "what this was as of version {seq} is not kept: everything is from version {} on, and of what was before the next is version {next}",
            self.since
        );
        Err(Error::new(Code::Horizon, message)
            .with("version", seq)
            .with("since", self.since)
            .with("next", next))
    }
}
