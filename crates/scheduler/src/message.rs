//! A message as the scheduler sees it: where the host keeps its payload, and how often it was tried.

/// One message. Its payload stays a value of the host, in the slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// The host's slot. It stays taken until the message has its outcome and its ask, if any, is settled.
    pub slot: u32,
    /// Somebody waits for the answer.
    pub ask: bool,
    /// How often it was delivered again after a conflict.
    pub redeliveries: u8,
}

impl Message {
    pub fn new(slot: u32, ask: bool) -> Self {
        Message { slot, ask, redeliveries: 0 }
    }
}
