//! Tests of the client against scripted gateways and a sandbox.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod calls;
mod foreign_text;
mod pages;
mod stage;
mod time;
mod token_trouble;
