//! The columns of rows, as a facet of the catalog names them.

use jiff::tz::TimeZone;
use serde_json::value::RawValue;
use sesame_catalog::{Column, ColumnKind, Facet};
use sesame_client::{Call, Client};
use sesame_core::{Error, ErrorKind, Result, path};

use crate::{Shop, personal, times};

/// A facet of an account's platform, and how its rows are read.
#[derive(Debug, Clone)]
pub struct Fields {
    /// The facet.
    pub facet: Facet,
    zone: TimeZone,
    /// The currency of prices that say none.
    currency: Option<String>,
    /// The state that the call asked for.
    asked: Option<String>,
    is_personal: bool,
    /// Names of members that are masked.
    personal: Vec<String>,
}

impl Fields {
    /// Looks up the facet of a shop's platform.
    ///
    /// # Errors
    /// Usage, for a platform without it.
    pub async fn open(shop: &Shop, name: &str) -> Result<Self> {
        let place = shop.place().await?;
        let facet = shop.client().catalog().facet(&place.platform, name)?;
        let zone = times::zone(facet.time_zone.as_deref().unwrap_or(&place.zone))?;
        Ok(Self::new(facet, zone).with_currency(place.currency))
    }

    /// Reads the rows of a facet. `zone` is that of times that say none.
    pub fn new(facet: Facet, zone: TimeZone) -> Self {
        let personal = facet.personal.clone();
        Self { facet, zone, currency: None, asked: None, is_personal: false, personal }
    }

    /// Sets the currency of prices that say none.
    #[must_use]
    pub fn with_currency(mut self, currency: Option<String>) -> Self {
        self.currency = currency;
        self
    }

    /// Sets the state that rows have which name none: see [`Page::asked`](crate::Page::asked).
    #[must_use]
    pub fn with_asked(mut self, status: Option<String>) -> Self {
        self.asked = status;
        self
    }

    /// Shows names, addresses and phones.
    #[must_use]
    pub fn with_personal(mut self, show: bool) -> Self {
        self.is_personal = show;
        self
    }

    /// Masks the members that another facet names, too.
    pub(crate) fn mask_also(&mut self, names: &[String]) {
        self.personal.extend(names.iter().filter(|name| !self.facet.personal.contains(name)).cloned());
    }

    /// Returns the time zone of the shop.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Returns the cell of a column in a row, as text; empty where the row has none. Amounts keep all
    /// their digits, times have their zone.
    pub fn cell(&self, row: &RawValue, column: &Column) -> String {
        let found = column.paths.iter().find_map(|place| match place.strip_prefix('!') {
            Some(place) => path::boolean(row, place).map(|found| (!found).to_string()),
            None => path::text(row, place).map(std::borrow::Cow::into_owned).filter(|text| !text.is_empty()),
        });
        let text = found.unwrap_or_default();
        match column.kind {
            // So some platforms write that it has not happened yet.
            ColumnKind::Time if text == "0" => String::new(),
            ColumnKind::Time => times::readable(&text, &self.zone),
            ColumnKind::Asked if text.is_empty() => self.asked.clone().unwrap_or_default(),
            ColumnKind::Currency if text.is_empty() => self.currency.clone().unwrap_or_default(),
            ColumnKind::Person if !self.is_personal && !text.is_empty() => personal::MASK.to_owned(),
            _ => text,
        }
    }

    /// Returns the cell of the column with this name; empty where there is none.
    pub fn get(&self, row: &RawValue, name: &str) -> String {
        self.facet
            .columns
            .iter()
            .find(|column| column.name == name)
            .map(|column| self.cell(row, column))
            .unwrap_or_default()
    }

    /// Returns the rows of a list inside a row.
    pub fn list<'a>(&self, row: &'a RawValue, name: &str) -> Vec<SubRow<'a, '_>> {
        let Some(list) = self.facet.lists.get(name) else { return Vec::new() };
        let rows = path::rows(row, &list.items).unwrap_or_default();
        rows.into_iter().map(|row| SubRow { row, fields: self, columns: &list.columns }).collect()
    }

    /// Returns the row as the platform sent it, with what tells of people masked unless it is asked for.
    pub fn raw(&self, row: &RawValue) -> Box<RawValue> {
        if self.is_personal { row.to_owned() } else { personal::mask(row, &self.personal) }
    }

    /// Prepares the call of the facet. Inputs that the platform has no argument for are left out.
    ///
    /// # Errors
    /// Usage, for a facet whose paths do not fit its arguments.
    pub fn call<'a>(
        &self,
        shop: &Shop,
        inputs: impl IntoIterator<Item = (&'a str, serde_json::Value)>,
    ) -> Result<Call> {
        let mut call = shop.call(&self.facet.api);
        call.args.clone_from(&self.facet.arguments);
        for (name, value) in inputs {
            if let Some(place) = self.facet.inputs.get(name) {
                path::set(&mut call.args, place, value)?;
            }
        }
        Ok(call)
    }

    /// Makes a call and returns its rows: those at `items` of the facet, else the whole payload.
    ///
    /// # Errors
    /// As [`Client::call`]; envelope, for a reply that is not JSON.
    pub(crate) async fn rows(&self, client: &Client, call: &Call) -> Result<Vec<Box<RawValue>>> {
        let output = client.call(call).await?;
        let payload: &RawValue = serde_json::from_str(output.reply.payload()).map_err(|error| {
            Error::new(ErrorKind::Envelope, format!("the payload of the reply is not JSON: {error}"))
        })?;
        let rows = match &self.facet.items {
            Some(items) => path::rows(payload, items).unwrap_or_default(),
            None => vec![payload],
        };
        Ok(rows.into_iter().map(ToOwned::to_owned).collect())
    }
}

/// A row of a list inside a row.
pub struct SubRow<'a, 'f> {
    row: &'a RawValue,
    fields: &'f Fields,
    columns: &'f [Column],
}

impl SubRow<'_, '_> {
    pub(crate) fn row(&self) -> &RawValue {
        self.row
    }

    /// Returns the cell of the column with this name; empty where there is none.
    pub fn get(&self, name: &str) -> String {
        self.columns
            .iter()
            .find(|column| column.name == name)
            .map(|column| self.fields.cell(self.row, column))
            .unwrap_or_default()
    }
}

impl std::fmt::Debug for SubRow<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SubRow").finish_non_exhaustive()
    }
}
