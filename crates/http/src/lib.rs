//! HTTP client: one pool of connections for a process, behind [`sesame_core::Transport`].
//!
//! What it promises whatever the caller asks for: TLS is verified, always; plain HTTP goes to this
//! machine only; no redirect is followed; no reply grows over its limit, before or after
//! decompression; nothing is sent twice unless hyper says that not a byte of it had left.
#![warn(missing_docs, clippy::missing_errors_doc)]

mod body;
mod connect;
mod deadline;
mod failure;
mod origin;
mod pool;
#[cfg(test)]
mod tls_tests;
mod transport;

pub use transport::{HttpTransport, USER_AGENT};
