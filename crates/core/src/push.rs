//! Push messages: is this really from the platform?
//!
//! Sources: 1688 `open.1688.com/doc/messageDoc.htm`; Lazada `lazada-push-mechanism.md`; Alibaba.com
//! uses Lazada's rule (catalog notes 0.4). Verify the bytes as received: JSON that was parsed
//! and written again does not match.

use subtle::ConstantTimeEq;

use crate::{
    AppSecret, Error, ErrorKind, Result, Shape,
    sign::{Digest, Pair, Signature, SigningKey, verify},
};

/// A push message as it arrived.
#[derive(Debug, Clone, Copy)]
pub enum Push<'a> {
    /// 1688: a form with `_aop_signature`; all other parameters are signed.
    Param2 {
        /// All decoded form parameters, the signature among them.
        form: &'a [Pair<'a>],
    },
    /// Lazada and Alibaba.com: the header `Authorization` signs app key and raw body.
    Iop {
        /// The app key the message is for.
        app_key: &'a str,
        /// The value of the `Authorization` header, without a scheme word.
        authorization: &'a str,
        /// The body, byte for byte.
        body: &'a [u8],
    },
}

/// Checks in constant time that a push message was signed with this app's secret.
///
/// # Errors
/// [`ErrorKind::Signature`] when the signature is missing or wrong: answer 401 and do not act on
/// the message.
pub fn verify_push(secret: &AppSecret, push: Push<'_>) -> Result<()> {
    match push {
        Push::Param2 { form } => {
            let name = Shape::Param2Params.signature_param();
            let signature = form.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
            let signature = signature.ok_or_else(|| refused("it has no _aop_signature"))?;
            let key = SigningKey::new(Digest::HmacSha1, secret);
            match verify(&key, Shape::Param2Params, "", form, b"", signature) {
                Ok(_) => Ok(()),
                Err(_) => Err(refused("its _aop_signature is not that of this app")),
            }
        }
        Push::Iop { app_key, authorization, body } => {
            if authorization.is_empty() {
                return Err(refused("it has no Authorization header"));
            }
            let expected = iop_push_signature(secret, app_key, body);
            let given = authorization.trim().to_ascii_uppercase();
            if bool::from(expected.as_bytes().ct_eq(given.as_bytes())) {
                Ok(())
            } else {
                Err(refused("its Authorization header is not that of this app"))
            }
        }
    }
}

/// Returns what the header `Authorization` of a push message of Lazada or Alibaba.com holds: the
/// signature over app key and raw body. The platform writes it in small letters.
pub fn iop_push_signature(secret: &AppSecret, app_key: &str, body: &[u8]) -> Signature {
    SigningKey::new(Digest::HmacSha256, secret).digest_of(&[app_key.as_bytes(), body].concat())
}

fn refused(why: &str) -> Error {
    Error::new(ErrorKind::Signature, format!("the push message is not genuine: {why}"))
        .with_hint("Answer 401 and drop it. If it should be genuine, verify the raw bytes as received, with the secret of the app that the message is for.")
}

/// Signs a frame of 1688's message websocket: `UPPER(MD5(secret + app key + [content] + time))`.
///
/// `published` is the frame's `pubTime`, milliseconds since 1970 as text; `content` is empty for
/// frames without one (`CONNECT`, `HEARTBEAT`). Source: is4ngle/alibaba-open-sdk (protocols 4.2).
pub fn websocket_signature(secret: &AppSecret, app_key: &str, content: &str, published: &str) -> Signature {
    Signature::md5_of(&[secret.expose(), app_key, content, published])
}
