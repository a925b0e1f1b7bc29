//! Apps, accounts and tokens: OAuth logins, sealed storage, refreshes that lose nothing.
//!
//! | question | module |
//! |---|---|
//! | how a vault is opened and what it can do | [`Vault`] |
//! | how a seller authorizes an app | [`Login`], [`Callback`], [`Listener`] |
//! | who may use which token, and when it is refreshed | [`Vault::token`], [`AccountHandle`] |
//! | who keeps tokens alive that nobody asks for, and warns before they end | [`Keeper`] |
//! | where things are kept | [`store`] |
//! | how secrets are sealed, and where the master key lives | [`seal`] |
//!
//! The vault makes its few calls through [`sesame_core::Transport`] and knows nothing of the client
//! above it. Time, sleep and randomness come from [`sesame_core::Clock`].
//!
//! # Three rules that everything here serves
//! 1. A token that is still fresh is handed out without a lock and without a wait.
//! 2. One refresh at a time, in this process and among processes; its intent is durable before the
//!    call and its answer is durable before anyone sees it.
//! 3. Nothing is overwritten that is not understood: another shop's token, a newer file, a file
//!    sealed with another key.
#![warn(missing_docs)]

mod accounts;
mod app;
mod audit;
mod authorization;
mod check;
mod clock;
mod database;
mod delivery;
mod export;
mod fail_point;
mod handle;
mod handles;
mod id;
mod identity;
mod import;
mod imported;
mod journal;
mod keeper;
mod keys;
mod listener;
mod location;
mod login;
mod login_store;
mod lookup;
mod name;
mod oauth;
mod refresh;
mod rekey;
mod replay;
mod same_shop;
mod same_tokens;
mod schedule;
pub mod seal;
mod shops;
mod spend;
pub mod store;
mod tags;
mod take_over;
mod token;
mod uses;
mod vault;
mod warnings;

pub use accounts::{Account, AccountState, ImportedTokens, Listed};
pub use app::{App, DEFAULT_REDIRECT_URI, NewApp};
pub use audit::{AuditFilter, AuditLine};
pub use check::{CheckReport, Finding};
pub use clock::SystemClock;
pub use database::Database;
pub use delivery::{Deliverer, Delivery, DeliveryOptions, Webhook};
pub use export::Exported;
#[cfg(feature = "failpoints")]
pub use fail_point::on_fail_point;
pub use handle::AccountHandle;
pub use id::{AccountId, Id};
pub use imported::Imported;
pub use keeper::{Keeper, KeeperOptions, Tick, Totals};
pub use listener::Listener;
pub use location::Location;
pub use login::{Callback, Login, LoginOptions};
pub use rekey::Rekeyed;
pub use schedule::WarmPolicy;
pub use seal::{KeyChoice, KeyKind};
pub use sesame_tables as tables;
pub use take_over::TableOptions;
pub use token::Token;
pub use vault::{Notice, Vault, VaultOptions};
