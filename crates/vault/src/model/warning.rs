//! Warnings for the people who run a program.

use std::{fmt, sync::Arc};

use sesame_core::Error;
use tokio::sync::watch;

/// A one-time warning for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Warning {
    /// One sentence without a full stop.
    pub text: String,
}

impl Warning {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Logs why something cannot be done yet, unless that was the last thing `said`.
pub(crate) fn warn_once(said: &mut String, what: &str, error: &Error) {
    let error = error.to_string();
    if *said != error {
        tracing::warn!("{what}: {error}");
        *said = error;
    }
}

/// The warnings that were not read yet. Cheap to clone; all clones are one list.
#[derive(Clone)]
pub(crate) struct Warnings(Arc<watch::Sender<Vec<Warning>>>);

impl Warnings {
    pub(crate) fn new(warnings: Vec<Warning>) -> Self {
        Self(Arc::new(watch::Sender::new(warnings)))
    }

    pub(crate) fn warn(&self, warning: Warning) {
        tracing::warn!("{warning}");
        self.0.send_modify(|warnings| warnings.push(warning));
    }

    /// Returns the warnings and clears the list.
    pub(crate) fn take(&self) -> Vec<Warning> {
        let mut taken = Vec::new();
        self.0.send_if_modified(|warnings| {
            taken = std::mem::take(warnings);
            false
        });
        taken
    }

    /// Waits until there is a warning.
    pub(crate) async fn wait(&self) {
        let mut warnings = self.0.subscribe();
        // The sender lives as long as this list, so waiting cannot fail.
        let _ = warnings.wait_for(|warnings| !warnings.is_empty()).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tracing::{
        Event, Level, Metadata, Subscriber,
        span::{Attributes, Id, Record},
    };

    use super::*;

    /// Counts warnings.
    struct Counter(Arc<AtomicUsize>);

    impl Subscriber for Counter {
        fn enabled(&self, about: &Metadata<'_>) -> bool {
            *about.level() == Level::WARN
        }
        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }
        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn event(&self, _: &Event<'_>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }

    #[test]
    fn a_store_that_stays_away_is_said_once() {
        let count = Arc::new(AtomicUsize::new(0));
        let (mut said, away) = (String::new(), Error::local("no server listens"));
        tracing::subscriber::with_default(Counter(count.clone()), || {
            for _ in 0..5 {
                warn_once(&mut said, "waiting", &away);
            }
            assert_eq!(count.load(Ordering::SeqCst), 1);
            warn_once(&mut said, "waiting", &Error::local("too many connections"));
            // It came back in between, as a keeper notes.
            said.clear();
            warn_once(&mut said, "waiting", &away);
        });
        assert_eq!(count.load(Ordering::SeqCst), 3);
    }
}
