//! What is asked for next, and whether all was seen: pure, no call is made here.
//!
//! Rows are read by windows of the time of their last change, the oldest first. A row that changes leaves
//! its window for a later one, so a window of the past only gets smaller, and a window that is read from
//! its last page back loses no row: what moves, moves to pages that are still to be read. What changed
//! meanwhile is in the window that begins where the run began: each pass reads that. A row is missed by a
//! pass only if it changes once more before its page is read, so each pass misses a share of what the one
//! before has missed, and passes get shorter.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};
use sesame_core::{Error, ErrorKind, Result, Retry};

use super::bookmark::Ids;
use super::position::{Limits, Position, Reading, Window};

/// The most passes: one that never gets shorter will not end.
const MOST_PASSES: u32 = 30;
/// How often a window is read whose rows do not add up.
const MOST_TRIES: u32 = 4;
/// A list is read to its end when so few rows can have been missed, as far as the numbers of changes tell.
const FEW: f64 = 1e-6;
/// A window ends this long before now: later nothing comes into it any more.
const REST: SignedDuration = SignedDuration::from_secs(1);
/// The most gaps that are told of one by one.
const MOST_GAPS: usize = 20;
/// No platform of the family is older.
const OLDEST: Timestamp = Timestamp::constant(915_148_800, 0);

/// A list that is being read.
#[derive(Debug)]
pub(crate) struct WindowPlan {
    pub(crate) position: Position,
    parts: usize,
    limits: Vec<Limits>,
    /// Rows do not move when they change.
    is_still: bool,
    /// The rows of the window that is being read, and its first page.
    ids: HashSet<u64>,
    first_page: Option<u64>,
    /// What was added to `ids` since it was last recorded, and whether they were begun anew.
    added: Vec<u64>,
    is_new: bool,
}

/// What is asked for next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) part: usize,
    pub(crate) window: Window,
    /// The page, from 0, and the rows of a page where that was seen.
    pub(crate) page: u64,
    pub(crate) rows: Option<u64>,
}

/// What a page says.
#[derive(Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) ids: &'a [u64],
    pub(crate) total: Option<u64>,
    /// The rows among them that no one had seen before.
    pub(crate) news: u64,
    /// The page was not full, or says that it is the last one.
    pub(crate) is_last: bool,
}

impl WindowPlan {
    pub(crate) fn new(
        since: Option<Timestamp>,
        until: Option<Timestamp>,
        now: Timestamp,
        limits: Vec<Limits>,
        is_still: bool,
    ) -> Self {
        // Whole seconds, as platforms write them: a window must not be a second too long.
        let since = whole(since.unwrap_or(OLDEST));
        let until = until.map(|until| if whole(until) == until { until } else { whole(until) + REST });
        let position = Position {
            pass: 0,
            began: until.unwrap_or_else(|| past(now)).max(since),
            since,
            until,
            part: 0,
            windows: Vec::new(),
            reading: None,
            seen: 0,
            changed: 0,
            missed: f64::MAX,
            is_busy: false,
            seen_before: 0,
            quiet: 0,
            is_atomic: true,
            gaps: Vec::new(),
        };
        let mut plan = Self::resumed(position, Ids::default(), limits, is_still);
        plan.begin_part();
        plan
    }

    /// Goes on where a list was left, with the rows of the window that was being read.
    pub(crate) fn resumed(position: Position, window: Ids, limits: Vec<Limits>, is_still: bool) -> Self {
        let ids = window.0.into_iter().collect();
        let parts = limits.len();
        Self { position, parts, limits, is_still, ids, first_page: None, added: Vec::new(), is_new: false }
    }

    /// Returns the rows of the window that is being read.
    pub(crate) fn window(&self) -> Ids {
        Ids(self.ids.iter().copied().collect())
    }

    /// Returns how the rows of the window have changed since the last call: those that were added, and
    /// whether they are all.
    pub(crate) fn take_changes(&mut self) -> (Ids, bool) {
        (Ids(std::mem::take(&mut self.added)), std::mem::take(&mut self.is_new))
    }

    /// Puts the windows of a part on the stack. The first one is open where that is allowed: a small list
    /// is one call.
    fn begin_part(&mut self) {
        let Position { since, until, began, part, .. } = self.position;
        let window = match (until, self.limits.get(part).and_then(|limits| limits.longest)) {
            (None, None) => Window { until: None, ..Window::new(since, began) },
            _ => Window::new(since, began),
        };
        self.position.windows = vec![window];
        self.next_window();
    }

    /// Cuts a piece off the next window if that is too long for the platform.
    fn next_window(&mut self) {
        self.position.reading = None;
        self.ids.clear();
        self.added.clear();
        self.is_new = true;
        self.first_page = None;
        let Some(longest) = self.limits.get(self.position.part).and_then(|limits| limits.longest) else {
            return;
        };
        if let Some(Window { since, until: Some(until), .. }) = self.position.windows.last().copied()
            && until.duration_since(since) > longest
        {
            let end = since.checked_add(longest).unwrap_or(until);
            self.position.windows.pop();
            self.position.windows.extend([Window::new(end, until), Window::new(since, end)]);
        }
    }

    /// Returns how long to wait until nothing comes into the next window any more. The first pass does not
    /// wait: its windows end before it begins, or where the caller says.
    pub(crate) fn pause(&self, now: Timestamp) -> SignedDuration {
        let until = self.position.windows.last().and_then(|window| window.until);
        let Some(until) = until.filter(|_| self.position.pass > 0) else { return SignedDuration::ZERO };
        (until + REST).duration_since(now).max(SignedDuration::ZERO)
    }

    /// Returns what is asked for next; `None` when all was read.
    pub(crate) fn wanted(&self) -> Option<Wanted> {
        let window = *self.position.windows.last()?;
        let reading = self.position.reading;
        let page = reading.map_or(0, |reading| reading.page);
        Some(Wanted { part: self.position.part, window, page, rows: reading.map(|reading| reading.rows) })
    }

    /// Takes a page in.
    ///
    /// # Errors
    /// Envelope, for a platform that does not heed the page or the window that it is asked for.
    pub(crate) fn page(&mut self, seen: &Seen<'_>, now: Timestamp) -> Result<()> {
        let Some(wanted) = self.wanted() else { return Ok(()) };
        self.position.seen += seen.news;
        let known = self.added.len();
        self.added.extend(seen.ids.iter().filter(|id| self.ids.insert(**id)));
        let new = (self.added.len() - known) as u64;
        match self.position.reading {
            None => self.first(wanted, seen, now)?,
            Some(reading) => self.later(reading, wanted, seen, new, now)?,
        }
        Ok(())
    }

    /// The first page of a window: it tells how many rows there are.
    fn first(&mut self, wanted: Wanted, seen: &Seen<'_>, now: Timestamp) -> Result<()> {
        let rows = seen.ids.len() as u64;
        let total = seen.total.unwrap_or(if seen.is_last { rows } else { u64::MAX });
        self.first_page = Some(hash_of(seen.ids));
        // A window that has ended does not have what changed since.
        self.position.is_atomic &= total <= rows && wanted.window.until.is_none();
        if total <= rows {
            self.position.changed += rows;
            self.end_window(now);
            return Ok(());
        }
        let Some(until) = wanted.window.until else {
            // More than a page: only a window that has ended holds still.
            let Position { since, began, .. } = self.position;
            self.position.windows = vec![Window::new(since, began)];
            self.next_window();
            return Ok(());
        };
        let limits = self.limits[wanted.part];
        let span = until.duration_since(wanted.window.since);
        let is_long = span > limits.shortest;
        if seen.total.is_some() {
            if self.check_halves(&wanted.window, total, span)? {
                self.next_window();
                return Ok(());
            }
            if total >= limits.reach && is_long {
                self.split(wanted.window, until, total, limits);
                return Ok(());
            }
            if total > limits.reach {
                self.gap(format!(
                    "{total} rows have changed between {} and {until}, and the platform shows {} of them",
                    wanted.window.since, limits.reach
                ));
            }
        }
        if rows == 0 {
            self.gap(format!(
                "the platform tells of {total} rows between {} and {until}, and gave none",
                wanted.window.since
            ));
            self.end_window(now);
            return Ok(());
        }
        // Without a total pages are read upwards, and again until nothing new comes.
        let page = match seen.total {
            Some(total) => (total.min(limits.reach).max(1) - 1) / rows,
            None => 1,
        };
        self.position.reading = Some(Reading {
            page,
            rows,
            first_total: total,
            last_total: total,
            found: rows,
            found_before: 0,
            is_moving: false,
            tries: 0,
        });
        if page == 0 {
            self.settle(wanted, now);
        }
        Ok(())
    }

    /// Another page of a window.
    fn later(
        &mut self,
        mut reading: Reading,
        wanted: Wanted,
        seen: &Seen<'_>,
        new: u64,
        now: Timestamp,
    ) -> Result<()> {
        let is_first_again = !seen.ids.is_empty() && self.first_page == Some(hash_of(seen.ids));
        if is_first_again
            && reading.page > 0
            && seen.total.is_none_or(|total| total == reading.first_total && total == reading.last_total)
        {
            return Err(Error::new(
                ErrorKind::Envelope,
                format!("page {} is the same as the first one; reading on would never end", reading.page + 1),
            )
            .with_retry(Retry::Never)
            .with_hint("The platform does not understand how the next page is asked for. Check `paging` of this API (sesame apis show), and report it if the catalog is wrong."));
        }
        reading.found += new;
        let Some(total) = seen.total else {
            reading.page += 1;
            if seen.ids.is_empty() || seen.is_last {
                // Without a total the window is read again until that brings nothing new.
                let is_done = reading.found == reading.found_before || reading.tries + 1 >= MOST_TRIES;
                reading =
                    Reading { page: 0, found_before: reading.found, tries: reading.tries + 1, ..reading };
                if is_done {
                    self.end_window(now);
                    return Ok(());
                }
            }
            self.position.reading = Some(reading);
            return Ok(());
        };
        reading.is_moving |= total != reading.last_total;
        reading.last_total = total;
        // The first page was read at first: what moved there meanwhile comes when it is read again.
        let end = u64::from(!reading.is_moving);
        if reading.page > end {
            reading.page -= 1;
            self.position.reading = Some(reading);
            return Ok(());
        }
        self.position.reading = Some(reading);
        self.settle(wanted, now);
        Ok(())
    }

    /// The window was read: it ends, or its rows do not add up and it is read again.
    fn settle(&mut self, wanted: Wanted, now: Timestamp) {
        let Some(reading) = &mut self.position.reading else { return };
        let reach = self.limits[wanted.part].reach;
        let expected = reading.last_total.min(reach);
        let grew = reading.last_total > reading.first_total;
        if reading.found >= expected && !grew {
            self.end_window(now);
            return;
        }
        reading.tries += 1;
        let is_hopeless = !grew && reading.found == reading.found_before;
        if reading.tries < MOST_TRIES && !is_hopeless {
            reading.first_total = reading.last_total;
            reading.found_before = reading.found;
            reading.is_moving = true;
            reading.page = (expected.max(1) - 1) / reading.rows.max(1);
            return;
        }
        if reading.found < expected {
            let text = format!(
                "the platform tells of {} rows between {} and {}, and gave {}",
                reading.last_total,
                wanted.window.since,
                wanted.window.until.unwrap_or(now),
                reading.found
            );
            self.gap(text);
        }
        self.end_window(now);
    }

    /// Checks that a window is heeded: both halves of a long one cannot hold as many rows as the whole.
    /// Returns `true` if the other half has to be looked at before this one is read.
    fn check_halves(&mut self, window: &Window, total: u64, span: SignedDuration) -> Result<bool> {
        // Rows come and go meanwhile, so nearly as many are as many.
        let is_whole = window.whole.is_some_and(|whole| total.saturating_mul(10) >= whole.saturating_mul(9));
        if !is_whole || span < SignedDuration::from_hours(24) {
            return Ok(false);
        }
        if window.is_suspect {
            return Err(Error::new(
                ErrorKind::Incomplete,
                format!("the platform tells of {total} rows in every window of time that it is asked for, so the list cannot be read window by window"),
            )
            .with_hint("It does not heed `since` and `until` of this list: correct them in a file of SESAME_HOME/catalog, and report it if the catalog is wrong."));
        }
        let [.., second, first] = self.position.windows.as_mut_slice() else { return Ok(false) };
        if second.whole != window.whole {
            return Ok(false);
        }
        second.is_suspect = true;
        first.whole = None;
        std::mem::swap(first, second);
        Ok(true)
    }

    fn split(&mut self, window: Window, until: Timestamp, total: u64, limits: Limits) {
        let half = until.duration_since(window.since) / 2;
        // Whole steps: what is finer cannot be asked for.
        let step = limits.shortest.as_secs().max(1);
        let half = SignedDuration::from_secs((half.as_secs() / step).max(1) * step);
        let middle = window.since.checked_add(half).unwrap_or(until).min(until);
        let part = |since, until| Window { whole: Some(total), ..Window::new(since, until) };
        self.position.windows.pop();
        self.position.windows.extend([part(middle, until), part(window.since, middle)]);
        self.next_window();
    }

    fn gap(&mut self, text: String) {
        if self.position.gaps.len() < MOST_GAPS && !self.position.gaps.contains(&text) {
            self.position.gaps.push(text);
        }
    }

    fn end_window(&mut self, now: Timestamp) {
        self.position.windows.pop();
        self.position.changed += self.position.reading.map_or(0, |reading| reading.found);
        self.next_window();
        if !self.position.windows.is_empty() {
            return;
        }
        self.position.part += 1;
        if self.position.part < self.parts {
            self.begin_part();
            return;
        }
        self.end_pass(now);
    }

    fn end_pass(&mut self, now: Timestamp) {
        let Position { pass, until, began, seen, changed, is_atomic, .. } = self.position;
        if pass > 0 {
            // Where something changes, a pass in which nothing did was luck.
            self.position.is_busy |= changed > 0;
            #[expect(clippy::cast_precision_loss, reason = "an estimate")]
            let (all, changed) = (seen as f64, (changed + u64::from(self.position.is_busy)) as f64);
            self.position.missed = self.position.missed.min(all) * (changed / all.max(1.0)).min(1.0);
        }
        let quiet = if seen == self.position.seen_before { self.position.quiet + 1 } else { 0 };
        let is_whole = is_atomic && self.parts == 1;
        if until.is_some() || self.is_still || is_whole || quiet > 1 || self.position.missed < FEW {
            return;
        }
        if pass + 1 >= MOST_PASSES {
            self.gap(format!(
                "the list changes faster than it can be read: after {MOST_PASSES} passes rows changed since {began} are still to come"
            ));
            return;
        }
        self.position = Position {
            pass: pass + 1,
            since: began,
            // All that changed up to now is in it, also what changed while the last pass read.
            began: whole(now).max(began) + REST,
            part: 0,
            changed: 0,
            is_atomic: true,
            gaps: std::mem::take(&mut self.position.gaps),
            windows: Vec::new(),
            reading: None,
            until,
            seen,
            missed: self.position.missed,
            is_busy: self.position.is_busy,
            seen_before: seen,
            quiet,
        };
        self.begin_part();
    }

    /// What is to be said after the last row: what could not be read.
    pub(crate) fn incomplete(&self) -> Option<Error> {
        let gaps = &self.position.gaps;
        let first = gaps.first()?;
        let more = match gaps.len() - 1 {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        Some(Error::new(ErrorKind::Incomplete, format!("{first}{more}")).with_hint(
            "The other rows were read. Read these by another filter, e.g. a status, or again when fewer change.",
        ))
    }
}

/// The last whole second into which nothing comes any more.
fn past(now: Timestamp) -> Timestamp {
    whole(now).checked_sub(REST).unwrap_or(now)
}

/// The whole second at or before a time.
fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// Tells pages apart.
fn hash_of(ids: &[u64]) -> u64 {
    ids.iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, id| (hash.rotate_left(5) ^ id).wrapping_mul(0x0100_0000_01b3))
}
