//! `sesame completions SHELL`.

use clap_complete::Shell;

use crate::{exit::CliResult, output};

/// Options of `completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sesame completions bash > ~/.local/share/bash-completion/completions/sesame
  sesame completions zsh > ~/.zfunc/_sesame
  sesame completions fish > ~/.config/fish/completions/sesame.fish
  sesame completions powershell >> $PROFILE")]
pub(crate) struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script for a command line.
pub(crate) fn run(args: &CompletionsArgs, mut root: clap::Command) -> CliResult {
    let mut script = Vec::with_capacity(64 << 10);
    clap_complete::generate(args.shell, &mut root, "sesame", &mut script);
    output::raw(&script)
}
