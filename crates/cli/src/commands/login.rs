//! `sesame login APP`: a seller approves the app; the vault gets the tokens.

use std::{
    io::{BufRead, Read as _},
    time::Duration,
};

use serde_json::json;
use sesame_catalog::SandboxUrl;
use sesame_core::{
    AuthCode, Error, ErrorKind, Fault, HttpRequest, command_line::quote, mask::mask_url, redact::Redactor,
    request::Method,
};
use sesame_vault::{Account, Callback, Listener, Login, LoginOptions, Vault};
use tokio::sync::mpsc;

use crate::{
    commands::accounts,
    context::Context,
    exit::{CliResult, note, person_is_there, say},
    humanize::{self, parse_duration},
    output::Format,
    runtime,
};

/// The longest line that is read from a person: callbacks have some hundred characters.
const LONGEST_LINE: u64 = 16 << 10;
/// Maximum number of useless lines before the login ends.
const MOST_LINES: u32 = 10;

/// Options of `login`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sesame login shop
  sesame login shop --as summer --region my
  sesame login shop --no-browser
  sesame login shop \\
      --callback-url 'http://127.0.0.1:8756/callback?code=..&state=..'
  sesame login shop --as summer --replace-shop

Opens the browser and waits for the callback, or for a pasted line, whichever comes first. With \
--no-browser it prints the address, and lines may come from a pipe. A redirect URI that is not on this \
machine means pasting.

Without a terminal to paste at, the address goes to standard output. The command returns where the \
redirect URI is not on this machine, and at the end of input; the login is finished within two hours by \
`sesame login APP --callback-url URL`, with the other options as before. --code and --callback-url read \
standard input where they are -, which hides them from other users of this machine. A sandbox that \
approves by itself is asked directly.
JSON: as `sesame accounts`, for the accounts that were authorized; without a terminal, for a login that \
is to be finished: {\"authorize_url\",\"state\",\"expires_in\",\"redirect_uri\"}, seconds.")]
pub(crate) struct LoginArgs {
    /// The app, as `sesame app list` names it.
    app: String,
    /// A name for the account, or the account that is authorized again [default: the shop's login].
    #[arg(long = "as", value_name = "ACCOUNT")]
    as_name: Option<String>,
    /// Prints the address instead of opening a browser.
    #[arg(long)]
    no_browser: bool,
    /// The code that the approval gave, if the browser showed one.
    #[arg(long, value_name = "CODE", conflicts_with = "callback_url")]
    code: Option<AuthCode>,
    /// The whole address that the browser ended at.
    #[arg(long, value_name = "URL")]
    callback_url: Option<String>,
    /// How long to wait for the approval: 1s to 15m.
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = parse_wait)]
    wait: Duration,
    /// Lets the account of --as become another shop.
    #[arg(long, requires = "as_name")]
    replace_shop: bool,
    /// The region whose hosts are called.
    #[arg(long)]
    region: Option<String>,
    /// The country to choose on the page (Lazada: sg, my, .., cb for all).
    #[arg(long)]
    country: Option<String>,
}

fn parse_wait(text: &str) -> Result<Duration, String> {
    let wait = parse_duration(text)?;
    if (1..=900).contains(&wait.as_secs()) { Ok(wait) } else { Err("write a time from 1s to 15m".to_owned()) }
}

/// Authorizes and prints the accounts.
pub(crate) fn run(args: &LoginArgs, context: &Context) -> CliResult {
    runtime::block_on(context, async {
        let vault = context.vault().await?;
        let mut options = LoginOptions::default()
            .replace_shop(args.replace_shop)
            .have_code(args.code.is_some() || args.callback_url.is_some());
        options.as_name.clone_from(&args.as_name);
        options.region.clone_from(&args.region);
        options.country.clone_from(&args.country);
        let login = vault.begin_login(&args.app, options).await?;
        let source = match (&args.code, &args.callback_url) {
            (Some(code), _) => {
                let code = given("--code", code.expose()).await?;
                CodeSource::Here(Callback::Code(AuthCode::new(code.trim())))
            }
            (None, Some(url)) => CodeSource::Here(Callback::Url(given("--callback-url", url).await?)),
            (None, None) => obtain(args, context, vault, &login).await?,
        };
        let found = match source {
            CodeSource::Here(callback) => Some(vault.finish_login(&login, callback).await?),
            CodeSource::Elsewhere => None,
            CodeSource::Awaited(awaited) => awaited.finish(args.wait, context, vault, &login).await?,
        };
        match found {
            Some(found) => done(context, &found, args.as_name.as_deref()),
            None => begun(args, context, &login),
        }
    })
}

/// Returns the value of an option that is worth hiding; `-` reads it from standard input.
async fn given(option: &'static str, value: &str) -> CliResult<String> {
    if value == "-" {
        return runtime::aside(|| match next_line(&mut std::io::stdin().lock()) {
            Some(Ok(line)) => Ok(line),
            Some(Err(why)) => Err(Error::usage(format!("standard input {why}")).into()),
            None => Err(input_ended().into()),
        })
        .await;
    }
    note(
        "note",
        &format!(
            "other users of this machine can see {option} in the list of processes; {option} - reads standard input"
        ),
    );
    Ok(value.to_owned())
}

/// Prints where the app is approved, and how the login is finished.
fn begun(args: &LoginArgs, context: &Context, login: &Login) -> CliResult {
    let record = json!({
        "authorize_url": login.authorize_url,
        "state": login.state,
        "expires_in": login.expires_in.as_secs(),
        "redirect_uri": login.redirect_uri,
    });
    context.printer(Format::Table).one(&record, |printer| printer.line(&login.authorize_url))?;
    let mut finish = format!("sesame login {}", quote(&args.app));
    for (option, value) in [("--as", &args.as_name), ("--region", &args.region)] {
        if let Some(value) = value {
            finish = format!("{finish} {option} {}", quote(value));
        }
    }
    if args.replace_shop {
        finish.push_str(" --replace-shop");
    }
    say(&format!("Approve the app at this address, then: {finish} --callback-url URL"));
    Ok(())
}

fn done(context: &Context, found: &[Account], as_name: Option<&str>) -> CliResult {
    accounts::print(context, found, context.clock.now(), accounts::Asked::All)?;
    let asked = found.iter().find(|account| Some(account.name.as_str()) == as_name);
    if let Some(account) = asked.or(found.first()) {
        let is_same = |other: &&Account| {
            other.id != account.id && other.shop_id == account.shop_id && other.country == account.country
        };
        let others: Vec<_> = found.iter().filter(is_same).map(|other| other.name.as_str()).collect();
        if !others.is_empty() && account.shop_id.is_some() {
            let others = others.join(", ");
            note("note", &format!("{} is the shop of {others}, too; they share its tokens", account.name));
        }
        let name = quote(&account.name);
        say(&format!("Next: sesame products list {name}   sesame call {name} API ...   sesame token {name}"));
    }
    Ok(())
}

/// Where the callback comes from.
enum CodeSource {
    /// It is here.
    Here(Callback),
    /// From the browser, or from a pasted line.
    Awaited(Awaited),
    /// Another command will bring it.
    Elsewhere,
}

/// Gets the callback from a sandbox directly, or opens the page and the ways it may come by.
async fn obtain(args: &LoginArgs, context: &Context, vault: &Vault, login: &Login) -> CliResult<CodeSource> {
    if login.is_sandbox
        && let Some(callback) = ask_sandbox(context, login).await?
    {
        return Ok(CodeSource::Here(callback));
    }
    // Before the page is shown: whoever else holds the port would get the approval.
    let listener = if login.is_loopback { Some(vault.listen(login).await?) } else { None };
    let is_asked = args.no_browser || person_is_there();
    if listener.is_none() && !is_asked {
        return Ok(CodeSource::Elsewhere);
    }
    if args.no_browser {
        say("Open this address and approve the app:");
    } else {
        match open::that_detached(&login.authorize_url) {
            Ok(()) => say("The browser opens. If it does not, open this address yourself:"),
            Err(_) => say("No browser could be started. Open this address and approve the app:"),
        }
    }
    say(&format!("\n  {}\n", login.authorize_url));
    match (&listener, is_asked) {
        (Some(_), true) => say("Waiting for the callback; or paste the address the browser ended at:"),
        (Some(_), false) => say("Waiting for the callback."),
        (None, _) => say("Then paste the address the browser ended at:"),
    }
    Ok(CodeSource::Awaited(Awaited { listener, lines: lines() }))
}

/// The ways a callback may come by, both open at once.
struct Awaited {
    listener: Option<Listener>,
    lines: mpsc::Receiver<Line>,
}

/// A line of standard input, or why there is none.
type Line = Result<String, &'static str>;

impl Awaited {
    /// Waits for the callback and for a pasted line at once. A useless line is reported,
    /// and the wait goes on: the browser may still come. `None` at the end of an input that
    /// nobody wrote to, and that is no terminal.
    async fn finish(
        mut self,
        wait: Duration,
        context: &Context,
        vault: &Vault,
        login: &Login,
    ) -> CliResult<Option<Vec<Account>>> {
        let mut over = context.clock.sleep(wait);
        let mut useless = 0;
        let mut last: Option<Error> = None;
        loop {
            let line = tokio::select! {
                callback = async {
                    match &self.listener {
                        Some(listener) => listener.accept().await,
                        None => std::future::pending().await,
                    }
                } => {
                    let (callback, browser) = callback?;
                    let found = vault.finish_login(login, callback).await;
                    browser.show(&found).await;
                    return Ok(Some(found?));
                }
                line = self.lines.recv() => line,
                () = &mut over => {
                    let waited = humanize::duration(wait);
                    return Err(Error::new(
                        ErrorKind::Authorization,
                        format!("nobody approved the app within {waited}"),
                    )
                    .with_hint("Run the command again; or finish this login with --callback-url URL.")
                    .into());
                }
            };
            let error = match line {
                None if last.is_none() && !person_is_there() => return Ok(None),
                None => return Err(last.unwrap_or_else(input_ended).into()),
                Some(Ok(line)) if line.trim().is_empty() => continue,
                Some(Ok(line)) => match pasted(vault, login, &line).await {
                    Ok(found) => return Ok(Some(found)),
                    Err((error, true)) => error,
                    Err((error, false)) => return Err(error.into()),
                },
                Some(Err(why)) => Error::usage(format!("the pasted line {why}"))
                    .with_hint("Paste the address that the browser shows after the approval."),
            };
            useless += 1;
            if useless >= MOST_LINES {
                return Err(error.into());
            }
            note("warning", error.message());
            if let Some(hint) = error.hint() {
                note("hint", hint);
            }
            say("Still waiting; Ctrl-C ends it.");
            last = Some(error);
        }
    }
}

fn input_ended() -> Error {
    Error::new(ErrorKind::Authorization, "the input ended before the app was approved")
        .with_fault(Fault::Caller)
        .with_hint(
            "Run the command again and paste the address; or give it as --callback-url URL or --code CODE.",
        )
}

/// Finishes a login with a pasted line. Also tells of an error whether another line may be better.
async fn pasted(vault: &Vault, login: &Login, line: &str) -> Result<Vec<Account>, (Error, bool)> {
    let callback = Callback::parse(line);
    let alone = matches!(callback, Callback::Code(_));
    vault.finish_login(login, callback).await.map_err(|error| {
        // A word alone is tried as a code, and the platform says whether it is one. A seller who
        // refused has decided.
        let mistyped = error.kind() == ErrorKind::Usage
            || (alone && matches!(error.kind(), ErrorKind::Authorization | ErrorKind::Argument));
        (error, mistyped)
    })
}

/// Reads lines in a thread of its own: a read of standard input cannot be called off. The process
/// does not wait for it.
fn lines() -> mpsc::Receiver<Line> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        let mut stdin = std::io::stdin().lock();
        while let Some(line) = next_line(&mut stdin) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Reads a line of at most [`LONGEST_LINE`] bytes; what is longer is skipped to its end. Nothing at
/// the end of the input.
fn next_line(input: &mut impl BufRead) -> Option<Line> {
    let mut line = Vec::new();
    if !matches!(input.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line), Ok(1..)) {
        return None;
    }
    if line.last() != Some(&b'\n') && line.len() as u64 == LONGEST_LINE {
        let mut rest = Vec::new();
        while rest.last() != Some(&b'\n') {
            rest.clear();
            match input.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut rest) {
                Ok(1..) => {}
                _ => break,
            }
        }
        return Some(Err("is longer than any callback"));
    }
    Some(String::from_utf8(line).map_err(|_| "is not UTF-8 text"))
}

/// Requests the page of a sandbox on this machine. Nothing means that it wants a person to decide.
///
/// The redirect is read, not followed: its address is the callback.
pub(crate) async fn ask_sandbox(context: &Context, login: &Login) -> CliResult<Option<Callback>> {
    let reply = context.transport().send(HttpRequest::new(Method::GET, login.authorize_url.clone())).await?;
    if let Some(location) = reply.header("location") {
        // The vault checks all of it; this is said here because it names the sandbox.
        if !location.starts_with(login.redirect_uri.split(['?', '#']).next().unwrap_or_default()) {
            return Err(Error::usage(format!(
                "the sandbox redirects to {}, not to the app's redirect URI",
                mask_url(location)
            ))
            .into());
        }
        return Ok(Some(Callback::Url(location.to_owned())));
    }
    if reply.status == 200 {
        return Ok(None);
    }
    let status = reply.status;
    let redactor = Redactor::default();
    let reference = SandboxUrl::reference(&reply, &redactor);
    let refused = format!("the sandbox refuses the authorize page (HTTP status {status})");
    // A page that is there and says no: the app is not the one that is registered.
    if (400..500).contains(&status) {
        let message = match reason(&reply.body) {
            Some(reason) => format!("{refused}: {reason}"),
            None => refused,
        };
        return Err(Error::new(ErrorKind::App, message)
            .with_hint("Compare the app's key, secret and redirect URI with those of this sandbox: `sesame sandbox --listen 127.0.0.1:0 --json` lists them, and they follow from its seed. Then add the app again, under another --name. An app of your own is registered with `sesame sandbox --app-file FILE`, where a line REDIRECT_URI is its redirect URI.")
            .with_http_status(status)
            .with_reference(reference)
            .into());
    }
    Err(Error::new(ErrorKind::Platform, refused)
        .with_hint("Faults were injected into the sandbox: GET /_sandbox/faults lists them.")
        .with_http_status(status)
        .with_reference(reference)
        .into())
}

/// Reads what a page says: the text of its body, without its tags and without secrets.
fn reason(page: &[u8]) -> Option<String> {
    let page = std::str::from_utf8(page.get(..page.len().min(64 << 10))?).ok()?;
    let body = page.split_once("<body>").map_or(page, |(_, body)| body);
    let mut text = String::new();
    for part in body.split('<') {
        // Each part begins inside a tag, but for what stands before the first.
        let said = part.split_once('>').map_or("", |(_, said)| said).trim();
        if !said.is_empty() {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(said);
        }
    }
    for (entity, sign) in [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")] {
        text = text.replace(entity, sign);
    }
    (!text.is_empty()).then(|| Redactor::default().text(&text, 400).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_bounded_and_bad_ones_are_no_end() {
        let long = "x".repeat(40_000);
        let mut input =
            std::io::Cursor::new([b"one\n\xff\xfe\n".as_slice(), long.as_bytes(), b"\ntwo"].concat());
        assert_eq!(next_line(&mut input), Some(Ok("one\n".to_owned())));
        assert!(matches!(next_line(&mut input), Some(Err(why)) if why.contains("UTF-8")));
        assert!(matches!(next_line(&mut input), Some(Err(why)) if why.contains("longer")));
        assert_eq!(next_line(&mut input), Some(Ok("two".to_owned())));
        assert_eq!(next_line(&mut input), None);
    }

    #[test]
    fn a_page_gives_its_reason() {
        let page = b"<!DOCTYPE html><html><head><style>p{}</style></head><body><h1>no</h1><p>a &lt;b&gt; &amp; c</p></body></html>";
        assert_eq!(reason(page).as_deref(), Some("no: a <b> & c"));
        assert_eq!(reason(b"<body></body>"), None);
        assert_eq!(reason(b"\xff"), None);
    }
}
