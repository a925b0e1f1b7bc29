//! Bookmarks: where a list was left, and what was seen of it.

use std::collections::HashSet;

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD as BASE64};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::value::RawValue;
use sesame_core::{Error, Result, path};

use super::position::Position;

/// The version of the form of bookmarks.
const VERSION: u32 = 1;

/// Where a list was left: the account, what was asked for, the position, and which rows were seen.
///
/// Serializes to JSON, with eight bytes for each row, and as many for each of the window that is being read. [`Progress`] is what is new since a page: a long list
/// is recorded by writing the bookmark of its beginning and appending the progress of each page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bookmark {
    version: u32,
    pub(crate) account: String,
    pub(crate) list: String,
    pub(crate) status: Option<String>,
    pub(crate) since: Option<Timestamp>,
    pub(crate) until: Option<Timestamp>,
    pub(crate) position: Position,
    pub(crate) seen: Ids,
    /// The rows of the window that is being read: its end is known by their number.
    #[serde(default, skip_serializing_if = "Ids::is_empty")]
    pub(crate) window: Ids,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mark: Option<String>,
}

/// What a page adds to a bookmark.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    pub(crate) position: Position,
    pub(crate) seen: Ids,
    /// What is added to the rows of the window.
    #[serde(default, skip_serializing_if = "Ids::is_empty")]
    pub(crate) window: Ids,
    /// Whether it is another window than before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_new_window: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mark: Option<String>,
}

impl Progress {
    /// Adds a note of the caller, e.g. how much was written to a file: [`Bookmark::mark`] has the last one.
    #[must_use]
    pub fn with_mark(mut self, mark: Option<String>) -> Self {
        self.mark = mark;
        self
    }
}

/// Rows by what tells them apart, in the order in which they came. JSON has them in base64.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ids(pub(crate) Vec<u64>);

impl Ids {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Ids {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let bytes: Vec<u8> = self.0.iter().flat_map(|id| id.to_le_bytes()).collect();
        serializer.serialize_str(&BASE64.encode(bytes))
    }
}

impl<'de> Deserialize<'de> for Ids {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = BASE64.decode(text).map_err(D::Error::custom)?;
        let (ids, rest) = bytes.as_chunks::<8>();
        if !rest.is_empty() {
            return Err(D::Error::custom("the rows that were seen are cut off"));
        }
        Ok(Self(ids.iter().map(|id| u64::from_le_bytes(*id)).collect()))
    }
}

/// What a list is, apart from how far it was read.
pub(crate) struct List<'a> {
    pub(crate) account: &'a str,
    pub(crate) name: &'a str,
    pub(crate) status: Option<&'a str>,
    pub(crate) since: Option<Timestamp>,
    pub(crate) until: Option<Timestamp>,
}

impl Bookmark {
    pub(crate) fn new(list: &List<'_>, position: Position, seen: Ids, window: Ids) -> Self {
        Self {
            version: VERSION,
            account: list.account.to_owned(),
            list: list.name.to_owned(),
            status: list.status.map(str::to_owned),
            since: list.since,
            until: list.until,
            position,
            seen,
            window,
            mark: None,
        }
    }

    /// Adds what a page brought.
    pub fn extend(&mut self, progress: Progress) {
        self.position = progress.position;
        self.seen.0.extend(progress.seen.0);
        if progress.is_new_window {
            self.window.0.clear();
        }
        self.window.0.extend(progress.window.0);
        self.mark = progress.mark;
    }

    /// Adds a note of the caller, as [`Progress::with_mark`] does.
    #[must_use]
    pub fn with_mark(mut self, mark: Option<String>) -> Self {
        self.mark = mark;
        self
    }

    /// Returns the note that came with the last page.
    pub fn mark(&self) -> Option<&str> {
        self.mark.as_deref()
    }

    /// Returns the number of rows that were read.
    pub fn count(&self) -> u64 {
        self.seen.0.len() as u64
    }

    /// Checks that it belongs to this list. Its own span of time holds, so `2h ago` may be said again.
    pub(crate) fn check(&self, list: &List<'_>) -> Result<()> {
        let wrong = |what: &str, own: &str, other: &str| {
            Err(Error::usage(format!("the bookmark is of {what} {own:?}, not of {other:?}"))
                .with_hint("Go on with the options that the list was begun with, or use another bookmark."))
        };
        if self.version != VERSION {
            return Err(Error::usage(format!(
                "the bookmark has version {}, and this program knows {VERSION}",
                self.version
            )));
        }
        if self.account != list.account {
            return wrong("the account", &self.account, list.account);
        }
        if self.list != list.name {
            return wrong("the list", &self.list, list.name);
        }
        if self.status.as_deref() != list.status {
            return wrong(
                "the status",
                self.status.as_deref().unwrap_or("all"),
                list.status.unwrap_or("all"),
            );
        }
        Ok(())
    }
}

/// The rows that were seen, by eight bytes each. In several sets, since one that grows is in memory twice.
#[derive(Debug, Default)]
pub(crate) struct SeenRows([HashSet<u64>; 10]);

impl SeenRows {
    pub(crate) fn new(ids: &Ids) -> Self {
        let mut seen = Self::default();
        for id in &ids.0 {
            seen.insert(*id);
        }
        seen
    }

    /// Returns `true` for a row that no one had seen.
    pub(crate) fn insert(&mut self, id: u64) -> bool {
        // Ids are often all even, or end alike: the upper half of a product is not.
        let mixed = id.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        let at = usize::try_from(mixed).unwrap_or_default() % self.0.len();
        self.0[at].insert(id)
    }

    pub(crate) fn ids(&self) -> Ids {
        Ids(self.0.iter().flatten().copied().collect())
    }
}

/// Tells rows apart: by the number that their id is, else by a hash of it. Of 1,000,000 ids that are no
/// numbers two look the same once in 36,000,000 lists. The hash is the same in every run, for bookmarks.
pub(crate) fn id_of(row: &RawValue, key: Option<&str>) -> u64 {
    let text = key.and_then(|key| path::text(row, key)).filter(|text| !text.is_empty());
    if let Some(number) = text.as_deref().and_then(|text| text.parse::<u64>().ok())
        && number >> 63 == 0
    {
        return number;
    }
    let bytes = text.as_deref().unwrap_or_else(|| row.get()).bytes();
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash | 1 << 63
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(row: &str, key: Option<&str>) -> u64 {
        id_of(&RawValue::from_string(row.to_owned()).unwrap(), key)
    }

    #[test]
    fn rows_are_told_apart_by_their_id_however_it_is_written() {
        assert_eq!(id(r#"{"id":20261130000000001}"#, Some("id")), 20_261_130_000_000_001);
        assert_eq!(id(r#"{"id":"7"}"#, Some("id")), id(r#"{"id":7}"#, Some("id")));
        assert_ne!(id(r#"{"id":"a"}"#, Some("id")), id(r#"{"id":"b"}"#, Some("id")));
        assert_ne!(id(r#"{"x":1}"#, Some("id")), id(r#"{"x":2}"#, Some("id")), "rows without an id");
        assert_ne!(id(r#"{"id":"18446744073709551615"}"#, Some("id")), u64::MAX, "numbers have no first bit");
    }

    #[test]
    fn ids_survive_json() {
        let ids = Ids(vec![1, u64::MAX, 20_261_130_000_000_001]);
        let text = serde_json::to_string(&ids).unwrap();
        assert_eq!(serde_json::from_str::<Ids>(&text).unwrap(), ids);
        assert!(serde_json::from_str::<Ids>("\"AAAA\"").is_err());
    }
}
