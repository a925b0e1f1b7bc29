//! Packs the APIs and writes the tables that `src/embedded.rs` reads.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::Path,
};

use crate::{
    Result,
    apis::Catalogs,
    files,
    judged::Table,
    names,
    pack::Counts,
    record::{Record, Safety},
    titles::{NameWords, Titles},
};

/// One API as it is packed, with what can be told without reading it.
struct Row {
    catalog: u32,
    json: serde_json::Value,
    name: String,
    group: String,
    title: String,
    title_zh: String,
    facts: u32,
    /// Its names for the index: its own first, then the others.
    keys: Vec<String>,
    /// The codes of its errors, for the index.
    codes: Vec<String>,
}

/// Where error codes stand in the index, among the catalogs.
const CODES: u32 = 0xff;

/// Reads `use.tsv`: how often each API is called, 255 the most.
pub(crate) fn uses(data: &Path) -> Result<BTreeMap<String, u8>> {
    let mut out = BTreeMap::new();
    for line in files::read(&data.join("use.tsv"))?.lines().filter(|line| !line.starts_with('#')) {
        let mut columns = line.split('\t');
        let (Some(name), Some(programs)) = (columns.next(), columns.next()) else {
            return Err(format!("use.tsv: {line:?} has fewer than two columns"));
        };
        let programs: u32 = programs.parse().map_err(|_| format!("use.tsv: {line:?}: invalid number"))?;
        let part = f64::from(1 + programs).ln() / 28_f64.ln();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0 to 255")]
        out.insert(name.to_owned(), (part.min(1.0) * 255.0) as u8);
    }
    Ok(out)
}

pub(crate) fn write(
    out: &Path,
    catalogs: &Catalogs,
    safety: &Table,
    words: &NameWords,
    used: &BTreeMap<String, u8>,
    search: &serde_json::Value,
) -> Result<()> {
    let groups = files::list(search, "groups").iter().take(crate::words::VERB_GROUPS);
    let says_nothing: BTreeSet<&str> = groups
        .chain(search.get("fill"))
        .filter_map(serde_json::Value::as_str)
        .flat_map(str::split_whitespace)
        .chain(words.owners().iter().map(String::as_str))
        .collect();
    let titles = Titles::new(words, catalogs.values().flat_map(|catalog| &catalog.records));
    let mut rows: Vec<Row> = Vec::new();
    let mut counts = Counts::default();
    // What a search looks through, a line for each API, and what it counts of each.
    let (mut documents, mut uses) = (String::new(), Vec::new());
    for (number, catalog) in (0_u32..).zip(catalogs.values()) {
        let mut records: Vec<&Record> = catalog.records.iter().collect();
        records.sort_by(|a, b| (&a.name, &a.namespace, a.version).cmp(&(&b.name, &b.namespace, b.version)));
        for record in records {
            let row = row(number, record, safety, &titles)?;
            let line = crate::words::document(record, &row.title);
            uses.push(used.get(&record.name).copied().unwrap_or_default());
            uses.extend(crate::words::things_of(&line, |word| says_nothing.contains(word)));
            documents.push_str(&line);
            documents.push('\n');
            rows.push(row);
        }
    }
    for row in &rows {
        counts.add(&row.json);
        [&row.name, &row.group, &row.title, &row.title_zh]
            .into_iter()
            .chain(&row.keys)
            .chain(&row.codes)
            .for_each(|text| counts.text(text));
    }
    for name in catalogs.keys() {
        counts.text(name);
    }
    let packer = counts.packer();

    let mut keys: Vec<(u32, &str, bool, usize)> = Vec::new();
    for (entry, row) in rows.iter().enumerate() {
        let named = row.keys.iter().enumerate();
        keys.extend(named.map(|(nth, key)| (row.catalog, key.as_str(), nth > 0, entry)));
        keys.extend(row.codes.iter().map(|code| (CODES, code.as_str(), false, entry)));
    }
    keys.sort_unstable();
    keys.dedup();

    let mut entries = Vec::new();
    let mut texts = String::new();
    let mut numbers: Vec<usize> = vec![
        packer.texts().len(),
        packer.shapes().len(),
        packer.shapes().iter().map(Vec::len).sum(),
        catalogs.len(),
        rows.len(),
        keys.len(),
    ];
    for text in packer.texts() {
        numbers.push(texts.len());
        texts.push_str(text);
    }
    numbers.push(texts.len());
    let mut shape_keys = 0;
    for shape in packer.shapes() {
        numbers.push(shape_keys);
        shape_keys += shape.len();
    }
    numbers.push(shape_keys);
    numbers.extend(packer.shapes().iter().flatten().map(|key| *key as usize));
    let mut first = 0;
    for (name, catalog) in catalogs {
        let count = catalog.records.len();
        numbers.extend([packer.text(name) as usize, first, count]);
        first += count;
    }
    for row in &rows {
        numbers.push(entries.len());
        packer.write(&row.json, &mut entries);
        numbers.extend(
            [&row.name, &row.group, &row.title, &row.title_zh].map(|text| packer.text(text) as usize),
        );
        numbers.push(row.facts as usize);
    }
    for (catalog, key, is_alias, entry) in keys {
        let place = catalog << 8 | u32::from(is_alias);
        numbers.extend([place as usize, packer.text(key) as usize, entry]);
    }
    let mut tables = Vec::with_capacity(numbers.len() * 4);
    for number in numbers {
        let number = u32::try_from(number).map_err(|_| "the catalog has outgrown 4 GB")?;
        tables.extend_from_slice(&number.to_le_bytes());
    }
    files::write(&out.join("tables.bin"), &tables)?;
    files::write(&out.join("documents.txt"), documents.as_bytes())?;
    files::write(&out.join("uses.bin"), &uses)?;
    files::write(&out.join("texts.txt"), texts.as_bytes())?;
    files::write(&out.join("entries.bin"), &entries)
}

fn row(catalog: u32, record: &Record, safety: &Table, titles: &Titles<'_>) -> Result<Row> {
    let json = serde_json::to_value(record).map_err(|error| format!("{}: {error}", record.name))?;
    let mut name = String::new();
    if let Some(namespace) = &record.namespace {
        let _ = write!(name, "{namespace}:");
    }
    name.push_str(&record.name);
    if let Some(version) = record.version.filter(|version| *version != 1) {
        let _ = write!(name, "@{version}");
    }
    let mut facts = catalog;
    let mut fact = |bit: u32, is: bool| facts |= u32::from(is) << bit;
    let found = record.safety.unwrap_or_else(|| safety.of(&record.name));
    fact(8, found == Safety::Read);
    fact(9, found == Safety::Idempotent);
    fact(10, record.safety.is_none());
    fact(11, record.title.is_none());
    fact(12, record.auth.is_some());
    fact(13, record.auth == Some(true));
    fact(14, !record.errors.is_empty());
    let names = std::iter::once(&record.name).chain(&record.aliases);
    Ok(Row {
        catalog,
        json,
        name,
        group: record.group.clone().unwrap_or_default(),
        title: record.title.clone().unwrap_or_else(|| titles.of(record)),
        title_zh: record.title_zh.clone().unwrap_or_default(),
        facts,
        keys: names.map(|name| names::key(name)).collect(),
        codes: record.errors.iter().map(|error| error.code.to_lowercase()).collect(),
    })
}
