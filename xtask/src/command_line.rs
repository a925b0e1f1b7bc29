//! `docs/cli.md`: every command's own help, as the binary writes it.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result, bail};

/// Returns the page. Builds the binary when needed.
pub(crate) fn page(root: &Path) -> Result<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(root)
        .args(["run", "--quiet", "--locked", "-p", "sesame-cli", "--", "generate-docs"])
        // Help may name values that come from the environment; a page must not depend on it.
        .env_remove("SESAME_HOME")
        .env_remove("SESAME_VAULT")
        .env_remove("SESAME_ENDPOINT")
        .env("NO_COLOR", "1")
        .output()
        .context("cargo run -p sesame-cli -- generate-docs")?;
    if !output.status.success() {
        bail!("sesame generate-docs failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    String::from_utf8(output.stdout).context("sesame generate-docs printed something else than text")
}
