//! Shops that another program kept come into a vault, all or nothing.

mod apps;
pub(crate) mod dedup_by_token;
mod options;
mod plan;
mod row;
mod table;
mod time;
mod tokens;

use sesame_catalog::Platform;
use sesame_core::{Clock, Error, Result};

use self::row::Tokens;
pub use self::{
    options::{COLUMNS, ImportOptions, Imported, Mapping},
    table::{MAX_TABLE, Table, TableFormat},
    time::parse_time,
};
use crate::{
    Vault,
    accounts::authorization::{seal_access, seal_refresh},
    events::{Action, News},
    model::{Id, identity::Identity},
    schedule::{self, WarmPolicy},
    seal::Sealer,
    store::{AppRow, AuthorizationRow, NewRows, Notes, TokenColumns},
    vault::Services,
};

/// Refreshes of tokens that ended long ago are spread over this, in milliseconds.
const SPREAD: i64 = 600_000;
/// How many rows or names an error lists.
const LISTED: usize = 20;

impl Vault {
    /// Imports the shops of a table that another program kept; all or nothing. An app key becomes one
    /// app; one that the vault has already is used. Shops that the vault has are left alone and listed.
    /// Whose a shop is (its `identity`) is kept, so that another shop's tokens never replace its own.
    ///
    /// One refresh token becomes one authorization, whose accounts all rows are that hold it; so does
    /// one that the vault has under another name.
    ///
    /// Shops whose refresh token is missing, or ended by the table's own word, come in, too, as ones
    /// that have to be authorized again. Where only its age speaks against it, the platform is asked.
    ///
    /// ```no_run
    /// # async fn example(vault: sesame_vault::Vault, csv: Vec<u8>) -> sesame_core::Result<()> {
    /// use sesame_vault::import::{ImportOptions, Table, TableFormat};
    ///
    /// let table = Table::read(csv, TableFormat::Csv)?;
    /// let done = vault.import_table(&table, &ImportOptions::new("lazada")?).await?;
    /// println!("{} shops", done.accounts.len());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) when rows cannot be read: they are named by
    /// line and reason (the first 20), and nothing is stored unless
    /// [`skip_bad`](ImportOptions::skip_bad); and for an unknown platform, region, app or column.
    pub async fn import_table(&self, table: &Table, options: &ImportOptions) -> Result<Imported> {
        let services = &self.0;
        let imported = async {
            let chosen = match &options.app {
                Some(name) => Some((services.apps.row(name).await?, false)),
                None => None,
            };
            import(services, table, options, chosen).await
        };
        let imported = imported.await;
        match &imported {
            Err(error) if !options.dry_run => {
                services.events.record_failure(Action::Import, "vault", None, error).await;
            }
            Ok(done) if !done.skipped.is_empty() && !options.skip_bad && !options.dry_run => {
                let error = refused(&done.skipped);
                services.events.record_failure(Action::Import, "vault", None, &error).await;
                return Err(error);
            }
            _ => {}
        }
        imported
    }
}

/// Imports a table. `chosen` is the app of all its shops, and `true` if it is not in the vault yet. Nothing is
/// stored if there are bad rows that are not to be skipped.
async fn import(
    services: &Services,
    table: &Table,
    options: &ImportOptions,
    chosen: Option<(AppRow, bool)>,
) -> Result<Imported> {
    let platform = services.apps.platform(&options.platform)?;
    platform.urls(options.region.as_deref(), services.apps.environment())?;
    if let Some((app, _)) = &chosen {
        check_app(services, app, platform)?;
    }
    services.keys.ensure_current().await?;
    let importer = Importer::new(services, options.tries_ended);
    // Another process may take a name that was free a moment ago.
    for _ in 0..4 {
        let rows = plan::relevant_accounts(services, table, platform, options, chosen.as_ref()).await?;
        let apps =
            apps::ImportedApps::new(&importer, &platform.name, services.store.apps().await?, chosen.clone());
        let mut plan = plan::Planner::new(&importer, platform, options, &rows, apps).plan(table)?;
        let bad = !plan.report.skipped.is_empty();
        if options.dry_run || (bad && !options.skip_bad) {
            return Ok(plan.report);
        }
        // Its tokens may be those of another app of the key; it is added all the same.
        if let Some((app, true)) = &chosen
            && !bad
            && plan.rows.apps.is_empty()
        {
            plan.rows.apps.push(app.clone());
        }
        let line = |name: &str, id: Id| services.events.audit_row(Action::Import, name, Some(id), None);
        let accounts = plan.rows.accounts.iter();
        let audit = accounts.map(|row| line(&row.name, row.authorization_id)).collect();
        let notes = Notes { audit, ..Notes::default() };
        if plan.rows != NewRows::default() && !services.store.add(&plan.rows, &notes).await? {
            continue;
        }
        // Whoever logged one in meanwhile has newer tokens: then the shop is left alone.
        let mut report = plan.report;
        for (name, generation, after) in &plan.completions {
            let mut notes = Notes { audit: vec![line(name, after.id)], ..Notes::default() };
            notes.events.extend(services.events.try_event(after, News::Recovered).await);
            let now = services.now();
            if !services.store.replace_tokens(after.id, *generation, &after.tokens, now, &notes).await? {
                report.completed.retain(|completed| completed != name);
                report.left_alone.push((name.clone(), name.clone()));
            }
        }
        return Ok(report);
    }
    Err(Error::local("other programs keep adding apps and accounts of these names")
        .with_hint("Repeat the command. Nothing was imported."))
}

fn check_app(services: &Services, app: &AppRow, platform: &Platform) -> Result<()> {
    services.apps.ensure_environment("app", &app.name, app.sandbox.as_deref())?;
    if app.platform == platform.name {
        return Ok(());
    }
    Err(Error::usage(format!("app {:?} is one of {}, not of {}", app.name, app.platform, platform.name))
        .with_hint("Give the app's platform with --platform."))
}

fn refused(skipped: &[(String, String)]) -> Error {
    let rows: Vec<String> = skipped.iter().map(|(place, why)| format!("{place}: {why}")).collect();
    let are = if rows.len() == 1 { "1 row".to_owned() } else { format!("{} rows", rows.len()) };
    Error::usage(format!("{are} cannot be imported: {}", some(&rows, "; ")))
        .with_hint("Fix them, or leave them out with --skip-bad. --dry-run shows what would be done. Nothing was imported.")
}

/// Joins the first names of a list, and counts the others.
pub(crate) fn some(names: &[String], between: &str) -> String {
    let shown = names.iter().take(LISTED).cloned().collect::<Vec<_>>().join(between);
    match names.len().saturating_sub(LISTED) {
        0 => shown,
        more => format!("{shown}{between}and {more} more"),
    }
}

/// What makes rows of imported tokens.
struct Importer<'a> {
    sealer: &'a Sealer,
    clock: &'a dyn Clock,
    sandbox: Option<String>,
    tries_ended: bool,
}

impl<'a> Importer<'a> {
    fn new(services: &'a Services, tries_ended: bool) -> Self {
        Self {
            sealer: services.keys.sealer(),
            clock: services.clock.as_ref(),
            sandbox: services.apps.sandbox(),
            tries_ended,
        }
    }

    fn now(&self) -> i64 {
        self.clock.now().as_millisecond()
    }

    /// Makes an authorization of imported tokens. What is due by now is spread over ten minutes.
    fn authorization(
        &self,
        id: Id,
        app: &AppRow,
        region: Option<String>,
        platform: &Platform,
        tokens: &Tokens,
        identity: &Identity,
    ) -> AuthorizationRow {
        let now = self.now();
        let exhausted = tokens.why_exhausted(now).filter(|_| !self.tries_ended);
        let mut row = AuthorizationRow {
            tokens: TokenColumns {
                access: tokens.access.as_ref().map(|token| seal_access(self.sealer, &id, token)),
                refresh: tokens.refresh.as_ref().map(|token| seal_refresh(self.sealer, &id, token)),
                issued_at: tokens.issued_at.unwrap_or(now),
                access_expires_at: tokens.access_ends,
                refresh_expires_at: tokens.refresh_ends,
                refresh_denied: false,
                identity: identity.to_json().into(),
                warm_at: None,
                due_at: None,
                announced: None,
            },
            last_success: None,
            last_error: exhausted.clone(),
            last_error_at: exhausted.as_ref().map(|_| now),
            exhausted,
            ..AuthorizationRow::new(id, app.id, region, now)
        };
        let chance = self.clock.jitter();
        #[expect(clippy::cast_possible_truncation, reason = "a number from 0 to 1000")]
        let thousandths = (chance.clamp(0.0, 1.0) * 1_000.0) as i64;
        let soon = now.saturating_add(SPREAD * thousandths / 1_000);
        row.tokens.warm_at = if schedule::ends_untold(&row) {
            Some(soon)
        } else {
            let at = schedule::warm_at(&platform.tokens, &row.tokens, chance);
            at.map(|at| if at <= now { soon } else { at })
        };
        row.tokens.due_at =
            schedule::due_at(&platform.tokens, &row, WarmPolicy::Always, now, self.clock.jitter());
        row
    }
}
