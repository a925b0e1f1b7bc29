//! `sesame app`: the keys of apps.

mod add;

use std::collections::BTreeSet;

use serde_json::json;
use sesame_core::{Error, command_line::quote};
use sesame_vault::{Account, App, AppEdit, Vault};

pub(crate) use self::add::tell_switched_off;
use crate::{
    context::Context,
    exit::{CliError, CliResult, person_is_there, say},
    output::Format,
    prompt, runtime,
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
standard input where FILE is -. A key that the vault has already on that platform is the same app: a secret that differs is replaced \
after a question on a terminal, or with --replace, and the former one is kept, sealed, until the new one \
has worked once. Another --name, --redirect-uri or \
--region makes a second app of the key. The redirect URI has to be the one registered with the platform, letter by letter.
JSON: {\"apps\":[{\"name\",\"platform\",\"region\",\"app_key\",\"redirect_uri\",\"sandbox\"}],\"known\":[{\"name\",\"secret_replaced\"}], \
\"accounts\":[{\"name\",..}],\"left_alone\":[..]}; known are apps that the vault had, left_alone the accounts that had the \
tokens.")]
    Add(Box<add::AddArgs>),
    /// Lists the apps.
    #[command(after_help = "\
Examples:
  sesame app list
  sesame app list --output json

JSON: [{\"name\",\"platform\",\"region\",\"app_key\",\"redirect_uri\",\"sandbox\",\"created_at\"}]")]
    List,
    /// Shows an app and the accounts that use it.
    #[command(after_help = "\
Examples:
  sesame app show lazada

JSON: as of `app list`, with \"has_former_secret\" and \"accounts\":[NAME]")]
    Show(AppName),
    /// Changes the region or the redirect URI of an app, or puts its former secret back.
    #[command(after_help = "\
Examples:
  sesame app edit lazada --region my
  sesame app edit lazada --redirect-uri https://shop.example/callback
  sesame app edit lazada --former-secret

With another region go the accounts that had the app's former one, unless it is that of their country. \
--former-secret exchanges the two secrets of an app whose secret was replaced and has not worked yet. \
A new secret comes in with `sesame app add PLATFORM --key KEY --secret-stdin --replace`.
JSON: as of `app show`")]
    Edit(EditArgs),
    /// Renames an app.
    #[command(after_help = "\
Examples:
  sesame app rename taobao taobao-cn

JSON: as of `app show`")]
    Rename(RenameArgs),
    /// Removes an app that no account uses.
    #[command(after_help = "\
Examples:
  sesame app remove lazada-2
  sesame app remove lazada-2 --yes

Asks on a terminal and needs --yes elsewhere. Refuses while accounts use the app: `sesame logout ACCOUNT` \
removes those first.
JSON: {\"app\",\"removed\"}")]
    Remove(RemoveArgs),
}

/// The app that a command is about.
#[derive(Debug, clap::Args)]
pub(crate) struct AppName {
    /// The app, as `sesame app list` names it.
    app: String,
}

/// Options of `app edit`.
#[derive(Debug, clap::Args)]
#[command(group(
    clap::ArgGroup::new("change").required(true).multiple(true).args(["region", "redirect_uri", "former_secret"])
))]
pub(crate) struct EditArgs {
    /// The app, as `sesame app list` names it.
    app: String,
    /// The region whose hosts are called.
    #[arg(long)]
    region: Option<String>,
    /// Where the platform sends the browser after an approval.
    #[arg(long, value_name = "URL")]
    redirect_uri: Option<String>,
    /// Puts the secret back that was replaced last.
    #[arg(long)]
    former_secret: bool,
}

/// Options of `app rename`.
#[derive(Debug, clap::Args)]
pub(crate) struct RenameArgs {
    /// The app, as `sesame app list` names it.
    app: String,
    /// The new name.
    new_name: String,
}

/// Options of `app remove`.
#[derive(Debug, clap::Args)]
pub(crate) struct RemoveArgs {
    /// The app, as `sesame app list` names it.
    app: String,
    /// Does not ask.
    #[arg(long, short = 'y')]
    yes: bool,
}

/// Runs one of them.
pub(crate) fn run(command: AppCommand, context: &Context) -> CliResult {
    match command {
        AppCommand::Add(args) => add::run(args, context),
        AppCommand::List => runtime::block_on(context, list(context)),
        AppCommand::Show(args) => runtime::block_on(context, async {
            let vault = context.vault().await?;
            show(context, vault, &vault.app(&args.app).await?).await
        }),
        AppCommand::Edit(args) => runtime::block_on(context, async {
            let vault = context.vault().await?;
            let edit = AppEdit {
                region: args.region,
                redirect_uri: args.redirect_uri,
                former_secret: args.former_secret,
                ..AppEdit::default()
            };
            show(context, vault, &vault.edit_app(&args.app, &edit).await?).await
        }),
        AppCommand::Rename(args) => runtime::block_on(context, async {
            let vault = context.vault().await?;
            let edit = AppEdit { name: Some(args.new_name), ..AppEdit::default() };
            show(context, vault, &vault.edit_app(&args.app, &edit).await?).await
        }),
        AppCommand::Remove(args) => runtime::block_on(context, remove(args, context)),
    }
}

/// As [`tell_switched_off`], once for each platform of these accounts.
pub(crate) fn tell_all_switched_off(context: &Context, accounts: &[Account]) -> CliResult {
    let platforms: BTreeSet<&str> = accounts.iter().map(|account| account.platform.as_str()).collect();
    let catalog = context.catalog()?;
    platforms.into_iter().filter_map(|name| catalog.platform(name).ok()).for_each(tell_switched_off);
    Ok(())
}

/// Lists the accounts of an app by name.
async fn accounts_of(vault: &Vault, app: &str) -> CliResult<Vec<String>> {
    let listed = vault.accounts_where(|account| account.app == app).await?;
    Ok(listed.accounts.into_iter().map(|account| account.name).collect())
}

async fn show(context: &Context, vault: &Vault, app: &App) -> CliResult {
    let accounts = accounts_of(vault, &app.name).await?;
    let mut record = app_json(app);
    record["has_former_secret"] = app.has_former_secret.into();
    record["accounts"] = accounts.clone().into();
    context.printer(Format::Table).one(&record, |printer| {
        let mut line = |name: &str, value: &str| printer.line(format_args!("{name:<14}{value}"));
        line("app", &app.name)?;
        line("platform", &app.platform)?;
        if let Some(region) = &app.region {
            line("region", region)?;
        }
        line("app key", &app.app_key)?;
        line("redirect URI", &app.redirect_uri)?;
        if app.sandbox {
            line("sandbox", "yes")?;
        }
        if app.has_former_secret {
            line("secret", "replaced, and not used with success yet; the former one is kept")?;
        }
        line("accounts", &accounts.join(", "))
    })
}

async fn remove(args: RemoveArgs, context: &Context) -> CliResult {
    let vault = context.vault().await?;
    let app = vault.app(&args.app).await?;
    let accounts = accounts_of(vault, &app.name).await?;
    if let Some(first) = accounts.first() {
        let count = accounts.len();
        let names = accounts.iter().take(10).map(String::as_str).collect::<Vec<_>>().join(", ");
        return Err(Error::usage(format!(
            "app {:?} is used by {count} account{}: {names}{}",
            app.name,
            if count == 1 { "" } else { "s" },
            if count > 10 { ", ..." } else { "" }
        ))
        .with_hint(format!("Remove them first: sesame logout {}", quote(first)))
        .into());
    }
    if !args.yes {
        let what = format!("app {:?} ({}, key {})", app.name, app.platform, app.app_key);
        if !person_is_there() {
            return Err(Error::usage(format!("{what} would be removed, and there is no terminal to ask on"))
                .with_hint("Add --yes to remove it.")
                .into());
        }
        say(&format!("This removes {what} with its secret from the vault."));
        if !prompt::yes("Remove it?").await? {
            say("Nothing was removed.");
            return Err(CliError::Status(1));
        }
    }
    let app = vault.remove_app(&app.name).await?;
    context.printer(Format::Table).one(&json!({ "app": app.name, "removed": true }), |printer| {
        printer.line(format_args!("removed app {}", app.name))
    })
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
        say("There are no apps yet. Add one: sesame app add PLATFORM --key KEY --secret-stdin");
        return Ok(());
    }
    printer.list(&records, &rows)
}
