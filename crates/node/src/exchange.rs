//! The exchange: memory that Rust owns and one JavaScript environment sees, for keys in and answers out.
#![allow(
    unsafe_code,
    reason = "a view of Rust's memory is lent to JavaScript; each use argues why it is sound"
)]

use napi::bindgen_prelude::Uint8Array;
use std::cell::UnsafeCell;
use std::sync::Arc;

/// How large an exchange is at first, in bytes.
const FIRST_BYTES: usize = 64 * 1024;

/// Memory shared with JavaScript's view of it; freed when both have let go.
struct Shared(Box<[UnsafeCell<u8>]>);

// SAFETY: the bytes are only touched on the thread of the environment that the exchange belongs to; other threads may at
// most drop the last reference, which reads nothing.
unsafe impl Send for Shared {}
// SAFETY: as above: sharing the reference shares no access.
unsafe impl Sync for Shared {}

/// One environment's exchange.
pub(crate) struct Exchange {
    shared: Arc<Shared>,
}

impl Default for Exchange {
    fn default() -> Exchange {
        Exchange::sized(FIRST_BYTES)
    }
}

impl Exchange {
    fn sized(bytes: usize) -> Exchange {
        Exchange { shared: Arc::new(Shared((0..bytes).map(|_| UnsafeCell::new(0)).collect())) }
    }

    pub(crate) fn len(&self) -> usize {
        self.shared.0.len()
    }

    /// Makes room for `bytes`. JavaScript must ask for the new view; the old memory lives as long as its old view.
    pub(crate) fn reserve(&mut self, bytes: usize) {
        if bytes > self.len() {
            *self = Exchange::sized(bytes.next_power_of_two());
        }
    }

    /// A view for JavaScript.
    pub(crate) fn view(&self) -> Uint8Array {
        let keep = self.shared.clone();
        let data = UnsafeCell::raw_get(self.shared.0.as_ptr());
        // SAFETY: `data` points to `len` bytes that `keep`, dropped by the finalizer, keeps alive as long as the view's
        // buffer. The bytes are cells, so writes through either side are no violation; both sides run on one thread.
        unsafe { Uint8Array::with_external_data(data, self.len(), move |_, _| drop(keep)) }
    }

    /// What JavaScript has written: the first `bytes`.
    pub(crate) fn input(&self, bytes: usize) -> &[u8] {
        let bytes = bytes.min(self.len());
        // SAFETY: JavaScript does not run while a native function does, and `output` needs `&mut self`, so nothing writes
        // while this borrow lives.
        unsafe { std::slice::from_raw_parts(UnsafeCell::raw_get(self.shared.0.as_ptr()), bytes) }
    }

    /// Writes an answer.
    pub(crate) fn output(&mut self, answer: &[u8]) {
        self.reserve(answer.len());
        // SAFETY: as for `input`; `&mut self` means that no such borrow lives, and there is room for the answer.
        unsafe {
            let target = UnsafeCell::raw_get(self.shared.0.as_ptr());
            std::ptr::copy_nonoverlapping(answer.as_ptr(), target, answer.len());
        }
    }
}
