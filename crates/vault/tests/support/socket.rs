//! The plainest HTTP client there is, for a sandbox on this machine: one connection a request.

use sesame_core::{BoxFuture, Error, ErrorKind, HttpRequest, HttpResponse, Result, Transport};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

pub struct SocketTransport;

impl Transport for SocketTransport {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse>> {
        Box::pin(async move {
            exchange(request).await.map_err(|error| Error::new(ErrorKind::Network, error.to_string()))
        })
    }
}

async fn exchange(request: HttpRequest) -> std::io::Result<HttpResponse> {
    let rest = request.url.strip_prefix("http://").unwrap();
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let mut stream = TcpStream::connect(authority).await?;
    let more: String = request.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!(
        "{} {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n{more}Content-Type: {}\r\nContent-Length: {}\r\n\r\n",
        request.method.as_str(),
        request.content_type.as_deref().unwrap_or("text/plain"),
        request.body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&request.body).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let header = |name: &str| {
        head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    assert!(header("transfer-encoding").is_none(), "token replies have a length");
    Ok(HttpResponse {
        status: head[9..12].parse().unwrap(),
        content_type: header("content-type"),
        date: header("date"),
        location: header("location"),
        body: answer[end + 4..].to_vec().into(),
        ..HttpResponse::default()
    })
}
