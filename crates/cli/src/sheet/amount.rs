//! Numbers as people and spreadsheets write them.

/// The most digits of a number.
const MOST_DIGITS: usize = 40;

/// Reads a number as decimal text: `1234.50`, with a point, no separators of groups and no needless zeros
/// in front.
///
/// Commas and points may be decimal marks or separators of groups, blanks and apostrophes are separators
/// of groups; digits may be of full width.
///
/// # Errors
/// Why it is refused: no number, or one that may be read in two ways.
pub(super) fn decimal(text: &str) -> Result<String, String> {
    let text: String = text.trim().chars().map(narrow).collect();
    let (sign, body) = match text.strip_prefix(['-', '+']) {
        Some(body) if text.starts_with('-') => ("-", body),
        Some(body) => ("", body),
        None => ("", text.as_str()),
    };
    let digits = body.bytes().filter(u8::is_ascii_digit).count();
    if digits == 0 || digits > MOST_DIGITS || body.contains(|c: char| !c.is_ascii_digit() && !is_mark(c)) {
        return Err(format!("{text:?} is not a plain number"));
    }
    let blanks = body.contains(is_blank);
    let (commas, points) = (body.matches(',').count(), body.matches('.').count());
    let mark = match (commas, points) {
        (0, 1) => Some('.'),
        (1, 0) if !blanks && may_be_thousands(body) => {
            return Err(format!("{text:?} may be {} or {}", body.replace(',', ""), body.replace(',', ".")));
        }
        (1, 0) => Some(','),
        // The last one of two kinds is the decimal mark.
        (_, 1) if body.rfind(',') < body.rfind('.') => Some('.'),
        (1, _) if body.rfind('.') < body.rfind(',') => Some(','),
        (_, 0) | (0, _) => None,
        _ => return Err(format!("{text:?} is not a plain number")),
    };
    let (whole, fraction) = match mark {
        Some(mark) => {
            body.rsplit_once(mark).map_or((body, None), |(whole, fraction)| (whole, Some(fraction)))
        }
        None => (body, None),
    };
    let is_fraction =
        fraction.is_none_or(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()));
    let groups: Vec<&str> = whole.split(is_mark).collect();
    let separators: Vec<char> = whole.chars().filter(|c| is_mark(*c)).collect();
    let is_grouped = separators.windows(2).all(|two| two[0] == two[1])
        && groups.iter().skip(1).all(|group| group.len() == 3)
        && (groups.len() == 1 || (1..=3).contains(&groups[0].len()));
    if !is_fraction || !is_grouped || (whole.is_empty() && fraction.is_none()) {
        return Err(format!("{text:?} is not a plain number"));
    }
    let whole = groups.concat();
    let whole = Some(whole.trim_start_matches('0')).filter(|digits| !digits.is_empty()).unwrap_or("0");
    let fraction = fraction.map_or_else(String::new, |digits| format!(".{digits}"));
    Ok(format!("{sign}{whole}{fraction}"))
}

/// Returns `true` for `1,234`, which is two numbers; `0,234` and `12,34` are one.
fn may_be_thousands(body: &str) -> bool {
    body.split_once(',').is_some_and(|(whole, rest)| {
        rest.len() == 3 && (1..=3).contains(&whole.len()) && !whole.starts_with('0')
    })
}

fn is_mark(c: char) -> bool {
    matches!(c, ',' | '.') || is_blank(c)
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\u{a0}' | '\u{2009}' | '\u{202f}' | '\'' | '’')
}

/// Turns characters of full width, which Chinese keyboards write, into those of ASCII.
fn narrow(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        '\u{3000}' => ' ',
        '−' => '-',
        c => c,
    }
}

/// Writes a number of a spreadsheet, which is a binary float, as its user sees it: with 15 digits.
///
/// # Errors
/// Why it is refused: spreadsheets keep 15 digits of what is typed, so that longer ids have lost some,
/// unless a program has written them.
pub(super) fn of_float(number: f64) -> Result<String, String> {
    /// The whole numbers up to here are exact.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let size = number.abs();
    if number.fract() == 0.0 && size < 1e15 {
        // Zero may have a sign.
        return Ok(format!("{:.0}", number + 0.0));
    }
    if size >= 1e15 {
        let text = format!("{number:.0}");
        // A spreadsheet program would have put a zero in the 16th place.
        if size < EXACT && !text.ends_with('0') {
            return Ok(text);
        }
        return Err(
            "a number of more than 15 digits, of which spreadsheets lose the last ones: format the column as text and enter it again"
                .to_owned(),
        );
    }
    if size < 1e-9 || !number.is_finite() {
        return Err("a number that is too small".to_owned());
    }
    // 15 digits in all, wherever the point is.
    let before = format!("{:.0}", size.trunc()).trim_start_matches('0').len();
    let text = format!("{number:.*}", if before == 0 { 15 } else { 15 - before });
    Ok(text.trim_end_matches('0').trim_end_matches('.').to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_read_in_the_forms_of_many_countries() {
        for (text, expected) in [
            ("5", "5"),
            ("-5", "-5"),
            ("+5", "5"),
            ("007", "7"),
            ("0", "0"),
            ("0.50", "0.50"),
            (".5", "0.5"),
            ("12,5", "12.5"),
            ("12,50", "12.50"),
            ("0,125", "0.125"),
            ("12,3456", "12.3456"),
            ("1234,567", "1234.567"),
            ("1,234.50", "1234.50"),
            ("1.234,50", "1234.50"),
            ("1,234,567", "1234567"),
            ("1.234.567", "1234567"),
            ("1,234,567.8", "1234567.8"),
            ("1 234,567", "1234.567"),
            ("1\u{a0}234", "1234"),
            ("1'234.5", "1234.5"),
            ("1.234", "1.234"),
            ("１２．５０", "12.50"),
            ("−3", "-3"),
            (" 7 ", "7"),
        ] {
            assert_eq!(decimal(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_may_be_two_numbers_or_none_is_refused() {
        assert_eq!(decimal("1,234"), Err("\"1,234\" may be 1234 or 1.234".to_owned()));
        for text in [
            "",
            " ",
            "-",
            "abc",
            "12a",
            "1e5",
            "1E+05",
            "$5",
            "5 %",
            "5元",
            "1,23,456",
            "1.23.45",
            "12,",
            "5.",
            ",",
            "1,2,3",
            "1.234,567.8",
            "--5",
            "1 23",
            "1,234 567",
            "0x10",
            "NaN",
            "1''234",
        ] {
            assert!(decimal(text).is_err(), "{text}: {:?}", decimal(text));
        }
        assert!(decimal(&"9".repeat(41)).is_err());
    }

    #[test]
    fn floats_are_written_as_their_users_see_them() {
        for (number, expected) in [
            (5.0, "5"),
            (12.5, "12.5"),
            (19.990_000_000_000_002, "19.99"),
            (0.1 + 0.2, "0.3"),
            (-0.5, "-0.5"),
            (999_999_999_999_999.0, "999999999999999"),
            (1_005_000_000_011_962.0, "1005000000011962"),
            (0.0, "0"),
            (123_456_789.123_456_7, "123456789.123457"),
            (1e-7, "0.0000001"),
            (99_999_999_999_999.9, "99999999999999.9"),
        ] {
            assert_eq!(of_float(number).as_deref(), Ok(expected), "{number}");
        }
        // Excel makes 1005000000011960 of 1005000000011962; the others are beyond what a float holds.
        for lost in
            [1_005_000_000_011_960.0, 9_007_199_254_740_992.0, 1e17, -1e16, f64::NAN, f64::INFINITY, 1e-300]
        {
            assert!(of_float(lost).is_err(), "{lost}");
        }
    }

    proptest! {
        #[test]
        fn a_price_survives_a_spreadsheet(cents in 0_u64..100_000_000_000) {
            let text = format!("{}.{:02}", cents / 100, cents % 100);
            let through: f64 = text.parse().unwrap();
            let shown = of_float(through).unwrap();
            prop_assert_eq!(shown.trim_end_matches(".0"), text.trim_end_matches('0').trim_end_matches('.'));
        }

        #[test]
        fn nothing_panics_and_what_is_read_is_read_again_the_same(text in "[0-9,. '+-]{0,12}|\\PC{0,12}") {
            if let Ok(number) = decimal(&text) {
                prop_assert_eq!(decimal(&number), Ok(number));
            }
        }
    }
}
