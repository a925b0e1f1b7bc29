//! The vault's tests, in one program. Those of crashes are beside it: they start it as another process.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]
#![allow(unreachable_pub, dead_code, reason = "doubles that not every build uses")]

/// Makes two tests of each function, one over SQLite and one over PostgreSQL.
macro_rules! over_both {
    ($(#[$test:meta] $($name:ident),+;)+) => {
        mod sqlite {
            $($(
                #[$test]
                async fn $name() {
                    crate::support::with_storage(crate::support::Storage::Sqlite, super::$name()).await;
                }
            )+)+
        }

        mod postgresql {
            $($(
                #[$test]
                async fn $name() {
                    crate::support::with_storage(crate::support::Storage::Postgres, super::$name()).await;
                }
            )+)+
        }
    };
}

mod app_secrets;
mod conformance;
mod copy;
mod damage;
mod dedup_by_token;
mod delivery;
mod ends;
mod fresh_path;
mod import;
mod keeper;
#[cfg(feature = "keyring")]
mod keyring;
mod login;
mod lost_answers;
mod open;
mod postgres;
mod refresh;
mod refused_for_good;
mod rekey;
mod same_shop;
mod sandbox;
mod sealing;
mod secrets;
mod simulation;
mod support;
mod trail;
