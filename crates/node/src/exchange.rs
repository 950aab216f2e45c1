//! The exchange: memory that Rust owns and one JavaScript environment sees, for keys in and answers out.
#![allow(unsafe_code, reason = "a view of Rust's memory is lent to JavaScript; argued at each use")]

use napi::bindgen_prelude::Uint8Array;
use std::sync::Arc;
use std::sync::atomic::AtomicU8;

/// How large an exchange is at first, in bytes.
const FIRST_BYTES: usize = 64 * 1024;

/// One environment's exchange: memory shared with JavaScript's view of it, and freed when both have let go. It is only touched on the
/// environment's thread; the bytes are atomics because they are written through shared references and from outside.
pub(crate) struct Exchange(Arc<[AtomicU8]>);

impl Default for Exchange {
    fn default() -> Exchange {
        Exchange::sized(FIRST_BYTES)
    }
}

impl Exchange {
    fn sized(bytes: usize) -> Exchange {
        Exchange((0..bytes).map(|_| AtomicU8::new(0)).collect())
    }

    fn data(&self) -> *mut u8 {
        self.0.as_ptr().cast_mut().cast()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Makes room for `bytes`. JavaScript must ask for the new view; the old memory lives as long as its old view.
    pub(crate) fn reserve(&mut self, bytes: usize) {
        if bytes > self.len() {
            *self = Exchange::sized(bytes.next_power_of_two());
        }
    }

    /// A view for JavaScript.
    pub(crate) fn view(&self) -> Uint8Array {
        let keep = self.0.clone();
        // SAFETY: there are `len` bytes, which `keep`, dropped by the finalizer, keeps alive as long as the view's buffer.
        // They are atomics, so writes through either side are no violation; both sides run on one thread.
        unsafe { Uint8Array::with_external_data(self.data(), self.len(), move |_, _| drop(keep)) }
    }

    /// What JavaScript has written: the first `bytes`.
    pub(crate) fn input(&self, bytes: usize) -> &[u8] {
        let bytes = bytes.min(self.len());
        // SAFETY: JavaScript does not run while a native function does, and `output` needs `&mut self`, so nothing writes
        // while this borrow lives.
        unsafe { std::slice::from_raw_parts(self.data(), bytes) }
    }

    /// Writes an answer.
    pub(crate) fn output(&mut self, answer: &[u8]) {
        self.reserve(answer.len());
        // SAFETY: as for `input`; `&mut self` means that no such borrow lives, and there is room for the answer.
        unsafe { std::ptr::copy_nonoverlapping(answer.as_ptr(), self.data(), answer.len()) }
    }
}
