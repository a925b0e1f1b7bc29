//! Names that people give to apps and accounts.

use sesame_core::{Error, Result};

/// The longest name, in characters.
pub(crate) const LONGEST: usize = 100;

/// Checks a name that a person chose.
pub(crate) fn check(what: &str, name: &str) -> Result<()> {
    let wrong = if name.is_empty() {
        "is empty"
    } else if name.chars().count() > LONGEST {
        "is longer than 100 characters"
    } else if name.starts_with('-') {
        "starts with a dash, which would read as an option"
    } else if name.trim() != name {
        "begins or ends with a space"
    } else if name.chars().any(char::is_control) {
        "holds control characters"
    } else {
        return Ok(());
    };
    Err(Error::usage(format!("the name of the {what} {wrong}"))
        .hint("Take a short name that is easy to type, such as my-shop."))
}

/// Makes a name of what a platform calls a shop.
pub(crate) fn from_platform(text: &str) -> Option<String> {
    let name: String = text.trim().chars().filter(|c| !c.is_control()).take(60).collect();
    let name = name.trim().trim_start_matches('-').to_owned();
    (!name.is_empty()).then_some(name)
}

/// Finds the first of `base`, `base-2`, `base-3`, ... that is not taken.
pub(crate) fn first_free(base: &str, taken: impl Fn(&str) -> bool) -> String {
    if !taken(base) {
        return base.to_owned();
    }
    // Nobody has a million accounts of one name; should it be so, the last is refused as taken.
    let numbered = |number: u32| format!("{base}-{number}");
    (2..1_000_000).map(numbered).find(|name| !taken(name)).unwrap_or_else(|| base.to_owned())
}

/// Says which names there are: at most ten of them, the nearest first.
pub(crate) fn known(asked: &str, mut names: Vec<String>) -> String {
    names.sort_by_key(|name| (distance(asked, name), name.clone()));
    let more = names.len().saturating_sub(10);
    names.truncate(10);
    let names = names.join(", ");
    if more > 0 { format!("{names} and {more} more") } else { names }
}

/// Counts the edits between two names (Levenshtein), over at most 100 characters each.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(LONGEST).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().take(LONGEST).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let change = diagonal + usize::from(!ca.eq_ignore_ascii_case(cb));
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_names_that_a_shell_or_a_table_would_choke_on() {
        for name in ["", "-x", " a", "a\n", &"x".repeat(101)] {
            assert!(check("app", name).is_err(), "{name:?}");
        }
        assert!(check("app", "商店 1").is_ok());
    }

    #[test]
    fn finds_a_free_name_and_the_nearest_known_one() {
        assert_eq!(first_free("lazada", |name| name == "lazada" || name == "lazada-2"), "lazada-3");
        assert_eq!(known("shop-a", vec!["zzz".into(), "shop-b".into()]), "shop-b, zzz");
    }
}
