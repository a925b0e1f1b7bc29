//! Numbers that follow from the seed alone.

use crate::fixtures::random::Random;

/// A stream of numbers for one purpose. Nothing secret is made with it but the invented app
/// secrets, which are printed anyway.
#[derive(Debug, Clone)]
pub(crate) struct Numbers(Random);

impl Numbers {
    /// Starts a sequence that depends on the seed and on what it is for.
    pub(crate) fn new(seed: u64, purpose: &str) -> Self {
        // FNV-1a over the purpose keeps sequences of one seed apart.
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for byte in purpose.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        let mut numbers = Self(Random::new(seed ^ hash, &[]));
        numbers.next();
        numbers
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0.next()
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// A number in `0.0..1.0`.
    pub(crate) fn share(&mut self) -> f64 {
        // 2^-32 steps are fine enough for a probability.
        f64::from(u32::try_from(self.next() >> 32).unwrap_or(0)) / (f64::from(u32::MAX) + 1.0)
    }

    /// A text of `length` characters of `alphabet`.
    pub(crate) fn text(&mut self, alphabet: &[u8], length: usize) -> String {
        let count = u64::try_from(alphabet.len()).unwrap_or(1);
        (0..length).map(|_| char::from(alphabet[usize::try_from(self.below(count)).unwrap_or(0)])).collect()
    }
}

pub(crate) const DIGITS: &[u8] = b"0123456789";
pub(crate) const BASE62: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
