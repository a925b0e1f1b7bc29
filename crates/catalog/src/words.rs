//! The words an API is found by.
//!
//! The build script reads this file too, so nothing here may use other modules than `record`, nor `sesame_core`.

use super::record::{Param, Record};

/// Returns what a search looks through for one API: a line of five fields, separated by tabs: names,
/// titles, group, descriptions, parameters. Each holds words in lower case with a space on either side.
///
/// `title` is that of the record, or one that was made of its name.
pub(crate) fn document(record: &Record, title: &str) -> String {
    let mut line = String::from(" ");
    push_words(&mut line, &record.name);
    record.aliases.iter().for_each(|alias| push_words(&mut line, alias));
    line.push_str("\t ");
    push_words(&mut line, title);
    push_words(&mut line, record.title_zh.as_deref().unwrap_or_default());
    line.push_str("\t ");
    push_words(&mut line, record.namespace.as_deref().unwrap_or_default());
    push_words(&mut line, record.group.as_deref().unwrap_or_default());
    line.push_str("\t ");
    push_words(&mut line, record.about.as_deref().unwrap_or_default());
    push_words(&mut line, record.about_zh.as_deref().unwrap_or_default());
    line.push_str("\t ");
    record.params.iter().map(|param: &Param| &*param.name).for_each(|name| push_words(&mut line, name));
    line
}

/// The first groups of `search.toml` are words for what is done, the very first for reading.
pub(crate) const VERB_GROUPS: usize = 8;

/// Counts the things that the name and the title of a line of [`document`] speak of: their words without those that
/// say what is done, and those that say nothing.
pub(crate) fn things_of(line: &str, says_nothing: impl Fn(&str) -> bool) -> [u8; 2] {
    let mut fields = line.split('\t');
    [(); 2].map(|()| {
        let words = fields.next().unwrap_or_default().split(' ').filter(|word| !word.is_empty());
        let things = words.filter(|word| word.is_ascii() && !says_nothing(word)).count();
        u8::try_from(things).unwrap_or(u8::MAX)
    })
}

/// Appends the words of a text that its field does not hold yet, each with a space behind it.
fn push_words(line: &mut String, text: &str) {
    let field = line.rfind('\t').map_or(0, |tab| tab + 1);
    for word in split(text) {
        let known = line[field..].match_indices(&word).any(|(at, _)| {
            line[field..][..at].ends_with(' ') && line[field..][at + word.len()..].starts_with(' ')
        });
        if !known {
            line.push_str(&word);
            line.push(' ');
        }
    }
}

/// Splits text into words in lower case, also at changes of case: `getOrderList` becomes `get`, `order`, `list`.
/// A run of Chinese is one word.
pub(crate) fn split(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut last = ' ';
    for c in text.chars() {
        if c.is_alphanumeric() {
            let begins = !last.is_alphanumeric()
                || (c.is_uppercase() && last.is_lowercase())
                || is_chinese(c) != is_chinese(last);
            if begins {
                out.push(String::new());
            }
            if let Some(word) = out.last_mut() {
                word.extend(c.to_lowercase());
            }
        }
        last = c;
    }
    out
}

/// Returns `true` for Chinese characters.
pub(crate) fn is_chinese(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}
