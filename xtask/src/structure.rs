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
const GENERIC: [&str; 3] = ["crates/cli", "crates/client", "crates/shop"];

/// The section of ARCHITECTURE.md that lists rooms, and the package whose rooms they are.
const ROOMS: (&str, &str) = ("## Inside the vault", "crates/vault");

/// What is not as it should be yet: rule, start of the findings, reason.
const EXCEPTIONS: &[(Rule, &str, &str)] = &[];

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Files import each other in a cycle, and are not parent and child.
    Cycle,
    /// A file is longer than [`MOST_LINES`].
    Long,
    /// A platform's name stands outside tests, documentation and help.
    PlatformName,
    /// A file uses a room that ARCHITECTURE.md does not put below its own.
    Room,
    /// A type name is used twice in a crate.
    TypeName,
}

impl Rule {
    const ALL: [Self; 5] = [Self::Cycle, Self::Long, Self::PlatformName, Self::Room, Self::TypeName];

    fn find(self, root: &Path, crates: &[SourceCrate]) -> Result<BTreeSet<String>> {
        match self {
            Self::Cycle => Ok(cycles(crates)),
            Self::Long => long_files(root),
            Self::PlatformName => Ok(platform_names(crates)),
            Self::Room => rooms(&fs::read_to_string(root.join("ARCHITECTURE.md"))?, crates),
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

/// Compares the imports of the package in [`ROOMS`] with the rooms that a document lists, from top to
/// bottom. Rooms on one line do not use each other.
fn rooms(document: &str, crates: &[SourceCrate]) -> Result<BTreeSet<String>> {
    let (heading, package) = ROOMS;
    let (_, section) = document.split_once(heading).with_context(|| format!("no section {heading:?}"))?;
    let listed = section.split("```").nth(1).with_context(|| format!("no list below {heading:?}"))?;
    // A room is a file, or a folder and the file beside it; what it holds is told after two spaces.
    let mut levels: Vec<(usize, &str)> = Vec::new();
    for (level, line) in listed.lines().enumerate() {
        let names = line.split([' ', ',']);
        let rooms = names.filter_map(|name| name.strip_suffix('/').or_else(|| name.strip_suffix(".rs")));
        levels.extend(rooms.map(|room| (level, room)));
    }
    let start = format!("{package}/src/");
    let room_of = |file: &str| {
        let path = file.strip_prefix(&start).unwrap_or(file);
        let inside = |room: &str| path.strip_prefix(room).is_some_and(|rest| rest.starts_with(['/', '.']));
        // The longest name counts: a file of a folder may be a room of its own.
        levels.iter().filter(|(_, room)| inside(room)).max_by_key(|(_, room)| room.len()).copied()
    };
    let mut findings = BTreeSet::new();
    let source = crates.iter().find(|source| source.package == package && source.root != "build.rs");
    let source = source.with_context(|| format!("no package {package}"))?;
    for module in source.modules.iter().filter(|module| !module.path.is_empty()) {
        if room_of(&module.file).is_none() {
            findings.insert(format!("{} is in no room", module.file));
        }
    }
    for (file, used) in Imports::of(source).files() {
        for other in used {
            if let (Some(one), Some(below)) = (room_of(file), room_of(other))
                && one != below
                && one.0 >= below.0
            {
                findings.insert(format!("{file} uses {other}"));
            }
        }
    }
    Ok(findings)
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
    use std::str::FromStr as _;

    use proc_macro2::TokenStream;

    use super::*;
    use crate::source::Module;

    #[test]
    fn the_sources_keep_the_rules() {
        check(&crate::root().unwrap()).unwrap();
    }

    #[test]
    fn a_room_uses_those_below_it() {
        let module = |name: &str, code: &str| Module {
            path: vec![name.to_owned()],
            file: format!("crates/vault/src/{name}.rs"),
            code: TokenStream::from_str(code).unwrap().into_iter().collect(),
            inline: false,
        };
        let source = SourceCrate {
            package: ROOMS.1.to_owned(),
            root: "src/lib.rs".to_owned(),
            modules: vec![
                module("high", "use crate::low::Low; pub struct High;"),
                module("beside", "use crate::high::High;"),
                module("low", "fn f() -> crate::high::High {} pub struct Low;"),
                module("new", ""),
            ],
        };
        let document = format!("{}\n```\nhigh.rs, beside.rs  text\nlow/\n```\n", ROOMS.0);
        let findings = rooms(&document, &[source]).unwrap();
        let expected = [
            "beside.rs uses crates/vault/src/high.rs",
            "low.rs uses crates/vault/src/high.rs",
            "new.rs is in no room",
        ];
        assert_eq!(findings, expected.map(|rest| format!("crates/vault/src/{rest}")).into());
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
