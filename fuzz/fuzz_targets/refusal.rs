//! Messages of the gateways: findings with places that can be read back, never more than a thousand.
//!
//! Input, as text: the first line is the field of the code's entry, the second its rule, the rest the message.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sesame_schema::{Path, refused};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut parts = text.splitn(3, '\n');
    let mut next = || parts.next().unwrap_or_default();
    let (field, rule, message) = (next(), next(), next());
    let found = refused(message, field, rule);
    assert!(found.len() <= 1_000, "{} findings", found.len());
    for finding in &found {
        assert!(!finding.rule.is_empty(), "a finding of no rule");
        let pointer = finding.path.to_string();
        assert_eq!(
            Path::from_pointer(&pointer).to_string(),
            pointer,
            "a place that is another one when read"
        );
    }
    if !field.is_empty() {
        assert!(!found.is_empty(), "the field of the code is lost");
    }
});
