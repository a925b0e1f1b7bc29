//! What a job does, and to what.

use serde::{Deserialize, Serialize};
use sesame_core::Error;

use crate::{Amount, SkuState, skus::Sought};

/// What a job does to each of its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum JobKind {
    /// Sets the stock of SKUs.
    StockSet,
    /// Adds to the stock of SKUs, or takes away.
    StockAdd,
    /// Sets the price of SKUs.
    PriceSet,
    /// Puts products on sale.
    ProductOnline,
    /// Takes products off sale.
    ProductOffline,
    /// Deletes products for good.
    ProductDelete,
}

impl JobKind {
    /// Returns the name, which is that of the action in the catalog.
    pub fn name(self) -> &'static str {
        match self {
            Self::StockSet => "stock-set",
            Self::StockAdd => "stock-add",
            Self::PriceSet => "price-set",
            Self::ProductOnline => "product-online",
            Self::ProductOffline => "product-offline",
            Self::ProductDelete => "product-delete",
        }
    }

    /// Returns `true` for what is done to products, not to SKUs.
    pub fn is_of_products(self) -> bool {
        matches!(self, Self::ProductOnline | Self::ProductOffline | Self::ProductDelete)
    }
}

/// One line of what a job is asked to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct JobRow {
    /// The platform's id of the product. Needed where a platform finds no SKU by its code alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// The seller's own code of the SKU; with `product` also the platform's id of it, and `None` for a product
    /// that has one SKU or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    /// The new stock, the difference, or the price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Amount>,
    /// The line in the file that it is from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
}

impl JobRow {
    /// Creates the row of a SKU.
    pub fn sku(sku: impl Into<String>, value: impl Into<Amount>) -> Self {
        Self { product: None, sku: Some(sku.into()), value: Some(value.into()), line: None }
    }

    /// Creates the row of a product.
    pub fn product(product: impl Into<String>) -> Self {
        Self { product: Some(product.into()), sku: None, value: None, line: None }
    }

    /// Says which value it gets.
    #[must_use]
    pub fn value(mut self, value: impl Into<Amount>) -> Self {
        self.value = Some(value.into());
        self
    }

    /// Says of which product the SKU is.
    #[must_use]
    pub fn of(mut self, product: impl Into<String>) -> Self {
        self.product = Some(product.into());
        self
    }

    /// Says which line of a file it is from.
    #[must_use]
    pub fn line(mut self, line: u64) -> Self {
        self.line = Some(line);
        self
    }

    /// Returns how people name it: `SKU`, `PRODUCT/SKU` or `PRODUCT`.
    pub fn name(&self) -> String {
        match (&self.product, &self.sku) {
            (Some(product), Some(sku)) => format!("{product}/{sku}"),
            (Some(name), None) | (None, Some(name)) => name.clone(),
            (None, None) => String::new(),
        }
    }

    pub(crate) fn sought(&self) -> Sought {
        Sought { product: self.product.clone(), sku: self.sku.clone() }
    }
}

/// How far a row is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "is")]
#[non_exhaustive]
pub enum RowOutcome {
    /// Not sent.
    Pending,
    /// Sent, and no answer so far.
    Sent,
    /// Written.
    Done,
    /// Nothing was to be done.
    Skipped {
        /// Why.
        message: String,
    },
    /// Refused, by the platform or before it was asked.
    Failed {
        /// The code of the platform; `None` if it was not asked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
        /// Why.
        message: String,
    },
    /// Sent, and nobody can say whether it was written.
    Unknown {
        /// What was seen.
        message: String,
    },
}

impl RowOutcome {
    pub(crate) fn skipped(message: impl Into<String>) -> Self {
        Self::Skipped { message: message.into() }
    }

    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::Failed { code: None, message: message.into() }
    }

    pub(crate) fn failed(error: &Error) -> Self {
        let code = error.code().map(|code| match error.sub_code() {
            Some(sub) => format!("{code} {sub}"),
            None => code.to_owned(),
        });
        Self::Failed { code, message: error.message().to_owned() }
    }

    /// Returns `false` if there is something left to do.
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::Pending | Self::Sent)
    }

    /// Returns the word for it: `done`, `skipped`, `failed`, `unknown` or `pending`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Done => "done",
            Self::Skipped { .. } => "skipped",
            Self::Failed { .. } => "failed",
            Self::Sent | Self::Unknown { .. } => "unknown",
        }
    }

    /// Returns the platform's code and the message, where there are.
    pub fn message(&self) -> (Option<&str>, Option<&str>) {
        match self {
            Self::Failed { code, message } => (code.as_deref(), Some(message)),
            Self::Skipped { message } | Self::Unknown { message } => (None, Some(message)),
            _ => (None, None),
        }
    }
}

/// A row of a job: what is asked, what was there, what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct JobEntry {
    /// What is asked.
    pub row: JobRow,
    /// What was read before: the SKU, or all SKUs of the product.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<SkuState>,
    /// The stock or price that there is afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<Amount>,
    /// What must be there now: else somebody else has changed it, and it is left alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Amount>,
    /// What came of it.
    pub outcome: RowOutcome,
}

impl JobEntry {
    /// Returns what was read of its SKU, or of the first one of its product.
    pub fn state(&self) -> Option<&SkuState> {
        self.before.first()
    }

    /// Returns the stock or the price that was read before, whichever the job is about.
    pub fn former(&self, kind: JobKind) -> Option<Amount> {
        let state = self.state()?;
        if kind == JobKind::PriceSet { state.price } else { state.quantity }
    }

    /// Returns the product and the code as they were found, or as they were asked for.
    pub fn names(&self) -> (Option<&str>, Option<&str>) {
        let found = self.state();
        let product = found.map(|state| state.product.as_str()).or(self.row.product.as_deref());
        let sku = self.row.sku.as_deref().or_else(|| found.and_then(|state| state.sku.as_deref()));
        (product, sku)
    }
}
