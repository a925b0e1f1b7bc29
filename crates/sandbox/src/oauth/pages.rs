//! The HTML of the OAuth pages. Plain forms: they work in any browser, without scripts.

use std::fmt::Write as _;

use crate::xml::escape;

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    escape(&mut out, text);
    out
}

fn page(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title}</title>\
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:36em;margin:3em auto;padding:0 1em}}\
select,button{{font:inherit;padding:.4em .8em;margin:.2em 0}}.note{{color:#555}}</style></head>\
<body>{body}</body></html>\n"
    )
}

/// A shop that may log in.
pub(super) struct ShopChoice<'a> {
    pub(super) index: usize,
    pub(super) login: &'a str,
    pub(super) name: &'a str,
    pub(super) platform: &'a str,
}

/// The page that asks the seller.
pub(super) fn consent(
    app_key: &str,
    redirect_uri: &str,
    action: &str,
    hidden: &[(&str, &str)],
    shops: &[ShopChoice<'_>],
    chosen: Option<usize>,
) -> String {
    let mut fields = String::new();
    for (name, value) in hidden {
        let _ =
            write!(fields, "<input type=\"hidden\" name=\"{}\" value=\"{}\">", escaped(name), escaped(value));
    }
    let mut options = String::new();
    for shop in shops {
        let (index, selected) = (shop.index, if chosen == Some(shop.index) { " selected" } else { "" });
        let [login, name, platform] = [shop.login, shop.name, shop.platform].map(escaped);
        let _ = write!(options, "<option value=\"{index}\"{selected}>{login} – {name} ({platform})</option>");
    }
    page(
        "Authorize an app (sandbox)",
        &format!(
            "<h1>Authorize an app</h1><p class=\"note\">This is a sandbox. No real shop is behind it.</p>\
<p>The app <strong>{}</strong> asks to act for your shop. Afterwards you go to <code>{}</code>.</p>\
<form method=\"post\" action=\"{}\">{fields}\
<p><label>Log in as <select name=\"_shop\">{options}</select></label></p>\
<p><button name=\"_decision\" value=\"approve\">Approve</button> \
<button name=\"_decision\" value=\"refuse\">Refuse</button></p></form>",
            escaped(app_key),
            escaped(redirect_uri),
            escaped(action),
        ),
    )
}

/// The page that shows a code to the seller (`urn:ietf:wg:oauth:2.0:oob`).
pub(super) fn shown_code(code: &str) -> String {
    page(
        "Authorization code (sandbox)",
        &format!(
            "<h1>Authorization code</h1><p>Give this code to the app:</p><p><code id=\"code\">{}</code></p>",
            escaped(code)
        ),
    )
}

/// An error page: the vendor's words where they are known, and what they mean.
pub(super) fn error(vendor: &str, says: &str) -> String {
    page("Authorization failed (sandbox)", &format!("<h1>{}</h1><p>{}</p>", escaped(vendor), escaped(says)))
}
