//! `docs/platforms.md`: hosts, token lives, clocks, digests and quotas, from `crates/catalog/data/platforms.toml`.

use std::fmt::Write as _;

use sesame_catalog::{Catalog, Platform};
use sesame_core::Shape;

use crate::cell;

/// Writes the page.
pub(crate) fn page(catalog: &Catalog) -> String {
    let mut out = String::from(
        "<!-- Derived from crates/catalog/data/platforms.toml by `./dev gen`. Do not edit. -->\n\n\
         # Platforms\n\n\
         \"?\" marks what no document says. The first digest of a shape is the one that Sesame sends; the sandbox takes all.\n",
    );
    for platform in catalog.platforms() {
        let apis = catalog.list(&platform.name).len();
        one(&mut out, platform, apis);
    }
    out
}

fn one(out: &mut String, platform: &Platform, apis: usize) {
    let _ = write!(
        out,
        "\n## `{}`: {}\n\nProtocol {}, {apis} APIs in the catalog, dates in {}. Source: {} ({}).\n",
        platform.name,
        platform.title,
        platform.protocol,
        platform.time_zone,
        cell(&platform.source),
        platform.date,
    );
    if let Some(instead) = &platform.switched_off {
        let _ = write!(out, "\n**Switched off on the live side.** {}\n", cell(instead));
    }
    for note in &platform.notes {
        let _ = write!(out, "\n* {}", cell(note));
    }
    if !platform.notes.is_empty() {
        out.push('\n');
    }
    out.push_str("\n| region | calls | tokens | authorize page | source |\n|---|---|---|---|---|\n");
    for region in &platform.regions {
        let _ = writeln!(
            out,
            "| `{}` | {}{} | {} | {} | {}{} |",
            region.name,
            region.api,
            region.sync.as_ref().map(|sync| format!(", /sync on {sync}")).unwrap_or_default(),
            region.token,
            region.authorize.as_deref().unwrap_or("not known"),
            cell(&region.source),
            guess(region.guess),
        );
    }
    let tokens = &platform.tokens;
    let _ = write!(
        out,
        "\n| | | source |\n|---|---|---|\n\
         | code | good once, for {} | {}{} |\n\
         | access token | {} | {}{} |\n\
         | refresh token | {}{} | |\n\
         | refreshed | {} before the end; all wait in the last {} | |\n\
         | clock | {} | {}{} |\n",
        span(platform.authorize.code_life),
        cell(&platform.authorize.source),
        guess(platform.authorize.guess),
        span(tokens.access_life),
        cell(&tokens.source),
        guess(tokens.guess),
        span(tokens.refresh_life),
        match (tokens.keeps_refresh_token, tokens.refresh_end_fixed) {
            (true, _) => ", kept by a refresh",
            (false, true) => ", renewed by a refresh, its end is not moved",
            (false, false) => "",
        },
        span(tokens.advisory_seconds),
        span(tokens.mandatory_seconds),
        if platform.clock.window == 0 {
            "not checked as far as is known".to_owned()
        } else {
            format!("at most {} off", span(platform.clock.window))
        },
        cell(&platform.clock.source),
        guess(platform.clock.guess),
    );
    for shape in Shape::ALL {
        if let Some(choices) = platform.digests.get(&shape) {
            let words: Vec<String> = choices
                .iter()
                .map(|choice| match choice.method.as_str() {
                    "" => choice.digest.to_string(),
                    method => format!("`{method}` = {}", choice.digest),
                })
                .collect();
            let _ = writeln!(out, "| digest of {shape} | {} | |", words.join(", "));
        }
    }
    for quota in &platform.quotas {
        let _ = writeln!(
            out,
            "| quota{} | {} calls in {} for one {} | {} |",
            if quota.test_app { " of a test app" } else { "" },
            quota.calls,
            span(quota.seconds),
            if quota.api.is_empty() { quota.per.clone() } else { format!("{}, `{}`", quota.per, quota.api) },
            cell(&quota.source),
        );
    }
}

const fn guess(yes: bool) -> &'static str {
    if yes { " ?" } else { "" }
}

/// A time in words: `10 hours`, `300 days`.
fn span(seconds: u64) -> String {
    let (number, word) = match seconds {
        0 => return "not known".to_owned(),
        s if s % 86_400 == 0 => (s / 86_400, "day"),
        s if s % 3_600 == 0 => (s / 3_600, "hour"),
        s if s % 60 == 0 => (s / 60, "minute"),
        s => (s, "second"),
    };
    format!("{number} {word}{}", if number == 1 { "" } else { "s" })
}
