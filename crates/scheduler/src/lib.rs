//! Mailboxes, order, fairness, timers and supervision, as one pure state machine.
