//! Whole commands: arguments, exit code, standard output, standard error.
//!
//! Every command runs as a process in its own home, against a sandbox of its own. Snapshots are in
//! `tests/snapshots`; `INSTA_UPDATE=always cargo test -p sesame-cli --test commands` writes them anew.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod house;

mod accounts;
mod apps;
mod calls;
mod catalog;
mod completion;
mod database;
mod demo;
mod documents;
mod every_command;
mod examples;
mod hostile;
mod interruptions;
mod keeper;
mod lists;
mod logins;
mod many_shops;
mod moving_lists;
mod orders;
mod owners;
mod readme;
mod reference;
mod rekey;
mod secrets;
mod shops;
mod signing;
mod tables;
mod terminal;
mod trouble;
mod usage;
mod vault;
mod write_crashes;
mod writes;
