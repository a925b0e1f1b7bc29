//! The vault: a fresh token, and what a million accounts cost.

use std::{hint::black_box, path::Path, process::Command, sync::Arc, time::Instant};

use anyhow::{Context as _, Result, ensure};
use sesame_catalog::Catalog;
use sesame_core::{AccessToken, AppSecret, Clock as _, RefreshToken, Transport};
use sesame_vault::{
    AccountId, ImportedTokens, KeyChoice, Location, NewApp, SystemClock, Vault, VaultOptions,
    store::{DueClaim, SqlStore, Store as _, WorkStore as _},
};
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::{
    Effort,
    median::paired,
    report::{Report, Target},
    setting::peak_megabytes,
};

const GROUP: &str = "vault";

/// A transport that nobody uses.
struct Silent;

impl Transport for Silent {
    fn send(
        &self,
        _: sesame_core::HttpRequest,
    ) -> sesame_core::BoxFuture<'_, sesame_core::Result<sesame_core::HttpResponse>> {
        Box::pin(std::future::ready(Err(sesame_core::Error::local("nothing is sent here"))))
    }
}

fn options(path: &Path) -> VaultOptions {
    VaultOptions::new(Location::Sqlite(path.to_owned()), Arc::new(Silent))
        .key(KeyChoice::File)
        .clock(Arc::new(SystemClock))
        .catalog(Arc::new(Catalog::builtin()))
}

pub(crate) fn measure(effort: Effort, report: &mut Report) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let home = tempfile::tempdir()?;
    let path = home.path().join("vault.db");
    runtime.block_on(async {
        let vault = Vault::open(options(&path)).await?;
        let account = one_account(&vault).await?;
        fresh_tokens(effort, report, &vault, account)?;
        vault.close().await;
        let accounts = effort.of(1_000_000);
        fill(&path, accounts).await?;
        claims(effort, report, &path, accounts).await?;
        opening(effort, report, &path, accounts)
    })
}

async fn one_account(vault: &Vault) -> Result<AccountId> {
    let app = vault
        .add_app(NewApp::new("lazada", "500100", AppSecret::new("0123456789abcdef0123456789abcdef")))
        .await?;
    let tokens = ImportedTokens::default()
        .access(AccessToken::new("50000601c30atpedfgu3LVvik87Ixlsvle3mSoB7701ceb156fPunYZ43GBg"))
        .refresh(RefreshToken::new("500016000300bwa2WteaQyfwBMnPxurcA0mXGhQdTt18356663CfcDTYpWoi"))
        .account_name("shop");
    let account = vault.import_tokens(&app.name, tokens).await?.0.id;
    vault.token(&account).await?;
    vault.settle().await;
    Ok(account)
}

/// Calls of `Vault::token` in a loop, as one caller after another makes them.
fn fresh_tokens(effort: Effort, report: &mut Report, vault: &Vault, account: AccountId) -> Result<()> {
    let calls = effort.of(500_000);
    let alone = |vault: &Vault| -> Result<f64> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let began = Instant::now();
            for _ in 0..calls {
                black_box(vault.token(black_box(&account)).await?);
            }
            Ok(began.elapsed().as_secs_f64() * 1e9 / calls as f64)
        })
    };
    let (mut one, mut two) = (Vec::new(), Vec::new());
    // The threads below block in runtimes of their own, outside of this one.
    std::thread::scope(|scope| -> Result<()> {
        for _ in 0..9 {
            one.push(scope.spawn(|| alone(vault)).join().expect("a loop of calls does not panic")?);
            let threads = [scope.spawn(|| alone(vault)), scope.spawn(|| alone(vault))];
            let mut both = 0.0;
            for thread in threads {
                both += thread.join().expect("a loop of calls does not panic")?;
            }
            two.push(both / 2.0);
        }
        Ok(())
    })?;
    let times = paired(&two, &one, |two, one| two / one);
    report.add(GROUP, "`Vault::token`, fresh, one thread", one, "ns", Target::AtMost(150.0));
    report.add(GROUP, "`Vault::token`, fresh, on each of two threads", two, "ns", Target::None);
    report.add(GROUP, "... as a multiple of one thread", times, "x", Target::AtMost(1.3));
    Ok(())
}

/// Copies the one account until there are enough; one of a hundred is due.
async fn fill(path: &Path, accounts: usize) -> Result<()> {
    let mut connection = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(path)).await?;
    let now = SystemClock.now().as_millisecond();
    let count = i64::try_from(accounts)?;
    for query in [
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1) \
         INSERT INTO authorizations (authorization_id, app_id, generation, access, refresh, issued_at, identity, \
         last_used, access_expires_at, refresh_expires_at, warm_at, due_at) \
         SELECT unhex(printf('%032x', n)), app_id, 1, access, refresh, issued_at, identity, last_used, \
         ?2 + 86400000, ?2 + 864000000, ?2 + n, \
         CASE WHEN n % 100 = 0 THEN ?2 - n ELSE ?2 + 3600000 + n END FROM authorizations, n",
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1) \
         INSERT INTO account (account_id, name, app_id, authorization_id, created_at) \
         SELECT unhex(printf('%032x', n)), 'shop-' || n, app_id, unhex(printf('%032x', n)), ?2 FROM app, n",
    ] {
        sqlx::query(query).bind(count).bind(now).execute(&mut connection).await?;
    }
    connection.close().await?;
    Ok(())
}

async fn claims(effort: Effort, report: &mut Report, path: &Path, accounts: usize) -> Result<()> {
    let store = SqlStore::open(&Location::Sqlite(path.to_owned())).await?;
    let mut times = Vec::new();
    for _ in 0..effort.of(50) {
        let now = SystemClock.now().as_millisecond();
        let claim = DueClaim { owner: "a keeper", now, until: now + 90_000, limit: 100 };
        let began = Instant::now();
        let rows = store.claim_due(claim).await?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
        ensure!(rows.len() == 100, "{} rows were due", rows.len());
    }
    store.close().await;
    let what = format!("claim of 100 due rows among {accounts}, SQLite");
    report.add(GROUP, what, times, "ms", Target::AtMost(5.0));
    Ok(())
}

fn opening(effort: Effort, report: &mut Report, path: &Path, accounts: usize) -> Result<()> {
    let (mut times, mut peaks) = (Vec::new(), Vec::new());
    for _ in 0..effort.of(10).max(3) {
        let output = Command::new(std::env::current_exe()?).arg("open-vault").arg(path).output()?;
        ensure!(output.status.success(), "open-vault: {}", String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8(output.stdout)?;
        let mut figures = said.split_whitespace().map(str::parse::<f64>);
        times.push(figures.next().context("a time")??);
        peaks.push(figures.next().context("a peak")??);
    }
    let what = format!("opening a vault of {accounts} accounts");
    report.add(GROUP, what.clone(), times, "ms", Target::AtMost(1_000.0));
    report.add(GROUP, format!("{what}, memory"), peaks, "MB", Target::AtMost(100.0));
    Ok(())
}

/// Opens a vault, asks for one account, and prints the milliseconds and the most memory it took.
pub(crate) fn open(path: &Path) -> Result<()> {
    let began = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let vault = Vault::open(options(path)).await?;
        black_box(vault.account("shop").await?);
        let time = began.elapsed().as_secs_f64() * 1e3;
        println!("{time} {}", peak_megabytes(std::process::id()).context("no peak is known")?);
        vault.close().await;
        Ok(())
    })
}
