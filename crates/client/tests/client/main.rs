//! Tests of the client against scripted gateways and a sandbox.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod foreign_text;
mod line;
mod pages;
mod stage;
mod token_trouble;
