//! Apps, accounts and tokens: OAuth logins, sealed storage, refreshes that lose nothing.
//!
//! | question | module |
//! |---|---|
//! | how a vault is opened and what it can do | [`Vault`] |
//! | how a seller authorizes an app | [`Login`], [`Callback`], [`Listener`] |
//! | how to get an access token, and when it is refreshed | [`Vault::token`], [`AccountHandle`] |
//! | how tokens are kept alive in the background, with warnings before they end | [`Keeper`] |
//! | where things are kept | [`store`] |
//! | how tokens of other programs come in | [`import`] |
//! | how secrets are sealed, and where the master key lives | [`seal`] |
//!
//! The vault makes its few calls through [`sesame_core::Transport`] and knows nothing of the client
//! above it. Time, sleep and randomness come from [`sesame_core::Clock`].
//!
//! # Guarantees
//! 1. A token that is still fresh is handed out without a lock and without a wait.
//! 2. One refresh at a time, in this process and among processes; its intent is durable before the
//!    call and its answer is durable before anyone sees it.
//! 3. Nothing is overwritten that is not understood: another shop's token, a newer file, a file
//!    sealed with another key.
#![warn(missing_docs)]

#[cfg(not(any(feature = "sqlite", feature = "postgres")))]
compile_error!("sesame-vault needs the feature `sqlite` or `postgres`");

mod accounts;
mod check;
mod clock;
mod copy;
mod database;
mod delivery;
mod events;
mod fail_point;
pub mod import;
mod keeper;
mod location;
mod login;
mod model;
mod oauth;
mod ownership;
mod refresh;
mod rekey;
mod schedule;
pub mod seal;
pub mod store;
mod vault;

pub use accounts::{
    Account, AccountHandle, AccountState, App, AppEdit, DEFAULT_REDIRECT_URI, ImportedTokens, Listed, NewApp,
};
pub use check::{CheckReport, Finding};
pub use clock::SystemClock;
pub use copy::{Copied, CopyOptions};
pub use database::Database;
pub use delivery::{Deliverer, Delivery, DeliveryOptions, Webhook};
pub use events::{AuditFilter, AuditLine};
#[cfg(feature = "failpoints")]
pub use fail_point::on_fail_point;
pub use keeper::{Keeper, KeeperOptions, Tick, Totals};
pub use location::Location;
pub use login::{Browser, Callback, Listener, Login, LoginOptions};
pub use model::{AccountId, Id, Token, Warning};
pub use ownership::ensure_private;
pub use rekey::Rekeyed;
pub use schedule::WarmPolicy;
pub use seal::{KeyChoice, KeyKind};
pub use vault::{Vault, VaultOptions};
