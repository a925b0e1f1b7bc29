//! A vault in PostgreSQL: what a keeper's claim costs among a million, and how many refreshes one
//! keeper makes while the server does little. The server is a throw-away one with its data on this
//! machine's disk, fsync on.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow, ensure};
use sesame_catalog::Catalog;
use sesame_core::{
    AccessToken, AppSecret, BoxFuture, Clock, HttpRequest, HttpResponse, RefreshToken, Transport,
};
use sesame_testing::postgres::Server;
use sesame_vault::{
    ImportedTokens, Keeper, KeeperOptions, KeyChoice, Location, NewApp, SystemClock, Vault, VaultOptions,
    store::{DueClaim, SqlStore, Store as _, WorkStore as _},
};
use tokio::runtime::Builder;

use crate::{
    Effort,
    report::{Report, Target},
};

const GROUP: &str = "postgres";
/// How long the gateway takes for an answer.
const GATEWAY: Duration = Duration::from_millis(50);
const APPS: usize = 10;

pub(crate) fn measure(effort: Effort, report: &mut Report) -> Result<()> {
    let settings = ["shared_buffers=256MB", "max_wal_size=4GB"];
    let server = Server::start(&settings).map_err(|why| anyhow!("no PostgreSQL: {why}"))?;
    Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(async {
        claims(&server, effort, report).await?;
        keeper(&server, effort, report).await
    })
}

/// Claims batches of 100 among a million whose order of time has nothing to do with their place.
async fn claims(server: &Server, effort: Effort, report: &mut Report) -> Result<()> {
    let fresh = server.database();
    let store = SqlStore::open(&fresh.by_socket.parse()?).await?;
    let rows = effort.of(1_000_000);
    server.sql(
        &fresh.name,
        &format!(
            "INSERT INTO sesame.app (app_id, name, platform, app_key, secret, redirect_uri, created_at) \
             VALUES (decode(repeat('ab', 16), 'hex'), 'app', 'lazada', '1', '', '', 0); \
             INSERT INTO sesame.authorizations (authorization_id, app_id, generation, access, refresh, issued_at, \
             identity, due_at) \
             SELECT decode(md5(n::text), 'hex'), decode(repeat('ab', 16), 'hex'), 1, \
             decode(repeat(md5(n::text), 5), 'hex'), decode(repeat(md5(n::text), 5), 'hex'), 0, \
             '{{\"seller\":\"1001\"}}', (n * 7919::BIGINT) % {rows} FROM generate_series(1, {rows}) AS n"
        ),
    );
    server.sql(&fresh.name, "VACUUM ANALYZE sesame.authorizations");
    let plan = server.sql(
        &fresh.name,
        "EXPLAIN SELECT authorization_id FROM sesame.authorizations WHERE due_at <= 1000 AND lease_until IS NULL \
         ORDER BY due_at LIMIT 100 FOR UPDATE SKIP LOCKED",
    );
    ensure!(plan.contains("Index Scan using authorization_due"), "{plan}");
    let mut took = Vec::new();
    for _ in 0..100 {
        let begun = Instant::now();
        let now = i64::MAX / 2;
        let due = store.claim_due(DueClaim { owner: "a", now, until: now + 60_000, limit: 100 }).await?;
        took.push(begun.elapsed().as_secs_f64() * 1_000.0);
        ensure!(due.len() == 100, "{} rows", due.len());
    }
    took.sort_by(f64::total_cmp);
    let slow = took.get(took.len() * 95 / 100).copied().unwrap_or_default();
    let what = format!("claiming 100 due authorizations of {rows}");
    report.add(GROUP, what, took, "ms", Target::AtMost(5.0));
    report.add(GROUP, "the same, 95 of 100 within", slow, "ms", Target::None);
    store.close().await;
    Ok(())
}

/// A token service of Lazada's form that takes its time and gives everyone a new pair.
struct Gateway(AtomicU64);

impl Transport for Gateway {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, sesame_core::Result<HttpResponse>> {
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        let body = std::str::from_utf8(&request.body).unwrap_or_default();
        let seller =
            body.split_once("shop-").and_then(|(_, rest)| rest.get(..5)).unwrap_or("00000").to_owned();
        Box::pin(async move {
            SystemClock.sleep(GATEWAY).await;
            let body = format!(
                r#"{{"access_token":"50000access{number:030}","refresh_token":"50001shop-{seller}refresh{number:020}","country":"sg","account":"seller@example.com","account_platform":"seller_center","expires_in":"2592000","refresh_expires_in":"15552000","country_user_info":[{{"country":"SG","user_id":"1","seller_id":"{seller}","short_code":"SG1"}}],"code":"0","request_id":"r{number}"}}"#
            );
            Ok(HttpResponse::new(200, body))
        })
    }
}

async fn keeper(server: &Server, effort: Effort, report: &mut Report) -> Result<()> {
    let fresh = server.database();
    let home = tempfile::tempdir()?;
    let gateway = Arc::new(Gateway(AtomicU64::new(0)));
    let vault = Vault::open(
        VaultOptions::new(
            fresh.by_socket.parse::<Location>()?.at_home(home.path()),
            Arc::clone(&gateway) as Arc<dyn Transport>,
        )
        .key(KeyChoice::File)
        .clock(Arc::new(SystemClock) as Arc<dyn Clock>)
        .catalog(Arc::new(Catalog::builtin())),
    )
    .await?;
    let shops = effort.of(1_500);
    for app in 0..APPS {
        let new = NewApp::new("lazada", format!("50010{app}"), AppSecret::new("secret0of0the0measurement"))
            .name(format!("app-{app}"));
        vault.add_app(new).await?;
    }
    let end = SystemClock.now().checked_add(Duration::from_hours(2_400))?;
    for shop in 0..shops {
        let tokens = ImportedTokens::default()
            .access(AccessToken::new(format!("50000access{shop:030}")))
            .refresh(RefreshToken::new(format!("50001shop-{shop:05}refresh")))
            .account_name(format!("shop-{shop:05}"))
            .access_expires_at(end)
            .refresh_expires_at(end);
        vault.import_tokens(&format!("app-{}", shop % APPS), tokens).await?;
    }
    let keeper = Keeper::new(vault.clone(), KeeperOptions::default().per_app(10_000));
    let (mut rates, mut shares) = (Vec::new(), Vec::new());
    for _ in 0..9 {
        let all_due =
            "UPDATE sesame.authorizations SET due_at = 1, warm_at = 1, access_expires_at = 2; CHECKPOINT";
        server.sql(&fresh.name, all_due);
        let (begun, cpu) = (Instant::now(), server.cpu_seconds());
        let pass = keeper.tick().await?;
        let (took, cpu) = (begun.elapsed().as_secs_f64(), server.cpu_seconds() - cpu);
        let refreshed = pass.done.refreshed;
        ensure!(refreshed == u64::try_from(shops)?, "{:?}", pass.done);
        rates.push(refreshed as f64 / took);
        shares.push(cpu / refreshed as f64 * 400.0 * 100.0);
    }
    report.add(GROUP, "one keeper, a gateway of 50 ms: refreshes", rates, "/s", Target::AtLeast(400.0));
    let what = "the server's CPU at 400 refreshes a second";
    report.add(GROUP, what, shares, "% of a core", Target::AtMost(30.0));
    vault.close().await;
    Ok(())
}
