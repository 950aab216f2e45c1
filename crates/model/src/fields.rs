//! Fields, and records that state theirs once: what reads them and what writes them follow from it.

use crate::value::check;
use crate::{put_ascending, put_bytes, put_varint, valid};

/// Names encodings of fields: the type, how it is read, how it is written.
#[macro_export]
macro_rules! codecs {
    ($(
        $(#[$doc:meta])* $vis:vis $name:ident($type:ty)
        |$cursor:ident| $read:expr, |$value:ident, $out:ident| $write:expr;
    )*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        $vis struct $name;

        impl $name {
            /// Reads the field.
            $vis fn decode<'a>($cursor: &mut $crate::Cursor<'a>) -> $crate::Result<$type> {
                $read
            }

            /// Appends the field.
            #[allow(clippy::extra_unused_lifetimes, clippy::ptr_arg, reason = "the type may be any")]
            $vis fn encode<'a>($value: &$type, $out: &mut Vec<u8>) {
                $write
            }
        }
    )*};
}

/// A struct whose fields lie one after another, each with its encoding. It is an encoding itself.
#[macro_export]
macro_rules! layout {
    (
        $(#[$doc:meta])* $vis:vis $name:ident $(<$borrow:lifetime>)?
        { $($(#[$field_doc:meta])* $field:ident: $type:ty = $codec:ident,)* }
    ) => {
        $(#[$doc])*
        $vis struct $name $(<$borrow>)? {
            $($(#[$field_doc])* $vis $field: $type,)*
        }

        impl $(<$borrow>)? $name $(<$borrow>)? {
            /// Reads the fields.
            $vis fn decode(cursor: &mut $crate::Cursor<$($borrow)?>) -> $crate::Result<Self> {
                Ok($name { $($field: $codec::decode(cursor)?),* })
            }

            /// Appends the fields.
            $vis fn encode(&self, out: &mut Vec<u8>) {
                $($codec::encode(&self.$field, out);)*
            }
        }
    };
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
                        $($codec::encode($field, out);)*
                    })*
                }
            }

            fn decode(cursor: &mut Cursor<'a>) -> Result<$record<'a>> {
                match cursor.byte()? {
                    $($tag => Ok($record::$variant { $($field: $codec::decode(cursor)?),* }),)*
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

pub(crate) use records;

codecs! {
    /// A number of 32 bits, as a varint.
    pub Id(u32) |cursor| cursor.id(), |id, out| put_varint(out, (*id).into());
    /// A number, as a varint.
    pub Number(u64) |cursor| cursor.varint(), |number, out| put_varint(out, *number);
    /// Numbers, ascending: how many, and the step to each, as varints.
    pub Ascending(Vec<u64>) |cursor| cursor.ascending(), |numbers, out| put_ascending(out, numbers.iter().copied());
    /// A number of 32 bits, little-endian.
    pub U32(u32)
        |cursor| cursor.array().map(u32::from_le_bytes), |number, out| out.extend_from_slice(&number.to_le_bytes());
    /// A number of 64 bits, little-endian.
    pub U64(u64)
        |cursor| cursor.array().map(u64::from_le_bytes), |number, out| out.extend_from_slice(&number.to_le_bytes());
    /// A signed number of 64 bits, little-endian.
    pub I64(i64)
        |cursor| cursor.array().map(i64::from_le_bytes), |number, out| out.extend_from_slice(&number.to_le_bytes());
    /// A byte that is 0 or not.
    pub Flag(bool) |cursor| Ok(cursor.byte()? != 0), |flag, out| out.push(u8::from(*flag));
    /// A length and UTF-8.
    pub Text(&'a str) |cursor| cursor.text(), |text, out| put_bytes(out, text.as_bytes());
    /// A length and bytes.
    pub Bytes(&'a [u8]) |cursor| cursor.bytes(), |bytes, out| put_bytes(out, bytes);
    /// An encoded value.
    pub Encoded(&'a [u8]) |cursor| check(cursor), |value, out| out.extend_from_slice(value);
    /// What a property holds: an encoded value, or several in valid time.
    pub Held(&'a [u8]) |cursor| valid::check(cursor), |held, out| out.extend_from_slice(held);
}
