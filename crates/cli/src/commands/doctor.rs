//! `sesame doctor`: this machine, the settings, the route to the platforms.

use std::path::Path;

use jiff::Timestamp;
use serde_json::json;
use sesame_catalog::Environment;
use sesame_core::{HttpRequest, request::Method, time::parse_http_date};
use sesame_http::HttpTransport;
use sesame_vault::ensure_private;

use crate::{
    context::Context,
    exit::{CliError, CliResult},
    humanize,
    output::Format,
    runtime,
    settings::Key,
    table::Rows,
};

/// Beyond this many seconds some gateways refuse calls; the narrowest documented window is ten minutes.
const TOO_FAR: i64 = 120;

/// Options of `doctor`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sesame doctor
  sesame doctor --online
  SESAME_ENDPOINT=http://127.0.0.1:4600 sesame doctor --output json

Exits 1 if something is wrong. Platforms are asked for their time only with --online; a sandbox always.
JSON: [{\"check\",\"state\",\"found\",\"do\"}]; state is ok, note or wrong.")]
pub(crate) struct DoctorArgs {
    /// Also asks the platforms: can they be reached, and how far is this clock off.
    #[arg(long)]
    online: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Ok,
    Note,
    Wrong,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Wrong => "wrong",
        }
    }
}

struct Finding {
    check: String,
    state: State,
    found: String,
    todo: String,
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(
        &mut self,
        check: impl Into<String>,
        state: State,
        found: impl Into<String>,
        todo: impl Into<String>,
    ) {
        self.0.push(Finding { check: check.into(), state, found: found.into(), todo: todo.into() });
    }
}

/// Checks and prints. `wrong` is what keeps the configuration from being read.
pub(crate) fn run(args: &DoctorArgs, context: &Context, wrong: Option<&CliError>) -> CliResult {
    runtime::block_on(context, async {
        let mut findings = Findings::default();
        if let Some(wrong) = wrong {
            findings.wrong("config", wrong);
        }
        settings(context, &mut findings);
        catalog(context, &mut findings);
        vault(context, &mut findings).await;
        route(args, context, &mut findings).await?;
        print(context, &findings)
    })
}

fn settings(context: &Context, findings: &mut Findings) {
    let chosen = &context.settings;
    findings.add("version", State::Ok, env!("CARGO_PKG_VERSION"), "");
    let home = &chosen.home;
    let (state, found, todo) = match std::fs::metadata(&home.value) {
        Ok(meta) if !meta.is_dir() => (State::Wrong, "not a directory", "Name a directory: SESAME_HOME=DIR."),
        Ok(_) if ensure_private("the home", &home.value).is_err() => (
            State::Wrong,
            "others can change it",
            "It belongs to another user, or others can write it: chown or chmod go-w.",
        ),
        Ok(_) if !can_write(&home.value) => (
            State::Wrong,
            "cannot be written",
            "Check who owns it, its mode and the free space; or name another with SESAME_HOME.",
        ),
        Ok(_) => (State::Ok, "can be written", ""),
        Err(_) => (State::Note, "does not exist yet", "It is made when something is stored."),
    };
    findings.add("home", state, format!("{} ({}; {found})", home.value.display(), home.origin), todo);
    findings.add(
        "output",
        State::Ok,
        format!("{} ({})", chosen.output.value.map_or("of each command", format_word), chosen.output.origin),
        "",
    );
    findings.add(
        "timeout",
        State::Ok,
        format!("{} ({})", humanize::duration(chosen.timeout.value), chosen.timeout.origin),
        "",
    );
    match context.environment() {
        Ok(Environment::Live) => findings.add(
            "endpoint",
            State::Ok,
            format!("the real platforms ({})", chosen.endpoint.origin),
            "",
        ),
        Ok(environment) => findings.add(
            "endpoint",
            State::Note,
            format!("{environment} ({})", chosen.endpoint.origin),
            "Unset it to reach the real platforms.",
        ),
        Err(stop) => findings.wrong("endpoint", &stop),
    }
}

impl Findings {
    fn wrong(&mut self, check: &str, stop: &CliError) {
        let (found, todo) = match stop {
            CliError::Failed(error) => {
                (error.message().to_owned(), error.hint().unwrap_or_default().to_owned())
            }
            _ => ("failed".to_owned(), String::new()),
        };
        self.add(check, State::Wrong, found, todo);
    }
}

fn format_word(format: Format) -> &'static str {
    match format {
        Format::Table => "table",
        Format::Json => "json",
        Format::Ndjson => "ndjson",
        Format::Csv => "csv",
        Format::Excel => "excel",
        Format::Xlsx => "xlsx",
    }
}

/// Tries it: permission bits do not know of read-only mounts and full disks.
fn can_write(directory: &Path) -> bool {
    let probe = directory.join(format!(".doctor-{}", std::process::id()));
    let written = std::fs::write(&probe, b"sesame doctor\n").is_ok();
    let _ = std::fs::remove_file(&probe);
    written
}

fn catalog(context: &Context, findings: &mut Findings) {
    match context.catalog() {
        Err(stop) => findings.wrong("catalog", &stop),
        Ok(catalog) => {
            let own = context
                .settings
                .catalog_dir()
                .map_or_else(String::new, |path| format!(", with {}", path.display()));
            findings.add("catalog", State::Ok, format!("{} platforms{own}", catalog.platforms().len()), "");
        }
    }
}

async fn vault(context: &Context, findings: &mut Findings) {
    let chosen = &context.settings.vault;
    // An invalid address may hold a password.
    let shown = context.settings.location().map_or_else(|_| "…".to_owned(), |location| location.to_string());
    let place = format!("{shown} ({})", chosen.origin);
    let is_new = match context.vault_is_new().await {
        Ok(is_new) => is_new,
        Err(stop) => {
            // An invalid endpoint was reported before.
            if context.environment().is_ok() {
                findings.wrong("vault", &stop);
                return;
            }
            false
        }
    };
    if is_new {
        findings.add(
            "vault",
            State::Note,
            format!("{place}; does not exist yet"),
            "It is made with the first `sesame app add`.",
        );
        return;
    }
    // Said before, as what is wrong with the catalog.
    if context.catalog().is_err() {
        findings.add("vault", State::Note, format!("{place}; not opened"), "Fix the catalog first.");
        return;
    }
    let vault = match context.vault().await {
        Ok(vault) => vault,
        Err(stop) => {
            findings.wrong("vault", &stop);
            return;
        }
    };
    findings.add("vault", State::Ok, place, "");
    let asked = match &context.settings.key {
        Key::Auto => "as the vault remembers",
        Key::Keyring | Key::File => "as SESAME_KEY or config.toml says",
        Key::Passphrase(_) => "SESAME_PASSPHRASE",
        Key::Environment(_) => "SESAME_MASTER_KEY",
    };
    findings.add("master key", State::Ok, format!("{} ({asked})", vault.key_kind()), "");
    match (vault.apps().await, vault.accounts().await) {
        (Ok(apps), Ok(accounts)) => {
            let waiting: Vec<&str> = accounts
                .iter()
                .filter(|account| account.state.reason().is_some())
                .map(|account| account.name.as_str())
                .collect();
            findings.add(
                "shops",
                State::Ok,
                format!("{}, {}", counted(apps.len(), "app"), counted(accounts.len(), "account")),
                "",
            );
            let mut from_future = accounts.iter().filter(|account| account.issued_in_future.is_some());
            if let Some(first) = from_future.next() {
                let more = match from_future.count() {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                findings.add(
                    "issue times",
                    State::Note,
                    format!(
                        "the tokens of {}{more} were issued in the future: a clock was ahead",
                        first.name
                    ),
                    "`sesame keeper` or `sesame refresh` replaces them.",
                );
            }
            if !waiting.is_empty() {
                findings.add(
                    "authorization",
                    State::Wrong,
                    format!(
                        "{} must be authorized again: {}",
                        counted(waiting.len(), "account"),
                        waiting.join(", ")
                    ),
                    "See `sesame accounts`.",
                );
            }
        }
        (Err(error), _) | (_, Err(error)) => findings.wrong("shops", &error.into()),
    }
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

async fn route(args: &DoctorArgs, context: &Context, findings: &mut Findings) -> CliResult {
    let transport = HttpTransport::new();
    if let Environment::Sandbox(url) = context.environment().unwrap_or_default() {
        probe(context, findings, "sandbox", url.as_str()).await;
        return Ok(());
    }
    findings.add("tls", State::Ok, "certificates are always verified, by this system's own store", "");
    // What is wrong with it was said before.
    let Ok(catalog) = context.catalog() else { return Ok(()) };
    for platform in catalog.platforms() {
        let Some(region) = platform.regions.first() else { continue };
        let check = format!("route {}", platform.name);
        if let Some(instead) = &platform.switched_off {
            findings.add(&check, State::Note, "switched off on the live side", instead);
            continue;
        }
        let more = if platform.regions.len() > 1 {
            format!(", {} regions", platform.regions.len())
        } else {
            String::new()
        };
        match transport.route(&region.api) {
            Err(error) => findings.wrong(&check, &error.into()),
            Ok(way) if args.online => {
                findings.add(&check, State::Ok, format!("{} ({way}{more})", region.api), "");
                probe(context, findings, &format!("reach {}", platform.name), &region.api).await;
            }
            Ok(way) => {
                findings.add(&check, State::Ok, format!("{} ({way}{more}; not tried)", region.api), "");
            }
        }
    }
    if !args.online {
        findings.add(
            "clock",
            State::Note,
            "not compared",
            "Use --online to ask the platforms for their time.",
        );
    }
    Ok(())
}

/// Asks a host for anything at all and reads its `Date`.
async fn probe(context: &Context, findings: &mut Findings, check: &str, url: &str) {
    let mut request = HttpRequest::new(Method::GET, format!("{url}/"));
    request.timeout = context.settings.timeout.value.min(std::time::Duration::from_secs(10));
    request.max_reply = 1 << 20;
    let before = context.clock.now();
    match context.transport().send(request).await {
        Err(error) => findings.wrong(check, &error.into()),
        Ok(reply) => {
            findings.add(check, State::Ok, format!("{url} answers"), "");
            match reply.header("date").and_then(parse_http_date) {
                Some(theirs) => {
                    clock(
                        findings,
                        &check.replacen("reach", "clock", 1),
                        before,
                        context.clock.now(),
                        theirs,
                    );
                }
                None => findings.add(
                    check.replacen("reach", "clock", 1),
                    State::Note,
                    "the answer has no Date",
                    "",
                ),
            }
        }
    }
}

fn clock(findings: &mut Findings, check: &str, before: Timestamp, after: Timestamp, theirs: Timestamp) {
    // A Date has whole seconds, and the answer took a while: neither is a fault of the clock.
    let early = theirs.duration_since(after).as_secs();
    let late = before.duration_since(theirs).as_secs() - 1;
    let (off, direction) = if early > 0 { (early, "behind") } else { (late.max(0), "ahead of") };
    let check = if check == "sandbox" { "clock" } else { check };
    if off > TOO_FAR {
        findings.add(
            check,
            State::Wrong,
            format!(
                "this clock is {} {direction} the platform's",
                humanize::duration(std::time::Duration::from_secs(off.unsigned_abs()))
            ),
            "Set the clock (NTP). Sesame corrects its own calls once, other programs will be refused.",
        );
    } else {
        findings.add(check, State::Ok, "agrees with the platform's", "");
    }
}

fn print(context: &Context, findings: &Findings) -> CliResult {
    let mut rows = Rows::new(&["check", "state", "found", "do"]);
    let mut records = Vec::new();
    for Finding { check, state, found, todo } in &findings.0 {
        rows.push([check.as_str(), state.as_str(), found, todo]);
        records.push(json!({"check": check, "state": state.as_str(), "found": found, "do": todo}));
    }
    context.printer(Format::Table).list(&records, &rows)?;
    if findings.0.iter().any(|finding| finding.state == State::Wrong) {
        Err(CliError::Status(1))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_wrong_only_beyond_what_the_answer_took() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let judged = |theirs: &str| {
            let mut findings = Findings::default();
            clock(&mut findings, "clock", at("2026-11-21T12:00:00Z"), at("2026-11-21T12:00:05Z"), at(theirs));
            (findings.0[0].state.as_str(), findings.0[0].found.clone())
        };
        assert_eq!(judged("2026-11-21T12:00:02Z").0, "ok");
        assert_eq!(judged("2026-11-21T11:59:59Z").0, "ok");
        let (state, found) = judged("2026-11-21T15:00:05Z");
        assert_eq!((state, found.as_str()), ("wrong", "this clock is 3 h behind the platform's"));
        let (state, found) = judged("2026-11-21T09:00:00Z");
        assert_eq!(state, "wrong");
        assert!(found.contains("ahead of"), "{found}");
    }
}
