//! A text has the same tokens on every machine and in every version.

use karyon_engram::{tag, tokens};

fn same(text: &str, words: &[&str]) {
    let expected: Vec<_> = words.iter().map(|word| tag(0, word.as_bytes())).collect();
    assert_eq!(tokens(text), expected, "{text:?}");
}

#[test]
fn words_are_told_apart_and_written_one_way() {
    same("", &[]);
    same(" \t…—!? ", &[]);
    same("Hooks in React, v18.2", &["hooks", "in", "react", "v18", "2"]);
    same("snake_case and kebab-case", &["snake", "case", "and", "kebab", "case"]);
    same("naïve café São Köln Ωμέγα Ёлка", &["naive", "cafe", "sao", "koln", "ωμεγα", "елка"]);
    same("ﬁle ① ２ Å", &["file", "1", "2", "a"]);
    same("İstanbul ISTANBUL", &["istanbul", "istanbul"]);
    same("Straße STRASSE", &["straße", "strasse"]);
    same("日本語 カナ and text", &["日", "本", "語", "カ", "ナ", "and", "text"]);
    same("हिन्दी भाषा", &["हिन्दी", "भाषा"]);
    same("a\u{301}b\u{301}", &["ab"]);
    same("x🙂y", &["x", "y"]);
}
