//! What tests and benchmarks start, and what ends with them.
#![warn(missing_docs)]

pub mod postgres;
