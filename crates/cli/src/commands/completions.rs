//! `sesame completions SHELL`.

use clap_complete::{Shell, env::Shells};
use sesame_core::Error;

use crate::{exit::CliResult, output};

/// The variable by which a completion script asks.
pub(crate) const VARIABLE: &str = "SESAME_COMPLETE";

/// Options of `completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sesame completions bash > ~/.local/share/bash-completion/completions/sesame
  sesame completions zsh > ~/.zfunc/_sesame
  sesame completions fish > ~/.config/fish/completions/sesame.fish
  sesame completions powershell >> $PROFILE

The script asks `sesame` for what fits: commands, options, accounts, apps, platforms, APIs, error codes.")]
pub(crate) struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// That of `clap_complete` takes what bash leaves of a word behind `=` and `:` for the whole word.
const BASH: &str = include_str!("completions.bash");

/// Lines of the script for zsh, and what stands for them.
const ZSH: [[&str; 2]; 2] = [
    // No space behind `NAME=`.
    [
        "        [[ -n $other ]] && _describe -V 'values' other\n",
        "        local -a open=(\"${(@M)other:#*=}\")
        other=(\"${(@)other:#*=}\")
        [[ -n $open ]] && _describe -V 'values' open -S ''
        [[ -n $other ]] && _describe -V 'values' other\n",
    ],
    // As a file of `$fpath` it is read at the first Tab, which wants an answer, too.
    [
        "\ncompdef _clap_dynamic_completer_sesame sesame",
        "
if [[ $funcstack[1] == _sesame ]]; then
    _clap_dynamic_completer_sesame
else
    compdef _clap_dynamic_completer_sesame sesame
fi",
    ],
];

/// Prints the script for a shell.
pub(crate) fn run(args: &CompletionsArgs) -> CliResult {
    if args.shell == Shell::Bash {
        return output::raw(BASH.as_bytes());
    }
    let name = args.shell.to_string();
    let shells = Shells::builtins();
    let shell = shells.completer(&name).ok_or_else(|| Error::usage(format!("no completions for {name}")))?;
    let mut script = Vec::new();
    shell.write_registration(VARIABLE, "sesame", "sesame", "sesame", &mut script)?;
    let script = String::from_utf8_lossy(&script).into_owned();
    let script = ZSH.iter().fold(script, |script, [from, to]| script.replace(from, to));
    output::raw(script.as_bytes())
}
