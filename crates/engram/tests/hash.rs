//! The hash is the one that is written down, on every machine and in every version.

use karyon_engram::tag;

#[test]
fn tags_are_those_of_the_reference_implementation() {
    let vectors = include_str!("xxh3-128.txt").lines().filter(|line| !line.starts_with('#'));
    let mut checked = 0;
    for line in vectors {
        let (seed, rest) = line.split_once(' ').expect("a seed");
        let (hash, text) = rest.split_once(' ').expect("a hash");
        let found = tag(u64::from_str_radix(seed, 16).expect("hex"), text.as_bytes());
        assert_eq!(format!("{found:032x}"), hash, "{text:?} with seed {seed}");
        checked += 1;
    }
    assert_eq!(checked, 124);
}
