//! Reading and writing of primitive fields: minimal LEB128 varints, zigzag, length-prefixed text.

use crate::{Code, Error, Result, require};

/// Appends an unsigned varint (LEB128, 1 to 10 bytes).
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends unsigned varints.
pub fn put_varints<const N: usize>(out: &mut Vec<u8>, values: [u64; N]) {
    values.into_iter().for_each(|value| put_varint(out, value));
}

/// Appends a signed varint (zigzag, then LEB128).
pub fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_varint(out, ((value << 1) ^ (value >> 63)) as u64);
}

/// Appends a length and the bytes.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends numbers, ascending: how many, and the step to each.
pub fn put_ascending(out: &mut Vec<u8>, numbers: impl ExactSizeIterator<Item = u64>) {
    put_varint(out, numbers.len() as u64);
    numbers.fold(0, |before, number| {
        put_varint(out, number - before);
        number
    });
}

/// A checked reader over untrusted bytes: it never panics and never reads past the end.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Cursor { bytes, at: 0 }
    }

    /// Bytes read so far.
    pub fn position(&self) -> usize {
        self.at
    }

    /// Whether everything has been read.
    pub fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// The bytes between two positions that were read.
    pub fn between(&self, from: usize, to: usize) -> &'a [u8] {
        &self.bytes[from..to]
    }

    /// What was not read yet.
    pub fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// The error for bytes that are not what this reader was promised.
    pub fn malformed(&self, what: &str) -> Error {
        Error::new(Code::Damaged, format!("{what} at byte {} of {}", self.at, self.bytes.len()))
            .with("position", self.at)
    }

    /// Refuses bytes of which something does not hold that this reader was promised.
    #[inline]
    pub fn expect(&self, holds: bool, what: &str) -> Result<()> {
        require(holds, || self.malformed(what))
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len());
        let Some(end) = end else { return Err(self.malformed("cut short")) };
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let array = self.bytes[self.at..].first_chunk().ok_or_else(|| self.malformed("cut short"))?;
        self.at += N;
        Ok(*array)
    }

    /// The next byte.
    pub fn byte(&mut self) -> Result<u8> {
        self.array().map(|[byte]| byte)
    }

    /// An unsigned varint; a longer form than needed is refused, so that equal values have equal bytes.
    pub fn varint(&mut self) -> Result<u64> {
        let (mut value, mut shift) = (0u64, 0);
        while shift < 64 {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            self.expect(shift < 63 || bits <= 1, "a varint beyond 64 bits")?;
            value |= bits << shift;
            if byte & 0x80 == 0 {
                self.expect(byte > 0 || shift == 0, "a varint longer than needed")?;
                return Ok(value);
            }
            shift += 7;
        }
        Err(self.malformed("a varint beyond 64 bits"))
    }

    /// A signed varint.
    pub fn signed(&mut self) -> Result<i64> {
        let raw = self.varint()?;
        Ok((raw >> 1) as i64 ^ -((raw & 1) as i64))
    }

    /// A varint that must fit in 32 bits.
    pub fn id(&mut self) -> Result<u32> {
        u32::try_from(self.varint()?).map_err(|_| self.malformed("an id beyond 32 bits"))
    }

    /// A varint used as a length: never more than what is left to read.
    pub fn length(&mut self) -> Result<usize> {
        let length = self.varint()?;
        match usize::try_from(length) {
            Ok(length) if length <= self.bytes.len() - self.at => Ok(length),
            _ => Err(self.malformed("a length beyond the end")),
        }
    }

    /// Numbers as `put_ascending` wrote them, each greater than the one before.
    pub fn ascending<N: TryFrom<u64>>(&mut self) -> Result<Vec<N>> {
        let count = self.length()?;
        let (mut numbers, mut number) = (Vec::with_capacity(count), 0u64);
        for at in 0..count {
            let step = self.varint()?;
            let next = number.checked_add(step).filter(|_| at == 0 || step > 0);
            number = next.ok_or_else(|| self.malformed("a list out of order"))?;
            numbers.push(number.try_into().map_err(|_| self.malformed("a number beyond its range"))?);
        }
        Ok(numbers)
    }

    /// A length and its bytes.
    pub fn bytes(&mut self) -> Result<&'a [u8]> {
        let length = self.length()?;
        self.take(length)
    }

    /// A length and its UTF-8 text.
    pub fn text(&mut self) -> Result<&'a str> {
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes).map_err(|_| self.malformed("text that is not UTF-8"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn varints_come_back_and_are_no_longer_than_needed(value: u64, signed: i64) {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            let bits = 64 - (value | 1).leading_zeros() as usize;
            prop_assert_eq!(out.len(), bits.div_ceil(7));
            put_signed(&mut out, signed);
            let mut cursor = Cursor::new(&out);
            prop_assert_eq!(cursor.varint().unwrap(), value);
            prop_assert_eq!(cursor.signed().unwrap(), signed);
            prop_assert!(cursor.is_empty());
        }

        #[test]
        fn random_bytes_never_panic(bytes: Vec<u8>) {
            let mut cursor = Cursor::new(&bytes);
            while cursor.varint().is_ok() && cursor.text().is_ok() {}
        }
    }

    #[test]
    fn a_longer_form_of_a_varint_is_refused() {
        assert_eq!(Cursor::new(&[0x80, 0x00]).varint().unwrap_err().code(), Code::Damaged);
        assert_eq!(Cursor::new(&[0xff; 11]).varint().unwrap_err().code(), Code::Damaged);
    }
}
