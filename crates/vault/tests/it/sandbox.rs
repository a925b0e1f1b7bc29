//! The vault against the running sandbox, over its socket: every platform, both policies.

use std::{net::SocketAddr, sync::Arc};

use crate::support::SocketTransport;
use sesame_catalog::{Catalog, Environment};
use sesame_core::{AppSecret, Clock, ErrorKind, HttpRequest, Transport as _, request::Method};
use sesame_sandbox::{DescribedApp, OldRefreshToken, Options, Sandbox};
use sesame_vault::{
    Account, AccountState, Callback, KeyChoice, Location, LoginOptions, NewApp, SystemClock, Vault,
    VaultOptions,
};

struct World {
    sandbox: Sandbox,
    directory: tempfile::TempDir,
    catalog: Arc<Catalog>,
    environment: Environment,
}

impl World {
    async fn start(policy: OldRefreshToken) -> Self {
        let catalog = Arc::new(Catalog::builtin());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let options = Options {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            auto_approve: true,
            products: 3,
            old_refresh_token: policy,
            ..Options::new(catalog.clone(), clock)
        };
        let sandbox = Sandbox::start(options).await.unwrap();
        let environment = Environment::sandbox(&sandbox.url()).unwrap();
        Self { sandbox, directory: tempfile::tempdir().unwrap(), catalog, environment }
    }

    async fn open(&self) -> Vault {
        Vault::open(
            VaultOptions::new(
                Location::Sqlite(self.directory.path().join("vault.db")),
                Arc::new(SocketTransport),
            )
            .key(KeyChoice::File)
            .clock(Arc::new(SystemClock))
            .catalog(self.catalog.clone())
            .environment(self.environment.clone()),
        )
        .await
        .unwrap()
    }

    fn apps(&self) -> Vec<DescribedApp> {
        self.sandbox.describe().apps
    }

    async fn get(&self, path: &str) -> sesame_core::HttpResponse {
        SocketTransport
            .send(HttpRequest::new(Method::GET, format!("{}{path}", self.sandbox.url())))
            .await
            .unwrap()
    }

    /// How many refreshes the gateways carried out.
    async fn refreshed(&self) -> u64 {
        let stats: serde_json::Value =
            serde_json::from_slice(&self.get("/_sandbox/stats").await.body).unwrap();
        stats["tokens"]["refreshed"].as_u64().unwrap_or_else(|| panic!("no count of refreshes in {stats}"))
    }
}

async fn add(vault: &Vault, app: &DescribedApp) -> String {
    let new = NewApp::new(
        app.platform.clone(),
        app.app_key.clone(),
        AppSecret::new(app.app_secret.clone().unwrap()),
    )
    .redirect_uri(app.redirect_uri.clone());
    vault.add_app(new).await.unwrap().name
}

/// Approves as `sesame login` does: the sandbox redirects at once, the address is the callback.
async fn approve(vault: &Vault, app: &str, options: LoginOptions) -> (sesame_vault::Login, Callback) {
    let login = vault.begin_login(app, options).await.unwrap();
    let reply =
        SocketTransport.send(HttpRequest::new(Method::GET, login.authorize_url.clone())).await.unwrap();
    let location = reply
        .header("location")
        .unwrap_or_else(|| panic!("{app}: no redirect: {}", String::from_utf8_lossy(&reply.body)));
    (login, Callback::Url(location.to_owned()))
}

async fn authorized(world: &World, vault: &Vault, app: &DescribedApp) -> Vec<Account> {
    let name = add(vault, app).await;
    if app.platform == "miravia" {
        // Nobody knows its page; the sandbox has one all the same.
        let options = LoginOptions::default().have_code(true);
        let login = vault.begin_login(&name, options).await.unwrap();
        let query = [
            ("response_type", "code"),
            ("client_id", app.app_key.as_str()),
            ("redirect_uri", app.redirect_uri.as_str()),
            ("state", login.state.as_str()),
        ];
        let page = sesame_core::request::with_query(&app.authorize_url, query);
        let reply = SocketTransport.send(HttpRequest::new(Method::GET, page)).await.unwrap();
        return vault
            .finish_login(&login, Callback::Url(reply.header("location").unwrap().to_owned()))
            .await
            .unwrap();
    }
    let (login, callback) = approve(vault, &name, LoginOptions::default()).await;
    let accounts = vault.finish_login(&login, callback.clone()).await.unwrap();
    // The same code once more: refused as used, and nothing is harmed. A second login is begun,
    // since the state of the first is used up as well.
    let Callback::Url(url) = callback else { panic!("a callback is an address") };
    let code = url.split("code=").nth(1).unwrap().split('&').next().unwrap();
    let code = percent_encoding::percent_decode_str(code).decode_utf8().unwrap().into_owned();
    let again = vault.begin_login(&name, LoginOptions::default()).await.unwrap();
    let error = vault.finish_login(&again, Callback::Code(code.clone().into())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authorization, "{}: {error:?}", app.platform);
    assert!(error.hint().unwrap().contains("minutes"), "{}", app.platform);
    assert!(!format!("{error:?}").contains(&code) || code.len() < 8, "{}: {error:?}", app.platform);
    let _ = world;
    accounts
}

#[tokio::test(flavor = "multi_thread")]
async fn every_platform_logs_in_and_refreshes() {
    let world = World::start(OldRefreshToken::Dies).await;
    let vault = world.open().await;
    let apps = world.apps();
    assert!(apps.len() >= 8, "{apps:?}");
    for app in &apps {
        let accounts = authorized(&world, &vault, app).await;
        let account = accounts.first().unwrap_or_else(|| panic!("{}: no account", app.platform));
        assert!(account.sandbox && account.shop_id.is_some() && account.login.is_some(), "{account:?}");
        assert_eq!(account.state, AccountState::Healthy, "{account:?}");
        let handle = vault.handle(&account.name).await.unwrap();
        let old = vault.token_of(&handle).await.unwrap();
        let before = (account.refresh_expires_at, account.generation);
        let refreshed =
            vault.refresh(&account.name).await.unwrap_or_else(|error| panic!("{}: {error:?}", app.platform));
        assert_eq!(refreshed.generation, before.1 + 1, "{}", app.platform);
        let new = vault.token_of(&handle).await.unwrap();
        assert_ne!(old.access, new.access, "{}", app.platform);
        if app.protocol == "param2" {
            assert_eq!(refreshed.refresh_expires_at, before.0, "{}", app.platform);
        }
        // Twice more, with what the first refresh left.
        vault.refresh(&account.name).await.unwrap_or_else(|error| panic!("{}: {error:?}", app.platform));
        vault.refresh(&account.name).await.unwrap_or_else(|error| panic!("{}: {error:?}", app.platform));
    }
    world.sandbox.stop().await;
}

/// The page of 1688 of the old days is signed, today's is not: which one it is says the region.
#[tokio::test(flavor = "multi_thread")]
async fn both_pages_of_1688_lead_to_the_same_shop() {
    let world = World::start(OldRefreshToken::Dies).await;
    let vault = world.open().await;
    let apps = world.apps();
    let name = add(&vault, apps.iter().find(|app| app.platform == "1688").unwrap()).await;
    let mut shops = std::collections::BTreeSet::new();
    for region in [None, Some("china-2012"), None, Some("china-2012")] {
        let options = region.into_iter().fold(LoginOptions::default(), LoginOptions::region);
        let (login, callback) = approve(&vault, &name, options).await;
        assert_eq!(login.authorize_url.contains("_aop_signature="), region.is_some(), "{region:?}");
        let account = vault.finish_login(&login, callback).await.unwrap().remove(0);
        assert_eq!(account.state, AccountState::Healthy);
        shops.insert(account.shop_id.unwrap());
    }
    // It approves for its two shops in turn, whichever page is opened.
    assert_eq!(vault.accounts().await.unwrap().len(), shops.len());
    world.sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_on_one_vault_refresh_once_under_both_policies() {
    for policy in [OldRefreshToken::Dies, OldRefreshToken::Lives] {
        let world = World::start(policy).await;
        let vault = world.open().await;
        let apps = world.apps();
        let app = apps.iter().find(|app| app.platform == "lazada").unwrap();
        let account = authorized(&world, &vault, app).await.remove(0);
        let other = world.open().await;
        let generation = account.generation;
        let before = world.refreshed().await;
        let tasks: Vec<_> = (0..64)
            .map(|number| {
                let vault = if number % 2 == 0 { vault.clone() } else { other.clone() };
                let name = account.name.clone();
                tokio::spawn(async move {
                    let handle = vault.handle(&name).await.unwrap();
                    vault.report_rejected(&handle, generation).await.unwrap()
                })
            })
            .collect();
        let mut tokens = Vec::new();
        for task in tasks {
            tokens.push(task.await.unwrap());
        }
        assert!(
            tokens.iter().all(|token| *token == tokens[0] && token.generation == generation + 1),
            "{policy:?}"
        );
        assert_eq!(world.refreshed().await, before + 1, "{policy:?}");
        world.sandbox.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seller_who_revokes_is_asked_again_and_comes_back() {
    let world = World::start(OldRefreshToken::Dies).await;
    let vault = world.open().await;
    for app in
        world.apps().iter().filter(|app| ["alibaba", "1688", "taobao"].contains(&app.platform.as_str()))
    {
        let account = authorized(&world, &vault, app).await.remove(0);
        let revoke = HttpRequest::json(
            format!("{}/_sandbox/tokens/revoke", world.sandbox.url()),
            format!(r#"{{"platform":"{}"}}"#, app.platform),
        );
        assert_eq!(SocketTransport.send(revoke).await.unwrap().status, 200, "{}", app.platform);
        let error = vault.refresh(&account.name).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Authorization, "{}: {error:?}", app.platform);
        let seen = vault.account(&account.name).await.unwrap();
        assert!(matches!(seen.state, AccountState::NeedsAuthorization { .. }), "{seen:?}");
        let options = LoginOptions::default().as_name(account.name.clone());
        // The sandbox approves for its shops in turn: the wrong one is refused and changes nothing.
        let mut wrong = 0;
        loop {
            let (login, callback) = approve(&vault, &account.app, options.clone()).await;
            match vault.finish_login(&login, callback).await {
                Ok(_) => break,
                Err(error) => {
                    assert!(error.message().contains("another shop") && wrong < 4, "{error:?}");
                    assert_eq!(vault.account(&account.name).await.unwrap(), seen);
                    wrong += 1;
                }
            }
        }
        assert_eq!(vault.account(&account.name).await.unwrap().state, AccountState::Healthy);
    }
    world.sandbox.stop().await;
}
