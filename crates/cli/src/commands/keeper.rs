//! `sesame keeper`: keeps the tokens of all shops alive, and tells when a person is needed.

use std::{cell::RefCell, ffi::OsString, time::Duration};

use jiff::SignedDuration;
use serde_json::json;
use sesame_core::{AppSecret, Error, Result};
use sesame_vault::{
    Deliverer, Delivery, DeliveryOptions, Keeper, KeeperOptions, Totals, Vault, WarmPolicy, Webhook,
    store::Sink,
};
use tokio::sync::watch;

use crate::{
    context::Context,
    exit::{CliError, CliResult, NEEDS_PERSON, note, say},
    humanize,
    output::{Format, Printer},
    runtime,
    settings::{KeepChoice, KeeperFile, as_text},
};

/// The variable with the key of the webhook's signatures.
const SECRET: &str = "SESAME_WEBHOOK_SECRET";
/// How long the audit trail is kept, in days, unless told otherwise.
const AUDIT_DAYS: u32 = 400;
/// Events of this many days may not have been delivered yet.
const FEWEST_AUDIT_DAYS: i64 = 7;
/// How often old lines of the audit trail are forgotten.
const FORGETTING: Duration = Duration::from_hours(6);
/// The most shops in need of a person that JSON names, and that a sentence names.
const NAMED: u32 = 100;
const SAID: usize = 10;
/// The longest pause while the vault cannot be opened.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Options of `keeper`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sesame keeper
  sesame keeper --hook /usr/local/bin/tell-us --hook shops
  SESAME_WEBHOOK_SECRET=... sesame keeper --webhook https://example.com/sesame \\
      --output json
  sesame keeper --once
  sesame keeper --test-event --hook /usr/local/bin/tell-us

Refreshes access tokens before they end and extends refresh tokens where the platform allows it. Warns \
30, 7, 2 and 1 days before a shop must be authorized again, when its authorization has ended, and when it \
is back. Several keepers may share one vault, on one machine or on many. \
The hook is run without a shell and reads one event as JSON on standard input; repeat --hook for each of \
its arguments. It accepts an event by exiting with 0 within 30 s. The webhook receives the same JSON, \
signed with SESAME_WEBHOOK_SECRET (Standard Webhooks), and accepts it with a status of 200 to 299. Events \
that are not accepted are retried for 7 days. docs/keeper.md has a unit for systemd and shows how to check \
a signature.
The same settings in SESAME_HOME/config.toml:
  [keeper]
  keep = \"used\"
  hook = [\"/usr/local/bin/tell-us\", \"shops\"]
  webhook = \"https://example.com/sesame\"
  audit_days = 400
  per_app = 5
On Ctrl-C and SIGTERM it finishes running refreshes and exits 0. With --once it does what is due now, and \
exits 3 if a shop must be authorized again.
JSON: lines {\"type\":\"delivery\",\"sink\",\"taken\",\"error\",\"next_try\",\"event\":{..}}, and at the end one of \
{\"type\":\"round\"|\"stopped\",\"refreshed\",\"postponed\",\"announced\",\"failed\",\"ended\",\"deferred\",\"delivered\", \
\"undelivered\",\"next_due\",\"need_person\":[NAME],\"need_person_count\"}; the last three only with --once, \
and at most 100 names.")]
pub(crate) struct KeeperArgs {
    /// Which access tokens are kept fresh, so that no call has to wait [default: used].
    #[arg(long, value_name = "WHICH", value_enum)]
    keep: Option<KeepChoice>,
    /// A command that receives events; repeat the option for each of its arguments.
    #[arg(long, value_name = "WORD", allow_hyphen_values = true)]
    hook: Vec<OsString>,
    /// An https:// URL that receives events.
    #[arg(long, value_name = "URL")]
    webhook: Option<String>,
    /// Does what is due now and exits, for cron.
    #[arg(long)]
    once: bool,
    /// Sends an event `test` to the hook and the webhook, and exits: 0 if all accepted it.
    #[arg(long, conflicts_with = "once")]
    test_event: bool,
    /// How many days the audit trail is kept: 7 to 36500 [default: 400].
    #[arg(long, value_name = "DAYS")]
    audit_days: Option<u32>,
    /// Maximum number of refreshes of one app per second: 1 to 1000 [default: 5].
    #[arg(long, value_name = "N")]
    per_app: Option<u32>,
}

/// Keeps until it is stopped, or once.
pub(crate) fn run(args: KeeperArgs, context: &Context) -> CliResult {
    let (once, is_test) = (args.once, args.test_event);
    let plan = KeeperPlan::of(args, context.settings.keeper.clone())?;
    if is_test {
        return runtime::block_on(context, test(&plan, context));
    }
    if once {
        return runtime::block_on(context, round(&plan, context));
    }
    runtime::until_stopped(context, |stopping| service(&plan, context, stopping))
}

/// What it was told to do.
struct KeeperPlan {
    keep: WarmPolicy,
    per_app: u32,
    audit_days: i64,
    delivery: DeliveryOptions,
}

impl KeeperPlan {
    /// Options beat the file.
    fn of(args: KeeperArgs, file: KeeperFile) -> Result<Self> {
        let keep = match args.keep.or(file.keep).unwrap_or(KeepChoice::Used) {
            KeepChoice::Used => WarmPolicy::Used,
            KeepChoice::Always => WarmPolicy::Always,
            KeepChoice::Never => WarmPolicy::Never,
        };
        let per_app = args.per_app.or(file.per_app).unwrap_or(KeeperOptions::default().per_app);
        let audit_days = i64::from(args.audit_days.or(file.audit_days).unwrap_or(AUDIT_DAYS));
        if !(1..=1_000).contains(&per_app) {
            return Err(Error::usage(format!(
                "{per_app} refreshes of one app in a second are not between 1 and 1000"
            ))
            .with_hint("See --per-app, and per_app in config.toml."));
        }
        if !(FEWEST_AUDIT_DAYS..=36_500).contains(&audit_days) {
            return Err(Error::usage(format!(
                "{audit_days} days of the audit trail are not between 7 and 36500"
            ))
            .with_hint("See --audit-days, and audit_days in config.toml."));
        }
        let mut delivery = DeliveryOptions::default();
        let in_file = file.hook.map(|words| words.into_iter().map(OsString::from).collect());
        delivery.hook = if args.hook.is_empty() { in_file } else { Some(args.hook) };
        delivery.webhook = match args.webhook.or(file.webhook) {
            None => None,
            Some(url) => Some(Webhook::new(url, secret()?)),
        };
        Ok(Self { keep, per_app, audit_days, delivery })
    }

    fn keeper(&self, vault: &Vault) -> Keeper {
        let options = KeeperOptions::default().warm(self.keep).per_app(self.per_app);
        Keeper::new(vault.clone(), options)
    }

    fn deliverer(&self, vault: &Vault) -> Result<Deliverer> {
        Deliverer::new(vault.clone(), self.delivery.clone())
    }

    /// What it is going to do, in sentences.
    fn said(&self, vault: &Vault) -> String {
        let kept = match self.keep {
            WarmPolicy::Always => "all access tokens are kept fresh",
            WarmPolicy::Never => "access tokens are left to whoever uses them",
            _ => "access tokens of shops used in the last 7 days are kept fresh",
        };
        let hook = self.delivery.hook.as_ref().and_then(|words| words.first());
        let hook = hook.map(|program| format!("the hook {}", program.display()));
        let webhook = self.delivery.webhook.as_ref().map(|webhook| format!("the webhook {webhook}"));
        let told = match (hook, webhook) {
            (Some(hook), Some(webhook)) => format!("events go to {hook} and {webhook}"),
            (Some(one), None) | (None, Some(one)) => format!("events go to {one}"),
            (None, None) => "events go nowhere (no --hook and no --webhook)".to_owned(),
        };
        format!(
            "Keeping the shops of {}: {kept}, refresh tokens are extended where possible; {told}. The audit trail is kept for {} days.",
            vault.location(),
            self.audit_days
        )
    }
}

fn secret() -> Result<AppSecret> {
    let value = std::env::var_os(SECRET).filter(|value| !value.is_empty());
    let value = value.ok_or_else(|| {
        Error::usage(format!("a webhook needs a secret in the variable {SECRET}")).with_hint(
            "Make one with `echo \"whsec_$(openssl rand -base64 32)\"` and give it to the receiver, too: it signs what is sent.",
        )
    })?;
    match as_text(SECRET, value) {
        Ok(text) => Ok(AppSecret::new(text.trim())),
        Err(CliError::Failed(error)) => Err(error),
        Err(_) => Err(Error::usage(format!("the variable {SECRET} cannot be read"))),
    }
}

/// Opens a vault that is there: one that is made now would keep nothing for ever.
async fn existing(context: &Context) -> CliResult<&Vault> {
    if context.vault_is_new().await? {
        return Err(Error::usage(format!("there is no vault at {} yet", context.settings.location()?))
            .with_hint("Add an app and authorize a shop first, or name the right home: --home DIR or SESAME_HOME=DIR.")
            .into());
    }
    context.vault().await
}

/// Tries the sinks.
async fn test(plan: &KeeperPlan, context: &Context) -> CliResult {
    let deliverer = plan.deliverer(existing(context).await?)?;
    if !deliverer.has_sinks() {
        return Err(Error::usage("there is neither a hook nor a webhook to send the event to")
            .with_hint("Give --hook or --webhook, or set them in SESAME_HOME/config.toml.")
            .into());
    }
    let reporter = Reporter::new(context);
    let deliveries = deliverer.test().await;
    for delivery in &deliveries {
        reporter.delivery(delivery);
    }
    if deliveries.iter().any(|delivery| delivery.error.is_some()) {
        return Err(CliError::Status(1));
    }
    Ok(())
}

/// What is due now, and no more.
async fn round(plan: &KeeperPlan, context: &Context) -> CliResult {
    let vault = existing(context).await?;
    let deliverer = plan.deliverer(vault)?;
    let reporter = Reporter::new(context);
    let pass = plan.keeper(vault).drain().await?;
    if deliverer.has_sinks() {
        loop {
            let deliveries = deliverer.tick().await?;
            for delivery in &deliveries {
                reporter.delivery(delivery);
            }
            // After a failure the sink rests, and the next round tries again.
            if deliveries.is_empty() || deliveries.iter().any(|delivery| delivery.error.is_some()) {
                break;
            }
        }
    }
    forget(plan, context, vault).await?;
    let waiting = vault.reauthorization_required(NAMED).await?;
    let now = context.clock.now();
    let mut record = reporter.record("round", &pass.done);
    record["next_due"] = json!(pass.next_due.map(|at| at.to_string()));
    record["need_person"] = json!(waiting.names);
    record["need_person_count"] = json!(waiting.count);
    let next = pass.next_due.map_or_else(String::new, |at| match humanize::left(at, now) {
        overdue if at <= now => format!("; more has been due since then ({overdue})"),
        left => format!("; next in {left}"),
    });
    reporter.last(&record, &format!("{}{next}", reporter.sentence(&pass.done)))?;
    if waiting.count == 0 {
        return Ok(());
    }
    let names = &waiting.names[..waiting.names.len().min(SAID)];
    let more = waiting.count.saturating_sub(names.len() as u64);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    say(&format!(
        "These shops must be authorized again: {}{more}. Run `sesame accounts` for the commands.",
        names.join(", ")
    ));
    Err(CliError::Status(NEEDS_PERSON))
}

/// Until it is stopped.
async fn service(plan: &KeeperPlan, context: &Context, stopping: watch::Receiver<bool>) -> CliResult {
    let Some(vault) = open(context, stopping.clone()).await? else { return Ok(()) };
    let deliverer = plan.deliverer(vault)?;
    let keeper = plan.keeper(vault);
    let reporter = Reporter::new(context);
    say(&plan.said(vault));
    let keep = keeper.run(stopped(stopping.clone()));
    let deliver = async {
        if deliverer.has_sinks() {
            deliverer.run(stopped(stopping.clone()), |delivery| reporter.delivery(delivery)).await;
        }
    };
    let forget = async {
        let mut stop = std::pin::pin!(stopped(stopping.clone()));
        loop {
            if let Err(error) = forget(plan, context, vault).await {
                tracing::warn!("old lines of the audit trail cannot be forgotten yet: {error}");
            }
            tokio::select! {
                () = &mut stop => return,
                () = context.clock.sleep(FORGETTING) => {}
            }
        }
    };
    // It ends before it is told to only by an error that waiting would not mend. A delivery that is
    // under way when it is told is finished.
    let keep = async { keep.await.map_err(CliError::from) };
    let helpers = async {
        tokio::join!(deliver, forget);
        Ok(())
    };
    let (totals, ()) = tokio::try_join!(keep, helpers)?;
    reporter.last(&reporter.record("stopped", &totals), &reporter.sentence(&totals))
}

/// Opens the vault; waits for a store that is away. `None` if it was stopped meanwhile.
async fn open(context: &Context, stopping: watch::Receiver<bool>) -> CliResult<Option<&Vault>> {
    let mut stop = std::pin::pin!(stopped(stopping));
    let mut pause = Duration::from_secs(1);
    let mut said = String::new();
    loop {
        match existing(context).await {
            Ok(vault) => return Ok(Some(vault)),
            Err(CliError::Failed(error)) if error.is_retryable() => {
                // The same failure is said once.
                let failure = format!("the vault cannot be opened yet: {error}");
                if failure != said {
                    note("warning", &failure);
                    said = failure;
                }
            }
            Err(stop) => return Err(stop),
        }
        tokio::select! {
            () = &mut stop => return Ok(None),
            () = context.clock.sleep(pause) => {}
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn stopped(mut stopping: watch::Receiver<bool>) {
    // Whoever told us lives as long as the command; should it be gone, that is a stop, too.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

async fn forget(plan: &KeeperPlan, context: &Context, vault: &Vault) -> Result<()> {
    let days = SignedDuration::from_hours(plan.audit_days * 24);
    let Ok(before) = context.clock.now().checked_sub(days) else { return Ok(()) };
    let forgotten = vault.forget_audit(before).await?;
    if forgotten > 0 {
        tracing::info!(forgotten, "old lines of the audit trail were forgotten");
    }
    Ok(())
}

/// What was said on standard output, and counted.
struct Reporter {
    printer: RefCell<Printer>,
    form: Format,
    delivered: RefCell<(u64, u64)>,
}

impl Reporter {
    fn new(context: &Context) -> Self {
        let printer = context.printer(Format::Table);
        let form = printer.format();
        Self { printer: RefCell::new(printer), form, delivered: RefCell::default() }
    }

    fn delivery(&self, delivery: &Delivery) {
        let mut counts = self.delivered.borrow_mut();
        match &delivery.error {
            None => counts.0 += 1,
            Some(_) => counts.1 += 1,
        }
        let sink = match delivery.sink {
            Sink::Hook => "hook",
            Sink::Webhook => "webhook",
        };
        let event: serde_json::Value = serde_json::from_str(&delivery.payload).unwrap_or_default();
        let next_try = delivery.next_try.and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
        let record = json!({
            "type": "delivery",
            "sink": sink,
            "taken": delivery.error.is_none(),
            "error": delivery.error,
            "next_try": next_try.map(|at| at.to_string()),
            "event": event,
        });
        let about = match event["account"].as_str() {
            Some(account) => format!(": {account}"),
            None if delivery.is_test() => String::new(),
            None => ": an account that was removed".to_owned(),
        };
        let kind = match event["days"].as_i64() {
            Some(days) => format!("{} ({days} d)", delivery.event),
            None => delivery.event.clone(),
        };
        let sentence = match &delivery.error {
            None => format!("{kind}{about}: told the {sink}"),
            Some(error) => format!("{kind}{about}: delivery to the {sink} failed: {error}"),
        };
        // Tokens are kept whether somebody reads this or not.
        let _ = self.print(&record, &sentence);
    }

    fn last(&self, record: &serde_json::Value, sentence: &str) -> CliResult {
        self.print(record, sentence)
    }

    fn print(&self, record: &serde_json::Value, sentence: &str) -> CliResult {
        let mut printer = self.printer.borrow_mut();
        match self.form {
            Format::Json | Format::Ndjson => printer.line(record)?,
            Format::Table | Format::Csv | Format::Excel | Format::Xlsx => {
                printer.line(sesame_core::scalar::printable(sentence))?;
            }
        }
        printer.flush()
    }

    fn record(&self, kind: &str, done: &Totals) -> serde_json::Value {
        let (delivered, undelivered) = *self.delivered.borrow();
        json!({
            "type": kind,
            "refreshed": done.refreshed,
            "postponed": done.postponed,
            "announced": done.announced,
            "failed": done.failed,
            "ended": done.ended,
            "deferred": done.deferred,
            "delivered": delivered,
            "undelivered": undelivered,
        })
    }

    fn sentence(&self, done: &Totals) -> String {
        let (delivered, undelivered) = *self.delivered.borrow();
        format!(
            "refreshed {}, extended {}, warnings {}, failed {}, ended {}, deferred {}; notified {delivered}, not delivered {undelivered}",
            done.refreshed, done.postponed, done.announced, done.failed, done.ended, done.deferred
        )
    }
}
