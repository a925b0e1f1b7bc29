//! Domain types and pure functions: signing, encoding, decoding.
//!
//! Nothing in this crate reads a file, opens a socket, asks the time or needs a runtime. The two
//! traits at its edge, [`Transport`] and [`Clock`], are implemented further out.
//!
//! Where to look:
//!
//! | question | module |
//! |---|---|
//! | which text is signed, and how | [`sign`] |
//! | is this request, or this push message, genuine | [`sign::verify`], [`push`] |
//! | how arguments become parameters | [`encode`] |
//! | how parameters become an HTTP request | [`request`] |
//! | what a reply says | [`envelope`] |
//! | where a value or a list is in a payload | [`mod@path`] |
//! | what an error code means | [`mod@classify`] |
//! | how names are put into command lines | [`command_line`] |
//! | how secrets stay hidden | [`secret`], [`mask`], [`redact`] |
#![warn(missing_docs, clippy::missing_errors_doc)]

pub mod classify;
pub mod clock;
pub mod command_line;
pub mod decode;
pub mod encode;
pub mod envelope;
pub mod error;
pub mod gcra;
pub mod mask;
pub mod nearest;
pub mod params;
pub mod path;
pub mod payload;
pub mod protocol;
pub mod push;
pub mod redact;
pub mod request;
pub mod scalar;
pub mod secret;
pub mod sign;
pub mod time;
pub mod xml;

pub use classify::{ErrorTable, classify};
pub use clock::Clock;
pub use error::{Error, ErrorKind, Fault, Result, Retry};
pub use params::{Params, Value};
pub use protocol::{Protocol, Shape};
pub use request::{BoxFuture, HttpRequest, HttpResponse, Transport};
pub use secret::{AccessToken, AppSecret, AuthCode, RefreshToken};
