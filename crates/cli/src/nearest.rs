//! "Did you mean": the known name nearest to a mistyped one.

/// Returns the name nearest to `wanted`, if one is near enough to be what was meant.
pub(crate) fn nearest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = wanted.to_lowercase();
    let reach = (wanted.chars().count() / 3).max(1);
    names
        .into_iter()
        .filter_map(|name| {
            let lower = name.to_lowercase();
            let distance = strsim::damerau_levenshtein(&wanted, &lower);
            // A beginning counts as near: "ali" for "alibaba".
            let begins = wanted.chars().count() >= 3 && lower.starts_with(&wanted);
            (distance <= reach || begins).then_some((distance, name))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Says which names there are, the nearest first.
pub(crate) fn did_you_mean<'a>(wanted: &str, names: &[&'a str]) -> Option<String> {
    nearest(wanted, names.iter().copied()).map(|name: &'a str| format!("Did you mean {name:?}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_mistakes_are_near_and_other_words_are_not() {
        let names = ["alibaba", "aliexpress", "1688", "lazada"];
        assert_eq!(nearest("alibab", names), Some("alibaba"));
        assert_eq!(nearest("Lazda", names), Some("lazada"));
        assert_eq!(nearest("alie", names), Some("aliexpress"));
        assert_eq!(nearest("shopee", names), None);
        assert_eq!(nearest("", names), None);
        assert_eq!(did_you_mean("1689", &names).as_deref(), Some("Did you mean \"1688\"?"));
    }
}
