//! A user's own overlays: `SESAME_HOME/catalog/*.toml`.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use sesame_core::{Error, Result};

use crate::overlay::{LARGEST, Mistake, Overlay};

/// Maximum number of overlay files that a folder of a user holds.
pub const MOST_OVERLAYS: usize = 1000;

/// An overlay and the file it is from.
#[derive(Debug, Clone)]
pub(crate) struct UserOverlay {
    pub(crate) file: PathBuf,
    pub(crate) overlay: Overlay,
}

/// Reads all `*.toml` of a folder, in the order of their names: what can be used, and all that is wrong. A
/// folder that does not exist holds none.
pub(crate) fn read(folder: &Path) -> Result<(Vec<UserOverlay>, Vec<Error>)> {
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
        match read_one(&file, &mut errors) {
            Ok(overlay) => overlays.extend(overlay.map(|overlay| UserOverlay { file, overlay })),
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
