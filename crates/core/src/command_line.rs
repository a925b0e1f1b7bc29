//! Words of command lines that are shown to people, who paste them into a shell.

/// Quotes a word for a POSIX shell where it needs it.
///
/// ```
/// use sesame_core::command_line::quote;
///
/// assert_eq!(quote("my-shop"), "my-shop");
/// assert_eq!(quote("a;reboot"), "'a;reboot'");
/// ```
pub fn quote(word: &str) -> String {
    let is_safe = |c: char| c.is_alphanumeric() || "-_./:=,@+%".contains(c);
    // Some shells replace a word that begins with `=` by the path of a command.
    if !word.is_empty() && !word.starts_with('=') && word.chars().all(is_safe) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// Puts values, quoted, in the place of words such as `APP` in the commands of a text: what stands in
/// backquotes and begins with `sesame`.
///
/// ```
/// use sesame_core::command_line::fill;
///
/// let advice = "Run `sesame login APP` for this APP.";
/// assert_eq!(fill(advice, &[("APP", "my erp")]), "Run `sesame login 'my erp'` for this APP.");
/// ```
pub fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let value = |word: &str| values.iter().find(|(name, _)| *name == word).map(|(_, value)| quote(value));
    let parts = text.split('`').enumerate().map(|(number, part)| {
        if number % 2 == 0 || !part.starts_with("sesame ") {
            return part.to_owned();
        }
        part.split(' ')
            .map(|word| value(word).unwrap_or_else(|| word.to_owned()))
            .collect::<Vec<_>>()
            .join(" ")
    });
    parts.collect::<Vec<_>>().join("`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_only_when_they_must_be() {
        assert_eq!(quote("a=1"), "a=1");
        assert_eq!(quote("a={\"b\":1}"), "'a={\"b\":1}'");
        assert_eq!(quote("it's"), "'it'\\''s'");
        assert_eq!(quote(""), "''");
        assert_eq!(quote("=ls"), "'=ls'");
        assert_eq!(quote("云上工艺品62"), "云上工艺品62");
    }

    #[cfg(unix)]
    #[test]
    fn a_shell_reads_quoted_words_as_they_were() {
        for word in ["a;touch /tmp/x;$(id)", "`id`", "it's \"b\" \\", "~", "*", "!x", "a\nb", "=ls", "#c"] {
            let line = format!("printf %s {}", quote(word));
            let shell = std::process::Command::new("/bin/sh").args(["-c", &line]).output().unwrap();
            assert_eq!(String::from_utf8(shell.stdout).unwrap(), word);
        }
    }
}
