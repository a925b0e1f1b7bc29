//! Pagination: lists as pages, pages as a stream.

mod paginator;

use std::{
    borrow::Cow,
    collections::HashSet,
    hash::{BuildHasher, Hasher, RandomState},
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;
use serde_json::value::RawValue;
use sesame_core::{BoxFuture, Error, ErrorKind, Result, Retry, envelope::Reply, path};

use crate::{Call, CallOutput, Client};
use paginator::{NextPage, PageInfo, Paginator};

/// One page of a list.
#[derive(Debug)]
#[non_exhaustive]
pub struct Page {
    /// The rows, as the platform sent them, without those that an earlier page had already.
    pub items: Vec<Box<RawValue>>,
    /// The whole answer.
    pub reply: Reply,
    /// Counts the pages of this run, from 1.
    pub number: u64,
    /// The number of all rows, as this page tells it.
    pub total: Option<u64>,
    /// Rows left out because an earlier page had them: rows move while one reads.
    pub duplicates: usize,
    /// What the caller should know, as sentences.
    pub warnings: Vec<String>,
}

/// The pages of a list, one call each. Made by [`Client::pages`].
///
/// Ends by what the platform says of the end (its total, its page count, its "has next"), or at an
/// empty page where it says nothing; never because a page is short.
///
/// A list that is not whole ends with an error of the kind [`ErrorKind::Incomplete`], after all rows
/// that could be read: fewer rows came than the platform tells of, the platform shows only a part, or
/// rows left the list while it was read, so that others may have been passed over. Lists of which the
/// catalog knows that rows leave them are read from their last page back. A page that comes a second
/// time, and one with far more rows than were asked for, is an error of the kind
/// [`ErrorKind::Envelope`].
///
/// ```no_run
/// # async fn example(client: sesame_client::Client) -> sesame_core::Result<()> {
/// let mut pages = client.pages(sesame_client::Call::new("my-shop", "/products/get"));
/// while let Some(page) = pages.next().await {
///     for product in page?.items {
///         println!("{product}");
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Pages {
    client: Client,
    call: Call,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Nothing was sent yet.
    New,
    /// Between two pages.
    Open(Box<Open>),
    /// The last page was handed out; this is still to be said.
    Last(Error),
    /// Nothing more comes.
    Over,
}

#[derive(Debug)]
struct Open {
    paginator: Paginator,
    /// Warnings for the next page.
    warnings: Vec<String>,
    /// The hashes of the rows that were handed out; only for lists whose rows have a key.
    rows: HashSet<u64>,
    /// The hashes of the pages that were seen.
    pages: HashSet<u64>,
    /// Keyed anew for each list. Of 1,000,000 rows two look the same once in 36,000,000 lists, and then
    /// one is missing.
    hashes: RandomState,
}

impl Client {
    /// Makes a call page by page, as the catalog's page rule of the API says.
    ///
    /// Nothing is sent before the first page is asked for.
    pub fn pages(&self, call: Call) -> Pages {
        Pages { client: self.clone(), call, state: State::New }
    }
}

impl Pages {
    /// Fetches the next page. After an error nothing more comes.
    pub async fn next(&mut self) -> Option<Result<Page>> {
        let open = match std::mem::replace(&mut self.state, State::Over) {
            State::Over => return None,
            State::Last(error) => return Some(Err(error)),
            State::Open(open) => open,
            State::New => match self.open().await {
                Ok(open) => Box::new(open),
                Err(error) => return Some(Err(error)),
            },
        };
        match self.page(open).await {
            Ok(Some(page)) => Some(Ok(page)),
            Ok(None) => None,
            Err(error) => Some(Err(error)),
        }
    }

    async fn open(&mut self) -> Result<Open> {
        let contract = self.client.contract(&self.call).await?;
        let api = &contract.api;
        let Some(rule) = &api.paging else {
            let known = if api.known {
                "does not come in pages as far as the catalog knows"
            } else {
                "is not in the catalog, so its paging is not known"
            };
            return Err(Error::usage(format!("{} {known}", api.name))
                .with_hint("Call it without --all; or describe its pages in a file of SESAME_HOME/catalog, as crates/catalog/data/README.md explains."));
        };
        if rule.items.is_none() {
            return Err(Error::usage(format!(
                "the catalog does not say where the rows of {} are in its answer",
                api.name
            ))
            .with_hint(
                "Call it without --all, or add `items` to its paging in a file of SESAME_HOME/catalog.",
            ));
        }
        let (paginator, warnings) = Paginator::new(rule.clone(), &mut self.call.args)?;
        Ok(Open {
            paginator,
            warnings,
            rows: HashSet::new(),
            pages: HashSet::new(),
            hashes: RandomState::new(),
        })
    }

    async fn page(&mut self, mut open: Box<Open>) -> Result<Option<Page>> {
        let CallOutput { reply, warnings, .. } = self.client.call(&self.call).await?;
        let rule = open.paginator.rule();
        let payload: &RawValue = serde_json::from_str(reply.payload())
            .map_err(|error| Error::new(ErrorKind::Envelope, format!("the reply is not JSON: {error}")))?;
        let items = rule.items.as_deref().unwrap_or_default();
        let found = path::rows(payload, items);
        let total = rule.total.as_deref().and_then(|place| path::unsigned(payload, place));
        let has_next = rule.has_next.as_deref().and_then(|place| path::boolean(payload, place));
        // Some platforms leave an empty list out. They say so: by a total that is reached, or by "no
        // more". Where the catalog knows of neither, a list that ends may just be gone.
        let honest = match total {
            Some(total) => total <= open.paginator.position(),
            None => {
                has_next == Some(false)
                    || (open.paginator.number() > 1 && rule.total.is_none() && rule.has_next.is_none())
            }
        };
        if found.is_none() && !honest {
            let tells = total.map_or_else(String::new, |total| format!(" tells of {total} rows and"));
            return Err(reply.error(ErrorKind::Envelope, format!("the reply{tells} has no list at {items:?}"))
                .with_retry(Retry::Never)
                .with_hint("The platform may have changed its answer: look at it without --all, and correct `items` in a file of SESAME_HOME/catalog."));
        }
        let rows = found.unwrap_or_default();
        let most = open.paginator.max_rows();
        if rows.len() > most {
            return Err(reply
                .error(
                    ErrorKind::Envelope,
                    format!("the page has more than {most} rows, which is more than was asked for"),
                )
                .with_retry(Retry::Never)
                .with_hint(
                    "Its rows are not read. Ask for smaller pages, or look at the reply without --all.",
                ));
        }

        // The same page again means that the platform does not understand how we ask for the next.
        let key = rule.key.as_deref();
        let keys: Vec<Option<u64>> =
            rows.iter().map(|row| Some(open.hashes.hash_one(path::text(row, key?)?))).collect();
        let mut whole = open.hashes.build_hasher();
        for (row, key) in rows.iter().zip(&keys) {
            match key {
                Some(key) => whole.write_u64(*key),
                None => whole.write(row.get().as_bytes()),
            }
        }
        if !rows.is_empty() && !open.pages.insert(whole.finish()) {
            return Err(open.paginator.repeated());
        }

        let mut new = Vec::with_capacity(rows.len());
        for (row, key) in rows.iter().zip(&keys) {
            if key.is_none_or(|key| open.rows.insert(key)) {
                new.push((*row).to_owned());
            }
        }
        let duplicates = rows.len() - new.len();
        let info = PageInfo {
            rows: rows.len() as u64,
            new: new.len() as u64,
            total,
            total_pages: rule.total_pages.as_deref().and_then(|place| path::unsigned(payload, place)),
            has_next,
            next: rule.next.as_deref().and_then(|place| path::text(payload, place)).map(Cow::into_owned),
        };
        let mut page = Page {
            items: new,
            number: open.paginator.number(),
            total,
            duplicates,
            warnings: std::mem::take(&mut open.warnings),
            reply,
        };
        // Not the same warning with each of 500 pages.
        if page.number == 1 {
            page.warnings.extend(warnings);
        }

        let (next, warnings) = open.paginator.advance(&info);
        page.warnings.extend(warnings);
        if open.paginator.descends() {
            // The first page comes again, as the last one.
            open.pages.clear();
        }
        self.state = match next {
            NextPage::More => {
                open.paginator.apply(&mut self.call.args)?;
                State::Open(open)
            }
            NextPage::Done => State::Over,
            NextPage::Fail(error) => State::Last(error),
        };
        // The empty page that ends a list is no page, unless it is all there is or has to say something.
        let worthless = page.number > 1 && info.rows == 0 && page.warnings.is_empty();
        if !worthless {
            return Ok(Some(page));
        }
        match std::mem::replace(&mut self.state, State::Over) {
            State::Last(error) => Err(error),
            State::Open(open) => Box::pin(self.page(open)).await,
            State::New | State::Over => Ok(None),
        }
    }

    /// Returns `true` if another page may come. One that comes may still have no rows.
    pub fn has_more(&self) -> bool {
        matches!(self.state, State::New | State::Open(_))
    }

    /// Turns the pages into a [`Stream`].
    pub fn into_stream(self) -> PageStream {
        PageStream { step: Step::Idle(Box::new(self)) }
    }
}

/// The pages of a list as a [`Stream`]. Made by [`Pages::into_stream`].
pub struct PageStream {
    step: Step,
}

enum Step {
    Idle(Box<Pages>),
    Busy(BoxFuture<'static, (Box<Pages>, Option<Result<Page>>)>),
    Over,
}

impl std::fmt::Debug for PageStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PageStream").finish_non_exhaustive()
    }
}

impl Stream for PageStream {
    type Item = Result<Page>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match std::mem::replace(&mut self.step, Step::Over) {
                Step::Over => return Poll::Ready(None),
                Step::Idle(mut pages) => {
                    self.step = Step::Busy(Box::pin(async move {
                        let page = pages.next().await;
                        (pages, page)
                    }));
                }
                Step::Busy(mut fetching) => {
                    return match fetching.as_mut().poll(context) {
                        Poll::Pending => {
                            self.step = Step::Busy(fetching);
                            Poll::Pending
                        }
                        Poll::Ready((_, None)) => Poll::Ready(None),
                        Poll::Ready((pages, page)) => {
                            self.step = Step::Idle(pages);
                            Poll::Ready(page)
                        }
                    };
                }
            }
        }
    }
}
