//! `/_sandbox/documents/PLATFORM/`: a vendor's document host, of the sandbox's own catalog.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use hyper::Method;
use serde_json::{Value as Json, json};
use sesame_catalog::Catalog;
use sesame_documents::{document, document_list, record_of};

use crate::{
    received::{Fields, Head},
    reply::WebReply,
    state::State,
};

/// Where the hosts are.
pub(crate) const ROUTE: &str = "/_sandbox/documents/";

/// Serves `PLATFORM/handler/share/apidoc/getApiCategoryMixed.json` and `.../getApi.json?path=NAME`.
pub(crate) fn serve(state: &State, method: &Method, head: &Head<'_>) -> WebReply {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return WebReply::json(
            405,
            json!({ "success": false, "errorCode": "METHOD_NOT_ALLOWED" }).to_string(),
        );
    }
    let Some(body) = answer(state.contracts.catalog(), head) else {
        return WebReply::json(404, json!({ "success": false, "errorCode": "NOT_FOUND" }).to_string());
    };
    let body = body.to_string();
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    let tag = format!("\"{:016x}\"", hasher.finish());
    let is_known = head.none_match.is_some_and(|known| known == tag);
    let reply = if is_known { WebReply::json(304, "") } else { WebReply::json(200, body) };
    reply.with_header("etag", tag)
}

fn answer(catalog: &Catalog, head: &Head<'_>) -> Option<Json> {
    let (platform, page) = head.path.strip_prefix(ROUTE)?.split_once('/')?;
    catalog.platform(platform).ok()?;
    match page {
        "handler/share/apidoc/getApiCategoryMixed.json" => {
            let listed = catalog.list(platform);
            let records = listed.iter().filter_map(|api| catalog.api(platform, &api.name).ok());
            let records: Vec<_> = records.map(|api| record_of(&api)).collect();
            Some(document_list(&records))
        }
        "handler/share/apidoc/getApi.json" => {
            let fields = Fields::of_query(head).ok()?;
            let api = catalog.api(platform, fields.filled("path")?).ok().filter(|api| api.known)?;
            Some(document(&record_of(&api)))
        }
        _ => None,
    }
}
