//! "Did you mean": the nearest of a few names.

/// Returns the name that needs the fewest changes, if they are few.
pub(crate) fn nearest<'a>(wanted: &str, names: &[&'a str]) -> Option<&'a str> {
    let wanted: Vec<char> = wanted.to_lowercase().chars().take(64).collect();
    if wanted.is_empty() {
        return None;
    }
    let limit = (wanted.len() / 3).clamp(1, 4);
    names
        .iter()
        .map(|name| (distance(&wanted, &name.to_lowercase().chars().collect::<Vec<char>>()), *name))
        .filter(|(changes, _)| *changes <= limit)
        .min_by_key(|(changes, _)| *changes)
        .map(|(_, name)| name)
}

/// Counts insertions, deletions and replacements (Levenshtein), one row at a time.
fn distance(left: &[char], right: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let replace = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}
