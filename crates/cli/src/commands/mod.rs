//! One file a command.

pub(crate) mod accounts;
pub(crate) mod apis;
pub(crate) mod app;
pub(crate) mod bulk;
pub(crate) mod call;
pub(crate) mod catalog;
pub(crate) mod categories;
pub(crate) mod codegen;
pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod freight;
pub(crate) mod keeper;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod orders;
pub(crate) mod products;
pub(crate) mod refresh;
pub(crate) mod sandbox;
pub(crate) mod schema;
pub(crate) mod sign;
pub(crate) mod stock;
pub(crate) mod templates;
pub(crate) mod token;
pub(crate) mod vault;

/// Prints the reference of all commands, or writes a man page for each into a folder.
pub(crate) fn generate_docs(root: clap::Command, man: Option<&std::path::Path>) -> crate::exit::CliResult {
    if let Some(folder) = man {
        let failed = |error: std::io::Error| {
            sesame_core::Error::local(format!(
                "the man pages cannot be written to {}: {error}",
                folder.display()
            ))
        };
        std::fs::create_dir_all(folder).map_err(failed)?;
        return Ok(clap_mangen::generate_to(root, folder).map_err(failed)?);
    }
    crate::output::raw(crate::reference::markdown(root).as_bytes())
}
