//! Jobs of many rows: planned, asked for, run, gone on with, set back.

use std::{cell::Cell, collections::HashMap, path::PathBuf};

use serde::Serialize;
use sesame_core::{Error, command_line::quote};
use sesame_shop::{
    Amount, Job, JobEntry, JobInfo, JobKind, JobPlan, JobReport, JobRow, RowOutcome, Shop, Shops,
};

use super::call::{RequestView, show_requests};
use crate::{
    context::Context,
    exit::{CliError, CliResult, exit_code, note, person_is_there, report_of_shop, say, weightiest},
    output::Format,
    progress::Progress,
    prompt,
    shops::ChosenShops,
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
    #[arg(long, value_name = "JOB", num_args = 0..=1, default_missing_value = "", conflicts_with_all = ["dry_run", "undo"])]
    resume: Option<String>,
    /// Sets back what a job changed; without an id what the last one did.
    #[arg(long, value_name = "JOB", num_args = 0..=1, default_missing_value = "")]
    undo: Option<String>,
}

impl BulkOptions {
    /// Returns `true` if the rows are those of a former job.
    pub(crate) fn is_of_a_job(&self) -> bool {
        self.resume.is_some() || self.undo.is_some()
    }
}

/// Rows, each with the shop that it is for if it says one.
pub(crate) type ShopRows = Vec<(Option<String>, JobRow)>;

/// Gives each shop its rows: those that name it, and those that name none.
///
/// # Errors
/// Usage, for a row of a shop that is not among them.
pub(crate) fn rows_of_shops(
    chosen: &ChosenShops,
    all: &ShopRows,
) -> Result<HashMap<String, Vec<JobRow>>, Error> {
    let mut rows: HashMap<String, Vec<JobRow>> =
        chosen.accounts().iter().map(|account| (account.name.clone(), Vec::new())).collect();
    for (shop, row) in all {
        match shop {
            None => rows.values_mut().for_each(|rows| rows.push(row.clone())),
            Some(shop) => rows
                .get_mut(shop)
                .ok_or_else(|| {
                    let line = row.line.map_or_else(String::new, |line| format!("line {line}: "));
                    Error::usage(format!("{line}{shop} is not among the shops of this command"))
                        .with_hint("Name it, or use --all-shops. Nothing was sent.")
                })?
                .push(row.clone()),
        }
    }
    Ok(rows)
}

/// A kind of job on the command line.
pub(crate) struct Bulk<'a> {
    pub(crate) context: &'a Context,
    pub(crate) kind: JobKind,
    /// The words that come before the account: `stock set`.
    pub(crate) command: &'static str,
    pub(crate) options: &'a BulkOptions,
}

/// What a shop has to do: a plan that may be begun, or a job that is gone on with.
enum Task {
    Plan(Box<JobPlan>),
    Job(Box<Job>),
}

/// What came of a shop.
struct Outcome {
    shop: String,
    info: Option<JobInfo>,
    entries: Vec<JobEntry>,
    stopped: Option<Error>,
}

impl Bulk<'_> {
    /// Does it for the rows of each shop, or for their former jobs, for all shops at the same time.
    ///
    /// # Errors
    /// Usage, for rows that are wrong; a code of its own for rows that were refused (4) or are unknown (1).
    pub(crate) async fn run(&self, chosen: &ChosenShops, rows: &HashMap<String, Vec<JobRow>>) -> CliResult {
        let client = self.context.client().await?;
        if self.options.is_of_a_job() && rows.values().any(|rows| !rows.is_empty()) {
            return Err(Error::usage(
                "--resume and --undo take their rows from a job, not from the command line",
            )
            .into());
        }
        let names: Vec<&str> = chosen.accounts().iter().map(|account| account.name.as_str()).collect();
        let progress = Progress::new();
        progress.work(format!(
            "reading {}",
            if names.len() == 1 { names[0].to_owned() } else { format!("{} shops", names.len()) }
        ));
        let (mut work, mut codes) = (Vec::new(), Vec::new());
        let shops = Shops::new(client, names.iter().copied());
        let prepare = |shop: Shop| {
            let rows = rows.get(shop.account()).cloned().unwrap_or_default();
            async move { self.prepare(shop, rows).await }
        };
        let mut prepared = shops.each(prepare);
        while let Some((shop, found)) = prepared.next().await {
            match found {
                Ok(Some(found)) => work.push((shop.account().to_owned(), found)),
                Ok(None) => {}
                Err(CliError::Failed(error)) if chosen.are_many() => {
                    codes.push(exit_code(error.kind()));
                    report_of_shop(shop.account(), &error);
                }
                Err(stop) => return Err(stop),
            }
        }
        progress.done();
        for (shop, work) in &work {
            let Task::Plan(plan) = work else { continue };
            if let Some(text) = plan.note() {
                chosen.note("note", shop, text);
            }
            plan.entries().iter().for_each(|entry| tell(chosen, shop, entry));
        }
        if self.options.dry_run {
            self.dry_run(&work).await?;
            return weightiest(codes).map_or(Ok(()), |code| Err(CliError::Status(code)));
        }
        if !self.confirm(&names, &work).await? {
            say("Nothing was sent.");
            return Err(CliError::Status(1));
        }
        let outcomes = self.work(chosen, work).await?;
        codes.extend(self.end(&outcomes)?);
        weightiest(codes).map_or(Ok(()), |code| Err(CliError::Status(code)))
    }

    async fn prepare(&self, shop: Shop, rows: Vec<JobRow>) -> CliResult<Option<Task>> {
        let folder = self.folder();
        if let Some(id) = &self.options.resume {
            let id = self.job(&shop, id, true)?;
            return Ok(Some(Task::Job(shop.resume(&folder, &id).await?.into())));
        }
        let plan = match &self.options.undo {
            Some(id) => shop.plan_undo(&folder, &self.job(&shop, id, false)?).await?,
            // A file may speak of other shops alone.
            None if rows.is_empty() => return Ok(None),
            None => shop.plan(self.kind, rows).await?,
        };
        Ok(Some(Task::Plan(plan.into())))
    }

    fn folder(&self) -> PathBuf {
        self.context.settings.home.value.join("jobs")
    }

    /// Finds a job by its id; the last one for an empty id.
    fn job(&self, shop: &Shop, id: &str, unfinished: bool) -> CliResult<String> {
        if !id.is_empty() {
            return Ok(id.to_owned());
        }
        let what = if unfinished { "unfinished job" } else { "job" };
        let found = shop.last_job(&self.folder(), &[self.kind], unfinished);
        let missing = || {
            Error::usage(format!("there is no {what} of `sesame {}` for {}", self.command, shop.account()))
        };
        Ok(found.ok_or_else(missing)?.id)
    }

    async fn dry_run(&self, work: &[(String, Task)]) -> CliResult {
        let client = self.context.client().await?;
        let mut views = Vec::new();
        for (_, work) in work {
            let Task::Plan(plan) = work else { continue };
            for call in plan.calls()? {
                views.push(RequestView::new(&client.prepare(&call).await?, false));
            }
        }
        show_requests(self.context, &views)
    }

    async fn confirm(&self, names: &[&str], work: &[(String, Task)]) -> CliResult<bool> {
        let (mut products, mut rows) = (0, 0);
        for (_, work) in work {
            let Task::Plan(plan) = work else { continue };
            products += plan.products();
            rows += plan.entries().iter().filter(|entry| entry.outcome == RowOutcome::Pending).count();
        }
        if self.options.yes || products < 2 {
            return Ok(true);
        }
        let whose = if let [name] = names { (*name).to_owned() } else { format!("{} shops", work.len()) };
        let what = if self.kind.is_of_products() {
            format!("`sesame {}` changes {products} products of {whose}", self.command)
        } else {
            format!("`sesame {}` changes {rows} SKUs of {products} products of {whose}", self.command)
        };
        if !person_is_there() {
            return Err(Error::usage(format!("{what}, and there is no terminal to confirm it on"))
                .with_hint("Add --yes to do it. --dry-run shows what would be sent.")
                .into());
        }
        prompt::yes(&format!("{what}. Go on?")).await
    }

    /// Runs the jobs of all shops.
    async fn work(&self, chosen: &ChosenShops, work: Vec<(String, Task)>) -> CliResult<Vec<Outcome>> {
        let folder = self.folder();
        let (mut outcomes, mut jobs) = (Vec::new(), HashMap::new());
        for (shop, work) in work {
            let job = match work {
                Task::Job(job) => *job,
                Task::Plan(plan) if plan.products() == 0 => {
                    let entries = plan.entries().to_vec();
                    outcomes.push(Outcome { shop, info: None, entries, stopped: None });
                    continue;
                }
                Task::Plan(plan) => plan.start(&folder)?,
            };
            jobs.insert(shop, job);
        }
        let is_over =
            |job: &Job| job.entries().iter().filter(|entry| entry.outcome.is_final()).count() as u64;
        let total: u64 = jobs.values().map(|job| job.entries().len() as u64).sum();
        let count = Cell::new(jobs.values().map(is_over).sum::<u64>());
        let progress = Progress::new();
        progress.show(count.get(), Some(total));
        let client = self.context.client().await?;
        let mut names: Vec<String> = jobs.keys().cloned().collect();
        names.sort();
        let shops = Shops::new(client, names);
        let mut running = shops.each(|shop| {
            let job = jobs.remove(shop.account());
            let (count, progress) = (&count, &progress);
            async move {
                let job = job?;
                let name = shop.account();
                // Dropped by Ctrl-C: then it says how to go on.
                let mut unfinished = Unfinished { hint: Some(self.resume_hint(name, job.info())) };
                let JobReport { info, entries, stopped, .. } = job
                    .run(|entry| {
                        count.set(count.get() + 1);
                        tell(chosen, name, entry);
                        progress.show(count.get(), Some(total));
                    })
                    .await;
                if !entries.iter().any(|entry| matches!(entry.outcome.word(), "pending" | "unknown")) {
                    unfinished.hint = None;
                }
                Some(Outcome { shop: name.to_owned(), info: Some(info), entries, stopped })
            }
        });
        while let Some((_, outcome)) = running.next().await {
            outcomes.extend(outcome);
        }
        progress.done();
        outcomes.sort_by(|a, b| a.shop.cmp(&b.shop));
        Ok(outcomes)
    }

    fn resume_hint(&self, shop: &str, info: &JobInfo) -> String {
        format!("sesame {} {} --resume {}", self.command, quote(shop), info.id)
    }

    /// Prints the rows for programs, the sums for people. Returns the exit codes.
    fn end(&self, outcomes: &[Outcome]) -> CliResult<Vec<u8>> {
        let mut printer = self.context.printer(Format::Table);
        if printer.for_people() {
            for Outcome { shop, info, entries, .. } in outcomes {
                let count = |word: &str| entries.iter().filter(|entry| entry.outcome.word() == word).count();
                let sums: Vec<String> = ["done", "skipped", "failed", "unknown", "pending"]
                    .into_iter()
                    .filter(|word| *word == "done" || count(word) > 0)
                    .map(|word| format!("{} {word}", count(word)))
                    .collect();
                let job = info.as_ref().map_or_else(String::new, |info| format!("; job {}", info.id));
                printer.line(format_args!("{} {shop}: {}{job}", self.command, sums.join(", ")))?;
            }
            printer.flush()?;
        } else {
            let records = outcomes.iter().flat_map(|outcome| {
                outcome.entries.iter().map(|entry| RowRecord::new(self.kind, outcome, entry))
            });
            printer.records(records)?;
        }
        let mut codes = Vec::new();
        for Outcome { shop, entries, stopped, .. } in outcomes {
            let has = |word: &str| entries.iter().any(|entry| entry.outcome.word() == word);
            match stopped {
                Some(error) => {
                    report_of_shop(shop, error);
                    codes.push(exit_code(error.kind()));
                }
                None if has("unknown") || has("pending") => codes.push(1),
                None if has("failed") => codes.push(4),
                None => {}
            }
        }
        Ok(codes)
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
fn tell(chosen: &ChosenShops, shop: &str, entry: &JobEntry) {
    let place = entry.row.line.map_or_else(String::new, |line| format!("line {line}: "));
    let (code, message) = entry.outcome.message();
    // Some messages begin with the code.
    let code = code.filter(|code| !message.unwrap_or_default().starts_with(*code));
    let code = code.map_or_else(String::new, |code| format!("{code}: "));
    let line = || format!("{place}{}: {code}{}", entry.row.name(), message.unwrap_or_default());
    match entry.outcome {
        RowOutcome::Failed { .. } => chosen.note("failed", shop, &line()),
        RowOutcome::Unknown { .. } => chosen.note("unknown", shop, &line()),
        RowOutcome::Skipped { .. } => chosen.note("skipped", shop, &line()),
        _ => {}
    }
}

/// A row for programs.
#[derive(Serialize)]
struct RowRecord<'a> {
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

impl<'a> RowRecord<'a> {
    fn new(kind: JobKind, outcome: &'a Outcome, entry: &'a JobEntry) -> Self {
        let (product, sku) = entry.names();
        let (code, message) = entry.outcome.message();
        let before = if kind.is_of_products() {
            entry.state().and_then(|state| state.status.clone())
        } else {
            entry.former(kind).map(|amount| amount.to_string())
        };
        Self {
            shop: &outcome.shop,
            line: entry.row.line,
            product,
            sku: if kind.is_of_products() { None } else { sku },
            before,
            wanted: entry.wanted,
            outcome: entry.outcome.word(),
            code,
            message,
            job: outcome.info.as_ref().map(|info| info.id.as_str()),
        }
    }
}
