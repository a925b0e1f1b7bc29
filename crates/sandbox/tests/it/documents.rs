//! The document hosts at `/_sandbox/documents/PLATFORM/`.

use crate::support::Bench;

const DOCUMENT: &str = "/_sandbox/documents/lazada/handler/share/apidoc/getApi.json?path=%2Forders%2Fget";

#[tokio::test]
async fn a_document_has_a_tag_and_is_not_sent_again_to_who_has_it() {
    let bench = Bench::start().await;
    let first = bench.send("GET", DOCUMENT, &[], b"").await.unwrap();
    assert_eq!(first.json()["data"]["apiList"][0]["path"], "/orders/get");
    let tag = first.header("etag").unwrap().to_owned();
    let again = bench.send("GET", DOCUMENT, &[("If-None-Match", &tag)], b"").await.unwrap();
    assert_eq!((again.status, again.text().len()), (304, 0));
    let other = bench.send("GET", DOCUMENT, &[("If-None-Match", "\"0\"")], b"").await.unwrap();
    assert_eq!(other.status, 200);
}

#[tokio::test]
async fn documents_come_in_the_form_of_top_too() {
    let bench = Bench::start().await;
    let base = "/_sandbox/documents/taobao/metadata.json";
    let list = bench.send("GET", base, &[], b"").await.unwrap().json();
    let name = "taobao.items.onsale.get";
    assert!(list.as_array().unwrap().iter().any(|head| head["name"] == name));
    let document = bench.send("GET", &format!("{base}?name={name}"), &[], b"").await.unwrap().json();
    assert_eq!(document["requestParams"][0]["required"], true, "{document}");
    let unknown = bench.send("GET", &format!("{base}?name=taobao.no.such"), &[], b"").await.unwrap();
    assert_eq!(unknown.status, 404);
}

#[tokio::test]
async fn what_is_not_there_is_refused() {
    let bench = Bench::start().await;
    let base = "/_sandbox/documents";
    for (method, target, status) in [
        ("GET", format!("{base}/lazada/handler/share/apidoc/getApi.json?path=/no/such"), 404),
        ("GET", format!("{base}/lazada/handler/share/apidoc/getApi.json"), 404),
        ("GET", format!("{base}/shopee/handler/share/apidoc/getApiCategoryMixed.json"), 404),
        ("GET", format!("{base}/lazada"), 404),
        ("POST", DOCUMENT.to_owned(), 405),
    ] {
        let answer = bench.send(method, &target, &[], b"").await.unwrap();
        assert_eq!(
            (answer.status, &answer.json()["success"]),
            (status, &serde_json::json!(false)),
            "{target}"
        );
    }
}
