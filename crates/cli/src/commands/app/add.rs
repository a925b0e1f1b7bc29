//! `sesame app add`.

use std::path::PathBuf;

use jiff::tz::TimeZone;
use serde_json::json;
use sesame_catalog::{Catalog, Environment, Platform};
use sesame_core::{AccessToken, AppSecret, Error, RefreshToken, command_line::quote, nearest::nearest};
use sesame_vault::{Account, App, ImportedTokens, NewApp, Vault};

use crate::{
    context::Context,
    env_file::EnvFile,
    exit::{CliError, CliResult, note, person_is_there, say},
    humanize,
    output::Format,
    prompt, runtime,
    secret_input::SecretInput,
};

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
    /// Replaces another secret of this key without asking.
    #[arg(long)]
    replace: bool,
    /// The zone of times without one in --env-file, e.g. Asia/Shanghai [default: this machine's].
    #[arg(long, value_name = "ZONE", requires = "env_file")]
    timezone: Option<String>,
}

/// Keeps key and secret of an app, or of the apps of a file.
pub(super) fn run(args: Box<AddArgs>, context: &Context) -> CliResult {
    runtime::block_on(context, async {
        let (catalog, replace) = (context.catalog()?, args.replace);
        let asks_console = !context.environment()?.is_sandbox();
        // A signal gives the terminal back while a secret is typed.
        let plan = runtime::aside(move || plan(&args, &catalog, asks_console)).await?;
        add(plan, replace, context).await
    })
}

fn plan(args: &AddArgs, catalog: &Catalog, asks_console: bool) -> CliResult<Plan> {
    // A mistyped platform should be said before a secret is asked for.
    let platform = catalog.platform(&args.platform)?;
    platform.urls(args.region.as_deref(), &Environment::Live)?;
    tell_switched_off(platform);
    let region = match &args.region {
        None if asks_console => region_by_console(platform)?,
        region => region.clone(),
    };
    let mut plan = match &args.env_file {
        None => Plan { apps: vec![from_options(args, &platform.name)?], tokens: None },
        Some(path) => from_file(args, &platform.name, &EnvFile::read(path)?, path)?,
    };
    for app in &mut plan.apps {
        app.region.clone_from(&region);
    }
    Ok(plan)
}

/// Says that the vendor has switched a gateway off.
pub(crate) fn tell_switched_off(platform: &Platform) {
    if let Some(instead) = &platform.switched_off {
        note("warning", &format!("{} is switched off on the live side. {instead}", platform.title));
    }
}

/// Asks which console a key comes from, where the platform has several whose keys differ. Says it where there
/// is no terminal to ask on.
fn region_by_console(platform: &Platform) -> CliResult<Option<String>> {
    let consoles = consoles(platform);
    if consoles.len() < 2 {
        return Ok(None);
    }
    if !person_is_there() {
        note("note", &both(platform, &consoles));
        return Ok(None);
    }
    let choices: Vec<String> =
        consoles.iter().map(|(console, region)| format!("{console} (region {region})")).collect();
    let chosen = prompt::choice(&format!("Which console of {} is the key from?", platform.title), &choices)?;
    // The first region is the default of the platform, and stays it.
    let name = consoles.get(chosen).map(|(_, region)| *region);
    Ok(name
        .filter(|name| platform.regions.first().is_some_and(|first| first.name != *name))
        .map(str::to_owned))
}

/// Lists the consoles that give keys of their own, each with its region.
fn consoles(platform: &Platform) -> Vec<(&str, &str)> {
    let regions = platform.regions.iter();
    regions.filter_map(|region| Some((region.console.as_deref()?, region.name.as_str()))).collect()
}

fn both(platform: &Platform, consoles: &[(&str, &str)]) -> String {
    let of = |(console, region): &(&str, &str)| format!("{console} (--region {region})");
    format!(
        "keys of {} come from {}; without --region it is the first",
        platform.title,
        consoles.iter().map(of).collect::<Vec<_>>().join(" or ")
    )
}

/// Makes sure that a secret that may be good is replaced on purpose only.
async fn confirm_replacements(vault: &Vault, wanted: &[NewApp]) -> CliResult {
    for new in wanted {
        for (app, differs) in vault.apps_of_key(new).await? {
            if !differs {
                continue;
            }
            let which =
                format!("app {:?} ({}, key {}) has another secret", app.name, app.platform, app.app_key);
            if !person_is_there() {
                return Err(Error::usage(format!("{which}; nothing was changed"))
                    .with_hint("Add --replace to replace it. The former one is kept until the new one has worked once.")
                    .into());
            }
            say(&format!("{which}. The former one is kept until the new one has worked once."));
            if !prompt::yes("Replace it?").await? {
                say("Nothing was changed.");
                return Err(CliError::Status(1));
            }
        }
    }
    Ok(())
}

async fn add(plan: Plan, replace: bool, context: &Context) -> CliResult {
    let vault = context.vault().await?;
    let mut wanted = plan.apps;
    if !replace {
        confirm_replacements(vault, &wanted).await?;
    }
    let (mut apps, mut accounts, mut known, mut left_alone) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    // The app of the tokens stands last. It comes first here, with them or not at all: then the
    // command can be run again when the file is mended.
    if let Some(tokens) = plan.tokens
        && let Some(app) = wanted.pop()
    {
        let (of_key, account, stood) = vault.add_app_with_tokens(app, tokens).await?;
        apps.extend(of_key.first().map(|(app, _)| app.clone()));
        known.extend(of_key.into_iter().filter_map(|(app, is_replaced)| Some((app, is_replaced?))));
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
        None if person_is_there() => crate::secret_input::ask()?,
        None => {
            return Err(Error::usage("no app secret was given")
                .with_hint("Use --secret-stdin, --secret-env VAR, or --env-file FILE: there is no terminal to ask on.")
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
        "apps": apps.iter().map(super::app_json).collect::<Vec<_>>(),
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
                    format!("replaced the secret of {which}")
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
    if let Some((app, _)) = known.iter().find(|(_, is_replaced)| *is_replaced) {
        say(&format!(
            "Running programs use it within a minute. The former one is kept until this one has worked; to put it back: sesame app edit {} --former-secret",
            quote(&app.name)
        ));
    }
    if accounts.is_empty()
        && left_alone.is_empty()
        && known.is_empty()
        && let Some(app) = apps.first()
    {
        say(&format!(
            "Its redirect URI is {}; authorize a shop with: sesame login {}",
            app.redirect_uri,
            quote(&app.name)
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_consoles_of_a_platform_with_several_key_registries_are_named_in_one_line() {
        let mut platform = Catalog::builtin().platform("alibaba").unwrap().clone();
        platform.regions.truncate(1);
        platform.regions[0].console = Some("one.example".to_owned());
        assert_eq!(consoles(&platform).len(), 1);
        let mut second = platform.regions[0].clone();
        (second.name, second.console) = ("second".to_owned(), Some("two.example".to_owned()));
        platform.regions.push(second);
        assert_eq!(
            both(&platform, &consoles(&platform)),
            format!(
                "keys of {} come from one.example (--region global) or two.example (--region second); without --region it is the first",
                platform.title
            )
        );
    }
}
