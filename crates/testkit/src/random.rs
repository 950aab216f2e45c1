//! Seeded random numbers and what tests draw from them.

/// A stream of random numbers that is the same for the same seed, on every machine and in every version.
///
/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014): good
/// enough to scatter test cases, and short enough to be obviously right. Nothing for secrets.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The stream of `seed`.
    pub const fn new(seed: u64) -> Self {
        Random { state: seed }
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A stream of its own for a part of the test, so that drawing more there moves nothing here.
    pub fn split(&mut self) -> Random {
        Random::new(self.next_u64())
    }

    /// A number below `bound`; 0 if `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        // The high half of the product: evenly spread up to a bias of bound / 2^64.
        ((u128::from(self.next_u64()) * bound as u128) >> 64) as usize
    }

    /// A number of `range`, which is not empty.
    pub fn within(&mut self, range: std::ops::Range<usize>) -> usize {
        range.start + self.below(range.end - range.start)
    }

    /// True in `times` of `of` cases.
    pub fn chance(&mut self, times: usize, of: usize) -> bool {
        self.below(of) < times
    }

    /// One of `choices`, which is not empty.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }

    /// Puts `items` in random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            items.swap(end, self.below(end + 1));
        }
    }

    /// `len` random bytes.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(len + 8);
        while bytes.len() < len {
            bytes.extend_from_slice(&self.next_u64().to_le_bytes());
        }
        bytes.truncate(len);
        bytes
    }

    /// A length up to `most` as programs have them: mostly short, now and then very long, often at a border.
    pub fn length(&mut self, most: usize) -> usize {
        match self.below(8) {
            0 => 0,
            1 => most,
            2 => (1usize << self.below(usize::BITS as usize - 1)).min(most),
            3 => self.below(most + 1),
            _ => self.below(most.min(64) + 1),
        }
    }

    /// A text of at most `most` characters, of one to four bytes each in UTF-8.
    pub fn text(&mut self, most: usize) -> String {
        const LETTERS: [char; 12] = ['a', 'b', 'z', '0', ' ', ':', '\0', 'é', 'ÿ', '中', '\u{ffff}', '😀'];
        (0..self.below(most + 1)).map(|_| *self.pick(&LETTERS)).collect()
    }

    /// One of `count` keys, the first ones far more often than the last ones (as in a Zipf distribution with
    /// exponent 1).
    pub fn skewed(&mut self, count: usize) -> usize {
        // The logarithm of the rank is what is evenly spread.
        let unit = (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        (((count as f64 + 1.0).powf(unit)) as usize).saturating_sub(1).min(count.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_of_a_seed_is_that_of_the_published_algorithm() {
        // The first outputs for seed 1234567 in the reference implementations of SplitMix64.
        let mut random = Random::new(1_234_567);
        let drawn: Vec<u64> = (0..3).map(|_| random.next_u64()).collect();
        assert_eq!(drawn, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn what_is_drawn_stays_in_its_bounds() {
        let mut random = Random::new(1);
        let mut seen = [0; 10];
        for _ in 0..10_000 {
            seen[random.below(10)] += 1;
            assert!((3..5).contains(&random.within(3..5)));
            assert!(random.length(100) <= 100);
            assert!(random.skewed(7) < 7);
            assert!(random.text(5).chars().count() <= 5);
        }
        assert!(seen.iter().all(|&count| (800..1200).contains(&count)), "uneven: {seen:?}");
        assert_eq!(random.bytes(13).len(), 13);
        assert_eq!(random.below(0), 0);
    }

    #[test]
    fn shuffling_loses_nothing() {
        let mut items: Vec<usize> = (0..100).collect();
        Random::new(2).shuffle(&mut items);
        assert_ne!(items, (0..100).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
    }
}
