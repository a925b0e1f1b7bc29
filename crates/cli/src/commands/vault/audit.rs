//! `sesame vault audit`.

use std::time::Duration;

use jiff::SignedDuration;
use sesame_core::Error;
use sesame_vault::AuditFilter;

use crate::{
    context::Context,
    exit::{CliResult, say},
    humanize::parse_duration,
    output::Format,
    runtime,
    table::Rows,
};

/// Options of `vault audit`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sesame vault audit --since 7d
  sesame vault audit --account myshop --limit 20 --output json

Logins, refreshes, failures, imports, copies, rekeys and logouts, the newest first. No line holds a \
secret. An account that was removed is found by the name it had. A keeper forgets lines after 400 days.
JSON: [{\"at\",\"action\",\"subject\",\"succeeded\",\"detail\",\"by\"}]; by is the user, the host and the process.")]
pub(crate) struct VaultAuditArgs {
    /// Only what concerns this account.
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    /// Only the last 7d, 12h, ...
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    since: Option<Duration>,
    /// The most lines, 1 to 100000.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
}

/// Prints the trail.
pub(crate) fn run(args: &VaultAuditArgs, context: &Context) -> CliResult {
    runtime::block_on(context, async {
        let since = args
            .since
            .map(|span| {
                SignedDuration::try_from(span)
                    .ok()
                    .and_then(|span| context.clock.now().checked_sub(span).ok())
                    .ok_or_else(|| Error::usage("--since goes back further than time is counted"))
            })
            .transpose()?;
        let mut filter = AuditFilter::default().limit(args.limit);
        filter.account.clone_from(&args.account);
        filter.since = since;
        let lines = super::standing(context).await?.audit(&filter).await?;
        let mut rows = Rows::new(&["time", "action", "subject", "result", "detail", "by"]);
        for line in &lines {
            rows.push([
                line.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().as_str(),
                &line.action,
                &line.subject,
                if line.succeeded { "ok" } else { "failed" },
                line.detail.as_deref().unwrap_or_default(),
                line.by.as_deref().unwrap_or_default(),
            ]);
        }
        let mut printer = context.printer(Format::Table);
        if printer.for_people() && lines.is_empty() {
            say("Nothing was written down in that time.");
            return Ok(());
        }
        printer.list(&lines, &rows)
    })
}
