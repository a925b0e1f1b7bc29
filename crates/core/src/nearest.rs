//! "Did you mean": the known name nearest to a mistyped one.

/// The longest beginning of a name that is compared, in characters.
const LONGEST: usize = 64;

/// Returns the name nearest to `wanted`; `None` if none is near enough to be what was meant.
///
/// Near is a name with few changes, at most a third of its characters and at most four, whatever the
/// case; or one that begins with three or more characters of `wanted`.
///
/// ```
/// use sesame_core::nearest::nearest;
///
/// let names = ["alibaba", "aliexpress", "1688", "lazada"];
/// assert_eq!(nearest("Lazda", names), Some("lazada"));
/// assert_eq!(nearest("alie", names), Some("aliexpress"));
/// assert_eq!(nearest("shopee", names), None);
/// ```
pub fn nearest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = fold(wanted);
    let length = wanted.chars().count();
    if length == 0 {
        return None;
    }
    let reach = (length / 3).clamp(1, 4);
    names
        .into_iter()
        .filter_map(|name| {
            let folded = fold(name);
            let changes = strsim::damerau_levenshtein(&wanted, &folded);
            (changes <= reach || (length >= 3 && folded.starts_with(&wanted))).then_some((changes, name))
        })
        .min_by_key(|(changes, _)| *changes)
        .map(|(_, name)| name)
}

/// Returns the number of changes between two names, whatever the case.
pub fn distance(one: &str, other: &str) -> usize {
    strsim::damerau_levenshtein(&fold(one), &fold(other))
}

fn fold(name: &str) -> String {
    name.to_lowercase().chars().take(LONGEST).collect()
}
