//! Push messages of IOP: the header `Authorization` over app key and raw body.

use serde_json::json;
use sesame_core::{AppSecret, Error, push::iop_push_signature, sign::Digest};

use super::{SignArgs, SignRequest};
use crate::{
    context::Context,
    exit::{CliResult, note},
    output::Format,
};

/// Signs a push message, and compares the header `Authorization` that came with it.
pub(super) fn run(
    args: &SignArgs,
    context: &Context,
    secret: &AppSecret,
    asked: &SignRequest,
    body: &[u8],
) -> CliResult {
    let Some(app_key) = asked.path.as_deref().filter(|key| !key.is_empty() && !key.contains('/')) else {
        return Err(Error::usage("a push message is signed with the app key in front of its body")
            .with_hint("Give the app key as --path APPKEY, and the body as it arrived: --body FILE.")
            .into());
    };
    let is_given = |name: &str| name.eq_ignore_ascii_case("authorization") || name == "sign";
    if let Some((name, _)) = asked.pairs.iter().find(|(name, _)| !is_given(name)) {
        return Err(Error::usage(format!("a push message has no parameters, and {name:?} was given"))
            .with_hint("Give the header that came with it as Authorization=VALUE.")
            .into());
    }
    // The platform writes it in small letters.
    let signature = iop_push_signature(secret, app_key, body).as_str().to_ascii_lowercase();
    let given = asked.pairs.first().map(|(_, value)| value.trim());
    let is_same = given.map(|given| given.eq_ignore_ascii_case(&signature));
    let record = json!({
        "signature": signature,
        "protocol": "iop",
        "shape": "iop-push",
        "path": app_key,
        "digest": Digest::HmacSha256.as_str(),
        "given": given.map(|given| json!({"signature": given, "same": is_same})),
    });
    context.printer(Format::Table).one(&record, |printer| {
        printer.line(&signature)?;
        if args.explain {
            printer.line("")?;
            printer.line("shape         push message: app key, then the raw body")?;
            printer.line(format_args!("digest        {}", Digest::HmacSha256))?;
            printer.line(format_args!("length        {} bytes", app_key.len() + body.len()))?;
        }
        Ok(())
    })?;
    match is_same {
        Some(true) => note("note", "the Authorization that came with the message is this one"),
        Some(false) => note(
            "warning",
            "the Authorization that came with the message is another one: the body is not as it arrived, or the secret is not that of this app",
        ),
        None => {}
    }
    Ok(())
}
