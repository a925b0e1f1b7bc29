//! Catalog overlays that a user wrote: parsed or refused with a reason, and never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sesame_catalog::Catalog;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Err(mistakes) = Catalog::parse_overlay(text) {
        assert!(!mistakes.is_empty(), "refused without a reason");
        for mistake in mistakes {
            assert!(!mistake.to_string().trim().is_empty(), "refused without a reason");
        }
    }
});
