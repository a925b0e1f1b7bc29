//! Pagination state machine. Pure: no call is made here.

use serde_json::{Map, Value};
use sesame_catalog::{Paging, PagingStyle};
use sesame_core::{Error, ErrorKind, Result, Retry, path, scalar};

/// Maximum number of pages of a list.
const MAX_PAGES: u64 = 100_000;
/// Maximum number of consecutive empty pages before the list ends, while the platform says that more follows.
const MAX_EMPTY_PAGES: u32 = 3;
/// Maximum number of rows of a page whose size was not asked for.
const MAX_ROWS: usize = 100_000;

/// The position in the pages of one list.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about the run")]
pub(super) struct Paginator {
    rule: Paging,
    /// The rows asked for, where that is known.
    size: Option<u64>,
    /// Page number or offset of the page that was asked for last.
    index: u64,
    /// Where the run began.
    began: u64,
    cursor: Option<String>,
    /// Rows before the first page of this run; known with the first page.
    skipped: Option<u64>,
    rows: u64,
    /// The rows among them that no earlier page had.
    distinct: u64,
    /// The number of all rows as the first page told it, and the last one that did.
    totals: Option<(u64, u64)>,
    /// Rows left the list while it was read.
    shrank: bool,
    /// The list is read from its last page back.
    descends: bool,
    pages: u64,
    empty: u32,
    said_unreachable: bool,
    /// The run began at a cursor that was given.
    began_at_cursor: bool,
}

/// What a page says about the list.
#[derive(Debug, Clone, Default)]
pub(super) struct PageInfo {
    pub(super) rows: u64,
    /// The rows that no earlier page had.
    pub(super) new: u64,
    pub(super) total: Option<u64>,
    pub(super) total_pages: Option<u64>,
    pub(super) has_next: Option<bool>,
    pub(super) next: Option<String>,
}

/// What comes after a page.
#[derive(Debug)]
pub(super) enum NextPage {
    More,
    Done,
    Fail(Error),
}

impl Paginator {
    /// Begins where the arguments say, else with the first page, and asks for the largest pages
    /// unless the arguments say otherwise. Returns warnings.
    pub(super) fn new(rule: Paging, args: &mut Map<String, Value>) -> Result<(Self, Vec<String>)> {
        let mut warnings = Vec::new();
        let mut size = rule.fixed_size;
        if let (None, Some(name)) = (rule.fixed_size, &rule.size) {
            let wished = match path::argument(args, name) {
                None => None,
                Some(value) => Some(whole(name, &value, 1)?),
            };
            size = match (wished, rule.max_size) {
                (Some(wished), Some(most)) if wished > most => {
                    warnings.push(format!("{name} is {wished}, and the platform gives at most {most} rows a page; {most} are asked for"));
                    Some(most)
                }
                (Some(wished), _) => Some(wished),
                (None, most) => most,
            };
            if let Some(size) = size {
                path::set(args, name, size.into())?;
            }
        }
        let given = path::argument(args, &rule.index);
        let first = rule.first.unwrap_or(u64::from(rule.style == PagingStyle::Page));
        let (index, cursor) = match (rule.style, given) {
            (PagingStyle::Cursor, given) => (0, given.as_ref().and_then(scalar::text)),
            (_, Some(given)) => (whole(&rule.index, &given, 0)?, None),
            (_, None) => (first, None),
        };
        if rule.style != PagingStyle::Cursor {
            path::set(args, &rule.index, index.into())?;
        }
        let paginator = Self {
            began_at_cursor: cursor.is_some(),
            size,
            index,
            began: index,
            cursor,
            skipped: None,
            rows: 0,
            distinct: 0,
            totals: None,
            shrank: false,
            descends: false,
            pages: 0,
            empty: 0,
            said_unreachable: false,
            rule,
        };
        Ok((paginator, warnings))
    }

    pub(super) fn rule(&self) -> &Paging {
        &self.rule
    }

    /// The number of the page that is being read, from 1.
    pub(super) fn number(&self) -> u64 {
        self.pages + 1
    }

    /// Rows before the next page, counted from the start of the list.
    pub(super) fn position(&self) -> u64 {
        self.skipped.unwrap_or_default() + self.rows
    }

    /// Returns `true` once the list is read from its last page back: the first page comes again then.
    pub(super) fn descends(&self) -> bool {
        self.descends
    }

    /// The most rows that a page may have: what was asked for, and some more for platforms that round up.
    pub(super) fn max_rows(&self) -> usize {
        self.size.map_or(MAX_ROWS, |size| {
            usize::try_from(size).unwrap_or(MAX_ROWS).saturating_mul(2).clamp(1_000, MAX_ROWS)
        })
    }

    /// Decides what comes after a page, with warnings that belong to that page.
    pub(super) fn advance(&mut self, info: &PageInfo) -> (NextPage, Vec<String>) {
        let first = self.first();
        self.skipped.get_or_insert_with(|| match self.rule.style {
            PagingStyle::Page => self.began.saturating_sub(first) * self.size.unwrap_or(info.rows),
            PagingStyle::Offset => self.began,
            PagingStyle::Cursor => 0,
        });
        self.pages += 1;
        self.rows += info.rows;
        self.distinct += info.new;
        self.empty = if info.rows == 0 { self.empty + 1 } else { 0 };
        let mut warnings = Vec::new();
        warnings.extend(self.count(info.total));
        warnings.extend(self.warn_unreachable(info));
        let next = self.next(first, info);
        (next, warnings)
    }

    fn next(&mut self, first: u64, info: &PageInfo) -> NextPage {
        if self.pages >= MAX_PAGES {
            return NextPage::Fail(
                Error::new(ErrorKind::Envelope, format!("the list has not ended after {MAX_PAGES} pages"))
                    .with_retry(Retry::Never)
                    .with_hint("Narrow the list down, e.g. by a time window."),
            );
        }
        if self.descends {
            if self.index <= self.began {
                return self.end();
            }
            self.index -= 1;
            return NextPage::More;
        }
        let position = self.position();
        let all = info.total.is_some_and(|total| position >= total)
            || (self.rule.style == PagingStyle::Page
                && info.total_pages.is_some_and(|pages| self.index.saturating_sub(first) + 1 >= pages));
        if all || info.has_next == Some(false) {
            return self.end();
        }
        if let (true, 1, Some(total)) = (self.rule.backward, self.pages, info.total)
            && info.rows > 0
        {
            // By what came, not by what was asked for: the platform may have cut the page.
            self.index = first + (total - 1) / info.rows;
            self.descends = true;
            return NextPage::More;
        }
        if info.rows == 0 && (info.has_next != Some(true) || self.empty >= MAX_EMPTY_PAGES) {
            return self.end();
        }
        let after = match self.rule.style {
            PagingStyle::Page => self.index + 1,
            // By what came here, too.
            PagingStyle::Offset => {
                self.index + info.rows.max(u64::from(info.rows == 0) * self.size.unwrap_or(1))
            }
            PagingStyle::Cursor => self.index,
        };
        if self.rule.reachable.is_some_and(|reachable| position >= reachable)
            || self.rule.max_index.is_some_and(|most| after > most)
        {
            return NextPage::Fail(self.unreachable(position, info.total));
        }
        self.index = after;
        if self.rule.style == PagingStyle::Cursor {
            let next = info.next.as_deref().map(str::trim);
            match next.filter(|next| !next.is_empty() && *next != "0" && *next != "null") {
                None => return self.end(),
                Some(next) if self.cursor.as_deref() == Some(next) => return NextPage::Fail(self.repeated()),
                Some(next) => self.cursor = Some(next.to_owned()),
            }
        }
        NextPage::More
    }

    /// Ends the list, if all of it was read as far as anybody can tell.
    fn end(&self) -> NextPage {
        let seen = self.skipped.unwrap_or_default() + self.distinct;
        let trouble = match self.totals {
            // Nobody knows how many rows there are before a cursor that was given.
            Some(_) if self.began_at_cursor => None,
            // What left the list meanwhile need not come any more, and nothing can slip past.
            Some((_, last)) if self.descends && seen < last => Some(format!("the platform tells of {last} rows and gave {seen}")),
            Some((first, last)) if !self.descends && self.shrank => Some(format!(
                "rows left the list while it was read ({first} at first, {last} at the end), so others may have been passed over"
            )),
            Some((first, _)) if !self.descends && seen < first => Some(format!(
                "the platform tells of {first} rows and gave {seen}; rows were taken away meanwhile, or it does not show all of them"
            )),
            None if self.rule.backward && self.pages > 1 => Some(
                "rows leave this list while it is read, and without a total it cannot be read from its last page back; rows may have been passed over".to_owned(),
            ),
            _ => None,
        };
        trouble.map_or(NextPage::Done, |trouble| {
            NextPage::Fail(
                Error::new(ErrorKind::Incomplete, trouble).with_hint(
                    self.rule
                        .advice
                        .clone()
                        .unwrap_or_else(|| "Read it again, or in parts, e.g. by a time window.".to_owned()),
                ),
            )
        })
    }

    /// Remembers how many rows there are. Returns a warning the first time that the number changes.
    fn count(&mut self, total: Option<u64>) -> Option<String> {
        let total = total?;
        let (first, last) = *self.totals.get_or_insert((total, total));
        let is_new = first == last && !self.shrank && total != last;
        self.shrank |= total < last;
        self.totals = Some((first, total));
        is_new.then(|| format!("the list changed while it was read: {last} rows before, {total} now"))
    }

    fn first(&self) -> u64 {
        self.rule.first.unwrap_or(u64::from(self.rule.style == PagingStyle::Page))
    }

    /// Puts the next page into the arguments.
    pub(super) fn apply(&self, args: &mut Map<String, Value>) -> Result<()> {
        let value = match (&self.rule.style, &self.cursor) {
            (PagingStyle::Cursor, Some(cursor)) => Value::String(cursor.clone()),
            (PagingStyle::Cursor, None) => return Ok(()),
            _ => self.index.into(),
        };
        path::set(args, &self.rule.index, value)
    }

    /// The error of a page that came a second time.
    pub(super) fn repeated(&self) -> Error {
        let asked = match (&self.rule.style, &self.cursor) {
            // The cursor itself is the platform's, and may be anything.
            (PagingStyle::Cursor, Some(_)) => format!("the next {}", self.rule.index),
            (PagingStyle::Cursor, None) => format!("the first {}", self.rule.index),
            _ => format!("{}={}", self.rule.index, self.index),
        };
        Error::new(ErrorKind::Envelope, format!("page {} ({asked}) is the same as an earlier page; reading on would never end", self.number()))
            .with_retry(Retry::Never)
            .with_hint("The platform does not understand how the next page is asked for. Check `index` in the paging of this API (sesame apis show), and report it if the catalog is wrong.")
    }

    fn unreachable(&self, reachable: u64, total: Option<u64>) -> Error {
        let of = total.map_or_else(String::new, |total| format!(" of {total}"));
        let advice = self
            .rule
            .advice
            .as_deref()
            .unwrap_or("Split the list by a filter, e.g. a time window, and read it in parts.");
        Error::new(
            ErrorKind::Incomplete,
            format!("only the first {reachable}{of} rows can be reached; the rest was not read"),
        )
        .with_hint(advice.to_owned())
    }

    /// Says at the start, and not only at the end, that not all rows will come.
    fn warn_unreachable(&mut self, info: &PageInfo) -> Option<String> {
        let size = self.size.unwrap_or(info.rows);
        let by_index = self.rule.max_index.map(|most| match self.rule.style {
            PagingStyle::Page => (most + 1).saturating_sub(self.first()).saturating_mul(size),
            PagingStyle::Offset | PagingStyle::Cursor => most.saturating_add(size),
        });
        let (reachable, total) = (self.rule.reachable.or(by_index)?, info.total?);
        if total <= reachable || std::mem::replace(&mut self.said_unreachable, true) {
            return None;
        }
        let error = self.unreachable(reachable, Some(total));
        Some(format!(
            "{}. {}",
            error.message().replace("; the rest was not read", ""),
            error.hint().unwrap_or_default()
        ))
    }
}

fn whole(name: &str, value: &Value, least: u64) -> Result<u64> {
    scalar::integer(value)
        .and_then(|number| u64::try_from(number).ok())
        .filter(|number| *number >= least)
        .ok_or_else(|| Error::usage(format!("{name} must be an integer of at least {least}, not {value}")))
}

#[cfg(test)]
mod tests;
