//! `--since` and `--until`.

use jiff::Timestamp;
use sesame_shop::{Fields, parse_time};

use crate::{context::Context, exit::CliResult};

/// The span of time of a list.
#[derive(Debug, Default, Clone, clap::Args)]
pub(crate) struct SpanArgs {
    /// Only rows that changed since: 2h, 3d, 2026-11-30, or RFC 3339; dates are those of the shop's zone.
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Only rows that changed until then, written as with --since.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
}

impl SpanArgs {
    /// Reads the times, in the zone of a shop.
    ///
    /// # Errors
    /// Usage, for what is no time.
    pub(crate) fn read(
        &self,
        context: &Context,
        fields: &Fields,
    ) -> CliResult<(Option<Timestamp>, Option<Timestamp>)> {
        let now = context.clock.now();
        let read = |name: &str, text: &Option<String>| {
            let at = text.as_deref().map(|text| parse_time(text, now, fields.zone())).transpose();
            at.map_err(|error| error.context(name))
        };
        Ok((read("--since", &self.since)?, read("--until", &self.until)?))
    }
}
