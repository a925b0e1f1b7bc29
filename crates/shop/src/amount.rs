//! Exact decimal numbers: prices and quantities.

use std::{cmp::Ordering, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sesame_core::{Error, Result};

/// Maximum number of digits, and of decimals.
const MAX_DIGITS: u32 = 27;

/// An exact decimal number: a price or a quantity. Never a binary float on its way.
///
/// Two amounts are equal if they are the same number, whatever zeros they end with; shown and stored it is in
/// its shortest form. At most 27 digits.
///
/// ```
/// use sesame_shop::Amount;
/// let price: Amount = "19.90".parse()?;
/// assert_eq!(price, "19.9".parse()?);
/// assert_eq!((price.to_string().as_str(), price.decimals()), ("19.9", 1));
/// assert_eq!(price.checked_sub(Amount::from(20)).unwrap().to_string(), "-0.1");
/// assert!("19,90".parse::<Amount>().is_err() && "1e3".parse::<Amount>().is_err());
/// # Ok::<(), sesame_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Amount {
    /// The number without its point; no zero at its end if there are decimals.
    digits: i128,
    decimals: u32,
}

impl Amount {
    /// Zero.
    pub const ZERO: Self = Self { digits: 0, decimals: 0 };

    /// Returns the number of decimals of the shortest form.
    pub fn decimals(self) -> u32 {
        self.decimals
    }

    /// Returns `true` for a number below zero.
    pub fn is_negative(self) -> bool {
        self.digits < 0
    }

    /// Returns the number without its sign.
    #[must_use]
    pub fn abs(self) -> Self {
        Self { digits: self.digits.abs(), ..self }
    }

    /// Adds. `None` if the sum has too many digits.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let decimals = self.decimals.max(other.decimals);
        Self::new(self.scaled(decimals)?.checked_add(other.scaled(decimals)?)?, decimals)
    }

    /// Subtracts. `None` if the difference has too many digits.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.checked_add(Self { digits: -other.digits, ..other })
    }

    fn new(mut digits: i128, mut decimals: u32) -> Option<Self> {
        while decimals > 0 && digits % 10 == 0 {
            digits /= 10;
            decimals -= 1;
        }
        (digits.abs() < 10_i128.pow(MAX_DIGITS) && decimals <= MAX_DIGITS)
            .then_some(Self { digits, decimals })
    }

    fn scaled(self, decimals: u32) -> Option<i128> {
        self.digits.checked_mul(10_i128.checked_pow(decimals - self.decimals)?)
    }
}

impl From<i64> for Amount {
    fn from(number: i64) -> Self {
        Self { digits: number.into(), decimals: 0 }
    }
}

impl FromStr for Amount {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || {
            let shown: String = text.chars().take(40).collect();
            Error::usage(format!("invalid number {shown:?}"))
                .with_hint("Write it with a point and without separators: 19.90 or 1200.")
        };
        let plain = text.trim();
        let (negative, plain) = match plain.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, plain.strip_prefix('+').unwrap_or(plain)),
        };
        let (whole, part) = plain.split_once('.').unwrap_or((plain, ""));
        let is_good = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
        let is_long = whole.len() + part.len() > MAX_DIGITS as usize;
        if whole.is_empty()
            || (plain.contains('.') && part.is_empty())
            || is_long
            || !is_good(whole)
            || !is_good(part)
        {
            return Err(wrong());
        }
        let digits: i128 = format!("{whole}{part}").parse().map_err(|_| wrong())?;
        let decimals = u32::try_from(part.len()).map_err(|_| wrong())?;
        Self::new(if negative { -digits } else { digits }, decimals).ok_or_else(wrong)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.decimals == 0 {
            return write!(f, "{}", self.digits);
        }
        let sign = if self.digits < 0 { "-" } else { "" };
        let decimals = self.decimals as usize;
        let text = format!("{:0>width$}", self.digits.unsigned_abs(), width = decimals + 1);
        let (whole, part) = text.split_at(text.len() - decimals);
        write!(f, "{sign}{whole}.{part}")
    }
}

impl PartialOrd for Amount {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Amount {
    fn cmp(&self, other: &Self) -> Ordering {
        // Whole parts first: with the same number of decimals the digits of one might have no room.
        let parts = |amount: &Self| {
            let unit = 10_i128.pow(amount.decimals);
            let part = (amount.digits % unit) * 10_i128.pow(MAX_DIGITS - amount.decimals);
            (amount.digits / unit, part)
        };
        parts(self).cmp(&parts(other))
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn amount(text: &str) -> Amount {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_no_plain_decimal_is_refused() {
        for bad in
            ["", " ", "-", ".", "1.", ".5", "1,5", "1e3", "0x1", "1 000", "NaN", "٣", "1.2.3", "--1", "+-1"]
        {
            assert!(bad.parse::<Amount>().is_err(), "{bad:?}");
        }
        assert!("9".repeat(28).parse::<Amount>().is_err());
        assert_eq!(amount(&"9".repeat(27)).checked_add(Amount::from(1)), None);
        assert_eq!((amount(" +7.00 "), amount("-0.0")), (Amount::from(7), Amount::ZERO));
    }

    proptest! {
        /// Numbers of thousandths behave as whole numbers of them do.
        #[test]
        fn it_counts_as_whole_numbers_do(a in -9_999_999_i64..9_999_999, b in -9_999_999_i64..9_999_999) {
            let of = |n: i64| amount(&format!("{}{}.{:03}", if n < 0 { "-" } else { "" }, n.abs() / 1000, n.abs() % 1000));
            prop_assert_eq!(of(a).checked_add(of(b)), Some(of(a + b)));
            prop_assert_eq!(of(a).checked_sub(of(b)), Some(of(a - b)));
            prop_assert_eq!(of(a).cmp(&of(b)), a.cmp(&b));
            prop_assert_eq!(amount(&of(a).to_string()), of(a));
        }

        #[test]
        fn texts_come_back_and_compare(whole in "[0-9]{1,13}", part in "[0-9]{0,11}", other in "[0-9]{1,27}") {
            let text = if part.is_empty() { whole.clone() } else { format!("{whole}.{part}") };
            let value = amount(&text);
            prop_assert_eq!(amount(&value.to_string()), value);
            let zeros = if part.is_empty() { format!("{text}.0") } else { format!("0{text}0") };
            prop_assert!(zeros.parse::<Amount>().is_ok_and(|same| same == value));
            let other = amount(&other);
            prop_assert_eq!(value < other, other > value);
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = text.parse::<Amount>();
        }
    }
}
