//! Pagination state machine. Pure: no call is made here.

use serde_json::{Map, Value};
use sesame_catalog::{Paging, PagingStyle};
use sesame_core::{Error, ErrorKind, Result, Retry, path, scalar};

/// Maximum number of pages of a list.
const MAX_PAGES: u64 = 100_000;
/// Maximum number of consecutive empty pages before the list ends, while the platform says that more follows.
const MAX_EMPTY_PAGES: u32 = 3;

/// The position in the pages of one list.
#[derive(Debug)]
pub(super) struct Paginator {
    rule: Paging,
    /// The rows asked for, where that is known.
    size: Option<u64>,
    /// Page number or offset of the page that was asked for last.
    index: u64,
    /// Where the run began.
    began: u64,
    cursor: Option<String>,
    /// Rows before the first page of this run; known with the first page.
    skipped: Option<u64>,
    rows: u64,
    pages: u64,
    empty: u32,
    said_unreachable: bool,
}

/// What a page says about the list.
#[derive(Debug, Clone, Default)]
pub(super) struct PageInfo {
    pub(super) rows: u64,
    pub(super) total: Option<u64>,
    pub(super) total_pages: Option<u64>,
    pub(super) has_next: Option<bool>,
    pub(super) next: Option<String>,
}

/// What comes after a page.
#[derive(Debug)]
pub(super) enum NextPage {
    More,
    Done,
    Fail(Error),
}

impl Paginator {
    /// Begins where the arguments say, else with the first page, and asks for the largest pages
    /// unless the arguments say otherwise. Returns warnings.
    pub(super) fn new(rule: Paging, args: &mut Map<String, Value>) -> Result<(Self, Vec<String>)> {
        let mut warnings = Vec::new();
        let mut size = rule.fixed_size;
        if let (None, Some(name)) = (rule.fixed_size, &rule.size) {
            let wished = match path::argument(args, name) {
                None => None,
                Some(value) => Some(whole(name, &value, 1)?),
            };
            size = match (wished, rule.max_size) {
                (Some(wished), Some(most)) if wished > most => {
                    warnings.push(format!("{name} is {wished}, and the platform gives at most {most} rows a page; {most} are asked for"));
                    Some(most)
                }
                (Some(wished), _) => Some(wished),
                (None, most) => most,
            };
            if let Some(size) = size {
                path::set(args, name, size.into())?;
            }
        }
        let given = path::argument(args, &rule.index);
        let first = rule.first.unwrap_or(u64::from(rule.style == PagingStyle::Page));
        let (index, cursor) = match (rule.style, given) {
            (PagingStyle::Cursor, given) => (0, given.as_ref().and_then(scalar::text)),
            (_, Some(given)) => (whole(&rule.index, &given, 0)?, None),
            (_, None) => (first, None),
        };
        if rule.style != PagingStyle::Cursor {
            path::set(args, &rule.index, index.into())?;
        }
        let paginator = Self {
            size,
            index,
            began: index,
            cursor,
            skipped: None,
            rows: 0,
            pages: 0,
            empty: 0,
            said_unreachable: false,
            rule,
        };
        Ok((paginator, warnings))
    }

    pub(super) fn rule(&self) -> &Paging {
        &self.rule
    }

    /// The number of the page that is being read, from 1.
    pub(super) fn number(&self) -> u64 {
        self.pages + 1
    }

    /// Rows before the next page, counted from the start of the list.
    pub(super) fn position(&self) -> u64 {
        self.skipped.unwrap_or_default() + self.rows
    }

    /// Decides what comes after a page, with a warning that belongs to that page.
    pub(super) fn advance(&mut self, info: &PageInfo) -> (NextPage, Option<String>) {
        let first = self.rule.first.unwrap_or(u64::from(self.rule.style == PagingStyle::Page));
        self.skipped.get_or_insert_with(|| match self.rule.style {
            PagingStyle::Page => self.began.saturating_sub(first) * self.size.unwrap_or(info.rows),
            PagingStyle::Offset => self.began,
            PagingStyle::Cursor => 0,
        });
        self.pages += 1;
        self.rows += info.rows;
        self.empty = if info.rows == 0 { self.empty + 1 } else { 0 };
        let position = self.position();
        let all = info.total.is_some_and(|total| position >= total)
            || (self.rule.style == PagingStyle::Page
                && info.total_pages.is_some_and(|pages| self.index.saturating_sub(first) + 1 >= pages));
        let warning = self.warn_unreachable(info);

        if all || info.has_next == Some(false) {
            return (NextPage::Done, warning);
        }
        if let Some(reachable) = self.rule.reachable.filter(|reachable| position >= *reachable) {
            return match info.total {
                Some(total) => (NextPage::Fail(self.unreachable(reachable, Some(total))), warning),
                None if info.rows == 0 => (NextPage::Done, warning),
                None => (NextPage::Fail(self.unreachable(reachable, None)), warning),
            };
        }
        if self.pages >= MAX_PAGES {
            let error =
                Error::new(ErrorKind::Envelope, format!("the list has not ended after {MAX_PAGES} pages"))
                    .with_retry(Retry::Never);
            return (
                NextPage::Fail(error.with_hint("Narrow the list down, e.g. by a time window.")),
                warning,
            );
        }
        if info.rows == 0 && (info.has_next != Some(true) || self.empty >= MAX_EMPTY_PAGES) {
            let short = info.total.filter(|total| *total > position).map(|total| {
                format!("the platform tells of {total} rows and gave {position}; rows were taken away meanwhile, or it does not show all of them")
            });
            return (NextPage::Done, short.or(warning));
        }
        match self.rule.style {
            PagingStyle::Page => self.index += 1,
            // By what came, not by what was asked for: the platform may have cut the page.
            PagingStyle::Offset => {
                self.index += info.rows.max(u64::from(info.rows == 0) * self.size.unwrap_or(1));
            }
            PagingStyle::Cursor => {
                let next = info
                    .next
                    .as_deref()
                    .map(str::trim)
                    .filter(|next| !next.is_empty() && *next != "0" && *next != "null");
                match next {
                    None => return (NextPage::Done, warning),
                    Some(next) if self.cursor.as_deref() == Some(next) => {
                        return (NextPage::Fail(self.repeated()), warning);
                    }
                    Some(next) => self.cursor = Some(next.to_owned()),
                }
            }
        }
        (NextPage::More, warning)
    }

    /// Puts the next page into the arguments.
    pub(super) fn apply(&self, args: &mut Map<String, Value>) -> Result<()> {
        let value = match (&self.rule.style, &self.cursor) {
            (PagingStyle::Cursor, Some(cursor)) => Value::String(cursor.clone()),
            (PagingStyle::Cursor, None) => return Ok(()),
            _ => self.index.into(),
        };
        path::set(args, &self.rule.index, value)
    }

    /// The error of a page that came a second time.
    pub(super) fn repeated(&self) -> Error {
        let asked = match (&self.rule.style, &self.cursor) {
            // The cursor itself is the platform's, and may be anything.
            (PagingStyle::Cursor, Some(_)) => format!("the next {}", self.rule.index),
            (PagingStyle::Cursor, None) => format!("the first {}", self.rule.index),
            _ => format!("{}={}", self.rule.index, self.index),
        };
        Error::new(ErrorKind::Envelope, format!("page {} ({asked}) is the same as an earlier page; reading on would never end", self.number()))
            .with_retry(Retry::Never)
            .with_hint("The platform does not understand how the next page is asked for. Check `index` in the paging of this API (sesame apis show), and report it if the catalog is wrong.")
    }

    fn unreachable(&self, reachable: u64, total: Option<u64>) -> Error {
        let of = total.map_or_else(String::new, |total| format!(" of {total}"));
        let advice = self
            .rule
            .advice
            .as_deref()
            .unwrap_or("Split the list by a filter, e.g. a time window, and read it in parts.");
        Error::new(
            ErrorKind::Business,
            format!("only the first {reachable}{of} rows can be reached; the rest was not read"),
        )
        .with_retry(Retry::Never)
        .with_hint(advice.to_owned())
    }

    /// Says at the start, and not only at the end, that not all rows will come.
    fn warn_unreachable(&mut self, info: &PageInfo) -> Option<String> {
        let (reachable, total) = (self.rule.reachable?, info.total?);
        if total <= reachable || std::mem::replace(&mut self.said_unreachable, true) {
            return None;
        }
        let error = self.unreachable(reachable, Some(total));
        Some(format!(
            "{}. {}",
            error.message().replace("; the rest was not read", ""),
            error.hint().unwrap_or_default()
        ))
    }
}

fn whole(name: &str, value: &Value, least: u64) -> Result<u64> {
    scalar::integer(value)
        .and_then(|number| u64::try_from(number).ok())
        .filter(|number| *number >= least)
        .ok_or_else(|| Error::usage(format!("{name} must be an integer of at least {least}, not {value}")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn rule(text: &str) -> Paging {
        serde_json::from_str(text).unwrap()
    }

    fn args(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(map) => map,
            other => panic!("{other} is no object"),
        }
    }

    const PAGES: &str = r#"{"style":"page","index":"page_no","size":"page_size","max_size":30,"items":"rows","total":"total"}"#;

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
        let info = |rows| PageInfo { rows, total: Some(60), ..PageInfo::default() };
        assert!(matches!(paginator.advance(&info(7)).0, NextPage::More));
        assert!(matches!(paginator.advance(&info(53)).0, NextPage::Done));
    }

    #[test]
    fn a_start_in_the_middle_counts_the_rows_before_it() {
        let (mut paginator, _) =
            Paginator::new(rule(PAGES), &mut args(json!({"page_no": 3, "page_size": 10}))).unwrap();
        let info = |rows| PageInfo { rows, total: Some(25), ..PageInfo::default() };
        assert!(matches!(paginator.advance(&info(5)).0, NextPage::Done));
    }

    #[test]
    fn rows_that_never_come_are_said() {
        let (mut paginator, _) = Paginator::new(rule(PAGES), &mut args(json!({}))).unwrap();
        let info = |rows| PageInfo { rows, total: Some(100), ..PageInfo::default() };
        assert!(matches!(paginator.advance(&info(30)).0, NextPage::More));
        let (then, warning) = paginator.advance(&info(0));
        assert!(matches!(then, NextPage::Done));
        assert!(warning.unwrap().contains("100 rows and gave 30"));
    }

    #[test]
    fn what_cannot_be_reached_is_an_error_and_not_silence() {
        let rule = rule(
            r#"{"style":"page","index":"p","size":"s","max_size":30,"items":"r","total":"t","reachable":60,"advice":"Split by time."}"#,
        );
        let (mut paginator, _) = Paginator::new(rule.clone(), &mut args(json!({}))).unwrap();
        let info = |total| PageInfo { rows: 30, total: Some(total), ..PageInfo::default() };
        let (then, warning) = paginator.advance(&info(61));
        assert!(matches!(then, NextPage::More));
        assert!(warning.unwrap().contains("first 60 of 61"));
        let (then, warning) = paginator.advance(&info(61));
        assert!(warning.is_none());
        let NextPage::Fail(error) = then else { panic!("must fail") };
        assert!(error.to_string().contains("first 60 of 61"), "{error}");
        assert_eq!(error.hint(), Some("Split by time."));
        // Exactly as many as can be reached is all of them.
        let (mut paginator, _) = Paginator::new(rule, &mut args(json!({}))).unwrap();
        assert!(matches!(paginator.advance(&info(60)).0, NextPage::More));
        assert!(matches!(paginator.advance(&info(60)).0, NextPage::Done));
    }

    #[test]
    fn a_cursor_that_stands_still_is_an_error() {
        let rule = rule(r#"{"style":"cursor","index":"start","next":"next","items":"r"}"#);
        let mut given = args(json!({}));
        let (mut paginator, _) = Paginator::new(rule, &mut given).unwrap();
        let info = PageInfo { rows: 5, next: Some("abc".into()), ..PageInfo::default() };
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
}
