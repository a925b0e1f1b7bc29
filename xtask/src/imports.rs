//! Which file of a crate uses which, by `use` declarations and by paths in the code. Names are followed
//! through re-exports to the file that they come from.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use proc_macro2::{Delimiter, TokenTree};

use crate::source::{self, SourceCrate};

/// Re-exports of re-exports are followed this far.
const DEEPEST: usize = 8;

/// The imports of one crate.
pub(crate) struct Imports {
    /// By file, which files it uses. Parents and children are left out.
    files: BTreeMap<String, BTreeSet<String>>,
}

/// What a module declares.
#[derive(Default)]
struct Names {
    file: String,
    /// Items of its own.
    items: HashSet<String>,
    /// Imported names and the paths they stand for.
    imported: HashMap<String, Vec<String>>,
    /// Paths of which everything is imported.
    globs: Vec<Vec<String>>,
    /// All paths that it uses.
    used: Vec<Vec<String>>,
}

impl Imports {
    /// Reads the imports of a crate.
    pub(crate) fn of(source: &SourceCrate) -> Self {
        let mut modules: HashMap<Vec<String>, Names> = HashMap::new();
        for module in &source.modules {
            let mut names = Names { file: module.file.clone(), ..Names::default() };
            declarations(&module.code, &mut names);
            paths(&module.code, &mut names.used);
            modules.insert(module.path.clone(), names);
        }
        let own: HashMap<&str, &Vec<String>> = source
            .modules
            .iter()
            .filter(|module| !module.inline)
            .map(|module| (module.file.as_str(), &module.path))
            .collect();
        let mut files: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (path, names) in &modules {
            for used in &names.used {
                let Some(found) = resolve(&modules, path, used, 0) else { continue };
                let target = &modules[&found].file;
                let related = match (own.get(names.file.as_str()), own.get(target.as_str())) {
                    (Some(one), Some(other)) => one.starts_with(other) || other.starts_with(one),
                    _ => true,
                };
                if !related {
                    files.entry(names.file.clone()).or_default().insert(target.clone());
                }
            }
        }
        Self { files }
    }

    /// Returns each file with the files that it uses, other than its parents and children.
    pub(crate) fn files(&self) -> &BTreeMap<String, BTreeSet<String>> {
        &self.files
    }

    /// Returns the groups of files of which each uses, over others, each.
    pub(crate) fn cycles(&self) -> Vec<BTreeSet<String>> {
        let reached: BTreeMap<&String, BTreeSet<&String>> =
            self.files.keys().map(|file| (file, self.reach(file))).collect();
        let mut groups: BTreeSet<BTreeSet<String>> = BTreeSet::new();
        for (file, uses) in &reached {
            let group: BTreeSet<String> = uses
                .iter()
                .filter(|other| reached.get(*other).is_some_and(|back| back.contains(file)))
                .map(|other| (*other).clone())
                .collect();
            if group.len() > 1 {
                groups.insert(group);
            }
        }
        groups.into_iter().collect()
    }

    fn reach<'a>(&'a self, from: &'a String) -> BTreeSet<&'a String> {
        let mut seen = BTreeSet::new();
        let mut next = vec![from];
        while let Some(file) = next.pop() {
            for used in self.files.get(file).into_iter().flatten() {
                if seen.insert(used) {
                    next.push(used);
                }
            }
        }
        seen
    }
}

/// Finds the module that a path leads to, as seen from a module. `None` outside the crate.
fn resolve(
    modules: &HashMap<Vec<String>, Names>,
    from: &[String],
    path: &[String],
    depth: usize,
) -> Option<Vec<String>> {
    if depth > DEEPEST {
        return None;
    }
    let (first, mut rest) = path.split_first()?;
    let mut at = from.to_vec();
    match first.as_str() {
        "crate" => at.clear(),
        "self" => {}
        "super" => {
            at.pop();
        }
        _ => rest = path,
    }
    let anchored = rest.len() < path.len();
    for (nth, name) in rest.iter().enumerate() {
        if name == "super" {
            at.pop();
            continue;
        }
        let mut child = at.clone();
        child.push(name.clone());
        if modules.contains_key(&child) {
            at = child;
            continue;
        }
        let names = modules.get(&at)?;
        if names.items.contains(name) {
            return Some(at);
        }
        if let Some(origin) = names.imported.get(name)
            && origin != path
        {
            let full: Vec<String> = origin.iter().chain(&rest[nth + 1..]).cloned().collect();
            return resolve(modules, &at, &full, depth + 1);
        }
        for glob in &names.globs {
            if let Some(found) = resolve(modules, &at, glob, depth + 1)
                && found != at
                && modules.get(&found).is_some_and(|inner| inner.items.contains(name))
            {
                return Some(found);
            }
        }
        // What a macro made, or, for the first name of a path, another crate.
        return (nth > 0 || anchored).then_some(at);
    }
    Some(at)
}

/// Collects the items and imports at the top of a module.
fn declarations(code: &[TokenTree], names: &mut Names) {
    const ITEMS: [&str; 9] =
        ["struct", "enum", "union", "trait", "type", "fn", "const", "static", "macro_rules"];
    let mut at = 0;
    while at < code.len() {
        let TokenTree::Ident(word) = &code[at] else {
            at += 1;
            continue;
        };
        if word == "use" {
            let end = code[at..]
                .iter()
                .position(|token| matches!(token, TokenTree::Punct(p) if p.as_char() == ';'))
                .map_or(code.len(), |end| at + end);
            tree(&[], &code[at + 1..end], names);
            at = end;
        } else if ITEMS.iter().any(|item| word == item)
            && let Some(TokenTree::Ident(name)) =
                code[at + 1..].iter().find(|token| matches!(token, TokenTree::Ident(_)))
        {
            names.items.insert(name.to_string());
        }
        at += 1;
    }
}

/// Reads a tree of imports: `a::{b, c as d, e::*}`.
fn tree(before: &[String], tokens: &[TokenTree], names: &mut Names) {
    let mut path = before.to_vec();
    let mut alias = None;
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token {
            TokenTree::Ident(word) if word == "as" => {
                alias = tokens.get(at + 1).map(ToString::to_string);
                break;
            }
            TokenTree::Ident(word) => path.push(word.to_string()),
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                for one in inner.split(|token| matches!(token, TokenTree::Punct(p) if p.as_char() == ',')) {
                    if !one.is_empty() {
                        tree(&path, one, names);
                    }
                }
                return;
            }
            TokenTree::Punct(star) if star.as_char() == '*' => {
                names.used.push(path.clone());
                names.globs.push(path);
                return;
            }
            _ => {}
        }
        at += 1;
    }
    // `use a::{self, b}` imports `a`.
    if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    names.used.push(path.clone());
    if let Some(name) = alias.or_else(|| path.last().cloned()) {
        names.imported.insert(name, path);
    }
}

/// Collects the paths of two names or more.
fn paths(code: &[TokenTree], out: &mut Vec<Vec<String>>) {
    let mut words: Vec<String> = Vec::new();
    let mut colons = 0;
    let mut end = |words: &mut Vec<String>| {
        if words.len() > 1 {
            out.push(std::mem::take(words));
        }
        words.clear();
    };
    source::visit(code, true, &mut |token| match token {
        TokenTree::Ident(word) => {
            if colons != 2 {
                end(&mut words);
            }
            words.push(word.to_string());
            colons = 0;
        }
        TokenTree::Punct(p) if p.as_char() == ':' => colons += 1,
        _ => {
            end(&mut words);
            colons = 0;
        }
    });
    end(&mut words);
}

#[cfg(test)]
mod tests {
    use std::str::FromStr as _;

    use proc_macro2::TokenStream;

    use super::*;
    use crate::source::Module;

    fn imports(files: &[(&str, &str)]) -> Imports {
        let modules = files.iter().map(|(file, code)| Module {
            path: match file.trim_end_matches(".rs").trim_end_matches("/mod") {
                "lib" => Vec::new(),
                name => name.split('/').map(str::to_owned).collect(),
            },
            file: (*file).to_owned(),
            code: TokenStream::from_str(code).unwrap().into_iter().collect(),
            inline: false,
        });
        let (package, root) = ("crates/a".to_owned(), "src/lib.rs".to_owned());
        Imports::of(&SourceCrate { package, root, modules: modules.collect() })
    }

    #[test]
    fn a_cycle_is_seen_through_reexports_and_paths_in_code() {
        let library = ("lib.rs", "mod one; mod two; mod three; pub use one::{One, other as Other};");
        let one = ("one.rs", "use crate::two; pub struct One; pub struct other; fn f() { two::g() }");
        let three = ("three.rs", "use serde::One; fn h() {}");
        for back in [
            "use crate::One;",
            "use crate::Other as X;",
            "use super::*; fn g() { crate::One }",
            "fn g() { super::one::f() }",
        ] {
            let cycles = imports(&[library, one, ("two.rs", back), three]).cycles();
            assert_eq!(cycles, [BTreeSet::from(["one.rs".to_owned(), "two.rs".to_owned()])], "{back}");
        }
        let none = imports(&[library, one, ("two.rs", "use std::One; pub fn g() { self::i() }"), three]);
        assert!(none.cycles().is_empty());
    }

    #[test]
    fn parents_and_children_may_use_each_other() {
        let parent = ("a/mod.rs", "mod b; use b::B; pub struct A;");
        let child = ("a/b.rs", "use super::A; pub struct B;");
        assert!(imports(&[("lib.rs", "mod a;"), parent, child]).cycles().is_empty());
    }
}
