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
mod lazada_orders;
mod lazada_products;
mod limits;
mod oauth;
mod param2;
mod param2_checks;
mod recorded;
mod refusals;
mod support;
mod sweep;
mod sweep_calls;
mod sweep_wrong;
mod top;
mod world;
mod world_1688;
mod world_icbu;
mod world_model;
mod wrapped_lists;
