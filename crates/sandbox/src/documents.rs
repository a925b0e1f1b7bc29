//! `/_sandbox/documents/PLATFORM/`: a vendor's document host, of the sandbox's own catalog.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use hyper::Method;
use serde_json::{Value as Json, json};
use sesame_catalog::{Catalog, Record};
use sesame_documents::{document, document_list, record_of, top_document, top_list};

use crate::{
    received::{Fields, Head},
    reply::WebReply,
    state::State,
};

/// Where the hosts are.
pub(crate) const ROUTE: &str = "/_sandbox/documents/";

/// Serves `PLATFORM/handler/share/apidoc/getApiCategoryMixed.json` and `.../getApi.json?path=NAME`, and the same in
/// the form of TOP's documents: `PLATFORM/metadata.json` and `PLATFORM/metadata.json?name=NAME`.
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
    let all = || -> Vec<Record> {
        let listed = catalog.list(platform);
        let apis = listed.iter().filter_map(|api| catalog.api(platform, &api.name).ok());
        apis.map(|api| record_of(&api)).collect()
    };
    let one =
        |name: &str| catalog.api(platform, name).ok().filter(|api| api.known).map(|api| record_of(&api));
    let fields = Fields::of_query(head).ok()?;
    match page {
        "handler/share/apidoc/getApiCategoryMixed.json" => Some(document_list(&all())),
        "handler/share/apidoc/getApi.json" => Some(document(&one(fields.filled("path")?)?)),
        "metadata.json" => match fields.filled("name") {
            Some(name) => Some(top_document(&one(name)?)),
            None => Some(top_list(&all())),
        },
        _ => None,
    }
}
