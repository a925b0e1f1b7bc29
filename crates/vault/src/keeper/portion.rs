//! How many rows are claimed together: fewer where so much time passes before they begin that their
//! leases might end too early.

/// The most rows that are claimed together.
const MOST: usize = 100;
/// What took less than this may be four times as much.
const QUICK: i64 = 1_250;
/// How often people are told that it is slow.
const TELLING: i64 = 600_000;

#[derive(Debug)]
pub(super) struct Portion {
    rows: usize,
    told_at: Option<i64>,
}

impl Default for Portion {
    fn default() -> Self {
        Self { rows: MOST, told_at: None }
    }
}

impl Portion {
    pub(super) const fn rows(&self) -> usize {
        self.rows
    }

    /// Learns how long so many rows took until they could begin, in milliseconds. True when that was
    /// longer than they may take.
    pub(super) fn learn(&mut self, rows: usize, took: i64, may_take: i64) -> bool {
        if took > may_take {
            self.rows = (rows / 2).clamp(1, self.rows);
            return true;
        }
        if took < QUICK {
            self.rows = self.rows.saturating_mul(2).min(MOST);
        }
        false
    }

    /// Tells whether people should hear of it now.
    pub(super) fn tells(&mut self, now: i64) -> bool {
        let tells = self.told_at.is_none_or(|told| now.saturating_sub(told) >= TELLING);
        if tells {
            self.told_at = Some(now);
        }
        tells
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_too_slow_is_halved_and_grows_again_when_it_is_quick() {
        let mut portion = Portion::default();
        for expected in [50, 25, 12, 6, 3, 1, 1] {
            assert!(portion.learn(portion.rows(), 5_001, 5_000));
            assert_eq!(portion.rows(), expected);
        }
        for (took, expected) in [(5_000, 1), (QUICK, 1), (QUICK - 1, 2), (0, 4), (2_000, 4), (0, 8)] {
            assert!(!portion.learn(portion.rows(), took, 5_000));
            assert_eq!(portion.rows(), expected);
        }
        for _ in 0..9 {
            portion.learn(portion.rows(), 0, 5_000);
        }
        assert_eq!(portion.rows(), MOST);
        // Three of a hundred that could have been: one.
        assert!(portion.learn(3, 5_001, 5_000));
        assert_eq!(portion.rows(), 1);
    }

    #[test]
    fn people_hear_of_it_once_in_a_while() {
        let mut portion = Portion::default();
        assert_eq!(
            [0, 1, TELLING - 1, TELLING, TELLING + 1].map(|now| portion.tells(now)),
            [true, false, false, true, false]
        );
    }
}
