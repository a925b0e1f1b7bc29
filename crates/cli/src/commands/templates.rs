//! `sesame templates list`: detail modules.

use crate::{
    commands::products::{ListArgs, list},
    context::Context,
    exit::CliResult,
    runtime,
};

/// The commands of `templates`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum TemplatesCommand {
    /// Lists the templates of a shop: reusable blocks of product descriptions (AliExpress calls them detail modules).
    #[command(after_help = "\
Examples:
  sesame templates list aliexpress-legacy-shop
  sesame templates list aliexpress-legacy-shop --all --status auditing \\
      --output json

Status is tbd, auditing or approved (the default).
JSON: [{\"id\",\"name\",\"type\",\"status\",\"raw\":{..}}], all but raw as text.")]
    List(ListArgs),
}

/// Runs it.
pub(crate) fn run(command: TemplatesCommand, context: &Context) -> CliResult {
    let TemplatesCommand::List(args) = command;
    runtime::block_on(context, list(&args, context, "templates"))
}
