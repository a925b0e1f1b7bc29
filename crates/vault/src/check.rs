//! `Vault::check`: everything is read once, and whatever cannot be is named.

use std::sync::Arc;

use serde::Serialize;
use sesame_catalog::Environment;
use sesame_core::{Clock, Error, Result};

use crate::{
    accounts::{
        Apps, Step, Walk,
        app::{former_slot, secret_slot},
        authorization::{open_access, open_refresh},
    },
    model::identity::Identity,
    refresh::Journal,
    schedule,
    seal::{KeyId, MasterKeys, key_of, open_text},
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

    /// Counts a sealed value, and tells whether it opens.
    fn opened<T>(
        &mut self,
        place: &'static str,
        name: &str,
        column: &'static str,
        opened: Result<T>,
    ) -> bool {
        match opened {
            Ok(_) => {
                self.values += 1;
                true
            }
            Err(error) => {
                self.add(place, name, Some(column), error.message().to_owned());
                false
            }
        }
    }

    /// Says what a rekey does for sealed values, and what it cannot do.
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
        let mut report = CheckReport::default();
        for why in self.store.check().await? {
            report.add("store", "", None, why);
        }
        let active = self.check_keys(&mut report).await?;
        let is_former = |sealed: &[u8]| active.is_some() && key_of(sealed) != active;
        let mut former = 0_u64;
        match self.store.apps().await {
            Ok(apps) => {
                for app in apps {
                    report.apps += 1;
                    if self.check_app(&app, &mut report).await {
                        former += u64::from(is_former(&app.secret));
                    }
                }
            }
            Err(error) => report.add("app", "", None, format!("the apps cannot be read: {error}")),
        }
        let mut from_future = (0_u64, String::new());
        let mut walk = Walk::begin(self.store.as_ref());
        loop {
            let page = match walk.step().await {
                Ok(Some(Step::Page(page))) => page,
                Ok(Some(Step::Unreadable(id, error))) => {
                    report.add("account", &id.to_string(), None, format!("its row cannot be read: {error}"));
                    continue;
                }
                Ok(None) => break,
                Err(error) => {
                    let from = walk
                        .after()
                        .map_or_else(|| "the first".to_owned(), |id| format!("the one after {id}"));
                    report.add(
                        "account",
                        "",
                        None,
                        format!("accounts from {from} on cannot be read: {error}"),
                    );
                    break;
                }
            };
            for row in &page {
                report.accounts += 1;
                if schedule::is_from_future(&row.authorization.tokens, self.clock.now().as_millisecond()) {
                    from_future.0 += 1;
                    from_future.1.clone_from(&row.account.name);
                }
                for sealed in self.check_account(row, &mut report).await {
                    former += u64::from(is_former(sealed));
                }
            }
        }
        report.note_values(former);
        match from_future {
            (0, _) => {}
            (1, name) => report.notes.push(format!("the tokens of {name} were {ISSUED_IN_FUTURE}")),
            (count, name) => report.notes.push(format!(
                "the tokens of {name} and {} more accounts were {ISSUED_IN_FUTURE}",
                count - 1
            )),
        }
        self.check_journal(&mut report).await?;
        Ok(report)
    }

    async fn check_journal(&self, report: &mut CheckReport) -> Result<()> {
        let contents = self.journal.read(None)?;
        for (path, error) in contents.unreadable {
            let what = format!("this file of the journal cannot be read: {}", error.message());
            report.add("journal", &path.display().to_string(), None, &what);
        }
        for record in contents.records {
            let place = record.path.display().to_string();
            match record.open(self.keys.sealer()) {
                Err(error) => {
                    let what = format!("this reply of a platform cannot be read: {}", error.message());
                    report.add("journal", &place, None, &what);
                }
                Ok(_) if self.store.authorization(record.id).await?.is_none() => {
                    let what = "this reply of a platform belongs to an account that the vault does not have";
                    report.add("journal", &place, None, what);
                }
                Ok(_) => report.waiting += 1,
            }
        }
        Ok(())
    }

    async fn check_keys(&self, report: &mut CheckReport) -> Result<Option<KeyId>> {
        let rows = self.store.keys().await?;
        let learned = self.keys.learn(&rows).await;
        let ring = self.keys.sealer().ring();
        let mut active = None;
        for row in &rows {
            report.keys += 1;
            let name = hex::encode(&row.key_id);
            let id = KeyId::try_from(row.key_id.as_slice()).ok();
            if !id.is_some_and(|id| ring.has(id)) {
                let why = match &learned {
                    Err(error) if row.state == KeyState::Active => error.message().to_owned(),
                    _ => "no key of this vault opens it; what it sealed cannot be read".to_owned(),
                };
                report.add("key", &name, None, why);
            }
            match row.state {
                KeyState::Active => active = id,
                KeyState::Incoming => report.notes.push(
                    "a rekey was begun and is not finished; `sesame vault rekey` goes on with it".to_owned(),
                ),
                KeyState::Retired => {}
            }
        }
        Ok(active)
    }

    /// Returns `true` if the app's secret opens.
    async fn check_app(&self, row: &AppRow, report: &mut CheckReport) -> bool {
        let opened = match self.keys.ensure_app(row).await {
            Ok(()) => open_text(self.keys.sealer(), secret_slot(&row.id), &row.secret).map(drop),
            Err(error) => Err(error),
        };
        let opens = report.opened("app", &row.name, "secret", opened);
        if let Some(former) = &row.former_secret {
            let known = self.keys.ensure_value(former).await;
            let opened = known.and_then(|()| open_text(self.keys.sealer(), former_slot(&row.id), former));
            report.opened("app", &row.name, "former secret", opened.map(drop));
        }
        let known = self
            .apps
            .platform(&row.platform)
            .and_then(|platform| platform.urls(row.region.as_deref(), &Environment::Live));
        if let Err(error) = known {
            report.add("app", &row.name, Some("platform"), error.message().to_owned());
        }
        opens
    }

    /// Returns the sealed values that open.
    async fn check_account<'a>(&self, row: &'a FullRow, report: &mut CheckReport) -> Vec<&'a [u8]> {
        let (name, authorization) = (&row.account.name, &row.authorization);
        let known = self.keys.ensure_tokens(authorization).await;
        let opened = |opened: Result<bool>| -> Option<Result<(), Error>> {
            match opened {
                Ok(false) => None,
                Ok(true) => Some(known.clone()),
                Err(error) => Some(known.clone().and(Err(error))),
            }
        };
        let access = open_access(self.keys.sealer(), authorization).map(|token| token.is_some());
        let refresh = open_refresh(self.keys.sealer(), authorization).map(|token| token.is_some());
        let tokens = &authorization.tokens;
        let mut open = Vec::new();
        for (column, sealed, outcome) in
            [("access", &tokens.access, opened(access)), ("refresh", &tokens.refresh, opened(refresh))]
        {
            if let (Some(sealed), Some(outcome)) = (sealed, outcome)
                && report.opened("account", name, column, outcome)
            {
                open.push(sealed.as_slice());
            }
        }
        if serde_json::from_str::<Identity>(&authorization.tokens.identity).is_err() {
            report.add(
                "account",
                name,
                Some("identity"),
                "invalid identity: a login of another shop would go unnoticed",
            );
        }
        if row.account.app_id != authorization.app_id {
            report.add("account", name, Some("app_id"), "its tokens were given to another app than its own");
        }
        if let Ok(platform) = self.apps.platform(&row.app.platform)
            && let Err(error) = platform.urls(row.account.region.as_deref(), &Environment::Live)
        {
            report.add("account", name, Some("region"), error.message().to_owned());
        }
        open
    }
}
