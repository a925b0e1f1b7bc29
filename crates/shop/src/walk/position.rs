//! How far a list was read: small, and kept in bookmarks.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// What a platform shows of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// The most rows of a window that can be reached.
    pub(crate) reach: u64,
    /// The longest window.
    pub(crate) longest: Option<SignedDuration>,
    /// The shortest window that can be asked for.
    pub(crate) shortest: SignedDuration,
}

/// A span of time. Its ends belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Window {
    pub(crate) since: Timestamp,
    /// `None` for one that is open.
    pub(crate) until: Option<Timestamp>,
    /// The rows of the window that this is a half of.
    pub(super) whole: Option<u64>,
    /// The first half had as many.
    pub(super) is_suspect: bool,
}

impl Window {
    pub(super) fn new(since: Timestamp, until: Timestamp) -> Self {
        Self { since, until: Some(until), whole: None, is_suspect: false }
    }
}

/// Where a window is being read: its first page was seen, the others are read from the last one back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reading {
    /// The next page, from 0.
    pub(super) page: u64,
    /// The rows of a page, as they came.
    pub(super) rows: u64,
    /// The rows of the window, when it was looked at first and at last.
    pub(super) first_total: u64,
    pub(super) last_total: u64,
    /// The rows that were seen, each once, and those of them that earlier tries had seen.
    pub(super) found: u64,
    pub(super) found_before: u64,
    /// Its total changed: the first page has to be read again.
    pub(super) is_moving: bool,
    pub(super) tries: u32,
}

/// How far a list was read: all that is needed to go on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Position {
    pub(crate) pass: u32,
    /// When the pass began: its windows end there.
    pub(crate) began: Timestamp,
    pub(super) since: Timestamp,
    pub(super) until: Option<Timestamp>,
    pub(crate) part: usize,
    /// What is still to be read of the part, the next one at the end.
    pub(super) windows: Vec<Window>,
    pub(super) reading: Option<Reading>,
    /// Rows that were seen, and those of this pass.
    pub(super) seen: u64,
    pub(super) changed: u64,
    /// The rows that all passes up to now can be expected to have missed.
    pub(super) missed: f64,
    /// Some row changed since the first pass began.
    pub(super) is_busy: bool,
    /// The rows that were seen before this pass, and the passes in a row that brought none.
    pub(super) seen_before: u64,
    pub(super) quiet: u32,
    /// All windows of this pass came in one page each.
    pub(super) is_atomic: bool,
    /// What could not be read, as sentences.
    pub(crate) gaps: Vec<String>,
}
