//! A call that stops before it is sent: `--dry-run`, "sign for me", a curl line to hand on.

use std::fmt;

use sesame_core::{
    HttpRequest, Shape, Value,
    command_line::quote,
    mask::{is_secret_param, mask, mask_url},
    request::{Method, header::CONTENT_TYPE},
    sign::{self, SigningKey},
};

use crate::{
    attempt::{Encoded, System, pairs},
    contract::Contract,
};

/// A request that is signed and ready to be sent. `Debug` shows no secret.
#[derive(Clone)]
pub struct Prepared {
    /// The request, secrets and all.
    pub request: HttpRequest,
    /// The canonical name of the API.
    pub api: String,
    /// The shape of the request.
    pub shape: Shape,
    /// The text that was signed, secrets masked: fit for a screen.
    pub base_string: String,
    /// What the caller should know, as sentences.
    pub warnings: Vec<String>,
    bare_base_string: String,
    /// The parts of a multipart body: name, text or file name, and which of the two.
    parts: Vec<(String, String, bool)>,
}

impl Prepared {
    pub(crate) fn new(
        contract: &Contract,
        encoded: &Encoded<'_>,
        system: &System<'_>,
        key: &SigningKey,
        request: HttpRequest,
        mut warnings: Vec<String>,
    ) -> Self {
        let shape = contract.api.shape;
        let explained = sign::explain(key, shape, &encoded.path, &pairs(encoded, system), b"");
        warnings.extend(explained.warnings);
        let mut parts = Vec::new();
        if encoded.args.has_files() {
            for (name, value) in encoded.args.iter() {
                parts.push(match value {
                    Value::Text(text) => (name.to_owned(), text.clone(), false),
                    Value::File(file) => (name.to_owned(), file.file_name.clone(), true),
                });
            }
            parts.extend(system.iter().map(|(name, value)| ((*name).to_owned(), value.to_string(), false)));
            parts.push((shape.signature_param().to_owned(), explained.signature.as_str().to_owned(), false));
        }
        Self {
            request,
            api: contract.api.name.clone(),
            shape,
            base_string: explained.masked_base_string,
            warnings,
            bare_base_string: String::from_utf8_lossy(&explained.base_string).into_owned(),
            parts,
        }
    }

    /// Returns the text that was signed with the access token in it. For people who asked for it.
    pub fn base_string_with_secrets(&self) -> &str {
        &self.bare_base_string
    }

    /// Returns the URL with its secrets masked.
    pub fn masked_url(&self) -> String {
        mask_url(&self.request.url)
    }

    /// Returns a line for a POSIX shell that sends this very request. It works with secrets only,
    /// and as long as the platform takes its timestamp.
    pub fn curl(&self, show_secrets: bool) -> String {
        let shown = |text: &str| if show_secrets { text.to_owned() } else { mask_url(text) };
        let mut line = format!("curl -sS {}", quote(&shown(&self.request.url)));
        // curl names the parts of a multipart body itself.
        let headers = self.request.headers.iter();
        for (name, value) in headers.filter(|(name, _)| self.parts.is_empty() || *name != CONTENT_TYPE) {
            line += " -H ";
            line += &quote(&format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())));
        }
        if !self.parts.is_empty() {
            for (name, value, is_file) in &self.parts {
                let part = if *is_file {
                    format!(" -F {}", quote(&format!("{name}=@{value}")))
                } else if is_secret_param(name) && !show_secrets {
                    format!(" --form-string {}", quote(&format!("{name}={}", mask(value))))
                } else {
                    format!(" --form-string {}", quote(&format!("{name}={value}")))
                };
                line.push_str(&part);
            }
        } else if self.request.method == Method::POST {
            let body = String::from_utf8_lossy(&self.request.body);
            line += " --data-raw ";
            line += &quote(&shown(&body));
        }
        line
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared")
            .field("request", &self.request)
            .field("api", &self.api)
            .field("base_string", &self.base_string)
            .finish_non_exhaustive()
    }
}
