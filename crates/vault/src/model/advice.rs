//! Errors for accounts that have to be authorized again.

use sesame_core::{Error, ErrorKind, command_line::quote};

/// Returns the error for an account that has to be authorized again. `has_refresh_token` says
/// whether there is a refresh token left to try.
pub(crate) fn needs_reauthorization(
    account: &str,
    app: &str,
    reason: &str,
    has_refresh_token: bool,
) -> Error {
    Error::new(ErrorKind::Authorization, format!("account {account:?} has to be authorized again: {reason}"))
        .with_hint(reauthorize(app, account, has_refresh_token))
}

/// Returns the commands that authorize an account again.
pub(crate) fn reauthorize(app: &str, account: &str, has_refresh_token: bool) -> String {
    let (app, account) = (quote(app), quote(account));
    let login = format!("Run `sesame login {app} --as {account}` and let the seller approve.");
    if has_refresh_token {
        return format!("{login} `sesame refresh {account}` tries the refresh token once more.");
    }
    login
}
