//! `sesame demo`: the main job on the built-in sandbox, step by step.
//!
//! Everything happens through the same doors as with real keys: the vault, the client, the gateways
//! over HTTP. Only the clock can be put forward.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use owo_colors::OwoColorize;
use serde_json::{json, value::RawValue};
use sesame_catalog::{Catalog, Platform};
use sesame_core::{AppSecret, BoxFuture, Clock, Error, path};
use sesame_sandbox::{DescribedApp, Options, Sandbox};
use sesame_shop::{Fields, Request, Walk};
use sesame_vault::{Account, LoginOptions, NewApp, SystemClock};

use crate::{
    commands::{categories::Categories, login::ask_sandbox},
    context::Context,
    exit::CliResult,
    facets, humanize,
    output::{Format, Printer},
    runtime,
    settings::Settings,
    table::Rows,
};

/// The rows of each shop in the table of products.
const ROWS: u64 = 6;
/// The columns that a table has on a usual screen, behind its indent.
const WIDTH: usize = 75;

/// Options of `demo`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sesame demo
  NO_COLOR=1 sesame demo | less

Two shops on two protocols are authorized, get tokens, have them refreshed, and list their products, \
categories and a category's schema. Its data lives in a temporary directory and is removed; your own \
SESAME_HOME and settings are not read.")]
pub(crate) struct DemoArgs {
    /// The seed of the shops and products.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// The clock of this machine, put forward.
#[derive(Debug, Default)]
struct DemoClock {
    real: SystemClock,
    ahead: AtomicI64,
}

impl Clock for DemoClock {
    fn now(&self) -> Timestamp {
        let ahead = SignedDuration::from_secs(self.ahead.load(Ordering::Relaxed));
        self.real.now().checked_add(ahead).unwrap_or(Timestamp::MAX)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.real.sleep(duration)
    }

    fn random(&self, buffer: &mut [u8]) {
        self.real.random(buffer);
    }
}

/// Shows it.
pub(crate) fn run(args: &DemoArgs) -> CliResult {
    // Removed when this function returns, after Ctrl-C too.
    let home = tempfile::Builder::new().prefix("sesame-demo-").tempdir().map_err(|error| {
        Error::local(format!("cannot make a temporary directory: {error}"))
            .with_hint("Check the space in it, or set TMPDIR to another.")
    })?;
    let path = home.path().to_owned();
    runtime::block_on_many(async move {
        let clock = Arc::new(DemoClock::default());
        let catalog = Arc::new(Catalog::builtin());
        let platforms = two_platforms(&catalog)?;
        let mut options = Options::new(catalog, Arc::<DemoClock>::clone(&clock));
        options.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        options.shops = 1;
        options.products = 40;
        options.seed = args.seed;
        options.auto_approve = true;
        let sandbox = Sandbox::start(options).await?;

        let mut key = [0; 32];
        clock.random(&mut key);
        let key = key.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        let settings = Settings::apart(path, sandbox.url(), AppSecret::new(key));
        let demo = Demo {
            context: Context::with_clock(settings, Arc::<DemoClock>::clone(&clock)),
            clock,
            platforms,
            out: Printer::new(Format::Table),
            step: 0,
        };
        let outcome = demo.play(&sandbox).await;
        sandbox.stop().await;
        outcome
    })
}

struct Demo {
    context: Context,
    clock: Arc<DemoClock>,
    platforms: [&'static Platform; 2],
    out: Printer,
    step: u8,
}

/// Chooses the two shops' platforms: of two protocols, and with all that is shown.
fn two_platforms(catalog: &Catalog) -> CliResult<[&'static Platform; 2]> {
    let with = |facets: &[&str], other: Option<&Platform>| {
        let found = catalog.platforms().iter().find(|platform| {
            other.is_none_or(|other| other.protocol != platform.protocol)
                && facets.iter().all(|facet| catalog.facet(&platform.name, facet).is_ok())
        });
        found.ok_or_else(|| {
            Error::local(format!("no platform of the catalog has all of: {}", facets.join(", ")))
        })
    };
    let first = with(&["products", "categories", "schema", "orders"], None)?;
    Ok([first, with(&["products", "categories", "templates"], Some(first))?])
}

impl Demo {
    async fn play(mut self, sandbox: &Sandbox) -> CliResult {
        let begun = self.clock.real.now();
        self.line(format_args!("{}", "Sesame: two shops, two protocols, one command".bold()))?;
        self.line(format_args!(
            "The sandbox at {} stands in for the platforms; data goes to a temporary directory.",
            sandbox.url()
        ))?;

        let apps = sandbox.describe().apps;
        let apps = self.add_apps(&apps).await?;
        let accounts = self.log_in(&apps).await?;
        self.show_tokens("The tokens", &accounts).await?;
        self.refresh(&accounts).await?;
        let category = self.products(&accounts).await?;
        self.categories(&accounts).await?;
        self.schema(&accounts[0], category).await?;
        self.any_api(&accounts).await?;
        self.closing(begun)
    }

    fn line(&mut self, text: impl std::fmt::Display) -> CliResult {
        self.out.styled(&format!("{text}\n"))
    }

    fn title(&mut self, text: &str, command: &str) -> CliResult {
        self.step += 1;
        let step = self.step;
        self.line(format_args!(
            "\n{} {}  {}",
            format_args!("{step}.").bold(),
            text.bold(),
            command.dimmed()
        ))?;
        self.out.flush()
    }

    fn done(&mut self, text: &str) -> CliResult {
        self.line(format_args!("   {} {}", "✓".green(), sesame_core::scalar::printable(text)))?;
        self.out.flush()
    }

    fn table(&mut self, rows: &Rows) -> CliResult {
        for line in rows.grid(Some(WIDTH)).lines() {
            self.line(format_args!("     {line}"))?;
        }
        self.out.flush()
    }

    async fn add_apps(&mut self, known: &[DescribedApp]) -> CliResult<Vec<String>> {
        self.title("Keep the keys of two apps, sealed", "sesame app add PLATFORM --key KEY --secret-stdin")?;
        let mut names = Vec::new();
        for Platform { name: platform, protocol, .. } in self.platforms {
            let found = known.iter().find(|app| app.platform == *platform);
            let found = found.ok_or_else(|| Error::local(format!("the sandbox has no app of {platform}")))?;
            let app = self
                .context
                .vault()
                .await?
                .add_app(
                    NewApp::new(
                        platform.clone(),
                        found.app_key.clone(),
                        AppSecret::new(found.app_secret.clone().unwrap_or_default()),
                    )
                    .redirect_uri(found.redirect_uri.clone()),
                )
                .await?;
            self.done(&format!("{platform} speaks {protocol}; app key {}", app.app_key))?;
            names.push(app.name);
        }
        Ok(names)
    }

    async fn log_in(&mut self, apps: &[String]) -> CliResult<Vec<String>> {
        self.title("Authorize a shop on each", "sesame login APP")?;
        let mut accounts = Vec::new();
        for app in apps {
            let vault = self.context.vault().await?.clone();
            let login = vault.begin_login(app, LoginOptions::default()).await?;
            let callback = ask_sandbox(&self.context, &login)
                .await?
                .ok_or_else(|| Error::local("the sandbox did not approve by itself"))?;
            let found = vault.finish_login(&login, callback).await?;
            for account in found {
                self.done(&format!(
                    "{app}: {} approved the app; state checked, code exchanged for tokens",
                    account.name
                ))?;
                accounts.push(account.name);
            }
        }
        Ok(accounts)
    }

    async fn show_tokens(&mut self, title: &str, names: &[String]) -> CliResult {
        self.title(title, "sesame accounts")?;
        let now = self.clock.now();
        let mut rows = Rows::one_line(&["account", "platform", "access token", "refresh token", "number"]);
        for name in names {
            let Account { name, platform, access_expires_at, refresh_expires_at, generation, .. } =
                self.account(name).await?;
            let left = |until: Option<Timestamp>| {
                until.map_or_else(|| "unknown".to_owned(), |until| humanize::left(until, now))
            };
            rows.push([
                name,
                platform,
                left(access_expires_at),
                left(refresh_expires_at),
                generation.to_string(),
            ]);
        }
        self.table(&rows)
    }

    async fn account(&self, name: &str) -> CliResult<Account> {
        Ok(self.context.vault().await?.account(name).await?)
    }

    async fn refresh(&mut self, names: &[String]) -> CliResult {
        self.title("Refresh the tokens", "sesame refresh ACCOUNT")?;
        let before = self.account(&names[0]).await?.generation;
        let after = self.context.vault().await?.refresh(&names[0]).await?;
        self.done(&format!(
            "{}: asked for a refresh, got a new pair (token {before} became {})",
            names[0], after.generation
        ))?;

        // One second more than the life of the token.
        let ten_hours = SignedDuration::from_hours(10).as_secs() + 1;
        self.clock.ahead.fetch_add(ten_hours, Ordering::Relaxed);
        let before = self.account(&names[1]).await?;
        self.done(&format!(
            "ten hours pass on the demo's clock; the access token of {} has ended",
            names[1]
        ))?;
        self.list(&names[1], "products", 1).await?;
        let after = self.account(&names[1]).await?;
        let left =
            after.access_expires_at.map_or_else(String::new, |until| humanize::left(until, self.clock.now()));
        self.done(&format!(
            "{}: the next call refreshed it by itself (token {} became {}, good for {left}; the refresh token stays)",
            names[1], before.generation, after.generation
        ))
    }

    async fn products(&mut self, names: &[String]) -> CliResult<u64> {
        self.title("List the products of both shops", "sesame products list ACCOUNT --all")?;
        let mut rows = Rows::one_line(&["shop", "id>", "title", "price>", "currency"]);
        let mut category = None;
        let mut counts = Vec::new();
        for name in names {
            let (fields, items, total) = self.list(name, "products", ROWS).await?;
            counts.push(format!("{name}: {} of {total}", items.len()));
            for item in &items {
                let text = |name: &str| fields.get(item, name);
                let shown = ["id", "title", "price", "currency"].map(text);
                rows.push([name.clone()].into_iter().chain(shown));
                category = category.or_else(|| text("category").parse().ok());
            }
        }
        self.table(&rows)?;
        self.done(&counts.join("; "))?;
        category.ok_or_else(|| Error::local("the products of the sandbox have no category").into())
    }

    /// Fetches the first rows of a list, and the number of all.
    async fn list(
        &self,
        name: &str,
        facet: &str,
        limit: u64,
    ) -> CliResult<(Fields, Vec<Box<RawValue>>, u64)> {
        let mut request = Request::new(facet);
        request.limit = Some(limit);
        let mut walk = Walk::open(&self.context.shop(name).await?, request).await?;
        let (mut items, mut total) = (Vec::new(), None);
        while let Some(page) = walk.next().await.transpose()? {
            total = page.total.or(total);
            items.extend(page.rows);
        }
        let total = total.unwrap_or(items.len() as u64);
        Ok((walk.fields(), items, total))
    }

    async fn categories(&mut self, names: &[String]) -> CliResult {
        self.title("Walk down the categories of both", "sesame categories get ACCOUNT [ID]")?;
        for name in names {
            let mut categories = Categories::open(name, "0", &self.context).await?;
            let count = categories.left();
            let rows = categories.next(4, 4).await?;
            let shown: Vec<String> = rows.iter().map(|row| categories.fields.get(row, "name")).collect();
            self.done(&format!("{name}: {count} top categories: {}, ...", shown.join(", ")))?;
        }
        Ok(())
    }

    async fn schema(&mut self, name: &str, category: u64) -> CliResult {
        self.title("Fetch the schema of a category", "sesame schema get ACCOUNT --category ID")?;
        let client = self.context.client().await?.clone();
        let shop = self.context.shop(name).await?;
        let fields = Fields::open(&shop, "schema").await?;
        let inputs = [("category", json!(category)), ("language", json!("en_US"))];
        let reply = facets::fetch(&client, &fields.call(&shop, inputs)?).await?;
        let place = fields.facet.items.as_deref().unwrap_or_default();
        let xml = path::text(facets::payload(&reply)?, place).unwrap_or_default();
        let count = xml.matches("<field ").count();
        let required = xml.matches("name=\"requiredRule\"").count();
        self.done(&format!(
            "category {category}: {} bytes of XML, {count} fields, {required} of them with a required rule",
            xml.len()
        ))?;
        let names: Vec<&str> = xml
            .split("<field ")
            .skip(1)
            .filter_map(|field| field.split("name=\"").nth(1)?.split('"').next())
            .take(6)
            .collect();
        self.done(&format!("it begins with: {}", names.join(", ")))
    }

    async fn any_api(&mut self, names: &[String]) -> CliResult {
        self.title("Call any API by name", "sesame call ACCOUNT API [NAME=VALUE ...]")?;
        let client = self.context.client().await?.clone();
        let shop = self.context.shop(&names[0]).await?;
        let fields = Fields::open(&shop, "orders").await?;
        let mut request = fields.call(&shop, [])?;
        request.args.insert("page_size".to_owned(), json!(10));
        let outcome = client.call(&request).await?;
        self.done(&format!(
            "{}: {} answered {} bytes, request id {}",
            names[0],
            fields.facet.api,
            outcome.reply.body().len(),
            outcome.reply.request_id().unwrap_or("none")
        ))?;
        let (_, templates, _) = self.list(&names[1], "templates", 50).await?;
        self.done(&format!("{}: {} detail modules (sesame templates list)", names[1], templates.len()))
    }

    fn closing(mut self, begun: Timestamp) -> CliResult {
        let took = self.clock.real.now().duration_since(begun).unsigned_abs();
        self.line(format_args!("\n{} All of this took {}.", "✓".green(), humanize::duration(took)))?;
        self.line(format_args!("\n{}", "The same with real keys:".bold()))?;
        let platform = &self.platforms[0].name;
        let add = format!("sesame app add {platform} --key YOUR_APP_KEY --secret-stdin");
        self.line(format_args!("  {add:<58} # or: --env-file .env"))?;
        self.line(format_args!("  {:<58} # opens the browser", format!("sesame login {platform}")))?;
        self.line("  sesame accounts")?;
        self.line("  sesame products list ACCOUNT --all --output csv > products.csv")?;
        self.line("The redirect URI of the app has to be http://127.0.0.1:8756/callback, or what --redirect-uri says.")?;
        self.line("\nTo play on: `sesame sandbox` keeps these gateways running; `sesame apis search TEXT` finds APIs.")?;
        self.out.flush()
    }
}
