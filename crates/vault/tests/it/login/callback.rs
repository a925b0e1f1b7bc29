//! Callback addresses, codes and the listener that takes them.

use super::lazada;
use crate::support::{FakeTransport, Home, app, as_name, callback, log_in, reply};
use sesame_core::{AuthCode, ErrorKind};
use sesame_vault::Callback;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

over_both! {
    #[tokio::test]
    wrong_callbacks_spend_nothing_and_say_what_is_wrong,
    a_callback_may_be_handed_to_a_later_process_but_not_reused,
    used_and_late_codes_are_told_apart_and_the_code_is_not_repeated,
    a_wrong_secret_is_not_blamed_on_the_code;
    #[tokio::test(flavor = "multi_thread")]
    the_listener_waits_through_strays_and_takes_the_one_callback,
    localhost_is_listened_on_at_both_addresses_or_not_at_all,
    the_listener_gives_up_after_a_quarter_of_an_hour;
}

async fn wrong_callbacks_spend_nothing_and_say_what_is_wrong() {
    let shop = lazada().await;
    let login = shop.vault.begin_login("lazada", as_name("x")).await.unwrap();
    let here = &login.redirect_uri;
    for (url, kind, words) in [
        (format!("{here}?code=c&state=0000"), ErrorKind::Usage, "state"),
        (format!("{here}?code=c"), ErrorKind::Usage, "no state"),
        (
            format!("http://127.0.0.1:9/callback?code=c&state={}", login.state),
            ErrorKind::Usage,
            "somewhere else",
        ),
        (format!("{here}?state={}", login.state), ErrorKind::Authorization, "did not approve"),
        (
            format!("{here}?error=access_denied&state={}", login.state),
            ErrorKind::Authorization,
            "access_denied",
        ),
        ("hello://".to_owned(), ErrorKind::Usage, "not a callback"),
    ] {
        let error = shop.vault.finish_login(&login, Callback::Url(url.clone())).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{url}: {error}");
        assert!(error.message().contains(words), "{url}: {error}");
        assert!(error.hint().is_some(), "{url}");
    }
    for code in ["", "a b", "a\nb"] {
        assert!(shop.vault.finish_login(&login, Callback::Code(AuthCode::new(code))).await.is_err());
    }
    assert_eq!(shop.home.transport.count(), 0);
    assert!(shop.vault.accounts().await.unwrap().is_empty());
    shop.vault.finish_login(&login, callback(&login, "c")).await.unwrap();
}

async fn a_callback_may_be_handed_to_a_later_process_but_not_reused() {
    let shop = lazada().await;
    let first = shop.vault.begin_login("lazada", as_name("x")).await.unwrap();
    // `sesame login lazada --callback-url URL`, run afterwards: it begins a login of its own.
    let vault = shop.home.open().await;
    let second = vault.begin_login("lazada", as_name("x")).await.unwrap();
    assert_ne!(first.state, second.state);
    vault.finish_login(&second, callback(&first, "c")).await.unwrap();
    let error = vault.finish_login(&second, callback(&first, "c")).await.unwrap_err();
    assert!(error.message().contains("was used already"), "{error}");
    // Nor after two hours.
    let old = vault.begin_login("lazada", as_name("x")).await.unwrap();
    shop.home.clock.advance_secs(2 * 3_600 + 1);
    let new = vault.begin_login("lazada", as_name("x")).await.unwrap();
    assert!(vault.finish_login(&new, callback(&old, "c")).await.is_err());
    // Nor for another app.
    app(&vault, "daraz").await;
    let other = vault.begin_login("daraz", as_name("y")).await.unwrap();
    assert!(vault.finish_login(&other, callback(&new, "c")).await.is_err());
}

async fn used_and_late_codes_are_told_apart_and_the_code_is_not_repeated() {
    for (platform, status, body, minutes) in [
        (
            "lazada",
            200,
            r#"{"type":"ISV","code":"InvalidCode","message":"Invalid authorization code: 0_planted_code_123456","request_id":"r"}"#,
            "30 minutes",
        ),
        (
            "1688",
            400,
            r#"{"error":"invalid_grant","error_description":"code 0_planted_code_123456 expired"}"#,
            "2 minutes",
        ),
        (
            "1688",
            400,
            r#"{"error_code":"400","error_message":"invalid code 0_planted_code_123456"}"#,
            "2 minutes",
        ),
        (
            "taobao",
            400,
            r#"{"error":"invalid_grant","error_description":"authorize code expire"}"#,
            "5 minutes",
        ),
    ] {
        let home = Home::new(FakeTransport::new(move |_| Ok(reply(status, body))));
        let vault = home.open().await;
        app(&vault, platform).await;
        let login = vault.begin_login(platform, as_name("x")).await.unwrap();
        let error = vault.finish_login(&login, callback(&login, "0_planted_code_123456")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Authorization, "{platform}: {error:?}");
        assert!(error.message().contains("used already"), "{error}");
        assert!(error.hint().unwrap().contains(minutes), "{error:?} {:?}", error.hint());
        assert!(!format!("{error} {error:?} {:?}", error.hint()).contains("planted_code"), "{error:?}");
        home.clock.advance_secs(31 * 60);
        let error = vault.finish_login(&login, callback(&login, "0_planted_code_123456")).await.unwrap_err();
        assert!(error.message().contains("most likely it is too old"), "{error}");
        // Pasted alone, nobody knows how old it is: all three causes, and the platform's own words.
        let code = Callback::Code(AuthCode::new("0_planted_code_123456"));
        let login = vault.begin_login(platform, as_name("x")).await.unwrap();
        let error = vault.finish_login(&login, code).await.unwrap_err();
        let life = format!("too old (it lives {minutes})");
        for words in ["used already", life.as_str(), "another app", "the platform says: "] {
            assert!(error.message().contains(words), "{words}: {error}");
        }
        assert!(!format!("{error:?}").contains("planted_code"), "{error:?}");
        assert!(vault.accounts().await.unwrap().is_empty());
    }
}

async fn a_wrong_secret_is_not_blamed_on_the_code() {
    let home = Home::new(FakeTransport::json(
        r#"{"type":"ISV","code":"IncompleteSignature","message":"The request signature does not conform to platform standards","request_id":"r"}"#,
    ));
    let vault = home.open().await;
    app(&vault, "alibaba").await;
    let error = log_in(&vault, "alibaba", as_name("x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Signature, "{error:?}");
}

async fn the_listener_waits_through_strays_and_takes_the_one_callback() {
    let shop = lazada().await;
    // A port of the system's choice, so that tests can run side by side.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let redirect = format!("http://127.0.0.1:{port}/callback");
    let app = crate::support::add_app(&shop.vault, "lazada", Some(&redirect)).await;
    let login = shop.vault.begin_login(&app.name, as_name("x")).await.unwrap();
    let listener = shop.vault.listen(&login).await.unwrap();
    assert!(shop.vault.listen(&login).await.unwrap_err().message().contains(&port.to_string()));
    let clock = shop.home.clock.clone().manual();
    let waiting = tokio::spawn(async move { listener.accept().await });
    // Browsers open connections and leave them idle; they must not block the others.
    let mut idle = Vec::new();
    for _ in 0..100 {
        idle.push(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap());
    }
    for (target, status) in [
        ("/favicon.ico".to_owned(), "404"),
        ("/callback?code=c&state=wrong".to_owned(), "400"),
        ("/callback".to_owned(), "400"),
    ] {
        let answer = get(port, &target).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{target}: {answer}");
        assert!(!answer.contains(&login.state));
    }
    // The page waits for how it ends.
    let target = format!("/callback?code=0_c&state={}", login.state);
    let page = tokio::spawn(async move { get(port, &target).await });
    let (got, browser) = waiting.await.unwrap().unwrap();
    let finished = shop.vault.finish_login(&login, got).await;
    browser.show(&finished).await;
    let (page, account) = (page.await.unwrap(), &finished.unwrap()[0]);
    assert!(page.starts_with("HTTP/1.1 200 ") && !page.contains(&login.state), "{page}");
    assert!(page.contains(account.login.as_deref().unwrap()) && page.contains("is authorized"), "{page}");
    assert_eq!(account.name, "x");
    drop(clock);
}

async fn localhost_is_listened_on_at_both_addresses_or_not_at_all() {
    let shop = lazada().await;
    let other = std::net::TcpListener::bind("[::1]:0").unwrap();
    let port = other.local_addr().unwrap().port();
    let redirect = format!("http://localhost:{port}/callback");
    let app = crate::support::add_app(&shop.vault, "lazada", Some(&redirect)).await;
    let login = shop.vault.begin_login(&app.name, as_name("x")).await.unwrap();
    let error = shop.vault.listen(&login).await.unwrap_err();
    assert!(error.message().contains(&port.to_string()), "{error}");
    drop(other);
    let _clock = shop.home.clock.clone().manual();
    let listener = shop.vault.listen(&login).await.unwrap();
    assert_eq!(listener.addresses().len(), 2);
    let waiting = tokio::spawn(async move { listener.accept().await });
    let mut stream = tokio::net::TcpStream::connect(("::1", port)).await.unwrap();
    let request = format!(
        "GET /callback?error=access_denied&state={} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n",
        login.state
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let (got, browser) = waiting.await.unwrap().unwrap();
    browser.show(&shop.vault.finish_login(&login, got).await).await;
    let mut page = String::new();
    stream.read_to_string(&mut page).await.unwrap();
    assert!(page.contains("is not authorized"), "{page}");
}

async fn get(port: u16, target: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream
        .write_all(format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n").as_bytes())
        .await
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn the_listener_gives_up_after_a_quarter_of_an_hour() {
    let shop = lazada().await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let app =
        crate::support::add_app(&shop.vault, "lazada", Some(&format!("http://localhost:{port}/"))).await;
    let login = shop.vault.begin_login(&app.name, as_name("x")).await.unwrap();
    let clock = shop.home.clock.clone().manual();
    let listener = shop.vault.listen(&login).await.unwrap();
    let waiting = tokio::spawn(async move { listener.accept().await });
    tokio::task::yield_now().await;
    while !waiting.is_finished() {
        clock.advance_secs(60);
        tokio::task::yield_now().await;
    }
    let error = waiting.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authorization);
    // A redirect URI that is not on this machine cannot be listened on.
    let app = crate::support::add_app(&shop.vault, "lazada", Some("https://shop.example/cb")).await;
    let login = shop.vault.begin_login(&app.name, as_name("y")).await.unwrap();
    assert!(!login.is_loopback);
    assert_eq!(shop.vault.listen(&login).await.unwrap_err().kind(), ErrorKind::Usage);
}
