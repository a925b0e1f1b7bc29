//! The sandbox: running, looked at over its socket; and the fixtures behind it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, helpers of tests too")]

mod agreement;
mod captures;
mod control;
mod documents;
mod faults;
mod fixture_arguments;
mod fixture_attributes;
mod fixture_documented;
mod fixture_lists;
mod fixture_schema;
mod fixture_size;
mod fixture_support;
mod fixtures;
mod hostile;
mod iop;
mod limits;
mod oauth;
mod param2;
mod param2_checks;
mod recorded;
mod refusals;
mod seller;
mod support;
mod sweep;
mod sweep_calls;
mod sweep_wrong;
mod top;
mod world;
mod world_aliexpress;
mod world_aliexpress_orders;
mod world_taobao;
mod world_taobao_trades;
mod wrapped_lists;
