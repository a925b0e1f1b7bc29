//! Tags: words that people put on accounts, to find them by.

use std::collections::BTreeSet;

use sesame_core::{Error, Result};

/// Maximum number of tags of one account.
const MOST: usize = 32;
/// The longest tag, in characters.
const LONGEST: usize = 50;

/// Adds tags to a list and takes others off.
pub(crate) fn changed(had: &[String], add: &[String], remove: &[String]) -> Result<Vec<String>> {
    add.iter().chain(remove).try_for_each(|tag| check(tag))?;
    if let Some(both) = add.iter().find(|tag| remove.contains(tag)) {
        return Err(Error::usage(format!("the tag {both:?} is both added and taken off")));
    }
    let mut tags: BTreeSet<&String> = had.iter().collect();
    tags.extend(add);
    tags.retain(|tag| !remove.contains(tag));
    if tags.len() > MOST {
        return Err(Error::usage(format!(
            "an account has at most {MOST} tags; these would be {}",
            tags.len()
        ))
        .with_hint("Remove some first."));
    }
    Ok(tags.into_iter().cloned().collect())
}

fn check(tag: &str) -> Result<()> {
    let length = tag.chars().count();
    let wrong = if length == 0 {
        "is empty".to_owned()
    } else if length > LONGEST {
        format!("has {length} characters, and {LONGEST} are the most")
    } else if !tag.starts_with(char::is_alphanumeric) {
        format!("{tag:?} does not begin with a letter or a digit")
    } else if let Some(bad) = tag.chars().find(|c| !c.is_alphanumeric() && !"-_.:/".contains(*c)) {
        format!("{tag:?} holds {bad:?}")
    } else {
        return Ok(());
    };
    Err(Error::usage(format!("a tag {wrong}"))
        .with_hint("Tags have letters, digits and -_.:/ such as eu, team:berlin or 2026/q4."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(tags: &[&str]) -> Vec<String> {
        tags.iter().map(|tag| (*tag).to_owned()).collect()
    }

    #[test]
    fn tags_are_sorted_and_none_stands_twice() {
        let had = list(&["eu", "vip"]);
        let tags = changed(&had, &list(&["team:berlin", "eu", "商店"]), &list(&["vip", "nobody"])).unwrap();
        assert_eq!(tags, list(&["eu", "team:berlin", "商店"]));
        assert_eq!(changed(&had, &[], &[]).unwrap(), had);
        assert!(changed(&had, &list(&["a"]), &list(&["a"])).is_err());
    }

    #[test]
    fn what_cannot_be_a_tag_is_refused() {
        for tag in ["", "+a", "-a", "a b", "a,b", "a\u{1b}[31m", ".a", &"x".repeat(51)] {
            assert!(changed(&[], &list(&[tag]), &[]).is_err(), "{tag:?}");
        }
        assert!(changed(&[], &list(&[&"x".repeat(50)]), &[]).is_ok());
        let many: Vec<String> = (0..33).map(|number| format!("t{number:02}")).collect();
        assert!(changed(&[], &many, &[]).is_err());
        assert!(changed(&[], &many[..32], &[]).is_ok());
        assert_eq!(changed(&many[..32], &many[32..], &many[..1]).unwrap(), many[1..]);
    }
}
