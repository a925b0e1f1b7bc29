//! What a reply says of single rows.

use std::borrow::Cow;

use serde_json::value::RawValue;
use sesame_catalog::RowReplies;
use sesame_core::{path, scalar::raw_text};

use super::JobEntry;

/// What a reply tells of single rows.
pub(crate) struct Told<'a> {
    rules: Option<&'a RowReplies>,
    keys: Vec<Reason>,
}

/// What a reply tells of a key.
pub(crate) struct Reason {
    key: String,
    pub(crate) code: Option<String>,
    pub(crate) message: String,
    /// The reply has one reason for all keys.
    is_shared: bool,
}

impl<'a> Told<'a> {
    pub(crate) fn read(payload: Option<&RawValue>, rules: Option<&'a RowReplies>) -> Self {
        let mut keys = Vec::new();
        if let (Some(payload), Some(rules)) = (payload, rules) {
            for item in path::rows(payload, &rules.items).unwrap_or_default() {
                let is =
                    |place: &Option<String>| place.as_deref().and_then(|place| path::boolean(item, place));
                if is(&rules.unless) == Some(true) || is(&rules.when) == Some(false) {
                    continue;
                }
                let text = |of: &RawValue, place: &Option<String>| {
                    let found = path::text(of, place.as_deref()?)?.into_owned();
                    Some(found).filter(|text| !text.is_empty())
                };
                let reason = |of: &RawValue| (text(of, &rules.code), text(of, &rules.message));
                let own = reason(item);
                let is_shared = own == (None, None);
                let (code, message) = if is_shared { reason(payload) } else { own };
                if code.as_deref() == Some("0") {
                    continue;
                }
                let message = message.unwrap_or_else(|| "the platform gave no reason".to_owned());
                let all = path::rows(item, &rules.key).unwrap_or_default();
                let scalars = all.into_iter().filter_map(raw_text);
                let mut found: Vec<String> = scalars.map(Cow::into_owned).collect();
                if found.is_empty() {
                    found.extend(path::text(item, &rules.key).map(Cow::into_owned));
                }
                let of = |key| Reason { key, code: code.clone(), message: message.clone(), is_shared };
                keys.extend(found.into_iter().map(of));
            }
        }
        Self { rules, keys }
    }

    fn key<'e>(&self, entry: &'e JobEntry) -> Option<&'e str> {
        let state = entry.state()?;
        match self.rules?.field.as_str() {
            "sku" => state.sku.as_deref(),
            "sku_id" => state.sku_id.as_deref(),
            _ => Some(&state.product),
        }
    }

    /// Returns `true` if no row is told of.
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub(super) fn of(&self, entry: &JobEntry) -> Option<&Reason> {
        self.find(self.key(entry)?)
    }

    /// Returns what is told of a key.
    pub(crate) fn find(&self, key: &str) -> Option<&Reason> {
        self.keys.iter().find(|reason| reason.key == key)
    }

    /// Returns `true` if a reason belongs to exactly one row: no other row of the call has the key, and no
    /// other key has the reason.
    pub(super) fn is_of_one<'e>(&self, reason: &Reason, rows: impl Iterator<Item = &'e JobEntry>) -> bool {
        let is_own = !reason.is_shared || self.keys.iter().all(|other| other.key == reason.key);
        let mine = |entry: &&JobEntry| self.key(entry) == Some(&*reason.key);
        is_own && rows.filter(mine).count() == 1
    }
}

#[cfg(test)]
mod tests {
    use sesame_catalog::Catalog;

    use super::{super::journal, *};

    fn entry(product: &str, sku: &str) -> JobEntry {
        let mut entry = journal::entry(sku, 5);
        product.clone_into(&mut entry.before[0].product);
        entry
    }

    /// What is told of SKUs of the products 7, 7 and 8, and whether it is told of that one alone.
    fn told(platform: &str, payload: &str) -> Vec<Option<(Option<String>, String, bool)>> {
        let action = Catalog::builtin().action(platform, "stock-set").unwrap();
        let told = Told::read(serde_json::from_str(payload).ok(), action.failed.as_ref());
        let rows = [entry("7", "A"), entry("7", "B"), entry("8", "C")];
        let of = |row| {
            let reason = told.of(row)?;
            Some((reason.code.clone(), reason.message.clone(), told.is_of_one(reason, rows.iter())))
        };
        rows.iter().map(of).collect()
    }

    #[test]
    fn a_reason_is_of_one_row_only_if_nothing_else_may_be_meant() {
        let is = |code: &str, message: &str, one| Some((Some(code.to_owned()), message.to_owned(), one));
        // The reply names products, and has one reason for all of them.
        let shared = r#""update_error_code":"F1","update_error_message":"7 is locked""#;
        let one = format!(r#"{{"update_failed_list":[{{"product_id":8}}],{shared}}}"#);
        assert_eq!(told("aliexpress", &one), [None, None, is("F1", "7 is locked", true)]);
        let two = format!(r#"{{"update_failed_list":[{{"product_id":7}},{{"product_id":8}}],{shared}}}"#);
        let each = is("F1", "7 is locked", false);
        assert_eq!(told("aliexpress", &two), [each.clone(), each.clone(), each]);
        // Some replies have a reason for each product.
        let own = format!(
            r#"{{"update_failed_list":[{{"product_id":7}},{{"product_id":8,"error_code":"F2","error_message":"gone"}}],{shared}}}"#
        );
        let shared = is("F1", "7 is locked", false);
        assert_eq!(told("aliexpress", &own), [shared.clone(), shared, is("F2", "gone", true)]);
        let result = r#"{"result":[{"productId":7,"result":false,"code":"E","desc":"no"},{"productId":8,"result":true}]}"#;
        let each = is("E", "no", false);
        assert_eq!(told("1688", result), [each.clone(), each, None]);
    }
}
