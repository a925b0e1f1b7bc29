//! Tests of the crate against small models of platforms, and against the sandbox.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod model;
mod orders;
mod stage;
mod walk;
