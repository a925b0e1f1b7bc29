//! `sesame vault check`.

use super::count;
use crate::{
    context::Context,
    exit::{CliError, CliResult, note, say},
    output::Format,
    runtime,
    table::Rows,
};

/// Options of `vault check`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sesame vault check
  sesame vault check --output json || mail -s 'the vault is damaged' \\
      owner@example.com

Looks at the store itself, the master keys, every sealed value, whose each shop is, the platforms and \
the journal. Changes nothing. The exit code is 1 when something is wrong.
JSON: {\"findings\":[{\"place\",\"name\",\"column\",\"why\"}],\"notes\":[..],\"keys\",\"apps\",\"accounts\",\"values\",\"waiting\"}; \
place is store, key, app, account or journal.")]
pub(crate) struct VaultCheckArgs {}

/// Checks the vault and prints what is wrong.
pub(crate) fn run(_: &VaultCheckArgs, context: &Context) -> CliResult {
    runtime::block_on(context, async {
        let report = super::standing(context).await?.check().await?;
        context.printer(Format::Table).one(&report, |printer| {
            let mut rows = Rows::new(&["place", "name", "column", "what is wrong"]);
            for finding in &report.findings {
                rows.push([finding.place, &finding.name, finding.column.unwrap_or_default(), &finding.why]);
            }
            if !rows.is_empty() {
                printer.rows(&rows)?;
            }
            printer.line(format_args!(
                "{}, {}, {}, {}; {} in the journal",
                count(report.keys, "key"),
                count(report.apps, "app"),
                count(report.accounts, "account"),
                count(report.values, "sealed value"),
                count(report.waiting, "answer"),
            ))
        })?;
        for text in &report.notes {
            note("note", text);
        }
        if report.is_clean() {
            return Ok(());
        }
        let count = report.findings.len();
        say(&format!(
            "{} wrong. Restore the vault from a backup, or remove these accounts (`sesame logout NAME`, or the id) and log in again; nothing was changed.",
            if count == 1 { "1 thing is".to_owned() } else { format!("{count} things are") }
        ));
        Err(CliError::Status(1))
    })
}
