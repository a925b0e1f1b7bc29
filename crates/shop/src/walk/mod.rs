//! All rows of a list, however many there are and however they move.

mod bookmark;
mod file;
mod plan;
mod position;
mod source;

use std::collections::VecDeque;

use jiff::SignedDuration;
use serde_json::value::RawValue;
use sesame_client::Pages;
use sesame_core::{Error, ErrorKind, Result, Retry, path};

use crate::{Fields, Shop};
pub use bookmark::{Bookmark, Progress};
use bookmark::{Ids, List, SeenRows, id_of};
pub use file::BookmarkFile;
use plan::{Seen, Wanted, WindowPlan};
use position::Limits;
pub use source::Request;
pub(crate) use source::Source;

/// The most rows of a page that are read, where no size was asked for.
const MOST_ROWS: usize = 100_000;

/// Some rows of a list.
#[derive(Debug)]
#[non_exhaustive]
pub struct Page<T> {
    /// The rows, none of which an earlier page had; maybe none.
    pub rows: Vec<T>,
    /// The number of all rows, where the platform tells it. With a list of several parts it is that of the
    /// parts that were begun.
    pub total: Option<u64>,
    /// What the caller should know, as sentences.
    pub warnings: Vec<String>,
    /// The state that the call asked for, in the platform's word: that of rows which name none.
    pub asked: Option<String>,
    /// What the page adds to a bookmark; `None` for a list that has none.
    pub progress: Option<Progress>,
}

/// The rows of a list as the platform sends them.
///
/// Every row that exists from the first call to the last comes exactly once, also when rows change, come
/// and go meanwhile. Where a platform makes that impossible the rows are followed by an error of the kind
/// [`ErrorKind::Incomplete`] that says what is missing. After any other error [`next`](Self::next) tries the
/// same page again.
#[derive(Debug)]
pub struct Walk {
    source: Source,
    request: Request,
    way: Way,
    /// Rows that may still come.
    left: u64,
    warnings: Vec<String>,
    is_over: bool,
}

#[derive(Debug)]
enum Way {
    /// Window by window.
    Windows { plan: Box<WindowPlan>, seen: SeenRows, totals: (usize, u64) },
    /// Page by page, part after part.
    Pages { parts: VecDeque<usize>, pages: Option<Box<Pages>>, seen: SeenRows },
}

impl Walk {
    /// Prepares the first call of a list of the catalog, `products` for one.
    ///
    /// # Errors
    /// Usage, for a platform without this list, for a filter that it does not have, and for a bookmark of
    /// another list.
    pub async fn open(shop: &Shop, mut request: Request) -> Result<Self> {
        let bookmark = request.bookmark.take();
        let source = Source::open(shop, &request).await?;
        let now = shop.client().clock().now();
        let mut warnings = Vec::new();
        if let Some(seconds) = source.facet.walk.as_ref().and_then(|walk| walk.history) {
            let oldest = now.checked_sub(SignedDuration::from_secs(seconds)).unwrap_or(now);
            if request.since.is_some_and(|since| since < oldest) {
                warnings.push(format!(
                    "the platform shows {} days back; older rows are not in the list",
                    seconds / 86_400
                ));
            }
            request.since = Some(request.since.unwrap_or(oldest).max(oldest));
        }
        // Rows that a filter of the caller leaves out do not count: the caller stops by itself.
        let left = request.limit.filter(|_| request.stages.is_empty()).unwrap_or(u64::MAX);
        let by_pages = request.page.is_some()
            || !source.has_windows()
            || (request.limit.is_some() && !source.needs_windows());
        let way = if by_pages {
            if bookmark.is_some() {
                return Err(Error::usage(format!("the list of {} has no bookmarks", request.list)));
            }
            Way::Pages { parts: (0..source.parts.len()).collect(), pages: None, seen: SeenRows::default() }
        } else {
            let limits: Vec<Limits> = (0..source.parts.len()).map(|part| source.limits(part)).collect();
            let is_still = source.facet.walk.as_ref().is_some_and(|walk| walk.by_creation);
            let (plan, seen) = match bookmark {
                None => (
                    WindowPlan::new(request.since, request.until, now, limits, is_still),
                    SeenRows::default(),
                ),
                Some(bookmark) => {
                    bookmark.check(&list_of(&source, &request))?;
                    if bookmark.position.part > limits.len() {
                        return Err(Error::usage("the bookmark is of another version of the catalog")
                            .with_hint("Read the list from its beginning."));
                    }
                    (request.since, request.until) = (bookmark.since, bookmark.until);
                    let seen = SeenRows::new(&bookmark.seen);
                    (WindowPlan::resumed(bookmark.position, bookmark.window, limits, is_still), seen)
                }
            };
            Way::Windows { plan: Box::new(plan), seen, totals: (0, 0) }
        };
        Ok(Self { source, request, way, left, warnings, is_over: false })
    }

    /// Returns where the list is, to go on later; `None` for a list that has no bookmarks.
    pub fn bookmark(&self) -> Option<Bookmark> {
        let Way::Windows { plan, seen, .. } = &self.way else { return None };
        let list = list_of(&self.source, &self.request);
        Some(Bookmark::new(&list, plan.position.clone(), seen.ids(), plan.window()))
    }

    /// Fetches the next rows.
    pub async fn next(&mut self) -> Option<Result<Page<Box<RawValue>>>> {
        if self.is_over || self.left == 0 {
            return None;
        }
        let page = match self.way {
            Way::Windows { .. } => self.next_of_windows().await,
            Way::Pages { .. } => self.next_of_pages().await,
        };
        match page {
            Ok(Some(mut page)) => {
                page.rows.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
                self.left = if self.request.page.is_some() { 0 } else { self.left - page.rows.len() as u64 };
                page.warnings.splice(0..0, std::mem::take(&mut self.warnings));
                Some(Ok(page))
            }
            Ok(None) => {
                self.is_over = true;
                let Way::Windows { plan, .. } = &self.way else { return None };
                plan.incomplete().map(Err)
            }
            Err(error) => {
                self.is_over = error.kind() == ErrorKind::Incomplete;
                Some(Err(error))
            }
        }
    }

    async fn next_of_pages(&mut self) -> Result<Option<Page<Box<RawValue>>>> {
        let Way::Pages { parts, pages, seen } = &mut self.way else { return Ok(None) };
        while let Some(part) = parts.front().copied() {
            if pages.is_none() {
                let call = self.source.first_call(part, &self.request)?;
                *pages = Some(Box::new(self.source.client.pages(call)));
            }
            let Some(open) = pages.as_mut() else { return Ok(None) };
            let Some(page) = open.next().await else {
                parts.pop_front();
                *pages = None;
                continue;
            };
            let page = page?;
            let key = self.source.parts[part].paging.key.as_deref();
            // A row that went from one part to another.
            let mut is_new = |row: &RawValue| key.is_none() || seen.insert(id_of(row, key));
            let rows: Vec<Box<RawValue>> = page.items.into_iter().filter(|row| is_new(row)).collect();
            let asked = self.source.asked(part, &self.request);
            return Ok(Some(Page {
                rows,
                total: page.total,
                warnings: page.warnings,
                asked,
                progress: None,
            }));
        }
        Ok(None)
    }

    async fn next_of_windows(&mut self) -> Result<Option<Page<Box<RawValue>>>> {
        let Way::Windows { plan, seen, totals } = &mut self.way else { return Ok(None) };
        let Some(wanted) = plan.wanted() else { return Ok(None) };
        let clock = self.source.client.clock();
        let pause = plan.pause(clock.now()).unsigned_abs();
        if !pause.is_zero() {
            clock.sleep(pause).await;
        }
        let part = &self.source.parts[wanted.part];
        let call = self.source.call(&wanted, &self.request)?;
        let output = self.source.client.call(&call).await?;
        let payload: &RawValue = serde_json::from_str(output.reply.payload())
            .map_err(|error| Error::new(ErrorKind::Envelope, format!("the reply is not JSON: {error}")))?;
        let read = Source::read(part, payload).map_err(|(kind, message)| {
            output.reply.error(kind, message).with_retry(Retry::Never).with_hint(
                "The platform may have changed its answer: look at it with `sesame call`, and correct `paging` in a file of SESAME_HOME/catalog.",
            )
        })?;
        let key = part.paging.key.as_deref();
        let ids: Vec<u64> = read.rows.iter().map(|row| id_of(row, key)).collect();
        let mut rows = Vec::with_capacity(ids.len());
        let mut new = Vec::with_capacity(ids.len());
        for (row, id) in read.rows.iter().zip(&ids) {
            if seen.insert(*id) {
                rows.push((*row).to_owned());
                new.push(*id);
            }
        }
        let size = wanted.rows.unwrap_or(self.source.size(wanted.part));
        let is_last =
            read.has_next == Some(false) || (ids.len() as u64) < size && read.has_next != Some(true);
        let facts = Seen { ids: &ids, total: read.total, news: new.len() as u64, is_last };
        let before = (plan.position.part, plan.position.pass);
        plan.page(&facts, self.source.client.clock().now())?;
        // The first page of a part tells of all its rows.
        if wanted.page == 0 && wanted.rows.is_none() && before.1 == 0 && totals.0 <= wanted.part {
            *totals = (wanted.part + 1, totals.1 + read.total.unwrap_or_default());
        }
        if self.warnings.is_empty() && totals.0 == 1 && before == (0, 0) {
            self.warnings.extend(output.warnings);
        }
        // A page without new rows is progress, too: a process that is cut off goes on behind it.
        let (window, is_new_window) = plan.take_changes();
        let (position, seen) = (plan.position.clone(), Ids(new));
        let progress = Progress { position, seen, window, is_new_window, mark: None };
        let total = Some(totals.1).filter(|total| *total > 0);
        let asked = self.source.asked(wanted.part, &self.request);
        Ok(Some(Page { rows, total, warnings: Vec::new(), asked, progress: Some(progress) }))
    }

    /// Returns how the rows are read.
    pub fn fields(&self) -> Fields {
        Fields::new(self.source.facet.clone(), self.source.zone.clone())
            .with_currency(self.source.currency.clone())
    }
}

impl<T> Page<T> {
    pub(crate) fn map<U>(self, make: impl FnMut(T) -> U) -> Page<U> {
        let Self { rows, total, warnings, asked, progress } = self;
        Page { rows: rows.into_iter().map(make).collect(), total, warnings, asked, progress }
    }
}

fn list_of<'a>(source: &'a Source, request: &'a Request) -> List<'a> {
    List {
        account: source.shop.account(),
        name: &request.list,
        status: request.status.as_deref(),
        since: request.since,
        until: request.until,
    }
}

/// What a page says, as far as the rule of its paging names it.
struct Reply<'a> {
    rows: Vec<&'a RawValue>,
    total: Option<u64>,
    has_next: Option<bool>,
}

impl Source {
    /// Reads a page.
    ///
    /// # Errors
    /// What is wrong with it.
    fn read<'a>(
        part: &source::PartSource,
        payload: &'a RawValue,
    ) -> std::result::Result<Reply<'a>, (ErrorKind, String)> {
        let rule = &part.paging;
        let total = rule.total.as_deref().and_then(|place| path::unsigned(payload, place));
        let has_next = rule.has_next.as_deref().and_then(|place| path::boolean(payload, place));
        let items = rule.items.as_deref().unwrap_or_default();
        let rows = match path::rows(payload, items) {
            Some(rows) => rows,
            // Some platforms leave an empty list out, and say so.
            None if total == Some(0) || (total.is_none() && has_next == Some(false)) => Vec::new(),
            None => {
                let tells = total.map_or_else(String::new, |total| format!(" tells of {total} rows and"));
                return Err((ErrorKind::Envelope, format!("the reply{tells} has no list at {items:?}")));
            }
        };
        let most = usize::try_from(part.size)
            .map_or(MOST_ROWS, |size| size.saturating_mul(2).clamp(1_000, MOST_ROWS));
        if rows.len() > most {
            return Err((
                ErrorKind::Envelope,
                format!("the page has more than {most} rows, which is more than was asked for"),
            ));
        }
        Ok(Reply { rows, total, has_next })
    }

    /// Returns the rows that a page is asked for.
    fn size(&self, part: usize) -> u64 {
        self.parts[part].size
    }

    fn limits(&self, part: usize) -> Limits {
        let walk = self.facet.walk.clone().unwrap_or_default();
        let part = &self.parts[part];
        let days = i64::from(walk.form == sesame_catalog::TimeForm::Day) * 86_400;
        Limits {
            reach: part.reach(),
            longest: walk.window.map(SignedDuration::from_secs),
            shortest: SignedDuration::from_secs(days.max(1)),
        }
    }

    fn call(&self, wanted: &Wanted, request: &Request) -> Result<sesame_client::Call> {
        let mut call =
            self.base_call(wanted.part, request, Some(wanted.window.since), wanted.window.until)?;
        self.parts[wanted.part].set_page(&mut call.args, wanted.page, wanted.rows)?;
        Ok(call)
    }
}
