//! The generator of random numbers: SplitMix64, so that a seed gives the same world everywhere.

/// A stream of numbers that depends on its seed alone.
///
/// SplitMix64 (Steele, Lea, Flood 2014; public domain reference by Vigna). Not for secrets.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// Creates the stream of one thing in the world: the seed of the world, then what tells this
    /// thing from others.
    pub(crate) fn new(seed: u64, path: &[u64]) -> Self {
        let mut stream = Self(seed);
        for part in path {
            stream = Self(stream.next() ^ part.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        }
        stream
    }

    /// Returns the next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below `end`, which is at least 1. The bias of the method is under
    /// `end / 2^32`, which no reader of product titles notices.
    pub(crate) fn below(&mut self, end: u32) -> u32 {
        let wide = (self.next() >> 32) * u64::from(end);
        // The product of two numbers below 2^32 has its upper half below `end`.
        u32::try_from(wide >> 32).unwrap_or(0)
    }

    /// Returns a number from `first` to `last`, both included.
    pub(crate) fn between(&mut self, first: u32, last: u32) -> u32 {
        first + self.below(last - first + 1)
    }

    /// Picks one of `items`, which are never empty.
    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.index(items.len())]
    }

    /// Returns a position in a list of `len` items, at least 1.
    pub(crate) fn index(&mut self, len: usize) -> usize {
        self.below(u32::try_from(len).unwrap_or(u32::MAX)) as usize
    }

    /// Tells yes in `percent` of 100 cases.
    pub(crate) fn chance(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_published_generator() {
        // First outputs of the reference implementation for the seed 1234567.
        let mut stream = Random::new(1_234_567, &[]);
        assert_eq!(stream.next(), 6_457_827_717_110_365_317);
        assert_eq!(stream.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn stays_in_bounds_and_differs_by_path() {
        let mut stream = Random::new(7, &[1, 2]);
        assert!((0..1_000).all(|_| (3..=9).contains(&stream.between(3, 9))));
        assert_ne!(Random::new(7, &[1, 2]).next(), Random::new(7, &[2, 1]).next());
    }
}
