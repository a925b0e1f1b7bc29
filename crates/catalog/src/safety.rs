//! Which APIs change nothing, judged by their names where the data does not say.
//!
//! The rules are in `data/safety.toml`. The build script reads this file too, so nothing here may use other
//! modules than `record`, nor `sesame_core`.

use serde::{Deserialize, Serialize};

use super::record::Safety;

/// Words of names and what they say. All are lower case.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NameRules {
    /// Verbs that read where they start the last part of a name.
    verbs: Vec<String>,
    /// Of these verbs those that also read in the middle of a name, as a part of their own.
    inner: Vec<String>,
    /// Words that read where they end the last part.
    ends: Vec<String>,
    /// Of these words those that also read where they end the last word.
    endings: Vec<String>,
    /// Parts at the end of a name that say nothing.
    noise: Vec<String>,
    /// Words that take back what a reading word says.
    changes: Vec<String>,
    /// Words that hold one of `changes` and are none.
    harmless: Vec<String>,
    /// What is used up or made when somebody gets it.
    taken: Vec<String>,
}

/// What a name says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It reads.
    Reads,
    /// It may read, but this word says otherwise.
    Doubt(String),
    /// It has no reading word where one counts.
    Writes,
}

impl NameRules {
    /// Judges a name: everything that does not clearly read counts as a write, which is only ever too
    /// careful.
    pub(crate) fn safety(&self, name: &str) -> Safety {
        if self.verdict(name) == Verdict::Reads { Safety::Read } else { Safety::Write }
    }

    /// Judges a name and says why.
    pub(crate) fn verdict(&self, name: &str) -> Verdict {
        let mut parts: Vec<&str> = name.split(['.', '/', ':']).filter(|part| !part.is_empty()).collect();
        while parts.len() > 1 && parts.last().is_some_and(|part| self.is_noise(part)) {
            parts.pop();
        }
        let Some((last, before)) = parts.split_last() else { return Verdict::Writes };
        let words = self.words(last);
        let starts = words.first().is_some_and(|word| self.verbs.contains(word));
        let (verb, place, what) = if starts {
            (words.first().cloned(), before.len(), words.get(1..).unwrap_or_default().to_vec())
        } else if let Some(rest) = words.last().and_then(|word| self.before_end(word)) {
            // What stands before `detail` says whether it is told or asked for: `callback.detail`.
            let said = before.last().map(|part| self.words(part)).unwrap_or_default();
            let what = said.into_iter().chain(words.iter().rev().skip(1).cloned()).chain([rest.to_owned()]);
            (None, before.len(), what.collect())
        } else if let Some(at) = before.iter().rposition(|part| self.inner.contains(&part.to_lowercase())) {
            let after = parts[at + 1..].iter().flat_map(|part| self.words(part)).collect();
            (Some(parts[at].to_lowercase()), at, after)
        } else {
            return Verdict::Writes;
        };
        if let Some(word) = what.iter().find_map(|word| self.changing(word)) {
            return Verdict::Doubt(word.to_owned());
        }
        if verb.is_some_and(|verb| verb.ends_with("get")) {
            let near = parts[place.saturating_sub(2)..place].iter().map(|part| part.to_lowercase());
            for word in near.chain(what) {
                if let Some(taken) = self.taken.iter().find(|taken| word.contains(taken.as_str())) {
                    return Verdict::Doubt(format!("get {taken}"));
                }
            }
        }
        Verdict::Reads
    }

    /// Returns `true` for a version, a date and the like.
    fn is_noise(&self, part: &str) -> bool {
        let part = part.to_lowercase();
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit() || c == b'-');
        digits(&part) || part.strip_prefix('v').is_some_and(digits) || self.noise.contains(&part)
    }

    /// Splits a part of a name into words; a verb that is written together with what follows is one.
    fn words(&self, part: &str) -> Vec<String> {
        let mut words = words(part);
        if let Some(first) = words.first().cloned()
            && !self.harmless.iter().any(|word| first.starts_with(word))
            && let Some(rest) = self.verbs.iter().find_map(|verb| first.strip_prefix(verb.as_str()))
            && !rest.is_empty()
        {
            words[0].truncate(first.len() - rest.len());
            words.insert(1, rest.to_owned());
        }
        words
    }

    /// Returns what stands before a reading word in the last word of a name.
    fn before_end<'w>(&self, word: &'w str) -> Option<&'w str> {
        if self.ends.iter().any(|end| end == word) {
            return Some("");
        }
        self.endings.iter().find_map(|end| word.strip_suffix(end.as_str()))
    }

    /// Returns the changing word that a word is or holds. Short ones are in too many others to count there.
    fn changing(&self, word: &str) -> Option<&str> {
        let mut rest = word.to_owned();
        for harmless in &self.harmless {
            rest = rest.replace(harmless.as_str(), " ");
        }
        let within = |change: &str| {
            rest.split(' ').any(|part| part == change || (change.len() > 3 && part.contains(change)))
        };
        self.changes.iter().map(String::as_str).find(|change| within(change))
    }
}

/// Splits camel case and snake case into words in lower case: `findOrderListQuery`, `get_by_sku`, `getURLInfo`.
pub(crate) fn words(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut before = ' ';
    let mut all = text.chars().peekable();
    while let Some(c) = all.next() {
        let next_is_lower = all.peek().is_some_and(char::is_ascii_lowercase);
        let starts = c.is_ascii_uppercase() && (!before.is_ascii_uppercase() || next_is_lower);
        if c.is_ascii_alphanumeric() {
            match out.last_mut() {
                Some(word) if !starts && before.is_ascii_alphanumeric() => word.push(c.to_ascii_lowercase()),
                _ => out.push(c.to_ascii_lowercase().to_string()),
            }
        }
        before = c;
    }
    out
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fmt::Write as _};

    use super::*;
    use crate::judged::Table;

    fn table() -> Table {
        toml::from_str(include_str!("../data/safety.toml")).expect("the table is understood")
    }

    #[test]
    fn names_are_split_into_words() {
        assert_eq!(words("findOrderListQuery"), ["find", "order", "list", "query"]);
        assert_eq!(words("get_by-sku"), ["get", "by", "sku"]);
        assert_eq!(words("getURLInfo2"), ["get", "url", "info2"]);
        assert!(words("").is_empty());
    }

    #[test]
    fn a_reading_word_counts_where_it_stands_for_what_is_done() {
        let names = table().names;
        for name in [
            "taobao.trades.sold.get",
            "x.getSellerOrderList",
            "/orders/get/v2",
            "alibaba.trade.get.sellerView",
            "x.findaeproductbyid",
            "x.getpostcategorybyid",
            "x.listfreighttemplate",
            "userCategory.get.offerIds",
            "alibaba.logistics.OpQueryLogisticCompanyList",
            "/reverse/getreverseordersforseller",
            "x.search",
            "x.getBrands",
            "x.getlogisticsselleraddresses",
            "x.rfq.recommend",
            "x.item.ranking",
            "x.rptdailylist",
            "x.qrycard",
        ] {
            assert_eq!(names.verdict(name), Verdict::Reads, "{name}");
        }
        for name in [
            "x.getAndLock",
            "x.query.and.confirm",
            "x.token.get",
            "x.getToken",
            "x.coupon.get",
            "x.waybill.ii.get",
            "x.listUpdate",
            "x.get.delete",
            "x.getandlockstock",
            "x.addlist",
            "x.callback.taskdetail",
        ] {
            assert!(matches!(names.verdict(name), Verdict::Doubt(_)), "{name}: {:?}", names.verdict(name));
        }
        for name in
            ["x.pull", "x.getStock.do", "x.update.listing", "x.update", "x.employee.account", "", ".", "x.v2"]
        {
            assert_ne!(names.verdict(name), Verdict::Reads, "{name}");
        }
    }

    /// Every name of the catalog that has a reading word and is taken for a write, with the reason. Look at
    /// each line that changes: what is wrongly a read would be sent again.
    #[test]
    fn writes_with_a_reading_word_are_those_that_were_looked_at() {
        let table = table();
        let mut all = BTreeSet::new();
        for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/data/base")).expect("base") {
            let text = std::fs::read_to_string(file.expect("a file").path()).expect("text");
            for line in text.lines() {
                let record: crate::record::Record = serde_json::from_str(line).expect("a record");
                if record.safety.is_none() {
                    all.insert(record.name);
                }
            }
        }
        let mut list = String::new();
        for name in all.iter().filter(|name| table.of(name) != Safety::Read) {
            let _ = match table.names.verdict(name) {
                Verdict::Reads => writeln!(list, "{name}: an exception in data/safety.toml"),
                Verdict::Doubt(word) => writeln!(list, "{name}: {word}"),
                Verdict::Writes => {
                    let reads = |part: &str| {
                        let words = table.names.words(part);
                        words.iter().any(|word| table.names.verbs.contains(word) || word == "view")
                    };
                    let Some(part) = name.split(['.', '/', ':']).find(|part| reads(part)) else { continue };
                    writeln!(list, "{name}: {part:?} is not what is done")
                }
            };
        }
        insta::assert_snapshot!(list);
        for name in table.exceptions() {
            assert!(
                all.contains(name),
                "data/safety.toml: no API without a safety of its own is named {name}"
            );
        }
    }
}
