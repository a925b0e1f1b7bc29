//! Where packages are, and what shipping would cost.

use serde::Serialize;
use serde_json::{Map, Value as Json, json};
use sesame_core::Result;

use crate::{Fields, Shop};

/// A package on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Tracking {
    /// The account.
    pub shop: String,
    /// The order.
    pub order: String,
    /// The package.
    pub package: String,
    /// The carrier.
    pub carrier: String,
    /// The tracking number.
    pub tracking: String,
    /// The state, in the platform's word.
    pub status: String,
    /// What happened to it, in the platform's order.
    pub events: Vec<TrackingEvent>,
}

/// Something that happened to a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TrackingEvent {
    /// When: RFC 3339 with its zone.
    pub time: String,
    /// The state, in the platform's word.
    pub status: String,
    /// Where.
    pub place: String,
    /// What, in the platform's words.
    pub text: String,
}

/// What is asked of freight.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct FreightRequest {
    /// The product.
    pub product: String,
    /// The SKU.
    pub sku: String,
    /// The number of pieces.
    pub quantity: u64,
    /// The country of the buyer, two letters.
    pub country: String,
    /// The currency of the fee.
    pub currency: Option<String>,
    /// The language of texts.
    pub language: Option<String>,
}

/// A way to ship a product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Freight {
    /// The service, in the word that an order takes.
    pub service: String,
    /// The carrier, for people.
    pub carrier: String,
    /// What it costs, as text.
    pub fee: String,
    /// The currency of the fee.
    pub currency: String,
    /// Whether it costs nothing.
    pub free: String,
    /// The days that it takes, at least and at most.
    pub min_days: String,
    /// See `min_days`.
    pub max_days: String,
    /// The country that it is sent from.
    pub from: String,
    /// Whether packages can be tracked.
    pub tracking: String,
}

impl Shop {
    /// Asks where the packages of an order are. `buyer`: of an order that this account bought.
    ///
    /// # Errors
    /// Usage, for a platform that cannot say.
    pub async fn track(&self, order: &str, buyer: bool) -> Result<Vec<Tracking>> {
        let fields = Fields::open(self, if buyer { "tracking-buyer" } else { "tracking" }).await?;
        let call = fields.call(self, [("id", json!(order))])?;
        let rows = fields.rows(self.client(), &call).await?;
        let tracking = rows.iter().map(|row| Tracking {
            shop: self.account().to_owned(),
            order: order.to_owned(),
            package: fields.get(row, "package"),
            carrier: fields.get(row, "carrier"),
            tracking: fields.get(row, "tracking"),
            status: fields.get(row, "status"),
            events: fields
                .list(row, "events")
                .iter()
                .map(|event| TrackingEvent {
                    time: event.get("time"),
                    status: event.get("status"),
                    place: event.get("place"),
                    text: event.get("text"),
                })
                .collect(),
        });
        Ok(tracking.collect())
    }

    /// Asks how a product can be shipped to a buyer, and for how much.
    ///
    /// # Errors
    /// Usage, for a platform that cannot say.
    pub async fn freight(&self, request: &FreightRequest) -> Result<Vec<Freight>> {
        let fields = Fields::open(self, "freight").await?;
        let mut inputs = Map::new();
        let given = [
            ("product", Some(&request.product)),
            ("sku", Some(&request.sku)),
            ("country", Some(&request.country)),
            ("currency", request.currency.as_ref()),
            ("language", request.language.as_ref()),
            ("locale", request.language.as_ref()),
        ];
        for (name, value) in given.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            inputs.insert(name.to_owned(), json!(value));
        }
        inputs.insert("quantity".to_owned(), Json::from(request.quantity.max(1)));
        let call = fields.call(self, inputs.iter().map(|(name, value)| (name.as_str(), value.clone())))?;
        let rows = fields.rows(self.client(), &call).await?;
        let get = |row: &_, name: &str| fields.get(row, name);
        let freight = rows.iter().map(|row| Freight {
            service: get(row, "service"),
            carrier: get(row, "carrier"),
            fee: get(row, "fee"),
            currency: get(row, "currency"),
            free: get(row, "free"),
            min_days: get(row, "min_days"),
            max_days: get(row, "max_days"),
            from: get(row, "from"),
            tracking: get(row, "tracking"),
        });
        Ok(freight.collect())
    }
}
