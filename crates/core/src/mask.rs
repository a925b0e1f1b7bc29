//! Hides secrets in text that people or logs will see.

/// Names of parameters whose values are secrets, wherever they travel.
pub const SECRET_PARAMS: &[&str] = &[
    "access_token",
    "session",
    "sign",
    "_aop_signature",
    "code",
    "client_secret",
    "refresh_token",
    "app_secret",
    "appSecret",
    "secret",
    "http_sign",
    "refreshToken",
    "accessToken",
];

/// Masks a secret: the first three and last three characters if it has at least 16, else nothing of it.
///
/// ```
/// assert_eq!(sesame_core::mask::mask("50000601c30atpedfgu3LVvik87"), "500…k87");
/// assert_eq!(sesame_core::mask::mask("helloworld"), "…");
/// ```
pub fn mask(secret: &str) -> String {
    let chars = secret.chars().count();
    if chars < 16 {
        return "…".to_owned();
    }
    let head: String = secret.chars().take(3).collect();
    let tail: String = secret.chars().skip(chars - 3).collect();
    format!("{head}…{tail}")
}

/// Returns `true` if the value of this parameter is a secret.
pub fn is_secret_param(name: &str) -> bool {
    SECRET_PARAMS.iter().any(|secret| secret.eq_ignore_ascii_case(name))
}

/// Masks the values of secret parameters in a URL or in a form body (`a=b&c=d`).
///
/// ```
/// let url = "https://api.lazada.sg/rest/order/get?order_id=1&access_token=50000601c30atpedfgu3";
/// assert_eq!(
///     sesame_core::mask::mask_url(url),
///     "https://api.lazada.sg/rest/order/get?order_id=1&access_token=500…gu3",
/// );
/// ```
pub fn mask_url(url: &str) -> String {
    let (head, query) = match url.split_once('?') {
        Some((head, query)) => (Some(mask_user(head)), query),
        None if url.contains("://") => return mask_user(url),
        None => (None, url),
    };
    let (query, fragment) = match query.split_once('#') {
        Some((query, fragment)) => (query, Some(fragment)),
        None => (query, None),
    };
    let mut out = String::with_capacity(url.len());
    if let Some(head) = &head {
        out.push_str(head);
        out.push('?');
    }
    for (at, pair) in query.split('&').enumerate() {
        if at > 0 {
            out.push('&');
        }
        match pair.split_once('=') {
            Some((name, value)) if is_secret_param(&decoded(name)) && !value.is_empty() => {
                out.push_str(name);
                out.push('=');
                out.push_str(&mask(&decoded(value)));
            }
            _ => out.push_str(pair),
        }
    }
    if let Some(fragment) = fragment {
        out.push('#');
        out.push_str(fragment);
    }
    out
}

/// Masks `user:password@`, which proxies' URLs may hold.
fn mask_user(head: &str) -> String {
    let Some((scheme, rest)) = head.split_once("://") else { return head.to_owned() };
    let authority = rest.split('/').next().unwrap_or_default();
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://…@{host}{}", &rest[authority.len()..]),
        None => head.to_owned(),
    }
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Replaces every occurrence of the given secrets in a text of our own by their masks.
///
/// Secrets shorter than 4 characters are left: they occur in ordinary words. What others said goes
/// through [`Redactor::text`](crate::redact::Redactor::text).
pub fn mask_known<'a>(text: &str, secrets: impl IntoIterator<Item = &'a str>) -> String {
    let mut out = text.to_owned();
    for secret in secrets {
        if secret.len() >= 4 && out.contains(secret) {
            out = out.replace(secret, &mask(secret));
        }
    }
    out
}

/// Masks what looks like a secret in text of others: `access_token=...`, `"sign":"..."`.
///
/// Gateways quote requests in their messages. After a name of [`SECRET_PARAMS`] and `=` or `:`, a
/// value is masked when the name cannot be an ordinary word, or when the value has 16 characters
/// and a digit, as tokens and signatures have. `code` is the name of error codes, too, so its value is
/// masked as a parameter of a URL or a form alone: after `?` or `&`.
///
/// ```
/// use sesame_core::mask::mask_text;
/// assert_eq!(
///     mask_text("no: GET /rest/x?access_token=50000601c30atpedfgu3&a=1"),
///     "no: GET /rest/x?access_token=500…gu3&a=1",
/// );
/// assert_eq!(mask_text("error code: InvalidParameter"), "error code: InvalidParameter");
/// ```
pub fn mask_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['=', ':']) {
        let (before, after) = rest.split_at(at + 1);
        out.push_str(before);
        let name = before[..at].trim_end_matches(['"', '\'', '\\', ' ']);
        let (ahead, name) = match name.rfind(|c: char| !(c.is_ascii_alphanumeric() || c == '_')) {
            Some(before) => name.split_at(before + name[before..].chars().next().map_or(1, char::len_utf8)),
            None => ("", name),
        };
        let is_error_code = name.eq_ignore_ascii_case("code") && !ahead.ends_with(['?', '&']);
        let value_at = after.find(|c| !matches!(c, '"' | '\'' | '\\' | ' ')).unwrap_or(after.len());
        let (quotes, value) = after.split_at(value_at);
        let end = value.find(|c: char| !is_token_char(c)).unwrap_or(value.len());
        if is_secret_param(name) && !is_error_code && is_secret_value(name, &value[..end]) {
            out.push_str(quotes);
            out.push_str(&mask(&value[..end]));
            rest = &value[end..];
        } else {
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

pub(crate) fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '~' | '%' | '+' | '/')
}

fn is_secret_value(name: &str, value: &str) -> bool {
    let word = ["code", "sign", "session", "secret"].iter().any(|word| word.eq_ignore_ascii_case(name));
    if word { value.len() >= 16 && value.bytes().any(|byte| byte.is_ascii_digit()) } else { value.len() >= 4 }
}
