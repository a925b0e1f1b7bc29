//! No secret in any output, log, file or error: secrets are planted, then searched for.

use std::collections::BTreeMap;

use crate::house::{Done, House, files_below};

/// What was planted or handed out, by name.
type Secrets = BTreeMap<String, String>;

#[test]
fn the_whole_tour_tells_no_secret() {
    let mut house = House::with(|options| {
        options.faults.push("html@/orders/get".parse().unwrap());
        options.faults.push("illegal-token@/category/tree/get,count=1".parse().unwrap());
    });
    house.set("SESAME_WEBHOOK_SECRET", "whsec_planted0webhook0secret0123456789");
    house.set("SESAME_LOG", "trace,hyper=trace,hyper_util=trace,rustls=trace,sqlx=trace");
    let mut secrets = Secrets::new();
    let mut heard: Vec<(String, String)> = Vec::new();
    let mut note = |arguments: &[&str], done: Done| {
        heard.push((arguments.join(" "), format!("{}\n{}", done.stdout, done.stderr)));
    };

    for platform in ["alibaba", "aliexpress-legacy", "lazada", "taobao"] {
        let (key, secret) = house.app(platform);
        let add = ["app", "add", platform, "--key", &key, "--secret-stdin", "-vv"];
        note(&add, house.run_with(&add, &secret).succeeds());
        secrets.insert(format!("secret of {platform}"), secret);
        let login = ["login", platform, "--as", platform];
        note(&login, house.run(&login).succeeds());
        remember_token(&house, platform, &mut secrets);
        let refresh = ["refresh", platform];
        note(&refresh, house.run(&refresh).succeeds());
        remember_token(&house, platform, &mut secrets);
    }
    // Tokens of another program, and codes: planted by us, so that they are known.
    let planted = [
        ("ACCESS_TOKEN", "planted-access-token-0123456789"),
        ("REFRESH_TOKEN", "planted-refresh-token-0123456789"),
    ];
    let (key, _) = house.app("lazada");
    let file = house.file(
        "script.env",
        &format!("APP_KEY={key}\nAPP_SECRET=planted-app-secret-0123456789\nACCOUNT=old\nACCESS_TOKEN={}\nREFRESH_TOKEN={}\n", planted[0].1, planted[1].1),
    );
    secrets.insert("planted secret".to_owned(), "planted-app-secret-0123456789".to_owned());
    secrets.extend(planted.map(|(name, value)| (name.to_owned(), value.to_owned())));
    secrets.insert("planted code".to_owned(), "0_1_planted-code-0123456789".to_owned());
    secrets.insert("planted webhook secret".to_owned(), "whsec_planted0webhook0secret0123456789".to_owned());
    secrets.insert("planted webhook path".to_owned(), "planted-webhook-path-0123456789".to_owned());
    secrets.insert("planted passphrase".to_owned(), "planted-passphrase-0123456789".to_owned());

    let tour: &[&[&str]] = &[
        &["app", "add", "lazada", "--env-file", &file, "--name", "older"],
        &["app", "list", "--output", "json"],
        &["accounts"],
        &["accounts", "--output", "json"],
        &["call", "old", "/products/get"],
        &["call", "old", "/products/get", "--output", "json"],
        &["refresh", "old"],
        &["login", "lazada", "--code", "0_1_planted-code-0123456789"],
        &[
            "login",
            "lazada",
            "--callback-url",
            "http://127.0.0.1:8756/callback?code=0_1_planted-code-0123456789&state=x",
        ],
        &[
            "login",
            "lazada",
            "--callback-url",
            "http://evil.example/?code=0_1_planted-code-0123456789&state=x",
        ],
        &["call", "lazada", "/products/get", "limit=2"],
        &["call", "lazada", "/products/get", "--all", "--output", "ndjson"],
        &["call", "lazada", "/products/get", "--dry-run"],
        &["call", "lazada", "/products/get", "--dry-run", "--output", "json"],
        &["call", "lazada", "/orders/get", "created_after=2026-01-01T00:00:00+08:00", "--timeout", "2s"],
        &["call", "lazada", "/category/tree/get"],
        &["call", "lazada", "/nothing/like/this"],
        &["call", "taobao", "taobao.items.onsale.get", "fields=num_iid", "--dry-run"],
        &["call", "aliexpress-legacy", "api.findAeProductById", "productId=1", "--dry-run"],
        &["call", "alibaba", "/alibaba/icbu/product/list"],
        &["call", "lazada", "/auth/token/create", "code=0_1_planted-code-0123456789", "--yes"],
        &["call", "lazada", "/auth/token/refresh", "refresh_token=planted-refresh-token-0123456789", "--yes"],
        &["call", "alibaba", "auth.token.refresh", "refresh_token=x", "--yes", "--raw"],
        &["call", "aliexpress-legacy", "system.oauth2:getToken", "code=x", "--yes"],
        &["call", "aliexpress-legacy", "system.oauth2:postponeToken", "--yes"],
        &["call", "taobao", "taobao.top.auth.token.create", "code=x", "--yes"],
        &["products", "list", "alibaba"],
        &["categories", "get", "alibaba"],
        &["templates", "list", "aliexpress-legacy"],
        &[
            "sign",
            "--account",
            "lazada",
            "--path",
            "/x",
            "access_token=planted-access-token-0123456789",
            "--explain",
        ],
        &["refresh", "--all"],
        &["accounts", "show", "lazada"],
        &["accounts", "tag", "lazada", "+eu"],
        &["keeper", "--once", "--keep", "always", "--hook", "cat"],
        &[
            "keeper",
            "--once",
            "--webhook",
            "http://127.0.0.1:9/planted-webhook-path-0123456789",
            "-o",
            "json",
        ],
        &["logout", "old", "--yes"],
        &["doctor"],
        &["doctor", "--output", "json"],
        &["demo"],
    ];
    for arguments in tour {
        note(arguments, house.run(arguments));
    }
    for platform in ["alibaba", "aliexpress-legacy", "lazada", "taobao"] {
        remember_token(&house, platform, &mut secrets);
    }

    assert!(heard.iter().any(|(_, text)| text.contains("TRACE") || text.contains("DEBUG")), "the log was on");
    for (command, text) in &heard {
        for (name, secret) in &secrets {
            assert!(
                !holds(text.as_bytes(), secret),
                "`sesame {command}` tells the {name}: {}",
                around(text, secret)
            );
        }
    }
    std::fs::remove_dir_all(house.path().join("files")).unwrap();
    for path in files_below(house.path()) {
        let content = std::fs::read(&path).unwrap();
        for (name, secret) in &secrets {
            assert!(!holds(&content, secret), "{} holds the {name}", path.display());
        }
    }
}

fn remember_token(house: &House, account: &str, secrets: &mut Secrets) {
    let token = house.run(&["token", account]).succeeds().stdout.trim().to_owned();
    assert!(token.len() >= 16, "{token}");
    let number = secrets.len();
    secrets.insert(format!("token {number} of {account}"), token);
}

/// Searches for a secret as it is and percent-encoded.
fn holds(text: &[u8], secret: &str) -> bool {
    let encoded: String = sesame_core::request::encode_segment(secret);
    [secret, &encoded]
        .iter()
        .any(|needle| text.windows(needle.len()).any(|window| window == needle.as_bytes()))
}

fn around(text: &str, secret: &str) -> String {
    let at = text.find(secret).unwrap_or_default();
    let from = text.floor_char_boundary(at.saturating_sub(200));
    text[from..at].to_owned()
}

/// m11: `-v` shows each attempt, `-vv` request and reply.
#[test]
fn verbose_commands_show_what_is_sent_and_no_secret() {
    let house = House::with(|options| options.faults.push("html@/products/get,count=1".parse().unwrap()));
    let (key, secret) = house.app("lazada");
    house.run_with(&["app", "add", "lazada", "--key", &key, "--secret-stdin"], &secret).succeeds();
    for (command, api, attempts) in [
        (&["login", "lazada", "--as", "shop"][..], "/auth/token/create", 1),
        (&["call", "shop", "/products/get", "limit=1"], "/products/get", 2),
        (&["products", "list", "shop"], "/products/get", 1),
        (&["refresh", "shop"], "/auth/token/refresh", 1),
    ] {
        let old = house.run(&["token", "shop"]).stdout;
        let done = house.run(&[command, &["-v"]].concat()).succeeds();
        let host = house.url().strip_prefix("http://").unwrap();
        let lines = done
            .stderr
            .lines()
            .filter(|line| [api, "method=", "took_ms=", host].iter().all(|part| line.contains(part)));
        assert_eq!(lines.count(), attempts, "{command:?}: {}", done.stderr);
        assert!(!done.stderr.contains(" request "), "{}", done.stderr);

        let done = house.run(&[command, &["-vv"]].concat()).succeeds();
        for part in [" request ", " reply 200 ", api] {
            assert!(done.stderr.contains(part), "{command:?}: {part}: {}", done.stderr);
        }
        let new = house.run(&["token", "shop"]).stdout;
        for secret in
            [secret.as_str(), old.trim(), new.trim()].into_iter().filter(|secret| !secret.is_empty())
        {
            assert!(!holds(done.stderr.as_bytes(), secret), "{command:?}: {}", around(&done.stderr, secret));
        }
    }
}
