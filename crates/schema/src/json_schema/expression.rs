//! Java's expressions as those of ECMA-262, where they mean the same.

use std::fmt::Write as _;

/// Characters that ECMA-262 wants escaped, and no others.
const SYNTAX: &str = r"^$\.*+?()[]{}|/";

/// Translates an expression that a whole text has to match, or of which no part may match. `None` for what has no
/// counterpart, or may mean something else.
pub(super) fn translate(expression: &str, is_whole: bool) -> Option<String> {
    let mut out = String::with_capacity(expression.len() + 8);
    let mut rest = expression;
    // Whether a quantifier may follow.
    let mut is_atom = false;
    // For each open group, whether it is an assertion.
    let mut groups = Vec::new();
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\\' => is_atom = escape(&mut out, &mut rest)?,
            '[' => {
                class(&mut out, &mut rest)?;
                is_atom = true;
            }
            '(' => {
                let opening =
                    ["?:", "?=", "?!", "?<=", "?<!", ""].into_iter().find(|it| rest.starts_with(it))?;
                if opening.is_empty() && rest.starts_with('?') {
                    return None;
                }
                rest = &rest[opening.len()..];
                out.push('(');
                out.push_str(opening);
                groups.push(opening.len() > 1 && opening != "?:");
                is_atom = false;
            }
            ')' => {
                is_atom = !groups.pop()?;
                out.push(')');
            }
            '*' | '+' | '?' | '{' => {
                let quantifier = if c == '{' { counted(&mut rest)? } else { c.to_string() };
                if !is_atom {
                    return None;
                }
                out.push_str(&quantifier);
                if let Some(after) = rest.strip_prefix('?') {
                    out.push('?');
                    rest = after;
                }
                // What follows is possessive, or no expression at all.
                is_atom = false;
            }
            '^' => {
                out.push('^');
                is_atom = false;
            }
            // Elsewhere Java lets a line end follow.
            '$' if is_whole && rest.is_empty() => out.push('$'),
            '$' => return None,
            '|' => {
                out.push('|');
                is_atom = false;
            }
            '.' => {
                out.push_str(r"[^\n\r\u0085\u2028\u2029]");
                is_atom = true;
            }
            other => {
                literal(&mut out, other);
                is_atom = true;
            }
        }
    }
    groups.is_empty().then(|| if is_whole { format!("^(?:{out})$") } else { out })
}

/// Reads what follows a backslash; returns whether a quantifier may follow.
fn escape(out: &mut String, rest: &mut &str) -> Option<bool> {
    let c = rest.chars().next()?;
    match c {
        'Q' => {
            let (text, after) = rest[1..].split_once("\\E").unwrap_or((&rest[1..], ""));
            text.chars().for_each(|c| literal(out, c));
            *rest = after;
            return Some(!text.is_empty());
        }
        'A' => out.push('^'),
        'z' => out.push('$'),
        'S' => out.push_str(r"[^ \t\n\u000b\f\r]"),
        's' => out.push_str(r"[ \t\n\u000b\f\r]"),
        'd' | 'D' | 'w' | 'W' => {
            out.push('\\');
            out.push(c);
        }
        _ => {
            let c = character(rest)?;
            literal(out, c);
            return Some(true);
        }
    }
    *rest = &rest[1..];
    Some(!matches!(c, 'A' | 'z'))
}

/// Reads an escape that stands for one character.
fn character(rest: &mut &str) -> Option<char> {
    let c = rest.chars().next()?;
    let (digits, is) = match c {
        't' => (0, '\t'),
        'n' => (0, '\n'),
        'r' => (0, '\r'),
        'f' => (0, '\u{c}'),
        'x' => (2, c),
        'u' => (4, c),
        // Of letters and digits Java makes more than a character.
        c if c.is_alphanumeric() => return None,
        c => (0, c),
    };
    let after = &rest[c.len_utf8()..];
    if digits == 0 {
        *rest = after;
        return Some(is);
    }
    let (code, after) = after.split_at_checked(digits)?;
    *rest = after;
    code.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(())?;
    char::from_u32(u32::from_str_radix(code, 16).ok()?)
}

fn literal(out: &mut String, c: char) {
    if SYNTAX.contains(c) {
        out.push('\\');
        out.push(c);
    } else {
        plain(out, c);
    }
}

/// A character as it is, but for those that nobody can see.
fn plain(out: &mut String, c: char) {
    let code = u32::from(c);
    if c.is_control() || code == 0x2028 || code == 0x2029 {
        // A string takes all that it is given.
        let _ = write!(out, "\\u{code:04x}");
    } else {
        out.push(c);
    }
}

/// Reads `n}`, `n,}` or `n,m}`.
fn counted(rest: &mut &str) -> Option<String> {
    let (inside, after) = rest.split_once('}')?;
    let (least, most) = inside.split_once(',').unwrap_or((inside, inside));
    let number = |digits: &str| {
        let is_number =
            !digits.is_empty() && digits.len() < 5 && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse::<u32>().ok()).flatten()
    };
    let least = number(least)?;
    if !most.is_empty() && number(most)? < least || inside.is_empty() {
        return None;
    }
    *rest = after;
    Some(format!("{{{inside}}}"))
}

/// Reads a class up to its end: single characters, ranges and `\d`, `\w`, `\s`. Java has classes in classes and
/// intersections besides.
fn class(out: &mut String, rest: &mut &str) -> Option<()> {
    out.push('[');
    if let Some(after) = rest.strip_prefix('^') {
        out.push('^');
        *rest = after;
    }
    let mut is_first = true;
    // The start of a range, if one may begin here.
    let mut last: Option<char> = None;
    loop {
        let c = rest.chars().next()?;
        let after = &rest[c.len_utf8()..];
        match c {
            ']' if is_first => return None,
            ']' => {
                *rest = after;
                out.push(']');
                return Some(());
            }
            '[' => return None,
            // Set operations, in one dialect or another.
            '&' | '~' if after.starts_with(c) => return None,
            '-' if is_first || after.starts_with(']') => {
                *rest = after;
                out.push_str("\\-");
                last = None;
            }
            '-' => {
                // After a range or a class escape it means one thing here and another there.
                let start = last.take()?;
                *rest = after;
                let end = member(rest)?;
                if end < start {
                    return None;
                }
                out.push('-');
                escaped(out, end);
            }
            '\\' if after.starts_with(['d', 'w', 's', 'D', 'W']) => {
                let kind = after.chars().next()?;
                *rest = &after[1..];
                if kind == 's' {
                    out.push_str(r" \t\n\u000b\f\r");
                } else {
                    out.extend(['\\', kind]);
                }
                last = None;
            }
            _ => {
                let c = member(rest)?;
                escaped(out, c);
                last = Some(c);
            }
        }
        is_first = false;
    }
}

/// Reads a single character of a class.
fn member(rest: &mut &str) -> Option<char> {
    let c = rest.chars().next()?;
    match c {
        '\\' => {
            *rest = &rest[1..];
            character(rest)
        }
        '[' | ']' | '-' => None,
        c => {
            *rest = &rest[c.len_utf8()..];
            Some(c)
        }
    }
}

fn escaped(out: &mut String, c: char) {
    if SYNTAX.contains(c) || c == '-' {
        out.push('\\');
        out.push(c);
    } else {
        plain(out, c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_with_one_meaning_are_translated() {
        for (java, ecma) in [
            (r"([0-9]{1,9})(\.[0-9]{1,2})?", r"^(?:([0-9]{1,9})(\.[0-9]{1,2})?)$"),
            (r"^a$", r"^(?:^a$)$"),
            (r"\w+@\d*?", r"^(?:\w+@\d*?)$"),
            (r"\s\S", r"^(?:[ \t\n\u000b\f\r][^ \t\n\u000b\f\r])$"),
            (r"a.b", r"^(?:a[^\n\r\u0085\u2028\u2029]b)$"),
            (r"\Qa.b\E+", r"^(?:a\.b+)$"),
            (r"\Qa.b", r"^(?:a\.b)$"),
            (r"\-\#\x2e\u4e00\/", r"^(?:-#\.一\/)$"),
            (r"[\w.-]", r"^(?:[\w\.\-])$"),
            (r"[-a^&]", r"^(?:[\-a\^&])$"),
            (r"[^\x04-\x80]", r"^(?:[^\u0004-\u0080])$"),
            (r"[\s\d]", r"^(?:[ \t\n\u000b\f\r\d])$"),
            ("a}]", r"^(?:a\}\])$"),
            (r"\Aa\z", r"^(?:^a$)$"),
            ("(?<=a)b|(?!c)d{2,}", "^(?:(?<=a)b|(?!c)d{2,})$"),
        ] {
            assert_eq!(translate(java, true).as_deref(), Some(ecma), "{java}");
        }
        assert_eq!(translate(r"\d{5}", false).as_deref(), Some(r"\d{5}"));
    }

    #[test]
    fn others_are_not() {
        for java in [
            "a++", "a*+", "a?+", "a{2}+", "a{2}{3}", "*", "a|*", "(?=a)*", "^*", r"(a)\1", r"\p{L}", r"\bA",
            "(?i)a", "(?>a)", "(?<n>a)", "[a[b]]", "[a&&b]", "[a~~b]", "[]a]", "[a", "[a-c-e]", r"[\w-a]",
            "[c-a]", r"[\S]", r"\Z", "a$b", r"\0", r"\ud83d", r"\x{41}", "a{,2}", "a{2,1}", "a{x}", "(a",
            "a)", r"\", r"[\", r"\h", r"\v", r"\R",
        ] {
            assert_eq!(translate(java, true), None, "{java}");
        }
        assert_eq!(translate("a$", false), None, "a line end may follow");
    }
}
