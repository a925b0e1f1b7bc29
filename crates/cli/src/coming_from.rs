//! Tests the commands of `docs/coming-from.md`.

use clap::Parser as _;

use crate::args::Cli;

/// Splits a line as a shell does, as far as the page needs it.
fn words(line: &str) -> Vec<String> {
    let (mut out, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for c in line.chars() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => out.push(std::mem::take(&mut word)),
            c => word.push(c),
        }
    }
    out.push(word);
    // Brackets stand around what may be left out.
    out.retain(|word| !word.is_empty());
    out.into_iter().map(|word| word.trim_start_matches('[').trim_end_matches(']').to_owned()).collect()
}

/// Every command of the page can be typed, and calls an API that is known.
#[test]
fn the_page_for_other_scripts_has_commands_that_are_right() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/coming-from.md");
    let text = std::fs::read_to_string(path).unwrap();
    let catalog = sesame_catalog::Catalog::builtin();
    let (mut commands, mut calls) = (0, 0);
    let fenced = text.replace("```", "");
    let spans = fenced.split('`').map(str::trim);
    // Lines that leave all arguments to the reader cannot be parsed.
    for line in spans.filter(|line| line.starts_with("sesame ") && !line.contains(['\n', '…'])) {
        if line.contains("...") {
            continue;
        }
        let words = words(line.split(" > ").next().unwrap_or_default());
        // A command's name alone is a mention, not something to type.
        if words.len() < 3 {
            continue;
        }
        commands += 1;
        if let Err(error) = Cli::try_parse_from(&words) {
            panic!("{line}: {error}");
        }
        if words.get(1).is_some_and(|word| word == "call") {
            calls += 1;
            let known = ["alibaba", "aliexpress-legacy", "aliexpress"]
                .iter()
                .any(|platform| catalog.api(platform, &words[3]).is_ok_and(|api| api.known));
            assert!(known, "{line}");
        }
    }
    assert!(commands >= 30 && calls >= 18, "{commands} commands, {calls} calls");
    let score = catalog.api("alibaba", "/icbu/product/score/get").unwrap();
    let id = score.params.iter().find(|param| param.name == "product_id").unwrap();
    assert_eq!(id.kind, sesame_catalog::Type::String, "the id of the page is the encrypted one");
}
