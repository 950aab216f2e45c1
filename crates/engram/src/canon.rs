//! Canonical tokens: what a text is cut into before it is hashed. Frozen: whoever changes it makes another normaliser, with another name.
//! This one is called `karyon-1`. New versions of Unicode add letters, and change nothing about those that were there.

use crate::hash::{Tag, tag};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The seed of tokens.
const SEED: u64 = 0;

/// The tags of the tokens of a text, in order: runs of letters, digits and marks, in lower case, in compatibility decomposition (NFKD),
/// without the accents of the scripts of Europe. Where words are not set apart (ideographs, kana) each letter is a token.
///
/// Cost: some 20 ns for a letter.
pub fn tokens(text: &str) -> Vec<Tag> {
    let (mut tokens, mut token) = (Vec::new(), String::new());
    let mut end = |token: &mut String| {
        tokens.extend((!token.is_empty()).then(|| tag(SEED, token.as_bytes())));
        token.clear();
    };
    let letters = text.nfkd().flat_map(char::to_lowercase).filter(|letter| !is_accent(*letter));
    for letter in letters {
        let (is_part, is_whole) = (letter.is_alphanumeric() || is_combining_mark(letter), is_word(letter));
        if !is_part || is_whole {
            end(&mut token);
        }
        token.extend(is_part.then_some(letter));
        if is_whole {
            end(&mut token);
        }
    }
    end(&mut token);
    tokens
}

fn is_accent(letter: char) -> bool {
    matches!(letter, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}')
}

fn is_word(letter: char) -> bool {
    matches!(letter, '\u{3041}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{20000}'..='\u{323af}')
}
