//! The catalog: reading one entry of all, and searching all of them.

use std::{hint::black_box, time::Instant};

use anyhow::Result;
use sesame_catalog::{Catalog, SearchFilter};

use crate::{
    Effort,
    report::{Report, Target},
};

const QUESTIONS: [&str; 6] =
    ["update stock", "list orders", "更新库存", "发货", "upload a picture", "updat stok"];

pub(crate) fn measure(effort: Effort, report: &mut Report) -> Result<()> {
    let catalog = Catalog::builtin();
    let mut of_entries = Vec::new();
    let mut count = 0;
    for platform in catalog.platforms() {
        for summary in catalog.list(&platform.name) {
            let mut best = f64::MAX;
            for _ in 0..3 {
                let began = Instant::now();
                black_box(catalog.api(&platform.name, black_box(&summary.name))?);
                best = best.min(began.elapsed().as_secs_f64() * 1e6);
            }
            of_entries.push(best);
            count += 1;
        }
    }
    report.add("catalog", format!("looking up one of {count} APIs"), of_entries, "µs", Target::AtMost(10.0));
    let filter = SearchFilter::default();
    let mut of_searches = Vec::new();
    for _ in 0..effort.of(50) {
        for question in QUESTIONS {
            let began = Instant::now();
            black_box(catalog.search(black_box(question), &filter));
            of_searches.push(began.elapsed().as_secs_f64() * 1e3);
        }
    }
    report.add("catalog", "a search over all of them, warm", of_searches, "ms", Target::AtMost(2.0));
    Ok(())
}
