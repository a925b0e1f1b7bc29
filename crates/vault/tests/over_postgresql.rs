//! The vault's tests of logins, refreshes, lost answers, rekeys, copies, shared shops and secrets, over PostgreSQL. Where their homes keep the
//! vault is decided in `support`, by the name of this binary.
#![expect(clippy::duplicate_mod, reason = "each of them brings the doubles it needs")]

#[path = "copy.rs"]
mod copy;
#[path = "login.rs"]
mod login;
#[path = "lost_answers.rs"]
mod lost_answers;
#[path = "refresh.rs"]
mod refresh;
#[path = "rekey.rs"]
mod rekey;
#[path = "same_shop.rs"]
mod same_shop;
#[path = "secrets.rs"]
mod secrets;
