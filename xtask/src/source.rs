//! Reads the workspace's own Rust: the modules of each crate with their production code, as tokens.
//!
//! Comments are not tokens, and what is compiled for tests alone is left out.

use std::{
    fs,
    path::{Path, PathBuf},
    str::FromStr as _,
};

use anyhow::{Context as _, Result, bail};
use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A crate: a library, a program or a build script.
pub(crate) struct SourceCrate {
    /// The folder of its package, from the root of the repository: `crates/core`.
    pub(crate) package: String,
    /// The file that it starts with: `src/lib.rs`.
    pub(crate) root: String,
    /// Its modules, the root first.
    pub(crate) modules: Vec<Module>,
}

/// A module that has a file of its own, or stands in that of another.
pub(crate) struct Module {
    /// The names on the way to it from the root, which has none.
    pub(crate) path: Vec<String>,
    /// Its file, from the root of the repository.
    pub(crate) file: String,
    /// Its production code, without modules that stand inside it.
    pub(crate) code: Vec<TokenTree>,
    /// Whether it stands in the file of its parent.
    pub(crate) inline: bool,
}

/// Reads all crates of the workspace.
///
/// # Errors
/// A file that cannot be read or is not Rust.
pub(crate) fn crates(root: &Path) -> Result<Vec<SourceCrate>> {
    let mut packages = vec!["benches".to_owned(), "xtask".to_owned()];
    for entry in fs::read_dir(root.join("crates")).context("crates")? {
        packages.push(format!("crates/{}", entry?.file_name().to_string_lossy()));
    }
    packages.sort();
    let mut found = Vec::new();
    for package in packages {
        for file in ["src/lib.rs", "src/main.rs", "build.rs"] {
            if root.join(&package).join(file).is_file() {
                let mut modules = Vec::new();
                read(root, &PathBuf::from(&package).join(file), &[], &mut modules)?;
                found.push(SourceCrate { package: package.clone(), root: file.to_owned(), modules });
            }
        }
    }
    Ok(found)
}

/// Reads a file and the modules that it declares.
fn read(root: &Path, file: &Path, path: &[String], out: &mut Vec<Module>) -> Result<()> {
    let text = fs::read_to_string(root.join(file)).with_context(|| file.display().to_string())?;
    let tokens = TokenStream::from_str(&text)
        .map_err(|error| anyhow::anyhow!("{}: not Rust: {error}", file.display()))?;
    let folder = file.parent().unwrap_or(Path::new(""));
    let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let children =
        if matches!(stem, "lib" | "main" | "mod" | "build") { folder.to_owned() } else { folder.join(stem) };
    module(root, file, &children, path, production(tokens), false, out)
}

/// Takes the modules out of the code of one.
fn module(
    root: &Path,
    file: &Path,
    children: &Path,
    path: &[String],
    code: Vec<TokenTree>,
    inline: bool,
    out: &mut Vec<Module>,
) -> Result<()> {
    let at = out.len();
    out.push(Module { path: path.to_vec(), file: file.display().to_string(), code: Vec::new(), inline });
    let mut own = Vec::with_capacity(code.len());
    let mut other_file = None;
    let mut tokens = code.into_iter().peekable();
    while let Some(token) = tokens.next() {
        if let TokenTree::Group(group) = &token
            && let Some(name) = path_attribute(&group.stream())
        {
            other_file = Some(name);
        }
        let keyword = matches!(&token, TokenTree::Ident(word) if word == "mod");
        let name = match tokens.peek() {
            Some(TokenTree::Ident(name)) if keyword => name.to_string(),
            _ => {
                own.push(token);
                continue;
            }
        };
        own.push(token);
        own.extend(tokens.next());
        let mut child = path.to_vec();
        child.push(name.clone());
        match tokens.next() {
            Some(TokenTree::Group(body)) => {
                let body = production(body.stream());
                module(root, file, &children.join(&name), &child, body, true, out)?;
            }
            Some(end) => {
                own.push(end);
                let beside = children.join(format!("{name}.rs"));
                let inside = children.join(&name).join("mod.rs");
                let given = other_file.take().map(|other| folder_of(file).join(other));
                let Some(found) =
                    given.into_iter().chain([beside, inside]).find(|file| root.join(file).is_file())
                else {
                    bail!("{}: there is no file for the module {name}", file.display());
                };
                read(root, &found, &child, out)?;
            }
            None => bail!("{}: ends after `mod {name}`", file.display()),
        }
    }
    out[at].code = own;
    Ok(())
}

fn folder_of(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new(""))
}

/// Returns `FILE` of `path = "FILE"`.
fn path_attribute(tokens: &TokenStream) -> Option<String> {
    let text = tokens.to_string();
    Some(text.strip_prefix("path = \"")?.strip_suffix('"')?.to_owned())
}

/// Leaves out documentation, and items that are compiled for tests alone.
fn production(tokens: TokenStream) -> Vec<TokenTree> {
    let all: Vec<TokenTree> = tokens.into_iter().collect();
    let mut out = Vec::with_capacity(all.len());
    let mut at = 0;
    while at < all.len() {
        match attribute(&all[at..]) {
            Some((_, Attribute::Documentation, end)) => at += end,
            Some((_, Attribute::Test, end)) => at += end + item(&all[at + end..]),
            _ => {
                out.push(all[at].clone());
                at += 1;
            }
        }
    }
    out
}

#[derive(PartialEq, Eq)]
enum Attribute {
    Documentation,
    Test,
    Other,
}

/// Reads an attribute at the start: its tokens, what it is, and how many tokens it has.
fn attribute(tokens: &[TokenTree]) -> Option<(TokenStream, Attribute, usize)> {
    let punct = |at: usize, c: char| matches!(tokens.get(at), Some(TokenTree::Punct(p)) if p.as_char() == c);
    if !punct(0, '#') {
        return None;
    }
    let at = if punct(1, '!') { 2 } else { 1 };
    let Some(TokenTree::Group(group)) = tokens.get(at) else { return None };
    if group.delimiter() != Delimiter::Bracket {
        return None;
    }
    let text = group.stream().to_string().replace(' ', "");
    let kind = if text.starts_with("doc=") && !text.starts_with("doc=include_str!") {
        Attribute::Documentation
    } else if text == "test" || text == "cfg(test)" || text.starts_with("cfg(all(test,") {
        Attribute::Test
    } else {
        Attribute::Other
    };
    Some((group.stream(), kind, at + 1))
}

/// Counts the tokens of the item at the start, its attributes included.
fn item(tokens: &[TokenTree]) -> usize {
    let mut at = 0;
    while let Some((_, _, end)) = attribute(&tokens[at..]) {
        at += end;
    }
    while let Some(token) = tokens.get(at) {
        at += 1;
        match token {
            TokenTree::Punct(end) if end.as_char() == ';' => break,
            TokenTree::Group(body) if body.delimiter() == Delimiter::Brace => {
                // `use a::{b};`
                if matches!(tokens.get(at), Some(TokenTree::Punct(end)) if end.as_char() == ';') {
                    at += 1;
                }
                break;
            }
            _ => {}
        }
    }
    at
}

/// Visits every token of production code, also inside groups. Attributes are visited where `attributes`.
pub(crate) fn visit(code: &[TokenTree], attributes: bool, see: &mut impl FnMut(&TokenTree)) {
    let mut at = 0;
    while let Some(token) = code.get(at) {
        if let Some((_, kind, end)) = attribute(&code[at..])
            && (!attributes || kind == Attribute::Documentation)
        {
            at += end;
            continue;
        }
        see(token);
        if let TokenTree::Group(group) = token {
            visit(&production(group.stream()), attributes, see);
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_for_tests_and_documentation_are_left_out() {
        let text = "//! Crate.\n#[cfg(test)]\nuse a::{b};\n/// Doc.\n#[derive(Debug)]\nstruct A { /** in */ b: u8 }\n#[cfg(test)]\n#[path = \"x\"]\nmod tests { fn gone() {} }\nfn here() {}";
        let code = production(TokenStream::from_str(text).unwrap());
        let mut words = Vec::new();
        visit(&code, true, &mut |token| {
            if let TokenTree::Ident(word) = token {
                words.push(word.to_string());
            }
        });
        assert_eq!(words, ["derive", "Debug", "struct", "A", "b", "u8", "fn", "here"]);
    }
}
