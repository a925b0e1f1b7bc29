//! Reads orders: the list, and the lines where they take calls of their own.

use std::{collections::HashMap, sync::Arc};

use serde_json::{json, value::RawValue};
use sesame_core::{Error, ErrorKind, Result};

use super::{
    Order, OrdersRequest,
    build::{self, Words},
};
use crate::{Bookmark, Fields, Page, Shop, Stage, Walk, at_once::at_once, stream::Reader};

/// The calls for single orders that are under way at the same time.
const AT_ONCE: usize = 8;

/// Orders, page by page. Made by [`OrdersRequest::pages`].
#[derive(Debug)]
pub struct OrderPages {
    shop: Shop,
    list: Fields,
    details: Option<Arc<Fields>>,
    words: Words,
    walk: Walk,
    stages: Vec<Stage>,
    /// Orders that may still come.
    left: u64,
}

impl OrderPages {
    pub(super) async fn open(asked: OrdersRequest) -> Result<Self> {
        let OrdersRequest { shop, request, has_lines, is_personal, is_buyer } = asked;
        let (stages, left) = (request.stages.clone(), request.limit.unwrap_or(u64::MAX));
        let name = request.list.clone();
        let walk = Walk::open(&shop, request).await?;
        let list = walk.fields().with_personal(is_personal);
        let mut details = None;
        if has_lines && !list.facet.lists.contains_key("lines") {
            let fields = match Fields::open(&shop, "order-lines").await {
                Ok(fields) => Ok(fields),
                Err(_) => Fields::open(&shop, if is_buyer { "order-buyer" } else { "order" }).await,
            };
            details = fields.ok().map(|fields| Arc::new(fields.with_personal(is_personal)));
        }
        let mut table = Fields::open(&shop, &name).await?.with_personal(is_personal);
        if let Some(details) = &details {
            table.mask_also(&details.facet.personal);
        }
        Ok(Self { shop, list, details, words: Words::new(table), walk, stages, left })
    }

    /// Fetches the next page. A page may have no orders: where a stage is asked for, others are left out.
    pub async fn next(&mut self) -> Option<Result<Page<Order>>> {
        if self.left == 0 {
            return None;
        }
        let page = match self.walk.next().await? {
            Ok(page) => page,
            Err(error) => return Some(Err(error)),
        };
        let details = match &self.details {
            None => HashMap::new(),
            Some(fields) => match self.details(Arc::clone(fields), &page.rows).await {
                Ok(details) => details,
                Err(error) => return Some(Err(error)),
            },
        };
        let mut orders = Vec::with_capacity(page.rows.len());
        for row in &page.rows {
            let mut parts = vec![(&self.list, &**row)];
            let rest = details.get(&self.list.get(row, "id"));
            if let (Some(fields), Some(rest)) = (&self.details, rest) {
                parts.push((fields, rest));
            }
            let order = build::order(self.shop.account(), &parts, &mut self.words);
            if self.stages.is_empty() || self.stages.contains(&order.stage) {
                orders.push(order);
            }
        }
        orders.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= orders.len() as u64;
        let mut warnings = page.warnings;
        warnings.append(&mut self.words.warnings);
        Some(Ok(Page {
            rows: orders,
            total: page.total,
            warnings,
            asked: page.asked,
            progress: page.progress,
        }))
    }

    /// Returns where the list is, to go on later.
    pub fn bookmark(&self) -> Option<Bookmark> {
        self.walk.bookmark()
    }

    /// Fetches the rest of each order: many in a call where the platform can, else one call each.
    async fn details(
        &mut self,
        fields: Arc<Fields>,
        rows: &[Box<RawValue>],
    ) -> Result<HashMap<String, Box<RawValue>>> {
        let ids: Vec<String> =
            rows.iter().map(|row| self.list.get(row, "id")).filter(|id| !id.is_empty()).collect();
        let batches: Vec<Vec<String>> =
            ids.chunks(fields.facet.batch.unwrap_or(1)).map(<[String]>::to_vec).collect();
        let work = |ids: Vec<String>| {
            let (shop, fields) = (self.shop.clone(), Arc::clone(&fields));
            async move {
                match rest_of(&shop, &fields, &ids).await {
                    // The order itself was read: what the platform refuses to add to it is left out.
                    Err(error) if is_refusal(&error) => Ok((Vec::new(), Some(error))),
                    rest => rest.map(|rest| (rest, None)),
                }
            }
        };
        let (mut found, mut refused) = (HashMap::with_capacity(ids.len()), Vec::new());
        at_once(AT_ONCE, batches, work, |(rest, error)| {
            found.extend(rest);
            refused.extend(error);
            Ok(())
        })
        .await?;
        let warnings = refused.iter().map(|error| format!("orders without their lines: {error}"));
        self.words.warnings.extend(warnings);
        Ok(found)
    }
}

impl Reader for OrderPages {
    type Row = Order;

    async fn next_page(&mut self) -> Option<Result<Page<Order>>> {
        self.next().await
    }
}

/// Fetches the rest of some orders, by the id of the order. A batch with an order that the platform does
/// not have is asked for in halves.
async fn rest_of(shop: &Shop, fields: &Fields, ids: &[String]) -> Result<Vec<(String, Box<RawValue>)>> {
    let input = match fields.facet.batch {
        Some(_) => ("ids", json!(ids.iter().map(|id| number(id)).collect::<Vec<_>>())),
        None => ("id", ids.first().map(|id| number(id)).unwrap_or_default()),
    };
    let call = fields.call(shop, [input])?;
    match fields.rows(shop.client(), &call).await {
        Ok(rows) if fields.facet.batch.is_none() => Ok(ids.iter().cloned().zip(rows).collect()),
        Ok(rows) => Ok(rows.into_iter().map(|row| (fields.get(&row, "id"), row)).collect()),
        Err(error) if is_refusal(&error) && ids.len() > 1 => {
            let (left, right) = ids.split_at(ids.len() / 2);
            let mut found = Box::pin(rest_of(shop, fields, left)).await?;
            found.extend(Box::pin(rest_of(shop, fields, right)).await?);
            Ok(found)
        }
        Err(error) => Err(error),
    }
}

/// Returns `true` for what is said of an order, and not of the call.
fn is_refusal(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Business | ErrorKind::Argument)
}

/// An id as platforms want it in JSON: a number if it is one.
fn number(id: &str) -> serde_json::Value {
    id.parse::<u64>().map_or_else(|_| json!(id), |number| json!(number))
}

/// Reads one order in full.
pub(super) async fn one(asked: OrdersRequest, id: &str) -> Result<Order> {
    let OrdersRequest { shop, request, has_lines, is_personal, is_buyer } = asked;
    let fields =
        Fields::open(&shop, if is_buyer { "order-buyer" } else { "order" }).await?.with_personal(is_personal);
    let call = fields.call(&shop, [("id", number(id))])?;
    let rows = fields.rows(shop.client(), &call).await?;
    let Some(row) = rows.into_iter().next() else {
        return Err(Error::new(ErrorKind::Business, format!("the platform has no order {id}"))
            .with_hint("See `sesame orders list` for the ids of the shop."));
    };
    let mut table = Fields::open(&shop, &request.list).await?.with_personal(is_personal);
    table.mask_also(&fields.facet.personal);
    let mut rest = None;
    if has_lines && !fields.facet.lists.contains_key("lines") {
        let lines = Fields::open(&shop, "order-lines").await?.with_personal(is_personal);
        table.mask_also(&lines.facet.personal);
        let own = fields.get(&row, "id");
        let found = rest_of(&shop, &lines, &[if own.is_empty() { id.to_owned() } else { own }]).await?;
        rest = found.into_iter().next().map(|(_, row)| (lines, row));
    }
    let mut parts = vec![(&fields, &*row)];
    parts.extend(rest.as_ref().map(|(fields, row)| (fields, &**row)));
    Ok(build::order(shop.account(), &parts, &mut Words::new(table)))
}
