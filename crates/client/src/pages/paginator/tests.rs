//! What comes after a page, for every style and every way of telling the end.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn rule(text: &str) -> Paging {
    serde_json::from_str(text).unwrap()
}

fn args(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is not an object"),
    }
}

const PAGES: &str =
    r#"{"style":"page","index":"page_no","size":"page_size","max_size":30,"items":"rows","total":"total"}"#;

/// What a list tells of its end.
#[derive(Debug, Clone, Copy)]
enum Tells {
    Total,
    Pages,
    More,
    Nothing,
}

/// A platform with `total` rows that cuts pages to `cut` without a word.
struct List {
    total: u64,
    cut: u64,
    tells: Tells,
}

impl List {
    fn page(
        &self,
        style: PagingStyle,
        args: &Map<String, Value>,
        first: u64,
    ) -> (std::ops::Range<u64>, PageInfo) {
        let size = args["size"].as_u64().unwrap().min(self.cut);
        let from = match style {
            PagingStyle::Page => (args["index"].as_u64().unwrap() - first) * size,
            PagingStyle::Offset => args["index"].as_u64().unwrap(),
            PagingStyle::Cursor => {
                args.get("index").map_or(0, |cursor| cursor.as_str().unwrap().parse().unwrap())
            }
        };
        let rows = from.min(self.total)..(from + size).min(self.total);
        let more = rows.end < self.total;
        let info = PageInfo {
            rows: rows.end - rows.start,
            new: rows.end - rows.start,
            total: matches!(self.tells, Tells::Total).then_some(self.total),
            total_pages: matches!(self.tells, Tells::Pages).then(|| self.total.div_ceil(size)),
            has_next: matches!(self.tells, Tells::More).then_some(more),
            next: (style == PagingStyle::Cursor && more).then(|| rows.end.to_string()),
        };
        (rows, info)
    }
}

proptest! {
    /// Whatever the style, the page size, the cut and what the platform tells of the end: every
    /// row comes once, in order, and the run ends.
    #[test]
    fn reads_every_row_once(
        total in 0_u64..400,
        size in 1_u64..60,
        cut in 1_u64..60,
        first in 0_u64..2,
        style in prop_oneof![Just(PagingStyle::Page), Just(PagingStyle::Offset), Just(PagingStyle::Cursor)],
        tells in prop_oneof![Just(Tells::Total), Just(Tells::Pages), Just(Tells::More), Just(Tells::Nothing)],
    ) {
        let style_name = serde_json::to_string(&style).unwrap();
        let first = if style == PagingStyle::Offset { 0 } else { first };
        let rule = rule(&format!(r#"{{"style":{style_name},"index":"index","size":"size","first":{first},"items":"rows"}}"#));
        let mut args = args(json!({"size": size}));
        let (mut paginator, _) = Paginator::new(rule, &mut args).unwrap();
        let list = List { total, cut, tells };
        let mut read = Vec::new();
        for _ in 0..=total + 1 {
            let (rows, info) = list.page(style, &args, first);
            read.extend(rows);
            match paginator.advance(&info).0 {
                NextPage::More => paginator.apply(&mut args).unwrap(),
                NextPage::Done => break,
                NextPage::Fail(error) => panic!("{error}"),
            }
        }
        prop_assert_eq!(read, (0..total).collect::<Vec<_>>());
    }
}

#[test]
fn asks_for_the_largest_page_and_no_larger() {
    let mut given = args(json!({}));
    Paginator::new(rule(PAGES), &mut given).unwrap();
    assert_eq!(Value::Object(given), json!({"page_size": 30, "page_no": 1}));
    let mut given = args(json!({"page_size": "50", "page_no": "4"}));
    let (_, warnings) = Paginator::new(rule(PAGES), &mut given).unwrap();
    assert_eq!(Value::Object(given), json!({"page_size": 30, "page_no": 4}));
    assert_eq!(warnings.len(), 1);
    assert!(Paginator::new(rule(PAGES), &mut args(json!({"page_size": 0}))).is_err());
    assert!(Paginator::new(rule(PAGES), &mut args(json!({"page_no": "first"}))).is_err());
}

#[test]
fn a_short_page_is_no_end() {
    let (mut paginator, _) = Paginator::new(rule(PAGES), &mut args(json!({}))).unwrap();
    let info = |rows| PageInfo { rows, new: rows, total: Some(60), ..PageInfo::default() };
    assert!(matches!(paginator.advance(&info(7)).0, NextPage::More));
    assert!(matches!(paginator.advance(&info(53)).0, NextPage::Done));
}

#[test]
fn a_start_in_the_middle_counts_the_rows_before_it() {
    let (mut paginator, _) =
        Paginator::new(rule(PAGES), &mut args(json!({"page_no": 3, "page_size": 10}))).unwrap();
    let info = |rows| PageInfo { rows, new: rows, total: Some(25), ..PageInfo::default() };
    assert!(matches!(paginator.advance(&info(5)).0, NextPage::Done));
}

fn failed(next: NextPage) -> String {
    let NextPage::Fail(error) = next else { panic!("must fail, not {next:?}") };
    assert_eq!(error.kind(), ErrorKind::Incomplete);
    error.to_string()
}

#[test]
fn rows_that_never_come_make_the_list_incomplete() {
    for end in [
        PageInfo { total: Some(100), ..PageInfo::default() },
        PageInfo { total: Some(100), has_next: Some(false), ..PageInfo::default() },
        PageInfo { total: Some(100), total_pages: Some(2), ..PageInfo::default() },
    ] {
        let (mut paginator, _) = Paginator::new(rule(PAGES), &mut args(json!({}))).unwrap();
        let info = PageInfo { rows: 30, new: 30, total: Some(100), ..PageInfo::default() };
        assert!(matches!(paginator.advance(&info).0, NextPage::More));
        assert!(failed(paginator.advance(&end).0).contains("100 rows and gave 30"));
    }
}

/// What a list of 45 rows tells while it is read, and what becomes of it.
fn outcome(pages: &[(u64, u64, u64)]) -> (NextPage, Vec<String>) {
    let (mut paginator, _) = Paginator::new(rule(PAGES), &mut args(json!({}))).unwrap();
    let (mut last, mut said) = (NextPage::More, Vec::new());
    for (rows, new, total) in pages {
        assert!(matches!(last, NextPage::More), "{last:?}");
        let (next, warnings) = paginator.advance(&PageInfo {
            rows: *rows,
            new: *new,
            total: Some(*total),
            ..PageInfo::default()
        });
        (last, said) = (next, [said, warnings].concat());
    }
    (last, said)
}

#[test]
fn a_total_that_changes_is_said_and_one_that_shrinks_is_no_whole_list() {
    let (end, said) = outcome(&[(30, 30, 45), (15, 15, 45)]);
    assert!(matches!(end, NextPage::Done) && said.is_empty());
    // A row left, and the one behind page 1 moved onto it.
    let (end, said) = outcome(&[(30, 30, 45), (14, 14, 44)]);
    assert!(failed(end).contains("45 at first, 44 at the end"));
    assert_eq!(said, ["the list changed while it was read: 45 rows before, 44 now"]);
    // One came at the front: the last of page 1 comes again, and nothing is missing.
    let (end, said) = outcome(&[(30, 30, 45), (16, 15, 46)]);
    assert!(matches!(end, NextPage::Done));
    assert_eq!(said.len(), 1);
    // One moved from the end to the front: the number is the same, and a row never came.
    let (end, _) = outcome(&[(30, 30, 45), (15, 14, 45)]);
    assert!(failed(end).contains("45 rows and gave 44"));
}

#[test]
fn what_cannot_be_reached_is_an_error_and_not_silence() {
    let rule = rule(
        r#"{"style":"page","index":"p","size":"s","max_size":30,"items":"r","total":"t","reachable":60,"advice":"Split by time."}"#,
    );
    let (mut paginator, _) = Paginator::new(rule.clone(), &mut args(json!({}))).unwrap();
    let info = |total| PageInfo { rows: 30, new: 30, total: Some(total), ..PageInfo::default() };
    let (then, warnings) = paginator.advance(&info(61));
    assert!(matches!(then, NextPage::More));
    assert!(warnings[0].contains("first 60 of 61"));
    let (then, warnings) = paginator.advance(&info(61));
    assert!(warnings.is_empty());
    let NextPage::Fail(error) = then else { panic!("must fail") };
    assert!(error.to_string().contains("first 60 of 61"), "{error}");
    assert_eq!(error.hint(), Some("Split by time."));
    // Exactly as many as can be reached is all of them.
    let (mut paginator, _) = Paginator::new(rule, &mut args(json!({}))).unwrap();
    assert!(matches!(paginator.advance(&info(60)).0, NextPage::More));
    assert!(matches!(paginator.advance(&info(60)).0, NextPage::Done));
}

#[test]
fn no_page_behind_the_largest_index_is_asked_for() {
    for (style, most, index) in [("offset", 60, 60), ("page", 3, 3)] {
        let rule = rule(&format!(
            r#"{{"style":"{style}","index":"i","size":"s","max_size":30,"items":"r","total":"t","max_index":{most}}}"#
        ));
        let mut given = args(json!({}));
        let (mut paginator, _) = Paginator::new(rule, &mut given).unwrap();
        let info = PageInfo { rows: 30, new: 30, total: Some(91), ..PageInfo::default() };
        assert!(paginator.advance(&info).1[0].contains("first 90 of 91"), "{style}");
        assert!(matches!(paginator.advance(&info).0, NextPage::More), "{style}");
        paginator.apply(&mut given).unwrap();
        assert_eq!(given["i"], index, "{style}");
        assert!(failed(paginator.advance(&info).0).contains("first 90 of 91"), "{style}");
    }
}

#[test]
fn a_list_that_shrinks_is_read_from_its_last_page_back() {
    let backward = PAGES.replace('}', r#","key":"id","backward":true}"#);
    let mut given = args(json!({}));
    let (mut paginator, _) = Paginator::new(rule(&backward), &mut given).unwrap();
    let mut asked = Vec::new();
    // 70 rows; one of page 2 leaves before page 2 is read, and the first page comes again.
    for (rows, new, total) in [(30, 30, 70), (10, 10, 70), (29, 29, 69), (30, 0, 69)] {
        asked.push(given["page_no"].as_u64().unwrap());
        let info = PageInfo { rows, new, total: Some(total), ..PageInfo::default() };
        match paginator.advance(&info).0 {
            NextPage::More => paginator.apply(&mut given).unwrap(),
            NextPage::Done => assert_eq!(asked, [1, 3, 2, 1]),
            NextPage::Fail(error) => panic!("{error}"),
        }
    }
    // Without a total nobody knows the last page.
    let (mut paginator, _) = Paginator::new(rule(&backward), &mut args(json!({}))).unwrap();
    let info = |has_next| PageInfo { rows: 30, new: 30, has_next: Some(has_next), ..PageInfo::default() };
    assert!(matches!(paginator.advance(&info(true)).0, NextPage::More));
    assert!(failed(paginator.advance(&info(false)).0).contains("without a total"));
}

#[test]
fn a_cursor_that_stands_still_is_an_error() {
    let rule = rule(r#"{"style":"cursor","index":"start","next":"next","items":"r"}"#);
    let mut given = args(json!({}));
    let (mut paginator, _) = Paginator::new(rule, &mut given).unwrap();
    let info = PageInfo { rows: 5, new: 5, next: Some("abc".into()), ..PageInfo::default() };
    assert!(matches!(paginator.advance(&info).0, NextPage::More));
    paginator.apply(&mut given).unwrap();
    assert_eq!(given["start"], "abc");
    assert!(matches!(paginator.advance(&info).0, NextPage::Fail(_)));
}

#[test]
fn empty_pages_with_more_to_come_are_put_up_with_for_a_while() {
    let rule = rule(r#"{"style":"page","index":"p","items":"r","has_next":"more"}"#);
    let (mut paginator, _) = Paginator::new(rule, &mut args(json!({}))).unwrap();
    let empty = PageInfo { has_next: Some(true), ..PageInfo::default() };
    assert!(matches!(paginator.advance(&empty).0, NextPage::More));
    assert!(matches!(paginator.advance(&empty).0, NextPage::More));
    assert!(matches!(paginator.advance(&empty).0, NextPage::Done));
}
