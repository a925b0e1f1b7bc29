//! A running sandbox, looked at over its socket.

mod captures;
mod control;
mod iop;
mod limits;
mod oauth;
mod param2;
mod refusals;
mod support;
mod top;
mod trouble;
