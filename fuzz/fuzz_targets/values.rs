//! Products in plain JSON: read or refused, and serialized without loss. The first line is a patch of the rest.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sesame_schema::{changed, patch, values_from_json, without_comments};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (changes, json) = text.split_once('\n').unwrap_or(("{}", text));
    without_comments(json);
    let Ok(values) = values_from_json(json) else { return };
    let written = serde_json::to_string(&values).expect("values are JSON");
    let again = values_from_json(&written).expect("what is written can be read");
    assert_eq!(again, values, "{written}");
    assert!(changed(&values, &again).is_empty(), "nothing has changed");

    let mut patched = values.clone();
    if patch(&mut patched, changes).is_ok() {
        let once = patched.clone();
        patch(&mut patched, changes).expect("it was taken before");
        assert_eq!(patched, once, "a patch that does another thing the second time: {changes}");
    }
});
