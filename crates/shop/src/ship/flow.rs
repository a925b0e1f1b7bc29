//! The steps of a shipment, each from the states that it may begin in.

use std::time::Duration;

use serde_json::value::RawValue;
use sesame_catalog::Action;
use sesame_client::Call;
use sesame_core::{Error, ErrorKind, Result, envelope::Reply, redact::Redactor};

use super::{ShipRequest, call};
use crate::{Order, OrderLine, Shop, Stage, job::Told};

/// How long a call that was not answered may still be carried out.
const SETTLE: Duration = Duration::from_secs(3);
/// How often a step is sent at most, if reading says that it was not carried out.
const MAX_SENT: u32 = 3;

/// What came of a shipment.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Shipment {
    /// The order as it is now.
    pub order: Order,
    /// Ids of the lines that were meant.
    pub lines: Vec<String>,
    /// The APIs that were called; empty if there was nothing left to do.
    pub steps: Vec<String>,
    /// What the seller should know.
    pub notes: Vec<String>,
}

/// The way of a platform to ship.
pub(super) struct Flow {
    pub(super) steps: Vec<Action>,
}

impl Shop {
    /// Ships an order, or goes on with a shipment that was cut off.
    ///
    /// The order is read first. What is packed is not packed again, what is shipped is left alone. A reply that
    /// is lost is settled by reading the order.
    ///
    /// ```no_run
    /// # async fn example(shop: sesame_shop::Shop) -> sesame_core::Result<()> {
    /// use sesame_shop::ShipRequest;
    ///
    /// let shipment = shop.ship(&ShipRequest::new("1234567890")).await?;
    /// for package in &shipment.order.packages {
    ///     println!("{} {}", package.carrier, package.tracking);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Usage, before anything is sent, for an order or a line that cannot be shipped, with the reason and what to
    /// do; for a platform without a documented call. What the platform says.
    pub async fn ship(&self, asked: &ShipRequest) -> Result<Shipment> {
        let mut order = self.orders().get(&asked.order).await?;
        let flow = self.flow(asked, &order).await?;
        let (lines, notes) = flow.select(asked, &order)?;
        let mut steps = Vec::new();
        for (nth, step) in flow.steps.iter().enumerate() {
            if open(step, nth, asked, &order, &lines).is_empty() {
                continue;
            }
            order = self.step(step, nth, asked, order, &lines).await?;
            steps.push(step.api.clone());
        }
        Ok(Shipment { order, lines, steps, notes })
    }

    /// Returns the call that a shipment would begin with, and what the seller should know. No call if there is
    /// nothing left to do. Calls that come later depend on the reply.
    ///
    /// # Errors
    /// As [`Shop::ship`] before anything is sent.
    pub async fn plan_shipment(&self, asked: &ShipRequest) -> Result<(Option<Call>, Vec<String>)> {
        let order = self.orders().get(&asked.order).await?;
        let flow = self.flow(asked, &order).await?;
        let (lines, notes) = flow.select(asked, &order)?;
        for (nth, step) in flow.steps.iter().enumerate() {
            let mine = open(step, nth, asked, &order, &lines);
            if !mine.is_empty() {
                return Ok((Some(call::call(self, step, &order, &mine, asked)?), notes));
            }
        }
        Ok((None, notes))
    }

    /// Looks up how the platform ships, and checks what was said for it.
    async fn flow(&self, asked: &ShipRequest, order: &Order) -> Result<Flow> {
        let platform = self.platform().await?;
        let catalog = self.client().catalog();
        let name = match &asked.how {
            Some(how) => format!("order-ship-{how}"),
            None => "order-ship".to_owned(),
        };
        let mut action = catalog.action(&platform, &name).map_err(|error| match &asked.how {
            Some(how) => Error::usage(format!("{platform} does not ship {how:?}"))
                .with_hint("Leave --how out, or see `sesame apis search ship`."),
            None => Error::usage(format!("no call that ships orders is documented for {platform}"))
                .with_hint("Ship in the seller's pages of the platform; `sesame orders track` shows where the parcel is.")
                .with_source(error),
        })?;
        let is_part = !asked.lines.is_empty()
            && order
                .lines
                .iter()
                .any(|line| line.stage != Stage::Cancelled && !asked.lines.contains(&line.id));
        let others = [
            action.with_carrier.clone().filter(|_| asked.carrier.is_some()),
            action.part.clone().filter(|_| is_part),
        ];
        for other in others.into_iter().flatten() {
            action = catalog.action(&platform, &other)?;
        }
        let said = [
            ("carrier", "carrier", asked.carrier.is_some()),
            ("tracking", "tracking number", asked.tracking.is_some()),
        ];
        for (name, what, given) in said {
            let is_taken = action.uses(name);
            if given && !is_taken {
                return Err(Error::usage(format!("{platform} chooses the {what} itself: leave it out")));
            }
            if is_taken && !given {
                return Err(Error::usage(format!("{} takes --{name}", action.api))
                    .with_hint("`sesame orders carriers` lists the carriers. Nothing was sent."));
            }
        }
        let mut steps = vec![action];
        while let Some(next) = steps.last().and_then(|step| step.next.clone()) {
            steps.push(catalog.action(&platform, &next)?);
        }
        Ok(Flow { steps })
    }

    /// Makes a step until the order shows it.
    async fn step(
        &self,
        step: &Action,
        nth: usize,
        asked: &ShipRequest,
        mut order: Order,
        lines: &[String],
    ) -> Result<Order> {
        for sent in 1.. {
            let mine = open(step, nth, asked, &order, lines);
            let call = call::call(self, step, &order, &mine, asked)?;
            let answer = self.client().call(&call).await;
            let names: Vec<(String, String)> =
                mine.iter().map(|line| (line.id.clone(), line.package.clone())).collect();
            match answer {
                Ok(output) => {
                    refused(step, &output.reply, &names)
                        .map_err(|error| error.context(format!("order {}", order.id)))?;
                    order = self.orders().get(&asked.order).await?;
                    let left = open(step, nth, asked, &order, lines).len();
                    if left > 0 {
                        return Err(Error::new(
                            ErrorKind::Business,
                            format!(
                                "order {}: the platform took {}, but {left} lines are as before",
                                order.id, step.api
                            ),
                        )
                        .with_hint("Give the command again after a while: it looks at the order first."));
                    }
                    return Ok(order);
                }
                Err(error) => {
                    let is_lost = error.is_ambiguous();
                    if is_lost {
                        self.client().clock().sleep(SETTLE).await;
                    }
                    // What was refused may be refused because somebody else was faster.
                    let now = self.orders().get(&asked.order).await;
                    let Ok(now) = now else { return Err(error.context(format!("order {}", order.id))) };
                    if open(step, nth, asked, &now, lines).is_empty() && is_lost {
                        return Ok(now);
                    }
                    if !is_lost || sent >= MAX_SENT {
                        let hint =
                            format!("The order is {} now. {}", now.status, error.hint().unwrap_or_default());
                        return Err(error.context(format!("order {}", order.id)).with_hint(hint));
                    }
                    order = now;
                }
            }
        }
        Ok(order)
    }
}

impl Flow {
    /// Chooses the lines of a shipment.
    ///
    /// # Errors
    /// Usage, for lines that cannot be shipped, with what to do.
    pub(super) fn select(&self, asked: &ShipRequest, order: &Order) -> Result<(Vec<String>, Vec<String>)> {
        let refuse = |why: String, hint: &str| {
            Err(Error::usage(format!("order {} {why}", order.id))
                .with_hint(format!("{hint} Nothing was sent.")))
        };
        let known = |id: &String| order.lines.iter().any(|line| line.id == *id);
        if let Some(unknown) = asked.lines.iter().find(|id| !known(id)) {
            let ids: Vec<&str> = order.lines.iter().map(|line| line.id.as_str()).collect();
            return refuse(format!("has no line {unknown}"), &format!("Its lines are {}.", ids.join(", ")));
        }
        let mut notes = Vec::new();
        let mut chosen: Vec<&OrderLine> = Vec::new();
        for line in &order.lines {
            if !asked.lines.is_empty() && !asked.lines.contains(&line.id) {
                continue;
            }
            if line.stage == Stage::Cancelled {
                if !asked.lines.is_empty() {
                    return refuse(format!("has a cancelled line {}", line.id), "Leave it out of --lines.");
                }
                notes.push(format!("line {} is cancelled and left out", line.id));
                continue;
            }
            chosen.push(line);
        }
        if chosen.is_empty() {
            return refuse(
                if order.lines.is_empty() { "has no lines".to_owned() } else { "is cancelled".to_owned() },
                "There is nothing to ship.",
            );
        }
        if let Some(line) = chosen.iter().find(|line| !self.may_begin(line) && !is_past(line, self)) {
            let (what, hint) = advice(line.stage);
            let whole = chosen.iter().all(|other| other.status == line.status);
            let place = if whole { String::new() } else { format!("line {} ", line.id) };
            let others: Vec<&str> =
                chosen.iter().filter(|other| self.may_begin(other)).map(|other| other.id.as_str()).collect();
            let more = if others.is_empty() {
                String::new()
            } else {
                format!(" The others: --lines {}.", others.join(","))
            };
            let word = if what.ends_with(&*line.status) { String::new() } else { format!(" ({what})") };
            return refuse(format!("{place}is {}{word}", line.status), &format!("{hint}{more}"));
        }
        let first = &self.steps[0];
        let begun = chosen.iter().filter(|line| !first.from.contains(&line.status)).count();
        if begun > 0 && begun < chosen.len() && self.steps.len() > 1 {
            notes.push(format!(
                "{begun} of {} lines are packed already; the others get a package of their own",
                chosen.len()
            ));
        }
        Ok((chosen.into_iter().map(|line| line.id.clone()).collect(), notes))
    }

    fn may_begin(&self, line: &OrderLine) -> bool {
        self.steps.iter().any(|step| step.from.contains(&line.status))
    }
}

/// Returns the lines with which a step is still to be done.
pub(super) fn open<'a>(
    step: &Action,
    nth: usize,
    asked: &ShipRequest,
    order: &'a Order,
    lines: &[String],
) -> Vec<&'a OrderLine> {
    // The platform tells a part that was shipped by its tracking number alone.
    let is_ours = |tracking: &str| asked.tracking.as_deref() == Some(tracking);
    let is_told = order.packages.iter().any(|package| is_ours(&package.tracking))
        || order.lines.iter().any(|line| is_ours(&line.tracking));
    if nth == 0 && step.uses("tracking") && is_told {
        return Vec::new();
    }
    let is_open = |line: &&OrderLine| lines.contains(&line.id) && step.from.contains(&line.status);
    order.lines.iter().filter(is_open).collect()
}

/// Returns `true` for a line that is behind all steps.
fn is_past(line: &OrderLine, flow: &Flow) -> bool {
    flow.steps.iter().any(|step| step.becomes.contains(&line.status))
        || matches!(line.stage, Stage::Shipped | Stage::Delivered | Stage::Done)
}

/// Says why a stage cannot be shipped, and what to do.
fn advice(stage: Stage) -> (&'static str, &'static str) {
    match stage {
        Stage::Unpaid => ("unpaid", "Wait until the buyer has paid."),
        Stage::Cancelling => ("about to be cancelled", "Answer the buyer's wish to cancel first."),
        Stage::Cancelled => ("cancelled", "There is nothing to ship."),
        Stage::Returning => ("returned", "There is nothing to ship."),
        Stage::Held => ("held by the platform", "See the seller's pages of the platform for the reason."),
        _ => ("not ready to be shipped", "See `sesame orders get` for its state."),
    }
}

/// Reads in the reply to a step which lines or packages were refused.
fn refused(step: &Action, reply: &Reply, names: &[(String, String)]) -> Result<()> {
    let payload = serde_json::from_str::<&RawValue>(reply.payload()).ok();
    let told = Told::read(payload, step.failed.as_ref());
    let is_package = step.failed.as_ref().is_some_and(|rules| rules.field == "package");
    for (line, package) in names {
        let name = if is_package { package } else { line };
        if let Some(reason) = told.find(name) {
            let what = if is_package { "package" } else { "line" };
            let foreign = Redactor::new([]);
            let message = foreign.text(&reason.message, 500);
            let error = reply.error(ErrorKind::Business, format!("{what} {name}: {message}"));
            return Err(match &reason.code {
                Some(code) => error.with_code(foreign.text(code, 60)),
                None => error,
            });
        }
    }
    Ok(())
}
