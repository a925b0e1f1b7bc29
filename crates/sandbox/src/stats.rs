//! Counts of calls by platform, API and outcome.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError, atomic::AtomicU64},
};

/// Counts by platform, API and outcome.
pub(crate) type Counts = BTreeMap<String, BTreeMap<String, BTreeMap<String, u64>>>;

/// Maximum number of APIs of a platform, and of outcomes of an API, that are counted separately.
const MAX_APIS: usize = 10_000;
const MAX_OUTCOMES: usize = 200;

/// Counts of calls.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    calls: Mutex<Counts>,
    /// param2 signatures that only fit when sorted by name.
    pub(crate) sorted_by_name: AtomicU64,
    /// IOP signatures over the parameters that are not empty, while empty ones came too.
    pub(crate) without_empty: AtomicU64,
}

impl Stats {
    fn lock(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call by its outcome; no code is success.
    pub(crate) fn count(&self, platform: &str, api: &str, code: &str) {
        // Names and codes come from requests and rules: short ones are kept, and not too many.
        let mut end = api.len().min(120);
        while !api.is_char_boundary(end) {
            end -= 1;
        }
        let mut calls = self.lock();
        let apis = calls.entry(platform.to_owned()).or_default();
        let outcomes = bounded(apis, &api[..end], MAX_APIS);
        *bounded(outcomes, if code.is_empty() { "ok" } else { code }, MAX_OUTCOMES) += 1;
    }

    /// Returns the counts.
    pub(crate) fn counts(&self) -> Counts {
        self.lock().clone()
    }

    /// Starts again from zero.
    pub(crate) fn clear(&self) {
        self.lock().clear();
        for counter in [&self.sorted_by_name, &self.without_empty] {
            counter.store(0, std::sync::atomic::Ordering::Relaxed);
        }
    }
}

/// Returns the entry of a name, or that of all others when there are too many.
fn bounded<'a, T: Default>(map: &'a mut BTreeMap<String, T>, name: &str, most: usize) -> &'a mut T {
    let name = if map.len() < most || map.contains_key(name) { name } else { "(others)" };
    map.entry(name.to_owned()).or_default()
}
