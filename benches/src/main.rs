//! Measurements, as ratios taken in the same run: a machine that is busy or slow is so for both
//! sides of a ratio.
//!
//! ```text
//! cargo run --release -p sesame-benches [-- signing|calls|sandbox|schema|vault|catalog|shops|stock|processes|postgres] [--json] [--quick]
//! ```
//!
//! `processes` measures `target/release/sesame`, which has to be built before; `SESAME_BIN` names
//! another one. Exits with 1 when a target is missed.
#![expect(clippy::print_stdout, reason = "the measurements are its output")]
#![expect(clippy::cast_precision_loss, reason = "counts and times become ratios")]

mod calls;
mod catalog;
mod median;
mod postgres;
mod processes;
mod report;
mod sandbox;
mod schema;
mod setting;
mod shops;
mod signing;
mod stock;
mod vault;

use std::time::Duration;

use anyhow::{Result, bail};
use report::Report;

/// How long to measure.
#[derive(Clone, Copy)]
struct Effort {
    quick: bool,
}

impl Effort {
    /// Returns `full`, or a tenth of it for a quick look.
    fn of(self, full: usize) -> usize {
        if self.quick { (full / 10).max(1) } else { full }
    }

    /// Returns how long one round lasts; their number stays.
    fn turn(self, full: Duration) -> Duration {
        if self.quick { full / 10 } else { full }
    }
}

fn main() -> Result<()> {
    let mut names: Vec<String> = std::env::args().skip(1).collect();
    // The other side of a measurement runs as this same program.
    match names.first().map(String::as_str) {
        Some("open-vault") => {
            let path = names.get(1).map(std::path::PathBuf::from).unwrap_or_default();
            return vault::open(&path);
        }
        Some("serve-fixed") => return calls::serve(),
        Some("make-calls") => return calls::make(&names[1..]),
        Some("serve-sandbox") => {
            return sandbox::serve(names.get(1).map_or(120, |products| products.parse().unwrap_or(120)));
        }
        _ => {}
    }
    let mut flag = |name: &str| {
        let before = names.len();
        names.retain(|given| given != name);
        before != names.len()
    };
    let (json, effort) = (flag("--json"), Effort { quick: flag("--quick") });
    if cfg!(debug_assertions) {
        bail!("built without optimization; run it with --release");
    }
    let all = [
        "signing",
        "calls",
        "sandbox",
        "schema",
        "vault",
        "catalog",
        "shops",
        "stock",
        "processes",
        "postgres",
    ];
    if let Some(unknown) = names.iter().find(|name| !all.contains(&name.as_str())) {
        bail!("there is no measurement {unknown:?}; there are {}", all.join(", "));
    }
    let wanted = |name: &str| names.is_empty() || names.iter().any(|given| given == name);

    let mut report = Report::new();
    if wanted("signing") {
        signing::measure(effort, &mut report);
    }
    if wanted("calls") {
        calls::measure(effort, &mut report)?;
    }
    if wanted("sandbox") {
        sandbox::measure(effort, &mut report)?;
    }
    if wanted("schema") {
        schema::measure(effort, &mut report)?;
    }
    if wanted("vault") {
        vault::measure(effort, &mut report)?;
    }
    if wanted("catalog") {
        catalog::measure(effort, &mut report)?;
    }
    if wanted("shops") {
        shops::measure(effort, &mut report)?;
    }
    if wanted("stock") {
        stock::measure(effort, &mut report)?;
    }
    if wanted("processes") {
        processes::measure(effort, &mut report)?;
    }
    if wanted("postgres") {
        postgres::measure(effort, &mut report)?;
    }
    println!("{}", if json { report.json() } else { report.table() });
    if report.missed() > 0 {
        std::process::exit(1);
    }
    Ok(())
}
