//! What the workspace's own sources must look like, checked over tokens and `use` declarations.
//!
//! A finding may be excused in [`EXCEPTIONS`] while the code is being changed. An exception without a
//! finding is an error, too, so that the list only gets shorter.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::{Context as _, Result, bail};
use proc_macro2::TokenTree;
use sesame_catalog::Catalog;

use crate::{
    imports::Imports,
    source::{self, SourceCrate},
};

/// The most lines of a file, with its comments and tests.
const MOST_LINES: usize = 500;

/// Packages that know no platform by name.
const GENERIC: [&str; 2] = ["crates/cli", "crates/client"];

/// What is not as it should be yet: rule, start of the findings, reason.
const EXCEPTIONS: &[(Rule, &str, &str)] = &[(Rule::Long, "crates/vault/tests/", "to be split by subject")];

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Files import each other in a cycle, and are not parent and child.
    Cycle,
    /// A file is longer than [`MOST_LINES`].
    Long,
    /// A platform's name stands outside tests, documentation and help.
    PlatformName,
    /// A type name is used twice in a crate.
    TypeName,
}

impl Rule {
    const ALL: [Self; 4] = [Self::Cycle, Self::Long, Self::PlatformName, Self::TypeName];

    fn find(self, root: &Path, crates: &[SourceCrate]) -> Result<BTreeSet<String>> {
        match self {
            Self::Cycle => Ok(cycles(crates)),
            Self::Long => long_files(root),
            Self::PlatformName => Ok(platform_names(crates)),
            Self::TypeName => Ok(type_names(crates)),
        }
    }
}

/// Prints all findings, the excused ones too.
///
/// # Errors
/// Findings without an exception, and exceptions without a finding.
pub(crate) fn check(root: &Path) -> Result<()> {
    let crates = source::crates(root)?;
    let mut wrong = Vec::new();
    for rule in Rule::ALL {
        let findings = rule.find(root, &crates)?;
        for finding in &findings {
            crate::say(&format!("{rule:?}: {finding}"));
        }
        wrong.extend(judge(rule, &findings, EXCEPTIONS));
    }
    if wrong.is_empty() { Ok(()) } else { bail!("{}", wrong.join("\n")) }
}

/// Returns a line for each finding without an exception, and for each exception without a finding.
fn judge(rule: Rule, findings: &BTreeSet<String>, exceptions: &[(Rule, &str, &str)]) -> Vec<String> {
    let excused: Vec<&str> =
        exceptions.iter().filter(|(of, ..)| *of == rule).map(|(_, start, _)| *start).collect();
    let new = findings.iter().filter(|finding| !excused.iter().any(|start| finding.starts_with(start)));
    let done = excused.iter().filter(|start| !findings.iter().any(|finding| finding.starts_with(*start)));
    new.map(|finding| format!("{rule:?}: {finding}"))
        .chain(
            done.map(|start| format!("{rule:?}: {start:?} is no longer needed in EXCEPTIONS: take it out")),
        )
        .collect()
}

fn cycles(crates: &[SourceCrate]) -> BTreeSet<String> {
    let mut findings = BTreeSet::new();
    for source in crates.iter().filter(|source| source.root != "build.rs") {
        for cycle in Imports::of(source).cycles() {
            for file in &cycle {
                let others: Vec<&str> =
                    cycle.iter().filter(|other| *other != file).map(String::as_str).collect();
                let shown = others.iter().take(3).map(|other| other.rsplit("/src/").next().unwrap_or(other));
                let more =
                    if others.len() > 3 { format!(" and {} more", others.len() - 3) } else { String::new() };
                findings.insert(format!("{file} with {}{more}", shown.collect::<Vec<_>>().join(", ")));
            }
        }
    }
    findings
}

fn long_files(root: &Path) -> Result<BTreeSet<String>> {
    fn look(folder: &Path, root: &Path, findings: &mut BTreeSet<String>) -> Result<()> {
        for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                look(&path, root, findings)?;
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let lines = fs::read_to_string(&path)?.lines().count();
                if lines > MOST_LINES {
                    let shown = path.strip_prefix(root).unwrap_or(&path).display();
                    findings.insert(format!("{shown}: {lines} lines, at most {MOST_LINES}"));
                }
            }
        }
        Ok(())
    }
    let mut findings = BTreeSet::new();
    for folder in ["benches", "crates", "examples", "fuzz", "xtask"] {
        look(&root.join(folder), root, &mut findings)?;
    }
    Ok(findings)
}

fn platform_names(crates: &[SourceCrate]) -> BTreeSet<String> {
    let catalog = Catalog::builtin();
    let names: Vec<String> =
        catalog.platforms().iter().map(|platform| platform.name.replace('-', "_")).collect();
    let mut findings = BTreeSet::new();
    for source in crates.iter().filter(|source| GENERIC.contains(&source.package.as_str())) {
        for module in &source.modules {
            // Documentation and help are attributes.
            source::visit(&module.code, false, &mut |token| {
                if !matches!(token, TokenTree::Ident(_) | TokenTree::Literal(_)) {
                    return;
                }
                let text = token.to_string();
                let plain = text.to_lowercase().replace('-', "_");
                if names.iter().any(|name| plain.contains(name.as_str())) {
                    let start: String = text.chars().take(60).collect();
                    findings.insert(format!("{}:{}: {start}", module.file, token.span().start().line));
                }
            });
        }
    }
    findings
}

fn type_names(crates: &[SourceCrate]) -> BTreeSet<String> {
    let mut findings = BTreeSet::new();
    for source in crates.iter().filter(|source| source.root != "build.rs") {
        let mut files: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for module in &source.modules {
            for words in module.code.windows(2) {
                if let [TokenTree::Ident(keyword), TokenTree::Ident(name)] = words
                    && ["struct", "enum", "union", "trait", "type"].iter().any(|word| keyword == word)
                {
                    files.entry(name.to_string()).or_default().push(&module.file);
                }
            }
        }
        for (name, files) in files.iter().filter(|(_, files)| files.len() > 1) {
            findings.insert(format!("{}: {name} in {}", source.package, files.join(", ")));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sources_keep_the_rules() {
        check(&crate::root().unwrap()).unwrap();
    }

    #[test]
    fn an_exception_that_is_not_needed_is_an_error() {
        let findings = BTreeSet::from(["crates/a/src/x.rs with y.rs".to_owned()]);
        assert!(judge(Rule::Cycle, &findings, &[(Rule::Cycle, "crates/a/src/x.rs", "why")]).is_empty());
        assert_eq!(judge(Rule::Cycle, &findings, &[]).len(), 1);
        assert_eq!(judge(Rule::Cycle, &BTreeSet::new(), &[(Rule::Cycle, "crates/a/", "why")]).len(), 1);
        assert!(judge(Rule::Cycle, &BTreeSet::new(), &[(Rule::Long, "crates/a/", "why")]).is_empty());
    }
}
