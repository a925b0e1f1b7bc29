//! What is said when Sesame itself is wrong.

use std::{io::Write, panic};

/// Replaces the standard panic message.
///
/// The text of a panic may quote what was being handled (a slice of a reply, a value that did not
/// parse), so it is not printed: the place in the source says enough, and holds no secret.
pub(crate) fn install_hook() {
    panic::set_hook(Box::new(|info| {
        let place = info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        let _ = writeln!(
            std::io::stderr(),
            "error: Sesame failed in a way it should not, at {place} (version {})\n  fault: machine\n  hint: Please report this line and the command, without its secrets. Nothing stored was changed by the failure itself.",
            env!("CARGO_PKG_VERSION"),
        );
    }));
}
