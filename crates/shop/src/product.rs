//! Products, in one form on every platform.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{json, value::RawValue};
use sesame_core::{Error, Result, path};

use crate::{
    Bookmark, Fields, Page, Request, Rows, Shop, Walk,
    stream::{Lazy, Reader},
};

/// The id of a product, by which it is listed, read and changed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProductId(String);

/// The encrypted id that Alibaba.com gives a product beside its number. Other APIs take it; for those that
/// read and change products it is no [`ProductId`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EncryptedProductId(String);

impl ProductId {
    /// Returns it as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ProductId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() <= 20 {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::usage(
            "it is a number, in the column id of `sesame products list`; the encrypted id is another one",
        ))
    }
}

impl fmt::Display for ProductId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl EncryptedProductId {
    /// Returns it as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A product. What the platform does not say is empty.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Product {
    /// The id.
    pub id: ProductId,
    /// The account.
    pub shop: String,
    /// The encrypted id, on platforms with two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encrypted_id: Option<EncryptedProductId>,
    /// The title.
    pub title: String,
    /// The state, in the platform's word.
    pub status: String,
    /// The category.
    pub category: String,
    /// The price of the first SKU, as text with all its digits.
    pub price: String,
    /// The currency.
    pub currency: String,
    /// When it changed last: RFC 3339 with its zone.
    pub modified: String,
    /// The row as the platform sent it.
    pub raw: Box<RawValue>,
}

impl Product {
    fn new(shop: &Shop, fields: &Fields, row: &RawValue) -> Self {
        let encrypted = fields.facet.encrypted_id.as_deref().and_then(|place| path::text(row, place));
        Self {
            id: ProductId(fields.get(row, "id")),
            shop: shop.account().to_owned(),
            encrypted_id: encrypted.map(|id| EncryptedProductId(id.into_owned())),
            title: fields.get(row, "title"),
            status: fields.get(row, "status"),
            category: fields.get(row, "category"),
            price: fields.get(row, "price"),
            currency: fields.get(row, "currency"),
            modified: fields.get(row, "modified"),
            raw: fields.raw(row),
        }
    }
}

/// The products of a shop, as far as they are asked for. Made by [`Shop::products`].
#[derive(Debug, Clone)]
#[must_use]
pub struct ProductsRequest {
    shop: Shop,
    request: Request,
}

/// Products, page by page. Made by [`ProductsRequest::pages`].
#[derive(Debug)]
pub struct ProductPages {
    shop: Shop,
    fields: Fields,
    walk: Walk,
}

/// Options of reading one product.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ProductView {
    /// As a buyer sees it: what dropshippers read.
    pub buyer: bool,
    /// The country of the buyer, two letters.
    pub country: Option<String>,
    /// The currency of prices.
    pub currency: Option<String>,
    /// The language of texts.
    pub language: Option<String>,
}

impl Shop {
    /// Asks for the products of the shop: all, unless the request is narrowed down.
    ///
    /// ```no_run
    /// # async fn example(client: sesame_client::Client) -> sesame_core::Result<()> {
    /// let mut products = sesame_shop::Shop::new(client, "my-shop").products().rows();
    /// while let Some(product) = products.next().await {
    ///     println!("{}", product?.title);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn products(&self) -> ProductsRequest {
        ProductsRequest { shop: self.clone(), request: Request::new("products") }
    }

    /// Reads products by their ids: in one call where the platform can, else one by one. A product that
    /// the platform refuses is an error in its place.
    ///
    /// # Errors
    /// Usage, for a platform without such a call; what says nothing of a single product.
    pub async fn product(&self, ids: &[ProductId], view: &ProductView) -> Result<Vec<Result<Product>>> {
        let fields = Fields::open(self, if view.buyer { "product-buyer" } else { "product" }).await?;
        let extra = [("country", &view.country), ("currency", &view.currency), ("language", &view.language)];
        let extra: Vec<_> =
            extra.into_iter().filter_map(|(name, value)| Some((name, json!(value.as_ref()?)))).collect();
        let mut found = Vec::with_capacity(ids.len());
        for batch in ids.chunks(fields.facet.batch.unwrap_or(1)) {
            let id = match fields.facet.batch {
                Some(_) => ("ids", json!(batch)),
                None => ("id", json!(batch.first())),
            };
            let call = fields.call(self, extra.iter().cloned().chain([id]))?;
            match fields.rows(self.client(), &call).await {
                Ok(rows) => {
                    let mut products: Vec<Product> =
                        rows.iter().map(|row| Product::new(self, &fields, row)).collect();
                    // Alibaba.com answers with the encrypted id alone.
                    if let ([only], [id], None) = (products.as_mut_slice(), batch, fields.facet.batch) {
                        only.id.clone_from(id);
                    }
                    for id in batch {
                        let at = products.iter().position(|product| product.id == *id);
                        found.push(match at {
                            Some(at) => Ok(products.swap_remove(at)),
                            None => Err(Error::new(
                                sesame_core::ErrorKind::Business,
                                format!("the platform has no product {id}"),
                            )),
                        });
                    }
                }
                Err(error) if is_refusal(&error) && batch.len() == 1 => found.push(Err(error)),
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }
}

impl ProductsRequest {
    /// Only products that changed at or after this time.
    pub fn since(mut self, at: Timestamp) -> Self {
        self.request.since = Some(at);
        self
    }

    /// Only products that changed at or before this time.
    pub fn until(mut self, at: Timestamp) -> Self {
        self.request.until = Some(at);
        self
    }

    /// Only products in this state, in the platform's own word.
    pub fn status(mut self, word: impl Into<String>) -> Self {
        self.request.status = Some(word.into());
        self
    }

    /// The first products alone, in the platform's order.
    pub fn limit(mut self, most: u64) -> Self {
        self.request.limit = Some(most);
        self
    }

    /// Goes on where an earlier read was left. Its span of time holds.
    pub fn resume(mut self, bookmark: Bookmark) -> Self {
        self.request.bookmark = Some(bookmark);
        self
    }

    /// Opens the list, page by page: with totals, warnings and a bookmark.
    ///
    /// # Errors
    /// As [`Walk::open`].
    pub async fn pages(self) -> Result<ProductPages> {
        let walk = Walk::open(&self.shop, self.request).await?;
        Ok(ProductPages { fields: walk.fields(), shop: self.shop, walk })
    }

    /// Opens the list as a stream of rows.
    pub fn rows(self) -> Rows<Product> {
        Rows::new(Lazy::new(self.pages()))
    }
}

impl ProductPages {
    /// Fetches the next page.
    pub async fn next(&mut self) -> Option<Result<Page<Product>>> {
        let page = self.walk.next().await?;
        Some(page.map(|page| {
            let fields = self.fields.clone().with_asked(page.asked.clone());
            page.map(|row| Product::new(&self.shop, &fields, &row))
        }))
    }

    /// Returns where the list is, to go on later.
    pub fn bookmark(&self) -> Option<Bookmark> {
        self.walk.bookmark()
    }
}

impl Reader for ProductPages {
    type Row = Product;

    async fn next_page(&mut self) -> Option<Result<Page<Product>>> {
        self.next().await
    }
}

/// Returns `true` for what is said of a product, and not of the call.
fn is_refusal(error: &Error) -> bool {
    matches!(error.kind(), sesame_core::ErrorKind::Business | sesame_core::ErrorKind::Argument)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encrypted_id_is_no_product_id() {
        assert_eq!(" 1600107214049 ".parse::<ProductId>().unwrap().as_str(), "1600107214049");
        for text in ["IDX1IH4qB8", "", "12 3", "-1", "1e9"] {
            let error = text.parse::<ProductId>().unwrap_err();
            assert!(error.message().contains("encrypted"), "{text}");
        }
    }
}
