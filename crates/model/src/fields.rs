//! Fields, and records that state theirs once: what reads them and what writes them follow from it.

use crate::Result;
use crate::bytes::{Cursor, put_bytes, put_varint};
use crate::value::check;

/// Names an encoding of a field: the type, how it is read, how it is written.
macro_rules! codecs {
    ($($name:ident($type:ty) |$cursor:ident| $read:expr, |$value:ident, $out:ident| $write:expr;)*) => {$(
        pub(crate) struct $name;

        impl $name {
            pub(crate) fn read<'a>($cursor: &mut Cursor<'a>) -> Result<$type> {
                $read
            }

            #[allow(clippy::extra_unused_lifetimes, reason = "not every type borrows")]
            pub(crate) fn write<'a>($value: &$type, $out: &mut Vec<u8>) {
                $write
            }
        }
    )*};
}

/// An enum whose variants are a tag byte and fields, each with its encoding, and the reader of many.
macro_rules! records {
    (
        $(#[$doc:meta])* $record:ident, $unknown:literal;
        $(#[$reader_doc:meta])* $reader:ident;
        $($tag:literal $variant:ident { $($field:ident: $type:ty = $codec:ident),* })*
    ) => {
        $(#[$doc])*
        #[expect(missing_docs, reason = "the table above names every field")]
        pub enum $record<'a> {
            $($variant { $($field: $type),* },)*
        }

        impl<'a> $record<'a> {
            /// Appends the encoding.
            pub fn encode(&self, out: &mut Vec<u8>) {
                match self {
                    $($record::$variant { $($field),* } => {
                        out.push($tag);
                        $($codec::write($field, out);)*
                    })*
                }
            }

            fn decode(cursor: &mut Cursor<'a>) -> Result<$record<'a>> {
                match cursor.byte()? {
                    $($tag => Ok($record::$variant { $($field: $codec::read(cursor)?),* }),)*
                    _ => Err(cursor.malformed($unknown)),
                }
            }
        }

        $(#[$reader_doc])*
        #[derive(Clone, Debug)]
        pub struct $reader<'a>(Cursor<'a>);

        impl<'a> $reader<'a> {
            /// Reads from the first byte on.
            pub fn new(bytes: &'a [u8]) -> Self {
                $reader(Cursor::new(bytes))
            }
        }

        impl<'a> Iterator for $reader<'a> {
            type Item = Result<$record<'a>>;

            fn next(&mut self) -> Option<Self::Item> {
                if self.0.is_empty() {
                    return None;
                }
                Some($record::decode(&mut self.0).inspect_err(|_| self.0 = Cursor::new(&[])))
            }
        }
    };
}

pub(crate) use {codecs, records};

codecs! {
    Id(u32) |cursor| cursor.id(), |id, out| put_varint(out, (*id).into());
    Number(u64) |cursor| cursor.varint(), |number, out| put_varint(out, *number);
    Flag(bool) |cursor| Ok(cursor.byte()? != 0), |flag, out| out.push(u8::from(*flag));
    Text(&'a str) |cursor| cursor.text(), |text, out| put_bytes(out, text.as_bytes());
    Bytes(&'a [u8]) |cursor| cursor.bytes(), |bytes, out| put_bytes(out, bytes);
    Encoded(&'a [u8]) |cursor| check(cursor), |value, out| out.extend_from_slice(value);
}
