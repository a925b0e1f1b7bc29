//! `sesame vault import`.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jiff::tz::TimeZone;
use serde_json::json;
use sesame_core::Error;
use sesame_vault::{
    Imported,
    tables::{Cell, ERP_TABLES, Mapping, RawRow, TableOptions, read_csv, read_sql},
};

use super::count;
use crate::{
    env_file::EnvFile,
    output::Format,
    running,
    session::Session,
    stop::{Outcome, Stop, note, say},
    words::parse_duration,
};

/// How many names are printed for people; JSON has all.
const SHOWN: usize = 50;

/// Options of `vault import`.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "\
sesame vault import [OPTIONS] <FILE>
       sesame vault import [OPTIONS] <--csv <FILE>|--sql-dump <FILE>|--env-file <FILE>> [--platform <PLATFORM>]",
    after_help = "\
Examples:
  sesame vault import shops.sesame
  mysqldump erp account erp_aliexpress_accounts > erp.sql
  sesame vault import --sql-dump erp.sql --dry-run
  sesame vault import --csv shops.csv --platform lazada --map access_token=tok,refresh_token=rtok

All or nothing, and nothing that the vault has is overwritten: shops it has already are left alone and
listed. FILE is an export; its passphrase is read from SESAME_EXPORT_PASSPHRASE, or asked for.
--sql-dump joins the tables account (account, appkey, appsecret) and erp_aliexpress_accounts
(aliexpress_account, aliId, access_token, refresh_token, access_create_time, refresh_create_time).
Columns are found by their usual names, or by --map FIELD=COLUMN,...; the fields are account, app_key,
app_secret, access_token, refresh_token, identity, login, access_create_time, refresh_create_time,
access_expires_at and refresh_expires_at. Rows that cannot be read are named by line and reason.
JSON: {\"dry_run\",\"apps\":[..],\"accounts\":[..],\"left_alone\":[{\"name\",\"stands\"}],\"renamed\":[{\"from\",\"to\"}],
\"needs_authorisation\":[{\"account\",\"reason\"}],\"skipped\":[{\"place\",\"reason\"}],\"notes\":[..]}"
)]
pub(crate) struct Args {
    /// An export; - for standard input.
    #[arg(required_unless_present_any = ["csv", "sql_dump", "env_file"], conflicts_with_all = ["csv", "sql_dump", "env_file"])]
    file: Option<PathBuf>,
    /// A table in CSV; its first line names the columns.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["sql_dump", "env_file"])]
    csv: Option<PathBuf>,
    /// A dump of MySQL with the tables of an ERP.
    #[arg(long, value_name = "FILE", conflicts_with = "env_file")]
    sql_dump: Option<PathBuf>,
    /// The .env file of a script: APP_KEY, APP_SECRET, ACCOUNT, ACCESS_TOKEN, REFRESH_TOKEN, ...
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
    /// The platform of the shops [default with --sql-dump: aliexpress-legacy; with --app: the app's].
    #[arg(long, conflicts_with = "file")]
    platform: Option<String>,
    /// The region whose hosts are called, e.g. sg or my on Lazada.
    #[arg(long, conflicts_with = "file")]
    region: Option<String>,
    /// The app of the vault that all shops belong to, for tables without app keys.
    #[arg(long, value_name = "APP", conflicts_with = "file")]
    app: Option<String>,
    /// A table of the dump, instead of the ERP's two; may be repeated.
    #[arg(long, value_name = "NAME", requires = "sql_dump")]
    table: Vec<String>,
    /// Which column is what: FIELD=COLUMN,...; may be repeated.
    #[arg(long, value_name = "MAP", value_parser = parse_mapping, conflicts_with = "file")]
    map: Vec<Mapping>,
    /// The zone of times without one.
    #[arg(long, value_name = "ZONE", default_value = "Asia/Shanghai", conflicts_with = "file")]
    timezone: String,
    /// How long access tokens live from their create time [default: the platform's; 10h on AliExpress].
    #[arg(long, value_name = "TIME", value_parser = parse_duration, conflicts_with = "file")]
    access_life: Option<Duration>,
    /// How long refresh tokens live from their create time [default: the platform's; 180d on AliExpress].
    #[arg(long, value_name = "TIME", value_parser = parse_duration, conflicts_with = "file")]
    refresh_life: Option<Duration>,
    /// Takes over what can be read, although some rows cannot.
    #[arg(long, conflicts_with = "file")]
    skip_bad: bool,
    /// Shows what would be done, and stores nothing.
    #[arg(long, conflicts_with = "file")]
    dry_run: bool,
    /// Gives a number to names of an export that others have in this vault.
    #[arg(long, requires = "file")]
    rename: bool,
}

fn parse_mapping(text: &str) -> Result<Mapping, String> {
    text.parse().map_err(|error: Error| match error.hint_text() {
        Some(hint) => format!("{}. {hint}", error.message()),
        None => error.message().to_owned(),
    })
}

/// Imports.
pub(crate) fn run(args: &Args, session: &Session) -> Outcome {
    if let Some(path) = &args.file {
        let mut input: Box<dyn Read + Send> =
            if path == Path::new("-") { Box::new(io::stdin()) } else { Box::new(open(path)?) };
        let passphrase = super::export::passphrase(false)?;
        return running::block_on(session, async {
            let done = session.vault().await?.import(&passphrase, args.rename, &mut input).await?;
            print(session, &done, false)
        });
    }
    // Before the runtime starts: reading a file blocks.
    let (rows, path) = read(args)?;
    running::block_on(session, async {
        let platform = platform(args, session).await?;
        let mut options = TableOptions::new(platform)?;
        options.region.clone_from(&args.region);
        options.app.clone_from(&args.app);
        for mapping in &args.map {
            options.mapping = options.mapping.and(mapping)?;
        }
        options.time_zone = TimeZone::get(&args.timezone).map_err(|_| {
            Error::usage(format!("there is no time zone {:?}", args.timezone))
                .hint("Write a name like Asia/Shanghai or America/Los_Angeles.")
        })?;
        options.access_life = args.access_life;
        options.refresh_life = args.refresh_life;
        options.skip_bad = args.skip_bad;
        options.dry_run = args.dry_run;
        options.origin = Some(format!("file {}", path.display()));
        let done = session.vault().await?.import_tables(&rows, &options).await?;
        print(session, &done, args.dry_run)?;
        // A dry run says by its exit code what the run itself would.
        if args.dry_run && !args.skip_bad && !done.skipped.is_empty() {
            return Err(Stop::Status(2));
        }
        Ok(())
    })
}

async fn platform(args: &Args, session: &Session) -> Outcome<String> {
    if let Some(name) = &args.platform {
        // A mistyped name is said before a vault is made.
        return Ok(session.catalog()?.platform(name)?.name.clone());
    }
    if let Some(app) = &args.app {
        return Ok(session.vault().await?.app(app).await?.platform);
    }
    if args.sql_dump.is_some() {
        return Ok("aliexpress-legacy".to_owned());
    }
    Err(Error::usage("the platform of the shops is not given")
        .hint("Add --platform PLATFORM, e.g. --platform lazada; or --app APP for an app of the vault.")
        .into())
}

fn open(path: &Path) -> Outcome<File> {
    let failed = |why: String| {
        Error::usage(format!("cannot read {}: {why}", path.display())).hint("Name a file that can be read.")
    };
    let file = File::open(path).map_err(|error| failed(error.to_string()))?;
    if file.metadata().is_ok_and(|about| about.is_dir()) {
        return Err(failed("it is a directory".to_owned()).into());
    }
    Ok(file)
}

/// Reads the rows of whichever file was given.
fn read(args: &Args) -> Outcome<(Vec<RawRow>, &Path)> {
    let named = |path: &Path, error: Error| error.context(path.display());
    if let Some(path) = &args.sql_dump {
        let tables =
            if args.table.is_empty() { ERP_TABLES.map(str::to_owned).to_vec() } else { args.table.clone() };
        let rows = read_sql(BufReader::with_capacity(1 << 16, open(path)?), &tables);
        return Ok((rows.map_err(|error| named(path, error))?, path));
    }
    if let Some(path) = &args.csv {
        let rows = read_csv(BufReader::with_capacity(1 << 16, open(path)?), None);
        return Ok((rows.map_err(|error| named(path, error))?, path));
    }
    let path = args.env_file.as_deref().unwrap_or(Path::new(""));
    let file = EnvFile::read(path)?;
    let fallback = args.app.clone().or_else(|| args.platform.clone()).unwrap_or_default();
    Ok((vec![row_of(&file, &fallback)], path))
}

/// An `.env` file is a table of one row.
fn row_of(file: &EnvFile, fallback: &str) -> RawRow {
    const NAMES: [(&str, &str); 12] = [
        ("ACCOUNT", "account"),
        ("APP_KEY", "app_key"),
        ("APP_SECRET", "app_secret"),
        ("ACCESS_TOKEN", "access_token"),
        ("REFRESH_TOKEN", "refresh_token"),
        ("ALI_ID", "ali_id"),
        ("SELLER_ID", "seller_id"),
        ("USER_ID", "user_id"),
        ("ACCESS_CREATE_TIME", "access_create_time"),
        ("REFRESH_CREATE_TIME", "refresh_create_time"),
        ("EXPIRES_AT", "access_expires_at"),
        ("REFRESH_EXPIRES_AT", "refresh_expires_at"),
    ];
    let text = |value: &str| Cell::Text(value.as_bytes().to_vec().into());
    let (mut columns, mut cells) = (Vec::new(), Vec::new());
    for (name, column) in NAMES {
        let value =
            file.get(name).map(str::to_owned).or_else(|| (name == "ACCOUNT").then(|| fallback.to_owned()));
        if let Some(value) = value {
            columns.push(column.to_owned());
            cells.push(text(&value));
        }
    }
    RawRow { line: 1, table: None, columns: Arc::from(columns), cells: Ok(cells) }
}

fn print(session: &Session, done: &Imported, dry_run: bool) -> Outcome {
    let pairs = |pairs: &[(String, String)], first: &str, second: &str| -> Vec<serde_json::Value> {
        pairs.iter().map(|(one, two)| json!({ first: one, second: two })).collect()
    };
    let record = json!({
        "dry_run": dry_run,
        "apps": done.apps,
        "accounts": done.accounts,
        "left_alone": pairs(&done.left_alone, "name", "stands"),
        "renamed": pairs(&done.renamed, "from", "to"),
        "needs_authorisation": pairs(&done.needs_authorisation, "account", "reason"),
        "skipped": pairs(&done.skipped, "place", "reason"),
        "notes": done.notes,
    });
    let mut printer = session.printer(Format::Table);
    let people = printer.for_people();
    printer.one(&record, |printer| {
        let would = if dry_run { "would add" } else { "added" };
        let mut lines: Vec<String> = done.apps.iter().map(|name| format!("{would} app {name}")).collect();
        lines.extend(done.accounts.iter().map(|name| format!("{would} account {name}")));
        for line in lines.iter().take(SHOWN) {
            printer.line(line)?;
        }
        if lines.len() > SHOWN {
            printer.line(format_args!("... and {} more", lines.len() - SHOWN))?;
        }
        printer.line(format_args!(
            "{}, {}",
            count(done.apps.len(), "app"),
            count(done.accounts.len(), "account")
        ))
    })?;
    if people {
        told("left alone", &done.left_alone, |(name, stands)| {
            if name == stands {
                format!("{name} is in the vault already")
            } else {
                format!("{name} is in the vault as {stands}")
            }
        });
        told("renamed", &done.renamed, |(from, to)| format!("{from} is called {to} here"));
        told("left out", &done.skipped, |(place, why)| format!("{place}: {why}"));
        told("needs a login", &done.needs_authorisation, |(name, why)| format!("{name}: {why}"));
        for text in &done.notes {
            note("note", text);
        }
        if !done.needs_authorisation.is_empty() && !dry_run {
            say("`sesame accounts` shows them first, each with the command that authorises it again.");
        }
    }
    Ok(())
}

fn told(kind: &str, pairs: &[(String, String)], text: impl Fn(&(String, String)) -> String) {
    for pair in pairs.iter().take(SHOWN) {
        note(kind, &text(pair));
    }
    if pairs.len() > SHOWN {
        note(kind, &format!("... and {} more; --output json has all", pairs.len() - SHOWN));
    }
}
