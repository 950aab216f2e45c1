//! Asks that wait for their answer.

use crate::deadlines::DeadlineKey;
use crate::id::CellId;

/// One ask. Its name is its message's slot, which the host keeps until both are over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    pub target: CellId,
    /// `None`: from outside of all cells.
    pub asker: Option<CellId>,
    /// The turn in which it was made: while that goes on, the asker waits.
    pub turn: u32,
    pub deadline: Option<DeadlineKey>,
}

const NOWHERE: u32 = u32::MAX;

/// The open asks, found by slot: four bytes for each slot the host ever used, and a place for each open ask.
#[derive(Debug, Default)]
pub(crate) struct Asks {
    place_of: Vec<u32>,
    places: Vec<Option<Ask>>,
    free: Vec<u32>,
}

impl Asks {
    pub fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    pub fn get(&self, slot: u32) -> Option<&Ask> {
        let place = *self.place_of.get(slot as usize)?;
        self.places.get(place as usize)?.as_ref()
    }

    pub fn open(&mut self, slot: u32, ask: Ask) {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            self.places.len() as u32 - 1
        });
        self.places[place as usize] = Some(ask);
        if self.place_of.len() <= slot as usize {
            self.place_of.resize(slot as usize + 1, NOWHERE);
        }
        self.place_of[slot as usize] = place;
    }

    /// Takes the ask out; the second time there is nothing to take.
    pub fn close(&mut self, slot: u32) -> Option<Ask> {
        let place = std::mem::replace(self.place_of.get_mut(slot as usize)?, NOWHERE);
        let ask = self.places.get_mut(place as usize)?.take()?;
        self.free.push(place);
        Some(ask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ask_is_closed_once() {
        let mut asks = Asks::default();
        asks.open(9, Ask { target: CellId::new(1, 0), asker: None, turn: 0, deadline: None });
        assert_eq!((asks.len(), asks.get(9).is_some(), asks.get(3).is_some()), (1, true, false));
        assert!(asks.close(9).is_some() && asks.close(9).is_none() && asks.close(1_000).is_none());
        assert_eq!(asks.len(), 0);
    }
}
