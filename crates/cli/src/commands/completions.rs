//! `sesame completions SHELL`.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::{args::Cli, exit::CliResult, output};

/// Options of `completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sesame completions bash > ~/.local/share/bash-completion/completions/sesame
  sesame completions zsh > ~/.zfunc/_sesame
  sesame completions fish > ~/.config/fish/completions/sesame.fish
  sesame completions powershell >> $PROFILE")]
pub(crate) struct Args {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script.
pub(crate) fn run(args: &Args) -> CliResult {
    let mut script = Vec::with_capacity(64 << 10);
    clap_complete::generate(args.shell, &mut Cli::command(), "sesame", &mut script);
    output::raw(&script)
}
