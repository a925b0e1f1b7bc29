//! What becomes of tokens when processes are killed, stopped or many, and when disks are full.
//!
//! The test starts a sandbox and child processes, which are this very program with [`child::SPEC`] set:
//! they open the vault over the sandbox's socket and say in lines what they see. Killed means SIGKILL.
//! Everybody's clock is that of the machine, moved by a file that all of them read.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    unreachable_pub,
    reason = "a test that cannot go on may panic, says what it measured, and has no users"
)]

#[path = "../it/support/mod.rs"]
mod support;

mod child;
mod crowd;
mod keepers;
mod kills;
mod rekey;
mod storage;
mod window;
mod world;

/// How often something is repeated: the first number in CI, the second in `./dev torture`.
fn times(few: usize, many: usize) -> usize {
    if std::env::var_os("SESAME_TORTURE").is_some() { many } else { few }
}
