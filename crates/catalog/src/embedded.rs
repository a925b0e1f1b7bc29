//! The built-in data, as the build script left it: looked up by binary search, read one entry at a time.

use sesame_core::{Error, ErrorKind, Result};

use crate::{
    packed::{self, Lookup},
    record::{Record, Safety},
    search::Known,
};

static ENTRIES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/entries.bin"));
static TEXTS: &str = include_str!(concat!(env!("OUT_DIR"), "/texts.txt"));
static TABLES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/tables.bin"));
/// For each API how often it is called (255 the most), and how many things its name and its title speak of.
static USES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/uses.bin"));
/// `platforms.toml` and the error tables, as JSON.
pub(crate) static PLATFORMS: &str = include_str!(concat!(env!("OUT_DIR"), "/platforms.json"));

/// The built-in data and where its parts are. `TABLES` holds numbers of 32 bit, little endian; how many
/// of each kind come first. `build/tables.rs` writes them.
pub(crate) struct Tables {
    entries: &'static [u8],
    texts: &'static str,
    bytes: &'static [u8],
    shapes: usize,
    catalogs: usize,
    rows: usize,
    keys: usize,
    /// Where each part starts, in numbers.
    at: Parts,
}

struct Parts {
    texts: usize,
    shapes: usize,
    shape_keys: usize,
    catalogs: usize,
    rows: usize,
    keys: usize,
}

/// What a key is, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum KeyKind {
    /// The API's own name.
    Name,
    /// Another name of it.
    Alias,
}

/// Where error codes stand in the index, among the catalogs.
const CODES: usize = 0xff;

/// The number of an API in the built-in data.
pub(crate) type Entry = usize;

/// One line about an API, taken without reading the API.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Summary {
    /// The canonical name.
    pub(crate) name: &'static str,
    /// Whether it may be repeated.
    pub(crate) safety: Safety,
    /// Whether that was derived.
    pub(crate) derived: bool,
    /// The group.
    pub(crate) group: &'static str,
    /// The title.
    pub(crate) title: &'static str,
    /// The title in Chinese.
    pub(crate) title_zh: &'static str,
    /// Whether that is made of the words of the name.
    pub(crate) title_derived: bool,
    /// Whether it needs an access token.
    pub(crate) auth: Option<bool>,
    /// Whether its documents list error codes.
    pub(crate) has_errors: bool,
    /// The number of its catalog.
    pub(crate) catalog: usize,
}

impl Lookup for Tables {
    fn text(&self, number: usize) -> Option<&'static str> {
        let at = self.at.texts + number;
        // The last offset is the end of all texts.
        if at + 1 >= self.at.shapes {
            return None;
        }
        self.texts.get(self.number(at)..self.number(at + 1))
    }

    fn keys(&self, shape: usize) -> Option<impl Iterator<Item = usize>> {
        if shape >= self.shapes {
            return None;
        }
        let [from, to] = std::array::from_fn(|next| self.number(self.at.shapes + shape + next));
        Some((from..to).map(|nth| self.number(self.at.shape_keys + nth)))
    }
}

impl Tables {
    /// The data of this build.
    pub(crate) fn builtin() -> Self {
        Self::new(ENTRIES, TEXTS, TABLES)
    }

    fn new(entries: &'static [u8], texts: &'static str, bytes: &'static [u8]) -> Self {
        let [text_count, shapes, shape_keys, catalogs, rows, keys] =
            std::array::from_fn(|nth| number(bytes, nth));
        let mut next = 6_usize;
        let mut part = |numbers: usize| {
            let at = next;
            next = at.saturating_add(numbers);
            at
        };
        let at = Parts {
            texts: part(text_count.saturating_add(1)),
            shapes: part(shapes.saturating_add(1)),
            shape_keys: part(shape_keys),
            catalogs: part(catalogs.saturating_mul(3)),
            rows: part(rows.saturating_mul(6)),
            keys: part(keys.saturating_mul(3)),
        };
        Self { entries, texts, bytes, shapes, catalogs, rows, keys, at }
    }

    fn number(&self, at: usize) -> usize {
        number(self.bytes, at)
    }

    /// Returns the name of a catalog.
    pub(crate) fn name_of(&self, catalog: usize) -> &'static str {
        self.text(self.number(self.at.catalogs + catalog * 3)).unwrap_or_default()
    }

    fn row(&self, entry: Entry) -> [usize; 6] {
        std::array::from_fn(|column| self.number(self.at.rows + entry * 6 + column))
    }

    /// Returns catalog, key, kind and entry of the nth key.
    fn key(&self, nth: usize) -> (usize, &'static str, KeyKind, Entry) {
        let [place, text, entry] = std::array::from_fn(|column| self.number(self.at.keys + nth * 3 + column));
        let kind = if place.trailing_zeros() >= 8 { KeyKind::Name } else { KeyKind::Alias };
        (place >> 8, self.text(text).unwrap_or_default(), kind, entry)
    }

    /// Returns the number of a catalog and the entries it holds.
    pub(crate) fn catalog(&self, name: &str) -> Option<(usize, std::ops::Range<Entry>)> {
        let found = (0..self.catalogs).find(|catalog| self.name_of(*catalog) == name)?;
        let [first, count] =
            std::array::from_fn(|column| self.number(self.at.catalogs + found * 3 + 1 + column));
        Some((found, first..first + count))
    }

    /// Returns the entries that stand under a key, best kind first.
    pub(crate) fn find(&self, catalog: usize, key: &str) -> impl Iterator<Item = (KeyKind, Entry)> + '_ {
        let (mut low, mut high) = (0, self.keys);
        while low < high {
            let middle = usize::midpoint(low, high);
            let (place, found, ..) = self.key(middle);
            if (place, found) < (catalog, key) { low = middle + 1 } else { high = middle }
        }
        let key = key.to_owned();
        (low..self.keys)
            .map(|nth| self.key(nth))
            .take_while(move |(place, found, ..)| *place == catalog && *found == key)
            .map(|(_, _, kind, entry)| (kind, entry))
    }

    /// Returns the summary of an API.
    pub(crate) fn summary(&self, entry: Entry) -> Summary {
        let [_, name, group, title, title_zh, facts] = self.row(entry);
        let text = |number| self.text(number).unwrap_or_default();
        let is = |bit: usize| facts & (1 << bit) != 0;
        Summary {
            name: text(name),
            group: text(group),
            title: text(title),
            title_zh: text(title_zh),
            safety: match (is(8), is(9)) {
                (true, _) => Safety::Read,
                (_, true) => Safety::Idempotent,
                _ => Safety::Write,
            },
            derived: is(10),
            title_derived: is(11),
            auth: is(12).then(|| is(13)),
            has_errors: is(14),
            catalog: facts & 0xff,
        }
    }

    /// Returns what a search needs to know of an API besides its words.
    pub(crate) fn known(&self, entry: Entry) -> Known {
        let counts = USES.chunks_exact(3).nth(entry).unwrap_or_default();
        let count = |nth: usize| counts.get(nth).copied().unwrap_or_default();
        Known {
            used: f32::from(count(0)) / 255.0,
            safety: self.summary(entry).safety,
            things: [count(1), count(2)],
        }
    }

    /// Lists the entries whose documents list an error code.
    pub(crate) fn with_code(&self, code: &str) -> Vec<Entry> {
        self.find(CODES, &code.to_lowercase()).map(|(_, entry)| entry).collect()
    }

    /// Lists the entries whose documents list error codes.
    pub(crate) fn all_with_errors(&self) -> impl Iterator<Item = Entry> + '_ {
        (0..self.rows).filter(|entry| self.summary(*entry).has_errors)
    }

    /// Returns a text that another catalog does not have.
    pub(crate) fn stamp(&self) -> String {
        let parts = [self.entries.len(), self.texts.len(), self.bytes.len(), self.rows, self.keys];
        format!("{} {parts:?}", env!("CARGO_PKG_VERSION"))
    }

    /// Returns the name of the catalog that an entry is of.
    pub(crate) fn catalog_of(&self, entry: Entry) -> &'static str {
        self.name_of(self.summary(entry).catalog)
    }

    /// Reads one API.
    pub(crate) fn record(&self, entry: Entry) -> Result<Record> {
        let bytes = self.entries.get(self.row(entry)[0]..).unwrap_or_default();
        packed::read(self, bytes).map_err(|error| {
            Error::new(ErrorKind::Local, format!("the built-in catalog is damaged at entry {entry}: {error}"))
                .with_hint("This build of Sesame is broken; install it again.")
        })
    }
}

/// Reads a number; 0 beyond the end, which leads to an empty catalog instead of a panic.
fn number(bytes: &[u8], at: usize) -> usize {
    let four = at.checked_mul(4).and_then(|at| bytes.get(at..at.checked_add(4)?));
    let number = four.and_then(|four| four.try_into().ok()).map_or(0, u32::from_le_bytes);
    usize::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The built-in data with every entry spoilt but one.
    fn spoilt(whole: Entry) -> Tables {
        let good = Tables::builtin();
        let (from, to) = (good.row(whole)[0], good.row(whole + 1)[0]);
        let entries: Vec<u8> = ENTRIES
            .iter()
            .enumerate()
            .map(|(at, byte)| if (from..to).contains(&at) { *byte } else { 0xff })
            .collect();
        Tables::new(entries.leak(), TEXTS, TABLES)
    }

    #[test]
    fn a_lookup_reads_one_entry_and_none_of_its_neighbors() {
        let good = Tables::builtin();
        let (lazada, entries) = good.catalog("lazada").expect("there");
        let (_, entry) = good.find(lazada, "orders/get").next().expect("there");
        assert!(entries.contains(&entry) && entry > entries.start && entry + 1 < entries.end);
        let tables = spoilt(entry);
        assert_eq!(tables.record(entry).expect("whole").name, "/orders/get");
        let error = tables.record(entry + 1).expect_err("spoilt");
        assert_eq!(error.kind(), ErrorKind::Local);
        assert!(error.hint().is_some());
        // Lists and searches read names, not entries.
        assert_eq!(tables.summary(entry + 1).name, good.summary(entry + 1).name);
    }

    #[test]
    fn every_key_is_found_where_it_was_put() {
        let tables = Tables::builtin();
        let mut last = None;
        for nth in 0..tables.keys {
            let (catalog, key, _, entry) = tables.key(nth);
            assert!(last <= Some((catalog, key)), "{key} is out of order");
            last = Some((catalog, key));
            assert!(tables.find(catalog, key).any(|(_, found)| found == entry), "{key}");
        }
        assert!(tables.keys > 6_500);
        assert!(
            tables.find(0, "no/such/key").next().is_none() && tables.find(200, "orders/get").next().is_none()
        );
    }

    #[test]
    fn tables_that_were_cut_give_nothing_and_do_not_panic() {
        for length in [0, 1, 11, 12, 20, 24, 200, TABLES.len() / 2] {
            let tables = Tables::new(ENTRIES, TEXTS, &TABLES[..length]);
            let _ = tables.catalog("lazada");
            let _ = tables.find(0, "orders/get").next();
            let _ = tables.record(7);
        }
    }
}
