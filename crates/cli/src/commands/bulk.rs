//! Jobs of many rows: planned, asked for, run, gone on with, set back.

use std::path::PathBuf;

use serde::Serialize;
use sesame_core::{Error, command_line::quote};
use sesame_shop::{Amount, Job, JobEntry, JobInfo, JobKind, JobReport, JobRow, Plan, RowOutcome, Shop};

use super::call::{RequestView, show_requests};
use crate::{
    context::Context,
    exit::{CliError, CliResult, exit_code, note, person_is_there, report, say},
    output::Format,
    progress::Progress,
    prompt,
};

/// Options of all commands that write many rows.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct BulkOptions {
    /// Prints every request instead of sending it.
    #[arg(long)]
    dry_run: bool,
    /// Changes more than one product without asking.
    #[arg(long, short)]
    yes: bool,
    /// Goes on with a job that was cut off; without an id with the last one.
    #[arg(long, value_name = "JOB", num_args = 0..=1, conflicts_with_all = ["dry_run", "undo"])]
    resume: Option<Option<String>>,
    /// Sets back what a job changed; without an id what the last one did.
    #[arg(long, value_name = "JOB", num_args = 0..=1)]
    undo: Option<Option<String>>,
}

impl BulkOptions {
    /// Returns `true` if the rows are those of a former job.
    pub(crate) fn is_of_a_job(&self) -> bool {
        self.resume.is_some() || self.undo.is_some()
    }
}

/// A kind of job on the command line.
pub(crate) struct Bulk<'a> {
    pub(crate) context: &'a Context,
    pub(crate) account: &'a str,
    pub(crate) kind: JobKind,
    /// The words that come before the account: `stock set`.
    pub(crate) command: &'static str,
    pub(crate) options: &'a BulkOptions,
}

impl Bulk<'_> {
    /// Does it for rows, or for a former job.
    ///
    /// # Errors
    /// Usage, for rows that are wrong; a code of its own for rows that were refused (4) or are unknown (1).
    pub(crate) async fn run(&self, rows: Vec<JobRow>) -> CliResult {
        let shop = Shop::new(self.context.client().await?.clone(), self.account);
        let folder = self.folder();
        if self.options.is_of_a_job() && !rows.is_empty() {
            return Err(Error::usage(
                "--resume and --undo take their rows from a job, not from the command line",
            )
            .into());
        }
        if let Some(id) = &self.options.resume {
            let info = self.job(&shop, id.as_deref(), true)?;
            let job = shop.resume(&folder, &info).await?;
            return self.work(job).await;
        }
        let progress = Progress::new();
        progress.work(format!("reading {} rows of {}", rows.len(), self.account));
        let plan = match &self.options.undo {
            Some(id) => shop.plan_undo(&folder, &self.job(&shop, id.as_deref(), false)?).await,
            None => shop.plan(self.kind, rows).await,
        };
        progress.done();
        let plan = plan?;
        if let Some(text) = plan.note() {
            note("note", text);
        }
        if self.options.dry_run {
            return self.dry_run(&plan).await;
        }
        for entry in plan.entries() {
            tell(entry);
        }
        if plan.products() == 0 {
            let entries = plan.entries().to_vec();
            return self.end(None, &entries, None);
        }
        if !self.confirm(&plan).await? {
            say("Nothing was sent.");
            return Err(CliError::Status(1));
        }
        self.work(plan.start(&folder)?).await
    }

    fn folder(&self) -> PathBuf {
        self.context.settings.home.value.join("jobs")
    }

    fn job(&self, shop: &Shop, id: Option<&str>, unfinished: bool) -> CliResult<String> {
        if let Some(id) = id {
            return Ok(id.to_owned());
        }
        let what = if unfinished { "unfinished job" } else { "job" };
        let found = shop.last_job(&self.folder(), &[self.kind], unfinished);
        let missing =
            || Error::usage(format!("there is no {what} of `sesame {}` for {}", self.command, self.account));
        Ok(found.ok_or_else(missing)?.id)
    }

    async fn dry_run(&self, plan: &Plan) -> CliResult {
        for entry in plan.entries() {
            tell(entry);
        }
        let client = self.context.client().await?;
        let mut views = Vec::new();
        for call in plan.calls()? {
            views.push(RequestView::new(&client.prepare(&call).await?, false));
        }
        show_requests(self.context, &views)
    }

    async fn confirm(&self, plan: &Plan) -> CliResult<bool> {
        let products = plan.products();
        if self.options.yes || products < 2 {
            return Ok(true);
        }
        let rows = plan.entries().iter().filter(|entry| entry.outcome == RowOutcome::Pending).count();
        let what = if self.kind.is_of_products() {
            format!("`sesame {}` changes {products} products of {}", self.command, self.account)
        } else {
            format!(
                "`sesame {}` changes {rows} SKUs of {products} products of {}",
                self.command, self.account
            )
        };
        if !person_is_there() {
            return Err(Error::usage(format!("{what}, and there is no terminal to confirm it on"))
                .with_hint("Add --yes to do it. --dry-run shows what would be sent.")
                .into());
        }
        prompt::yes(&format!("{what}. Go on?")).await
    }

    async fn work(&self, job: Job) -> CliResult {
        let info = job.info().clone();
        let hint = self.resume_hint(&info);
        // Dropped by Ctrl-C: then it says how to go on.
        let mut unfinished = Unfinished { hint: Some(hint) };
        let total = u64::try_from(job.entries().len()).ok();
        let over = job.entries().iter().filter(|entry| entry.outcome.is_final()).count();
        let (progress, mut count) = (Progress::new(), over as u64);
        progress.show(count, total);
        let JobReport { info, entries, stopped, .. } = job
            .run(|entry| {
                count += 1;
                tell(entry);
                progress.show(count, total);
            })
            .await;
        progress.done();
        let is_open = entries.iter().any(|entry| matches!(entry.outcome.word(), "pending" | "unknown"));
        if !is_open {
            unfinished.hint = None;
        }
        self.end(Some(&info), &entries, stopped.as_ref())
    }

    fn resume_hint(&self, info: &JobInfo) -> String {
        format!("sesame {} {} --resume {}", self.command, quote(self.account), info.id)
    }

    /// Prints the rows for programs, the sums for people, and ends with the code for it.
    fn end(&self, info: Option<&JobInfo>, entries: &[JobEntry], stopped: Option<&Error>) -> CliResult {
        let mut printer = self.context.printer(Format::Table);
        if printer.for_people() {
            let words = ["done", "skipped", "failed", "unknown", "pending"];
            let count = |word: &str| entries.iter().filter(|entry| entry.outcome.word() == word).count();
            let sums: Vec<String> = words
                .into_iter()
                .filter(|word| *word == "done" || count(word) > 0)
                .map(|word| format!("{} {word}", count(word)))
                .collect();
            let job = info.map_or_else(String::new, |info| format!("; job {}", info.id));
            printer.line(format_args!("{} {}: {}{job}", self.command, self.account, sums.join(", ")))?;
            printer.flush()?;
        } else {
            let name = |entry: &JobEntry| {
                Record::new(
                    self.account,
                    info.map_or(self.kind, |info| info.kind),
                    info.map(|info| info.id.as_str()),
                    entry,
                )
            };
            printer.records(entries.iter().map(name))?;
        }
        let has = |word: &str| entries.iter().any(|entry| entry.outcome.word() == word);
        if let Some(error) = stopped {
            let json = matches!(printer.format(), Format::Json | Format::Ndjson);
            report(error, json, self.context.settings.endpoint.value.as_deref(), false);
            return Err(CliError::Status(exit_code(error.kind())));
        }
        match () {
            () if has("unknown") || has("pending") => Err(CliError::Status(1)),
            () if has("failed") => Err(CliError::Status(4)),
            () => Ok(()),
        }
    }
}

/// Says how a job is gone on with, if it does not come to its end.
struct Unfinished {
    hint: Option<String>,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(hint) = &self.hint {
            note("note", &format!("the job is not finished; go on with `{hint}`"));
        }
    }
}

/// Says what is not well with a row.
fn tell(entry: &JobEntry) {
    let place = entry.row.line.map_or_else(String::new, |line| format!("line {line}: "));
    let (code, message) = entry.outcome.message();
    let code = code.map_or_else(String::new, |code| format!("{code}: "));
    let line = || format!("{place}{}: {code}{}", entry.row.name(), message.unwrap_or_default());
    match entry.outcome {
        RowOutcome::Failed { .. } => note("failed", &line()),
        RowOutcome::Unknown { .. } => note("unknown", &line()),
        RowOutcome::Skipped { .. } => note("skipped", &line()),
        _ => {}
    }
}

/// A row for programs.
#[derive(Serialize)]
struct Record<'a> {
    shop: &'a str,
    line: Option<u64>,
    product: Option<&'a str>,
    sku: Option<&'a str>,
    before: Option<String>,
    wanted: Option<Amount>,
    outcome: &'a str,
    code: Option<&'a str>,
    message: Option<&'a str>,
    job: Option<&'a str>,
}

impl<'a> Record<'a> {
    fn new(shop: &'a str, kind: JobKind, job: Option<&'a str>, entry: &'a JobEntry) -> Self {
        let (product, sku) = entry.names();
        let (code, message) = entry.outcome.message();
        let before = if kind.is_of_products() {
            entry.state().and_then(|state| state.status.clone())
        } else {
            entry.former(kind).map(|amount| amount.to_string())
        };
        Self {
            shop,
            line: entry.row.line,
            product,
            sku,
            before,
            wanted: entry.wanted,
            outcome: entry.outcome.word(),
            code,
            message,
            job,
        }
    }
}
