//! The ways a secret gets in: standard input, a variable, or the command line with a warning.

use std::io::Read;

use sesame_core::{AppSecret, Error};

use crate::stop::{Outcome, note};

/// The longest secret that is read.
const MAX_SECRET: u64 = 64 << 10;

/// Where the app secret comes from.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(multiple = false)]
pub(crate) struct SecretInput {
    /// Reads the app secret from standard input.
    #[arg(long)]
    pub(crate) secret_stdin: bool,
    /// Reads the app secret from this variable of the environment.
    #[arg(long, value_name = "VAR")]
    pub(crate) secret_env: Option<String>,
    /// The app secret itself. Other users of this machine can see it while the command runs.
    #[arg(long, value_name = "SECRET")]
    pub(crate) secret: Option<String>,
}

impl SecretInput {
    /// Reads the secret; nothing if no way was chosen.
    ///
    /// # Errors
    /// Usage, for an unset variable or an empty secret.
    pub(crate) fn read(&self) -> Outcome<Option<AppSecret>> {
        let (text, from) = if self.secret_stdin {
            let mut text = String::new();
            std::io::stdin().take(MAX_SECRET).read_to_string(&mut text).map_err(|error| {
                Error::usage(format!("cannot read the secret from standard input: {error}"))
            })?;
            (text, "standard input".to_owned())
        } else if let Some(name) = &self.secret_env {
            let text = std::env::var(name).map_err(|_| {
                Error::usage(format!("the variable {name} is not set, or is not UTF-8")).hint(format!(
                    "Set it for this command: {name}=... sesame ..., without `export` in the history."
                ))
            })?;
            (text, format!("the variable {name}"))
        } else if let Some(text) = &self.secret {
            note(
                "note",
                "other users of this machine can see --secret in the list of processes; --secret-stdin and --secret-env hide it",
            );
            // `sign` takes exactly what it is given, an empty secret too.
            return Ok(Some(AppSecret::new(text.clone())));
        } else {
            return Ok(None);
        };
        // Editors and `echo` end a text with a line break; no platform issues a secret with one.
        let secret = text.trim_end_matches(['\r', '\n']);
        if secret.is_empty() {
            return Err(Error::usage(format!("the secret from {from} is empty"))
                .hint("The app secret stands on the app's page in the platform's console.")
                .into());
        }
        Ok(Some(AppSecret::new(secret)))
    }
}
