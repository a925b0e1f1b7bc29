//! No password in clear text over TCP without TLS.
//!
//! The library sends the password in clear text to whatever asks for it. Without TLS a connection stays
//! on this machine, but while the server is down any user of the machine can listen on its port. So the
//! library talks to a relay, which reads what the server says until the login is over, and hangs up on
//! one that asks.

use std::{fmt, io, net::Ipv4Addr};

use sqlx::{ConnectOptions as _, PgConnection, postgres::PgConnectOptions};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

/// Longer messages are none of a login.
const LONGEST: usize = 1 << 20;
/// Messages by their first byte: a request for authentication, and the end of the login.
const AUTHENTICATION: u8 = b'R';
const READY: u8 = b'Z';
/// The request for the password in clear text.
const CLEARTEXT_PASSWORD: [u8; 4] = [0, 0, 0, 3];

/// The server asked for the password in clear text, and did not get it.
#[derive(Debug)]
pub(super) struct CleartextPassword;

impl fmt::Display for CleartextPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server asks for the password in clear text")
    }
}

impl std::error::Error for CleartextPassword {}

/// Connects without TLS to a server that listens on TCP.
pub(super) async fn connect(options: &PgConnectOptions, host: &str, port: u16) -> sqlx::Result<PgConnection> {
    let server = TcpStream::connect((host, port)).await?;
    let door = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let through = options.clone().host("127.0.0.1").port(door.local_addr()?.port());
    let (tell, mut told) = oneshot::channel();
    tokio::spawn(relay(server, door, tell));
    match through.connect().await {
        Err(error @ sqlx::Error::Database(_)) => Err(error),
        // Told before the relay hangs up, so before the library notices.
        Err(error) => Err(told.try_recv().unwrap_or(error)),
        done => done,
    }
}

/// Passes on what one client and the server say, until the client ends.
async fn relay(mut server: TcpStream, door: TcpListener, mut tell: oneshot::Sender<sqlx::Error>) {
    let mut client = tokio::select! {
        Ok((client, _)) = door.accept() => client,
        () = tell.closed() => return,
    };
    drop(door);
    let _ = (server.set_nodelay(true), client.set_nodelay(true));
    let (mut from_server, mut to_server) = server.split();
    let (mut from_client, mut to_client) = client.split();
    let down = async {
        if let Err(error) = login(&mut from_server, &mut to_client).await {
            let _ = tell.send(error);
            return;
        }
        let _ = copy(&mut from_server, &mut to_client).await;
        // What the server said last is to arrive; the client hangs up when it has read it.
        let _ = to_client.shutdown().await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = down => {}
        _ = copy(&mut from_client, &mut to_server) => {}
    }
}

/// Passes on what the server says until the login is over.
async fn login(
    from_server: &mut (impl AsyncRead + Unpin),
    to_client: &mut (impl AsyncWrite + Unpin),
) -> sqlx::Result<()> {
    loop {
        let kind = from_server.read_u8().await?;
        let length = from_server.read_u32().await?;
        let Some(rest) = (length as usize).checked_sub(4).filter(|rest| *rest <= LONGEST) else {
            return Err(sqlx::Error::Protocol(format!("a message of {length} bytes in a login")));
        };
        let mut message = vec![kind];
        message.extend(length.to_be_bytes());
        message.resize(5 + rest, 0);
        from_server.read_exact(&mut message[5..]).await?;
        if kind == AUTHENTICATION && message[5..].starts_with(&CLEARTEXT_PASSWORD) {
            return Err(io::Error::other(CleartextPassword).into());
        }
        to_client.write_all(&message).await?;
        if kind == READY {
            return Ok(());
        }
    }
}
