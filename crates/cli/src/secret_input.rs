//! The ways a secret gets in: standard input, a variable, or the command line with a warning.

use std::io::Read;

use sesame_core::{AppSecret, Error};

use crate::{
    exit::{CliError, CliResult, INTERRUPTED, note, person_is_there},
    hidden_input,
};

/// The longest secret that is read; a longer one is refused.
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
    pub(crate) secret: Option<AppSecret>,
}

impl SecretInput {
    /// Says where the secret comes from, for people.
    pub(crate) fn origin(&self) -> String {
        match (&self.secret_env, &self.secret) {
            (Some(name), _) => format!("variable {name}"),
            (None, Some(_)) => "command line".to_owned(),
            (None, None) => "standard input".to_owned(),
        }
    }

    /// Reads the secret. `None` if no option names one.
    ///
    /// # Errors
    /// Usage, for an unset variable or an empty secret.
    pub(crate) fn read(&self) -> CliResult<Option<AppSecret>> {
        let (text, from) = if self.secret_stdin {
            if person_is_there() {
                return ask().map(Some);
            }
            (read_bounded(std::io::stdin(), "standard input")?, "standard input".to_owned())
        } else if let Some(name) = &self.secret_env {
            let text = std::env::var(name).map_err(|_| {
                Error::usage(format!("the variable {name} is not set, or is not UTF-8")).with_hint(format!(
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
            return Ok(Some(text.clone()));
        } else {
            return Ok(None);
        };
        // Editors and `echo` end a text with a line break; no platform issues a secret with one.
        let secret = text.trim_end_matches(['\r', '\n']);
        if secret.is_empty() {
            return Err(Error::usage(format!("the secret from {from} is empty"))
                .with_hint("The app secret stands on the app's page in the platform's console.")
                .into());
        }
        Ok(Some(AppSecret::new(secret)))
    }
}

/// Asks a person, without showing what is typed.
///
/// # Errors
/// When nothing was typed, or Ctrl-C.
pub(crate) fn ask() -> CliResult<AppSecret> {
    ask_secret("App secret")
}

/// Asks a person for a secret that is known, without showing what is typed.
///
/// # Errors
/// When nothing was typed, or Ctrl-C.
pub(crate) fn ask_secret(what: &str) -> CliResult<AppSecret> {
    typed(what, what)
}

/// Asks a person for a new secret, twice, without showing what is typed.
///
/// # Errors
/// When nothing was typed, when the two differ, or Ctrl-C.
pub(crate) fn ask_new(what: &str) -> CliResult<AppSecret> {
    let secret = typed(what, what)?;
    if typed(what, "Once more")?.expose() != secret.expose() {
        return Err(Error::usage("the two are not the same").with_hint("Nothing was stored.").into());
    }
    Ok(secret)
}

fn typed(what: &str, question: &str) -> CliResult<AppSecret> {
    match hidden_input::ask(question) {
        Ok(text) if !text.is_empty() => Ok(AppSecret::new(text)),
        Err(error) if error.kind() == std::io::ErrorKind::Interrupted => Err(CliError::Status(INTERRUPTED)),
        _ => Err(Error::usage(format!("no {} was typed", what.to_lowercase()))
            .with_hint("Nothing was stored.")
            .into()),
    }
}

/// Reads one secret. Cut short it would be another secret, so too much is refused.
pub(crate) fn read_bounded(input: impl Read, from: &str) -> CliResult<String> {
    let mut text = String::new();
    input
        .take(MAX_SECRET + 1)
        .read_to_string(&mut text)
        .map_err(|error| Error::usage(format!("cannot read the secret from {from}: {error}")))?;
    if text.len() as u64 > MAX_SECRET {
        return Err(Error::usage(format!("{from} has more than {MAX_SECRET} bytes, too many for a secret"))
            .with_hint("Give the secret alone: printf %s SECRET | sesame ... --secret-stdin.")
            .into());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_refused_and_not_cut() {
        let most = usize::try_from(MAX_SECRET).unwrap();
        assert_eq!(read_bounded(vec![b'a'; most].as_slice(), "a test").unwrap().len(), most);
        assert!(read_bounded(vec![b'a'; most + 1].as_slice(), "a test").is_err());
    }

    #[test]
    fn options_do_not_tell_the_secret() {
        let input =
            SecretInput { secret: Some(AppSecret::new("planted-0123456789")), ..SecretInput::default() };
        assert!(!format!("{input:?}").contains("planted-0123456789"));
    }
}
