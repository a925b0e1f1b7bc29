//! All SKUs of a shop, product by product.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use serde::Serialize;
use sesame_core::Result;

use crate::{
    Page, Product, ProductPages, ProductsRequest, Rows, Shop, SkuState,
    skus::{Skus, Sought},
    stream::{Lazy, Reader},
};

/// A row of a list of SKUs: with its product, as the list of products has it.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Sku {
    /// The account.
    pub shop: String,
    /// The title of the product.
    pub title: String,
    /// The SKU as the platform shows it.
    #[serde(flatten)]
    pub state: SkuState,
}

/// The SKUs of a shop, as far as they are asked for. Made by [`Shop::skus`].
#[derive(Debug, Clone)]
#[must_use]
pub struct SkusRequest {
    products: ProductsRequest,
    shop: Shop,
    limit: u64,
}

/// SKUs, a page of products at a time. Made by [`SkusRequest::pages`].
#[derive(Debug)]
pub struct SkuPages {
    products: ProductPages,
    shop: Shop,
    skus: Skus,
    /// Where the prices are, if not beside the stock.
    prices: Option<Skus>,
    left: u64,
}

impl Shop {
    /// Asks for the SKUs of the shop: those of all products, unless the request is narrowed down. A product
    /// without SKUs is one row.
    ///
    /// ```no_run
    /// # async fn example(client: sesame_client::Client) -> sesame_core::Result<()> {
    /// let mut skus = sesame_shop::Shop::new(client, "my-shop").skus().rows();
    /// while let Some(sku) = skus.next().await {
    ///     let sku = sku?.state;
    ///     println!("{} {:?} {:?}", sku.product, sku.sku, sku.quantity);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn skus(&self) -> SkusRequest {
        SkusRequest { products: self.products(), shop: self.clone(), limit: u64::MAX }
    }
}

impl SkusRequest {
    /// Only SKUs of products that changed at or after this time.
    pub fn since(mut self, at: Timestamp) -> Self {
        self.products = self.products.since(at);
        self
    }

    /// Only SKUs of products in this state, in the platform's own word.
    pub fn status(mut self, word: impl Into<String>) -> Self {
        self.products = self.products.status(word);
        self
    }

    /// The first SKUs alone, in the platform's order of products.
    pub fn limit(mut self, limit: u64) -> Self {
        // A product has a row at least.
        self.products = self.products.limit(limit);
        self.limit = limit;
        self
    }

    /// Opens the list, page by page: with what could not be read as warnings.
    ///
    /// # Errors
    /// As [`ProductsRequest::pages`]; usage, for a platform whose SKUs cannot be read.
    pub async fn pages(self) -> Result<SkuPages> {
        let skus = Skus::new(&self.shop, "skus").await?;
        let prices = if skus.has("price") { None } else { Skus::new(&self.shop, "sku-prices").await.ok() };
        let products = self.products.pages().await?;
        Ok(SkuPages { products, shop: self.shop, skus, prices, left: self.limit })
    }

    /// Opens the list as a stream of rows.
    pub fn rows(self) -> Rows<Sku> {
        Rows::new(Lazy::new(self.pages()))
    }
}

impl SkuPages {
    /// Fetches the SKUs of the next page of products. Its total is that of the products.
    pub async fn next(&mut self) -> Option<Result<Page<Sku>>> {
        if self.left == 0 {
            return None;
        }
        let page = match self.products.next().await? {
            Ok(page) => page,
            Err(error) => return Some(Err(error)),
        };
        Some(self.read(page).await)
    }

    async fn read(&mut self, page: Page<Product>) -> Result<Page<Sku>> {
        let sought = |product: &Product| Sought { product: Some(product.id.to_string()), sku: None };
        let sought: Vec<Sought> = page.rows.iter().map(sought).collect();
        let found = self.skus.find(&sought).await?;
        let mut prices = match &self.prices {
            Some(prices) => prices.find(&sought).await?.into(),
            None => VecDeque::new(),
        };
        let Page { rows: products, total, mut warnings, asked, progress } = page;
        let mut rows = Vec::new();
        for (product, found) in products.into_iter().zip(found) {
            let mut states = match found {
                Ok(states) => states,
                Err(error) => {
                    warnings.push(format!("the SKUs of product {} cannot be read: {error}", product.id));
                    continue;
                }
            };
            if let Some(Ok(priced)) = prices.pop_front() {
                add_prices(&mut states, priced);
            }
            rows.extend(states.into_iter().map(|mut state| {
                let known = |text: String| Some(text).filter(|text| !text.is_empty());
                state.currency = state.currency.take().or_else(|| known(product.currency.clone()));
                state.status = state.status.take().or_else(|| known(product.status.clone()));
                Sku { shop: self.shop.account().to_owned(), title: product.title.clone(), state }
            }));
        }
        rows.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= rows.len() as u64;
        Ok(Page { rows, total, warnings, asked, progress })
    }
}

impl Reader for SkuPages {
    type Row = Sku;

    async fn next_page(&mut self) -> Option<Result<Page<Sku>>> {
        self.next().await
    }
}

/// Fills in prices that another call has, by the platform's id of the SKU.
fn add_prices(states: &mut [SkuState], priced: Vec<SkuState>) {
    let by_id: BTreeMap<Option<String>, SkuState> =
        priced.into_iter().map(|state| (state.sku_id.clone(), state)).collect();
    for state in states {
        if let Some(priced) = by_id.get(&state.sku_id) {
            state.price = state.price.or(priced.price);
            state.currency = state.currency.take().or_else(|| priced.currency.clone());
            state.status = state.status.take().or_else(|| priced.status.clone());
            state.sku = state.sku.take().or_else(|| priced.sku.clone());
        }
    }
}
