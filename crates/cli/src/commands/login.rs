//! `sesame login APP`: a seller approves the app; the vault gets the tokens.

use std::io::BufRead;

use sesame_core::{AuthCode, Error, ErrorKind, HttpRequest, mask::mask_url, request::Method};
use sesame_vault::{Account, Callback, Listener, Login, LoginOptions, Vault};
use tokio::sync::mpsc;

use crate::{
    commands::accounts,
    running,
    session::Session,
    stop::{Outcome, note, person_is_there, say},
};

/// The longest line that is read from a person: callbacks have some hundred characters.
const LONGEST_LINE: u64 = 16 << 10;

/// Options of `login`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sesame login shop
  sesame login shop --as summer --region my
  sesame login shop --no-browser
  sesame login shop --callback-url 'http://127.0.0.1:8756/callback?code=..&state=..'
  sesame login shop --as summer --replace-shop

Opens the browser and waits for the callback. With --no-browser it prints the address, and takes the
callback or a pasted line, whichever comes first; the end of input exits 3. A redirect URI that is not
on this machine means pasting. A sandbox that approves by itself is asked directly.
JSON: as `sesame accounts`, for the accounts that were authorised.")]
pub(crate) struct Args {
    /// The app, as `sesame app list` names it.
    app: String,
    /// A name for the account, or the account that is authorised again [default: the shop's login].
    #[arg(long = "as", value_name = "ACCOUNT")]
    as_name: Option<String>,
    /// Prints the address instead of opening a browser.
    #[arg(long)]
    no_browser: bool,
    /// The code that the approval gave, if the browser showed one.
    #[arg(long, value_name = "CODE", conflicts_with = "callback_url")]
    code: Option<String>,
    /// The whole address that the browser ended at.
    #[arg(long, value_name = "URL")]
    callback_url: Option<String>,
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

/// Authorises and prints the accounts.
pub(crate) fn run(args: &Args, session: &Session) -> Outcome {
    running::block_on(session, async {
        let vault = session.vault().await?;
        let options = LoginOptions {
            as_name: args.as_name.clone(),
            replace_shop: args.replace_shop,
            region: args.region.clone(),
            country: args.country.clone(),
            have_code: args.code.is_some() || args.callback_url.is_some(),
        };
        let login = vault.begin_login(&args.app, options).await?;
        let callback = match (&args.code, &args.callback_url) {
            (Some(code), _) => Callback::Code(AuthCode::new(code.trim())),
            (None, Some(url)) => Callback::Url(url.clone()),
            (None, None) => obtain(args, session, vault, &login).await?,
        };
        let found = vault.finish_login(&login, callback).await?;
        done(session, &found)
    })
}

fn done(session: &Session, found: &[Account]) -> Outcome {
    accounts::print(session, found, session.clock.now(), false)?;
    if let Some(first) = found.first() {
        let name = super::apis::quote(&first.name);
        say(&format!("Next: sesame products list {name}   sesame call {name} API ...   sesame token {name}"));
    }
    Ok(())
}

/// Gets the callback: from a sandbox directly, from the browser, or from a pasted line.
async fn obtain(args: &Args, session: &Session, vault: &Vault, login: &Login) -> Outcome<Callback> {
    if login.is_sandbox
        && let Some(callback) = ask_sandbox(session, login).await?
    {
        return Ok(callback);
    }
    let listener = if login.is_loopback {
        match vault.listen(login).await {
            Ok(listener) => Some(listener),
            // Pasting still works.
            Err(error) if args.no_browser || person_is_there() => {
                note("warning", error.message());
                None
            }
            Err(error) => return Err(error.into()),
        }
    } else {
        None
    };
    // Without a browser of ours a line may come from anywhere; with one, only a person pastes.
    let pasting = args.no_browser || person_is_there();
    if listener.is_none() && !pasting {
        return Err(Error::new(
            ErrorKind::Authorisation,
            format!(
                "the redirect URI {} is not on this machine, and there is no terminal to paste at",
                login.redirect_uri
            ),
        )
        .hint("Approve the app in a browser, then: sesame login APP --callback-url URL.")
        .into());
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
    match (&listener, pasting) {
        (Some(_), true) => say("Waiting for the callback; or paste the address the browser ended at:"),
        (Some(_), false) => say("Waiting for the callback."),
        (None, _) => say("Then paste the address the browser ended at:"),
    }
    wait(listener, pasting).await
}

/// Waits for the callback and for a pasted line at once.
async fn wait(listener: Option<Listener>, pasting: bool) -> Outcome<Callback> {
    let mut lines = pasting.then(lines);
    loop {
        tokio::select! {
            callback = async {
                match &listener {
                    Some(listener) => listener.accept().await,
                    None => std::future::pending().await,
                }
            } => return Ok(callback?),
            line = async {
                match &mut lines {
                    Some(lines) => lines.recv().await,
                    None => std::future::pending().await,
                }
            } => match line {
                Some(line) if line.trim().is_empty() => {}
                Some(line) => return Ok(Callback::parse(&line)),
                None => {
                    return Err(Error::new(ErrorKind::Authorisation, "the input ended before the app was approved")
                        .hint("Run the command again and paste the address; or give it as --callback-url URL or --code CODE.")
                        .into());
                }
            },
        }
    }
}

/// Reads lines in a thread of its own: a read of standard input cannot be called off. The process
/// does not wait for it.
fn lines() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        let stdin = std::io::stdin();
        loop {
            let mut line = String::new();
            let read = std::io::Read::take(stdin.lock(), LONGEST_LINE).read_line(&mut line);
            if !matches!(read, Ok(1..)) || sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Requests the page of a sandbox on this machine. Nothing means that it wants a person to decide.
///
/// The redirect is read, not followed: its address is the callback.
pub(crate) async fn ask_sandbox(session: &Session, login: &Login) -> Outcome<Option<Callback>> {
    let reply = session.transport().send(HttpRequest::new(Method::Get, login.authorize_url.clone())).await?;
    if let Some(location) = &reply.location {
        // The vault checks all of it; this is said here because it names the sandbox.
        if !location.starts_with(login.redirect_uri.split(['?', '#']).next().unwrap_or_default()) {
            return Err(Error::usage(format!(
                "the sandbox redirects to {}, not to the app's redirect URI",
                mask_url(location)
            ))
            .into());
        }
        return Ok(Some(Callback::Url(location.clone())));
    }
    if reply.status == 200 {
        return Ok(None);
    }
    Err(Error::new(ErrorKind::Authorisation, format!("the sandbox refuses the authorise page (HTTP status {})", reply.status))
        .hint("Is the app key one of this sandbox's, and is its redirect URI registered there? The page says it: open the address in a browser. `sesame sandbox --json` lists both.")
        .with_refusal_id(reply.refusal_id)
        .into())
}
