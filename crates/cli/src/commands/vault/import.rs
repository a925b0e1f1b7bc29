//! `sesame vault import`.

use std::{
    fs::File,
    io::{self, BufReader, Cursor, Read},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jiff::tz::TimeZone;
use serde_json::json;
use sesame_core::{AppSecret, Error};
use sesame_vault::{
    Imported, TableOptions,
    tables::{Cell, ERP_TABLES, Mapping, RawRow, read_csv, read_sql},
};

use super::count;
use crate::{
    context::Context,
    env_file::{self, AppLine, EnvFile},
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
sesame vault import [--rename] [--dry-run] <FILE>
       sesame vault import [OPTIONS] <--csv <FILE>|--sql-dump <FILE>|--env-file <FILE>> [--platform <PLATFORM>]",
    after_help = "\
Examples:
  sesame vault import shops.sesame
  mysqldump erp account erp_aliexpress_accounts > erp.sql
  sesame vault import --sql-dump erp.sql --dry-run
  sesame vault import --csv shops.csv --platform lazada --map access_token=tok,refresh_token=rtok

All or nothing, and nothing that the vault has is overwritten: shops it has already are left alone and
listed. FILE is an export; its passphrase is read from SESAME_EXPORT_PASSPHRASE, or asked for.
--csv, --sql-dump and --env-file read standard input where FILE is -. --env-file reads one shop: ACCOUNT,
COUNTRY, PLATFORM, APP_KEY and APP_SECRET (or one line PLATFORM:KEY:SECRET), ACCESS_TOKEN, REFRESH_TOKEN
and their times. Rows with one refresh token become accounts of one authorization.
--sql-dump joins the tables account (account, appkey, appsecret) and erp_aliexpress_accounts
(aliexpress_account, aliId, access_token, refresh_token, access_create_time, refresh_create_time); other
columns of theirs count where --map names them. --table erp1.account is the table of one schema.
Elsewhere columns are found by their usual names, or by --map FIELD=COLUMN,...; the fields are account, app_key,
app_secret, access_token, refresh_token, identity, login, country, access_create_time,
refresh_create_time, access_expires_at and refresh_expires_at. Which columns were taken is said. Rows that
cannot be read are named by line and reason. A dump that ends inside a statement or a text is refused.
JSON: {\"dry_run\",\"apps\":[..],\"accounts\":[..],\"completed\":[..],\"left_alone\":[{\"name\",\"stands\"}],\"renamed\":[{\"from\",\"to\"}],
\"needs_authorization\":[{\"account\",\"reason\"}],\"skipped\":[{\"place\",\"reason\"}],
\"sandbox\",\"columns\":{\"access_token\":[..],..},\"notes\":[..]}"
)]
pub(crate) struct Args {
    /// An export; - for standard input.
    #[arg(required_unless_present_any = ["csv", "sql_dump", "env_file"], conflicts_with_all = ["csv", "sql_dump", "env_file"])]
    file: Option<PathBuf>,
    /// A table in CSV, - for standard input; its first line names the columns.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["sql_dump", "env_file"])]
    csv: Option<PathBuf>,
    /// A dump of MySQL with the tables of an ERP, - for standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "env_file")]
    sql_dump: Option<PathBuf>,
    /// The .env file of a script: APP_KEY, APP_SECRET, ACCOUNT, ACCESS_TOKEN, ...; - for standard input.
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
    /// The name of the shop of --env-file [default: its ACCOUNT; else the app's or the platform's].
    #[arg(long = "as", value_name = "ACCOUNT", conflicts_with_all = ["file", "csv", "sql_dump"])]
    as_name: Option<String>,
    /// The platform of the shops [default with --sql-dump: aliexpress-legacy; with --env-file: the one it names; with --app: the app's].
    #[arg(long, conflicts_with = "file")]
    platform: Option<String>,
    /// The region whose hosts are called, e.g. sg or my on Lazada, for shops without a country.
    #[arg(long, conflicts_with = "file")]
    region: Option<String>,
    /// The app of the vault that all shops belong to, for tables without app keys.
    #[arg(long, value_name = "APP", conflicts_with = "file")]
    app: Option<String>,
    /// A table of the dump, or SCHEMA.NAME, instead of the ERP's two; may be repeated.
    #[arg(long, value_name = "NAME", requires = "sql_dump")]
    table: Vec<String>,
    /// Which column is what: FIELD=COLUMN,...; may be repeated.
    #[arg(long, value_name = "MAP", value_parser = parse_mapping, conflicts_with = "file")]
    map: Vec<Mapping>,
    /// The zone of times without one.
    #[arg(long, value_name = "ZONE", default_value = "Asia/Shanghai", conflicts_with = "file")]
    timezone: String,
    /// How long access tokens live from their create time [default: the platform's; 10h on AliExpress].
    #[arg(long, value_name = "TIME", value_parser = parse_life, conflicts_with = "file")]
    access_life: Option<Duration>,
    /// How long refresh tokens live from their create time [default: the platform's; 180d on AliExpress].
    #[arg(long, value_name = "TIME", value_parser = parse_life, conflicts_with = "file")]
    refresh_life: Option<Duration>,
    /// Takes over what can be read, although some rows cannot.
    #[arg(long, conflicts_with = "file")]
    skip_bad: bool,
    /// Shows what would be done, and stores nothing.
    #[arg(long)]
    dry_run: bool,
    /// Gives a number to names of an export that others have in this vault.
    #[arg(long, requires = "file")]
    rename: bool,
}

fn parse_mapping(text: &str) -> Result<Mapping, String> {
    text.parse().map_err(|error: Error| match error.hint() {
        Some(hint) => format!("{}. {hint}", error.message()),
        None => error.message().to_owned(),
    })
}

/// All tokens would have ended when they were received.
fn parse_life(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        Duration::ZERO => Err("a token lives longer than nothing; write 10h or 180d".to_owned()),
        life => Ok(life),
    }
}

/// Imports.
pub(crate) fn run(args: &Args, context: &Context) -> CliResult {
    if let Some(path) = &args.file {
        // Before anybody is asked for a passphrase.
        let input = export_in(path)?;
        let passphrase = super::export::passphrase(false)?;
        return runtime::block_on(context, import_export(args, context, &passphrase, input));
    }
    // Before the runtime starts: reading a file blocks.
    let source = read(args, context)?;
    runtime::block_on(context, import_tables(args, context, source))
}

async fn import_export(
    args: &Args,
    context: &Context,
    passphrase: &AppSecret,
    mut input: Box<dyn Read + Send>,
) -> CliResult {
    let is_new = context.vault_is_new().await?;
    if is_new {
        // With a wrong passphrase, or to look, no vault is made. What is read is still sealed.
        let mut kept = Kept { input, bytes: Vec::new() };
        let vault = context.passing_vault().await?;
        let look = vault.look_into_export(passphrase, args.rename, &mut kept).await?;
        if args.dry_run {
            return print(context, &look, true);
        }
        input = Box::new(Cursor::new(kept.bytes));
    }
    let vault = context.vault().await?;
    let done = if args.dry_run {
        vault.look_into_export(passphrase, args.rename, &mut input).await?
    } else {
        vault.import(passphrase, args.rename, &mut input).await?
    };
    print(context, &done, args.dry_run)
}

async fn import_tables(args: &Args, context: &Context, source: Source) -> CliResult {
    let rows = &source.rows;
    // A mistyped name is said before a vault is opened.
    let chosen = source.platform;
    let progress = Progress::new();
    progress.work(format!("taking over {}", count(rows.len(), "row")));
    // Of an import that fails in an empty home, nothing is left there.
    let passing = if context.vault_is_new().await? { Some(context.passing_vault().await?) } else { None };
    let vault = match &passing {
        Some(vault) => vault,
        None => context.vault().await?,
    };
    let platform = match (chosen, &args.app) {
        (Some(platform), _) => platform,
        (None, Some(app)) => vault.app(app).await?.platform,
        (None, None) => return Err(no_platform().into()),
    };
    let mut options = options(args, platform, source.origin)?;
    options.name_is_made_up = source.name_is_made_up;
    let mut done = vault.import_tables(rows, &options).await?;
    if passing.is_some() && !args.dry_run {
        options.dry_run = false;
        done = context.vault().await?.import_tables(rows, &options).await?;
    }
    if args.env_file.is_some() {
        // Its names are given, and nothing was guessed.
        done.columns.clear();
    }
    progress.done();
    print(context, &done, args.dry_run)?;
    // A dry run says by its exit code what the run itself would.
    if args.dry_run && !args.skip_bad && !done.skipped.is_empty() {
        return Err(CliError::Status(2));
    }
    Ok(())
}

fn options(args: &Args, platform: String, origin: String) -> CliResult<TableOptions> {
    let mut options = TableOptions::new(platform)?;
    if args.sql_dump.is_some() && args.table.is_empty() {
        options.mapping = Mapping::of_erp();
    }
    options.region.clone_from(&args.region);
    options.app.clone_from(&args.app);
    for mapping in &args.map {
        options.mapping = options.mapping.and(mapping)?;
    }
    options.time_zone = TimeZone::get(&args.timezone).map_err(|_| {
        Error::usage(format!("there is no time zone {:?}", args.timezone))
            .with_hint("Write a name like Asia/Shanghai or America/Los_Angeles.")
    })?;
    options.access_life = args.access_life;
    options.refresh_life = args.refresh_life;
    options.skip_bad = args.skip_bad;
    options.dry_run = args.dry_run;
    options.origin = Some(origin);
    Ok(options)
}

/// The platform, unless it is that of an app of the vault.
fn chosen_platform(args: &Args, context: &Context) -> CliResult<Option<String>> {
    if let Some(name) = &args.platform {
        return Ok(Some(context.catalog()?.platform(name)?.name.clone()));
    }
    if args.app.is_some() {
        return Ok(None);
    }
    if args.sql_dump.is_some() {
        return Ok(Some("aliexpress-legacy".to_owned()));
    }
    Err(no_platform().into())
}

fn no_platform() -> Error {
    Error::usage("the platform of the shops is not given")
        .with_hint("Add --platform PLATFORM, e.g. --platform lazada; or --app APP for an app of the vault.")
}

/// Opens a file, or standard input for `-`.
fn open(path: &Path) -> CliResult<Box<dyn Read + Send>> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin()));
    }
    let failed = |why: String| {
        Error::usage(format!("cannot read {}: {why}", path.display()))
            .with_hint("Name a file that can be read.")
    };
    let file = File::open(path).map_err(|error| failed(error.to_string()))?;
    if file.metadata().is_ok_and(|about| about.is_dir()) {
        return Err(failed("it is a directory".to_owned()).into());
    }
    Ok(Box::new(file))
}

/// Opens an export, and refuses what begins like none.
fn export_in(path: &Path) -> CliResult<Box<dyn Read + Send>> {
    const BEGINS: &[u8] = b"{\"sesame_export\"";
    let mut input = open(path)?;
    let mut head = Vec::new();
    (&mut input)
        .take(BEGINS.len() as u64)
        .read_to_end(&mut head)
        .map_err(|error| Error::local(format!("{} cannot be read: {error}", source(path))))?;
    if head != BEGINS {
        return Err(Error::usage(format!(
            "{} is no export of a Sesame vault, or its first line is damaged",
            source(path)
        ))
        .with_hint("An export is made by `sesame vault export`. A dump of MySQL is imported with --sql-dump FILE, a table with --csv FILE, the .env file of a script with --env-file FILE. Nothing was imported.")
        .into());
    }
    Ok(Box::new(Cursor::new(head).chain(input)))
}

/// What a file is called, for people.
fn source(path: &Path) -> String {
    if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() }
}

/// Keeps what is read, so that it can be read once more: a pipe cannot.
struct Kept {
    input: Box<dyn Read + Send>,
    bytes: Vec<u8>,
}

impl Read for Kept {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.bytes.extend_from_slice(&buffer[..read]);
        Ok(read)
    }
}

/// What was read.
struct Source {
    rows: Vec<RawRow>,
    /// The platform, unless it is that of an app of the vault.
    platform: Option<String>,
    /// Where the rows are from, for people.
    origin: String,
    /// No name of the shop stands in it.
    name_is_made_up: bool,
}

/// Reads the rows of whichever file was given.
fn read(args: &Args, context: &Context) -> CliResult<Source> {
    let origin = |path: &Path| match path {
        path if path == Path::new("-") => source(path),
        path => format!("file {}", path.display()),
    };
    let named = |path: &Path, error: Error| error.context(source(path));
    if let Some(path) = &args.sql_dump {
        let tables =
            if args.table.is_empty() { ERP_TABLES.map(str::to_owned).to_vec() } else { args.table.clone() };
        let rows = read_sql(BufReader::with_capacity(1 << 16, open(path)?), &tables);
        let rows = rows.map_err(|error| named(path, error))?;
        let platform = chosen_platform(args, context)?;
        return Ok(Source { rows, platform, origin: origin(path), name_is_made_up: false });
    }
    if let Some(path) = &args.csv {
        let rows = read_csv(BufReader::with_capacity(1 << 16, open(path)?), None);
        let rows = rows.map_err(|error| named(path, error))?;
        let platform = chosen_platform(args, context)?;
        return Ok(Source { rows, platform, origin: origin(path), name_is_made_up: false });
    }
    let path = args.env_file.as_deref().unwrap_or(Path::new(""));
    let file = EnvFile::read(path)?;
    let platform = platform_of(&file, args, context, &source(path))?;
    let row = row_of(&file, args, platform.as_deref()).map_err(|error| named(path, error))?;
    let name_is_made_up = args.as_name.is_none() && file.get("ACCOUNT").is_none();
    Ok(Source { rows: vec![row], platform, origin: origin(path), name_is_made_up })
}

/// The platform of an `.env` file: what it says itself and what the command says have to agree.
fn platform_of(file: &EnvFile, args: &Args, context: &Context, shown: &str) -> CliResult<Option<String>> {
    let known = |name: &str, line: usize| -> CliResult<String> {
        let platform = context.catalog()?.platform(name);
        Ok(platform.map_err(|error| error.context(format!("{shown}, line {line}")))?.name.clone())
    };
    let said = match (file.get("PLATFORM"), file.apps.as_slice()) {
        (Some(name), _) => Some(known(name, file.line("PLATFORM").unwrap_or_default())?),
        // One line of an app is that of the tokens.
        (None, [line]) if file.get("APP_KEY").is_none() => Some(known(&line.platform, line.line)?),
        _ => None,
    };
    let chosen = match &args.platform {
        Some(name) => Some(context.catalog()?.platform(name)?.name.clone()),
        None => None,
    };
    match (chosen, said) {
        (Some(chosen), Some(said)) if chosen != said => {
            Err(Error::usage(format!("the shop of {shown} is one of {said}, and --platform says {chosen}"))
                .with_hint("Leave --platform out, or name the right file. Nothing was imported.")
                .into())
        }
        (None, None) => chosen_platform(args, context),
        (chosen, said) => Ok(chosen.or(said)),
    }
}

/// An `.env` file is a table of one row.
fn row_of(file: &EnvFile, args: &Args, platform: Option<&str>) -> Result<RawRow, Error> {
    if file.get("ACCESS_TOKEN").is_none() && file.get("REFRESH_TOKEN").is_none() {
        return Err(Error::usage("there is no token in it: it sets neither ACCESS_TOKEN nor REFRESH_TOKEN").with_hint(
            "Read are ACCOUNT, APP_KEY and APP_SECRET or one line PLATFORM:KEY:SECRET, ACCESS_TOKEN, REFRESH_TOKEN, EXPIRES_AT and REFRESH_EXPIRES_AT. Apps without tokens are added by `sesame app add PLATFORM --env-file FILE`. Nothing was imported.",
        ));
    }
    let line = app_line(file, platform)?;
    let text = |value: &str| Cell::Text(value.as_bytes().to_vec().into());
    let number = |line: Option<usize>| line.and_then(|line| u64::try_from(line).ok()).unwrap_or_default();
    let (mut columns, mut cells, mut lines) = (Vec::new(), Vec::new(), Vec::new());
    // Columns of tables are recognized by these names, too.
    for name in env_file::COLUMNS {
        let other = match name {
            "ACCOUNT" => args.app.as_deref().or(platform).map(|name| (name, None)),
            "APP_KEY" => line.map(|line| (line.key.as_str(), Some(line.line))),
            "APP_SECRET" => line.map(|line| (line.secret.as_str(), Some(line.line))),
            _ => None,
        };
        let chosen = args.as_name.as_deref().filter(|_| name == "ACCOUNT").map(|name| (name, None));
        let set = file.get(name).map(|value| (value, file.line(name)));
        if let Some((value, line)) = chosen.or(set).or(other) {
            columns.push(name.to_owned());
            cells.push(text(value));
            lines.push(number(line));
        }
    }
    Ok(RawRow {
        line: 0,
        number: None,
        table: None,
        columns: Arc::from(columns),
        lines: Some(lines.into()),
        cells: Ok(cells),
    })
}

/// The line `PLATFORM:KEY:SECRET` that stands for `APP_KEY` and `APP_SECRET` where they are not set.
fn app_line<'a>(file: &'a EnvFile, platform: Option<&str>) -> Result<Option<&'a AppLine>, Error> {
    if file.get("APP_KEY").is_some() || file.get("APP_SECRET").is_some() {
        return Ok(None);
    }
    let mut lines = file.apps.iter().filter(|line| Some(line.platform.as_str()) == platform);
    let line = lines.next();
    if lines.next().is_some() {
        return Err(Error::usage(
            "it has more than one app of the platform, and does not say whose its tokens are",
        )
        .with_hint("Set APP_KEY and APP_SECRET in it to the app's that the tokens were given to."));
    }
    Ok(line)
}

fn print(context: &Context, done: &Imported, dry_run: bool) -> CliResult {
    let pairs = |pairs: &[(String, String)], first: &str, second: &str| -> Vec<serde_json::Value> {
        pairs.iter().map(|(one, two)| json!({ first: one, second: two })).collect()
    };
    let columns: serde_json::Map<String, serde_json::Value> =
        done.columns.iter().map(|(field, from)| (field.clone(), json!(from))).collect();
    let record = json!({
        "dry_run": dry_run,
        "apps": done.apps,
        "accounts": done.accounts,
        "completed": done.completed,
        "left_alone": pairs(&done.left_alone, "name", "stands"),
        "renamed": pairs(&done.renamed, "from", "to"),
        "needs_authorization": pairs(&done.needs_authorization, "account", "reason"),
        "skipped": pairs(&done.skipped, "place", "reason"),
        "sandbox": done.sandbox,
        "columns": columns,
        "notes": done.notes,
    });
    let mut printer = context.printer(Format::Table);
    let people = printer.for_people();
    printer.one(&record, |printer| {
        let would = if dry_run { "would add" } else { "added" };
        let mut lines: Vec<String> = done.apps.iter().map(|name| format!("{would} app {name}")).collect();
        lines.extend(done.accounts.iter().map(|name| format!("{would} account {name}")));
        let word = if dry_run { "would complete" } else { "completed" };
        lines.extend(done.completed.iter().map(|name| format!("{word} account {name}, which had no tokens")));
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
        if let Some(url) = done.sandbox.as_ref().filter(|_| done.accounts.len() + done.completed.len() > 0) {
            let word = if dry_run { "would become" } else { "became" };
            note("sandbox", &format!("these {word} shops of the sandbox at {url}, and no real ones"));
        }
        if !done.columns.is_empty() {
            let taken =
                |(field, from): &(String, Vec<String>)| format!("{field} from {}", from.join(" and "));
            let taken: Vec<String> = done.columns.iter().map(taken).collect();
            note("columns", &taken.join(", "));
        }
        told("left alone", &done.left_alone, |(name, stands)| {
            if name == stands {
                format!("{name} is in the vault already")
            } else {
                format!("{name} is in the vault as {stands}")
            }
        });
        told("renamed", &done.renamed, |(from, to)| format!("{from} is called {to} here"));
        told("left out", &done.skipped, |(place, why)| format!("{place}: {why}"));
        told("needs a login", &done.needs_authorization, |(name, why)| format!("{name}: {why}"));
        for text in &done.notes {
            note("note", text);
        }
        if !done.needs_authorization.is_empty() && !dry_run {
            say("`sesame accounts` shows them first, each with the command that authorizes it again.");
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
