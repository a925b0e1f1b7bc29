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

JSON: [{\"scope\",\"code\",\"sub_code\",\"kind\",\"fault\",\"retry\",\"says\",\"advice\",\"maybe_done\",\"guess\",\"source\",\"date\"}]; \
exits 1 for a code that no table has.")]
pub(crate) struct ExplainArgs {
    /// A code or sub code, as the platform printed it.
    code: String,
    /// Only this platform or protocol.
    #[arg(long, short, value_name = "NAME")]
    platform: Option<String>,
}

/// Looks the code up everywhere and prints what was found.
pub(crate) fn run(args: &ExplainArgs, context: &Context) -> CliResult {
    let catalog = context.catalog()?;
    let mut found = catalog.explain(args.code.trim());
    if let Some(wanted) = &args.platform {
        let protocol = match catalog.platform(wanted) {
            Ok(platform) => platform.protocol.as_str().to_owned(),
            Err(_) if wanted.parse::<sesame_core::Protocol>().is_ok() => wanted.clone(),
            Err(error) => return Err(error.into()),
        };
        found.retain(|explained| explained.scope == *wanted || explained.scope == protocol);
    }
    let mut printer = context.printer(Format::Table);
    if found.is_empty() {
        let error = not_found(args, &catalog);
        // Not a mistake on the command line: the tables do not know it. Hence 1, as grep has it.
        report(&error, !printer.for_people(), None);
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
        printer.line(format_args!("{code}  ({})", explained.scope))?;
        let guess = if rule.guess { " (a guess)" } else { "" };
        printer.line(format_args!("  means   {}{guess}", rule.says))?;
        printer.line(format_args!("  do      {}", rule.advice))?;
        let maybe = if rule.maybe_done { "; the call may have been carried out all the same" } else { "" };
        printer.line(format_args!(
            "  kind    {}, fault of the {}, {}{maybe}",
            rule.kind,
            rule.fault.as_str(),
            retry_words(rule.retry)
        ))?;
        printer.line(format_args!("  exit    {}", crate::exit::exit_code(rule.kind)))?;
        printer.line(format_args!("  source  {} ({})", rule.source, rule.date))?;
    }
    printer.flush()
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
    }
}

fn not_found(args: &ExplainArgs, catalog: &sesame_catalog::Catalog) -> Error {
    let codes: Vec<&str> = catalog
        .platforms()
        .iter()
        .flat_map(|platform| &platform.replies.errors.rules)
        .flat_map(|rule| [rule.code.as_str(), rule.sub_code.as_str()])
        .filter(|code| !code.is_empty() && !code.contains('*'))
        .collect();
    let near = nearest(&args.code, codes).map(|code| format!("Did you mean {code}? ")).unwrap_or_default();
    Error::usage(format!("no table has the code {:?}", args.code))
        .with_hint(format!("{near}`sesame apis show API` lists the business errors of one API; the platform's page of the API may know more."))
}
