//! Expressions of `regexRule`, which are Java's.

use fancy_regex::{Regex, RegexBuilder};

/// How often a match may go back before it is given up.
const STEPS: usize = 100_000;
/// The largest compiled expression, in bytes.
const SIZE: usize = 1 << 20;
/// The longest expression, in bytes.
const LONGEST: usize = 4 << 10;

/// A compiled expression; `None` if it cannot be judged here.
#[derive(Debug)]
pub(crate) struct Pattern(Option<Regex>);

impl Pattern {
    /// Compiles an expression that a whole value has to match, or of which no part may match.
    pub(crate) fn new(expression: &str, is_whole: bool) -> Self {
        let Some(translated) = translate(expression) else { return Self(None) };
        let translated = if is_whole { format!(r"\A(?:{translated})\z") } else { translated };
        let mut builder = RegexBuilder::new(&translated);
        builder.backtrack_limit(STEPS).delegate_size_limit(SIZE).delegate_dfa_size_limit(SIZE);
        Self(builder.build().ok())
    }

    /// Returns `true` if it matches; `None` if that cannot be found out.
    pub(crate) fn matches(&self, text: &str) -> Option<bool> {
        self.0.as_ref()?.is_match(text).ok()
    }
}

/// Writes a Java expression as one of Rust: `\w`, `\d` and `\s` are ASCII, `.` stops at more line ends,
/// `\Q..\E` is literal, `\u4e00` has four digits. `None` for what has no counterpart.
fn translate(expression: &str) -> Option<String> {
    if expression.len() > LONGEST {
        return None;
    }
    let mut out = String::with_capacity(expression.len() * 2);
    let mut rest = expression.chars();
    // How many classes are open.
    let mut class = 0_usize;
    while let Some(c) = rest.next() {
        match c {
            '\\' => match rest.next()? {
                'Q' => {
                    let (literal, after) = rest.as_str().split_once("\\E").unwrap_or((rest.as_str(), ""));
                    literal.chars().for_each(|c| escape(&mut out, c));
                    rest = after.chars();
                }
                'd' => ascii(&mut out, "0-9", class, false),
                'D' => ascii(&mut out, "0-9", class, true),
                'w' => ascii(&mut out, "a-zA-Z_0-9", class, false),
                'W' => ascii(&mut out, "a-zA-Z_0-9", class, true),
                's' => ascii(&mut out, r" \t\n\x0B\f\r", class, false),
                'S' => ascii(&mut out, r" \t\n\x0B\f\r", class, true),
                'u' => {
                    let (digits, after) = rest.as_str().split_at_checked(4)?;
                    // Halves of a pair stand for nothing by themselves.
                    char::from_u32(u32::from_str_radix(digits, 16).ok()?)?;
                    out.push_str("\\x{");
                    out.push_str(digits);
                    out.push('}');
                    rest = after.chars();
                }
                'Z' => out.push_str(r"(?=\n?\z)"),
                // Rust has no counterpart, or means something else.
                'h' | 'H' | 'R' | 'X' | 'G' | 'c' | 'N' | '0' => return None,
                other => {
                    out.push('\\');
                    out.push(other);
                }
            },
            '[' => {
                class += 1;
                out.push('[');
                let mut after = rest.clone();
                if after.next() == Some('^') {
                    out.push('^');
                    rest = after;
                }
            }
            ']' if class > 0 => {
                class -= 1;
                out.push(']');
            }
            '.' if class == 0 => out.push_str(r"[^\n\r\x{85}\x{2028}\x{2029}]"),
            // Of these Rust makes set operations, and Java plain characters.
            '-' | '~' if class > 0 && rest.as_str().starts_with(c) => {
                out.push('\\');
                out.push(c);
            }
            other => out.push(other),
        }
    }
    (class == 0).then_some(out)
}

/// Writes a class of ASCII characters, outside of a class or inside of one.
fn ascii(out: &mut String, ranges: &str, class: usize, is_negated: bool) {
    let (open, close) = match (class, is_negated) {
        (0, false) => ("[", "]"),
        (_, true) => ("[^", "]"),
        (_, false) => ("", ""),
    };
    for part in [open, ranges, close] {
        out.push_str(part);
    }
}

fn escape(out: &mut String, c: char) {
    if c.is_ascii() && !c.is_ascii_alphanumeric() && !c.is_ascii_control() && c != ' ' {
        out.push('\\');
    }
    out.push(c);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(expression: &str, text: &str) -> Option<bool> {
        Pattern::new(expression, true).matches(text)
    }

    #[test]
    fn expressions_mean_what_they_mean_in_java() {
        for (expression, text, expected) in [
            (r"([0-9]{1,9})(\.[0-9]{1,2})?", "1.23", true),
            (r"([0-9]{1,9})(\.[0-9]{1,2})?", "1.234", false),
            (r"\d+", "１２", false),
            (r"\w+", "é", false),
            (r"\S+", "é", true),
            (r"[\w.-]+", "a.b-c_1", true),
            (r"[^\d]+", "ab", true),
            (r"[^\D]+", "12", true),
            (r"a++b", "aaab", true),
            (r"a++ab", "aaab", false),
            (r"\Qa.b[\E+", "a.b[[", true),
            (r"\Qa.b", "axb", false),
            (r"(?!.*--).+", "a-b", true),
            (r"(?!.*--).+", "a--b", false),
            (r"(?<=a)b|ab", "ab", true),
            (r"[\u4e00-\u9fa5]{2}", "中文", true),
            (r"[\u4e00-\u9fa5]{2}", "ab", false),
            (r".*", "a\nb", false),
            (r".*", "a\u{2028}b", false),
            (r"(a)\1", "aa", true),
            (r"a|ab", "ab", true),
        ] {
            assert_eq!(whole(expression, text), Some(expected), "{expression} {text:?}");
        }
        let forbidden = Pattern::new(r"[^\x04-\x80]+", false);
        assert_eq!([forbidden.matches("Cup"), forbidden.matches("☕ cup")], [Some(false), Some(true)]);
    }

    #[test]
    fn what_cannot_be_judged_is_not_guessed() {
        for expression in ["(", r"\h+", "[a", "*", r"\", r"\ud83d", &"a".repeat(5_000), r"(?:a{1000}){1000}"]
        {
            assert_eq!(whole(expression, "a"), None, "{expression:.20}");
        }
        // Exponential in a plain engine with look-around.
        assert_eq!(whole(r"(?=(a+)+$)(a|aa)+\1b", &"a".repeat(60)), None);
    }
}
