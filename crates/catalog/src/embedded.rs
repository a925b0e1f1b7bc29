//! The built-in data, as the build script left it: looked up by binary search, parsed one entry at
//! a time.

use sesame_core::{Error, ErrorKind, Result};

use crate::record::{Record, Safety};

static ENTRIES: &str = include_str!(concat!(env!("OUT_DIR"), "/entries.jsonl"));
static STRINGS: &str = include_str!(concat!(env!("OUT_DIR"), "/strings.txt"));
static TABLES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/tables.bin"));
/// How often each API is called: 255 the most.
static USES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/uses.bin"));
/// `platforms.toml` and the error tables, as JSON.
pub(crate) static PLATFORMS: &str = include_str!(concat!(env!("OUT_DIR"), "/platforms.json"));

/// Where the parts of `TABLES` are. Numbers are 32 bit, little endian.
pub(crate) struct Tables {
    entries: &'static str,
    strings: &'static str,
    bytes: &'static [u8],
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
    /// Its title in the documents, where only one API has it.
    Title,
}

/// The number of an API in the built-in data.
pub(crate) type Entry = usize;

/// One line about an API, taken without parsing the API.
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
}

impl Tables {
    /// The data of this build.
    pub(crate) fn builtin() -> Self {
        Self::new(ENTRIES, STRINGS, TABLES)
    }

    fn new(entries: &'static str, strings: &'static str, bytes: &'static [u8]) -> Self {
        let number = |at: usize| read(bytes, at * 4);
        Self { entries, strings, bytes, catalogs: number(0), rows: number(1), keys: number(2) }
    }

    fn row(&self, entry: Entry) -> [usize; 5] {
        let at = 12 + self.catalogs * 16 + entry * 20;
        std::array::from_fn(|column| read(self.bytes, at + column * 4))
    }

    /// Returns catalog, key, kind and entry of the nth key.
    fn key(&self, nth: usize) -> (usize, &'static str, usize, Entry) {
        let at = 12 + self.catalogs * 16 + self.rows * 20 + nth * 16;
        let [from, length, place, entry] = std::array::from_fn(|column| read(self.bytes, at + column * 4));
        (place >> 8, slice(self.strings, from, length), place & 0xff, entry)
    }

    /// Returns the number of a catalog and the entries it holds.
    pub(crate) fn catalog(&self, name: &str) -> Option<(usize, std::ops::Range<Entry>)> {
        (0..self.catalogs).find_map(|number| {
            let at = 12 + number * 16;
            let [from, length, first, count] =
                std::array::from_fn(|column| read(self.bytes, at + column * 4));
            (slice(self.strings, from, length) == name).then_some((number, first..first + count))
        })
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
            .map(|(_, _, kind, entry)| {
                let kind = match kind {
                    0 => KeyKind::Name,
                    1 => KeyKind::Alias,
                    _ => KeyKind::Title,
                };
                (kind, entry)
            })
    }

    /// Returns the summary of an API.
    pub(crate) fn summary(&self, entry: Entry) -> Summary {
        let [_, _, from, length, _] = self.row(entry);
        let mut parts = slice(self.strings, from, length).split('\t');
        let mut next = || parts.next().unwrap_or_default();
        let name = next();
        let safety = match next() {
            "read" => Safety::Read,
            "idempotent" => Safety::Idempotent,
            _ => Safety::Write,
        };
        Summary { name, safety, derived: next() == "?", group: next(), title: next(), title_zh: next() }
    }

    /// Returns how often an API is called, from 0 to 1.
    #[expect(clippy::unused_self, reason = "entries are those of these tables")]
    pub(crate) fn use_of(&self, entry: Entry) -> f32 {
        f32::from(USES.get(entry).copied().unwrap_or_default()) / 255.0
    }

    /// Finds the entries whose text holds `needle`, with the names of their catalogs. Nothing is parsed.
    pub(crate) fn holding(&self, needle: &str) -> Vec<(&'static str, Entry)> {
        let finder = memchr::memmem::Finder::new(needle.as_bytes());
        let mut out = Vec::new();
        let mut entry = 0;
        for hit in finder.find_iter(self.entries.as_bytes()) {
            while entry + 1 < self.rows && self.row(entry + 1)[0] <= hit {
                entry += 1;
            }
            if out.last().is_none_or(|(_, last)| *last != entry) {
                let at = 12 + self.row(entry)[4] * 16;
                out.push((slice(self.strings, read(self.bytes, at), read(self.bytes, at + 4)), entry));
            }
        }
        out
    }

    /// Parses one API.
    pub(crate) fn record(&self, entry: Entry) -> Result<Record> {
        let [from, length, ..] = self.row(entry);
        serde_json::from_str(slice(self.entries, from, length)).map_err(|error| {
            Error::new(ErrorKind::Local, format!("the built-in catalog is damaged at entry {entry}: {error}"))
                .with_hint("This build of Sesame is broken; install it again.")
        })
    }
}

/// Reads a number; 0 beyond the end, which leads to an empty catalog instead of a panic.
fn read(bytes: &[u8], at: usize) -> usize {
    let number = bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_le_bytes);
    usize::try_from(number).unwrap_or(0)
}

fn slice(text: &'static str, from: usize, length: usize) -> &'static str {
    text.get(from..from + length).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The built-in data with every entry spoilt but one.
    fn spoilt(whole: Entry) -> Tables {
        let good = Tables::builtin();
        let [from, length, ..] = good.row(whole);
        let entries: String = ENTRIES
            .char_indices()
            .map(|(at, c)| if (from..from + length).contains(&at) { c } else { spoil(c) })
            .collect();
        Tables::new(entries.leak(), STRINGS, TABLES)
    }

    /// Another character of the same length.
    fn spoil(c: char) -> char {
        match c.len_utf8() {
            1 => '}',
            2 => 'é',
            3 => '中',
            _ => '😀',
        }
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
            assert!(last < Some((catalog, key)) || last == Some((catalog, key)), "{key} is out of order");
            last = Some((catalog, key));
            assert!(tables.find(catalog, key).any(|(_, found)| found == entry), "{key}");
        }
        assert!(tables.keys > 1096);
        assert!(
            tables.find(0, "no/such/key").next().is_none() && tables.find(200, "orders/get").next().is_none()
        );
    }

    #[test]
    fn tables_that_were_cut_give_nothing_and_do_not_panic() {
        for length in [0, 1, 11, 12, 20, 200] {
            let tables = Tables::new(ENTRIES, STRINGS, &TABLES[..length]);
            let _ = tables.catalog("lazada");
            let _ = tables.find(0, "orders/get").next();
        }
    }
}
