//! Questions as people ask them, and the APIs that are right (`search/questions.tsv`).

use sesame_catalog::{Catalog, Safety, SearchFilter};

struct Question {
    set: &'static str,
    platform: Option<&'static str>,
    text: &'static str,
    right: Vec<&'static str>,
}

fn questions() -> Vec<Question> {
    let lines = include_str!("search/questions.tsv").lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let [set, platform, text, right] = line.split('\t').collect::<Vec<_>>()[..] else {
                panic!("four columns: {line}")
            };
            let platform = Some(platform).filter(|name| *name != "-");
            Question { set, platform, text, right: right.split(',').collect() }
        })
        .collect()
}

/// Returns the part of a set whose answer is among the first three, and the questions that failed.
fn answered(set: &str) -> (f64, Vec<String>) {
    let catalog = Catalog::builtin();
    let all: Vec<Question> = questions().into_iter().filter(|question| question.set == set).collect();
    let mut failed = Vec::new();
    for question in &all {
        let filter = SearchFilter { platform: question.platform, limit: 3, ..SearchFilter::default() };
        let found = catalog.search(question.text, &filter);
        let right = found.iter().any(|api| {
            let named = format!("{}:{}", api.platform, api.name);
            let bare = api.name.rsplit(':').next().unwrap_or_default();
            question.right.iter().any(|right| *right == api.name || *right == bare || *right == named)
        });
        if !right {
            let names: Vec<&str> = found.iter().map(|api| api.name.as_str()).collect();
            failed.push(format!("{} {}: {names:?}", question.platform.unwrap_or("-"), question.text));
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a hundred questions")]
    let part = 1.0 - failed.len() as f64 / all.len() as f64;
    (part, failed)
}

#[test]
fn nine_of_ten_questions_are_answered_among_the_first_three() {
    let all = questions();
    assert!(all.len() >= 150 && all.iter().filter(|question| !question.text.is_ascii()).count() >= 60);
    for set in ["tune", "hold", "fresh", "late"] {
        let (part, failed) = answered(set);
        println!("{set}: {:.1} %\n{}", part * 100.0, failed.join("\n"));
        assert!(part >= 0.9, "{set}: {:.1} %\n{}", part * 100.0, failed.join("\n"));
    }
}

#[test]
fn what_is_asked_for_goes_before_what_only_has_its_words() {
    let catalog = Catalog::builtin();
    for (platform, question, right) in [
        // Not a group of products, and not what reads a schema.
        ("aliexpress", "create product", "aliexpress.solution.product.post"),
        ("1688", "add a product", "com.alibaba.product:alibaba.product.add"),
        ("taobao", "create product", "taobao.product.add"),
        ("aliexpress", "delete several products", "aliexpress.solution.batch.product.delete"),
    ] {
        let filter = SearchFilter { platform: Some(platform), limit: 1, ..SearchFilter::default() };
        assert_eq!(catalog.search(question, &filter)[0].name, right, "{platform}: {question}");
    }
}

#[test]
fn every_right_answer_is_an_api() {
    let catalog = Catalog::builtin();
    for question in questions() {
        for right in question.right {
            let (platform, name) = match (question.platform, right.split_once(':')) {
                (Some(platform), _) => (platform, right),
                (None, Some((platform, name))) => (platform, name),
                (None, None) => panic!("{right}: of which platform?"),
            };
            assert!(catalog.api(platform, name).unwrap().known, "{platform} {name}");
        }
    }
}

#[test]
fn filters_leave_out_what_does_not_fit() {
    let catalog = Catalog::builtin();
    let search = |filter: SearchFilter<'_>| catalog.search("order", &filter);
    let writes = search(SearchFilter { safety: Some(Safety::Write), ..SearchFilter::default() });
    assert!(!writes.is_empty() && writes.iter().all(|api| api.safety == Safety::Write));
    let group = search(SearchFilter { group: Some("ORDER-API"), ..SearchFilter::default() });
    assert!(!group.is_empty() && group.iter().all(|api| api.group.as_deref() == Some("order-api")));
    let open = search(SearchFilter { token: Some(false), ..SearchFilter::default() });
    assert!(open.iter().all(|api| catalog.api(&api.platform, &api.name).unwrap().auth == Some(false)));
}

#[test]
fn words_that_no_api_has_do_not_hide_the_rest() {
    let catalog = Catalog::builtin();
    for (platform, question, right) in [
        ("lazada", "how do I get new orders since yesterday", "/orders/get"),
        ("lazada", "shipping label of the package qqqzzz", "/order/package/document/get"),
        // No API has half of it; `listing` is not `list`.
        ("lazada", "where is the parcel right now", "/logistic/order/trace"),
        ("taobao", "在售宝贝", "taobao.items.onsale.get"),
        ("taobao", "待发货订单", "taobao.trades.sold.get"),
    ] {
        let filter = SearchFilter { platform: Some(platform), limit: 3, ..SearchFilter::default() };
        let found = catalog.search(question, &filter);
        assert!(found.iter().any(|api| api.name == right), "{question}: {found:?}");
    }
    assert!(catalog.search("get qqqzzz", &SearchFilter::default()).is_empty());
}

#[test]
fn what_nobody_has_is_not_found_and_long_questions_end() {
    let catalog = Catalog::builtin();
    let all = SearchFilter::default();
    for nothing in ["", "   ", "the of", "qqqzzzxxy", "\u{0}\u{7f}", "🦀🦀"] {
        assert!(catalog.search(nothing, &all).is_empty(), "{nothing:?}");
    }
    let _ = catalog.search(&"order stock ".repeat(5_000), &all);
    let _ = catalog.search(&"库存".repeat(5_000), &all);
}
