//! A user's own overlays: `SESAME_HOME/catalog/*.toml`.

mod index;

use std::{
    borrow::Cow,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use sesame_core::{Error, Result};

pub(crate) use self::index::{Index, Stamp};
use crate::overlay::{LARGEST, Mistake, Overlay, Patch};

/// Maximum number of overlay files that a folder of a user holds.
pub const MOST_OVERLAYS: usize = 1000;

/// An overlay and the file it is from.
#[derive(Debug)]
pub(crate) struct UserOverlay {
    pub(crate) file: PathBuf,
    /// Without its entries where there is an index.
    pub(crate) overlay: Overlay,
    pub(crate) index: Option<Index>,
    /// What an index of it would be made of.
    pub(crate) stamp: Option<Stamp>,
}

impl UserOverlay {
    /// Returns the names of its entries.
    pub(crate) fn names(&self) -> Vec<&str> {
        match &self.index {
            Some(index) => index.pieces.iter().map(|piece| piece.name.as_str()).collect(),
            None => self.overlay.apis.iter().map(|patch| patch.name.as_str()).collect(),
        }
    }

    /// Returns one of its entries.
    pub(crate) fn patch(&self, nth: usize) -> Result<Cow<'_, Patch>> {
        match &self.index {
            Some(index) => index.patch(&self.file, &index.pieces[nth]).map(Cow::Owned),
            None => Ok(Cow::Borrowed(&self.overlay.apis[nth])),
        }
    }
}

/// Reads all `*.toml` of a folder, in the order of their names: what can be used, and all that is wrong. A
/// folder that does not exist holds none. `catalog` says which built-in one they are for.
pub(crate) fn read(folder: &Path, catalog: &str) -> Result<(Vec<UserOverlay>, Vec<Error>)> {
    let mut files = Vec::new();
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Default::default()),
        Err(error) => return Err(unreadable(folder, &error)),
    };
    for entry in entries {
        let path = entry.map_err(|error| unreadable(folder, &error))?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
        if files.len() > MOST_OVERLAYS {
            return Err(Error::local(format!(
                "{} holds more than {MOST_OVERLAYS} overlays",
                folder.display()
            ))
            .with_hint("Join some of them: one file may hold any number of [[api]] entries."));
        }
    }
    files.sort();
    let (mut overlays, mut errors) = (Vec::new(), Vec::new());
    for file in files {
        let stamp = Stamp::of(&file, catalog);
        if let Some(index) = stamp.as_ref().and_then(|stamp| Index::read(&file, stamp)) {
            overlays.push(UserOverlay { overlay: index.head(), index: Some(index), file, stamp: None });
            continue;
        }
        let before = errors.len();
        match read_one(&file, &mut errors) {
            Ok(overlay) => overlays.extend(overlay.map(|overlay| {
                // One with mistakes is read whole, to tell them.
                let stamp = stamp.filter(|_| errors.len() == before);
                UserOverlay { file, overlay, index: None, stamp }
            })),
            Err(error) => errors.push(error),
        }
    }
    Ok((overlays, errors))
}

fn read_one(file: &Path, errors: &mut Vec<Error>) -> Result<Option<Overlay>> {
    // Before it is opened: to open a pipe is to wait for its other end.
    if !std::fs::metadata(file).map_err(|error| unreadable(file, &error))?.is_file() {
        return Err(Error::local(format!("{} is not a regular file", file.display())));
    }
    let open = File::open(file).map_err(|error| unreadable(file, &error))?;
    let mut bytes = Vec::new();
    // One byte more than allowed, so that too large can be told from just large enough.
    open.take(LARGEST as u64 + 1).read_to_end(&mut bytes).map_err(|error| unreadable(file, &error))?;
    let text = String::from_utf8(bytes).map_err(|_| {
        Error::usage(format!("{}: the file is not UTF-8", file.display())).with_hint("Save it as UTF-8 text.")
    })?;
    let (overlay, mistakes) = Overlay::parse(&text);
    errors.extend(mistakes.iter().map(|mistake| wrong(file, mistake)));
    if let Some(overlay) = &overlay {
        crate::platforms::platform(&overlay.platform)
            .map_err(|error| error.context(format!("{}: platform", file.display())))?;
    }
    Ok(overlay)
}

/// Says that an overlay was not understood.
pub(crate) fn wrong(file: &Path, mistake: &Mistake) -> Error {
    Error::usage(format!("{}: {mistake}", file.display()))
        .with_hint("Correct the file or move it out of the folder; crates/catalog/data/README.md in the repository describes the format.")
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::local(format!("{} cannot be read: {error}", path.display()))
        .with_hint("Check that the file exists and that this user may read it.")
}
