//! Shops that another program kept come into a vault, all or nothing.

mod apps;
pub(crate) mod dedup_by_token;
mod options;
mod plan;
mod row;
mod table;
mod time;
mod tokens;

use std::collections::HashSet;

use sesame_catalog::Platform;
use sesame_core::{Error, Result};

use self::table::Columns;
pub use self::{
    options::{COLUMNS, ImportOptions, Imported, Mapping},
    table::{MAX_TABLE, Table, TableFormat},
    time::parse_time,
};
use crate::{
    Vault,
    accounts::Walk,
    events::{Action, News},
    model::{Id, identity::leaf},
    store::{AppRow, FullRow, NewRows, Notes},
    vault::Services,
};

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
        if let (Err(error), false) = (&imported, options.dry_run) {
            services.events.record_failure(Action::Import, "vault", None, error).await;
        }
        imported
    }
}

/// Imports a table. `chosen` is the app of all its shops, and `true` if it is not in the vault yet.
async fn import(
    services: &Services,
    table: &Table,
    options: &ImportOptions,
    chosen: Option<(AppRow, bool)>,
) -> Result<Imported> {
    let platform = services.apps.platform(&options.platform)?;
    platform.urls(options.region.as_deref(), &services.apps.environment)?;
    if let Some((app, _)) = &chosen {
        check_app(services, app, platform)?;
    }
    let columns =
        table.columns(&options.mapping, platform.tokens.identity.id.iter().map(|path| leaf(path)))?;
    services.keys.ensure_current().await?;
    // Another process may take a name that was free a moment ago.
    for _ in 0..4 {
        let rows = known_accounts(services, table, &columns, chosen.as_ref()).await?;
        let known_apps = services.store.apps().await?;
        let apps = apps::ImportedApps::new(services, &platform.name, known_apps, chosen.as_ref());
        let plan = plan::Planner::new(services, platform, options, &rows, apps).plan(table, &columns);
        let plan::Plan { mut rows, mut report, completions } = plan;
        if options.dry_run {
            return Ok(report);
        }
        if !report.skipped.is_empty() && !options.skip_bad {
            return Err(refused(&report.skipped));
        }
        // Its tokens may be those of another app of the key; it is added all the same.
        if let Some((app, true)) = &chosen
            && report.skipped.is_empty()
            && rows.apps.is_empty()
        {
            rows.apps.push(app.clone());
        }
        let line = |name: &str, id: Id| services.events.audit_row(Action::Import, name, Some(id), None);
        let audit = rows.accounts.iter().map(|row| line(&row.name, row.authorization_id)).collect();
        let notes = Notes { audit, ..Notes::default() };
        if rows != NewRows::default() && !services.store.add(&rows, &notes).await? {
            continue;
        }
        // Whoever logged one in meanwhile has newer tokens: then the shop is left alone.
        for (name, generation, after) in &completions {
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

/// Reads the accounts of the vault that have a name or an app key of the table.
async fn known_accounts(
    services: &Services,
    table: &Table,
    columns: &Columns,
    chosen: Option<&(AppRow, bool)>,
) -> Result<Vec<FullRow>> {
    let all = |field| table.shops(columns).filter_map(move |shop| shop.ok()?.get(field));
    let names: HashSet<&str> = all("account").collect();
    let mut keys: HashSet<&str> = all("app_key").collect();
    keys.extend(chosen.map(|(app, _)| app.app_key.as_str()));
    let mut rows = Vec::new();
    let mut walk = Walk::begin(services.store.as_ref());
    while let Some(page) = walk.page().await? {
        rows.extend(page.into_iter().filter(|row| {
            names.contains(row.account.name.as_str()) || keys.contains(row.app.app_key.as_str())
        }));
    }
    Ok(rows)
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
