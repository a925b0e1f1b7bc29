//! Jobs against a small world behind a scripted gateway.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod journeys;
mod world;
