//! A running sandbox, looked at over its socket.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, helpers of tests too")]

mod captures;
mod control;
mod iop;
mod limits;
mod oauth;
mod param2;
mod recorded;
mod refusals;
mod support;
mod top;
mod trouble;
