//! `xtask lines`: the production lines of each package. Tests, comments and blank lines are none.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::Path,
};

use anyhow::{Context as _, Result};
use proc_macro2::{Span, TokenTree};

use crate::source;

/// Writes a line for each package, and their sum.
///
/// # Errors
/// As [`source::crates`].
pub(crate) fn table(root: &Path) -> Result<String> {
    let mut packages: BTreeMap<String, usize> = BTreeMap::new();
    // A build script may share files with its library.
    let mut counted = BTreeSet::new();
    for source in source::crates(root)? {
        let mut files: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
        for module in source.modules.iter().filter(|module| !counted.contains(&module.file)) {
            let lines = files.entry(&module.file).or_default();
            let mut add = |span: Span| lines.extend(span.start().line..=span.end().line);
            source::visit(&module.code, true, &mut |token| match token {
                TokenTree::Group(group) => {
                    add(group.span_open());
                    add(group.span_close());
                }
                other => add(other.span()),
            });
        }
        for (file, lines) in files {
            let text = fs::read_to_string(root.join(file)).with_context(|| file.to_owned())?;
            let texts: Vec<&str> = text.lines().collect();
            // A text may go on over blank lines.
            let count =
                lines.iter().filter(|line| texts.get(**line - 1).is_some_and(|text| !text.trim().is_empty()));
            *packages.entry(source.package.clone()).or_default() += count.count();
            counted.insert(file.to_owned());
        }
    }
    let mut out = String::new();
    for (package, count) in &packages {
        let _ = writeln!(out, "{count:>7}  {package}");
    }
    let _ = writeln!(out, "{:>7}  production lines", packages.values().sum::<usize>());
    Ok(out)
}
