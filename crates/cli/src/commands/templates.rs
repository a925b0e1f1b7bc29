//! `sesame templates list`: detail modules.

use crate::{
    commands::products::{ListArgs, list},
    context::Context,
    exit::CliResult,
    listings::TEMPLATES,
    runtime,
};

/// The commands of `templates`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Lists the detail modules of an AliExpress shop: reusable blocks of product descriptions.
    #[command(after_help = "\
Examples:
  sesame templates list myshop
  sesame templates list myshop --all --status auditing --output json

Status is tbd, auditing or approved (the default).
JSON: [{\"id\",\"name\",\"type\",\"status\",\"raw\":{..}}], all but raw as text.")]
    List(ListArgs),
}

/// Runs it.
pub(crate) fn run(command: Command, context: &Context) -> CliResult {
    let Command::List(args) = command;
    runtime::block_on(context, async { list(&args, context, TEMPLATES, "detail modules").await })
}
