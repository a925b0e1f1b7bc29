//! `Vault::import`: an export comes into a vault, all or nothing, and overwrites nothing.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    io::Read,
};

use sesame_core::{AppSecret, Error, Result};

use super::{
    form::Reader,
    lines::{AccountLine, AppLine, AuthorizationLine, Counts, Line},
    some,
};
use crate::{
    Id, Imported, Vault,
    app::{Side, secret_slot, side_of},
    audit::Action,
    identity::{Identity, Match},
    name, schedule,
    seal::open_text,
    store::{AppRow, FullRow, NewRows, Notes},
    vault::Inner,
};

/// The most lines of one file: they are stored in one transaction.
const MOST_LINES: u64 = 3_000_000;

/// What an export holds.
#[derive(Default)]
struct Content {
    apps: Vec<AppLine>,
    authorizations: BTreeMap<Id, AuthorizationLine>,
    accounts: Vec<AccountLine>,
}

impl Vault {
    /// Takes over an export; all or nothing. Nothing that stands is overwritten: shops that the vault
    /// has already are left alone and listed, and tokens that it has already stay one authorization,
    /// which another shop of theirs joins. Sandbox marks, generations, ends, identities, tags and
    /// what was given up stay as they were.
    ///
    /// A name that another app or shop has is an error, unless `rename`: then it gets a number.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) for a wrong passphrase, a file that is no
    /// export, and names that are taken, all of them named;
    /// [`ErrorKind::Local`](sesame_core::ErrorKind::Local) for a damaged file, a newer one, and a store
    /// that fails.
    pub async fn import(
        &self,
        passphrase: &AppSecret,
        rename: bool,
        input: &mut (dyn Read + Send),
    ) -> Result<Imported> {
        let inner = &self.0;
        let imported = inner.import(passphrase, rename, false, input).await;
        if let Err(error) = &imported {
            inner.note_failure(Action::Import, "vault", None, error).await;
        }
        imported
    }

    /// Says what [`Vault::import`] would do with an export, and stores nothing.
    ///
    /// # Errors
    /// As [`Vault::import`].
    pub async fn look_into_export(
        &self,
        passphrase: &AppSecret,
        rename: bool,
        input: &mut (dyn Read + Send),
    ) -> Result<Imported> {
        self.0.import(passphrase, rename, true, input).await
    }
}

impl Inner {
    async fn import(
        &self,
        passphrase: &AppSecret,
        rename: bool,
        dry_run: bool,
        input: &mut (dyn Read + Send),
    ) -> Result<Imported> {
        let content = self.read_export(passphrase, input).await?;
        // Another process may take a name that was free a moment ago.
        for _ in 0..4 {
            let mut plan = Plan { rename, ..Plan::default() };
            self.plan_import(&content, &mut plan).await?;
            if !plan.taken.is_empty() {
                return Err(Error::usage(format!(
                    "names of the export are taken by others in this vault: {}",
                    some(&plan.taken, ", ")
                ))
                .with_hint(
                    "Rename those in the vault, or give these a number with --rename. Nothing was imported.",
                ));
            }
            if dry_run {
                return Ok(plan.report);
            }
            let lines = plan.rows.accounts.iter();
            let lines =
                lines.map(|row| self.line(Action::Import, &row.name, Some(row.authorization_id), None));
            let notes = Notes { audit: lines.collect(), ..Notes::default() };
            if plan.rows == NewRows::default() || self.store.add(&plan.rows, &notes).await? {
                return Ok(plan.report);
            }
        }
        Err(Error::local("other programs keep adding apps and accounts of these names")
            .with_hint("Repeat the command. Nothing was imported."))
    }
}

/// What an import will do.
#[derive(Default)]
struct Plan {
    rename: bool,
    rows: NewRows,
    report: Imported,
    taken: Vec<String>,
}

impl Plan {
    /// Chooses the name under which something comes in; nothing when it is taken.
    fn name(&mut self, what: &str, wanted: &str, names: &mut HashSet<String>) -> Option<String> {
        if names.insert(wanted.to_owned()) {
            return Some(wanted.to_owned());
        }
        if !self.rename {
            self.taken.push(format!("{what} {wanted:?}"));
            return None;
        }
        let free = name::first_free(wanted, |name| names.contains(name));
        names.insert(free.clone());
        self.report.renamed.push((wanted.to_owned(), free.clone()));
        Some(free)
    }
}

impl Inner {
    async fn read_export(&self, passphrase: &AppSecret, input: &mut (dyn Read + Send)) -> Result<Content> {
        let damaged = |what: &str| {
            Error::local(format!("the export is damaged: {what}"))
                .with_hint("Copy it again, or make a new one. Nothing was imported.")
        };
        let mut reader = Reader::begin(self, passphrase, input).await?;
        let mut content = Content::default();
        let mut end = None;
        let mut lines = 0_u64;
        while let Some(line) = reader.line::<Line>()? {
            lines += 1;
            if end.is_some() || lines > MOST_LINES {
                return Err(damaged("it has more lines than it should"));
            }
            match line {
                Line::App(app) => content.apps.push(app),
                Line::Authorization(line) => {
                    content.authorizations.insert(line.id, *line);
                }
                Line::Account(account) => content.accounts.push(account),
                Line::End(counts) => end = Some(counts),
            }
        }
        let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
        let counts = Counts {
            apps: count(content.apps.len()),
            authorizations: count(content.authorizations.len()),
            accounts: count(content.accounts.len()),
        };
        if end != Some(counts) {
            return Err(damaged("lines are missing"));
        }
        Ok(content)
    }

    async fn plan_import(&self, content: &Content, plan: &mut Plan) -> Result<()> {
        let apps = self.plan_apps(&content.apps, plan).await?;
        let stands = self.store.accounts().await?;
        let known = Known::of(&stands);
        let ours: HashSet<Id> = apps.values().flatten().map(|app| app.id).collect();
        let held = self.held(&stands, |row| ours.contains(&row.app.id)).await?;
        let mut names: HashSet<String> = stands.iter().map(|row| row.account.name.clone()).collect();
        let mut added: HashSet<Id> = HashSet::new();
        for line in &content.accounts {
            let (Some(authorization), Some(app)) =
                (content.authorizations.get(&line.authorization_id), apps.get(&line.app_id))
            else {
                return Err(Error::local("the export is damaged: an account has no app or no tokens")
                    .with_hint("Make a new one. Nothing was imported."));
            };
            let Some(app) = app else { continue };
            if let Some(row) = known.accounts.get(&line.id) {
                plan.report.left_alone(&line.name, &row.account.name);
                continue;
            }
            let same_name = known.names.get(line.name.as_str());
            let holders = held.accounts(authorization.marks(&app.app_key).wanted());
            let stands = known.authorizations.contains(&line.authorization_id);
            // Imported twice, from another program's table, tokens have two authorizations by now.
            let shares = if stands { None } else { holders.first() };
            let holds = stands || shares.is_some();
            let used = shares.map_or(line.authorization_id, |row| row.authorization.id);
            let is_shop = |row: &&&FullRow| line.shop_id.is_some() && row.account.shop_id == line.shop_id;
            // The same shop by what the platform calls it: a second pair of tokens could end the first.
            let twin = if holds {
                let named = same_name.filter(|row| row.authorization.id == used);
                named.or_else(|| shares.and_then(|_| holders.iter().find(is_shop))).copied()
            } else {
                self.twin(&known, app, &authorization.identity)
            };
            if let Some(row) = twin {
                plan.report.left_alone(&line.name, &row.account.name);
                continue;
            }
            let Some(name) = plan.name("account", &line.name, &mut names) else { continue };
            if !holds && added.insert(authorization.id) {
                let row = self.planned(authorization, app)?;
                plan.rows.authorizations.push(row);
            }
            let exhausted = shares.map_or(&authorization.exhausted, |row| &row.authorization.exhausted);
            if let Some(reason) = exhausted {
                plan.report.needs_authorization.push((name.clone(), reason.clone()));
            }
            plan.report.accounts.push(name.clone());
            let app_id = shares.map_or(app.id, |row| row.app.id);
            plan.rows.accounts.push(line.row(name, app_id, used));
        }
        Ok(())
    }

    /// Decides for each app of the file which app of the vault stands for it; nothing for one whose
    /// name is taken.
    async fn plan_apps(&self, lines: &[AppLine], plan: &mut Plan) -> Result<HashMap<Id, Option<AppRow>>> {
        let stands = self.store.apps().await?;
        let mut names: HashSet<String> = stands.iter().map(|app| app.name.clone()).collect();
        let mut apps = HashMap::new();
        for line in lines {
            let same = stands.iter().find(|app| {
                app.id == line.id
                    || (app.platform == line.platform
                        && app.app_key == line.app_key
                        && app.sandbox == line.sandbox)
            });
            if let Some(app) = same {
                self.know_keys_of_app(app).await?;
                let secret = open_text(&self.sealer, secret_slot(&app.id), &app.secret);
                if secret.is_ok_and(|secret| secret != line.secret().expose()) {
                    plan.report.notes.push(format!(
                        "app {:?} has another secret in the export than in this vault; the vault's stays",
                        app.name
                    ));
                }
                apps.insert(line.id, Some(app.clone()));
                continue;
            }
            let row = plan.name("app", &line.name, &mut names).map(|name| line.row(&self.sealer, name));
            if let Some(row) = &row {
                plan.report.apps.push(row.name.clone());
                plan.rows.apps.push(row.clone());
            }
            apps.insert(line.id, row);
        }
        Ok(apps)
    }

    /// Makes the row of an authorization, and plans when a keeper looks at it.
    fn planned(&self, line: &AuthorizationLine, app: &AppRow) -> Result<crate::store::AuthorizationRow> {
        let mut row = line.row(&self.sealer, app.id, self.now());
        let platform = self.platform(&app.platform)?;
        row.tokens.warm_at = schedule::warm_at(&platform.tokens, &row.tokens, self.clock.jitter());
        row.tokens.due_at = self.due_at(&platform, &row);
        Ok(row)
    }

    /// Finds an account of the same shop of the same app, or of another one with the same key: to the
    /// platform they are one.
    pub(crate) fn twin<'a>(&self, known: &Known<'a>, app: &AppRow, identity: &str) -> Option<&'a FullRow> {
        let identity = Identity::parse(identity);
        let platform = self.platform(&app.platform).ok()?;
        let fields = &platform.tokens.identity;
        let candidates = identity.marks().filter_map(|mark| known.marks.get(&(side_of(app), mark))).flatten();
        candidates.copied().find(|row| {
            Identity::parse(&row.authorization.tokens.identity).compare(&identity, fields) == Match::Same
        })
    }
}

/// The accounts of a vault, by what an import asks for.
pub(crate) struct Known<'a> {
    accounts: HashMap<Id, &'a FullRow>,
    pub(crate) names: HashMap<&'a str, &'a FullRow>,
    authorizations: HashSet<Id>,
    marks: HashMap<(Side<'a>, String), Vec<&'a FullRow>>,
}

impl<'a> Known<'a> {
    pub(crate) fn of(rows: &'a [FullRow]) -> Self {
        let mut marks: HashMap<(Side<'_>, String), Vec<&FullRow>> = HashMap::new();
        for row in rows {
            for mark in Identity::parse(&row.authorization.tokens.identity).marks() {
                marks.entry((side_of(&row.app), mark)).or_default().push(row);
            }
        }
        Self {
            accounts: rows.iter().map(|row| (row.account.id, row)).collect(),
            names: rows.iter().map(|row| (row.account.name.as_str(), row)).collect(),
            authorizations: rows.iter().map(|row| row.authorization.id).collect(),
            marks,
        }
    }
}
