//! What the columns of a table of accounts mean.

use std::{fmt, str::FromStr};

use sesame_core::{Error, Result};

/// Something that a column may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    /// The account's name; what tables are joined by.
    Account,
    /// The app key.
    AppKey,
    /// The app secret.
    AppSecret,
    /// The access token.
    AccessToken,
    /// The refresh token.
    RefreshToken,
    /// The platform's id of the shop: aliId, seller id, user id.
    Identity,
    /// The login name on the platform.
    Login,
    /// The country of the shop, where a platform has a host for each.
    Country,
    /// When the access token was received.
    AccessCreateTime,
    /// When the refresh token was received.
    RefreshCreateTime,
    /// When the access token ends.
    AccessExpiresAt,
    /// When the refresh token ends.
    RefreshExpiresAt,
}

impl Field {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Account,
        Self::AppKey,
        Self::AppSecret,
        Self::AccessToken,
        Self::RefreshToken,
        Self::Identity,
        Self::Login,
        Self::Country,
        Self::AccessCreateTime,
        Self::RefreshCreateTime,
        Self::AccessExpiresAt,
        Self::RefreshExpiresAt,
    ];

    /// Returns the name that a mapping uses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::AppKey => "app_key",
            Self::AppSecret => "app_secret",
            Self::AccessToken => "access_token",
            Self::RefreshToken => "refresh_token",
            Self::Identity => "identity",
            Self::Login => "login",
            Self::Country => "country",
            Self::AccessCreateTime => "access_create_time",
            Self::RefreshCreateTime => "refresh_create_time",
            Self::AccessExpiresAt => "access_expires_at",
            Self::RefreshExpiresAt => "refresh_expires_at",
        }
    }

    /// Names by which a column is recognized, the surest first; without case, `_`, `-` and spaces.
    const fn usual(self) -> &'static [&'static str] {
        match self {
            Self::Account => {
                &["aliexpressaccount", "account", "accountname", "shop", "shopname", "store", "storename"]
            }
            Self::AppKey => &["appkey", "clientid"],
            Self::AppSecret => &["appsecret", "clientsecret"],
            Self::AccessToken => &["accesstoken", "session", "sessionkey"],
            Self::RefreshToken => &["refreshtoken"],
            Self::Identity => &["aliid", "sellerid", "userid", "havanaid", "memberid", "identity"],
            Self::Login => &["login", "loginid", "resourceowner", "usernick", "nick"],
            Self::Country => &["country", "countrycode", "site", "sitecode"],
            Self::AccessCreateTime => &["accesscreatetime", "accesscreatedat", "accesstokencreatetime"],
            Self::RefreshCreateTime => &["refreshcreatetime", "refreshcreatedat", "refreshtokencreatetime"],
            Self::AccessExpiresAt => &["accessexpiresat", "expiresat", "accesstokenexpiresat", "expiretime"],
            Self::RefreshExpiresAt => &["refreshexpiresat", "refreshtokenexpiresat", "refreshexpiretime"],
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which column is which field, where the usual names do not say so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mapping {
    chosen: Vec<(Field, String)>,
    is_of_erp: bool,
}

/// The documented columns of the ERP's two tables, and ids.
const ERP_COLUMNS: [&str; 13] = [
    "account",
    "appkey",
    "appsecret",
    "aliexpressaccount",
    "accesstoken",
    "refreshtoken",
    "accesscreatetime",
    "refreshcreatetime",
    "aliid",
    "sellerid",
    "userid",
    "havanaid",
    "memberid",
];

impl FromStr for Mapping {
    type Err = Error;

    /// Reads `access_token=tok,refresh_token=rtok`: a field and the name of its column.
    fn from_str(text: &str) -> Result<Self> {
        let mut mapping = Self::default();
        for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            mapping.add(pair)?;
        }
        Ok(mapping)
    }
}

impl Mapping {
    /// For the ERP's two tables: their documented columns, ids, and what else is mapped. What a web shop
    /// calls `session` or `expire_time` there is no token's.
    pub fn of_erp() -> Self {
        Self { is_of_erp: true, ..Self::default() }
    }

    fn add(&mut self, pair: &str) -> Result<()> {
        let names = || Field::ALL.map(Field::as_str).join(", ");
        let Some((field, column)) = pair.split_once('=') else {
            return Err(Error::usage(format!("{pair:?} maps nothing"))
                .with_hint(format!("Write FIELD=COLUMN,FIELD=COLUMN. The fields are: {}.", names())));
        };
        let normal = normal(field);
        let Some(field) = Field::ALL.into_iter().find(|known| self::normal(known.as_str()) == normal) else {
            return Err(Error::usage(format!("there is no field {:?} to map a column to", field.trim()))
                .with_hint(format!("The fields are: {}.", names())));
        };
        if column.trim().is_empty() || self.chosen.iter().any(|(known, _)| *known == field) {
            return Err(Error::usage(format!("the field {field} is mapped twice, or to no column"))
                .with_hint("Map each field to one column."));
        }
        self.chosen.push((field, column.trim().to_owned()));
        Ok(())
    }

    /// Joins two mappings.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) for a field that both map.
    pub fn and(mut self, other: &Self) -> Result<Self> {
        for (field, column) in &other.chosen {
            self.add(&format!("{field}={column}"))?;
        }
        Ok(self)
    }

    /// The columns that were chosen.
    pub(crate) fn chosen(&self) -> impl Iterator<Item = (Field, &str)> {
        self.chosen.iter().map(|(field, column)| (*field, column.as_str()))
    }

    /// Tells whether any of these columns is a field's.
    pub(crate) fn knows_any(&self, columns: &[String]) -> bool {
        Field::ALL.into_iter().any(|field| self.column(field, columns).is_some())
    }

    /// Finds the column of a field, and how sure that is: 0 is the surest.
    pub(crate) fn column(&self, field: Field, columns: &[String]) -> Option<(usize, usize)> {
        if let Some((_, chosen)) = self.chosen.iter().find(|(known, _)| *known == field) {
            return columns.iter().position(|column| column.eq_ignore_ascii_case(chosen)).map(|at| (at, 0));
        }
        let is_other =
            |column: &String| self.chosen.iter().any(|(_, chosen)| chosen.eq_ignore_ascii_case(column));
        let may_be = |usual: &str| !self.is_of_erp || ERP_COLUMNS.contains(&usual);
        field.usual().iter().enumerate().filter(|(_, usual)| may_be(usual)).find_map(|(rank, usual)| {
            let at = columns.iter().position(|column| normal(column) == *usual && !is_other(column))?;
            Some((at, rank))
        })
    }
}

/// A column's name without what people write differently.
pub fn normal(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Tells whether a column is called like some platform's id of a shop, and not just `identity`.
pub fn names_an_id(column: &str) -> bool {
    let column = normal(column);
    column != "identity" && Field::Identity.usual().contains(&column.as_str())
}
