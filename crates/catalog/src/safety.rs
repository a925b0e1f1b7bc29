//! Which APIs change nothing, judged by their names where the data does not say.
//!
//! The build script reads this file too, so nothing here may use other modules or `sesame_core`.

/// Words that end the name of an API that only reads.
const READS: [&str; 4] = ["get", "query", "list", "search"];

/// Words that start the last part of such a name in camel case: `getOrderList`, `findProduct`.
const READING_VERBS: [&str; 5] = ["find", "get", "query", "list", "search"];

/// Words that take back what a reading word says: `getAndLock`, `queryAndConfirm`, `get.token`.
const CHANGES: [&str; 22] = [
    "add", "and", "apply", "cancel", "clear", "close", "confirm", "consume", "create", "delete", "extend",
    "generate", "lock", "mark", "pay", "pull", "refresh", "reset", "send", "set", "token", "update",
];

/// Returns `true` if a name says that the API only reads.
///
/// The last segment has to be one of `get`, `query`, `list`, `search`, or several words of which
/// the first is such a verb or `find`. Everything else counts as a write, which is only ever too
/// careful.
pub(crate) fn reads(name: &str) -> bool {
    let mut segments = name.trim_matches('/').rsplit(['.', '/', ':']);
    let mut last = segments.next().unwrap_or_default();
    // A version at the end says nothing: `/alibaba/icbu/product/get/v2`.
    if is_version(last) {
        last = segments.next().unwrap_or_default();
    }
    let words = words(last);
    if words.iter().any(|word| CHANGES.contains(&word.as_str())) {
        return false;
    }
    match words.as_slice() {
        [] => false,
        [only] => READS.contains(&only.as_str()),
        [first, ..] => READING_VERBS.contains(&first.as_str()),
    }
}

fn is_version(text: &str) -> bool {
    text.strip_prefix(['v', 'V'])
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Splits camel case and snake case: `findOrderListQuery` becomes `find order list query`.
fn words(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut new = true;
    for c in text.chars() {
        if matches!(c, '_' | '-') {
            new = true;
            continue;
        }
        match out.last_mut() {
            Some(word) if !new && !c.is_ascii_uppercase() => word.push(c),
            _ => out.push(c.to_ascii_lowercase().to_string()),
        }
        new = false;
    }
    out
}
