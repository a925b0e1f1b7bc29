//! The words of `sesame accounts tag`.

use sesame_core::Error;

use crate::exit::CliResult;

/// Tags to put on and to take off.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    pub(super) add: Vec<String>,
    pub(super) remove: Vec<String>,
}

pub(super) fn read_changes(words: &[String]) -> CliResult<Changes> {
    let mut changes = Changes::default();
    for word in words {
        match (word.strip_prefix('+'), word.strip_prefix('-')) {
            (Some(tag), _) => changes.add.push(tag.to_owned()),
            (None, Some(tag)) if !tag.starts_with('-') => changes.remove.push(tag.to_owned()),
            _ => {
                return Err(Error::usage(format!("{word:?} neither puts a tag on nor takes one off"))
                    .with_hint("Write +TAG to put one on, -TAG to take one off; options such as --output stand before the account's name.")
                    .into());
            }
        }
    }
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_tell_what_to_do_with_a_tag() {
        let read =
            |words: &[&str]| read_changes(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        let changes = read(&["+eu", "-old", "+a-b"]).unwrap();
        assert_eq!(changes, Changes { add: vec!["eu".into(), "a-b".into()], remove: vec!["old".into()] });
        for bad in ["eu", "--output", ""] {
            assert!(read(&[bad]).is_err(), "{bad}");
        }
    }
}
