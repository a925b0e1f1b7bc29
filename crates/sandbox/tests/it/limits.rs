//! What is too much, and what is cut.

use crate::support::{Bench, exchange};

#[tokio::test]
async fn too_large_too_many_too_broken() {
    let bench = Bench::with(|options| options.max_body = 1_000).await;
    let answer = bench.post("/rest/products/get", "", &vec![b'a'; 2_000]).await;
    assert_eq!((answer.status, answer.json()["error"].as_str()), (413, Some("request-too-large")));

    let many = (0..200).map(|at| format!("X-{at}: 1\r\n")).collect::<Vec<_>>().concat();
    let request = format!("GET /rest/products/get HTTP/1.1\r\nHost: {}\r\n{many}\r\n", bench.host);
    let answer = exchange(&bench.host, request.as_bytes()).await.unwrap();
    assert_eq!((answer.status, answer.json()["error"].as_str()), (431, Some("too-many-headers")));

    let answer = bench.post("/rest/products/get", "multipart/form-data", b"x").await;
    assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some("broken-multipart")));
    let answer = bench.post("/rest/products/get", "application/json", b"{\"a\":").await;
    assert_eq!((answer.status, answer.code()), (200, "MissingParameter".to_owned()));
    assert!(bench.refusal(&answer).await.to_string().contains("not an object of parameters"));

    let params = (0..3_000).map(|at| format!("p{at}=1&")).collect::<Vec<_>>().concat();
    let answer = bench.get(&format!("/rest/products/get?{params}")).await;
    assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some("too-many-parameters")));

    // A chunked body has no length in front; the limit holds all the same.
    let mut chunked = format!(
        "POST /rest/products/get HTTP/1.1\r\nHost: {}\r\nTransfer-Encoding: chunked\r\n\r\n",
        bench.host
    );
    chunked.push_str(&["5dc\r\n", &"a".repeat(1_500), "\r\n0\r\n\r\n"].concat());
    assert_eq!(exchange(&bench.host, chunked.as_bytes()).await.unwrap().status, 413);
}

#[tokio::test]
async fn public_addresses_need_a_word() {
    use sesame_core::ErrorKind;
    use sesame_sandbox::{Options, Sandbox};
    use std::sync::Arc;

    let catalog = Arc::new(sesame_catalog::Catalog::builtin());
    let mut options = Options::new(catalog, crate::support::VirtualClock::new());
    options.listen = "0.0.0.0:0".parse().unwrap();
    let error = Sandbox::start(options.clone()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    options.allow_public = true;
    Sandbox::start(options.clone()).await.unwrap().stop().await;

    let bench = Bench::start().await;
    options.listen = bench.host.parse().unwrap();
    let error = Sandbox::start(options.clone()).await.unwrap_err();
    assert!(error.to_string().contains("cannot listen"), "{error}");

    options.listen = "127.0.0.1:0".parse().unwrap();
    options.apps = vec![crate::support::app("amazon", "1", "s")];
    let error = Sandbox::start(options.clone()).await.unwrap_err();
    assert!(error.hint().unwrap().contains("lazada"), "{error:?}");

    options.apps.clear();
    for (shops, products) in [(99_999_999_999, 1), (usize::MAX, 1), (1, 99_999_999_999)] {
        let wanted = Options { shops, products, ..options.clone() };
        let error = Sandbox::start(wanted).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{shops} {products}");
        assert!(error.hint().unwrap().contains("at most"), "{error:?}");
    }
}

#[tokio::test]
async fn connections_are_reused() {
    use tokio::{io::AsyncWriteExt, net::TcpStream};

    let bench = Bench::start().await;
    let mut stream = TcpStream::connect(&bench.host).await.unwrap();
    for _ in 0..3 {
        let request = format!("GET /_sandbox/clock HTTP/1.1\r\nHost: {}\r\n\r\n", bench.host);
        stream.write_all(request.as_bytes()).await.unwrap();
        assert_eq!(crate::support::read_answer(&mut stream).await.unwrap().status, 200);
    }
}
