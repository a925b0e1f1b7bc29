//! What was measured, beside what was aimed at.

use std::fmt::Write as _;

use serde::Serialize;

use crate::median::Spread;

/// What a figure is compared with.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Target {
    /// The figure should not be larger.
    AtMost(f64),
    /// The figure should not be smaller.
    AtLeast(f64),
    /// It is only shown.
    None,
}

#[derive(Serialize)]
struct Row {
    group: &'static str,
    what: String,
    #[serde(flatten)]
    figure: Spread,
    unit: &'static str,
    target: Target,
    met: bool,
}

#[derive(Serialize)]
pub(crate) struct Report {
    machine: String,
    rows: Vec<Row>,
}

impl Report {
    pub(crate) fn new() -> Self {
        Self { machine: machine(), rows: Vec::new() }
    }

    pub(crate) fn add(
        &mut self,
        group: &'static str,
        what: impl Into<String>,
        figure: impl Into<Spread>,
        unit: &'static str,
        target: Target,
    ) {
        let figure = figure.into();
        let met = match target {
            Target::AtMost(most) => figure.median <= most,
            Target::AtLeast(least) => figure.median >= least,
            Target::None => true,
        };
        self.rows.push(Row { group, what: what.into(), figure, unit, target, met });
    }

    /// How many targets were missed.
    pub(crate) fn missed(&self) -> usize {
        self.rows.iter().filter(|row| !row.met).count()
    }

    pub(crate) fn json(&self) -> String {
        // Numbers and texts only: this cannot fail.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    pub(crate) fn table(&self) -> String {
        let mut out = format!(
            "{}\n\n| | median | least to most | target | |\n|---|---:|---:|---:|---|\n",
            self.machine
        );
        for row in &self.rows {
            let target = match row.target {
                Target::AtMost(most) => format!("at most {}", number(most)),
                Target::AtLeast(least) => format!("at least {}", number(least)),
                Target::None => String::new(),
            };
            let verdict = match (row.target, row.met) {
                (Target::None, _) => "",
                (_, true) => "met",
                (_, false) => "missed",
            };
            let Spread { median, min, max, .. } = row.figure;
            let range = match row.figure.rounds {
                1 => String::new(),
                rounds => format!("{} to {} of {rounds}", number(min), number(max)),
            };
            // Writing to a text cannot fail.
            let _ = writeln!(
                out,
                "| {}: {} | {} {} | {range} | {target} | {verdict} |",
                row.group,
                row.what,
                number(median),
                row.unit
            );
        }
        out
    }
}

fn number(figure: f64) -> String {
    if figure >= 100.0 { format!("{figure:.0}") } else { format!("{figure:.2}") }
}

/// Names the machine: its processor, how many of them, its system.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpus = read("/proc/cpuinfo");
    let model = cpus
        .lines()
        .find_map(|line| {
            line.strip_prefix("model name")?.split_once(':').map(|(_, name)| name.trim().to_owned())
        })
        .unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    format!("{model}, {cores} cores, {} {}", std::env::consts::OS, kernel.trim())
}
