//! `sesame sign`: signs exactly what it is given, and says how the signature comes about.

mod push;
mod warnings;

use serde_json::json;
use sesame_core::{
    Error, Protocol, Shape,
    sign::{Digest, Explanation, OtherApp, Pair, SigningKey, WrongSignature, diagnose, explain},
};

use crate::{
    address::{is_address, take_apart},
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
      app_key=123456 timestamp=1517820392000 sign_method=sha256 \\
      access_token=test order_id=1234
  sesame sign --protocol param2 --path param2/1/system/currentTime/1000000 \\
      --secret-stdin a=1 b=2 --explain
  sesame sign --protocol iop --secret-stdin \\
      --explain 'https://api.lazada.sg/rest/order/get?app_key=123456&sign=ABC'
  sesame sign --protocol iop --path 123456 --body message.json \\
      --secret-stdin Authorization=1f2e3d
  sesame sign --protocol top --account myshop method=taobao.time.get app_key=1 \\
      v=2.0 'timestamp=2026-11-21 12:00:00'

Nothing is added and nothing is dropped: empty values are signed; only the signature itself \
(`sign`, `_aop_signature`) is left out, and that is said. Values are raw text, not percent-encoded; a \
whole address is taken apart and decoded. With a signature among the parameters --explain tries the \
known mistakes and names the one that gives it. --body with --protocol iop checks a push message: its \
header Authorization signs the app key and the raw body.

JSON: {\"signature\",\"protocol\",\"shape\",\"path\",\"sign_method\",\"digest\",\"base_string\",\"masked\",
       \"left_out\":[{\"name\",\"why\"}],\"warnings\":[..],\"sorted_by_name\",\"without_empty\",\"given\":{\"signature\",\"same\",\"mistakes\":[..]}}")]
pub(crate) struct SignArgs {
    /// The parameters, NAME=VALUE each, or the whole address of a call.
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
    /// The raw body that is signed, from a file: of a batch call (top) or of a push message (iop).
    #[arg(long, value_name = "FILE")]
    body: Option<std::path::PathBuf>,
    /// Signs with the app secret of this account.
    #[arg(long, value_name = "ACCOUNT", conflicts_with_all = ["secret", "secret_env", "secret_stdin"])]
    account: Option<String>,
    #[command(flatten)]
    secret: SecretInput,
    /// Also prints the base string, what was left out and why, and which mistake gives another signature.
    #[arg(long)]
    explain: bool,
    /// Prints secrets in the base string instead of masking them.
    #[arg(long)]
    show_secrets: bool,
}

/// Signs and prints.
pub(crate) fn run(args: &SignArgs, context: &Context) -> CliResult {
    let body = match &args.body {
        None => Vec::new(),
        Some(path) => bounded_file::read(path, MAX_BODY)
            .map_err(|why| Error::usage(format!("cannot read {}: {why}", path.display())))?,
    };
    runtime::block_on(context, async {
        let (protocol, app_key, secret) = match &args.account {
            None => {
                let protocol = args.protocol.ok_or_else(|| {
                    Error::usage("no protocol was given").with_hint("Use --protocol param2, iop or top.")
                })?;
                let input = args.secret.clone();
                let secret = runtime::aside(move || input.read()).await?.ok_or_else(|| {
                    Error::usage("no secret was given").with_hint(
                        "Use --secret-stdin, --secret-env VAR, --account ACCOUNT or --secret SECRET.",
                    )
                })?;
                (protocol, None, secret)
            }
            Some(account) => {
                let handle = context.vault().await?.handle(account).await?;
                let own = handle.platform().protocol;
                if let Some(asked) = args.protocol.filter(|asked| *asked != own) {
                    note(
                        "note",
                        &format!("the platform of {account} speaks {own}; signing as {asked} all the same"),
                    );
                }
                let secret = handle.app_secret().clone();
                (args.protocol.unwrap_or(own), Some(handle.app_key().to_owned()), secret)
            }
        };
        let asked = SignRequest::read(args, protocol)?;
        if args.body.is_some() && protocol == Protocol::Iop {
            return push::run(args, context, &secret, &asked, &body);
        }
        let shape = shape_of(protocol, asked.path.is_some(), args.body.is_some())?;
        let path = asked.path.as_deref().unwrap_or_default();
        let pairs: Vec<Pair<'_>> =
            asked.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let value_of = |wanted: &str| pairs.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
        let in_parameters = value_of("sign_method");
        let (method, digest) = digest_of(protocol, args.sign_method.as_deref(), in_parameters)?;
        let key = SigningKey::new(digest, &secret);
        let mut explanation = explain(&key, shape, path, &pairs, &body);
        let mut own = asked.warnings;
        let asks_method = args.sign_method.is_some();
        own.extend(warnings::of(protocol, path, &pairs, method, asks_method, in_parameters));
        if !args.explain {
            for warning in &own {
                note("note", warning);
            }
        }
        explanation.warnings.extend(own);
        let given = value_of(shape.signature_param()).map(|signature| Given {
            signature,
            is_same: signature.trim().eq_ignore_ascii_case(explanation.signature.as_str()),
            mistakes: Vec::new(),
        });
        let given = match given {
            Some(given) if args.explain && !given.is_same => {
                let key_of_path = path.rsplit('/').next().filter(|_| shape == Shape::Param2);
                let wrong = WrongSignature {
                    signature: given.signature,
                    secret: &secret,
                    app_key: app_key.as_deref().or(value_of("app_key")).or(key_of_path).unwrap_or_default(),
                    shape,
                    digest,
                    path: if path.is_empty() {
                        asked.unsigned_path.as_deref().unwrap_or_default()
                    } else {
                        path
                    },
                    pairs: &pairs,
                    body: &body,
                    others: &[],
                    bases: &[],
                };
                Some(Given { mistakes: mistakes(context, wrong, asked.base.as_deref()).await?, ..given })
            }
            given => given,
        };
        print(args, context, shape, path, method, digest, &explanation, given.as_ref())
    })
}

/// A signature that stands among the parameters.
struct Given<'a> {
    signature: &'a str,
    is_same: bool,
    /// What was done wrong, as far as it was found.
    mistakes: Vec<String>,
}

/// Path and parameters as they were given, whole addresses taken apart.
#[derive(Default)]
struct SignRequest {
    path: Option<String>,
    /// The path of an address whose route signs none.
    unsigned_path: Option<String>,
    pairs: Vec<(String, String)>,
    /// Scheme and host, where a whole address was given.
    base: Option<String>,
    warnings: Vec<String>,
}

impl SignRequest {
    fn read(args: &SignArgs, protocol: Protocol) -> CliResult<Self> {
        let (addresses, words): (Vec<String>, Vec<String>) =
            args.parameters.iter().cloned().partition(|word| is_address(word));
        let mut out = Self { path: args.path.clone(), pairs: split_literal(&words)?, ..Self::default() };
        for address in args.path.iter().filter(|path| is_address(path)).chain(&addresses) {
            if out.base.is_some() {
                return Err(Error::usage("two whole addresses were given").with_hint("Give one.").into());
            }
            let apart = take_apart(protocol, address);
            for (name, value) in apart.pairs {
                if out.pairs.iter().any(|(known, _)| *known == name) {
                    return Err(Error::usage(format!(
                        "{name:?} stands in the address and among the parameters"
                    ))
                    .with_hint("Give it once.")
                    .into());
                }
                out.pairs.push((name, value));
            }
            let keeps_own = out.path.as_deref().is_some_and(|path| !is_address(path));
            if !keeps_own {
                out.path = apart.path;
            }
            out.warnings.push(match &out.path {
                Some(path) => {
                    format!("a whole address was given; of it the path {path} and the parameters are signed")
                }
                None => "a whole address was given; of it the parameters alone are signed".to_owned(),
            });
            out.base = Some(apart.base);
        }
        Ok(out)
    }
}

/// Looks for the mistake, with the gateways of the catalog and the keys of the vault's apps.
async fn mistakes(
    context: &Context,
    wrong: WrongSignature<'_>,
    base: Option<&str>,
) -> CliResult<Vec<String>> {
    let catalog = context.catalog()?;
    let protocol = wrong.shape.protocol();
    let mut bases: Vec<&str> = base.into_iter().collect();
    for platform in catalog.platforms().iter().filter(|platform| platform.protocol == protocol) {
        for region in &platform.regions {
            bases.extend([Some(region.api.as_str()), region.sync.as_deref()].into_iter().flatten());
        }
    }
    bases.sort_unstable();
    bases.dedup();
    // A vault that is not there or does not open has no keys to try.
    let apps = match context.vault_is_new().await {
        Ok(false) => match context.vault().await {
            Ok(vault) => vault.apps().await.unwrap_or_default(),
            Err(_) => Vec::new(),
        },
        _ => Vec::new(),
    };
    let others: Vec<OtherApp<'_>> =
        apps.iter().map(|app| OtherApp { name: &app.name, key: &app.app_key, secret: None }).collect();
    Ok(diagnose(&WrongSignature { others: &others, bases: &bases, ..wrong }))
}

fn shape_of(protocol: Protocol, path: bool, body: bool) -> CliResult<Shape> {
    if body && protocol != Protocol::Top {
        return Err(Error::usage(format!("{protocol} does not sign a body"))
            .with_hint(
                "--body is for the batch calls of --protocol top, and for push messages of --protocol iop.",
            )
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

#[expect(clippy::too_many_arguments, reason = "the parts of one answer, printed in one place")]
fn print(
    args: &SignArgs,
    context: &Context,
    shape: Shape,
    path: &str,
    method: &str,
    digest: Digest,
    explanation: &Explanation,
    given: Option<&Given<'_>>,
) -> CliResult {
    let mut printer = context.printer(Format::Table);
    let base = if args.show_secrets {
        String::from_utf8_lossy(&explanation.base_string).into_owned()
    } else {
        explanation.masked_base_string.clone()
    };
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
            "given": given.map(|given| json!({
                "signature": given.signature, "same": given.is_same, "mistakes": given.mistakes,
            })),
        });
        return printer.one(&record, |_| Ok(()));
    }
    printer.line(explanation.signature.as_str())?;
    if !args.explain {
        for left in &explanation.left_out {
            note("note", &format!("{} was left out: {}", left.name, left.why));
        }
        if given.is_some_and(|given| !given.is_same) {
            note(
                "note",
                "the signature among the parameters is another one; --explain looks for the mistake",
            );
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
    if let Some(given) = given {
        line(
            "given",
            if given.is_same {
                "the signature among the parameters is this one"
            } else {
                "the signature among the parameters is another one"
            },
        )?;
        for mistake in &given.mistakes {
            line("mistake", mistake)?;
        }
        if !given.is_same && given.mistakes.is_empty() {
            line(
                "mistake",
                "no known mistake gives it: compare the base string with yours, and check the secret",
            )?;
        }
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
