//! Numbers, dates and addresses as expressions of ECMA-262: texts have no other bounds in JSON Schema.

use std::cmp::Ordering;

use super::parts::BLANK;
use crate::number::Number;

const FRACTION: &str = r"(?:\.[0-9]+)?";
const LONG: (&str, &str) = ("9223372036854775807", "9223372036854775808");
const INT: (&str, &str) = ("2147483647", "2147483648");

/// An expression for a whole text of a type; `None` for types that take anything.
pub(super) fn of_type(kind: &str) -> Option<String> {
    Some(match kind {
        "integer" | "long" => framed(&integer(LONG)),
        "decimal" => framed(&format!(r"[+-]?(?=\.?[0-9])[0-9]*{FRACTION}")),
        "double" => framed(&format!(r"[+-]?(?=\.?[0-9])[0-9]*{FRACTION}{}", exponent())),
        "date" => format!("^{}$", date()),
        "time" => format!("^{} (?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$", date()),
        "url" => url(),
        _ => return None,
    })
}

/// An expression for the numbers without an exponent that stand on one side of a number.
pub(super) fn beside(limit: &Number, side: Ordering) -> Option<String> {
    let (is_negative, whole, fraction) = limit.plain()?;
    let (whole, fraction) = (whole.as_bytes(), fraction.as_bytes());
    let is_zero = whole.is_empty() && fraction.is_empty();
    let any = format!("[0-9]*{FRACTION}");
    // What a number without a sign, or with a minus, has to be.
    let (plus, minus) = match (side, is_zero, is_negative) {
        (Ordering::Less, false, false) => (Some(below(whole, fraction)), Some(any)),
        (Ordering::Less, ..) => (None, Some(above(whole, fraction))),
        (Ordering::Greater, false, true) => (Some(any), Some(below(whole, fraction))),
        (Ordering::Greater, ..) => (Some(above(whole, fraction)), None),
        (Ordering::Equal, true, _) => (Some(same(whole, fraction)), Some(same(whole, fraction))),
        (Ordering::Equal, _, false) => (Some(same(whole, fraction)), None),
        (Ordering::Equal, _, true) => (None, Some(same(whole, fraction))),
    };
    let signed = [plus.map(|it| (r"\+?", it)), minus.map(|it| ("-", it))];
    let ways = signed.into_iter().flatten().map(|(sign, it)| format!(r"{sign}(?=\.?[0-9])(?:{it})"));
    Some(framed(&format!("(?:{})", ways.collect::<Vec<_>>().join("|"))))
}

/// An expression for numbers with that many digits after the point.
pub(super) fn with_decimals(least: u64, most: Option<u64>) -> String {
    let most_text = most.map(|most| most.to_string()).unwrap_or_default();
    let fraction = match (least, most) {
        (0, Some(0)) => String::new(),
        (0, _) => format!(r"(?:\.[0-9]{{1,{most_text}}})?"),
        _ => format!(r"\.[0-9]{{{least},{most_text}}}"),
    };
    framed(&format!(r"[+-]?(?=\.?[0-9])[0-9]*{fraction}{}", exponent()))
}

fn framed(inside: &str) -> String {
    format!("^{BLANK}*{inside}{BLANK}*$")
}

fn exponent() -> String {
    format!("(?:[eE]{})?", integer(INT))
}

/// A whole number with these greatest digits, without a minus and with one.
fn integer((plus, minus): (&str, &str)) -> String {
    let upto = |most: &str| format!("(?=[0-9])(?:{}|0*{most})", smaller(most.as_bytes(), "").join("|"));
    format!(r"(?:\+?{}|-{})", upto(plus), upto(minus))
}

/// Ways to a smaller whole part, whatever follows it.
fn smaller(whole: &[u8], tail: &str) -> Vec<String> {
    let mut ways = Vec::new();
    if let Some(shorter) = whole.len().checked_sub(1) {
        ways.push(format!("0*[0-9]{{0,{shorter}}}{tail}"));
    }
    let differing = whole.iter().enumerate().filter(|(_, digit)| **digit > b'0');
    ways.extend(differing.map(|(at, digit)| {
        format!("0*{}{}{}{tail}", text(&whole[..at]), range(b'0', digit - 1), digits(whole.len() - 1 - at))
    }));
    ways
}

fn below(whole: &[u8], fraction: &[u8]) -> String {
    let mut ways = smaller(whole, FRACTION);
    if !fraction.is_empty() {
        let differing = fraction.iter().enumerate().filter(|(_, digit)| **digit > b'0');
        let mut less: Vec<String> = differing
            .map(|(at, digit)| format!("{}{}[0-9]*", text(&fraction[..at]), range(b'0', digit - 1)))
            .collect();
        less.extend((1..fraction.len()).map(|at| text(&fraction[..at]).to_owned()));
        ways.push(format!(r"0*{}(?:\.(?:{}))?", text(whole), less.join("|")));
    }
    ways.join("|")
}

fn above(whole: &[u8], fraction: &[u8]) -> String {
    let mut ways = vec![format!("0*[1-9][0-9]{{{},}}{FRACTION}", whole.len())];
    for (at, digit) in whole.iter().enumerate().filter(|(_, digit)| **digit < b'9') {
        let rest = digits(whole.len() - 1 - at);
        ways.push(format!("0*{}{}{rest}{FRACTION}", text(&whole[..at]), range(digit + 1, b'9')));
    }
    let mut more: Vec<String> = Vec::new();
    for (at, digit) in fraction.iter().enumerate().filter(|(_, digit)| **digit < b'9') {
        more.push(format!("{}{}[0-9]*", text(&fraction[..at]), range(digit + 1, b'9')));
    }
    more.push(format!("{}[0-9]*[1-9][0-9]*", text(fraction)));
    ways.push(format!(r"0*{}\.(?:{})", text(whole), more.join("|")));
    ways.join("|")
}

fn same(whole: &[u8], fraction: &[u8]) -> String {
    match fraction {
        [] => format!(r"0*{}(?:\.0+)?", text(whole)),
        _ => format!(r"0*{}\.{}0*", text(whole), text(fraction)),
    }
}

fn text(digits: &[u8]) -> &str {
    std::str::from_utf8(digits).unwrap_or_default()
}

fn range(from: u8, to: u8) -> String {
    format!("[{}-{}]", char::from(from), char::from(to))
}

fn digits(count: usize) -> String {
    if count == 0 { String::new() } else { format!("[0-9]{{{count}}}") }
}

fn date() -> &'static str {
    "(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)\
     |02-(?:0[1-9]|1[0-9]|2[0-8]))\
     |(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29)"
}

/// White space and control characters end an address.
fn url() -> String {
    let ends = r"\u0000-\u0020\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000";
    format!("^(?:[Hh][Tt][Tt][Pp][Ss]?:)?//[^/?#{ends}][^{ends}]*$")
}

#[cfg(test)]
mod tests {
    use fancy_regex::Regex;
    use proptest::prelude::*;

    use super::*;
    use crate::rules::is_of_type;

    fn matches(pattern: &str, text: &str) -> bool {
        Regex::new(pattern).unwrap().is_match(text).unwrap()
    }

    fn types_agree(text: &str) {
        for kind in ["integer", "long", "decimal", "double", "date", "time", "url"] {
            assert_eq!(matches(&of_type(kind).unwrap(), text), is_of_type(text, kind), "{kind} {text:?}");
        }
    }

    #[test]
    fn types_are_those_of_the_check() {
        for text in [
            "",
            " ",
            "-",
            "+1",
            "5.",
            ".5",
            "-.5",
            "1.2.3",
            "1e5",
            "1E+05",
            "1e",
            "1e2147483647",
            "1e2147483648",
            "1e-2147483648",
            "1e-2147483649",
            "9223372036854775807",
            "9223372036854775808",
            "-9223372036854775808",
            "-9223372036854775809",
            "0009223372036854775807",
            "\t7\r\n",
            "\u{a0}7",
            "１",
            "0000-02-29",
            "1900-02-29",
            "2000-02-29",
            "2024-02-30",
            "2024-04-31",
            "2024-12-31",
            "2024-13-01",
            "-001-01-01",
            "+001-01-01",
            "2024-+1-01",
            "2024-1 -01",
            "2024-01-1 ",
            "2024- 1-01",
            "2024-01-01 23:59:60",
            "2024-01-01 24:00:00",
            "2024-01-01 00:00:00",
            "2024-01-01  1:00:00",
            "2024-01-01 +1:00:00",
            "https://a",
            "HTTP://a?b",
            "http:///a",
            "//a/b",
            "//?a",
            "//a b",
            "//a\u{3000}",
            "//a\u{85}",
            "ftp://a",
            "//",
            "//\u{200b}",
        ] {
            types_agree(text);
        }
    }

    proptest! {
        #[test]
        fn numbers_stand_on_the_side_that_they_are_compared_to(
            limit in "[+-]?(0|0\\.0|[0-9]{1,3}|[0-9]{0,3}\\.[0-9]{1,3})",
            text in "[+-]?(0|0\\.0|[0-9]{1,3}|[0-9]{0,3}\\.[0-9]{1,3})",
        ) {
            let (bound, number) = (Number::parse(&limit).unwrap(), Number::parse(&text).unwrap());
            for side in [Ordering::Less, Ordering::Equal, Ordering::Greater] {
                let is_there = number.partial_cmp(&bound) == Some(side);
                prop_assert_eq!(matches(&beside(&bound, side).unwrap(), &text), is_there, "{} {} {:?}", text, limit, side);
                prop_assert!(matches(&beside(&bound, side).unwrap(), &limit) == (side == Ordering::Equal));
            }
        }

        #[test]
        fn types_of_any_text_are_those_of_the_check(
            text in "[+-]?[0-9]{0,20}\\.?[0-9]{0,3}([eE][+-]?[0-9]{0,12})?|[0-9+-]{4}-[0-9 +-]{2}-[0-9 +-]{2}( [0-9 +-]{2}:[0-9]{2}:[0-6][0-9])?|(http:)?//[a/?# \\u{a0}]{0,4}"
        ) {
            types_agree(&text);
        }

        #[test]
        fn digits_after_the_point_are_counted(text in "[+-]?[0-9]{0,3}\\.?[0-9]{0,4}(e[0-9]{1,2})?", least in 0_u64..4, more in prop::option::of(0_u64..3)) {
            let most = more.map(|more| least + more);
            let decimals = Number::parse(&text).map(|number| number.decimals as u64);
            let fits = decimals.is_some_and(|count| count >= least && most.is_none_or(|most| count <= most));
            prop_assert_eq!(matches(&with_decimals(least, most), &text), fits, "{} {} {:?}", text, least, most);
        }
    }
}
