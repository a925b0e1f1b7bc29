//! Ids of rows.

use std::{fmt, str::FromStr};

use sesame_core::{Clock, Error, Result};

/// The id of an app, an authorization or an account: a UUID of version 7, so that ids made later sort later.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id([u8; 16]);

impl Id {
    /// The first id in their order.
    #[cfg(test)]
    pub(crate) const FIRST: Self = Self([0; 16]);

    /// Makes a new id from the clock's time and 74 random bits.
    pub fn new(clock: &dyn Clock) -> Self {
        let mut random = [0; 10];
        clock.random(&mut random);
        let millis = u64::try_from(clock.now().as_millisecond()).unwrap_or_default();
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid().into_bytes())
    }

    /// Returns the id just before this one in their order; nothing before the first.
    pub(crate) fn before(self) -> Option<Self> {
        u128::from_be_bytes(self.0).checked_sub(1).map(|number| Self(number.to_be_bytes()))
    }

    /// Returns the sixteen bytes, as they are stored.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Reads sixteen stored bytes.
    ///
    /// # Errors
    /// [`ErrorKind::Local`](sesame_core::ErrorKind::Local) when there are more or fewer.
    pub fn from_slice(bytes: &[u8]) -> Result<Self> {
        bytes
            .try_into()
            .map(Self)
            .map_err(|_| Error::local(format!("the vault holds an id of {} bytes", bytes.len())))
    }
}

/// The id of an account: what [`Vault::token`](crate::Vault::token) takes.
pub type AccountId = Id;

impl serde::Serialize for Id {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Id {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        uuid::Uuid::from_bytes(self.0).hyphenated().fmt(f)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({self})")
    }
}

impl FromStr for Id {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        uuid::Uuid::parse_str(text)
            .map(|id| Self(id.into_bytes()))
            .map_err(|_| Error::usage(format!("invalid id {text:?}")))
    }
}
