//! The offline gateways: everything the platforms answer, on one port, without the network.
//!
//! Third-party SDKs talk to a [`Sandbox`] as they talk to the platforms: it verifies their
//! signatures, hands out tokens over OAuth pages a browser can use, answers every API of the
//! catalog, some from fixtures (shops and products), the rest by examples, and fails on demand in
//! the ways real gateways do. Keys, shops and products follow from the seed alone.
//!
//! Where to look:
//!
//! | question | item |
//! |---|---|
//! | how is it started | [`Sandbox::start`], [`Options`] |
//! | what do scripts need to know | [`Description`] |
//! | which apps does it know | [`AppSpec`]; one of each platform is invented |
//! | what can go wrong | [`FaultRule`], [`FaultKind`], [`QuotaRule`] |
//! | what is behind the answers | [`fixtures`] |
//!
//! One port serves `/rest/...`, `/rest/2.0/...` and `/sync` (IOP), `/openapi/...` (param2),
//! `/router/rest` and `/router/batch` (TOP), the OAuth pages and `/token`; the app key tells the
//! platform. `/_sandbox/` is the control API:
//!
//! | route | what it does |
//! |---|---|
//! | `GET /_sandbox/stats` | counts by platform, API and outcome |
//! | `POST /_sandbox/reset` | forgets statistics, refusals, faults and quotas; `{"tokens":true}` tokens too, `{"shops":true}` what became of the shops |
//! | `GET POST DELETE /_sandbox/faults` | lists, adds (`{"kind":"html","api":"/orders/get","count":1}`, the text of [`FaultRule`]'s `FromStr`, or a list), clears |
//! | `GET POST DELETE /_sandbox/quotas` | the same for [`QuotaRule`] |
//! | `GET POST /_sandbox/clock` | `{"now":"2026-11-21T12:32:12Z"}`, `{"advance":"48h"}` or seconds, `{"follow_machine":true}` |
//! | `GET POST /_sandbox/products`, `/_sandbox/orders` | what a shop holds, and single steps by hand; `?platform=..&login=..` choose the shop |
//! | `GET /_sandbox/tokens` | lists tokens, masked |
//! | `POST /_sandbox/tokens/expire`, `.../revoke` | `{"login":..,"platform":..,"token":..,"which":"access","in_seconds":0}` |
//! | `GET POST /_sandbox/apps` | `{"app_key":..,"refreshing":"never","redirect_uri":..,"exact":true}` |
//! | `GET POST /_sandbox/settings` | `{"old_refresh_token":"lives","reply_style":"documented"}` |
//! | `GET /_sandbox/documents/PLATFORM/` | a document host of the catalog: `handler/share/apidoc/getApiCategoryMixed.json`, `.../getApi.json?path=NAME`; in the form of TOP's `metadata.json`, `metadata.json?name=NAME` |
//! | `GET /_sandbox/refusals/ID` | the base string that was expected, and the mistake if it is a known one |
//!
//! A refusal carries the header `x-sandbox-refusal: ID`; a reply `x-sandbox-source: world`, `documented` or
//! `generated` (see [`ReplySource`]); a call that passed although a live gateway may refuse it,
//! `x-sandbox-warning`.
#![warn(missing_docs, clippy::missing_errors_doc)]

mod apps;
mod by_hand;
mod clock;
mod contracts;
mod control;
mod describe;
mod documents;
mod echo;
mod error;
mod example;
mod exchange;
mod fault;
mod faults;
pub mod fixtures;
mod gateway;
mod multipart;
mod oauth;
mod options;
mod quotas;
mod random;
mod received;
mod refusals;
mod reply;
mod route;
mod rows;
mod server;
mod settings;
mod source;
mod state;
mod stats;
mod token_replies;
mod tokens;
mod trace;
mod xml;

pub use apps::{AppSpec, DEFAULT_REDIRECT, Refreshing};
pub use describe::{DescribedApp, DescribedShop, Description};
pub use error::{GatewayError, GatewayResult};
pub use fault::{ErrorOrigin, FaultKind, FaultRule};
pub use options::{MOST_CHURN, Options};
pub use quotas::{QuotaPer, QuotaRule};
pub use server::Sandbox;
pub use settings::{OldRefreshToken, ReplyStyle};
pub use source::ReplySource;
