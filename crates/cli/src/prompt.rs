//! Questions to a person, answered by yes or no.

use std::io::Write as _;

use sesame_core::Error;

use crate::{exit::CliResult, runtime};

/// Asks on standard error. Anything but a yes is a no, and so is the end of the input.
///
/// # Errors
/// When standard input cannot be read.
pub(crate) async fn yes(question: &str) -> CliResult<bool> {
    let mut out = anstream::stderr();
    let _ = write!(out, "{question} [y/N] ");
    let _ = out.flush();
    let answer = runtime::aside(|| {
        let mut answer = String::new();
        let read = std::io::stdin().read_line(&mut answer);
        read.map_err(|error| Error::local(format!("cannot read the answer: {error}")))?;
        Ok(answer)
    })
    .await?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
