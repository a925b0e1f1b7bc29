//! Work on the source tree: `cargo run -p xtask -- gen` regenerates what is derived from data in this
//! repository (with `--check` it changes nothing and fails when a file is stale), `lines` counts,
//! `structure` checks imports, file sizes and names, `audit` prints where each fact of the catalog is from
//! and fails on one that does not say, `catalog` lists what the entries that somebody describes lack,
//! `schema-cases` runs a file of cases of the product schema language.

mod audit;
mod catalogue;
mod command_line;
mod complete;
mod error_codes;
mod imports;
mod lines;
mod platform_table;
mod schema_cases;
mod schema_xml;
mod source;
mod structure;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result, bail};
use sesame_catalog::Catalog;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args.as_slice() {
        ["gen"] => generate(false),
        ["gen", "--check"] => generate(true),
        ["lines"] => root().and_then(|root| lines::table(&root)).map(|table| say(table.trim_end())),
        ["audit"] => root().and_then(|root| audit::check(&root)).map(|table| print(&table)),
        ["catalog"] => {
            root().and_then(|root| complete::report(&root, &Catalog::builtin())).map(|text| print(&text))
        }
        ["schema-cases", file] => schema_cases::run(Path::new(file)).and_then(|(report, failed)| {
            print(&report);
            if failed == 0 { Ok(()) } else { bail!("{failed} cases failed") }
        }),
        ["structure"] => root().and_then(|root| structure::check(&root)),
        _ => {
            say(
                "usage: cargo run -p xtask -- gen [--check] | lines | structure | audit | catalog | schema-cases FILE",
            );
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("xtask: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Writes all derived files, or compares them.
fn generate(check: bool) -> Result<()> {
    let root = root()?;
    let catalog = Catalog::builtin();
    let mut stale = Vec::new();
    let mut put = |name: &'static str, text: &str| -> Result<()> {
        let file = root.join(name);
        if fs::read_to_string(&file).is_ok_and(|old| old == text) {
            return Ok(());
        }
        stale.push(name);
        if !check {
            write(&file, text)?;
            say(&format!("wrote {name}"));
        }
        Ok(())
    };
    put("docs/error-codes.md", &error_codes::page(&catalog))?;
    put("docs/catalogue.md", &catalogue::page(&root, &catalog)?)?;
    put("docs/platforms.md", &platform_table::page(&catalog))?;
    // Last: it builds and runs the whole binary.
    put("docs/cli.md", &command_line::page(&root)?)?;
    if check && !stale.is_empty() {
        bail!("stale: {}; run `cargo run -p xtask -- gen` and commit", stale.join(", "));
    }
    Ok(())
}

fn write(file: &Path, text: &str) -> Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    fs::write(file, text).with_context(|| file.display().to_string())
}

/// The root of the repository: the folder above this crate.
fn root() -> Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(here.parent().context("xtask has no folder above it")?.to_owned())
}

/// Text for one cell of a Markdown table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ").replace('<', "&lt;")
}

#[expect(clippy::print_stdout, reason = "a table for other programs")]
fn print(table: &str) {
    print!("{table}");
}

#[expect(clippy::print_stderr, reason = "the only place that talks to the person who runs it")]
fn say(text: &str) {
    eprintln!("{text}");
}
