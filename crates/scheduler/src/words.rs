//! How records and effects cross: as rows of words, each enum declared once as the table of its rows.

use crate::CellId;

/// What fits into one word of a row.
pub(crate) trait Word: Sized {
    fn word(self) -> u32;
    /// `None` if the word means nothing.
    fn read(word: u32) -> Option<Self>;
}

macro_rules! plain_words {
    ($($kind:ty: $word:expr, $read:expr;)*) => {
        $(impl Word for $kind {
            fn word(self) -> u32 {
                $word(self)
            }

            fn read(word: u32) -> Option<$kind> {
                Some($read(word))
            }
        })*
    };
}

plain_words! {
    u32: u32::from, u32::from;
    bool: u32::from, |word| word != 0;
    CellId: |id: CellId| id.0, CellId;
}

/// An enum that is one word: each variant with its number.
macro_rules! word {
    ($(#[$about:meta])* $name:ident: $($(#[$what:meta])* $number:literal $variant:ident)*) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$what])* $variant = $number),* }

        impl crate::words::Word for $name {
            fn word(self) -> u32 {
                self as u32
            }

            fn read(word: u32) -> Option<$name> {
                match word { $($number => Some($name::$variant),)* _ => None }
            }
        }
    };
}

/// An enum of rows: each variant with the number that is its first word, and the words that follow.
macro_rules! rows {
    (
        $(#[$about:meta])*
        $name:ident of $words:ident:
        $($(#[$what:meta])* $number:literal $variant:ident { $($field:ident: $kind:ty),* })*
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$what])* $variant { $(#[doc = "See the variant."] $field: $kind),* },)*
        }

        impl $name {
            /// Reads the words of a row; `None` if they are none.
            pub fn decode(words: [u32; $words]) -> Option<$name> {
                let mut words = words.into_iter();
                Some(match words.next()? {
                    $($number => $name::$variant { $($field: crate::words::Word::read(words.next()?)?),* },)*
                    _ => return None,
                })
            }

            /// The words of a row.
            pub fn encode(self) -> [u32; $words] {
                let mut words = [0; $words];
                match self {
                    $($name::$variant { $($field),* } => {
                        let row = [$number, $(crate::words::Word::word($field)),*];
                        words[..row.len()].copy_from_slice(&row);
                    })*
                }
                words
            }
        }
    };
}

pub(crate) use {rows, word};
