//! The name of a cell inside the scheduler: an index that is reused and a generation that tells its users apart.

const INDEX_BITS: u32 = 20;
const INDEX_MASK: u32 = (1 << INDEX_BITS) - 1;

/// A generational handle of a cell or supervisor; the host passes it as one word, which may name no living cell.
///
/// A handle of a cell that is gone finds nothing, until its index was reused 4,096 times; freed indexes are reused
/// oldest first, so that this takes as long as it can.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CellId(pub u32);

impl CellId {
    /// The handle of no cell. Its index is above every cell's.
    pub const NONE: CellId = CellId(u32::MAX);

    pub(crate) const fn new(index: u32, generation: u16) -> Self {
        CellId((generation as u32) << INDEX_BITS | index)
    }

    /// The position in the table, and of the cell's word in the credits.
    pub const fn index(self) -> usize {
        (self.0 & INDEX_MASK) as usize
    }

    pub(crate) const fn generation(self) -> u16 {
        (self.0 >> INDEX_BITS) as u16
    }

    /// The same index, for its next user: generations start over after the last.
    pub(crate) const fn next(self) -> CellId {
        CellId(self.0.wrapping_add(1 << INDEX_BITS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::CELLS_MAX;

    #[test]
    fn a_word_keeps_index_and_generation() {
        let id = CellId::new(CELLS_MAX - 1, 4_095);
        assert_eq!((id.index(), id.generation()), (999_999, 4_095));
        assert_eq!(CellId(id.0), id);
        assert_ne!(id, CellId::NONE);
    }

    #[test]
    fn generations_start_over_after_the_last() {
        assert_eq!(CellId::new(7, 0).next(), CellId::new(7, 1));
        assert_eq!(CellId::new(7, 4_095).next(), CellId::new(7, 0));
    }
}
