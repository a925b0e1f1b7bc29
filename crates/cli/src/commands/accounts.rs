//! `sesame accounts`: the health of every shop's tokens; their names and tags.

mod filters;
mod tags;

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::json;
use sesame_core::Error;
use sesame_vault::{Account, Listed, seal::KeyKind};

use filters::Filters;
use tags::{Changes, read_changes};

use crate::{
    commands::vault,
    context::Context,
    exit::{CliError, CliResult, NEEDS_PERSON, note, say},
    humanize,
    output::Format,
    runtime, status,
    table::Rows,
};

/// Options of `accounts`.
#[derive(Debug, clap::Args)]
#[command(
    subcommand_value_name = "COMMAND",
    subcommand_help_heading = "Commands",
    after_help = "\
Examples:
  sesame accounts
  sesame accounts --state needs-authorization
  sesame accounts --tag eu --output json
  sesame accounts show myshop
  sesame accounts tag myshop +eu +team:berlin -old

Sorted by urgency. --expiring lists the shops that must be authorized within that time or whose \
authorization has ended, and exits 3 if there is one. A shop whose tokens `sesame keeper` extends is \
listed once that is overdue. From cron, as a mail with the list:
  due=$(sesame accounts --expiring 30d 2>&1) || echo \"$due\" | mail \\
      -s 'authorize a shop' owner@example.com

The table is for people; its columns access and refresh say how long the tokens still last. csv has the \
fields of JSON as columns.
JSON: [{\"name\",\"platform\",\"app\",\"login\",\"shop_id\",\"country\",\"region\",\"sandbox\",\"state\",\"reason\", \
\"access_expires_at\",\"refresh_expires_at\",\"last_success\",\"last_error\",\"last_error_at\",\"attempts\", \
\"generation\",\"id\",\"tags\",\"secret_origin\",\"last_used\",\"created_at\",\"needs_person_by\",\"next_warning_at\", \
\"issued_in_future\",\"access_seconds_left\",\"refresh_seconds_left\",\"advice\",\"master_key\"}]; state is healthy, \
needs-refresh or needs-authorization; secret_origin is where the app's secret was read from, and \
master_key what seals it: keyring, file, passphrase or environment."
)]
pub(crate) struct AccountsArgs {
    #[command(flatten)]
    filters: Filters,
    #[command(subcommand)]
    command: Option<AccountsCommand>,
}

/// The commands of `accounts`.
#[derive(Debug, clap::Subcommand)]
enum AccountsCommand {
    /// Lists the shops, as `sesame accounts` alone does.
    #[command(after_help = "\
Examples:
  sesame accounts list
  sesame accounts list --state needs-authorization --output csv

JSON: as `sesame accounts`.")]
    List {
        #[command(flatten)]
        filters: Filters,
    },
    /// Shows all that is known of one shop.
    #[command(after_help = "\
Examples:
  sesame accounts show myshop
  sesame accounts show myshop --output json

JSON: one object as in the list of `sesame accounts`.")]
    Show {
        /// The account.
        #[arg(value_name = "ACCOUNT")]
        name: String,
    },
    /// Gives a shop another name. Scripts that use the old one have to be changed.
    #[command(after_help = "\
Examples:
  sesame accounts rename seller@example.com summer

JSON: one object as in the list of `sesame accounts`.")]
    Rename {
        /// The account.
        #[arg(value_name = "ACCOUNT")]
        old: String,
        /// Its new name.
        #[arg(value_name = "NEW")]
        new: String,
    },
    /// Puts tags on a shop and takes others off.
    #[command(
        override_usage = "sesame accounts tag [OPTIONS] <ACCOUNT> <+TAG|-TAG>...",
        after_help = "\
Examples:
  sesame accounts tag myshop +eu +team:berlin -old
  sesame accounts --tag eu

Tags have letters, digits and -_.:/, at most 50 of them; a shop has at most 32 tags. Options stand \
before the account's name.
JSON: one object as in the list of `sesame accounts`."
    )]
    Tag {
        /// The account.
        #[arg(value_name = "ACCOUNT")]
        name: String,
        /// +TAG puts one on, -TAG takes one off.
        #[arg(value_name = "+TAG|-TAG", required = true, allow_hyphen_values = true, num_args = 1..)]
        changes: Vec<String>,
    },
}

/// What stands in the place of the end of a refresh token.
const END_NOT_KNOWN: &str = "end not known";

/// Lists them, or changes one.
pub(crate) fn run(args: &AccountsArgs, context: &Context) -> CliResult {
    let Some(command) = &args.command else { return list(&args.filters, context) };
    if args.filters.is_any() {
        return Err(Error::usage(
            "--expiring, --tag, --platform, --app and --state choose among all shops, and stand behind `list` or without a command",
        )
        .with_hint("Leave them out, or leave out the command.")
        .into());
    }
    if let AccountsCommand::List { filters } = command {
        return list(filters, context);
    }
    let changes = match command {
        AccountsCommand::Tag { changes, .. } => read_changes(changes)?,
        _ => Changes::default(),
    };
    runtime::block_on(context, async {
        let vault = context.vault().await?;
        match command {
            // Done above.
            AccountsCommand::List { .. } => Ok(()),
            AccountsCommand::Show { name } => show(context, &vault.account(name).await?),
            AccountsCommand::Rename { old, new } => {
                let account = vault.rename_account(old, new).await?;
                changed(context, &account, &format!("{old} is {} now", account.name))
            }
            AccountsCommand::Tag { name, .. } => {
                let account = vault.tag_account(name, &changes.add, &changes.remove).await?;
                let tags = account.tags.join(", ");
                let tags = if tags.is_empty() { "no tags".to_owned() } else { format!("the tags {tags}") };
                changed(context, &account, &format!("{name} has {tags}"))
            }
        }
    })
}

fn list(args: &Filters, context: &Context) -> CliResult {
    args.shops.check(context)?;
    runtime::block_on(context, async {
        // An alarm that looks at a vault which is not there would never sound, and a mistyped place would
        // look like a vault without shops.
        if args.expiring.is_some() || !context.settings.home.value.exists() {
            vault::must_stand(context).await?;
        }
        let now = context.clock.now();
        let (mut endless, mut from_future) = (Noted::default(), Noted::default());
        let is_new = context.vault_is_new().await?;
        let listed = if is_new {
            note("note", &format!("there is no vault yet at {}", context.settings.location()?));
            Listed::default()
        } else {
            let wanted = |account: &Account| {
                if account.issued_in_future.is_some() {
                    from_future.add(account);
                } else if is_endless(account) {
                    endless.add(account);
                }
                args.wants(account, now)
            };
            context.vault().await?.accounts_where(wanted).await?
        };
        if args.expiring.is_some() {
            endless.print(
                "without a known end of the authorization",
                "a refresh or a login tells it on most platforms",
            );
        }
        from_future.print(
            "with tokens issued in the future, by a clock that was ahead",
            "`sesame keeper` or `sesame refresh` replaces them",
        );
        if let Some(notice) = listed.warning() {
            note("warning", &notice.to_string());
        }
        let is_damaged = !listed.unreadable.is_empty();
        let mut accounts = listed.accounts;
        accounts.sort_by_cached_key(|account| status::urgency(account, now));
        let asked = match (args.expiring, args.is_any()) {
            (Some(_), _) => Asked::Expiring,
            (None, true) => Asked::Some,
            (None, false) => Asked::All,
        };
        print(context, &accounts, now, asked)?;
        // Nobody knows how a shop does that cannot be read, or whose ends are not known for a wrong clock.
        if args.expiring.is_some() && (is_damaged || from_future.count > 0 || !accounts.is_empty()) {
            return Err(CliError::Status(NEEDS_PERSON));
        }
        Ok(())
    })
}

/// Shops that a note names: an alarm that is silent about a shop should not be so because nobody knows
/// its end.
#[derive(Default)]
struct Noted {
    count: usize,
    /// The first few in the order of the alphabet: the store has an order of its own.
    names: BTreeSet<String>,
}

impl Noted {
    const NAMED: usize = 5;

    fn add(&mut self, account: &Account) {
        self.count += 1;
        self.names.insert(account.name.clone());
        if self.names.len() > Self::NAMED {
            self.names.pop_last();
        }
    }

    /// Prints "N shops WHAT: NAMES; ADVICE", unless there is none.
    fn print(&self, what: &str, advice: &str) {
        if self.count == 0 {
            return;
        }
        let more = if self.count > Self::NAMED { ", ..." } else { "" };
        let names = self.names.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        note("note", &format!("{} {what}: {names}{more}; {advice}", vault::count(self.count, "shop")));
    }
}

fn is_endless(account: &Account) -> bool {
    account.refresh_expires_at.is_none()
        && (account.has_refresh_token || account.access_expires_at.is_none())
        && account.state.reason().is_none()
}

/// Which accounts are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// All, or those that a command was about.
    All,
    /// Those with some tag, or on some platform.
    Some,
    /// Those that must be authorized within some time.
    Expiring,
}

/// Prints accounts; also after a login.
pub(crate) fn print(context: &Context, accounts: &[Account], now: Timestamp, asked: Asked) -> CliResult {
    let mut printer = context.printer(Format::Table);
    if printer.for_people() && accounts.is_empty() {
        say(match asked {
            Asked::All => "There are no accounts yet. Authorize a shop: sesame login APP",
            Asked::Some => "No account matches.",
            Asked::Expiring => "No shop must be authorized in that time.",
        });
        return Ok(());
    }
    super::app::tell_all_switched_off(context, accounts)?;
    let shown = |account| Shown::of(context, account, now, asked == Asked::Expiring);
    if !printer.for_people() {
        if accounts.is_empty() && printer.format() == Format::Csv {
            return printer.list::<()>(&[], &Rows::new(&FIELDS));
        }
        context.catalog()?;
        // A vault may hold very many: one record at a time.
        return printer.records(
            accounts.iter().map(|account| shown(account).map(|shown| shown.record()).unwrap_or_default()),
        );
    }
    let mixed =
        accounts.iter().any(|account| account.sandbox) && accounts.iter().any(|account| !account.sandbox);
    let mut columns = vec!["account", "platform", "state", "access", "refresh"];
    columns.extend(mixed.then_some("sandbox"));
    let mut rows = Rows::one_line(&columns);
    let mut todo = Vec::new();
    for account in accounts {
        let shown = shown(account)?;
        let country = account.country.as_ref().map(|country| format!(" {country}")).unwrap_or_default();
        let mut cells = vec![
            account.name.clone(),
            format!("{}{country}", account.platform),
            status::state(&account.state).to_owned(),
            shown.access_left(),
            shown.refresh_left(),
        ];
        cells.extend(mixed.then(|| if account.sandbox { "yes" } else { "" }.to_owned()));
        rows.push(cells);
        todo.extend(shown.advice.map(|advice| format!("{}: {advice}", account.name)));
    }
    printer.rows(&rows)?;
    // Commands are not cut, and are pasted: they stand below, not in a column.
    for (nth, line) in todo.iter().enumerate() {
        let before = if nth == 0 { "\n" } else { "" };
        printer.line(format_args!("{before}{}", sesame_core::scalar::printable(line)))?;
    }
    if !mixed && accounts.iter().all(|account| account.sandbox) {
        printer.line("\nThese are shops of the sandbox.")?;
    }
    printer.flush()
}

/// The columns of CSV, which are the members of JSON.
const FIELDS: [&str; 30] = [
    "name",
    "platform",
    "app",
    "login",
    "shop_id",
    "country",
    "region",
    "sandbox",
    "state",
    "reason",
    "access_expires_at",
    "refresh_expires_at",
    "issued_in_future",
    "last_success",
    "last_error",
    "last_error_at",
    "blocked",
    "attempts",
    "generation",
    "id",
    "tags",
    "secret_origin",
    "last_used",
    "created_at",
    "needs_person_by",
    "next_warning_at",
    "access_seconds_left",
    "refresh_seconds_left",
    "advice",
    "master_key",
];

fn changed(context: &Context, account: &Account, sentence: &str) -> CliResult {
    let shown = Shown::of(context, account, context.clock.now(), false)?;
    context.printer(Format::Table).one(&shown.record(), |printer| printer.line(sentence))
}

fn show(context: &Context, account: &Account) -> CliResult {
    let shown = Shown::of(context, account, context.clock.now(), false)?;
    context.printer(Format::Table).one(&shown.record(), |printer| printer.rows(&shown.details()))
}

/// An account in words.
struct Shown<'a> {
    account: &'a Account,
    advice: Option<String>,
    master_key: Option<KeyKind>,
    now: Timestamp,
}

impl<'a> Shown<'a> {
    fn of(context: &Context, account: &'a Account, now: Timestamp, asked: bool) -> CliResult<Self> {
        let catalog = context.catalog()?;
        let rules = catalog.platform(&account.platform).ok().map(|platform| &platform.tokens);
        let advice = status::advice(account, rules, now, asked);
        Ok(Self { account, advice, master_key: context.opened().map(sesame_vault::Vault::key_kind), now })
    }

    fn record(&self) -> serde_json::Value {
        let mut record = serde_json::to_value(self.account).unwrap_or_default();
        let seconds = |until: Option<Timestamp>| until.map(|until| until.duration_since(self.now).as_secs());
        record["access_seconds_left"] = json!(seconds(self.account.access_expires_at));
        record["refresh_seconds_left"] = json!(seconds(self.account.refresh_expires_at));
        record["advice"] = json!(self.advice);
        record["master_key"] = json!(self.master_key.map(KeyKind::as_str));
        record
    }

    fn platform(&self) -> String {
        let sandbox = if self.account.sandbox { " (sandbox)" } else { "" };
        format!("{}{sandbox}", self.account.platform)
    }

    fn access_left(&self) -> String {
        let end = self.account.access_expires_at;
        end.map_or_else(|| "unknown".to_owned(), |until| humanize::left(until, self.now))
    }

    fn refresh_left(&self) -> String {
        let none = if self.account.has_refresh_token { END_NOT_KNOWN } else { "none" };
        let end = self.account.refresh_expires_at;
        end.map_or_else(|| none.to_owned(), |until| humanize::left(until, self.now))
    }

    /// Where the app's secret was read from, and what seals it here.
    fn secret_key(&self) -> String {
        let origin = self.account.secret_origin.as_deref().unwrap_or("origin unknown");
        match self.master_key {
            Some(kind) => format!("{origin}, sealed by {}", sealed_by(kind)),
            None => origin.to_owned(),
        }
    }

    fn details(&self) -> Rows {
        let account = self.account;
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let until = |end: Option<Timestamp>, none: &str| {
            end.map_or_else(|| none.to_owned(), |end| format!("{} ({end})", humanize::left(end, self.now)))
        };
        let since = |at: Option<Timestamp>| {
            at.map_or_else(|| "never".to_owned(), |at| format!("{} ({at})", humanize::ago(at, self.now)))
        };
        let reason = account.state.reason().map(|reason| format!(": {reason}")).unwrap_or_default();
        let no_refresh = if account.has_refresh_token { END_NOT_KNOWN } else { "none" };
        let last_used = account.last_used.filter(|used| *used > account.created_at);
        let error = match (&account.last_error, account.last_error_at) {
            (Some(error), Some(at)) => format!("{error} ({})", humanize::ago(at, self.now)),
            (Some(error), None) => error.clone(),
            (None, _) => "none".to_owned(),
        };
        let mut rows = Rows::new(&["field", "value"]);
        for (name, value) in [
            ("account", account.name.clone()),
            ("platform", self.platform()),
            ("app", account.app.clone()),
            ("login", text(&account.login)),
            ("shop id", text(&account.shop_id)),
            ("country", text(&account.country)),
            ("region", text(&account.region)),
            ("tags", account.tags.join(" ")),
            ("state", format!("{}{reason}", status::state(&account.state))),
            ("access token", until(account.access_expires_at, "end unknown")),
            ("refresh token", until(account.refresh_expires_at, no_refresh)),
            ("authorize by", until(account.needs_person_by, "not known")),
            ("next warning", until(account.next_warning_at, "none")),
            ("last success", since(account.last_success)),
            ("last error", error),
            ("failures since then", account.attempts.to_string()),
            ("last used", since(last_used)),
            ("tokens replaced", (account.generation - 1).max(0).to_string()),
            ("secret key", self.secret_key()),
            ("added", since(Some(account.created_at))),
            ("id", account.id.to_string()),
            ("do", self.advice.clone().unwrap_or_else(|| "nothing".to_owned())),
        ] {
            if !value.is_empty() {
                rows.push([name.to_owned(), value]);
            }
        }
        rows
    }
}

fn sealed_by(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::Keyring => "the keyring",
        KeyKind::File => "a key file",
        KeyKind::Passphrase => "a passphrase",
        KeyKind::Environment => "SESAME_MASTER_KEY",
        other => other.as_str(),
    }
}
