//! The hash of keys. It is frozen: tags lie in files, and two machines must agree on them.

use twox_hash::XxHash3_128;

/// 128 bits of a key: two keys that come up with the same are not met in practice, unless somebody who knows the seed looks for them.
pub type Tag = u128;

/// XXH3-128 of a key's bytes (Yann Collet; <https://github.com/Cyan4973/xxHash>). Where keys come from outside the seed is
/// a secret, so that nobody can choose keys that fall together.
///
/// Cost: about 2 ns for 16 bytes.
pub fn tag(seed: u64, key: &[u8]) -> Tag {
    XxHash3_128::oneshot_with_seed(seed, key)
}
