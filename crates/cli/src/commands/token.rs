//! `sesame token ACCOUNT`: a valid access token, and nothing else, on standard output.

use serde_json::json;

use crate::{context::Context, exit::CliResult, output::Format, runtime};

/// Options of `token`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sesame token myshop
  curl -d \"access_token=$(sesame token myshop)\" ...

Fetches a new token first if the stored one is at its end. This is the one command that prints a \
token: keep it out of logs and of arguments that others can see.
JSON: {\"account\",\"access_token\",\"expires_at\"}")]
pub(crate) struct TokenArgs {
    /// The account.
    account: String,
}

/// Prints the token.
pub(crate) fn run(args: &TokenArgs, context: &Context) -> CliResult {
    runtime::block_on(context, async {
        let vault = context.vault().await?;
        let handle = vault.handle(&args.account).await?;
        let token = vault.token_of(&handle).await?;
        let mut printer = context.printer(Format::Table);
        if printer.for_people() {
            printer.line(token.access.expose())?;
            return printer.flush();
        }
        let account = vault.account(&args.account).await?;
        let record = json!({
            "account": account.name,
            "access_token": token.access.expose(),
            "expires_at": account.access_expires_at.map(|at| at.to_string()),
        });
        printer.one(&record, |_| Ok(()))
    })
}
