//! What import and update share: limits, and where they write.

use std::{fs, path::Path};

use sesame_core::Error;

/// The largest document that is read.
pub(super) const LARGEST: u64 = 64 << 20;

/// Makes a folder that nobody else can write.
pub(super) fn private_folder(folder: &Path) -> Result<(), Error> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(folder)
        .map_err(|error| Error::local(format!("cannot make the folder {}: {error}", folder.display())))
}
