//! Numbers from a seed: the same everywhere and for ever (SplitMix64), since the data that is made
//! from them is compared byte for byte.

/// A source of numbers.
pub struct Random(u64);

impl Random {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    /// The next 64 bits.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end` (0 where `end` is 0).
    pub fn below(&mut self, end: usize) -> usize {
        match end {
            0 => 0,
            end => (self.next() % end as u64) as usize,
        }
    }

    /// A number from `start` up to and including `last`.
    pub fn within(&mut self, start: i64, last: i64) -> i64 {
        start + self.below((last - start + 1).max(1) as usize) as i64
    }

    /// True in so many of a thousand cases.
    pub fn permille(&mut self, share: usize) -> bool {
        self.below(1_000) < share
    }

    /// One of a list.
    pub fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }
}
