//! What becomes of new tokens when the answer, the store or the process is lost in between.

mod login;

use crate::refresh::{LIFE, Shop, settled, shop};
use crate::support::{FlakyStore, Home, Policy, all_events, as_name, log_in};
use sesame_core::{AccessToken, Clock as _, Error, ErrorKind};
use sesame_vault::{
    AccountState, CopyOptions, ImportedTokens, Keeper, KeeperOptions, LoginOptions, SystemClock, Vault,
    WarmPolicy,
    import::{ImportOptions, Table, TableFormat},
    store::{Notes, Sink},
};
use std::{
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

over_both! {
    #[tokio::test(flavor = "multi_thread")]
    a_refresh_cut_off_after_it_was_sent_is_reported_for_what_it_is,
    a_store_that_is_away_for_a_moment_loses_nothing,
    a_store_that_stays_away_sends_the_answer_to_the_sealed_journal,
    a_journal_entry_that_was_overtaken_overwrites_nothing,
    a_store_that_does_not_answer_is_not_waited_for,
    tokens_that_wait_for_an_account_of_another_store_stay,
    tokens_that_wait_go_with_an_account_that_is_logged_out,
    tokens_that_wait_go_with_a_shop_that_is_replaced,
    while_tokens_wait_that_cannot_be_read_nothing_is_spent,
    a_shop_that_was_given_up_meanwhile_is_said_to_be_back,
    files_of_processes_that_ended_are_removed_when_the_vault_is_opened,
    a_reply_that_was_not_written_to_its_end_hides_no_other,
    a_full_disk_before_the_call_spends_nothing,
    an_answer_that_can_be_kept_nowhere_is_said_loudly,
    without_room_for_the_answer_nothing_is_spent,
    the_room_for_the_answer_is_taken_before_the_call_and_given_back,
    another_process_that_refreshes_is_waited_for,
    a_journalled_answer_moves_into_the_store_by_itself,
    a_vault_of_many_accounts_is_never_read_at_once;
}

async fn a_refresh_cut_off_after_it_was_sent_is_reported_for_what_it_is() {
    let shop = shop(Policy::Dies).await;
    let handle = shop.vault.handle("shop").await.unwrap();
    shop.home.clock.advance_secs(LIFE + 5);
    // The gateway rotates, its answer is lost on the way.
    shop.home.transport.answer({
        let service = shop.service.clone();
        move |seen| {
            service.answer(seen)?;
            Err(Error::new(ErrorKind::Timeout, "no answer within 20 s").with_ambiguity(true))
        }
    });
    assert_eq!(shop.vault.token_of(&handle).await.unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(settled(&shop.vault, "shop").await.state, AccountState::NeedsRefresh);
    // It is tried once more with the old token, and only then given up, with the true reason.
    shop.home.clock.advance_secs(130);
    shop.home.transport.answer({
        let service = shop.service.clone();
        move |seen| service.answer(seen)
    });
    let error = shop.vault.token_of(&handle).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authorization);
    assert!(error.message().contains("was interrupted before its answer could be stored"), "{error}");

    // Where the old token lives on, the second try simply works.
    let shop = self::shop(Policy::Lives).await;
    let handle = shop.vault.handle("shop").await.unwrap();
    shop.home.clock.advance_secs(LIFE + 5);
    shop.home.transport.answer({
        let service = shop.service.clone();
        move |seen| {
            service.answer(seen)?;
            Err(Error::new(ErrorKind::Timeout, "no answer within 20 s").with_ambiguity(true))
        }
    });
    assert!(shop.vault.token_of(&handle).await.is_err());
    shop.home.clock.advance_secs(130);
    shop.home.transport.answer({
        let service = shop.service.clone();
        move |seen| service.answer(seen)
    });
    assert!(shop.vault.token_of(&handle).await.is_ok());
}

async fn flaky(shop: &Shop) -> (Arc<FlakyStore>, Vault) {
    let store = Arc::new(FlakyStore::over(shop.home.store().await));
    let vault = Vault::open_with(shop.home.options(), store.clone()).await.unwrap();
    (store, vault)
}

async fn a_store_that_is_away_for_a_moment_loses_nothing() {
    let shop = shop(Policy::Dies).await;
    let (store, vault) = flaky(&shop).await;
    store.fail_replace.store(2, Ordering::SeqCst);
    let account = vault.refresh("shop").await.unwrap();
    assert_eq!(account.generation, 2);
    assert!(shop.home.waiting().is_empty());
    vault.close().await;
    shop.vault.close().await;
    assert_eq!(std::fs::read_dir(shop.home.journal()).unwrap().count(), 0, "the room was given back");
}

async fn a_store_that_stays_away_sends_the_answer_to_the_sealed_journal() {
    let shop = shop(Policy::Dies).await;
    let (store, vault) = flaky(&shop).await;
    let handle = vault.handle("shop").await.unwrap();
    store.fail_replace.store(usize::MAX, Ordering::SeqCst);
    shop.home.clock.advance_secs(LIFE + 5);
    let token = vault.token_of(&handle).await.unwrap();
    assert_eq!((token.access.expose(), token.generation), (shop.service.access().as_str(), 2));
    let journal = shop.home.journal();
    let bytes = crate::support::all_bytes(&journal);
    assert_eq!(shop.home.waiting().len(), 1);
    for secret in ["planted0access0", "planted0refresh0"] {
        assert!(!crate::support::contains(&bytes, secret), "{secret} stands in the journal");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        for file in std::fs::read_dir(&journal).unwrap() {
            assert_eq!(file.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(std::fs::metadata(&journal).unwrap().permissions().mode() & 0o777, 0o700);
    }
    // Nobody spends the dead token of the row while the journal holds a newer one.
    let error = vault.refresh("shop").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Local, "{error:?}");
    assert_eq!(shop.service.refreshes(), 1);

    // Another process opens the vault when the store is back.
    let other = shop.home.open().await;
    let account = other.account("shop").await.unwrap();
    assert_eq!((account.generation, account.state), (2, AccountState::Healthy));
    assert!(shop.home.waiting().is_empty());
    let handle = other.handle("shop").await.unwrap();
    assert_eq!(other.token_of(&handle).await.unwrap().access.expose(), shop.service.access());

    // And this one goes on from there, too.
    store.fail_replace.store(0, Ordering::SeqCst);
    assert_eq!(vault.refresh("shop").await.unwrap().generation, 3);
    assert_eq!(shop.service.refreshes(), 2);
}

async fn a_journal_entry_that_was_overtaken_overwrites_nothing() {
    let shop = shop(Policy::Lives).await;
    let (store, vault) = flaky(&shop).await;
    let handle = vault.handle("shop").await.unwrap();
    store.fail_replace.store(usize::MAX, Ordering::SeqCst);
    shop.home.clock.advance_secs(LIFE + 5);
    vault.token_of(&handle).await.unwrap();
    // A login stores newer tokens while the journal cannot be replayed: hide it meanwhile.
    let waiting = shop.home.waiting().pop().unwrap();
    let hidden = waiting.with_extension("hidden");
    std::fs::rename(&waiting, &hidden).unwrap();
    log_in(&shop.vault, "lazada", as_name("shop")).await.unwrap();
    let newest = shop.service.access();
    std::fs::rename(&hidden, &waiting).unwrap();
    let other = shop.home.open().await;
    let handle = other.handle("shop").await.unwrap();
    assert_eq!(other.token_of(&handle).await.unwrap().access.expose(), newest);
    assert!(shop.home.waiting().is_empty());
}

/// Refreshes while the store takes no tokens; returns the file in which the answer waits.
async fn journal_an_answer(shop: &Shop) -> PathBuf {
    let (store, vault) = flaky(shop).await;
    store.fail_replace.store(usize::MAX, Ordering::SeqCst);
    vault.refresh("shop").await.unwrap();
    vault.close().await;
    shop.home.waiting().pop().unwrap()
}

async fn a_store_that_does_not_answer_is_not_waited_for() {
    let shop = shop(Policy::Dies).await;
    let (store, vault) = flaky(&shop).await;
    store.hang_replace.store(true, Ordering::SeqCst);
    let begun = std::time::Instant::now();
    let refreshing = {
        let vault = vault.clone();
        tokio::spawn(async move { vault.refresh("shop").await })
    };
    while shop.home.waiting().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(9), "the only copy of new tokens is in memory");
        SystemClock.sleep(Duration::from_millis(20)).await;
    }
    // The token is there before the store is.
    refreshing.await.unwrap().unwrap();
    let handle = vault.handle("shop").await.unwrap();
    assert_eq!(vault.token_of(&handle).await.unwrap().access.expose(), shop.service.access());
}

async fn tokens_that_wait_for_an_account_of_another_store_stay() {
    let shop = shop(Policy::Dies).await;
    let waiting = journal_an_answer(&shop).await;
    let store = shop.home.store().await;
    let row = store.account("shop").await.unwrap().unwrap();
    store.remove_account(row.account.id, &Notes::default()).await.unwrap();

    let vault = shop.home.open().await;
    let told = vault.take_warnings();
    assert!(told.iter().any(|notice| notice.text.contains("does not have")), "{told:?}");
    assert!(waiting.exists());
    let report = vault.check().await.unwrap();
    assert_eq!(report.findings.len(), 1, "{report:?}");
    assert_eq!(report.findings[0].name, waiting.display().to_string());
}

async fn tokens_that_wait_go_with_an_account_that_is_logged_out() {
    let shop = shop(Policy::Dies).await;
    journal_an_answer(&shop).await;
    shop.vault.remove_account("shop").await.unwrap();
    assert!(shop.home.waiting().is_empty());
}

async fn tokens_that_wait_go_with_a_shop_that_is_replaced() {
    let shop = shop(Policy::Dies).await;
    journal_an_answer(&shop).await;
    shop.service.become_seller("2002");
    let options = as_name("shop").replace_shop(true);
    log_in(&shop.vault, "lazada", options).await.unwrap();
    assert!(shop.home.waiting().is_empty());
}

async fn while_tokens_wait_that_cannot_be_read_nothing_is_spent() {
    let shop = shop(Policy::Dies).await;
    let waiting = journal_an_answer(&shop).await;
    // What cannot be read though it is there; as root there are no modes that forbid it.
    let aside = waiting.with_extension("aside");
    std::fs::rename(&waiting, &aside).unwrap();
    std::fs::create_dir(&waiting).unwrap();
    let calls = shop.home.transport.count();

    let error = shop.vault.refresh("shop").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Local);
    assert!(error.message().contains(waiting.to_str().unwrap()), "{error}");
    let handle = shop.vault.handle("shop").await.unwrap();
    shop.home.clock.advance_secs(LIFE + 5);
    assert!(shop.vault.token_of(&handle).await.is_err());
    let keeper = Keeper::new(shop.vault.clone(), KeeperOptions::default().warm(WarmPolicy::Always));
    let done = keeper.tick().await.unwrap().done;
    assert_eq!((done.refreshed, done.ended, done.deferred), (0, 0, 1), "{done:?}");
    let mut there = Home::new(shop.home.transport.clone());
    there.clock = shop.home.clock.clone();
    let error = shop.vault.copy_to(&there.open().await, CopyOptions::default(), &|_| {}).await.unwrap_err();
    assert!(error.message().contains(waiting.to_str().unwrap()), "{error}");
    assert_eq!(shop.home.transport.count(), calls);

    // Mended, it is found.
    std::fs::remove_dir(&waiting).unwrap();
    std::fs::rename(&aside, &waiting).unwrap();
    shop.vault.refresh("shop").await.unwrap();
    assert_eq!(shop.service.refreshes(), 2);
}

async fn a_shop_that_was_given_up_meanwhile_is_said_to_be_back() {
    let shop = shop(Policy::Dies).await;
    journal_an_answer(&shop).await;
    // Another machine has found the token of the row refused.
    let store = shop.home.store().await;
    let row = store.account("shop").await.unwrap().unwrap().authorization;
    store.exhaust(row.id, row.generation, "refused", 1, &Notes::default()).await.unwrap();

    let vault = shop.home.open().await;
    assert_eq!(vault.account("shop").await.unwrap().state, AccountState::Healthy);
    let events = all_events(store.as_ref(), Sink::Hook).await;
    assert_eq!(events.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>(), ["recovered"]);
}

async fn files_of_processes_that_ended_are_removed_when_the_vault_is_opened() {
    let shop = shop(Policy::Dies).await;
    let place = |name: &str, content: &[u8]| {
        let path = shop.home.journal().join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let (empty, draft) = (place("aa.log", &[0; 16_384]), place("bb.new", b""));
    let (alive, being_made) = (place("cc.log", &[0; 16_384]), place("dd.new", b""));
    let locks = [&alive, &being_made].map(|path| std::fs::File::open(path).unwrap());
    for file in &locks {
        file.try_lock().unwrap();
    }
    let waiting =
        place("ee.log", &crate::support::journal_file(shop.vault.account("shop").await.unwrap().id));
    let damaged = place("ff.log", &[9; 16_384]);
    shop.home.open().await;
    assert!(!empty.exists() && !draft.exists());
    for path in [alive, being_made, waiting, damaged] {
        assert!(path.exists(), "{}", path.display());
    }
}

/// A record is whole or is not there: a file that is cut off or torn anywhere before the header of a
/// record is written has none, and nothing that was written before it is lost.
async fn a_reply_that_was_not_written_to_its_end_hides_no_other() {
    let shop = shop(Policy::Dies).await;
    let file = journal_an_answer(&shop).await;
    let whole = std::fs::read(&file).unwrap();
    let length = usize::try_from(u64::from_le_bytes(whole[8..16].try_into().unwrap())).unwrap();
    let next = (32 + length).next_multiple_of(32);
    let mut torn = whole.clone();
    // The body of a second record, whose header never came.
    torn[next + 32..next + 32 + length].fill(0xA5);
    std::fs::write(&file, &torn).unwrap();
    assert!(shop.vault.check().await.unwrap().is_clean());
    assert!(shop.vault.check().await.unwrap().is_clean());
    assert_eq!(shop.vault.check().await.unwrap().waiting, 1);
    // What is cut within a record is damaged, and nothing is spent.
    for cut in [33, 32 + length / 2, 31 + length] {
        std::fs::write(&file, &whole[..cut]).unwrap();
        let error = shop.vault.refresh("shop").await.unwrap_err();
        assert!(error.message().contains("cannot be moved into the vault"), "{cut}: {error}");
        assert!(!shop.vault.check().await.unwrap().is_clean(), "{cut}");
    }
    for flipped in [32, 40, 31 + length] {
        let mut damaged = whole.clone();
        damaged[flipped] ^= 1;
        std::fs::write(&file, &damaged).unwrap();
        assert!(shop.vault.refresh("shop").await.is_err(), "{flipped}");
    }
    std::fs::write(&file, &whole).unwrap();
    assert_eq!(shop.service.refreshes(), 1);
    shop.vault.refresh("shop").await.unwrap();
    assert_eq!(shop.service.refreshes(), 2);
}

async fn a_full_disk_before_the_call_spends_nothing() {
    let shop = shop(Policy::Dies).await;
    let (store, vault) = flaky(&shop).await;
    store.fail_claim.store(1, Ordering::SeqCst);
    let error = vault.refresh("shop").await.unwrap_err();
    assert!(error.message().contains("disk is full"), "{error}");
    assert_eq!(shop.service.refreshes(), 0);
    assert_eq!(vault.refresh("shop").await.unwrap().generation, 2);
}

async fn an_answer_that_can_be_kept_nowhere_is_said_loudly() {
    let shop = shop(Policy::Lives).await;
    let (store, vault) = flaky(&shop).await;
    // While the answer is on its way, a file comes where the journal's directory was.
    let journal = shop.home.journal();
    shop.home.transport.answer({
        let (service, journal) = (shop.service.clone(), journal.clone());
        move |seen| {
            if journal.is_dir() {
                std::fs::remove_dir_all(&journal).unwrap();
                std::fs::write(&journal, b"").unwrap();
            }
            service.answer(seen)
        }
    });
    store.fail_replace.store(usize::MAX, Ordering::SeqCst);
    let error = vault.refresh("shop").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Local, "{error:?}");
    assert!(error.message().contains("neither to the vault nor to its journal"), "{error}");
    // The intent stands in the row, the lease is free; when the disk can be written again the old
    // token is tried once more, at once.
    store.fail_replace.store(0, Ordering::SeqCst);
    std::fs::remove_file(&journal).unwrap();
    let before = shop.home.clock.now();
    let account = vault.refresh("shop").await.unwrap();
    assert_eq!((account.generation, account.state), (2, AccountState::Healthy));
    assert_eq!(shop.home.clock.now(), before, "nobody waited for a lease");
}

async fn without_room_for_the_answer_nothing_is_spent() {
    let shop = shop(Policy::Dies).await;
    let journal = shop.home.journal();
    std::fs::remove_dir_all(&journal).unwrap();
    // A file where the journal's directory would be: no room can be taken, and what waits cannot be seen.
    std::fs::write(&journal, b"").unwrap();
    let calls = shop.home.transport.count();
    let error = shop.vault.refresh("shop").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Local, "{error:?}");
    assert!(error.message().contains("\"shop\" was not refreshed") && error.hint().is_some(), "{error}");
    let error = log_in(&shop.vault, "lazada", as_name("shop")).await.unwrap_err();
    assert!(error.message().contains("nothing was sent"), "{error}");
    assert_eq!(shop.home.transport.count(), calls);
    // No lease was taken: with the disk back it works at once.
    std::fs::remove_file(&journal).unwrap();
    let before = shop.home.clock.now();
    assert_eq!(shop.vault.refresh("shop").await.unwrap().generation, 2);
    assert_eq!(shop.home.clock.now(), before);
}

async fn the_room_for_the_answer_is_taken_before_the_call_and_given_back() {
    let shop = shop(Policy::Dies).await;
    shop.home.transport.close_gate();
    let vault = shop.vault.clone();
    let refreshing = tokio::spawn(async move { vault.refresh("shop").await });
    shop.home.transport.arrivals(2).await;
    let journal = shop.home.journal();
    let file = std::fs::read_dir(&journal).unwrap().next().unwrap().unwrap();
    assert!(file.metadata().unwrap().len() >= 16 << 10);
    shop.home.transport.open_gate();
    refreshing.await.unwrap().unwrap();
}

async fn another_process_that_refreshes_is_waited_for() {
    use sesame_vault::store::Claim;

    let shop = shop(Policy::Lives).await;
    let store = shop.home.store().await;
    let row = store.account("shop").await.unwrap().unwrap().authorization;
    let now = shop.home.clock.now().as_millisecond();
    let claim = Claim { id: row.id, generation: 1, owner: "other", now, until: now + 75_000, spending: b"x" };
    assert!(store.claim(claim).await.unwrap().is_some());
    shop.vault.take_warnings();
    assert_eq!(shop.vault.refresh("shop").await.unwrap().generation, 2);
    assert!(shop.home.clock.now().as_millisecond() >= now + 75_000);
    let warnings = shop.vault.take_warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].text.contains("another sesame process") && warnings[0].text.contains("at most 75 s"));
}

async fn a_journalled_answer_moves_into_the_store_by_itself() {
    let shop = shop(Policy::Dies).await;
    let (store, vault) = flaky(&shop).await;
    store.fail_replace.store(6, Ordering::SeqCst);
    shop.home.clock.advance_secs(LIFE + 5);
    let handle = vault.handle("shop").await.unwrap();
    assert_eq!(vault.token_of(&handle).await.unwrap().generation, 2);
    for _ in 0..200_000 {
        if vault.account("shop").await.unwrap().generation == 2 {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("the journal was not replayed");
}

async fn a_vault_of_many_accounts_is_never_read_at_once() {
    let shop = shop(Policy::Lives).await;
    // More than a page of them.
    let sellers: Vec<String> =
        (2_000..3_100).map(|seller| format!("s{seller},a{seller},r{seller},{seller}\n")).collect();
    let csv = format!("account,access_token,refresh_token,seller_id\n{}", sellers.concat());
    let mut options = ImportOptions::new("lazada").unwrap();
    options.app = Some("lazada".to_owned());
    let table = Table::read(csv.into(), TableFormat::Csv).unwrap();
    shop.vault.import_table(&table, &options).await.unwrap();
    let (store, vault) = flaky(&shop).await;
    for (seller, name) in
        [("3099", "s3099"), ("4000", "seller@example.com"), ("4001", "seller@example.com-lazada")]
    {
        shop.service.become_seller(seller);
        let accounts = log_in(&vault, "lazada", LoginOptions::default()).await.unwrap();
        assert_eq!((accounts.len(), accounts[0].name.as_str()), (1, name));
    }
    let error = vault.account("s3099x").await.unwrap_err();
    assert!(error.hint().unwrap().contains("Did you mean s3099?") && error.hint().unwrap().contains("more"));
    let tokens = |access: &str| ImportedTokens::default().access(AccessToken::new(access));
    for name in ["lazada", "lazada-2", "lazada-3"] {
        assert_eq!(vault.import_tokens("lazada", tokens(name)).await.unwrap().0.name, name);
    }
    assert_eq!(store.read_all.load(Ordering::SeqCst), 0);
}
