//! What is probably wrong with a request that is to be signed.

use sesame_core::{Protocol, sign::Pair};

use crate::address::begins_with_host;

/// Lists what the signature cannot show by itself.
pub(super) fn of(
    protocol: Protocol,
    path: &str,
    pairs: &[Pair<'_>],
    method: &str,
    asked: bool,
    in_parameters: Option<&str>,
) -> Vec<String> {
    let mut out = Vec::new();
    if asked && protocol != Protocol::Param2 {
        match in_parameters {
            Some(sent) if !sent.eq_ignore_ascii_case(method) => out.push(format!(
                "the parameter sign_method={sent} says something else than --sign-method {method}; the gateway believes the parameter"
            )),
            None => out.push(format!("no parameter sign_method={method} is signed; the gateway will take its default")),
            Some(_) => {}
        }
    }
    match protocol {
        _ if begins_with_host(path) => {
            out.push("the path begins with a host, which is not signed; this one was signed as given".to_owned());
        }
        Protocol::Param2 if path.starts_with('/') || path.starts_with("openapi/") => out.push(
            "param2 signs the path from the protocol on, `param2/1/namespace/name/APPKEY`, without `/openapi/`; this path was signed as given".to_owned(),
        ),
        Protocol::Param2 if !path.is_empty() && !path.starts_with("param2/") => out.push(
            "param2 signs the path from the protocol on, `param2/1/namespace/name/APPKEY`; this path was signed as given".to_owned(),
        ),
        Protocol::Param2 if path.contains("%2") || path.contains('?') => {
            out.push("the path is signed without its query and not percent-encoded; this one was signed as given".to_owned());
        }
        Protocol::Iop if path.starts_with("/rest/") => out.push(
            "iop signs the path after `/rest`, e.g. `/order/get`; this path was signed as given".to_owned(),
        ),
        Protocol::Iop if path.trim_end_matches('/') == "/sync" || path == "/router/rest" => out.push(
            "iop signs no path on `/sync` and `/router/rest`: leave --path out; this path was signed as given".to_owned(),
        ),
        Protocol::Iop if !path.is_empty() && !path.starts_with('/') => {
            out.push("paths of iop begin with `/`; this one was signed as given".to_owned());
        }
        _ => {}
    }
    if path.len() > 1 && path.ends_with('/') {
        out.push("the path ends with `/`, which is signed too; the gateway's own path does not".to_owned());
    }
    if path.contains('{') {
        out.push("the gateway signs the path with its {variables} replaced by their values, and without those parameters".to_owned());
    }
    if protocol != Protocol::Param2 && !path.is_empty() && pairs.iter().any(|(name, _)| *name == "method") {
        out.push("a call by path needs no parameter `method`; it is signed because it is there".to_owned());
    }
    for (name, _) in pairs {
        let plain = name.replace(['_', '-'], "").to_ascii_lowercase();
        if matches!(plain.as_str(), "appsecret" | "secretkey" | "appsecretkey") {
            out.push(format!(
                "{name:?} is signed because it is there; the app secret is the key of the signature, and is never a parameter"
            ));
        }
    }
    let time = pairs.iter().find(|(name, _)| *name == "timestamp").map(|(_, value)| *value);
    match (protocol, time) {
        (Protocol::Iop, Some(time)) if time.len() == 10 && time.bytes().all(|byte| byte.is_ascii_digit()) => {
            out.push("timestamp looks like seconds; iop wants milliseconds".to_owned());
        }
        (Protocol::Iop | Protocol::Top, None) => {
            out.push("there is no timestamp; the gateway will refuse the call".to_owned());
        }
        _ => {}
    }
    out
}
