//! One file a command.

pub(crate) mod accounts;
pub(crate) mod apis;
pub(crate) mod app;
pub(crate) mod call;
pub(crate) mod catalog;
pub(crate) mod categories;
pub(crate) mod codegen;
pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod keeper;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod products;
pub(crate) mod refresh;
pub(crate) mod sandbox;
pub(crate) mod schema;
pub(crate) mod sign;
pub(crate) mod templates;
pub(crate) mod token;
pub(crate) mod vault;

/// Prints the reference of all commands.
pub(crate) fn generate_docs(root: clap::Command) -> crate::exit::CliResult {
    crate::output::raw(crate::reference::markdown(root).as_bytes())
}
