//! Where the entries of a large overlay stand, in a file beside it: a program that starts reads this instead, and an
//! entry when it is looked up.
//!
//! It is written after the overlay was read whole and found right, and holds as long as the overlay is not touched
//! and the built-in catalog is the same. One that cannot be read or written changes nothing but the time it takes.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use serde::{Deserialize, Serialize};
use sesame_core::{Error, Result};

use crate::overlay::{LARGEST, Overlay, Patch};

/// Smaller overlays are read at once.
const LARGE: u64 = 64 << 10;
/// The folder of indexes, in that of the overlays.
const FOLDER: &str = ".index";

/// The index of one overlay.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Index {
    stamp: Stamp,
    pub(crate) platform: String,
    source: String,
    date: String,
    pub(crate) pieces: Vec<Piece>,
}

/// What an index was made of.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    /// The built-in catalog.
    catalog: String,
    size: u64,
    /// Nanoseconds since 1970.
    changed: u128,
}

/// One `[[api]]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Piece {
    start: usize,
    end: usize,
    pub(crate) name: String,
    /// The keys under which it is found.
    pub(crate) keys: Vec<String>,
}

impl Stamp {
    /// Returns that of a file, if it is a large one.
    pub(crate) fn of(file: &Path, catalog: &str) -> Option<Self> {
        let metadata =
            fs::metadata(file).ok().filter(|metadata| metadata.is_file() && metadata.len() >= LARGE)?;
        let changed = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?.as_nanos();
        Some(Self { catalog: catalog.to_owned(), size: metadata.len(), changed })
    }
}

impl Index {
    /// Reads the index of an overlay, if there is one and it still holds.
    pub(crate) fn read(file: &Path, stamp: &Stamp) -> Option<Self> {
        let open = File::open(place_of(file)?).ok()?;
        let mut bytes = Vec::new();
        open.take(2 * LARGEST as u64).read_to_end(&mut bytes).ok()?;
        serde_json::from_slice(&bytes).ok().filter(|index: &Self| index.stamp == *stamp)
    }

    /// Writes one, if the text can be parted: each part says by itself what it says in the whole.
    pub(crate) fn write(file: &Path, stamp: Stamp, overlay: &Overlay, keys: Vec<Vec<String>>) -> Option<()> {
        if !overlay.facets.is_empty()
            || !overlay.actions.is_empty()
            || Stamp::of(file, &stamp.catalog)? != stamp
        {
            return None;
        }
        let text = fs::read_to_string(file).ok()?;
        let starts: Vec<usize> = text.match_indices("\n[[api]]\n").map(|(at, _)| at + 1).collect();
        if starts.len() != overlay.apis.len() {
            return None;
        }
        let mut index = Self {
            stamp,
            platform: overlay.platform.clone(),
            source: overlay.source.clone(),
            date: overlay.date.clone(),
            pieces: Vec::new(),
        };
        for (nth, (patch, keys)) in overlay.apis.iter().zip(keys).enumerate() {
            let (start, end) = (starts[nth], starts.get(nth + 1).copied().unwrap_or(text.len()));
            if patch_of(&text[start..end]).as_ref() != Some(patch) {
                return None;
            }
            index.pieces.push(Piece { start, end, name: patch.name.clone(), keys });
        }
        let (place, bytes) = (place_of(file)?, serde_json::to_vec(&index).ok()?);
        fs::create_dir_all(place.parent()?).ok()?;
        // Whole or not at all, whoever else writes it.
        let part = place.with_extension(format!("{}.part", std::process::id()));
        fs::write(&part, bytes).and_then(|()| fs::rename(&part, &place)).ok()
    }

    /// Returns the overlay without its entries.
    pub(crate) fn head(&self) -> Overlay {
        Overlay {
            platform: self.platform.clone(),
            source: self.source.clone(),
            date: self.date.clone(),
            apis: Vec::new(),
            facets: BTreeMap::new(),
            actions: BTreeMap::new(),
        }
    }

    /// Reads one entry.
    pub(crate) fn patch(&self, file: &Path, piece: &Piece) -> Result<Patch> {
        let read = || {
            Stamp::of(file, &self.stamp.catalog).filter(|stamp| *stamp == self.stamp)?;
            let mut open = File::open(file).ok()?;
            open.seek(SeekFrom::Start(piece.start as u64)).ok()?;
            let mut text = String::new();
            open.take(piece.end.checked_sub(piece.start)? as u64).read_to_string(&mut text).ok()?;
            patch_of(&text)
        };
        read().ok_or_else(|| {
            Error::local(format!("{} was changed after this program had started", file.display()))
                .with_hint("Start it again.")
        })
    }
}

fn patch_of(piece: &str) -> Option<Patch> {
    // The head is checked, too, and is right.
    let head = "platform = \"-\"\nsource = \"-\"\ndate = \"2026-01-01\"\n";
    let (overlay, mistakes) = Overlay::parse(&format!("{head}{piece}"));
    overlay.filter(|overlay| mistakes.is_empty() && overlay.apis.len() == 1)?.apis.pop()
}

fn place_of(file: &Path) -> Option<PathBuf> {
    Some(file.parent()?.join(FOLDER).join(file.file_name()?).with_extension("json"))
}
