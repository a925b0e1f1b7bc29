//! The reference of all commands, written from the command line's own definition.

use std::fmt::Write as _;

use clap::{Arg, Command};

/// Writes `docs/cli.md`.
pub(crate) fn markdown(mut root: Command) -> String {
    let mut out = String::from(
        "<!-- Written by `sesame generate-docs`; a test fails when it is stale. Do not edit. -->\n\n# The command line\n\n",
    );
    root.build();
    command(&mut out, &root, "sesame", 1);
    let mut text = out.lines().fold(String::new(), |text, line| text + line.trim_end() + "\n");
    while text.ends_with("\n\n") {
        text.pop();
    }
    text
}

fn command(out: &mut String, command_: &Command, path: &str, depth: usize) {
    if depth > 1 {
        let _ = writeln!(out, "{} `{path}`\n", "#".repeat(depth.min(4)));
    }
    if let Some(about) = command_.get_long_about().or(command_.get_about()) {
        let _ = writeln!(out, "{about}\n");
    }
    let subcommands: Vec<&Command> =
        command_.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help").collect();
    if subcommands.is_empty() || !command_.is_subcommand_required_set() {
        let usage = command_.clone().render_usage().to_string();
        let usage = usage.trim_start_matches("Usage: ").trim();
        let _ = writeln!(out, "```text\n{usage}\n```\n");
    }
    let own: Vec<&Arg> = command_
        .get_arguments()
        .filter(|arg| {
            !arg.is_hide_set()
                && !matches!(arg.get_id().as_str(), "help" | "version")
                && (depth == 1 || !arg.is_global_set())
        })
        .collect();
    if !own.is_empty() {
        out.push_str("| Argument | Meaning |\n|---|---|\n");
        for arg in own {
            let _ = writeln!(out, "| {} | {} |", spelling(arg), meaning(arg));
        }
        out.push('\n');
    }
    if let Some(help) = command_.get_after_long_help().or(command_.get_after_help()) {
        let _ = writeln!(out, "```text\n{help}\n```\n");
    }
    for sub in subcommands {
        command(out, sub, &format!("{path} {}", sub.get_name()), depth + 1);
    }
}

fn spelling(arg: &Arg) -> String {
    let values: Vec<String> =
        arg.get_value_names().unwrap_or_default().iter().map(ToString::to_string).collect();
    let takes = arg.get_action().takes_values();
    let value = if takes { values.join(" ") } else { String::new() };
    match (arg.get_short(), arg.get_long()) {
        (short, Some(long)) => {
            let short = short.map(|short| format!("-{short}, ")).unwrap_or_default();
            format!("`{}`", format!("{short}--{long} {value}").trim())
        }
        _ => format!("`{value}`"),
    }
    .replace('|', "\\|")
}

fn meaning(arg: &Arg) -> String {
    let mut text = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
    // clap takes the full stop off one-line helps.
    if !text.ends_with(['.', ']']) {
        text.push('.');
    }
    if arg.get_action().takes_values() && !arg.is_hide_possible_values_set() {
        let values: Vec<String> =
            arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
        if !values.is_empty() {
            let _ = write!(text, " One of: {}.", values.join(", "));
        }
    }
    let defaults: Vec<String> =
        arg.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
    if !defaults.is_empty() && arg.get_action().takes_values() {
        let _ = write!(text, " Default: {}.", defaults.join(", "));
    }
    text.replace('\n', " ").replace('|', "\\|")
}
