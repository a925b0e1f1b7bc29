//! One shop is one authorization, whichever way it came in; and each account stays the shop that it is.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use crate::support::{FakeTransport, Home, SECRET, Seen, add_app, app, as_name, log_in, named_app, reply};
use sesame_core::{AccessToken, AppSecret, Clock as _, ErrorKind, RefreshToken};
use sesame_vault::{Account, CopyOptions, ImportedTokens, LoginOptions, NewApp, Vault, store::Claim};

over_both! {
    #[tokio::test]
    an_account_that_becomes_a_known_shop_shares_its_tokens,
    an_app_key_that_was_added_twice_has_one_authorization_of_a_shop,
    imported_tokens_that_turn_out_to_be_of_a_known_shop_join_it,
    a_pair_that_lives_longer_is_kept_and_a_person_hears_of_it,
    a_shop_that_is_being_refreshed_is_joined_later,
    a_shop_that_another_process_refreshes_is_joined_later,
    an_approval_of_one_country_turns_no_other_account_into_that_shop,
    the_mark_of_a_cross_border_seller_is_no_country,
    a_country_that_was_logged_out_does_not_come_back_unasked,
    a_country_that_is_learned_tells_the_host,
    a_region_that_a_person_chose_stays,
    a_copy_finds_a_shop_under_another_app_of_the_same_key;
}

/// The token service of TOP: an app has one session of a user, and the next one ends it.
#[derive(Clone)]
struct Top(Arc<Mutex<TopState>>);

struct TopState {
    /// Who approves.
    user: u32,
    number: u32,
    /// The live pair of each user.
    live: BTreeMap<u32, u32>,
    /// Whose each pair is.
    owners: BTreeMap<u32, u32>,
    /// How long a refresh token lives that a refresh brings.
    refreshed_life: u32,
}

fn session(number: u32) -> String {
    format!("6200planted0session{number:04}")
}

fn refresh_token(number: u32) -> String {
    format!("6201planted0refresh{number:04}")
}

impl Top {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(TopState {
            user: 1,
            number: 0,
            live: BTreeMap::new(),
            owners: BTreeMap::new(),
            refreshed_life: 172_800,
        })))
    }

    fn transport(&self) -> FakeTransport {
        let top = self.clone();
        FakeTransport::new(move |seen| Ok(top.answer(seen)))
    }

    fn become_user(&self, user: u32) {
        self.0.lock().unwrap().user = user;
    }

    /// A pair that another program got.
    fn elsewhere(&self, user: u32) -> ImportedTokens {
        let number = self.0.lock().unwrap().begin(user);
        ImportedTokens::default()
            .access(AccessToken::new(session(number)))
            .refresh(RefreshToken::new(refresh_token(number)))
            .account_name("imported")
    }

    fn session_of(&self, user: u32) -> String {
        session(self.0.lock().unwrap().live[&user])
    }

    fn answer(&self, seen: &Seen) -> sesame_core::HttpResponse {
        let mut state = self.0.lock().unwrap();
        let (user, life) = match seen.form.get("refresh_token") {
            None => (state.user, 172_800),
            // What a refresh ends is the other session, not the other refresh token.
            Some(given) => {
                let known = state.owners.iter().find(|(number, _)| *given == refresh_token(**number));
                let Some((_, user)) = known else {
                    return reply(400, r#"{"error":"invalid_grant","error_description":"unknown"}"#);
                };
                (*user, state.refreshed_life)
            }
        };
        let number = state.begin(user);
        reply(
            200,
            format!(
                r#"{{"access_token":"{}","token_type":"Bearer","expires_in":86400,"refresh_token":"{}","re_expires_in":{life},"taobao_user_nick":"shop{user}","taobao_user_id":"{user}"}}"#,
                session(number),
                refresh_token(number),
            ),
        )
    }
}

impl TopState {
    /// Begins a session, which ends the former one of that user.
    fn begin(&mut self, user: u32) -> u32 {
        self.number += 1;
        self.live.insert(user, self.number);
        self.owners.insert(self.number, user);
        self.number
    }
}

async fn taobao() -> (Home, Top, Vault) {
    let top = Top::new();
    let home = Home::new(top.transport());
    let vault = home.open().await;
    (home, top, vault)
}

async fn token(vault: &Vault, account: &str) -> String {
    let handle = vault.handle(account).await.unwrap();
    vault.token_of(&handle).await.unwrap().access.expose().to_owned()
}

fn names(accounts: &[Account]) -> Vec<&str> {
    accounts.iter().map(|account| account.name.as_str()).collect()
}

fn replacing(name: &str) -> LoginOptions {
    as_name(name).replace_shop(true)
}

async fn an_account_that_becomes_a_known_shop_shares_its_tokens() {
    let (_home, top, vault) = taobao().await;
    app(&vault, "taobao").await;
    log_in(&vault, "taobao", as_name("A")).await.unwrap();
    top.become_user(2);
    log_in(&vault, "taobao", as_name("B")).await.unwrap();
    let accounts = log_in(&vault, "taobao", replacing("A")).await.unwrap();
    assert_eq!(names(&accounts), ["A", "B"]);
    assert!(accounts.iter().all(|account| account.shop_id.as_deref() == Some("2")), "{accounts:?}");
    assert_eq!(vault.accounts_sharing("A").await.unwrap(), ["B"]);
    for refreshed in ["A", "B", "A"] {
        vault.refresh(refreshed).await.unwrap();
        for account in ["A", "B"] {
            assert_eq!(token(&vault, account).await, top.session_of(2), "{account} after {refreshed}");
        }
    }
    assert!(vault.check().await.unwrap().is_clean());
}

async fn an_app_key_that_was_added_twice_has_one_authorization_of_a_shop() {
    let (home, top, vault) = taobao().await;
    named_app(&vault, "taobao", "first").await;
    named_app(&vault, "taobao", "second").await;
    log_in(&vault, "first", as_name("a")).await.unwrap();
    let accounts = log_in(&vault, "second", as_name("b")).await.unwrap();
    assert_eq!(names(&accounts), ["a", "b"]);
    assert_eq!((accounts[0].app.as_str(), accounts[1].app.as_str()), ("first", "second"));
    for refreshed in ["a", "b"] {
        vault.refresh(refreshed).await.unwrap();
        assert_eq!(token(&vault, "a").await, top.session_of(1));
        assert_eq!(token(&vault, "b").await, top.session_of(1));
    }
    // Without a name it is found, and nothing is added.
    assert_eq!(log_in(&vault, "second", LoginOptions::default()).await.unwrap().len(), 2);
    vault.close().await;

    // A sandbox has shops of its own, whatever they are called.
    let sandboxed = sesame_vault::Vault::open(home.sandboxed()).await.unwrap();
    named_app(&sandboxed, "taobao", "toy").await;
    let toys = log_in(&sandboxed, "toy", as_name("c")).await.unwrap();
    assert_eq!(names(&toys), ["c"]);
    assert!(sandboxed.accounts_sharing("c").await.unwrap().is_empty());
}

async fn imported_tokens_that_turn_out_to_be_of_a_known_shop_join_it() {
    let (_home, top, vault) = taobao().await;
    app(&vault, "taobao").await;
    let imported = top.elsewhere(1);
    vault.import_tokens("taobao", imported).await.unwrap();
    log_in(&vault, "taobao", as_name("known")).await.unwrap();
    assert!(vault.accounts_sharing("known").await.unwrap().is_empty(), "nobody can know yet");
    vault.refresh("imported").await.unwrap();
    assert_eq!(vault.accounts_sharing("known").await.unwrap(), ["imported"]);
    for refreshed in ["known", "imported"] {
        vault.refresh(refreshed).await.unwrap();
        assert_eq!(token(&vault, "known").await, top.session_of(1));
        assert_eq!(token(&vault, "imported").await, top.session_of(1));
    }
    assert!(vault.check().await.unwrap().is_clean());
}

/// A refresh token that lives longer is not thrown away for one that lives shorter: a person decides.
async fn a_pair_that_lives_longer_is_kept_and_a_person_hears_of_it() {
    let (_home, top, vault) = taobao().await;
    app(&vault, "taobao").await;
    vault.import_tokens("taobao", top.elsewhere(1)).await.unwrap();
    log_in(&vault, "taobao", as_name("known")).await.unwrap();
    top.0.lock().unwrap().refreshed_life = 90_000;
    for _ in 0..2 {
        vault.refresh("imported").await.unwrap();
        assert!(vault.accounts_sharing("known").await.unwrap().is_empty());
        let account = vault.account("imported").await.unwrap();
        let said = account.last_error.expect("it stays to be seen");
        assert!(said.contains("known") && said.contains("one shop") && said.contains("--as"), "{said}");
        assert_eq!(account.state.as_str(), "healthy");
        assert_eq!(token(&vault, "imported").await, top.session_of(1));
    }
    // What the note says helps.
    log_in(&vault, "taobao", as_name("imported")).await.unwrap();
    assert_eq!(vault.accounts_sharing("imported").await.unwrap(), ["known"]);
    assert_eq!(vault.account("imported").await.unwrap().last_error, None);
    assert_eq!(token(&vault, "known").await, top.session_of(1));
}

/// Which pair is the better one is not known while both are fetched: nothing is thrown away then.
async fn a_shop_that_is_being_refreshed_is_joined_later() {
    let (home, top, vault) = taobao().await;
    app(&vault, "taobao").await;
    vault.import_tokens("taobao", top.elsewhere(1)).await.unwrap();
    log_in(&vault, "taobao", as_name("known")).await.unwrap();
    let first = home.transport.count();
    home.transport.close_gate();
    let refreshing = {
        let vault = vault.clone();
        tokio::spawn(async move { vault.refresh("known").await })
    };
    home.transport.arrivals(first + 1).await;
    home.transport.leave_gate();
    vault.refresh("imported").await.unwrap();
    let account = vault.account("imported").await.unwrap();
    assert!(account.last_error.is_some_and(|said| said.contains("known")), "a person could see it");
    assert!(vault.accounts_sharing("known").await.unwrap().is_empty());
    home.transport.open_gate();
    refreshing.await.unwrap().unwrap();
    vault.refresh("imported").await.unwrap();
    assert_eq!(vault.accounts_sharing("known").await.unwrap(), ["imported"]);
    for account in ["known", "imported"] {
        assert_eq!(token(&vault, account).await, top.session_of(1));
    }
}

/// The same between processes: a lease that another one holds is respected.
async fn a_shop_that_another_process_refreshes_is_joined_later() {
    let (home, top, vault) = taobao().await;
    app(&vault, "taobao").await;
    vault.import_tokens("taobao", top.elsewhere(1)).await.unwrap();
    log_in(&vault, "taobao", as_name("known")).await.unwrap();
    let store = home.store().await;
    let row = store.account("known").await.unwrap().unwrap().authorization;
    let now = home.clock.now().as_millisecond();
    let claim = Claim {
        id: row.id,
        generation: row.generation,
        owner: "somebody",
        now,
        until: now + 60_000,
        spending: b"x",
    };
    store.claim(claim).await.unwrap().unwrap();
    vault.refresh("imported").await.unwrap();
    assert!(vault.accounts_sharing("known").await.unwrap().is_empty());
    assert!(vault.account("imported").await.unwrap().last_error.is_some());
    home.clock.advance_secs(61);
    vault.refresh("imported").await.unwrap();
    assert_eq!(vault.accounts_sharing("known").await.unwrap(), ["imported"]);
    store.close().await;
}

const CROSS_BORDER: &str = r#"{"access_token":"50000planted0access1","refresh_token":"50001planted0refresh1","country":"cb","account":"cb@x.com","expires_in":259200,"refresh_expires_in":2592000,"country_user_info":[{"country":"sg","seller_id":"3300200016"},{"country":"my","seller_id":"13300200016"}],"code":"0"}"#;
const SINGAPORE: &str = r#"{"access_token":"50000planted0access2","refresh_token":"50001planted0refresh2","country":"sg","account":"cb@x.com","expires_in":259200,"refresh_expires_in":2592000,"country_user_info":[{"country":"sg","seller_id":"3300200016"}],"code":"0"}"#;
const NO_LIST: &str = r#"{"access_token":"50000planted0access3","refresh_token":"50001planted0refresh3","country":"cb","account":"cb@x.com","expires_in":259200,"refresh_expires_in":2592000,"code":"0"}"#;

async fn cross_border() -> (Home, Vault) {
    let home = Home::new(FakeTransport::json(CROSS_BORDER));
    let vault = home.open().await;
    app(&vault, "lazada").await;
    log_in(&vault, "lazada", as_name("x")).await.unwrap();
    (home, vault)
}

fn whose(account: &Account) -> (&str, &str, &str) {
    (
        account.shop_id.as_deref().unwrap_or("-"),
        account.country.as_deref().unwrap_or("-"),
        account.region.as_deref().unwrap_or("-"),
    )
}

const SG: (&str, &str, &str) = ("3300200016", "sg", "sg");
const MY: (&str, &str, &str) = ("13300200016", "my", "my");

async fn an_approval_of_one_country_turns_no_other_account_into_that_shop() {
    let (home, vault) = cross_border().await;
    let before = vault.account("x-my").await.unwrap();
    home.transport.answer(|_| Ok(reply(200, SINGAPORE)));
    let error = log_in(&vault, "lazada", as_name("x-my")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authorization);
    assert!(error.message().contains("my") && error.message().contains("sg"), "{error}");
    assert!(error.hint().unwrap().contains("--replace-shop"), "{error:?}");
    assert_eq!(vault.account("x-my").await.unwrap(), before, "nothing was overwritten");
    assert_eq!(token(&vault, "x-my").await, "50000planted0access1");

    // The account of that country is renewed; the other one stays what it is, and people hear of it.
    vault.take_warnings();
    log_in(&vault, "lazada", as_name("x-sg")).await.unwrap();
    assert_eq!(token(&vault, "x-sg").await, "50000planted0access2");
    assert_eq!(whose(&vault.account("x-sg").await.unwrap()), SG);
    assert_eq!(whose(&vault.account("x-my").await.unwrap()), MY);
    let notices = vault.take_warnings();
    assert!(notices.iter().any(|notice| notice.text.contains("x-my")), "{notices:?}");

    // Told to, it becomes that shop.
    let accounts = log_in(&vault, "lazada", replacing("x-my")).await.unwrap();
    assert_eq!(names(&accounts), ["x-my", "x-sg"]);
    assert_eq!(whose(&vault.account("x-my").await.unwrap()), SG);
    assert!(vault.check().await.unwrap().is_clean());
}

async fn the_mark_of_a_cross_border_seller_is_no_country() {
    let (home, vault) = cross_border().await;
    home.transport.answer(|_| Ok(reply(200, NO_LIST)));
    log_in(&vault, "lazada", as_name("x-my")).await.unwrap();
    assert_eq!(token(&vault, "x-sg").await, "50000planted0access3");
    assert_eq!(whose(&vault.account("x-sg").await.unwrap()), SG);
    assert_eq!(whose(&vault.account("x-my").await.unwrap()), MY);

    // Nor is it one of a seller who is new, and one that was written down is replaced.
    let home = Home::new(FakeTransport::json(NO_LIST));
    let vault = home.open().await;
    app(&vault, "lazada").await;
    let accounts = log_in(&vault, "lazada", as_name("new")).await.unwrap();
    assert_eq!(accounts[0].country, None);
    home.sql("UPDATE account SET country = 'cb'").await;
    home.transport.answer(|_| Ok(reply(200, SINGAPORE)));
    log_in(&vault, "lazada", as_name("new")).await.unwrap();
    assert_eq!(whose(&vault.account("new").await.unwrap()), SG);
}

async fn a_country_that_was_logged_out_does_not_come_back_unasked() {
    let (home, vault) = cross_border().await;
    vault.remove_account("x-my").await.unwrap();
    let accounts = log_in(&vault, "lazada", as_name("x-sg")).await.unwrap();
    assert_eq!(names(&accounts), ["x-sg"]);
    // One that is new does come.
    let more = CROSS_BORDER
        .replace("}],", r#"},{"country":"TH","seller_id":"23300200016"}],"#)
        .replace("access1", "access4");
    home.transport.answer(move |_| Ok(reply(200, more.clone())));
    let accounts = log_in(&vault, "lazada", as_name("x-sg")).await.unwrap();
    assert_eq!(names(&accounts), ["x-sg", "x-sg-th"]);
    // So does the other one, under a name that was asked for.
    let accounts = log_in(&vault, "lazada", as_name("y")).await.unwrap();
    assert_eq!(names(&accounts), ["x-sg", "x-sg-th", "y-my"]);
}

const VIETNAM: &str = r#"{"access_token":"50000planted0access5","refresh_token":"50001planted0refresh5","country":"vn","account":"vn@x.com","expires_in":259200,"refresh_expires_in":2592000,"country_user_info":[{"country":"VN","seller_id":"500"}],"code":"0"}"#;

fn imported(name: &str) -> ImportedTokens {
    ImportedTokens::default()
        .access(AccessToken::new("50000planted0access0"))
        .refresh(RefreshToken::new(format!("50001planted0{name}")))
        .account_name(name)
}

async fn host(vault: &Vault, account: &str) -> String {
    vault.handle(account).await.unwrap().urls().api.clone()
}

async fn a_country_that_is_learned_tells_the_host() {
    for (by_login, id_is_known) in [(false, false), (true, false), (false, true)] {
        let home = Home::new(FakeTransport::json(VIETNAM));
        let vault = home.open().await;
        app(&vault, "lazada").await;
        vault.import_tokens("lazada", imported("shop")).await.unwrap();
        if id_is_known {
            // As out of a table: an id, and no country.
            home.sql(r#"UPDATE authorizations SET identity = '{"ids":{"seller_id":"500"}}'"#).await;
        }
        assert_eq!(host(&vault, "shop").await, "https://api.lazada.sg", "nobody knows better yet");
        let other = home.open().await;
        host(&other, "shop").await;
        if by_login {
            log_in(&vault, "lazada", as_name("shop")).await.unwrap();
        } else {
            vault.refresh("shop").await.unwrap();
        }
        assert_eq!(whose(&vault.account("shop").await.unwrap()), ("500", "vn", "vn"));
        assert_eq!(host(&vault, "shop").await, "https://api.lazada.vn", "at once; by login: {by_login}");
        home.clock.advance_secs(61);
        assert_eq!(host(&other, "shop").await, "https://api.lazada.vn", "with the next look");
    }
}

async fn a_region_that_a_person_chose_stays() {
    let home = Home::new(FakeTransport::json(VIETNAM));
    let vault = home.open().await;
    let chosen = NewApp::new("lazada", "500100", AppSecret::new(SECRET)).region("my");
    vault.add_app(chosen).await.unwrap();
    vault.import_tokens("lazada", imported("shop")).await.unwrap();
    vault.refresh("shop").await.unwrap();
    assert_eq!(whose(&vault.account("shop").await.unwrap()), ("500", "vn", "my"));
    log_in(&vault, "lazada", as_name("shop")).await.unwrap();
    assert_eq!(host(&vault, "shop").await, "https://api.lazada.com.my");

    // Of the login, where the account has none.
    let home = Home::new(FakeTransport::json(VIETNAM));
    let vault = home.open().await;
    add_app(&vault, "lazada", None).await;
    vault.import_tokens("lazada", imported("shop")).await.unwrap();
    let options = as_name("shop").region("th");
    log_in(&vault, "lazada", options).await.unwrap();
    assert_eq!(host(&vault, "shop").await, "https://api.lazada.co.th");
}

/// The target has the shop under another app of the same key.
async fn a_copy_finds_a_shop_under_another_app_of_the_same_key() {
    let (source, _, from) = taobao().await;
    app(&from, "taobao").await;
    log_in(&from, "taobao", as_name("shop")).await.unwrap();

    let mut home = Home::new(Top::new().transport());
    home.clock = source.clock.clone();
    let vault = home.open().await;
    named_app(&vault, "taobao", "first").await;
    named_app(&vault, "taobao", "second").await;
    log_in(&vault, "second", as_name("mine")).await.unwrap();
    let done = from.copy_to(&vault, CopyOptions::default(), &|_| {}).await.unwrap();
    assert_eq!((done.accounts, done.left_alone), (0, 1), "{done:?}");
    assert_eq!(vault.accounts().await.unwrap().len(), 1);
}
