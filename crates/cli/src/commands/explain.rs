//! `sesame explain CODE`: what an error code means and what to do.

use serde_json::json;
use sesame_core::{Error, nearest::nearest};

use crate::{
    context::Context,
    exit::{CliError, CliResult, report},
    output::Format,
};

/// Options of `explain`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sesame explain IncompleteSignature
  sesame explain 27
  sesame explain isv.invalid-parameter --output json
  sesame explain gw.SignatureInvalid --platform 1688
  sesame explain \"The specified access token is invalid or expired\"

JSON: [{\"scope\",\"code\",\"sub_code\",\"kind\",\"fault\",\"retry\",\"says\",\"advice\",\"maybe_done\",\"guess\",\"source\",\"date\"}]; \
exits 1 for an unknown code.")]
pub(crate) struct ExplainArgs {
    /// A code, a sub code or a message, as the platform printed it.
    #[arg(allow_negative_numbers = true)]
    code: String,
    /// Only this platform or protocol.
    #[arg(long, short, value_name = "NAME")]
    platform: Option<String>,
}

/// Looks the code up everywhere and prints what was found.
pub(crate) fn run(args: &ExplainArgs, context: &Context) -> CliResult {
    if args.code.trim().is_empty() {
        let hint = "Give a code, a sub code or a message, as the platform printed it.";
        return Err(Error::usage("the code is empty").with_hint(hint).into());
    }
    let catalog = context.catalog()?;
    let found = catalog.explain(&args.code, args.platform.as_deref())?;
    let mut printer = context.printer(Format::Table);
    if found.is_empty() {
        let error = not_found(args, &catalog);
        // Not a mistake on the command line, hence 1, as grep has it.
        report(&error, !printer.for_people(), None, false);
        return Err(CliError::Status(1));
    }
    let records: Vec<_> = found
        .iter()
        .map(|explained| {
            let rule = &explained.rule;
            json!({
                "scope": explained.scope,
                "code": rule.code,
                "sub_code": rule.sub_code,
                "kind": rule.kind.as_str(),
                "fault": rule.fault.as_str(),
                "retry": rule.retry,
                "says": rule.says,
                "advice": rule.advice,
                "maybe_done": rule.maybe_done,
                "guess": rule.guess,
                "source": rule.source,
                "date": rule.date,
            })
        })
        .collect();
    if !printer.for_people() {
        let mut rows =
            crate::table::Rows::new(&["scope", "code", "sub_code", "kind", "fault", "says", "advice"]);
        for explained in &found {
            let rule = &explained.rule;
            rows.push([
                explained.scope.as_str(),
                &rule.code,
                &rule.sub_code,
                rule.kind.as_str(),
                rule.fault.as_str(),
                &rule.says,
                &rule.advice,
            ]);
        }
        return printer.list(&records, &rows);
    }
    for (at, explained) in found.iter().enumerate() {
        let rule = &explained.rule;
        if at > 0 {
            printer.line("")?;
        }
        let code = match (rule.code.is_empty(), rule.sub_code.is_empty()) {
            (false, false) => format!("{} / {}", rule.code, rule.sub_code),
            (false, true) => rule.code.clone(),
            _ => rule.sub_code.clone(),
        };
        printer.line(format_args!("{code}  ({})", shortened(&explained.scope)))?;
        let guess = if rule.guess { " (a guess)" } else { "" };
        printer.line(format_args!("  means   {}{guess}", rule.says))?;
        if !rule.message.is_empty() {
            printer.line(format_args!("  if      the message says {:?}", rule.message.trim_matches('*')))?;
        }
        printer.line(format_args!("  do      {}", rule.advice))?;
        let maybe = if rule.maybe_done { "; the call may have been carried out" } else { "" };
        printer.line(format_args!(
            "  kind    {}, fault of the {}, {}{maybe}",
            rule.kind,
            rule.fault.as_str(),
            retry_words(rule.retry)
        ))?;
        printer.line(format_args!("  exit    {}", crate::exit::exit_code(rule.kind)))?;
        printer.line(format_args!("  source  {} ({})", in_words(&rule.source), rule.date))?;
    }
    printer.flush()
}

/// Names the first places of a long list.
fn shortened(scope: &str) -> String {
    const SHOWN: usize = 5;
    let places: Vec<&str> = scope.split(", ").collect();
    match places.len().checked_sub(SHOWN) {
        None | Some(0) => scope.to_owned(),
        Some(more) => format!("{} and {more} more", places[..SHOWN].join(", ")),
    }
}

/// Writes the marks of the data files out.
fn in_words(source: &str) -> String {
    [
        ("[O/T]", "(official and third parties)"),
        ("[O]", "(official)"),
        ("[L]", "(seen live)"),
        ("[T]", "(third party)"),
        ("[?]", "(inferred)"),
    ]
    .iter()
    .fold(source.to_owned(), |text, (mark, words)| text.replace(mark, words))
}

fn retry_words(retry: sesame_core::classify::RetryRule) -> &'static str {
    use sesame_core::classify::RetryRule;
    match retry {
        RetryRule::Never => "not repeated",
        RetryRule::Backoff => "repeated after a growing pause",
        RetryRule::Second => "repeated after one second",
        RetryRule::Ban => "repeated after the seconds in the message",
        RetryRule::NextDay => "repeated after midnight in Beijing",
        RetryRule::Refresh => "repeated once with a new token",
        RetryRule::Clock => "repeated once with the clock corrected",
        RetryRule::Later => "not repeated; it may work later",
    }
}

/// How much of an unknown code is repeated.
const LONGEST_SHOWN: usize = 100;

fn not_found(args: &ExplainArgs, catalog: &sesame_catalog::Catalog) -> Error {
    let codes = catalog.codes(args.platform.as_deref()).unwrap_or_default();
    let codes = codes.iter().map(String::as_str).filter(|code| !is_number(code));
    // A number is not misspelled: the next one means something else.
    let near = if is_number(&args.code) { None } else { nearest(&args.code, codes) };
    let near = near.map(|code| format!("Did you mean {code}? ")).unwrap_or_default();
    let place = args.platform.as_deref().map(|place| format!(" on {place}")).unwrap_or_default();
    let shown: String = args.code.trim().chars().take(LONGEST_SHOWN).collect();
    Error::usage(format!("unknown code{place}: {shown:?}")).with_hint(format!(
        "{near}`sesame apis show API` lists the business errors of one API; the platform's page of the API may list more."
    ))
}

/// Returns `true` for codes like `302`, `-4003` and `E302`.
fn is_number(code: &str) -> bool {
    code.trim().trim_start_matches(['-', 'E', 'e']).bytes().all(|byte| byte.is_ascii_digit())
}
