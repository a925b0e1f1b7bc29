//! Medians: what a busy machine disturbs least, and how far the rounds lay apart.

use serde::Serialize;

/// What several rounds of one measurement gave.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    /// The number of rounds.
    pub(crate) rounds: usize,
}

impl From<Vec<f64>> for Spread {
    fn from(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let (rounds, at) = (values.len(), |index: usize| values.get(index).copied().unwrap_or(f64::NAN));
        let median = if rounds % 2 == 1 {
            at(rounds / 2)
        } else {
            f64::midpoint(at((rounds / 2).saturating_sub(1)), at(rounds / 2))
        };
        Self { median, min: at(0), max: at(rounds.saturating_sub(1)), rounds }
    }
}

/// A single figure.
impl From<f64> for Spread {
    fn from(figure: f64) -> Self {
        Self { median: figure, min: figure, max: figure, rounds: 1 }
    }
}

/// Returns `left / right` or another combination of each round with the round beside it.
pub(crate) fn paired(left: &[f64], right: &[f64], combine: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    left.iter().zip(right).map(|(left, right)| combine(*left, *right)).collect()
}
