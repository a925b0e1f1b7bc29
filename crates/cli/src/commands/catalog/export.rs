//! `sesame catalog export`: the catalog as OpenAPI, JSON Schema, or a reference.

use std::{fs, path::PathBuf};

use sesame_catalog::Catalog;
use sesame_core::Error;
use sesame_documents::{json_schema, openapi, reference::Reference};

use crate::{commands::apis, context::Context, exit::CliResult, output::Format};

/// Options of `catalog export`.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("form").required(true)))]
pub(crate) struct ExportArgs {
    /// Prints all APIs of a platform as OpenAPI 3.1.
    #[arg(long, value_name = "PLATFORM", group = "form", id = "openapi")]
    openapi: Option<String>,
    /// Prints the JSON Schema of an API's arguments.
    #[arg(long, value_name = "API", group = "form", id = "api")]
    json_schema: Option<String>,
    /// Writes a page of Markdown an API, and index.html with a search box, into a folder. Overlays are left out.
    #[arg(long, value_name = "DIR", group = "form", value_hint = clap::ValueHint::DirPath)]
    markdown: Option<PathBuf>,
    /// The platform: of the API, or the only one of the reference.
    #[arg(long, short, value_name = "PLATFORM", conflicts_with = "openapi")]
    platform: Option<String>,
}

pub(super) fn export(args: &ExportArgs, context: &Context) -> CliResult {
    if let Some(platform) = &args.openapi {
        let catalog = context.catalog()?;
        let known = catalog.platform(platform)?;
        let listed = catalog.list(platform);
        let found: Result<Vec<_>, _> = listed.iter().map(|api| catalog.api(platform, &api.name)).collect();
        let document = openapi(known, &found?, env!("CARGO_PKG_VERSION"));
        return context.printer(Format::Json).vendor_json(&document.to_string());
    }
    if let Some(api) = &args.json_schema {
        let catalog = context.catalog()?;
        let api = apis::find(&catalog, api, args.platform.as_deref())?;
        return context.printer(Format::Json).vendor_json(&json_schema(&api).to_string());
    }
    let Some(folder) = &args.markdown else { return Ok(()) };
    // Not the user's overlays: they may hold the words of a vendor.
    let catalog = Catalog::builtin();
    if let Some(platform) = &args.platform {
        catalog.platform(platform)?;
    }
    let mut reference = Reference::default();
    let write = |path: &str, text: &str| {
        let file = folder.join(path);
        fs::write(&file, text)
            .map_err(|error| Error::local(format!("cannot write {}: {error}", file.display())))
    };
    let mut pages = 0_u64;
    let wanted = |name: &str| args.platform.as_deref().is_none_or(|wanted| wanted == name);
    for platform in catalog.platforms().iter().filter(|platform| wanted(&platform.name)) {
        let below = folder.join(&platform.name);
        fs::create_dir_all(&below)
            .map_err(|error| Error::local(format!("cannot make the folder {}: {error}", below.display())))?;
        for listed in catalog.list(&platform.name) {
            let (path, text) = reference.page(&catalog.api(&platform.name, &listed.name)?);
            write(&path, &text)?;
            pages += 1;
        }
    }
    write("index.html", &reference.index())?;
    let record = serde_json::json!({ "pages": pages, "index": folder.join("index.html") });
    context.printer(Format::Table).one(&record, |printer| {
        printer.line(format_args!("{pages} pages; open {}", folder.join("index.html").display()))
    })
}
