//! Names that people give to apps and accounts.

use std::collections::{HashMap, HashSet};

use sesame_core::{Error, Result, nearest::nearest};

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
    } else if name.chars().any(is_invisible) {
        "holds control characters or other characters that cannot be seen"
    } else {
        return Ok(());
    };
    Err(Error::usage(format!("the name of the {what} {wrong}"))
        .with_hint("Take a short name that is easy to type, such as my-shop."))
}

/// Returns `true` for characters that cannot be seen, and that change how others are shown: controls,
/// marks of direction, zero-width characters, tags.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Makes a name of what a platform calls a shop.
pub(crate) fn from_platform(text: &str) -> Option<String> {
    let name: String = text.trim().chars().filter(|c| !is_invisible(*c)).take(60).collect();
    let name = name.trim().trim_start_matches('-').to_owned();
    (!name.is_empty()).then_some(name)
}

/// Finds the first of `base`, `base-2`, `base-3`, ... that is not taken.
pub(crate) fn first_free(base: &str, taken: impl Fn(&str) -> bool) -> String {
    if !taken(base) {
        return base.to_owned();
    }
    // After a million tries the name is refused as taken.
    let numbered = |number: u32| format!("{base}-{number}");
    (2..1_000_000).map(numbered).find(|name| !taken(name)).unwrap_or_else(|| base.to_owned())
}

/// The names that are taken, where many new ones are chosen at once.
#[derive(Default)]
pub(crate) struct Names {
    taken: HashSet<String>,
    /// The number that was last put to a name: to try all of them anew for each of 100,000 apps takes
    /// minutes.
    numbers: HashMap<String, u32>,
}

impl Names {
    /// Marks a name as taken.
    pub(crate) fn add(&mut self, name: &str) {
        self.taken.insert(name.to_owned());
    }

    /// Takes the first of `base`, `base-2`, `base-3`, ... that is free.
    pub(crate) fn take_free(&mut self, base: &str) -> String {
        if self.taken.insert(base.to_owned()) {
            return base.to_owned();
        }
        let number = self.numbers.entry(base.to_owned()).or_insert(1);
        loop {
            *number = number.saturating_add(1);
            let name = format!("{base}-{number}");
            if self.taken.insert(name.clone()) || *number == u32::MAX {
                return name;
            }
        }
    }
}

/// Says which name was meant, if one is near, and which there are: at most ten, by the alphabet.
pub(crate) fn known(asked: &str, mut names: Vec<String>) -> String {
    let near = nearest(asked, names.iter().map(String::as_str));
    let meant = near.map(|near| format!("Did you mean {near}? ")).unwrap_or_default();
    names.sort_unstable();
    let more = names.len().saturating_sub(10);
    names.truncate(10);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{meant}There are: {}{more}.", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_names_that_a_shell_or_a_table_would_choke_on() {
        for name in ["", "-x", " a", "a\n", "a\u{202e}b", "a\u{200b}", &"x".repeat(101)] {
            assert!(check("app", name).is_err(), "{name:?}");
        }
        assert!(check("app", "商店 1").is_ok());
    }

    #[test]
    fn names_of_platforms_are_short_and_can_be_seen() {
        assert_eq!(from_platform(" -a\u{202e}\u{1b}[2Jb\u{200b}\n").as_deref(), Some("a[2Jb"));
        assert_eq!(from_platform("\u{2066}\u{feff}"), None);
        assert_eq!(from_platform(&"商".repeat(5_000)).unwrap().chars().count(), 60);
    }

    /// Tried one by one from the first for each, this would take minutes.
    #[test]
    fn free_names_are_found_among_many() {
        let mut names = Names::default();
        names.add("shop-3");
        assert_eq!([(); 3].map(|()| names.take_free("shop")), ["shop", "shop-2", "shop-4"]);
        for _ in 0..50_000 {
            names.take_free("shop");
        }
        assert_eq!(names.take_free("shop"), "shop-50005");
        assert_eq!(names.take_free("other"), "other");
    }

    #[test]
    fn finds_a_free_name_and_the_nearest_known_one() {
        assert_eq!(first_free("lazada", |name| name == "lazada" || name == "lazada-2"), "lazada-3");
        let names = || vec!["zzz".to_owned(), "shop-b".to_owned()];
        assert_eq!(known("shop-a", names()), "Did you mean shop-b? There are: shop-b, zzz.");
        assert_eq!(known("elsewhere", names()), "There are: shop-b, zzz.");
    }
}
