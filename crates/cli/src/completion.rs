//! Values that a shell completes: names of the vault, platforms, APIs, error codes.

use std::{ffi::OsStr, sync::Arc, time::Duration};

use clap::{Command, CommandFactory as _};
use clap_complete::{
    CompleteEnv,
    engine::{ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter as _},
};
use sesame_catalog::{Catalog, Param};
use sesame_vault::store::{AccountStore as _, AppStore as _, SqlStore};

use crate::{args::Cli, commands::completions::VARIABLE, global::Global, settings::Settings};

/// The most values that are offered.
const MOST: usize = 500;
/// How deep members are offered: some documents describe types inside themselves.
const DEEPEST: usize = 12;
/// How long a vault may take to name them: a person waits for the key that was pressed.
const PATIENCE: Duration = Duration::from_millis(500);

/// Answers a completion script, if one asks. Returns `true` if it did.
pub(crate) fn answer() -> bool {
    let words = std::env::args_os();
    let here = std::env::current_dir().ok();
    let done = CompleteEnv::with_factory(|| with_values(Cli::command()))
        .var(VARIABLE)
        .try_complete(words, here.as_deref());
    // A shell shows nothing of an error here; no values are offered then.
    done.unwrap_or(true)
}

/// Adds to each argument what completes it, by the argument's id.
fn with_values(command: Command) -> Command {
    // What is hidden would be offered where nothing else fits.
    if command.is_hide_set() {
        return command.name("");
    }
    let is_explain = command.get_name() == "explain";
    let command = command.mut_args(|argument| {
        let values: fn(&str) -> Vec<String> = match argument.get_id().as_str() {
            // Accounts and then rows: some commands take them from a file.
            "words" if argument.get_value_names().is_some_and(|names| names[0].contains("FILE")) => {
                return argument.add(ArgValueCompleter::new(|current: &OsStr| {
                    let mut values = candidates(current, accounts);
                    values.extend(PathCompleter::any().complete(current));
                    values
                }));
            }
            "account" | "as_name" | "words" => accounts,
            "app" => apps,
            "tag" => tags,
            "platform" | "openapi" => {
                |_| catalog().platforms().iter().map(|platform| platform.name.clone()).collect()
            }
            "protocol" => |_| ["param2", "iop", "top"].map(str::to_owned).into(),
            "api" => apis,
            "arguments" => arguments,
            "code" if is_explain => codes,
            _ => return argument,
        };
        argument.add(ArgValueCompleter::new(move |current: &OsStr| candidates(current, values)))
    });
    command.mut_subcommands(with_values)
}

fn candidates(current: &OsStr, values: fn(&str) -> Vec<String>) -> Vec<CompletionCandidate> {
    let Some(current) = current.to_str() else { return Vec::new() };
    let mut values = values(current);
    values.retain(|value| value.starts_with(current));
    values.sort();
    values.dedup();
    values.truncate(MOST);
    values.into_iter().map(CompletionCandidate::new).collect()
}

fn settings() -> Option<Settings> {
    Settings::gather(&Global::default(), std::env::var_os).ok()
}

fn catalog() -> Arc<Catalog> {
    let own = settings().and_then(|settings| settings.catalog_dir());
    Arc::new(Catalog::open(own.as_deref()).unwrap_or_else(|_| Catalog::builtin()))
}

/// Reads names from the vault's store: for those its key is not needed.
fn names(read: impl AsyncFnOnce(SqlStore) -> Vec<String>) -> Vec<String> {
    let Some(location) = settings().and_then(|settings| settings.location().ok()) else { return Vec::new() };
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return Vec::new();
    };
    let found = runtime.block_on(async {
        let reading = async {
            // Looking must not make a vault.
            if !SqlStore::exists(&location).await.unwrap_or(false) {
                return Vec::new();
            }
            match SqlStore::open(&location).await {
                Ok(store) => read(store).await,
                Err(_) => Vec::new(),
            }
        };
        tokio::time::timeout(PATIENCE, reading).await
    });
    runtime.shutdown_background();
    found.unwrap_or_default()
}

fn accounts(_: &str) -> Vec<String> {
    names(async |store| {
        let rows = store.accounts_after(None, 10_000).await.unwrap_or_default();
        rows.into_iter().map(|row| row.account.name).collect()
    })
}

fn tags(_: &str) -> Vec<String> {
    names(async |store| {
        let rows = store.accounts_after(None, 10_000).await.unwrap_or_default();
        rows.into_iter().flat_map(|row| row.account.tags).collect()
    })
}

fn apps(_: &str) -> Vec<String> {
    names(async |store| store.apps().await.unwrap_or_default().into_iter().map(|app| app.name).collect())
}

/// Returns what stands on the line before the word that is completed: the value of an argument of a command.
fn before(argument: &str) -> Option<String> {
    // The words of the line follow the first `--`, which the script of the shell puts there.
    let words = std::env::args_os().skip_while(|word| word != "--").skip(1);
    let matches = Cli::command().ignore_errors(true).try_get_matches_from(words).ok()?;
    let mut inner = &matches;
    while let Some((_, sub)) = inner.subcommand() {
        inner = sub;
    }
    inner.try_get_one::<String>(argument).ok().flatten().cloned()
}

/// Returns the platform that the line is about: of its account, or of `--platform`.
fn platform() -> Option<String> {
    let of = |account: String| {
        let found = names(async |store| {
            let row = store.account(&account).await.ok().flatten();
            row.map(|row| row.app.platform).into_iter().collect()
        });
        found.into_iter().next()
    };
    before("platform").or_else(|| before("account").and_then(of))
}

fn apis(current: &str) -> Vec<String> {
    let catalog = catalog();
    let platform = platform();
    let platforms = catalog.platforms().iter().map(|known| known.name.as_str());
    let platforms = platforms.filter(|name| platform.as_deref().is_none_or(|wanted| wanted == *name));
    let known = platforms.flat_map(|name| catalog.list(name)).map(|api| api.name);
    // A name without its namespace will do, too.
    let fits = |name: String| {
        let bare = name.rsplit(':').next().filter(|bare| bare.starts_with(current)).map(str::to_owned);
        if name.starts_with(current) { Some(name) } else { bare }
    };
    known.filter_map(fits).collect()
}

/// Offers the parameters of the API, their members, and the values that its documents list.
fn arguments(current: &str) -> Vec<String> {
    let Some((platform, api)) = platform().zip(before("api")) else { return Vec::new() };
    let Ok(api) = catalog().api(&platform, &api) else { return Vec::new() };
    let given = current.split_once('=').map(|(name, _)| name);
    let mut out = Vec::new();
    for param in api.callers() {
        offer(param, &param.name, given, current, 0, &mut out);
    }
    out
}

/// Offers a parameter or a member, and what is inside. `given` is the name that stands before `=`.
fn offer(param: &Param, path: &str, given: Option<&str>, current: &str, depth: usize, out: &mut Vec<String>) {
    match given {
        Some(given) if given == path => {
            let values = param.values.iter().filter_map(sesame_core::scalar::text);
            out.extend(values.map(|value| format!("{path}={value}")));
        }
        // Of what has members the members are offered once it is written.
        None if depth == 0 || param.children.is_empty() => out.push(format!("{path}=")),
        _ => {}
    }
    if !current.starts_with(path.split('.').next().unwrap_or_default()) || depth == DEEPEST {
        return;
    }
    // The position that is written, or the first.
    let rest = current.strip_prefix(path).and_then(|rest| rest.strip_prefix('.')).unwrap_or_default();
    let position = rest.split('.').next().filter(|text| text.parse::<u32>().is_ok()).unwrap_or("0");
    let path = if param.list { format!("{path}.{position}") } else { path.to_owned() };
    for child in &param.children {
        offer(child, &format!("{path}.{}", child.name), given, current, depth + 1, out);
    }
}

fn codes(_: &str) -> Vec<String> {
    catalog().codes(before("platform").as_deref()).unwrap_or_default()
}
