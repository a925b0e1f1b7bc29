//! `sesame sign`: signs exactly what it is given, and says how the signature comes about.

use serde_json::json;
use sesame_core::{
    AppSecret, Error, Protocol, Shape,
    sign::{Digest, Explanation, Pair, SigningKey, explain},
};

use crate::{
    bounded_file,
    context::Context,
    exit::{CliResult, note},
    output::Format,
    parameters::split_literal,
    runtime,
    secret_input::SecretInput,
};

/// The largest body that is signed.
const MAX_BODY: u64 = 64 << 20;

/// Options of `sign`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sesame sign --protocol iop --path /order/get --secret-env APP_SECRET \\
      app_key=123456 timestamp=1517820392000 sign_method=sha256 access_token=test order_id=1234
  sesame sign --protocol param2 --path param2/1/system/currentTime/1000000 --secret-stdin a=1 b=2 --explain
  sesame sign --protocol top --account myshop method=taobao.time.get app_key=1 v=2.0 'timestamp=2026-11-21 12:00:00'

Nothing is added and nothing is dropped: empty values are signed; only the signature itself \
(`sign`, `_aop_signature`) is left out, and that is said. Values are raw text, not percent-encoded.

JSON: {\"signature\",\"protocol\",\"shape\",\"path\",\"sign_method\",\"digest\",\"base_string\",\"masked\",
       \"left_out\":[{\"name\",\"why\"}],\"warnings\":[..],\"sorted_by_name\",\"without_empty\",\"given\":{\"signature\",\"same\"}}")]
pub(crate) struct SignArgs {
    /// The parameters, NAME=VALUE each.
    #[arg(value_name = "NAME=VALUE")]
    parameters: Vec<String>,
    /// The protocol; with --account that of the account's platform.
    #[arg(long, value_name = "param2|iop|top", required_unless_present = "account")]
    protocol: Option<Protocol>,
    /// The path that is signed. iop: with it the call is /rest, without it /sync. param2: without it
    /// only the parameters are signed, as in authorize URLs and push messages.
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// The digest by its word on the wire. iop: sha256 (default), hmac, md5. top: md5 (default),
    /// hmac, hmac-sha256. param2 has one.
    #[arg(long, value_name = "METHOD")]
    sign_method: Option<String>,
    /// The raw body that is signed after the parameters, from a file (top batch calls).
    #[arg(long, value_name = "FILE")]
    body: Option<std::path::PathBuf>,
    /// Signs with the app secret of this account.
    #[arg(long, value_name = "ACCOUNT", conflicts_with_all = ["secret", "secret_env", "secret_stdin"])]
    account: Option<String>,
    #[command(flatten)]
    secret: SecretInput,
    /// Also prints the base string, what was left out and why, and where two lineages of SDKs differ.
    #[arg(long)]
    explain: bool,
    /// Prints secrets in the base string instead of masking them.
    #[arg(long)]
    show_secrets: bool,
}

/// Signs and prints.
pub(crate) fn run(args: &SignArgs, context: &Context) -> CliResult {
    let pairs = split_literal(&args.parameters)?;
    let pairs: Vec<Pair<'_>> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let body = match &args.body {
        None => Vec::new(),
        Some(path) => bounded_file::read(path, MAX_BODY)
            .map_err(|why| Error::usage(format!("cannot read {}: {why}", path.display())))?,
    };
    let (protocol, key_for) = match &args.account {
        None => {
            let secret = args.secret.read()?.ok_or_else(|| {
                Error::usage("no secret was given")
                    .with_hint("Use --secret-stdin, --secret-env VAR, --account ACCOUNT or --secret SECRET.")
            })?;
            let protocol = args.protocol.ok_or_else(|| {
                Error::usage("no protocol was given").with_hint("Use --protocol param2, iop or top.")
            })?;
            (protocol, KeySource::Secret(secret))
        }
        Some(account) => {
            let mut found = None;
            runtime::block_on(context, async {
                let vault = context.vault().await?;
                found = Some(vault.handle(account).await?);
                Ok(())
            })?;
            let handle = found.ok_or_else(|| Error::local("the account was not read"))?;
            let own = handle.platform().protocol;
            if let Some(asked) = args.protocol.filter(|asked| *asked != own) {
                note(
                    "note",
                    &format!("the platform of {account} speaks {own}; signing as {asked} all the same"),
                );
            }
            (args.protocol.unwrap_or(own), KeySource::Account(handle))
        }
    };
    let path = args.path.as_deref().unwrap_or_default();
    let shape = shape_of(protocol, args.path.is_some(), args.body.is_some())?;
    let in_parameters = pairs.iter().find(|(name, _)| *name == "sign_method").map(|(_, value)| *value);
    let (method, digest) = digest_of(protocol, args.sign_method.as_deref(), in_parameters)?;
    let key = match key_for {
        KeySource::Secret(secret) => SigningKey::new(digest, &secret),
        KeySource::Account(handle) => handle.key(digest).clone(),
    };
    let mut explanation = explain(&key, shape, path, &pairs, &body);
    explanation.warnings.extend(more_warnings(
        protocol,
        path,
        &pairs,
        method,
        args.sign_method.is_some(),
        in_parameters,
    ));
    let given = pairs.iter().find(|(name, _)| *name == shape.signature_param()).map(|(_, value)| *value);
    print(args, context, shape, path, method, digest, &explanation, given)
}

enum KeySource {
    Secret(AppSecret),
    Account(std::sync::Arc<sesame_vault::AccountHandle>),
}

fn shape_of(protocol: Protocol, path: bool, body: bool) -> CliResult<Shape> {
    if body && protocol != Protocol::Top {
        return Err(Error::usage(format!("{protocol} does not sign a body"))
            .with_hint("--body is for the batch calls of --protocol top.")
            .into());
    }
    Ok(match protocol {
        Protocol::Param2 if path => Shape::Param2,
        Protocol::Param2 => Shape::Param2Params,
        Protocol::Iop if path => Shape::IopRest,
        Protocol::Iop => Shape::IopSync,
        Protocol::Top if body => Shape::TopBatch,
        Protocol::Top => Shape::Top,
    })
}

/// The words of `sign_method`, the default first. Source: protocols 2.2, 2.9, 3.2.
fn methods(protocol: Protocol) -> &'static [(&'static str, Digest)] {
    match protocol {
        Protocol::Param2 => &[("hmac-sha1", Digest::HmacSha1)],
        Protocol::Iop => {
            &[("sha256", Digest::HmacSha256), ("hmac", Digest::HmacMd5), ("md5", Digest::Md5Sandwich)]
        }
        Protocol::Top => {
            &[("md5", Digest::Md5Sandwich), ("hmac", Digest::HmacMd5), ("hmac-sha256", Digest::HmacSha256)]
        }
    }
}

fn digest_of(
    protocol: Protocol,
    asked: Option<&str>,
    in_parameters: Option<&str>,
) -> CliResult<(&'static str, Digest)> {
    let known = methods(protocol);
    let wanted = match (protocol, asked, in_parameters) {
        (_, Some(asked), _) => asked,
        (Protocol::Iop | Protocol::Top, None, Some(sent)) => sent,
        _ => return Ok(known[0]),
    };
    known.iter().find(|(word, _)| word.eq_ignore_ascii_case(wanted)).copied().ok_or_else(|| {
        let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
        Error::usage(format!("{protocol} has no sign method {wanted:?}"))
            .with_hint(format!("Use one of: {}.", words.join(", ")))
            .into()
    })
}

/// What the signature cannot show by itself.
fn more_warnings(
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
        Protocol::Param2 if path.starts_with('/') || path.starts_with("openapi/") => out.push(
            "param2 signs the path from the protocol on, `param2/1/namespace/name/APPKEY`, without `/openapi/`; this path was signed as given".to_owned(),
        ),
        Protocol::Param2 if path.contains("%2") || path.contains('?') => {
            out.push("the path is signed without its query and not percent-encoded; this one was signed as given".to_owned());
        }
        Protocol::Iop if path.starts_with("/rest/") || path.contains("://") => out.push(
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
    if path.contains('{') {
        out.push("the gateway signs the path with its {variables} replaced by their values, and without those parameters".to_owned());
    }
    if protocol != Protocol::Param2 && !path.is_empty() && pairs.iter().any(|(name, _)| *name == "method") {
        out.push("a call by path needs no parameter `method`; it is signed because it is there".to_owned());
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

#[expect(clippy::too_many_arguments, reason = "the parts of one answer, printed in one place")]
fn print(
    args: &SignArgs,
    context: &Context,
    shape: Shape,
    path: &str,
    method: &str,
    digest: Digest,
    explanation: &Explanation,
    given: Option<&str>,
) -> CliResult {
    let mut printer = context.printer(Format::Table);
    let base = if args.show_secrets {
        String::from_utf8_lossy(&explanation.base_string).into_owned()
    } else {
        explanation.masked_base_string.clone()
    };
    let same = given.map(|given| given.eq_ignore_ascii_case(explanation.signature.as_str()));
    if !printer.for_people() {
        let record = json!({
            "signature": explanation.signature.as_str(),
            "protocol": shape.protocol().as_str(),
            "shape": shape.as_str(),
            "path": path,
            "sign_method": method,
            "digest": digest.as_str(),
            "base_string": base,
            "masked": !args.show_secrets,
            "left_out": explanation.left_out,
            "warnings": explanation.warnings,
            "sorted_by_name": explanation.by_name.map(|signature| signature.as_str().to_owned()),
            "without_empty": explanation.without_empty.map(|signature| signature.as_str().to_owned()),
            "given": given.map(|given| json!({"signature": given, "same": same})),
        });
        return printer.one(&record, |_| Ok(()));
    }
    printer.line(explanation.signature.as_str())?;
    if !args.explain {
        for left in &explanation.left_out {
            note("note", &format!("{} was left out: {}", left.name, left.why));
        }
        return printer.flush();
    }
    printer.line("")?;
    let order = match shape.protocol() {
        Protocol::Param2 => "the joined texts name+value, by byte",
        Protocol::Iop | Protocol::Top => "names, by byte",
    };
    let mut line = |name: &str, value: &str| printer.line(format_args!("{name:<14}{value}"));
    line(
        "shape",
        &format!(
            "{shape}{}",
            if shape.signs_path() { format!(", path {path}") } else { ", no path".to_owned() }
        ),
    )?;
    line("digest", &format!("{digest} (sign_method {method})"))?;
    line("sorted", order)?;
    let shown = visible(&base);
    line("base string", &shown)?;
    if shown != base {
        line("", "(control characters are shown as escapes; --output json has them as they are)")?;
    }
    if !args.show_secrets && base.as_bytes() != explanation.base_string {
        line("", "(secrets are masked; --show-secrets prints them)")?;
    }
    line("length", &format!("{} bytes", explanation.base_string.len()))?;
    for left in &explanation.left_out {
        line("left out", &format!("{}: {}", left.name, left.why))?;
    }
    if let Some(same) = same {
        line(
            "given",
            if same {
                "the signature among the parameters is this one"
            } else {
                "the signature among the parameters is another one"
            },
        )?;
    }
    if let Some(other) = &explanation.by_name {
        line("by name", other.as_str())?;
    }
    if let Some(other) = &explanation.without_empty {
        line("no empty", other.as_str())?;
    }
    for warning in &explanation.warnings {
        line("differs", warning)?;
    }
    printer.flush()
}

/// Shows control characters as escapes.
fn visible(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_follows_the_parameter_and_the_option_wins() {
        assert_eq!(digest_of(Protocol::Iop, None, None).unwrap().1, Digest::HmacSha256);
        assert_eq!(digest_of(Protocol::Iop, None, Some("md5")).unwrap().1, Digest::Md5Sandwich);
        assert_eq!(digest_of(Protocol::Top, None, None).unwrap().1, Digest::Md5Sandwich);
        assert_eq!(digest_of(Protocol::Top, Some("hmac-sha256"), Some("md5")).unwrap().1, Digest::HmacSha256);
        assert_eq!(digest_of(Protocol::Param2, None, Some("anything")).unwrap().1, Digest::HmacSha1);
        assert!(digest_of(Protocol::Top, Some("sha256"), None).is_err());
    }

    #[test]
    fn the_path_decides_the_shape() {
        assert_eq!(shape_of(Protocol::Iop, true, false).unwrap(), Shape::IopRest);
        assert_eq!(shape_of(Protocol::Iop, false, false).unwrap(), Shape::IopSync);
        assert_eq!(shape_of(Protocol::Param2, false, false).unwrap(), Shape::Param2Params);
        assert_eq!(shape_of(Protocol::Top, false, true).unwrap(), Shape::TopBatch);
        assert!(shape_of(Protocol::Iop, true, true).is_err());
    }

    #[test]
    fn control_characters_are_shown() {
        assert_eq!(visible("a\nb中"), "a\\nb中");
    }
}
