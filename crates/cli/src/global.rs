//! Options of every command.

use std::{path::PathBuf, time::Duration};

use crate::{humanize::parse_duration, output::Format};

/// Options of every command.
#[derive(Debug, Default, Clone, clap::Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// The output format; the help of each command describes what it prints.
    #[arg(long, short = 'o', global = true, value_name = "FORMAT", value_enum)]
    pub(crate) output: Option<Format>,
    /// With --output csv: for Excel and WPS, with a byte order mark, and a tab before what they would
    /// compute or round (formulas, numbers of more than 15 digits).
    #[arg(long, global = true)]
    pub(crate) bom: bool,
    /// The directory of the vault, the configuration and the catalog [env: SESAME_HOME].
    #[arg(long, global = true, value_name = "DIR", hide_short_help = true)]
    pub(crate) home: Option<PathBuf>,
    /// The vault: sqlite:PATH or postgres://... [env: SESAME_VAULT] [default: vault.db in the home].
    #[arg(long, global = true, value_name = "URL", hide_short_help = true)]
    pub(crate) vault: Option<String>,
    /// Sends all calls to a sandbox at this address [env: SESAME_ENDPOINT].
    #[arg(long, global = true, value_name = "URL", hide_short_help = true)]
    pub(crate) endpoint: Option<String>,
    /// The time limit of one call, repeats included: 1s to 1h [env: SESAME_TIMEOUT] [default: 60s].
    #[arg(long, global = true, value_name = "TIME", value_parser = parse_timeout, hide_short_help = true)]
    pub(crate) timeout: Option<Duration>,
    /// When to use colors; NO_COLOR is respected.
    #[arg(long, global = true, value_name = "WHEN", value_enum, hide_short_help = true)]
    pub(crate) color: Option<Color>,
    /// Increases log verbosity (-v, -vv) [env: SESAME_LOG].
    #[arg(long, short = 'v', global = true, action = clap::ArgAction::Count, hide_short_help = true)]
    pub(crate) verbose: u8,
}

/// When to use colors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Color {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Reads a time limit: 1 s to 1 h; a number alone is of seconds.
pub(crate) fn parse_timeout(text: &str) -> Result<Duration, String> {
    let plain = text.trim().parse().map(Duration::from_secs);
    let limit = plain.or_else(|_| parse_duration(text))?;
    if (1..=3_600).contains(&limit.as_secs()) {
        Ok(limit)
    } else {
        Err(format!("{text:?} is not between 1s and 1h"))
    }
}
