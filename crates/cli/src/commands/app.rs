//! `sesame app add|list`.

use std::path::PathBuf;

use jiff::tz::TimeZone;
use serde_json::json;
use sesame_catalog::{Catalog, Environment};
use sesame_core::{AccessToken, AppSecret, Error, RefreshToken, nearest::nearest};
use sesame_vault::{Account, App, ImportedTokens, NewApp};

use crate::{
    context::Context,
    env_file::EnvFile,
    exit::{CliResult, note, say},
    humanize,
    output::Format,
    runtime,
    secret_input::SecretInput,
    table::Rows,
};

/// The commands of `app`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum AppCommand {
    /// Keeps the key and secret of an app, sealed.
    #[command(after_help = "\
Examples:
  sesame app add lazada --key 500123 --secret-stdin --name shop < secret.txt
  APP_SECRET=... sesame app add alibaba --key 500123 --secret-env APP_SECRET
  sesame app add alibaba --env-file .env

PLATFORM is alibaba, aliexpress, aliexpress-legacy, 1688, lazada, daraz, miravia, taobao or \
taobao-global.
--env-file reads APP_KEY, APP_SECRET and REDIRECT_URI, and, where present, ACCESS_TOKEN, REFRESH_TOKEN, \
ACCOUNT, EXPIRES_AT and REFRESH_EXPIRES_AT: then the account is imported too. Tokens that the vault has \
already are left alone, or get ACCOUNT as one more name. It also reads lines PLATFORM:KEY:SECRET, and \
standard input where FILE is -. A key that the vault has already on that platform is the same app: its secret is \
replaced where it differs or does not open any more, and this is said. Another --name, --redirect-uri or \
--region makes a second app of the key. The redirect URI has to be the one registered with the platform, letter by letter.
JSON: {\"apps\":[{\"name\",\"platform\",\"region\",\"app_key\",\"redirect_uri\",\"sandbox\"}],\"known\":[{\"name\",\"secret_replaced\"}], \
\"accounts\":[{\"name\",..}],\"left_alone\":[..]}; known are apps that the vault had, left_alone the accounts that had the \
tokens.")]
    Add(Box<AddArgs>),
    /// Lists the apps.
    #[command(after_help = "\
Examples:
  sesame app list
  sesame app list --output json

JSON: [{\"name\",\"platform\",\"region\",\"app_key\",\"redirect_uri\",\"sandbox\",\"created_at\"}]")]
    List,
}

/// Options of `app add`.
#[derive(Debug, clap::Args)]
#[command(override_usage = "\
sesame app add [OPTIONS] <PLATFORM> --key <KEY> <--secret-stdin|--secret-env <VAR>>
       sesame app add [OPTIONS] <PLATFORM> --env-file <FILE>")]
pub(crate) struct AddArgs {
    /// The platform.
    platform: String,
    /// The app key.
    #[arg(long, value_name = "KEY", required_unless_present = "env_file")]
    key: Option<String>,
    #[command(flatten)]
    secret: SecretInput,
    /// Reads key, secret and, where present, tokens from a file of existing scripts.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["key", "secret", "secret_env", "secret_stdin"])]
    env_file: Option<PathBuf>,
    /// A name for the app [default: the platform's].
    #[arg(long)]
    name: Option<String>,
    /// Where the platform sends the browser after an approval [default: http://127.0.0.1:8756/callback].
    #[arg(long, value_name = "URL")]
    redirect_uri: Option<String>,
    /// The region whose hosts are called, e.g. sg or my on Lazada.
    #[arg(long)]
    region: Option<String>,
    /// The zone of times without one in --env-file, e.g. Asia/Shanghai [default: this machine's].
    #[arg(long, value_name = "ZONE", requires = "env_file")]
    timezone: Option<String>,
}

/// Runs one of them.
pub(crate) fn run(command: AppCommand, context: &Context) -> CliResult {
    match command {
        AppCommand::Add(args) => runtime::block_on(context, async {
            let catalog = context.catalog()?;
            // A signal gives the terminal back while a secret is typed.
            let plan = runtime::aside(move || plan(&args, &catalog)).await?;
            add(plan, context).await
        }),
        AppCommand::List => runtime::block_on(context, list(context)),
    }
}

fn plan(args: &AddArgs, catalog: &Catalog) -> CliResult<Plan> {
    // A mistyped platform should be said before a secret is asked for.
    let platform = catalog.platform(&args.platform)?;
    platform.urls(args.region.as_deref(), &Environment::Live)?;
    match &args.env_file {
        None => Ok(Plan { apps: vec![from_options(args, &platform.name)?], tokens: None }),
        Some(path) => from_file(args, &platform.name, &EnvFile::read(path)?, path),
    }
}

async fn add(plan: Plan, context: &Context) -> CliResult {
    let vault = context.vault().await?;
    let mut wanted = plan.apps;
    let (mut apps, mut accounts, mut known, mut left_alone) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    // The app of the tokens stands last. It comes first here, with them or not at all: then the
    // command can be run again when the file is mended.
    if let Some(tokens) = plan.tokens
        && let Some(app) = wanted.pop()
    {
        let renewed = vault.renew_secret_with_tokens(&app, tokens.clone()).await?;
        let (account, stood) = if let Some((same, account, stood)) = renewed {
            apps.extend(same.first().map(|(app, _)| app.clone()));
            known.extend(same);
            (account, stood)
        } else {
            let (app, account, stood) = vault.add_app_with_tokens(app, tokens).await?;
            apps.push(app);
            (account, stood)
        };
        if stood { left_alone.push(account.name) } else { accounts.push(account) }
    }
    for app in wanted {
        // A name that is taken, by the same app with the same secret, too, is refused as ever.
        let same = vault.renew_secret(&app).await?;
        if same.iter().any(|(_, is_replaced)| *is_replaced || app.name.is_none()) {
            apps.extend(same.iter().map(|(app, _)| app.clone()));
            known.extend(same);
            continue;
        }
        match vault.add_app(app).await {
            Ok(app) => apps.push(app),
            Err(error) => {
                for app in &apps {
                    note("note", &format!("the app {:?} of this file was added before", app.name));
                }
                return Err(error.into());
            }
        }
    }
    let mut shared = Vec::new();
    for account in &accounts {
        shared.extend(vault.accounts_sharing(&account.name).await?);
    }
    report(context, &apps, &known, &accounts, &left_alone)?;
    if let Some(other) = shared.first() {
        note("note", &format!("account {other:?} has the same tokens: both share one authorization"));
    }
    Ok(())
}

/// What a file or the options ask for.
struct Plan {
    apps: Vec<NewApp>,
    tokens: Option<ImportedTokens>,
}

fn from_options(args: &AddArgs, platform: &str) -> CliResult<NewApp> {
    let key = args
        .key
        .clone()
        .ok_or_else(|| Error::usage("no app key was given").with_hint("Use --key KEY or --env-file FILE."))?;
    let secret = match args.secret.read()? {
        Some(secret) => secret,
        None if crate::exit::person_is_there() => crate::secret_input::ask()?,
        None => {
            return Err(Error::usage("no app secret was given")
                .with_hint("Use --secret-stdin, --secret-env VAR, or --env-file FILE. Without a terminal nobody is asked.")
                .into());
        }
    };
    Ok(new_app(args, platform, key, secret, args.redirect_uri.clone(), args.secret.origin()))
}

fn new_app(
    args: &AddArgs,
    platform: &str,
    key: String,
    secret: AppSecret,
    redirect_uri: Option<String>,
    secret_origin: String,
) -> NewApp {
    let mut app = NewApp::new(platform, key, secret).secret_origin(secret_origin);
    app.name.clone_from(&args.name);
    app.region.clone_from(&args.region);
    app.redirect_uri = redirect_uri;
    app
}

/// Asks without showing what is typed.
fn from_file(args: &AddArgs, platform: &str, file: &EnvFile, path: &std::path::Path) -> CliResult<Plan> {
    let is_input = path == std::path::Path::new("-");
    let shown = if is_input { "standard input".to_owned() } else { path.display().to_string() };
    let redirect = args.redirect_uri.clone().or_else(|| file.get("REDIRECT_URI").map(str::to_owned));
    let origin = if is_input { shown.clone() } else { format!("file {shown}") };
    let mut apps: Vec<NewApp> = file
        .apps
        .iter()
        .filter(|app| app.platform == platform)
        .map(|app| {
            new_app(
                args,
                platform,
                app.key.clone(),
                AppSecret::new(app.secret.clone()),
                redirect.clone(),
                origin.clone(),
            )
        })
        .collect();
    match (file.get("APP_KEY"), file.get("APP_SECRET")) {
        (Some(key), Some(secret)) => {
            apps.push(new_app(args, platform, key.to_owned(), AppSecret::new(secret), redirect, origin));
        }
        (Some(_), None) => return Err(Error::usage(format!("{shown} has APP_KEY but no APP_SECRET")).into()),
        (None, Some(_)) => return Err(Error::usage(format!("{shown} has APP_SECRET but no APP_KEY")).into()),
        (None, None) if apps.is_empty() => {
            let error = Error::usage(format!("{shown} holds no app of {platform}"));
            let others: Vec<&str> = file.apps.iter().map(|app| app.platform.as_str()).collect();
            let hint = nearest(platform, others).map_or_else(
                || format!("It needs APP_KEY and APP_SECRET, or a line {platform}:KEY:SECRET."),
                |near| format!("Did you mean {near:?}?"),
            );
            return Err(error.with_hint(hint).into());
        }
        (None, None) => {}
    }
    if apps.len() > 1 && args.name.is_some() {
        return Err(Error::usage(format!(
            "{shown} holds {} apps of {platform}; one name does not fit them all",
            apps.len()
        ))
        .with_hint("Leave --name out, or give each app its own file.")
        .into());
    }
    let tokens = tokens(args, file)?;
    if tokens.is_some() && file.get("APP_KEY").is_none() {
        note("warning", "the tokens of the file are left out: they belong to APP_KEY, which is not in it");
        return Ok(Plan { apps, tokens: None });
    }
    Ok(Plan { apps, tokens })
}

fn tokens(args: &AddArgs, file: &EnvFile) -> CliResult<Option<ImportedTokens>> {
    let (access, refresh) = (file.get("ACCESS_TOKEN"), file.get("REFRESH_TOKEN"));
    if access.is_none() && refresh.is_none() {
        return Ok(None);
    }
    let zone = match &args.timezone {
        None => TimeZone::system(),
        Some(name) => TimeZone::get(name).map_err(|_| {
            Error::usage(format!("unknown time zone {name:?}"))
                .with_hint("Write a name like Asia/Shanghai or America/Los_Angeles.")
        })?,
    };
    let mut tokens = ImportedTokens::default();
    tokens.access = access.map(AccessToken::new);
    tokens.refresh = refresh.map(RefreshToken::new);
    tokens.account_name = file.get("ACCOUNT").map(str::to_owned);
    tokens.access_expires_at = file.time("EXPIRES_AT", &zone)?;
    tokens.refresh_expires_at = file.time("REFRESH_EXPIRES_AT", &zone)?;
    Ok(Some(tokens))
}

fn report(
    context: &Context,
    apps: &[App],
    known: &[(App, bool)],
    accounts: &[Account],
    left_alone: &[String],
) -> CliResult {
    let stood: Vec<_> = known
        .iter()
        .map(|(app, is_replaced)| json!({ "name": app.name, "secret_replaced": is_replaced }))
        .collect();
    let record = json!({
        "apps": apps.iter().map(app_json).collect::<Vec<_>>(),
        "known": stood,
        "accounts": accounts,
        "left_alone": left_alone,
    });
    let now = context.clock.now();
    context.printer(Format::Table).one(&record, |printer| {
        for app in apps {
            let sandbox = if app.sandbox { ", of a sandbox" } else { "" };
            let which = format!("app {} ({}, key {}{sandbox})", app.name, app.platform, app.app_key);
            let stood = known.iter().find(|(stood, _)| stood.id == app.id);
            printer.line(match stood {
                None => format!("added {which}"),
                Some((_, true)) => {
                    format!("replaced the secret of {which}: the vault had another one for this key")
                }
                Some((_, false)) => format!("{which} is in the vault already, with this secret"),
            })?;
        }
        for account in accounts {
            let left = account
                .access_expires_at
                .map_or_else(|| "end unknown".to_owned(), |until| humanize::left(until, now));
            printer.line(format_args!("added account {} (access token: {left})", account.name))?;
        }
        for name in left_alone {
            printer.line(format_args!("its tokens are in the vault already, as account {name}"))?;
        }
        Ok(())
    })?;
    if known.iter().any(|(_, is_replaced)| *is_replaced) {
        say("Programs that run take it up within a minute.");
    }
    if accounts.is_empty()
        && left_alone.is_empty()
        && known.is_empty()
        && let Some(app) = apps.first()
    {
        say(&format!(
            "Its redirect URI is {}; authorize a shop with: sesame login {}",
            app.redirect_uri, app.name
        ));
    }
    Ok(())
}

fn app_json(app: &App) -> serde_json::Value {
    json!({
        "name": app.name,
        "platform": app.platform,
        "region": app.region,
        "app_key": app.app_key,
        "redirect_uri": app.redirect_uri,
        "sandbox": app.sandbox,
        "created_at": app.created_at.to_string(),
    })
}

async fn list(context: &Context) -> CliResult {
    let apps = if context.vault_is_new().await? { Vec::new() } else { context.vault().await?.apps().await? };
    let mut rows = Rows::new(&["name", "platform", "region", "app key", "redirect uri", "sandbox"]);
    for app in &apps {
        rows.push([
            app.name.as_str(),
            &app.platform,
            app.region.as_deref().unwrap_or_default(),
            &app.app_key,
            &app.redirect_uri,
            if app.sandbox { "yes" } else { "" },
        ]);
    }
    let records: Vec<_> = apps.iter().map(app_json).collect();
    let mut printer = context.printer(Format::Table);
    if printer.for_people() && apps.is_empty() {
        say("There is no app yet. Add one: sesame app add PLATFORM --key KEY --secret-stdin");
        return Ok(());
    }
    printer.list(&records, &rows)
}
