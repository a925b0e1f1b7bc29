//! A program that listens where the server should, and wants the password.

use sesame_core::ErrorKind;
use sesame_testing::postgres::PASSWORD;
use sesame_vault::{Database, Location, store::SqlStore};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

/// What the impostor says after each message of the client.
type Lines = &'static [&'static [u8]];

const CLEARTEXT: &[u8] = b"R\0\0\0\x08\0\0\0\x03";
const MD5: &[u8] = b"R\0\0\0\x0c\0\0\0\x05salt";
const OK_AND_CLEARTEXT: &[u8] = b"R\0\0\0\x08\0\0\0\0R\0\0\0\x08\0\0\0\x03";
const STATUS_AND_CLEARTEXT: &[u8] = b"S\0\0\0\x08a\0b\0R\0\0\0\x09\0\0\0\x03x";

/// Plays the server once, byte by byte, and returns all that it was told.
async fn play(mut stream: TcpStream, lines: Lines) -> Vec<u8> {
    stream.set_nodelay(true).unwrap();
    let mut heard = Vec::new();
    for line in lines {
        let mut part = [0; 4_096];
        match stream.read(&mut part).await {
            Ok(0) | Err(_) => return heard,
            Ok(read) => heard.extend_from_slice(&part[..read]),
        }
        for byte in *line {
            if stream.write_all(&[*byte]).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    // Ends as soon as the client is gone.
    let _ = stream.read_to_end(&mut heard).await;
    heard
}

#[tokio::test]
async fn a_password_is_never_sent_in_clear() {
    let scripts: [Lines; 4] = [&[CLEARTEXT], &[STATUS_AND_CLEARTEXT], &[MD5, CLEARTEXT], &[OK_AND_CLEARTEXT]];
    for lines in scripts {
        for (host, mode) in
            [("127.0.0.1", ""), ("localhost", "?sslmode=disable"), ("127.0.0.1", "?sslmode=prefer")]
        {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let (tell, mut told) = mpsc::unbounded_channel();
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let tell = tell.clone();
                    tokio::spawn(async move { tell.send(play(stream, lines).await) });
                }
            });

            let address = format!("postgres://shop:{PASSWORD}@{host}:{port}/vault{mode}");
            let database = Database::parse(&address).unwrap();
            let error = SqlStore::open(&Location::Postgres(database.into())).await.unwrap_err();

            let heard = told.recv().await.unwrap();
            let shown = heard.escape_ascii().to_string();
            assert!(shown.contains("shop"), "the impostor was not asked: {shown}");
            assert!(!shown.contains(PASSWORD), "{mode} {lines:?}: the impostor has the password: {shown}");
            let all = format!("{error} {error:?} {:?}", error.hint());
            assert!(!all.contains(PASSWORD), "{all}");
            assert_eq!(error.kind(), ErrorKind::Local, "{all}");
            assert!(error.message().contains("asks for the password in clear text"), "{lines:?}: {all}");
            assert!(error.hint().unwrap().contains("scram-sha-256") && !error.is_retryable(), "{all}");
        }
    }
}
