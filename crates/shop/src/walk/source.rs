//! How the rows of a list are asked for: the facet of the catalog, the account, what was asked for.

use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Map, Value as Json, json, value::to_raw_value};
use sesame_catalog::{Facet, Paging, PagingStyle};
use sesame_client::{Call, Client};
use sesame_core::{Error, Result, path};

use super::Bookmark;
use crate::{
    Shop, Stage,
    shop::Place,
    times::{self, Edge},
};

/// The rows of a page where neither the platform nor the caller says how many.
const USUAL_SIZE: u64 = 50;

/// What is asked for of a list.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Request {
    /// The list, as the catalog names it: `products`, `orders`, ..
    pub list: String,
    /// Only rows that changed since; from when on the list is read at all.
    pub since: Option<Timestamp>,
    /// Only rows that changed until then.
    pub until: Option<Timestamp>,
    /// Only rows in this state, in the platform's word.
    pub status: Option<String>,
    /// Parts of the list that cannot hold rows in these stages are left out.
    pub stages: Vec<Stage>,
    /// The most rows. A list that ends there is read page by page, in the platform's order. With `stages` it
    /// does not end by itself, since the caller leaves rows out.
    pub limit: Option<u64>,
    /// Only this page, counted from 1.
    pub page: Option<u64>,
    /// Where an earlier read was left.
    pub bookmark: Option<Bookmark>,
}

impl Request {
    /// Asks for all rows of a list.
    pub fn new(list: impl Into<String>) -> Self {
        Self { list: list.into(), ..Self::default() }
    }
}

/// Where rows come from.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) shop: Shop,
    pub(crate) client: Client,
    pub(crate) facet: Facet,
    pub(crate) zone: TimeZone,
    pub(crate) currency: Option<String>,
    pub(crate) parts: Vec<PartSource>,
}

/// One part of a list.
#[derive(Debug)]
pub(crate) struct PartSource {
    api: String,
    pub(crate) paging: Paging,
    /// The rows that a page is asked for.
    pub(crate) size: u64,
    inputs: Vec<(String, String)>,
}

impl Source {
    pub(crate) async fn open(shop: &Shop, request: &Request) -> Result<Self> {
        let client = shop.client().clone();
        let Place { platform, zone: zone_name, currency } = shop.place().await?;
        let facet = client.catalog().facet(&platform, &request.list)?;
        let has = |input: &str| facet.inputs.contains_key(input);
        if request.status.is_some() && !has("status") {
            return Err(Error::usage(format!(
                "the list of {} on {platform} has no filter by status",
                request.list
            ))
            .with_hint("Leave --status out, and filter the output."));
        }
        if (request.since.is_some() || request.until.is_some()) && !has("since") {
            return Err(Error::usage(format!(
                "the list of {} on {platform} has no filter by time",
                request.list
            ))
            .with_hint("Leave --since and --until out, and filter the output."));
        }
        if let (Some(since), Some(until)) = (request.since, request.until)
            && since > until
        {
            return Err(Error::usage(format!("the list would end ({until}) before it begins ({since})")));
        }
        let zone = times::zone(facet.time_zone.as_deref().unwrap_or(&zone_name))?;
        let mut parts = Vec::new();
        for (api, inputs) in selected(&facet, request) {
            let entry = client.catalog().api(&platform, &api)?;
            let Some(paging) = entry.paging else {
                return Err(Error::usage(format!("the catalog does not say how {api} comes in pages"))
                    .with_hint("Describe its pages in a file of SESAME_HOME/catalog, as crates/catalog/data/README.md explains."));
            };
            let most = paging.max_size.unwrap_or(USUAL_SIZE);
            let limit = request.limit.filter(|_| request.stages.is_empty());
            let size = paging.fixed_size.unwrap_or_else(|| limit.unwrap_or(most).clamp(1, most));
            parts.push(PartSource { api, paging, size, inputs });
        }
        Ok(Self { shop: shop.clone(), client, facet, zone, currency, parts })
    }

    /// Returns `true` if the list can be read window by window.
    pub(crate) fn has_windows(&self) -> bool {
        self.facet.walk.is_some()
            && self.facet.inputs.contains_key("since")
            && self.parts.iter().all(|part| part.paging.style != PagingStyle::Cursor)
    }

    /// Returns `true` if the platform takes no call without a window.
    pub(crate) fn needs_windows(&self) -> bool {
        self.facet.walk.as_ref().is_some_and(|walk| walk.window.is_some())
    }

    /// Prepares a call of a part, without its page.
    pub(crate) fn base_call(
        &self,
        part: usize,
        request: &Request,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
    ) -> Result<Call> {
        let form = self.facet.walk.as_ref().map(|walk| walk.form).unwrap_or_default();
        let time = |at: Option<Timestamp>, edge| at.map(|at| times::write(form, at, &self.zone, edge));
        let mut call = self.shop.call(&self.parts[part].api);
        call.args.clone_from(&self.facet.arguments);
        let part = &self.parts[part];
        let own = part.inputs.iter().map(|(name, value)| (name.as_str(), Some(json!(value))));
        let given = [
            ("status", request.status.as_ref().map(|status| json!(status))),
            ("since", time(since, Edge::Since)),
            ("until", time(until, Edge::Until)),
        ];
        for (name, value) in given.into_iter().chain(own) {
            if let (Some(place), Some(value)) = (self.facet.inputs.get(name), value) {
                path::set(&mut call.args, place, value)?;
            }
        }
        Ok(call)
    }

    /// Returns the state that a part of the list is asked for.
    pub(crate) fn asked(&self, part: usize, request: &Request) -> Option<String> {
        let place = self.facet.inputs.get("status")?;
        let call = self.base_call(part, request, None, None).ok()?;
        let arguments = to_raw_value(&call.args).ok()?;
        path::text(&arguments, place).map(std::borrow::Cow::into_owned)
    }

    /// Prepares the first call of a part that is read page by page.
    pub(crate) fn first_call(&self, part: usize, request: &Request) -> Result<Call> {
        let mut call = self.base_call(part, request, request.since, request.until)?;
        let part = &self.parts[part];
        // Nobody knows the number of a cursor: the first page is all that can be named.
        match request.page {
            Some(page) if part.paging.style != PagingStyle::Cursor => {
                part.set_page(&mut call.args, page.saturating_sub(1), Some(part.size))?;
            }
            _ => part.set_size(&mut call.args)?,
        }
        Ok(call)
    }
}

impl PartSource {
    fn set_size(&self, arguments: &mut Map<String, Json>) -> Result<()> {
        match &self.paging.size {
            Some(size) if self.paging.fixed_size.is_none() => path::set(arguments, size, json!(self.size)),
            _ => Ok(()),
        }
    }

    /// Asks for a page, counted from 0, of pages with that many rows.
    pub(crate) fn set_page(
        &self,
        arguments: &mut Map<String, Json>,
        page: u64,
        rows: Option<u64>,
    ) -> Result<()> {
        self.set_size(arguments)?;
        let index = match self.paging.style {
            PagingStyle::Offset => page.saturating_mul(rows.unwrap_or(self.size)),
            _ => self.first() + page,
        };
        path::set(arguments, &self.paging.index, json!(index))
    }

    fn first(&self) -> u64 {
        self.paging.first.unwrap_or(u64::from(self.paging.style == PagingStyle::Page))
    }

    /// Returns how many rows can be reached.
    pub(crate) fn reach(&self) -> u64 {
        let by_index = self.paging.max_index.map(|most| match self.paging.style {
            PagingStyle::Page => (most + 1).saturating_sub(self.first()).saturating_mul(self.size),
            _ => most.saturating_add(self.size),
        });
        self.paging.reachable.into_iter().chain(by_index).min().unwrap_or(u64::MAX)
    }
}

/// Returns the parts that are asked for: API and inputs.
fn selected(facet: &Facet, request: &Request) -> Vec<(String, Vec<(String, String)>)> {
    let each = facet.walk.as_ref().map(|walk| walk.each.as_slice()).unwrap_or_default();
    let is_wanted = |word: &str| match &request.status {
        Some(status) => status.eq_ignore_ascii_case(word),
        None => {
            request.stages.is_empty()
                || Stage::possible(facet, word).iter().any(|stage| request.stages.contains(stage))
        }
    };
    let wanted = each.iter().filter(|part| part.inputs.get("status").is_none_or(|word| is_wanted(word)));
    let parts: Vec<_> = wanted
        .map(|part| {
            let inputs = part.inputs.iter().map(|(name, value)| (name.clone(), value.clone()));
            (part.api.clone().unwrap_or_else(|| facet.api.clone()), inputs.collect())
        })
        .collect();
    // A state that the catalog does not know may exist all the same.
    if parts.is_empty() { vec![(facet.api.clone(), Vec::new())] } else { parts }
}
