//! Forms and products in XML: read or refused with a place, and what is written of them can be read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sesame_schema::{
    Dialect, Extent, json_schema, read, skeleton, values_from_json, without_comments, write,
};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let form = match read(text) {
        Ok(form) => form,
        Err(error) => {
            assert!(error.line > 0 && error.column > 0, "{error} has no place");
            assert!(error.line <= text.split('\n').count(), "{error} is beyond the end");
            assert!(!error.message.is_empty(), "refused without a reason");
            return;
        }
    };
    for dialect in [Dialect::ITEM_PARAM, Dialect::ITEM_SCHEMA] {
        let written = write(&form, &form.values(), dialect);
        if let Err(error) = read(&written) {
            panic!("{error} in what was written: {written}");
        }
    }
    for extent in [Extent::Minimal, Extent::Full] {
        let skeleton = skeleton(&form, extent);
        if let Err(error) = values_from_json(&without_comments(&skeleton)) {
            panic!("{error} in a skeleton: {skeleton}");
        }
    }
    let written = json_schema(&form);
    assert_eq!(written.schema["type"], "object");
    assert!(written.beyond.iter().all(|rule| !rule.path.0.is_empty()), "a rule of no field");
});
