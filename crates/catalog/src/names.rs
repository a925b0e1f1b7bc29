//! How APIs are named: `[ns:]name[@version]`, paths, methods; and which names make no sense.
//!
//! The build script reads this file too, so nothing here may use other modules or `sesame_core`.

/// The longest name that is looked up.
pub(crate) const LONGEST: usize = 300;

/// A name taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name<'a> {
    /// The namespace, where one was given (param2).
    pub namespace: Option<&'a str>,
    /// The name itself; paths keep their leading slash.
    pub plain: &'a str,
    /// The version, where one was given (param2).
    pub version: Option<u32>,
}

/// Takes a name apart. `param2` says whether the platform has namespaces and versions.
///
/// # Errors
/// What is wrong with it, as the end of a sentence that starts with the name.
pub(crate) fn parse(text: &str, param2: bool) -> Result<Name<'_>, String> {
    if text.is_empty() {
        return Err("is empty".to_owned());
    }
    if text.len() > LONGEST {
        return Err(format!("has {} bytes; names have at most {LONGEST}", text.len()));
    }
    let legal = |c: char| c.is_ascii_alphanumeric() || "/._-:@{}".contains(c);
    if let Some(bad) = text.chars().find(|c| !legal(*c)) {
        return Err(match bad {
            '?' | '#' | '&' | '=' => format!("holds {bad:?}: give arguments after the name, as `k=v`"),
            ' ' => "holds a space".to_owned(),
            other => format!("holds {other:?}; names are made of letters, digits and `/ . _ - : @ {{ }}`"),
        });
    }
    if text.contains("..") {
        return Err("holds `..`".to_owned());
    }
    if text.contains("//") {
        return Err("holds `//`".to_owned());
    }
    if param2 { parse_param2(text) } else { parse_other(text) }
}

fn parse_other(text: &str) -> Result<Name<'_>, String> {
    if let Some(bad) = text.chars().find(|c| matches!(c, ':' | '@')) {
        return Err(format!(
            "holds {bad:?}; only the APIs of 1688 and aliexpress-legacy have namespaces and versions"
        ));
    }
    let name = text.strip_prefix("/rest/").map_or(text, |rest| &text[text.len() - rest.len() - 1..]);
    if name.trim_matches('/').is_empty() {
        return Err("names nothing".to_owned());
    }
    let mut open = false;
    for c in name.chars() {
        match c {
            '{' if open => return Err("has a brace inside a brace".to_owned()),
            '{' => open = true,
            '}' if !open => return Err("closes a brace that was not opened".to_owned()),
            '}' => open = false,
            _ => {}
        }
    }
    if open {
        return Err("has a brace that is not closed".to_owned());
    }
    if name.contains('{') && !name.contains('/') {
        return Err("has a variable but is not a path".to_owned());
    }
    Ok(Name { namespace: None, plain: name, version: None })
}

/// `ns:name`, `ns/name`, `ns:name@2`, `name`, and what stands in URLs: `param2/1/ns/name`.
fn parse_param2(text: &str) -> Result<Name<'_>, String> {
    if text.contains(['{', '}']) {
        return Err("holds a brace; the APIs of this platform have no variables in their names".to_owned());
    }
    let text = text.strip_prefix('/').unwrap_or(text);
    let text = text.strip_prefix("openapi/").unwrap_or(text);
    if let Some(rest) = text.strip_prefix("param2/").or_else(|| text.strip_prefix("http/")) {
        let mut parts = rest.split('/');
        let version = parts.next().unwrap_or_default();
        let (Some(namespace), Some(name)) = (parts.next(), parts.next()) else {
            return Err("is a URL path, but not `param2/VERSION/NAMESPACE/NAME`".to_owned());
        };
        let version = version_of(version)?;
        // A last segment is the app key of whoever copied the URL.
        if parts.count() > 1 || namespace.is_empty() || name.is_empty() {
            return Err("is a URL path, but not `param2/VERSION/NAMESPACE/NAME`".to_owned());
        }
        return Ok(Name { namespace: Some(namespace), plain: name, version: Some(version) });
    }
    let (text, version) = match text.split_once('@') {
        None => (text, None),
        Some((text, version)) => (text, Some(version_of(version)?)),
    };
    let (namespace, name) = match text.split_once([':', '/']) {
        None => (None, text),
        Some((namespace, name)) => (Some(namespace), name),
    };
    if name.is_empty() || namespace.is_some_and(str::is_empty) || name.contains([':', '/']) {
        return Err("is not `[namespace:]name[@version]`".to_owned());
    }
    Ok(Name { namespace, plain: name, version })
}

fn version_of(text: &str) -> Result<u32, String> {
    match text.parse::<u32>() {
        Ok(version) if version > 0 && version < 1000 => Ok(version),
        _ => Err(format!("has the version {text:?}; versions are whole numbers from 1")),
    }
}

/// Returns the text under which a name stands in the index: lower case, no slash at either end.
pub(crate) fn key(name: &str) -> String {
    name.trim_matches('/').to_ascii_lowercase()
}
