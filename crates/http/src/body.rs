//! Reading a reply to its end, within its limit, before and after decompression.

use std::io::Read;

use bytes::{Bytes, BytesMut};
use flate2::read::MultiGzDecoder;
use http_body_util::BodyExt;
use hyper::{HeaderMap, body::Body, body::Incoming, header};
use sesame_core::{Error, ErrorKind, Fault, Result, Retry};

use crate::failure;

/// Compressed replies over this size are unpacked outside the threads that serve other calls.
const UNPACK_ASIDE: usize = 128 << 10;

/// Reads the body; `limit` is in bytes after decompression.
///
/// # Errors
/// [`ErrorKind::Network`] when the connection ends early, [`ErrorKind::Envelope`] when the reply is
/// too large or compressed in a way that was not asked for. All leave open whether the call was
/// carried out.
pub(crate) async fn read(origin: &str, headers: &HeaderMap, body: Incoming, limit: usize) -> Result<Bytes> {
    let packing = headers.get(header::CONTENT_ENCODING).map(|value| value.as_bytes().to_ascii_lowercase());
    let bytes = collect(origin, body, limit).await?;
    match packing.as_deref() {
        None | Some(b"" | b"identity") => Ok(bytes),
        Some(b"gzip" | b"x-gzip") if bytes.is_empty() => Ok(bytes),
        Some(b"gzip" | b"x-gzip") if bytes.len() < UNPACK_ASIDE => unpack(&bytes, limit),
        Some(b"gzip" | b"x-gzip") => {
            tokio::task::spawn_blocking(move || unpack(&bytes, limit)).await.map_err(|error| {
                Error::local(format!("unpacking the reply failed: {error}")).with_ambiguity(true)
            })?
        }
        Some(other) => Err(unfit(format!(
            "unexpected content encoding {:?}",
            String::from_utf8_lossy(&other[..other.len().min(40)])
        ))),
    }
}

async fn collect(origin: &str, mut body: Incoming, limit: usize) -> Result<Bytes> {
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large(limit));
    }
    let mut first: Option<Bytes> = None;
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| failure::broken(origin, &error, true))?;
        let Ok(data) = frame.into_data() else { continue };
        let so_far = first.as_ref().map_or(0, Bytes::len) + rest.len();
        if so_far + data.len() > limit {
            return Err(too_large(limit));
        }
        match &first {
            // Most replies are one frame, and stay where hyper read them.
            None => first = Some(data),
            Some(_) if rest.is_empty() && data.is_empty() => {}
            Some(_) => {
                if let Some(head) = first.replace(Bytes::new()).filter(|head| !head.is_empty()) {
                    // What the gateway promises is not allocated on its word alone.
                    let promised = usize::try_from(body.size_hint().lower()).unwrap_or(0).min(1 << 20);
                    rest.reserve(head.len() + data.len() + promised);
                    rest.extend_from_slice(&head);
                }
                rest.extend_from_slice(&data);
            }
        }
    }
    Ok(if rest.is_empty() { first.unwrap_or_default() } else { rest.freeze() })
}

/// Unpacks gzip, up to the limit: a few kilobytes can stand for gigabytes.
fn unpack(packed: &[u8], limit: usize) -> Result<Bytes> {
    let mut out = Vec::with_capacity(packed.len().saturating_mul(4).min(limit).min(1 << 20));
    MultiGzDecoder::new(packed)
        .take(limit as u64 + 1)
        .read_to_end(&mut out)
        .map_err(|error| unfit("the reply is damaged: it cannot be unpacked").with_source(error))?;
    if out.len() > limit {
        return Err(too_large(limit));
    }
    Ok(out.into())
}

fn unfit(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Envelope, message)
        .with_fault(Fault::Platform)
        .with_ambiguity(true)
        .with_hint("A proxy on the way may have changed it; `sesame doctor` shows the route.")
}

fn too_large(limit: usize) -> Error {
    let limit = if limit >= 1 << 20 && limit.is_multiple_of(1 << 20) {
        format!("{} MiB", limit >> 20)
    } else {
        format!("{limit} bytes")
    };
    Error::new(ErrorKind::Envelope, format!("the reply is larger than the limit of {limit}"))
        // It would be as large the next time.
        .with_retry(Retry::Never)
        .with_ambiguity(true)
        .with_hint("Ask for fewer rows or fields at a time. A program may raise the limit with `max_reply` in the options of the call.")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut out = GzEncoder::new(Vec::new(), Compression::best());
        out.write_all(bytes).unwrap();
        out.finish().unwrap()
    }

    #[test]
    fn unpacks_up_to_the_limit() {
        let bytes = packed(&[b'a'; 1000]);
        assert_eq!(unpack(&bytes, 1000).unwrap().len(), 1000);
        let error = unpack(&bytes, 999).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Envelope);
        assert!(error.to_string().contains("999 bytes"), "{error}");
        assert!(error.is_ambiguous());
    }

    #[test]
    fn a_bomb_is_bounded() {
        // 256 MiB of zeros in a quarter of a megabyte.
        let bomb = packed(&vec![0; 256 << 20]);
        assert!(bomb.len() < 300 << 10);
        let error = unpack(&bomb, 1 << 20).unwrap_err();
        assert!(error.to_string().contains("1 MiB"), "{error}");
    }

    #[test]
    fn damage_is_said() {
        let mut bytes = packed(&[b'a'; 1000]);
        bytes.truncate(bytes.len() / 2);
        assert_eq!(unpack(&bytes, 10_000).unwrap_err().kind(), ErrorKind::Envelope);
    }
}
