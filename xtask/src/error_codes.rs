//! `docs/error-codes.md`: what each code means, from `crates/catalog/data/errors/`.

use std::fmt::Write as _;

use sesame_catalog::Catalog;
use sesame_core::classify::{ErrorRule, RetryRule};

use crate::cell;

/// Writes the page.
pub(crate) fn page(catalog: &Catalog) -> String {
    let mut out = String::from(
        "<!-- Derived from crates/catalog/data/errors/*.toml by `./dev gen`. Do not edit. -->\n\n\
         # Error codes\n\n\
         What the gateways say, what it means for a program, and what to do. `sesame explain CODE` prints the same.\n\
         Codes are compared without regard to case; `*` stands for any text, `500..` for all numbers from 500.\n\
         A rule with a sub code wins over one without, an exact text over a pattern. \"Maybe done\" marks errors\n\
         after which a write may have been carried out: it is never sent again by itself. \"?\" marks a guess.\n\n\
         | retry | means |\n|---|---|\n\
         | never | it would fail in the same way |\n\
         | backoff | after a pause that grows |\n\
         | second | after one second |\n\
         | ban | after the seconds in the message plus one; without a number, backoff |\n\
         | next day | after the seconds in the message plus one; without a number, at 00:00 in Beijing |\n\
         | refresh | once, with a new access token |\n\
         | clock | once, with a corrected clock |\n",
    );
    for (scope, rules) in catalog.error_rules() {
        let _ = write!(
            out,
            "\n## {scope}\n\n| code | sub code | kind | fault | retry | maybe done | says | what to do | source |\n|---|---|---|---|---|---|---|---|---|\n",
        );
        for rule in rules {
            row(&mut out, rule);
        }
    }
    out
}

fn row(out: &mut String, rule: &ErrorRule) {
    let code = |text: &str| if text.is_empty() { String::new() } else { format!("`{text}`") };
    let _ = writeln!(
        out,
        "| {} | {} | {} | {} | {} | {} | {} | {} | {} ({}){} |",
        code(&rule.code),
        code(&rule.sub_code),
        rule.kind,
        rule.fault.as_str(),
        retry(rule.retry),
        if rule.maybe_done { "yes" } else { "" },
        cell(&rule.says),
        cell(&rule.advice),
        cell(&rule.source),
        rule.date,
        if rule.guess { " ?" } else { "" },
    );
}

const fn retry(rule: RetryRule) -> &'static str {
    match rule {
        RetryRule::Never => "never",
        RetryRule::Backoff => "backoff",
        RetryRule::Second => "second",
        RetryRule::Ban => "ban",
        RetryRule::NextDay => "next day",
        RetryRule::Refresh => "refresh",
        RetryRule::Clock => "clock",
        RetryRule::Later => "later",
    }
}
