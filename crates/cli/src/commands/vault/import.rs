//! `sesame vault import`.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::tz::TimeZone;
use serde_json::{Value as Json, json};
use sesame_core::Error;
use sesame_vault::import::{ImportOptions, Imported, MAX_TABLE, Mapping, Table, TableFormat};

use super::count;
use crate::{
    bounded_file::{read_or_stdin, shown},
    commands::app::tell_switched_off,
    context::Context,
    env_file::EnvFile,
    exit::{CliError, CliResult, note, say},
    humanize::parse_duration,
    output::Format,
    progress::Progress,
    runtime,
};

/// How many names are printed for people; JSON has all.
const SHOWN: usize = 50;

/// Options of `vault import`.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "\
sesame vault import [OPTIONS] <--csv <FILE>|--tsv <FILE>|--jsonl <FILE>|--env-file <FILE>>",
    after_help = "\
Examples:
  sesame vault import --csv shops.csv --platform lazada --dry-run
  sesame vault import --csv shops.csv --platform lazada \\
      --map access_token=tok,refresh_token=rtok
  mysql --batch erp < shops.sql | sesame vault import --tsv - \\
      --platform aliexpress-legacy

All or nothing: shops that the vault has already are left alone and listed. The first line of CSV and TSV names the columns, each object of JSON Lines its values: account, app_key, app_secret, access_token, refresh_token, identity (or the platform's own name of the shop's id, such as aliId or seller_id), login, country, access_create_time, refresh_create_time, access_expires_at and refresh_expires_at. Other names are mapped by --map NAME=COLUMN. TSV is what `mysql --batch` prints. FILE is a regular file of at most 64 MiB, or - for standard input.

--env-file reads one shop: ACCOUNT, COUNTRY, PLATFORM, APP_KEY and APP_SECRET (or one line PLATFORM:KEY:SECRET), ACCESS_TOKEN, REFRESH_TOKEN, EXPIRES_AT, REFRESH_EXPIRES_AT. Rows with one refresh token become accounts of one authorization. Rows that cannot be read are named by line and reason.

JSON: {\"dry_run\",\"apps\":[..],\"accounts\":[..],\"completed\":[..],\"left_alone\":[{\"name\",\"stands\"}], \"needs_authorization\":[{\"account\",\"reason\"}],\"skipped\":[{\"place\",\"reason\"}],\"sandbox\",\"notes\":[..]}"
)]
pub(crate) struct VaultImportArgs {
    #[command(flatten)]
    source: ImportSource,
    /// The name of the shop of --env-file [default: its ACCOUNT; else the app's or the platform's].
    #[arg(long = "as", value_name = "ACCOUNT", conflicts_with_all = ["csv", "tsv", "jsonl"])]
    as_name: Option<String>,
    /// The platform of the shops [default with --env-file: the one it names; with --app: the app's].
    #[arg(long)]
    platform: Option<String>,
    /// The region whose hosts are called, e.g. sg or my on Lazada, for shops without a country.
    #[arg(long)]
    region: Option<String>,
    /// The app of the vault that all shops belong to, for tables without app keys.
    #[arg(long, value_name = "APP")]
    app: Option<String>,
    /// Which column is what: NAME=COLUMN,...
    #[arg(long, value_name = "MAP", value_parser = parse_mapping)]
    map: Option<Mapping>,
    /// The zone of times without one.
    #[arg(long, value_name = "ZONE", default_value = "Asia/Shanghai")]
    timezone: String,
    /// How long access tokens live from their create time [default: the platform's; 10h on AliExpress].
    #[arg(long, value_name = "TIME", value_parser = parse_life)]
    access_life: Option<Duration>,
    /// How long refresh tokens live from their create time [default: the platform's; 180d on AliExpress].
    #[arg(long, value_name = "TIME", value_parser = parse_life)]
    refresh_life: Option<Duration>,
    /// Imports what can be read, although some rows cannot.
    #[arg(long)]
    skip_bad: bool,
    /// Shows what would be done, and stores nothing.
    #[arg(long)]
    dry_run: bool,
}

/// The file to import.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct ImportSource {
    /// A table in CSV.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// A table in TSV, as `mysql --batch` prints it.
    #[arg(long, value_name = "FILE")]
    tsv: Option<PathBuf>,
    /// A table in JSON Lines: one object per line.
    #[arg(long, value_name = "FILE")]
    jsonl: Option<PathBuf>,
    /// The .env file of a script: APP_KEY, APP_SECRET, ACCOUNT, ACCESS_TOKEN, ...
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
}

fn parse_mapping(text: &str) -> Result<Mapping, String> {
    text.parse().map_err(|error: Error| format!("{}. {}", error.message(), error.hint().unwrap_or_default()))
}

/// All tokens would have ended when they were received.
fn parse_life(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        Duration::ZERO => Err("a token lives longer than nothing; write 10h or 180d".to_owned()),
        life => Ok(life),
    }
}

/// Imports.
pub(crate) fn run(args: &VaultImportArgs, context: &Context) -> CliResult {
    // Before the runtime starts: reading a file blocks.
    let (path, format) = match &args.source {
        ImportSource { csv: Some(path), .. } => (path, Some(TableFormat::Csv)),
        ImportSource { tsv: Some(path), .. } => (path, Some(TableFormat::Tsv)),
        ImportSource { jsonl: Some(path), .. } => (path, Some(TableFormat::JsonLines)),
        ImportSource { env_file: Some(path), .. } => (path, None),
        ImportSource { env_file: None, .. } => return Err(Error::usage("no file was given").into()),
    };
    let shown = shown(path);
    let mut options = options(args)?;
    options.origin = Some(if path == Path::new("-") { shown.clone() } else { format!("file {shown}") });
    let (platform, table) = if let Some(format) = format {
        let table = Table::read(read_or_stdin(path, MAX_TABLE)?, format);
        (platform_of(args, None, context, &shown)?, table)
    } else {
        let file = EnvFile::read(path)?;
        let platform = platform_of(args, file.platform(), context, &shown)?;
        options.name_is_made_up = args.as_name.is_none() && file.get("ACCOUNT").is_none();
        let table = one_shop(&file, args, platform.as_deref());
        (platform, table)
    };
    let table = table.map_err(|error| error.context(shown))?;
    runtime::block_on(context, async {
        let progress = Progress::new();
        progress.work("importing".to_owned());
        // Of an import that fails in an empty home, nothing is left there.
        let passing = if context.vault_is_new().await? { Some(context.passing_vault().await?) } else { None };
        let vault = match &passing {
            Some(vault) => vault,
            None => context.vault().await?,
        };
        options.platform = match platform {
            Some(platform) => platform,
            None => vault.app(args.app.as_deref().unwrap_or_default()).await?.platform,
        };
        tell_switched_off(context.catalog()?.platform(&options.platform)?);
        let mut done = vault.import_table(&table, &options).await?;
        if passing.is_some() && !args.dry_run {
            done = context.vault().await?.import_table(&table, &options).await?;
        }
        progress.done();
        print(context, &done, args.dry_run)?;
        // A dry run says by its exit code what the run itself would.
        if args.dry_run && !args.skip_bad && !done.skipped.is_empty() {
            return Err(CliError::Status(2));
        }
        Ok(())
    })
}

fn options(args: &VaultImportArgs) -> CliResult<ImportOptions> {
    let mut options = ImportOptions::new("")?;
    options.region.clone_from(&args.region);
    options.app.clone_from(&args.app);
    options.mapping = args.map.clone().unwrap_or_default();
    options.time_zone = TimeZone::get(&args.timezone).map_err(|_| {
        Error::usage(format!("there is no time zone {:?}", args.timezone))
            .with_hint("Write a name like Asia/Shanghai or America/Los_Angeles.")
    })?;
    options.access_life = args.access_life;
    options.refresh_life = args.refresh_life;
    options.skip_bad = args.skip_bad;
    options.dry_run = args.dry_run;
    Ok(options)
}

/// The platform, unless it is that of an app of the vault. What a file says itself and what the command
/// says have to agree.
fn platform_of(
    args: &VaultImportArgs,
    said: Option<&str>,
    context: &Context,
    shown: &str,
) -> CliResult<Option<String>> {
    let catalog = context.catalog()?;
    let said = said.map(|name| catalog.platform(name)).transpose().map_err(|error| error.context(shown))?;
    let chosen = args.platform.as_ref().map(|name| catalog.platform(name)).transpose()?;
    match (said, chosen) {
        (Some(said), Some(chosen)) if said.name != chosen.name => Err(Error::usage(format!(
            "the shop of {shown} is one of {}, and --platform says {}",
            said.name, chosen.name
        ))
        .with_hint("Leave --platform out, or name the right file. Nothing was imported.")
        .into()),
        (None, None) if args.app.is_none() => Err(Error::usage("the platform of the shops is not given")
            .with_hint("Add --platform PLATFORM, or --app APP for an app of the vault.")
            .into()),
        (said, chosen) => Ok(said.or(chosen).map(|platform| platform.name.clone())),
    }
}

/// An `.env` file is a table of one row.
fn one_shop(file: &EnvFile, args: &VaultImportArgs, platform: Option<&str>) -> Result<Table, Error> {
    if file.get("ACCESS_TOKEN").is_none() && file.get("REFRESH_TOKEN").is_none() {
        return Err(Error::usage("it sets neither ACCESS_TOKEN nor REFRESH_TOKEN").with_hint(
            "Read are ACCOUNT, APP_KEY and APP_SECRET or one line PLATFORM:KEY:SECRET, ACCESS_TOKEN, REFRESH_TOKEN, EXPIRES_AT and REFRESH_EXPIRES_AT. Apps without tokens are added by `sesame app add PLATFORM --env-file FILE`. Nothing was imported.",
        ));
    }
    let account = args.as_name.as_deref().or(file.get("ACCOUNT")).or(args.app.as_deref()).or(platform);
    let mut values = vec![("ACCOUNT", account.unwrap_or_default(), 0)];
    values.extend(file.values().filter(|(name, ..)| *name != "ACCOUNT").map(|(name, value, line)| {
        (if name == "EXPIRES_AT" { "ACCESS_EXPIRES_AT" } else { name }, value, line)
    }));
    if file.get("APP_KEY").is_none() && file.get("APP_SECRET").is_none() {
        let mut lines = file.apps.iter().filter(|line| Some(line.platform.as_str()) == platform);
        if let Some(app) = lines.next() {
            values.extend([("APP_KEY", app.key.as_str(), app.line), ("APP_SECRET", &app.secret, app.line)]);
        }
        if lines.next().is_some() {
            return Err(Error::usage(
                "it has several apps of the platform, and does not say whose its tokens are",
            )
            .with_hint("Set APP_KEY and APP_SECRET in it to the app's that the tokens were given to."));
        }
    }
    Ok(Table::of_one_row(values))
}

fn print(context: &Context, done: &Imported, dry_run: bool) -> CliResult {
    let pairs = |pairs: &[(String, String)], first: &str, second: &str| -> Json {
        pairs.iter().map(|(one, two)| json!({ first: one, second: two })).collect()
    };
    let record = json!({
        "dry_run": dry_run,
        "apps": done.apps,
        "accounts": done.accounts,
        "completed": done.completed,
        "left_alone": pairs(&done.left_alone, "name", "stands"),
        "needs_authorization": pairs(&done.needs_authorization, "account", "reason"),
        "skipped": pairs(&done.skipped, "place", "reason"),
        "sandbox": done.sandbox,
        "notes": done.notes,
    });
    let mut printer = context.printer(Format::Table);
    let people = printer.for_people();
    printer.one(&record, |printer| {
        let (added, completed) =
            if dry_run { ("would add", "would complete") } else { ("added", "completed") };
        let mut lines: Vec<String> = done.apps.iter().map(|name| format!("{added} app {name}")).collect();
        lines.extend(done.accounts.iter().map(|name| format!("{added} account {name}")));
        let bare = done.completed.iter();
        lines.extend(bare.map(|name| format!("{completed} account {name}, which had no tokens")));
        for line in lines.iter().take(SHOWN) {
            printer.line(line)?;
        }
        if lines.len() > SHOWN {
            printer.line(format_args!("... and {} more", lines.len() - SHOWN))?;
        }
        let (apps, accounts) = (count(done.apps.len(), "app"), count(done.accounts.len(), "account"));
        printer.line(format_args!("{apps}, {accounts}"))
    })?;
    if !people {
        return Ok(());
    }
    if let Some(url) = done.sandbox.as_ref().filter(|_| done.accounts.len() + done.completed.len() > 0) {
        let word = if dry_run { "would become" } else { "became" };
        note("sandbox", &format!("these {word} shops of the sandbox at {url}, and no real ones"));
    }
    list("left alone", &done.left_alone, |name, stands| {
        let known = if name == stands { String::new() } else { format!(" as {stands}") };
        format!("{name} is in the vault already{known}")
    });
    list("left out", &done.skipped, |place, why| format!("{place}: {why}"));
    list("needs a login", &done.needs_authorization, |name, why| format!("{name}: {why}"));
    for text in &done.notes {
        note("note", text);
    }
    if !done.needs_authorization.is_empty() && !dry_run {
        say("`sesame accounts` shows them first, each with the command that authorizes it again.");
    }
    Ok(())
}

fn list(kind: &str, pairs: &[(String, String)], text: impl Fn(&str, &str) -> String) {
    for (one, two) in pairs.iter().take(SHOWN) {
        note(kind, &text(one, two));
    }
    if pairs.len() > SHOWN {
        note(kind, &format!("... and {} more; --output json has all", pairs.len() - SHOWN));
    }
}
