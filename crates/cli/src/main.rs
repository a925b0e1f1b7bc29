//! The binary `sesame`: reads the command line, runs one command, leaves with its exit code.

mod address;
mod args;
mod bounded_file;
mod chosen;
mod columns;
#[cfg(test)]
mod coming_from;
mod commands;
mod completion;
mod context;
mod crash;
mod differences;
mod env_file;
mod exit;
mod facets;
mod global;
mod hidden_input;
mod humanize;
mod json_text;
mod list;
mod logs;
mod output;
mod parameters;
mod progress;
mod prompt;
mod record;
mod reference;
mod resume;
mod runtime;
mod schema_fields;
mod secret_input;
mod settings;
mod sheet;
mod shops;
mod span;
mod status;
mod table;
mod workbook;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use sesame_core::Error;
use tracing::level_filters::LevelFilter;

use crate::{
    args::{Cli, Command},
    context::Context,
    exit::{CliError, CliResult, note, report},
    global::Color,
    output::Format,
    settings::Settings,
};

fn main() -> ExitCode {
    crash::install_hook();
    // A panic was reported by the hook; scripts get the code for "anything else".
    ExitCode::from(std::panic::catch_unwind(run).unwrap_or(1))
}

fn run() -> u8 {
    if std::env::var_os(commands::completions::VARIABLE).is_some() && completion::answer() {
        return 0;
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(mut error) => {
            drop_far_suggestions(&mut error);
            name_usage(&mut error);
            return refuse(&error);
        }
    };
    if let Some(color) = cli.global.color {
        match color {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
        }
        .write_global();
    }
    let mut json = cli.global.output == Some(Format::Json);
    let mut endpoint = None;
    let verbose = cli.global.verbose > 0;
    let outcome = (|| {
        let filter = std::env::var_os("SESAME_LOG").map(|value| settings::as_text("SESAME_LOG", value));
        // Nobody sits before a keeper: it says by itself which shop failed, and why.
        let usual = match cli.command {
            Command::Keeper(_) => LevelFilter::WARN,
            _ => LevelFilter::OFF,
        };
        logs::start(cli.global.verbose, filter.transpose()?.as_deref(), usual)?;
        // The demo lives in its own home and must not see the user's.
        if let Command::Demo(args) = cli.command {
            return commands::demo::run(&args);
        }
        let settings = match Settings::gather(&cli.global, std::env::var_os) {
            Ok(settings) => settings,
            // It is there to say what is wrong.
            Err(wrong) => match &cli.command {
                Command::Doctor(args) => {
                    let settings = Settings::without_file(&cli.global, std::env::var_os)?;
                    json = matches!(settings.output.value, Some(Format::Json | Format::Ndjson));
                    return commands::doctor::run(args, &Context::new(settings), Some(&wrong));
                }
                _ => return Err(wrong),
            },
        };
        json = matches!(settings.output.value, Some(Format::Json | Format::Ndjson));
        exit::use_json_lines(json);
        endpoint.clone_from(&settings.endpoint.value);
        dispatch(cli.command, &Context::new(settings))
    })();
    match outcome {
        Ok(()) => 0,
        Err(stop) => {
            let code = stop.code();
            match stop {
                CliError::Failed(error) | CliError::Output(error) => {
                    report(&error, json, endpoint.as_deref(), verbose);
                }
                CliError::Incomplete(error, printed) if json => {
                    report(&error.context(printed), json, endpoint.as_deref(), verbose);
                }
                CliError::Incomplete(error, printed) => {
                    report(&error, json, endpoint.as_deref(), verbose);
                    note("warning", &printed);
                }
                CliError::ReaderGone | CliError::Status(_) => {}
            }
            code
        }
    }
}

fn dispatch(command: Command, context: &Context) -> CliResult {
    match command {
        Command::Demo(args) => commands::demo::run(&args),
        Command::Sandbox(args) => commands::sandbox::run(&args, context),
        Command::App(command) => commands::app::run(command, context),
        Command::Login(args) => commands::login::run(&args, context),
        Command::Accounts(args) => commands::accounts::run(&args, context),
        Command::Keeper(args) => commands::keeper::run(args, context),
        Command::Logout(args) => commands::logout::run(&args, context),
        Command::Token(args) => commands::token::run(&args, context),
        Command::Refresh(args) => commands::refresh::run(&args, context),
        Command::Call(args) => commands::call::run(&args, context),
        Command::Apis(command) => commands::apis::run(command, context),
        Command::Catalog(command) => commands::catalog::run(command, context),
        Command::Codegen(args) => commands::codegen::run(&args, context),
        Command::Sign(args) => commands::sign::run(&args, context),
        Command::Explain(args) => commands::explain::run(&args, context),
        Command::Orders(command) => commands::orders::run(command, context),
        Command::Freight(args) => commands::freight::run(&args, context),
        Command::Products(command) => commands::products::run(command, context),
        Command::Stock(command) => commands::stock::run(&command, context),
        Command::Price(command) => commands::stock::run_price(&command, context),
        Command::Categories(command) => commands::categories::run(command, context),
        Command::Schema(command) => commands::schema::run(command, context),
        Command::Templates(command) => commands::templates::run(command, context),
        Command::Vault(command) => commands::vault::run(command, context),
        Command::Doctor(args) => commands::doctor::run(&args, context, None),
        Command::Completions(args) => commands::completions::run(&args),
        Command::GenerateDocs { man } => commands::generate_docs(Cli::command(), man.as_deref()),
    }
}

/// Removes what clap suggests although nobody can have meant it, such as `refresh` for `orders`.
fn drop_far_suggestions(error: &mut clap::Error) {
    use clap::error::{ContextKind, ContextValue};
    let words = |value: Option<&ContextValue>| match value {
        Some(ContextValue::String(word)) => vec![word.trim_start_matches('-').to_owned()],
        Some(ContextValue::Strings(words)) => {
            words.iter().map(|word| word.trim_start_matches('-').to_owned()).collect()
        }
        _ => Vec::new(),
    };
    for (typed, suggested) in [
        (ContextKind::InvalidSubcommand, ContextKind::SuggestedSubcommand),
        (ContextKind::InvalidArg, ContextKind::SuggestedArg),
    ] {
        let (typed, names) = (words(error.get(typed)), words(error.get(suggested)));
        let is_near = typed.first().is_some_and(|typed| {
            sesame_core::nearest::nearest(typed, names.iter().map(String::as_str)).is_some()
        });
        if !is_near && error.remove(suggested).is_some() {
            // An empty list of other tips is a blank line.
            error.remove(ContextKind::Suggested);
        }
    }
}

/// Gives an error about an argument the usage of its command. clap's own would be that of a command line
/// with the argument that it suggests.
fn name_usage(error: &mut clap::Error) {
    use clap::error::{ContextKind, ContextValue, ErrorKind};
    if error.kind() != ErrorKind::UnknownArgument {
        return;
    }
    let mut command = Cli::command();
    command.build();
    for word in std::env::args_os().skip(1) {
        if let Some(found) = command.find_subcommand(&word) {
            command = found.clone();
        }
    }
    error.insert(ContextKind::Usage, ContextValue::StyledStr(command.render_usage()));
}

/// Prints clap's message, or help and version, which are not errors.
fn refuse(error: &clap::Error) -> u8 {
    use clap::error::ErrorKind;
    let shown = matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    );
    let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    if !shown && wants_json(words, std::env::var("SESAME_OUTPUT").ok().as_deref()) {
        let (message, hint) = told(&error.render().to_string());
        report(&Error::usage(message).with_hint(hint), true, None, false);
        return 2;
    }
    let printed = error.print().and_then(|()| std::io::Write::flush(&mut std::io::stdout()));
    match printed.map_err(CliError::from) {
        // Help that did not arrive is a failure. Of an error its code tells, whoever reads it.
        Err(stop @ CliError::Output(_)) if shown => {
            if let CliError::Output(error) = &stop {
                report(error, false, None, false);
            }
            stop.code()
        }
        _ => u8::try_from(error.exit_code()).unwrap_or(2),
    }
}

/// Takes clap's text apart: what is wrong, with the arguments it names, and the rest.
fn told(text: &str) -> (String, String) {
    let mut lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("For more information"))
        .peekable();
    let mut message = lines.next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    if message.ends_with(':') {
        let mut before = " ";
        while let Some(name) = lines.next_if(|line| !line.starts_with("Usage:")) {
            message.push_str(before);
            message.push_str(name);
            before = ", ";
        }
    }
    (message, lines.collect::<Vec<_>>().join(" "))
}

/// Looks for the form of the results where the command line could not be parsed: in its own words
/// first, then in `SESAME_OUTPUT`.
fn wants_json(arguments: impl Iterator<Item = String>, variable: Option<&str>) -> bool {
    let arguments: Vec<String> = arguments.collect();
    let form = arguments.iter().enumerate().find_map(|(at, word)| match word.as_str() {
        "--output" | "-o" => arguments.get(at + 1).map(String::as_str),
        word => word
            .strip_prefix("--output=")
            .or_else(|| word.strip_prefix("-o").filter(|_| !word.starts_with("--"))),
    });
    matches!(form.or(variable.map(str::trim)), Some("json" | "ndjson"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_seen_on_a_broken_command_line() {
        let wants =
            |words: &[&str], variable| wants_json(words.iter().map(|word| (*word).to_owned()), variable);
        assert!(wants(&["sesame", "call", "--output", "json"], None));
        assert!(wants(&["sesame", "--output=json"], None));
        assert!(wants(&["sesame", "-ojson"], None));
        assert!(!wants(&["sesame", "--output"], None));
        assert!(!wants(&["sesame", "apis", "json"], None));
        assert!(wants(&["sesame", "refresh"], Some("json")));
        assert!(!wants(&["sesame", "refresh", "-o", "table"], Some("json")));
    }

    #[test]
    fn missing_arguments_are_named_in_the_message() {
        let text = "error: the following required arguments were not provided:\n  <A>\n  <B>\n\nUsage: sesame x <A> <B>\n\nFor more information, try '--help'.\n";
        let (message, hint) = told(text);
        assert_eq!(message, "the following required arguments were not provided: <A>, <B>");
        assert_eq!(hint, "Usage: sesame x <A> <B>");
    }
}
