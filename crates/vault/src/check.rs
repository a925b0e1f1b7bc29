//! `Vault::check`: everything is read once, and whatever cannot be is named.

use std::sync::Arc;

use serde::Serialize;
use sesame_catalog::Environment;
use sesame_core::{Clock, Result};

use crate::{
    accounts::{
        Apps, Step, Walk,
        app::{former_slot, secret_slot},
        authorization::slot,
    },
    model::identity::Identity,
    refresh::Journal,
    schedule,
    seal::{KeyId, MasterKeys, Slot, key_of, open_text},
    store::{AppRow, FullRow, KeyState, Store},
};

/// Something that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// `store`, `key`, `app`, `account` or `journal`.
    pub place: &'static str,
    /// Its name: of the app, the account, the file or the key; the id of an account whose row cannot be
    /// read; empty for the store as a whole.
    pub name: String,
    /// The column, where it is one.
    pub column: Option<&'static str>,
    /// What is wrong, without secrets.
    pub why: String,
}

/// What was read, and what could not be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CheckReport {
    /// Whatever is wrong; nothing is left out.
    pub findings: Vec<Finding>,
    /// What is not wrong and yet worth knowing: a rekey that was cut off, values under a former key.
    pub notes: Vec<String>,
    /// Master keys, former ones included.
    pub keys: u64,
    /// Apps.
    pub apps: u64,
    /// Accounts.
    pub accounts: u64,
    /// Sealed values that open.
    pub values: u64,
    /// Answers that wait in the journal and open.
    pub waiting: u64,
}

const ISSUED_IN_FUTURE: &str =
    "issued in the future, by a clock that was ahead; a keeper or `sesame refresh` replaces them";

impl CheckReport {
    /// Returns `true` if nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    fn add(&mut self, place: &'static str, name: &str, column: Option<&'static str>, why: impl Into<String>) {
        self.findings.push(Finding { place, name: name.to_owned(), column, why: why.into() });
    }

    /// Notes what a rekey would change.
    fn note_values(&mut self, former: u64) {
        match former {
            0 => {}
            1 => self.notes.push(
                "1 value is sealed with a former key, which is kept; `sesame vault rekey` reseals it".to_owned(),
            ),
            former => self.notes.push(format!(
                "{former} values are sealed with a former key, which is kept; `sesame vault rekey` reseals them"
            )),
        }
        let is_closed = |finding: &&Finding| matches!(finding.column, Some("access" | "refresh" | "secret"));
        let closed = self.findings.iter().filter(is_closed).count();
        let what = match closed {
            0 => return,
            1 => "1 value does not open, and a rekey leaves it as it is".to_owned(),
            closed => format!("{closed} values do not open, and a rekey leaves them as they are"),
        };
        self.notes.push(format!(
            "{what}: log its shop in again with `sesame login APP --as ACCOUNT`, or give an app its secret again with `sesame app add`"
        ));
    }
}

/// Reads a vault once, from end to end.
pub(crate) struct Checker {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) keys: Arc<MasterKeys>,
    pub(crate) apps: Arc<Apps>,
    pub(crate) journal: Journal,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Checker {
    /// Reads everything once: the store's own integrity, the keys, every sealed value, identities,
    /// platforms, the journal. Changes nothing. Memory is bounded by a page of accounts.
    ///
    /// # Errors
    /// [`ErrorKind::Local`](sesame_core::ErrorKind::Local) when the store cannot be read at all.
    pub(crate) async fn run(&self) -> Result<CheckReport> {
        let mut pass = Pass { vault: self, report: CheckReport::default(), active: None, former: 0 };
        for why in self.store.check().await? {
            pass.report.add("store", "", None, why);
        }
        pass.check_keys().await?;
        match self.store.apps().await {
            Ok(apps) => {
                for app in apps {
                    pass.check_app(&app).await;
                }
            }
            Err(error) => pass.report.add("app", "", None, format!("the apps cannot be read: {error}")),
        }
        pass.check_accounts().await;
        pass.check_journal().await?;
        Ok(pass.report)
    }
}

/// One reading of a vault.
struct Pass<'a> {
    vault: &'a Checker,
    report: CheckReport,
    active: Option<KeyId>,
    /// How many values open with another key than the active one.
    former: u64,
}

impl Pass<'_> {
    async fn check_accounts(&mut self) {
        let mut from_future = (0_u64, String::new());
        let mut walk = Walk::begin(self.vault.store.as_ref());
        loop {
            let page = match walk.step().await {
                Ok(Some(Step::Page(page))) => page,
                Ok(Some(Step::Unreadable(id, error))) => {
                    let why = format!("its row cannot be read: {error}");
                    self.report.add("account", &id.to_string(), None, why);
                    continue;
                }
                Ok(None) => break,
                Err(error) => {
                    let from =
                        walk.after().map_or("the first".to_owned(), |id| format!("the one after {id}"));
                    let why = format!("accounts from {from} on cannot be read: {error}");
                    self.report.add("account", "", None, why);
                    break;
                }
            };
            for row in &page {
                if schedule::is_from_future(
                    &row.authorization.tokens,
                    self.vault.clock.now().as_millisecond(),
                ) {
                    from_future.0 += 1;
                    from_future.1.clone_from(&row.account.name);
                }
                self.check_account(row).await;
            }
        }
        self.report.note_values(self.former);
        match from_future {
            (0, _) => {}
            (1, name) => self.report.notes.push(format!("the tokens of {name} were {ISSUED_IN_FUTURE}")),
            (count, name) => self.report.notes.push(format!(
                "the tokens of {name} and {} more accounts were {ISSUED_IN_FUTURE}",
                count - 1
            )),
        }
    }

    async fn check_journal(&mut self) -> Result<()> {
        let contents = self.vault.journal.read(None)?;
        for (path, error) in contents.unreadable {
            let what = format!("this file of the journal cannot be read: {}", error.message());
            self.report.add("journal", &path.display().to_string(), None, &what);
        }
        for record in contents.records {
            let place = record.path.display().to_string();
            match record.open(self.vault.keys.sealer()) {
                Err(error) => {
                    let what = format!("this reply of a platform cannot be read: {}", error.message());
                    self.report.add("journal", &place, None, &what);
                }
                Ok(_) if self.vault.store.authorization(record.id).await?.is_none() => {
                    let what = "this reply of a platform belongs to an account that the vault does not have";
                    self.report.add("journal", &place, None, what);
                }
                Ok(_) => self.report.waiting += 1,
            }
        }
        Ok(())
    }

    async fn check_keys(&mut self) -> Result<()> {
        let rows = self.vault.store.keys().await?;
        let learned = self.vault.keys.learn(&rows).await;
        let ring = self.vault.keys.sealer().ring();
        for row in &rows {
            self.report.keys += 1;
            let name = hex::encode(row.key_id);
            if !ring.has(row.key_id) {
                let why = match &learned {
                    Err(error) if row.state == KeyState::Active => error.message().to_owned(),
                    _ => "no key of this vault opens it; what it sealed cannot be read".to_owned(),
                };
                self.report.add("key", &name, None, why);
            }
            match row.state {
                KeyState::Active => self.active = Some(row.key_id),
                KeyState::Incoming => self.report.notes.push(
                    "a rekey was begun and is not finished; `sesame vault rekey` goes on with it".to_owned(),
                ),
                KeyState::Retired => {}
            }
        }
        Ok(())
    }

    async fn check_app(&mut self, row: &AppRow) {
        self.report.apps += 1;
        self.check_value("app", &row.name, "secret", secret_slot(&row.id), &row.secret).await;
        if let Some(secret) = &row.former_secret {
            self.check_value("app", &row.name, "former secret", former_slot(&row.id), secret).await;
        }
        let known = self
            .vault
            .apps
            .platform(&row.platform)
            .and_then(|platform| platform.urls(row.region.as_deref(), &Environment::Live));
        if let Err(error) = known {
            self.report.add("app", &row.name, Some("platform"), error.message().to_owned());
        }
    }

    async fn check_account(&mut self, row: &FullRow) {
        self.report.accounts += 1;
        let (name, authorization) = (&row.account.name, &row.authorization);
        let tokens = &authorization.tokens;
        for (column, sealed) in [("access", &tokens.access), ("refresh", &tokens.refresh)] {
            if let Some(sealed) = sealed {
                self.check_value("account", name, column, slot(&authorization.id, column), sealed).await;
            }
        }
        if serde_json::from_str::<Identity>(&tokens.identity).is_err() {
            self.report.add(
                "account",
                name,
                Some("identity"),
                "invalid identity: a login of another shop would go unnoticed",
            );
        }
        if row.account.app_id != authorization.app_id {
            self.report.add(
                "account",
                name,
                Some("app_id"),
                "its tokens were given to another app than its own",
            );
        }
        if let Ok(platform) = self.vault.apps.platform(&row.app.platform)
            && let Err(error) = platform.urls(row.account.region.as_deref(), &Environment::Live)
        {
            self.report.add("account", name, Some("region"), error.message().to_owned());
        }
    }

    /// Counts a sealed value, or says why it does not open.
    async fn check_value(
        &mut self,
        place: &'static str,
        name: &str,
        column: &'static str,
        slot: Slot<'_>,
        sealed: &[u8],
    ) {
        let known = self.vault.keys.ensure_value(sealed).await;
        match known.and_then(|()| open_text(self.vault.keys.sealer(), slot, sealed)) {
            Ok(_) => {
                self.report.values += 1;
                self.former += u64::from(self.active.is_some() && key_of(sealed) != self.active);
            }
            Err(error) => self.report.add(place, name, Some(column), error.message().to_owned()),
        }
    }
}
