//! The log: lines on standard error for those who ask for them.

use sesame_core::Error;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

use crate::exit::CliResult;

/// The crates that are ours: a level without a name is for them.
const OURS: [&str; 6] =
    ["sesame", "sesame_core", "sesame_catalog", "sesame_vault", "sesame_client", "sesame_sandbox"];

/// Starts the log, if one is asked for. `-v` shows what is done, `-vv` everything; `SESAME_LOG`
/// takes a level or `crate=level,..` and wins. Without either it says what is `usual`.
///
/// A bare level is for Sesame's own parts: other libraries are heard only by name.
///
/// # Errors
/// Usage, for a filter that cannot be read.
pub(crate) fn start(verbose: u8, filter: Option<&str>, usual: LevelFilter) -> CliResult {
    let targets = match filter.map(str::trim).filter(|text| !text.is_empty()) {
        Some(text) => parse(text)?,
        None => match verbose {
            0 if usual == LevelFilter::OFF => return Ok(()),
            0 => ours(usual),
            1 => ours(LevelFilter::DEBUG),
            _ => ours(LevelFilter::TRACE),
        },
    };
    let color = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(color);
    // A second start (tests in one process) keeps the first log.
    let _ = tracing_subscriber::registry().with(lines).with(targets).try_init();
    Ok(())
}

fn ours(level: LevelFilter) -> Targets {
    Targets::new().with_targets(OURS.map(|name| (name, level)))
}

fn parse(text: &str) -> CliResult<Targets> {
    let wrong = || {
        Error::usage(format!("SESAME_LOG={text:?} is not a log filter"))
            .with_hint("Write a level (error, warn, info, debug, trace) or NAME=LEVEL,NAME=LEVEL.")
    };
    let mut targets = Targets::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (name, level) = part.rsplit_once('=').unwrap_or(("", part));
        let level: LevelFilter = level.trim().parse().map_err(|_| wrong())?;
        targets = if name.is_empty() {
            targets.with_targets(OURS.map(|name| (name, level)))
        } else {
            targets.with_target(name.trim().replace('-', "_"), level)
        };
    }
    Ok(targets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_level_is_for_our_own_crates() {
        let targets = parse("trace").unwrap();
        assert!(targets.would_enable("sesame_client::line", &tracing::Level::TRACE));
        assert!(!targets.would_enable("hyper::proto", &tracing::Level::ERROR));
        let targets = parse("info,hyper=debug").unwrap();
        assert!(targets.would_enable("hyper::proto", &tracing::Level::DEBUG));
        assert!(!targets.would_enable("sesame_vault", &tracing::Level::DEBUG));
        assert!(parse("loud").is_err());
        assert!(parse("hyper=loud").is_err());
    }
}
