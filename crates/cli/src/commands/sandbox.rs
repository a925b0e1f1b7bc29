//! `sesame sandbox`: the offline gateways.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use sesame_core::{AppSecret, Error};
use sesame_sandbox::{AppSpec, OldRefreshToken, Options, Sandbox};

use crate::{
    context::Context,
    env_file::EnvFile,
    exit::{CliResult, note, say},
    output::{self, Format, Printer},
    runtime,
    table::Rows,
};

/// What becomes of a refresh token that was used (IOP).
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum OldToken {
    /// It dies at once.
    Dies,
    /// It lives on to its end.
    Lives,
}

/// Options of `sandbox`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sesame sandbox
  sesame sandbox --listen 127.0.0.1:0 --json
  sesame sandbox --shops 3 --products 500 --auto-approve --seed 7
  sesame sandbox --churn 2
  curl 'http://127.0.0.1:4600/_sandbox/orders?platform=lazada' \\
    -d '{\"do\":\"create\",\"lines\":[{\"product\":2512345678}]}'
  sesame sandbox --fault busy,count=3 --fault latency=200@/products/get
  SESAME_ENDPOINT=http://127.0.0.1:4600 sesame accounts

Keys, shops and products follow from the seed alone. With --json one line is printed when it is ready: \
{\"listen\",\"apps\":[{\"platform\",\"protocol\",\"app_key\",\"app_secret\",\"redirect_uri\",\"authorize_url\",\"api_base\"}],
 \"shops\":[{\"platform\",\"login\"}]}
Ctrl-C and SIGTERM stop it.")]
#[expect(clippy::struct_excessive_bools, reason = "switches of a command line")]
pub(crate) struct SandboxArgs {
    /// The address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4600")]
    listen: SocketAddr,
    /// Allows an address that others can reach. The control API has no login.
    #[arg(long)]
    allow_public: bool,
    /// Shops on each platform.
    #[arg(long, value_name = "N", default_value_t = 2)]
    shops: usize,
    /// Products of each shop.
    #[arg(long, value_name = "N", default_value_t = 120)]
    products: usize,
    /// The seed of keys, shops and products.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Changes of each shop in a second: orders are made, paid, canceled and returned, stock, prices, titles and
    /// states of products change, products come and go. 0 to 1000.
    #[arg(long, value_name = "RATE", default_value_t = 0.0)]
    churn: f64,
    /// Adds apps from a file of lines PLATFORM:KEY:SECRET, or a .env file with PLATFORM, APP_KEY, APP_SECRET.
    /// A line REDIRECT_URI is what is registered for them; without it any address is taken.
    #[arg(long, value_name = "FILE")]
    app_file: Option<PathBuf>,
    /// The time it begins at, e.g. 2026-11-21T12:00:00Z; the clock runs on from there.
    #[arg(long, value_name = "TIME")]
    now: Option<Timestamp>,
    /// Approves every authorization without a page.
    #[arg(long)]
    auto_approve: bool,
    /// Refuses calls without a signature on param2, too. By default they are answered with a warning,
    /// since no document says which of them the gateway refuses.
    #[arg(long)]
    strict_signatures: bool,
    /// What becomes of a used refresh token where a refresh gives a new one; no platform documents it.
    #[arg(long, value_enum, default_value = "dies", value_name = "POLICY")]
    old_refresh_token: OldToken,
    /// Injects a fault: KIND[=N][@API][,count=N][,probability=P][,platform=NAME]; can be repeated.
    /// Kinds: latency=MS, drop-before, drop-after, hang, hang-after, html, empty, truncated, huge=BYTES,
    /// busy, call-limit=SECONDS, status=CODE, wrong-date=SECONDS, business-failure, illegal-token, error=CODE.
    #[arg(long, value_name = "RULE")]
    fault: Vec<String>,
    /// Prints one line of JSON when it is ready, and nothing else on standard output.
    #[arg(long)]
    json: bool,
}

/// Runs until it is stopped.
pub(crate) fn run(args: &SandboxArgs, context: &Context) -> CliResult {
    let mut options = Options::new(context.catalog()?, Arc::clone(&context.clock));
    options.listen = args.listen;
    options.allow_public = args.allow_public;
    options.shops = args.shops;
    options.products = args.products;
    options.seed = args.seed;
    options.now = args.now;
    options.churn = args.churn;
    options.auto_approve = args.auto_approve;
    options.strict_signatures = args.strict_signatures;
    options.old_refresh_token = match args.old_refresh_token {
        OldToken::Dies => OldRefreshToken::Dies,
        OldToken::Lives => OldRefreshToken::Lives,
    };
    if let Some(path) = &args.app_file {
        options.apps = apps(path)?;
    }
    for rule in &args.fault {
        options.faults.push(rule.parse()?);
    }
    runtime::serve(async {
        let sandbox = Sandbox::start(options).await?;
        let stopped = stopped()?;
        if args.json {
            let line = serde_json::to_string(&sandbox.describe()).unwrap_or_default();
            output::raw(format!("{line}\n").as_bytes())?;
        } else {
            banner(&sandbox, args)?;
        }
        sandbox.run_until(stopped).await;
        say("The sandbox stopped.");
        Ok(())
    })
}

/// Listens for Ctrl-C and SIGTERM from now on, and returns what waits for them: both are the usual way
/// to stop a server, and no failure.
///
/// Whoever reads that the sandbox is ready may stop it at once, so this comes before the saying.
#[cfg(unix)]
fn stopped() -> CliResult<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen =
        |kind| signal(kind).map_err(|error| Error::local(format!("cannot listen for signals: {error}")));
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Listens for Ctrl-C.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "as on the other systems")]
fn stopped() -> CliResult<impl Future<Output = ()>> {
    Ok(async {
        // Where signals cannot be heard, the system ends the process by itself.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}

/// Reads apps from either form of file.
fn apps(path: &Path) -> CliResult<Vec<AppSpec>> {
    let file = EnvFile::read(path)?;
    let mut apps: Vec<AppSpec> = file
        .apps
        .iter()
        .map(|app| AppSpec {
            platform: app.platform.clone(),
            key: app.key.clone(),
            secret: AppSecret::new(app.secret.clone()),
            redirect_uri: file.get("REDIRECT_URI").map(str::to_owned),
        })
        .collect();
    match (file.get("PLATFORM"), file.get("APP_KEY"), file.get("APP_SECRET")) {
        (Some(platform), Some(key), Some(secret)) => {
            apps.push(AppSpec {
                platform: platform.to_owned(),
                key: key.to_owned(),
                secret: AppSecret::new(secret),
                redirect_uri: file.get("REDIRECT_URI").map(str::to_owned),
            });
        }
        (None, Some(_), Some(_)) => {
            return Err(Error::usage(format!(
                "{} has an app but does not say of which platform",
                path.display()
            ))
            .with_hint("Add a line PLATFORM=NAME, or write PLATFORM:KEY:SECRET.")
            .into());
        }
        _ if apps.is_empty() => {
            return Err(Error::usage(format!("{} holds no app", path.display()))
                .with_hint("Write lines PLATFORM:KEY:SECRET, or PLATFORM, APP_KEY and APP_SECRET.")
                .into());
        }
        _ => {}
    }
    Ok(apps)
}

/// Says how to use it. The secrets it shows are its own inventions; those of an app file stay there.
fn banner(sandbox: &Sandbox, args: &SandboxArgs) -> CliResult {
    let url = sandbox.url();
    let described = serde_json::to_value(sandbox.describe()).unwrap_or_default();
    let mut printer = Printer::new(Format::Table);
    printer.line(format_args!("The sandbox listens on {url}"))?;
    printer.line("")?;
    let mut rows = Rows::new(&["platform", "protocol", "app key", "calls go to"]);
    for app in described["apps"].as_array().into_iter().flatten() {
        rows.push(
            ["platform", "protocol", "app_key", "api_base"]
                .map(|name| app[name].as_str().unwrap_or_default().to_owned()),
        );
    }
    printer.rows(&rows)?;
    let mut shops: Vec<String> = Vec::new();
    for shop in described["shops"].as_array().into_iter().flatten() {
        shops.push(format!(
            "{} ({})",
            shop["login"].as_str().unwrap_or_default(),
            shop["platform"].as_str().unwrap_or_default()
        ));
    }
    printer.line(format_args!("\nShops: {}", shops.join(", ")))?;
    printer.line("\nUse it from another terminal:")?;
    printer.line(format_args!("  export SESAME_ENDPOINT={url}"))?;
    for app in described["apps"].as_array().into_iter().flatten() {
        if let (Some(platform), Some(key), Some(secret)) =
            (app["platform"].as_str(), app["app_key"].as_str(), app["app_secret"].as_str())
        {
            printer.line(format_args!(
                "  printf %s {secret} | sesame app add {platform} --key {key} --secret-stdin"
            ))?;
        }
    }
    let platform = described["apps"][0]["platform"].as_str().unwrap_or("PLATFORM");
    printer.line(format_args!("  sesame login {platform} && sesame accounts"))?;
    printer.line("\nKeys and secrets follow from the seed alone; --json prints them for programs.")?;
    printer.line(format_args!("Control and statistics: {url}/_sandbox/stats"))?;
    if args.allow_public && !args.listen.ip().is_loopback() {
        note("warning", "others can reach this address, and the control API under /_sandbox/ has no login");
    }
    printer.line("\nCtrl-C stops it.")?;
    printer.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> CliResult<Vec<AppSpec>> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("apps");
        std::fs::write(&path, text).unwrap();
        apps(&path)
    }

    #[test]
    fn apps_come_from_lines_and_from_env_files() {
        let apps = read("lazada:1:abc\n1688:2:def\n").unwrap();
        assert_eq!(apps.len(), 2);
        let apps = read("PLATFORM=alibaba\nAPP_KEY=5\nAPP_SECRET='x'\n").unwrap();
        assert_eq!((apps[0].platform.as_str(), apps[0].key.as_str()), ("alibaba", "5"));
        assert_eq!(apps[0].redirect_uri, None);
        let apps = read("1688:2:def\nREDIRECT_URI=https://erp.example/cb\n").unwrap();
        assert_eq!(apps[0].redirect_uri.as_deref(), Some("https://erp.example/cb"));
        assert!(read("APP_KEY=5\nAPP_SECRET=x\n").is_err(), "of which platform?");
        assert!(read("# nothing\n").is_err());
    }
}
