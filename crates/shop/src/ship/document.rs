//! Labels and carriers.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde::Serialize;
use serde_json::value::RawValue;
use sesame_catalog::Action;
use sesame_core::{Error, ErrorKind, HttpRequest, Result, envelope::Reply, path, request::Method};

use super::{ShipRequest, call};
use crate::{Order, OrderLine, Shop};

/// The largest document that is fetched.
const LARGEST: usize = 64 << 20;

/// A document of a package: its label.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Document {
    /// The order.
    pub order: String,
    /// The package, or its tracking number where packages have no ids.
    pub package: String,
    /// What its name should end in: `pdf` or `html`.
    pub extension: &'static str,
    /// The file.
    pub content: Vec<u8>,
}

/// A carrier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Carrier {
    /// The code, for [`ShipRequest::carrier`].
    pub code: String,
    /// The name.
    pub name: String,
}

impl Shop {
    /// Fetches the labels of an order, one for each package.
    ///
    /// # Errors
    /// Usage, for an order that is not packed and for a platform without a documented call; what the platform says;
    /// [`ErrorKind::Envelope`] for what is no document.
    pub async fn documents(&self, order: &str) -> Result<Vec<Document>> {
        let platform = self.platform().await?;
        let action = self.client().catalog().action(&platform, "order-document").map_err(|error| {
            Error::usage(format!("no call that returns labels is documented for {platform}"))
                .with_hint("Print them in the seller's pages of the platform.")
                .with_source(error)
        })?;
        let order = self.orders().get(order).await?;
        let is_here = |line: &&OrderLine| action.from.is_empty() || action.from.contains(&line.status);
        let mut packages: Vec<(String, &OrderLine)> = Vec::new();
        for line in order.lines.iter().filter(is_here) {
            let names: Vec<String> = if action.uses("package") {
                vec![line.package.clone()]
            } else if line.tracking.is_empty() {
                // Where packages go by their tracking number, the lines may not say it.
                order.packages.iter().map(|package| package.tracking.clone()).collect()
            } else {
                vec![line.tracking.clone()]
            };
            for name in names {
                if !name.is_empty() && packages.iter().all(|(known, _)| *known != name) {
                    packages.push((name, line));
                }
            }
        }
        if packages.is_empty() {
            return Err(Error::usage(format!(
                "order {} is {} and has no package to print",
                order.id, order.status
            ))
            .with_hint("`sesame orders ship` packs it."));
        }
        let mut out = Vec::new();
        for (package, line) in packages {
            let (extension, content) = self.document(&action, &order, line, &package).await?;
            out.push(Document { order: order.id.clone(), package, extension, content });
        }
        Ok(out)
    }

    async fn document(
        &self,
        action: &Action,
        order: &Order,
        line: &OrderLine,
        package: &str,
    ) -> Result<(&'static str, Vec<u8>)> {
        let asked = ShipRequest::default().tracking(action.uses("tracking").then(|| package.to_owned()));
        let call = call::call(self, action, order, &[line], &asked)?;
        let reply = self.client().call(&call).await?.reply;
        let text =
            |name: &str| action.reply.get(name).and_then(|place| text_at(&reply, place)).unwrap_or_default();
        let (file, url) = (text("file"), text("url"));
        let content = match BASE64.decode(file.trim().as_bytes()) {
            Ok(content) if !content.is_empty() => content,
            _ if !url.is_empty() => self.fetch(&url).await?,
            _ => {
                return Err(
                    reply.error(ErrorKind::Envelope, format!("the reply of {} has no document", action.api))
                );
            }
        };
        let start: Vec<u8> = content.iter().copied().skip_while(u8::is_ascii_whitespace).take(5).collect();
        match start.as_slice() {
            b"%PDF-" => Ok(("pdf", content)),
            [b'<', ..] => Ok(("html", content)),
            _ => Err(reply.error(
                ErrorKind::Envelope,
                format!("the document of order {} is neither PDF nor HTML", order.id),
            )),
        }
    }

    async fn fetch(&self, url: &str) -> Result<Vec<u8>> {
        let mut request = HttpRequest::new(Method::GET, url.to_owned());
        request.max_reply = LARGEST;
        let response = self.client().vault().transport().send(request).await?;
        if response.status != 200 {
            return Err(Error::new(
                ErrorKind::Platform,
                format!("the address of the document answered {}", response.status),
            ));
        }
        Ok(response.body.to_vec())
    }

    /// Lists the carriers that can be named for shipping; some platforms say them for an order only.
    ///
    /// # Errors
    /// Usage, without an order where one is needed, and for a platform without a documented call.
    pub async fn carriers(&self, order: Option<&str>) -> Result<Vec<Carrier>> {
        let platform = self.platform().await?;
        let action = self.client().catalog().action(&platform, "order-carriers").map_err(|error| {
            Error::usage(format!("no call that lists carriers is documented for {platform}"))
                .with_source(error)
        })?;
        let call = if action.uses("order") {
            let Some(id) = order else {
                return Err(Error::usage(format!("{platform} lists carriers for an order only"))
                    .with_hint("Add the id of an order."));
            };
            let order = self.orders().get(id).await?;
            let lines: Vec<&OrderLine> = order.lines.iter().collect();
            call::call(self, &action, &order, &lines, &ShipRequest::default())?
        } else {
            let mut call = self.call(&action.api);
            call.args.clone_from(&action.arguments);
            call
        };
        let reply = self.client().call(&call).await?.reply;
        let payload: &RawValue = serde_json::from_str(reply.payload())
            .map_err(|error| reply.error(ErrorKind::Envelope, format!("the payload is not JSON: {error}")))?;
        let place = |name: &str| action.reply.get(name).map(String::as_str).unwrap_or_default();
        let rows = path::rows(payload, place("carriers")).unwrap_or_default();
        let text = |row: &RawValue, name: &str| path::text(row, place(name)).unwrap_or_default().into_owned();
        Ok(rows.into_iter().map(|row| Carrier { code: text(row, "code"), name: text(row, "name") }).collect())
    }
}

/// Returns the text at a place of a reply; after `>` in the JSON that a text holds.
fn text_at(reply: &Reply, place: &str) -> Option<String> {
    let mut text = reply.payload().to_owned();
    for place in place.split('>') {
        let json: &RawValue = serde_json::from_str(&text).ok()?;
        text = path::text(json, place)?.into_owned();
    }
    Some(text)
}
