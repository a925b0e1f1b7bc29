//! Joins `data/` into a form that is looked up without reading more than one entry.
//!
//! Output, in `OUT_DIR`: `entries.bin` (the APIs, overlays applied, packed), `texts.txt` (every text
//! once), `tables.bin` (where all of them are, and the index, sorted), `platforms.json`.
//! `src/embedded.rs` reads them.

#![expect(
    unreachable_pub,
    reason = "these modules belong to the library, which uses and exports all of them"
)]

use std::{path::PathBuf, process::ExitCode};

#[path = "build/apis.rs"]
mod apis;
#[path = "src/facet.rs"]
mod facet;
#[path = "build/files.rs"]
mod files;
#[path = "build/judged.rs"]
mod judged;
#[path = "src/names.rs"]
mod names;
#[path = "src/overlay.rs"]
mod overlay;
#[path = "src/overlay_reader.rs"]
mod overlay_reader;
#[path = "build/pack.rs"]
mod pack;
#[path = "build/platforms.rs"]
mod platforms;
#[path = "src/record.rs"]
mod record;
#[path = "src/safety.rs"]
mod safety;
#[path = "build/tables.rs"]
mod tables;
#[path = "build/titles.rs"]
mod titles;
#[path = "src/words.rs"]
mod words;

type Result<T> = std::result::Result<T, String>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            // Cargo shows only lines of this form without `-vv`.
            for line in message.lines() {
                println!("cargo::error={line}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let room = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").map_err(|error| error.to_string())?);
    let data = room.join("data");
    println!("cargo::rerun-if-changed={}", data.display());
    let out = PathBuf::from(std::env::var("OUT_DIR").map_err(|error| error.to_string())?);

    let safety: judged::Table = files::toml_file(&data.join("safety.toml"))?;
    let words: titles::NameWords = files::toml_file(&data.join("words.toml"))?;
    let platforms = platforms::platforms(&data, &safety.names, words.owners())?;
    let mut catalogs = apis::base(&data)?;
    apis::overlays(&data, &platforms, &mut catalogs)?;
    let search: serde_json::Value = files::toml_file(&data.join("search.toml"))?;
    tables::write(&out, &catalogs, &safety, &words, &tables::uses(&data)?, &search)?;
    files::write(&out.join("search.json"), search.to_string().as_bytes())?;
    let text = serde_json::to_string(&platforms).map_err(|error| error.to_string())?;
    files::write(&out.join("platforms.json"), text.as_bytes())
}
