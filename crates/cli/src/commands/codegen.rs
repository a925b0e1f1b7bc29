//! `sesame codegen`: types for the arguments and the replies of chosen APIs.

use std::path::PathBuf;

use sesame_core::Error;
use sesame_documents::code::{self, Language};

use crate::{commands::apis, context::Context, exit::CliResult, output};

/// Options of `codegen`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sesame codegen rust /orders/get /order/get --platform lazada --out lazada.rs
  sesame codegen typescript taobao.items.onsale.get > taobao.ts
  sesame codegen python /orders/get --platform lazada

Each API gets a type for its arguments and one for its payload, which open_sesame's send_as::<T>() takes. Rust has structs for serde; TypeScript has interfaces; Python has TypedDicts. In replies every field may be missing, and where platforms send numbers as text, both are accepted. Files are not among the arguments: they are attached to a call.")]
pub(crate) struct CodegenArgs {
    /// The language.
    #[arg(value_enum)]
    language: Into,
    /// The APIs: paths, methods, or namespace:name.
    #[arg(required = true, value_name = "API", id = "api")]
    apis: Vec<String>,
    /// The platform; without it, the first that has the API.
    #[arg(long, short, value_name = "PLATFORM")]
    platform: Option<String>,
    /// Writes a file instead of standard output.
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    out: Option<PathBuf>,
}

/// A language.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Into {
    /// Structs for serde.
    Rust,
    /// Interfaces.
    #[value(alias = "ts")]
    Typescript,
    /// TypedDicts, for Python 3.11 and later.
    Python,
}

/// Runs it.
pub(crate) fn run(args: &CodegenArgs, context: &Context) -> CliResult {
    let catalog = context.catalog()?;
    let mut found = Vec::new();
    for name in &args.apis {
        let api = apis::find(&catalog, name, args.platform.as_deref())?;
        // Named twice, perhaps by an alias: one type is enough.
        if !found
            .iter()
            .any(|known: &sesame_catalog::Api| (&known.platform, &known.name) == (&api.platform, &api.name))
        {
            found.push(api);
        }
    }
    let language = match args.language {
        Into::Rust => Language::Rust,
        Into::Typescript => Language::TypeScript,
        Into::Python => Language::Python,
    };
    let text = code::generate(language, &found);
    match &args.out {
        None => output::raw(text.as_bytes()),
        Some(path) => Ok(std::fs::write(path, text)
            .map_err(|error| Error::local(format!("cannot write {}: {error}", path.display())))?),
    }
}
