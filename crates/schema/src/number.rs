//! Numbers as texts: compared exactly, never through a binary float.

use std::cmp::Ordering;

/// A decimal number: its digits without zeros around, and where the point stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Number {
    is_negative: bool,
    digits: Vec<u8>,
    /// The value is `0.digits` times ten to this power.
    power: i64,
    /// How many digits follow the point as it is written.
    pub(crate) decimals: usize,
    has_exponent: bool,
}

impl Number {
    /// Reads a number; `None` for anything else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim_matches(|c| c <= ' ');
        let (is_negative, rest) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, Some(exponent.parse::<i32>().ok()?)),
            None => (rest, None),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() && fraction.is_empty() || !is_digits(whole) || !is_digits(fraction) {
            return None;
        }
        // `5.` is not how people write a number.
        if mantissa.ends_with('.') {
            return None;
        }
        let all: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        let zeros = all.iter().take_while(|byte| **byte == b'0').count();
        let end = all.iter().rposition(|byte| *byte != b'0').map_or(zeros, |last| last + 1);
        let digits = all[zeros..end].to_vec();
        let power = i64::try_from(whole.len()).ok()? - i64::try_from(zeros).ok()?
            + i64::from(exponent.unwrap_or_default());
        let is_zero = digits.is_empty();
        Some(Self {
            is_negative: is_negative && !is_zero,
            digits,
            power: if is_zero { 0 } else { power },
            decimals: fraction.len(),
            has_exponent: exponent.is_some(),
        })
    }

    /// Returns `true` if it is written as digits alone, with a sign at most, and fits in 64 bits.
    pub(crate) fn is_integer(&self, text: &str) -> bool {
        self.decimals == 0 && !self.has_exponent && text.trim_matches(|c| c <= ' ').parse::<i64>().is_ok()
    }

    /// Returns whether it is negative, and its digits before and after the point without zeros around; `None` if
    /// that takes more than a hundred.
    pub(crate) fn plain(&self) -> Option<(bool, String, String)> {
        let all = String::from_utf8(self.digits.clone()).ok()?;
        if self.power.unsigned_abs() > 100 || all.len() > 100 {
            return None;
        }
        let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or_default());
        let before = usize::try_from(self.power).unwrap_or_default();
        let (whole, fraction) = match all.split_at_checked(before) {
            Some((whole, fraction)) => (whole.to_owned(), zeros(-self.power) + fraction),
            None => (all.clone() + &zeros(self.power - i64::try_from(all.len()).ok()?), String::new()),
        };
        let fraction = if all.is_empty() { String::new() } else { fraction };
        Some((self.is_negative, whole, fraction))
    }

    /// Returns `true` if it is written without an exponent.
    pub(crate) const fn is_plain(&self) -> bool {
        !self.has_exponent
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        // Without a digit it is zero: below what is positive, above what is negative.
        let sign = |number: &Self| match (number.digits.is_empty(), number.is_negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        let by_sign = sign(self).cmp(&sign(other));
        if by_sign != Ordering::Equal {
            return Some(by_sign);
        }
        let size = self.power.cmp(&other.power).then_with(|| self.digits.cmp(&other.digits));
        Some(if self.is_negative { size.reverse() } else { size })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_by_their_value() {
        let sorted = [
            "-1e3",
            "-12",
            "-1.5",
            "0",
            "0.001",
            "0.01",
            "1",
            "1.05",
            "1.5",
            "2",
            "10",
            "99999999999999999999",
        ];
        for (at, one) in sorted.iter().enumerate() {
            for (other_at, other) in sorted.iter().enumerate() {
                let (one, other) = (Number::parse(one).unwrap(), Number::parse(other).unwrap());
                assert_eq!(one.partial_cmp(&other), Some(at.cmp(&other_at)), "{one:?} {other:?}");
            }
        }
        for (one, other) in
            [("100000000", "100000000.00"), ("-0", "0"), ("1e2", "100"), (".5", "0.50"), ("+7", "007")]
        {
            let order = Number::parse(one).unwrap().partial_cmp(&Number::parse(other).unwrap());
            assert_eq!(order, Some(Ordering::Equal), "{one} {other}");
        }
    }

    #[test]
    fn other_texts_are_no_numbers() {
        for text in [
            "",
            " ",
            "-",
            ".",
            "5.",
            "1,5",
            "1.2.3",
            "0x10",
            "NaN",
            "Infinity",
            "1e",
            "1e99999999999",
            "１",
            "--1",
        ] {
            assert_eq!(Number::parse(text), None, "{text:?}");
        }
    }
}
