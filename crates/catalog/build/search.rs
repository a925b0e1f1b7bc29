//! What a search looks through, for `src/search.rs`.

use std::{collections::BTreeMap, path::Path};

use serde_json::Value as Json;

use crate::{
    Result,
    apis::Catalogs,
    files::{read, toml_file},
    platforms::only,
};

/// Writes `documents.txt`, a line of words for each API in the order of the tables; `uses.bin`, how often
/// each is called, 255 the most; and `search.json`.
pub(crate) fn write(data: &Path, out: &Path, catalogs: &Catalogs) -> Result<()> {
    let table = read(&data.join("use.tsv"))?;
    let mut used: BTreeMap<&str, u8> = BTreeMap::new();
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let [name, programs, _] = line.split('\t').collect::<Vec<_>>()[..] else {
            return Err(format!("use.tsv: {line}: not three columns"));
        };
        let programs: f64 = programs.parse().map_err(|_| format!("use.tsv: {line}: not a number"))?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0 to 255")]
        let use_of = ((1.0 + programs).ln() / 28_f64.ln() * 255.0) as u8;
        used.insert(name, use_of);
    }
    let (mut documents, mut uses) = (String::new(), Vec::new());
    for record in catalogs.values().flat_map(|catalog| catalog.in_order()) {
        documents.push_str(&crate::words::document(record));
        documents.push('\n');
        uses.push(used.get(record.name.as_str()).copied().unwrap_or_default());
    }
    crate::files::write(&out.join("documents.txt"), documents.as_bytes())?;
    crate::files::write(&out.join("uses.bin"), &uses)?;
    let words: Json = toml_file(&data.join("search.toml"))?;
    only(&words, "search.toml", &["source", "date", "fill", "groups", "platforms"])?;
    crate::files::write(&out.join("search.json"), words.to_string().as_bytes())
}
