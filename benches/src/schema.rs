//! The product schema language: reading a form beside a reader of any XML, judging products, writing submissions.

use std::{fmt::Write as _, hint::black_box, time::Instant};

use anyhow::Result;
use sesame_schema::{Dialect, check, json_schema, read, values_from_json, write};

use crate::{
    Effort,
    median::paired,
    report::{Report, Target},
};

/// Fields of the forms in `vectors/schema`, as many as a large form has.
const FORM: &str = include_str!("../../vectors/schema/docs/lamp.rule.xml");
const PRODUCT: &str = r#"{"title": "灯", "kind": "2", "height": "1.5", "colors": ["r", "b"], "words": ["a", "b"],
    "since": "2024-02-29", "points": {"points.0": "1", "points.1": "2"}, "abroad": "x", "rows": [
    {"way": "text", "body": "abc"}, {"way": "text", "body": "abcd"}]}"#;
/// How many forms stand in the large one.
const COPIES: usize = 50;
const ROUNDS: usize = 21;

pub(crate) fn measure(effort: Effort, report: &mut Report) -> Result<()> {
    let xml = large();
    let mut ours = Vec::new();
    let mut theirs = Vec::new();
    for _ in 0..ROUNDS {
        let repeats = effort.of(10);
        ours.push(seconds(repeats, || drop(black_box(read(black_box(&xml))))));
        theirs.push(seconds(repeats, || drop(black_box(roxmltree::Document::parse(black_box(&xml))))));
    }
    read(&xml)?;
    roxmltree::Document::parse(&xml)?;
    let megabytes = xml.len() as f64 / 1e6;
    let rates: Vec<f64> = ours.iter().map(|time| megabytes / time).collect();
    report.add("schema", format!("reading a form of {megabytes:.2} MB"), rates, "MB/s", Target::None);
    let ratio = paired(&ours, &theirs, |ours, theirs| ours / theirs);
    report.add(
        "schema",
        "of it, time beside roxmltree, which builds a tree of any XML",
        ratio,
        "times",
        Target::AtMost(1.0),
    );

    let form = read(FORM)?;
    let values = values_from_json(PRODUCT)?;
    anyhow::ensure!(check(&form, &values, Dialect::ITEM_PARAM).is_ok(), "the product does not fit its form");
    let products = effort.of(1_000);
    let mut checked = Vec::new();
    let mut parsed = Vec::new();
    let mut written = Vec::new();
    let mut schemas = Vec::new();
    for _ in 0..ROUNDS {
        let time =
            seconds(products, || drop(black_box(check(&form, black_box(&values), Dialect::ITEM_PARAM))));
        checked.push(time);
        parsed.push(seconds(products, || drop(black_box(roxmltree::Document::parse(black_box(FORM))))));
        let time =
            seconds(products, || drop(black_box(write(&form, black_box(&values), Dialect::ITEM_PARAM))));
        written.push(1.0 / time);
        schemas.push(seconds(1, || drop(black_box(json_schema(black_box(&form))))) * 1e3);
    }
    let rates: Vec<f64> = checked.iter().map(|time| 1.0 / time).collect();
    report.add("schema", "products checked in a second", rates, "", Target::None);
    let ratio = paired(&checked, &parsed, |check, parse| check / parse);
    report.add(
        "schema",
        "checking a product, time beside reading its form with roxmltree",
        ratio,
        "times",
        Target::AtMost(0.5),
    );
    report.add("schema", "submissions written in a second", written, "", Target::AtLeast(1_000.0));
    report.add("schema", "a form as a JSON Schema", schemas, "ms", Target::None);
    Ok(())
}

/// How long one of some repetitions takes.
fn seconds(repeats: usize, work: impl Fn()) -> f64 {
    let began = Instant::now();
    (0..repeats).for_each(|_| work());
    began.elapsed().as_secs_f64() / repeats as f64
}

fn large() -> String {
    let fields = FORM.find("<field").and_then(|start| Some(&FORM[start..FORM.rfind("</itemRule>")?]));
    let mut xml = String::from("<itemRule>");
    for copy in 0..COPIES {
        // Writing to a text cannot fail.
        let _ = write!(
            xml,
            "<field id=\"copy{copy}\" type=\"complex\"><fields>{}</fields></field>",
            fields.unwrap_or_default()
        );
    }
    xml.push_str("</itemRule>");
    xml
}
