//! Every folder of `vectors/token` is a documented token reply; it must be read as documented.

use std::{fs, path::Path};

use jiff::Timestamp;
use serde_json::Value as Json;
use sesame_catalog::{Catalog, OAuthStyle};
use sesame_core::{HttpResponse, Shape, envelope::read_reply, redact::Redactor};

use super::reply::{RefreshEnd, read};

#[test]
fn documented_token_replies_are_read_as_documented() {
    let catalog = Catalog::builtin();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/token");
    let mut seen = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let id = path.file_name().unwrap().to_string_lossy().into_owned();
        let case: Json = serde_json::from_str(&fs::read_to_string(path.join("case.json")).unwrap()).unwrap();
        let text = |value: &Json| value.as_str().map(str::to_owned);
        let now: Timestamp = text(&case["received_at"]).unwrap().parse().unwrap();
        let platform = catalog.platform(case["platform"].as_str().unwrap()).unwrap();
        let shape = match platform.tokens.style {
            OAuthStyle::Iop => Shape::IopRest,
            OAuthStyle::Param2 => Shape::Param2,
            OAuthStyle::Top => Shape::Top,
        };
        let response = HttpResponse {
            status: 200,
            body: fs::read(path.join("body")).unwrap().into(),
            ..HttpResponse::default()
        };
        let reply = read_reply(shape, &platform.replies, &response, &Redactor::default(), now).unwrap();
        let tokens = read(platform, &reply, None, &Redactor::default(), now)
            .unwrap_or_else(|error| panic!("{id}: {error}"));

        let expect = case["expect"].as_object().unwrap();
        for (what, value) in expect {
            let end = |end: Option<Timestamp>| end.map_or(Json::Null, |end| end.to_string().into());
            let found = match what.as_str() {
                "access" => tokens.access.expose().into(),
                "refresh" => tokens.refresh.as_ref().map_or(Json::Null, |token| token.expose().into()),
                "access_expires_at" => end(tokens.access_end),
                "refresh_end" => match tokens.refresh_end {
                    RefreshEnd::At(at) => end(Some(at)),
                    RefreshEnd::Denied => "denied".into(),
                    RefreshEnd::Unknown => "unsaid".into(),
                },
                "login" => tokens.owner.login.clone().into(),
                "country" => tokens.owner.country.clone().into(),
                "id" => tokens.owner.shops[0].shop_id.clone().into(),
                "shops" => {
                    let mut shops: Vec<_> = tokens
                        .owner
                        .shops
                        .iter()
                        .map(|shop| serde_json::json!({ "country": shop.country, "seller_id": shop.shop_id }))
                        .collect();
                    // In the order of the case: a reply lists them in any.
                    shops
                        .sort_by_key(|shop| value.as_array().unwrap().iter().position(|other| other == shop));
                    shops.into()
                }
                other => panic!("{id}: the case expects {other:?}, which no test reads"),
            };
            assert_eq!(&found, value, "{id}: {what}");
        }
        seen += 1;
    }
    assert!(seen >= 7, "cases are missing: {seen}");
}
