//! The suite: functions over a place where stores can be opened, several of one vault at once.
pub mod accounts;
pub mod keys;
pub mod notes;
pub mod rows;
pub mod tokens;
pub mod work;

use std::sync::Arc;

use sesame_core::BoxFuture;
use sesame_testing::postgres;
use sesame_vault::{
    Location,
    store::{SqlStore, Store},
};

/// A new vault that can be opened as often as wanted: each opening stands for a process.
pub trait Place: Send + Sync {
    fn open(&self) -> BoxFuture<'_, Arc<dyn Store>>;
}

/// Makes a module with a test for each function of the suite.
macro_rules! run_all {
    ($store:ident, $place:expr) => {
        mod $store {
            use super::*;

            run_all!(@each $place;
                accounts: apps_and_accounts_come_back_as_they_were, names_are_taken_once_and_nothing_is_written, accounts_follow_their_app_into_another_region,
                a_batch_of_a_thousand_rows, pages_of_accounts, rows_point_to_rows,
                an_account_moves_and_its_former_authorization_goes, shops_are_found_by_their_ids, logins_wait_and_are_forgotten,
                two_that_take_the_last_accounts_away;
                keys: a_vault_gets_its_first_key_once, keys_are_compared_and_set, values_are_sealed_anew_where_still_the_same;
                notes: events_reach_each_sink_once, events_of_one_shop_keep_their_order, two_deliverers_share_events, the_audit_trail_is_read_newest_first,
                notes_are_forgotten, odd_texts_are_kept_or_replaced;
                tokens: one_of_many_claims_wins, a_lease_is_fenced, tokens_are_compared_and_set,
                one_of_many_writes_wins, many_answers_at_once, one_bad_answer_spoils_no_other,
                failures_are_written_under_the_lease, exhaustion_is_told_once, what_was_given_up_is_named, what_is_used_becomes_due,
                an_interrupted_refresh_is_remembered;
                work: due_rows_are_handed_out_once_the_longest_due_first, due_rows_in_a_crowd, absurd_leases_are_none, plans_that_lie_too_far_ahead_are_due_now,
                intents_only_under_the_own_lease, plans_give_leases_back, the_next_due_row,
                rows_due_too_late_are_pulled_forward, a_store_that_is_new_has_nothing, a_new_vault_made_by_many_at_once;
            );
        }
    };
    (@each $place:expr; $($module:ident: $($name:ident),+;)+) => {
        $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                crate::conformance::$module::$name(&$place).await;
            }
        )+)+
    };
}

async fn open(location: &Location) -> Arc<dyn Store> {
    Arc::new(SqlStore::open(location).await.unwrap())
}

struct SqliteFile(tempfile::TempDir);

impl Place for SqliteFile {
    fn open(&self) -> BoxFuture<'_, Arc<dyn Store>> {
        Box::pin(async { open(&Location::Sqlite(self.0.path().join("vault.db"))).await })
    }
}

struct FreshDatabase(Location);

impl Place for FreshDatabase {
    fn open(&self) -> BoxFuture<'_, Arc<dyn Store>> {
        Box::pin(open(&self.0))
    }
}

run_all!(sqlite, SqliteFile(tempfile::tempdir().unwrap()));
run_all!(postgresql, FreshDatabase(postgres::Server::shared().database().by_socket.parse().unwrap()));
