//! `sesame catalog import|update|export`: the catalog from and to other forms.

mod export;
mod folder;
mod host;
mod import;

use crate::{context::Context, exit::CliResult};

/// The commands of `catalog`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum CatalogCommand {
    /// Reads documents of a platform's APIs, and adds what the catalog does not have.
    #[command(after_help = "\
Examples:
  sesame catalog import order-get.json --platform lazada --dry-run
  sesame catalog import openapi.json --platform lazada --yes

Understands what the platforms' own document hosts send (getApiCategoryMixed.json, getApi.json), the files of the public mirror of Taobao's documents, and OpenAPI 3. An address begins with https://.

The differences are shown first. What is new is written to a file of its own in SESAME_HOME/catalog, in the words of the document; to take it back, delete that file. What a document leaves out stays as it is. A document that cannot be read whole changes nothing.

JSON: {\"platform\",\"apis\",\"changes\":[as `apis diff`],\"kept\":[{\"name\",\"params\"}],\"files\":[..]}; kept are parameters that the documents do not have.")]
    Import(import::ImportArgs),
    /// Reads all documents of a platform from its document host, and adds what the catalog does not have.
    #[command(after_help = "\
Examples:
  sesame catalog update lazada --dry-run
  sesame catalog update lazada --pause 2s --yes

One document is asked for at a time, with a pause in between. A sandbox is a document host, too: --host http://127.0.0.1:4600/_sandbox/documents/lazada. For Taobao the host lists its APIs at metadata.json and has one at metadata.json?name=NAME, in the form of the mirror. What was fetched is kept in SESAME_HOME/documents: after an interruption the same command goes on where it stopped, and later updates fetch only what has changed, where the host tells.

JSON: as `catalog import`.")]
    Update(import::UpdateArgs),
    /// Writes the catalog as OpenAPI, JSON Schema, or a reference to browse.
    #[command(after_help = "\
Examples:
  sesame catalog export --openapi lazada > lazada.json
  sesame catalog export --json-schema /orders/get --platform lazada
  sesame catalog export --markdown reference --platform taobao-global

OpenAPI is 3.1; JSON Schema is draft 2020-12, of the arguments of one API. The reference is a page an API and index.html with a search box, which opens without a server.")]
    Export(export::ExportArgs),
}

/// Runs one of them.
pub(crate) fn run(command: CatalogCommand, context: &Context) -> CliResult {
    match command {
        CatalogCommand::Import(args) => import::import(args, context),
        CatalogCommand::Update(args) => import::update(args, context),
        CatalogCommand::Export(args) => export::export(&args, context),
    }
}
