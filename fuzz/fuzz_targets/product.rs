//! Products against forms: judged, and what is sent of a product that was sent is all of it.
//!
//! Input, as text: the first line is a product in JSON, the rest a form in XML.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sesame_schema::{Dialect, Severity, check, disabled, read, values_from_json, write};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some((json, xml)) = text.split_once('\n') else { return };
    let (Ok(values), Ok(form)) = (values_from_json(json), read(xml)) else { return };
    let off = disabled(&form, &values);
    for dialect in [Dialect::ITEM_PARAM, Dialect::ITEM_SCHEMA] {
        let report = check(&form, &values, dialect);
        for finding in &report.findings {
            assert!(!finding.rule.is_empty() && !finding.message.is_empty(), "a finding that says nothing");
            let is_off = finding.severity == Severity::Error && finding.rule == "disableRule";
            assert!(!is_off || off.contains(&finding.path), "{finding} is not switched off");
        }
        assert_eq!(report, check(&form, &values, dialect), "the same product, judged otherwise");
        // What has no place in the form goes the first time.
        let again = |written: &str| {
            let form = read(written).expect("what is written can be read");
            write(&form, &form.values(), dialect)
        };
        let once = again(&write(&form, &values, dialect));
        assert_eq!(again(&once), once, "not the same again");
    }
});
