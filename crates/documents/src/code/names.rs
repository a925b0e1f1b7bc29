//! Names that a language takes.

use std::collections::HashSet;

/// Names that were given.
#[derive(Debug, Default)]
pub(super) struct Names(HashSet<String>);

impl Names {
    /// Returns a name that was not given yet: it, or it with a number.
    pub(super) fn unique(&mut self, name: &str) -> String {
        let mut out = name.to_owned();
        let mut nth = 1;
        while !self.0.insert(out.clone()) {
            nth += 1;
            out = format!("{name}{nth}");
        }
        out
    }
}

/// The words of a name: parts between other characters than letters and digits, and of `camelCase`.
fn words(name: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut before = ' ';
    for c in name.chars() {
        if !c.is_ascii_alphanumeric() {
            before = ' ';
            continue;
        }
        let begins = before == ' ' || (c.is_ascii_uppercase() && !before.is_ascii_uppercase());
        match out.last_mut().filter(|_| !begins) {
            Some(word) => word.push(c.to_ascii_lowercase()),
            None => out.push(c.to_ascii_lowercase().to_string()),
        }
        before = c;
    }
    out
}

/// `OrderItemsGet` of `/order/items/get`.
pub(super) fn pascal(name: &str) -> String {
    let mut out = String::new();
    for word in words(name) {
        let mut letters = word.chars();
        out.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        out.push_str(letters.as_str());
    }
    match out.chars().next() {
        Some(first) if first.is_ascii_alphabetic() => out,
        _ => format!("Type{out}"),
    }
}

/// `order_id` of `orderId`; never empty, and never begins with a digit.
pub(super) fn snake(name: &str) -> String {
    let out = words(name).join("_");
    match out.chars().next() {
        Some(first) if first.is_ascii_digit() => format!("_{out}"),
        Some(_) => out,
        None => "field".to_owned(),
    }
}
