//! What a job would do: read, checked, and not begun.

use std::{collections::BTreeSet, path::Path};

use sesame_client::Call;
use sesame_core::{Error, Result};

use super::{
    JobEntry, JobInfo, JobKind, JobRow, RowOutcome,
    batches::{Batch, Writing},
    check, journal,
};
use crate::{
    Amount, Shop,
    skus::{Found, Skus, Sought},
};

/// What a job would do: all rows read and checked, nothing written. [`JobPlan::start`] makes a job of it.
pub struct JobPlan {
    pub(super) shop: Shop,
    pub(super) writing: Writing,
    pub(super) skus: Skus,
    pub(super) entries: Vec<JobEntry>,
    pub(super) undoes: Option<String>,
}

impl Shop {
    /// Reads what rows are about, checks them, and plans the calls that write them. Writes nothing.
    ///
    /// A row that cannot be written is in the plan with its reason: an unknown SKU, a stock below what is
    /// reserved, a price with too many decimals. A value that is there already is skipped.
    ///
    /// ```no_run
    /// # async fn example(shop: sesame_shop::Shop) -> sesame_core::Result<()> {
    /// use sesame_shop::{JobKind, JobRow};
    ///
    /// let plan = shop.plan(JobKind::StockSet, vec![JobRow::sku("PEN-RED-12", 40)]).await?;
    /// let report = plan.start("jobs".as_ref())?.run(|_| {}).await;
    /// assert!(report.stopped.is_none());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Usage, for rows that are wrong whatever the shop holds, with all of them; for a platform that cannot do it.
    /// The client's, if the shop cannot be read.
    pub async fn plan(&self, kind: JobKind, rows: Vec<JobRow>) -> Result<JobPlan> {
        check::rows(kind, &rows)?;
        let rows = rows.into_iter().map(|row| (row, None)).collect();
        self.plan_rows(kind, rows, None).await
    }

    /// Plans to set back what a job wrote. What somebody else has changed since is left alone.
    ///
    /// # Errors
    /// As [`Shop::plan`]; for a job of another account and for one that cannot be taken back.
    pub async fn plan_undo(&self, folder: &Path, id: &str) -> Result<JobPlan> {
        let job = journal::read(folder, id)?;
        self.is_mine(&job.info)?;
        let kind = match job.info.kind {
            JobKind::ProductOnline => JobKind::ProductOffline,
            JobKind::ProductOffline => JobKind::ProductOnline,
            JobKind::ProductDelete => {
                return Err(
                    Error::usage("what was deleted cannot be brought back").with_hint("Nothing was sent.")
                );
            }
            kind => kind,
        };
        let mut rows = Vec::new();
        for entry in job.entries {
            if !matches!(entry.outcome, RowOutcome::Done | RowOutcome::Sent | RowOutcome::Unknown { .. }) {
                continue;
            }
            let (before, delta) = (entry.state().cloned(), entry.row.value);
            let mut row = entry.row;
            let Some(before) = before else { continue };
            row.value = match kind {
                JobKind::StockSet => before.quantity,
                JobKind::PriceSet => before.price,
                JobKind::StockAdd => delta.and_then(|delta| Amount::ZERO.checked_sub(delta)),
                _ => None,
            };
            if row.value.is_none() && !kind.is_of_products() {
                // What it was before, the platform did not say.
                continue;
            }
            rows.push((row, entry.wanted));
        }
        if rows.is_empty() {
            return Err(Error::usage(format!("the job {id} wrote nothing that could be set back")));
        }
        self.plan_rows(kind, rows, Some(id.to_owned())).await
    }

    async fn plan_rows(
        &self,
        kind: JobKind,
        rows: Vec<(JobRow, Option<Amount>)>,
        undoes: Option<String>,
    ) -> Result<JobPlan> {
        let (writing, skus) = self.writing(kind).await?;
        let sought: Vec<Sought> = rows.iter().map(|(row, _)| row.sought()).collect();
        let found = skus.find(&sought).await?;
        let entry = |((row, expected), found): ((JobRow, Option<Amount>), Found)| {
            check::entry(kind, &writing.action, row, found, expected)
        };
        let mut entries: Vec<JobEntry> = rows.into_iter().zip(found).map(entry).collect();
        check::twice(&mut entries);
        Ok(JobPlan { shop: self.clone(), writing, skus, entries, undoes })
    }

    /// Looks up how a kind of rows is written and read on the platform.
    pub(super) async fn writing(&self, kind: JobKind) -> Result<(Writing, Skus)> {
        let platform = self.platform().await?;
        let catalog = self.client().catalog();
        let action = catalog.action(&platform, kind.name())?;
        let other = action.without_skus.as_deref().map(|name| catalog.action(&platform, name)).transpose()?;
        let skus = Skus::new(self, &action.reads).await?;
        Ok((Writing { kind, action, other }, skus))
    }

    pub(super) fn is_mine(&self, info: &JobInfo) -> Result<()> {
        if info.account == self.account() {
            return Ok(());
        }
        Err(Error::usage(format!(
            "the job {} is of the account {}, not {}",
            info.id,
            info.account,
            self.account()
        )))
    }
}

impl JobPlan {
    /// Returns the rows, those that cannot or need not be written with their reason.
    pub fn entries(&self) -> &[JobEntry] {
        &self.entries
    }

    /// Returns the number of products that would be changed.
    pub fn products(&self) -> usize {
        let pending = self.entries.iter().filter(|entry| entry.outcome == RowOutcome::Pending);
        pending.filter_map(|entry| Some(entry.state()?.product.as_str())).collect::<BTreeSet<_>>().len()
    }

    /// Returns what should be known of this platform's way to write, if there is something.
    pub fn note(&self) -> Option<&str> {
        self.writing.action.note.as_deref()
    }

    /// Returns the calls that would be made.
    ///
    /// # Errors
    /// For an action of the catalog whose paths do not fit together.
    pub fn calls(&self) -> Result<Vec<Call>> {
        let call = |batch: &Batch| self.writing.call(&self.shop, &self.entries, batch);
        self.batches().iter().map(call).collect()
    }

    fn batches(&self) -> Vec<Batch> {
        let pending: Vec<usize> =
            (0..self.entries.len()).filter(|row| self.entries[*row].outcome == RowOutcome::Pending).collect();
        self.writing.batches(&self.entries, &pending, &vec![false; self.entries.len()])
    }
}

impl std::fmt::Debug for JobPlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JobPlan")
            .field("shop", &self.shop)
            .field("entries", &self.entries)
            .finish_non_exhaustive()
    }
}
