//! Takes the whole address of a call apart into what its protocol signs.

use sesame_core::Protocol;

/// An address, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// Scheme and host: `https://api.lazada.sg`.
    pub(crate) base: String,
    /// The path as it is signed; `None` where the route signs none.
    pub(crate) path: Option<String>,
    /// The parameters of the query, decoded.
    pub(crate) pairs: Vec<(String, String)>,
}

/// Returns `true` if a text is a whole address.
pub(crate) fn is_address(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("https://")
}

/// Returns `true` if a path begins with a host.
pub(crate) fn begins_with_host(path: &str) -> bool {
    let first = path.split('/').next().unwrap_or_default();
    path.contains('/') && first.contains('.') && !first.starts_with('.')
}

/// Takes an address apart.
pub(crate) fn take_apart(protocol: Protocol, address: &str) -> Address {
    let address = address.split('#').next().unwrap_or_default();
    let (place, query) = address.split_once('?').unwrap_or((address, ""));
    let (scheme, rest) = place.split_once("://").unwrap_or(("https", place));
    let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let path = match protocol {
        Protocol::Param2 => {
            let path = path.strip_prefix("/openapi").unwrap_or(path).trim_start_matches('/');
            // An authorize page signs its parameters alone.
            path.starts_with("param2/").then_some(path)
        }
        Protocol::Iop => {
            let path = path.strip_prefix("/rest").filter(|rest| rest.starts_with('/')).unwrap_or(path);
            (!matches!(path, "" | "/" | "/sync" | "/router/rest")).then_some(path)
        }
        Protocol::Top => None,
    };
    Address {
        base: format!("{scheme}://{host}"),
        path: path.map(str::to_owned),
        pairs: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_becomes_path_and_parameters() {
        let apart = |protocol, address| {
            let Address { base, path, pairs } = take_apart(protocol, address);
            let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
            (base, path.unwrap_or_default(), pairs.join(" "))
        };
        for (protocol, address, base, path, pairs) in [
            (
                Protocol::Iop,
                "https://api.lazada.sg/rest/order/get?app_key=1&a=x%20y+z&b=&sign=AB#top",
                "https://api.lazada.sg",
                "/order/get",
                "app_key=1 a=x y z b= sign=AB",
            ),
            (Protocol::Iop, "https://h.example:8/sync?method=a.b", "https://h.example:8", "", "method=a.b"),
            (Protocol::Iop, "https://h.example", "https://h.example", "", ""),
            (
                Protocol::Param2,
                "http://gw.example/openapi/param2/1/ns/name/77?a=1",
                "http://gw.example",
                "param2/1/ns/name/77",
                "a=1",
            ),
            (
                Protocol::Param2,
                "http://gw.example/auth/authorize.htm?client_id=7",
                "http://gw.example",
                "",
                "client_id=7",
            ),
            (Protocol::Top, "https://eco.example/router/rest?v=2.0", "https://eco.example", "", "v=2.0"),
        ] {
            assert_eq!(
                apart(protocol, address),
                (base.to_owned(), path.to_owned(), pairs.to_owned()),
                "{address}"
            );
        }
        assert!(begins_with_host("api.lazada.sg/rest/order/get") && !begins_with_host("order/get"));
    }
}
