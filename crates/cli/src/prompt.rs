//! Questions to a person at a terminal.

use std::io::Write as _;

use sesame_core::Error;

use crate::{exit::CliResult, runtime};

/// The most answers that are not understood before a question is given up.
const MOST_ANSWERS: u32 = 3;

/// Asks on standard error. Anything but a yes is a no, and so is the end of the input.
///
/// # Errors
/// When standard input cannot be read.
pub(crate) async fn yes(question: &str) -> CliResult<bool> {
    let question = format!("{question} [y/N] ");
    let answer = runtime::aside(move || line(&question)).await?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Asks for one of several choices and returns its place. An empty answer is the first. Blocks.
///
/// # Errors
/// Usage, at the end of the input and after several invalid answers.
pub(crate) fn choice(question: &str, choices: &[String]) -> CliResult<usize> {
    let mut lines = vec![question.to_owned()];
    lines.extend((1..).zip(choices).map(|(number, choice)| format!("  {number}  {choice}")));
    lines.push(format!("1 to {} [1]: ", choices.len()));
    let text = lines.join("\n");
    for _ in 0..MOST_ANSWERS {
        let answer = line(&text)?;
        match answer.trim() {
            _ if answer.is_empty() => break,
            "" => return Ok(0),
            number => {
                if let Some(at) = number.parse().ok().filter(|at| (1..=choices.len()).contains(at)) {
                    return Ok(at - 1);
                }
            }
        }
    }
    Err(Error::usage("no choice was made").with_hint("Nothing was stored.").into())
}

fn line(question: &str) -> CliResult<String> {
    let mut out = anstream::stderr();
    let _ = write!(out, "{question}");
    let _ = out.flush();
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    read.map_err(|error| Error::local(format!("cannot read the answer: {error}")))?;
    Ok(answer)
}
