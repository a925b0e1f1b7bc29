//! Where the answers of an API come from.

use std::sync::LazyLock;

use sesame_catalog::{Api, Platform};

use crate::{
    fixtures::{FixtureCall, Fixtures},
    settings::ReplyStyle,
};

/// Where the answers of an API come from. Replies name it in the header `x-sandbox-source`; that of a
/// batch is the largest of its calls'.
///
/// ```
/// use sesame_catalog::Catalog;
/// use sesame_sandbox::ReplySource;
/// let catalog = Catalog::builtin();
/// let lazada = catalog.platform("lazada")?;
/// let api = catalog.api("lazada", "/products/get")?;
/// assert_eq!(ReplySource::of(lazada, &api), ReplySource::World);
/// # Ok::<(), sesame_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReplySource {
    /// Shops, products, orders and tokens that agree with each other from call to call.
    World,
    /// The sample reply of the catalog, with the ids and the page that were asked for.
    Documented,
    /// The fields that the catalog lists, with invented values.
    Generated,
}

impl ReplySource {
    /// Returns where the answers of an API come from.
    pub fn of(platform: &Platform, api: &Api) -> Self {
        // A world without shops knows what it would be asked for.
        static EMPTY: LazyLock<Fixtures> = LazyLock::new(|| Fixtures::generate(0, 0, 0));
        let args: &Vec<(String, String)> = &Vec::new();
        let call = FixtureCall {
            platform: &platform.name,
            api: &api.name,
            version: api.version,
            shop: None,
            args,
            now: jiff::Timestamp::UNIX_EPOCH,
            style: ReplyStyle::Recorded,
            url: "",
            check: None,
        };
        let tokens = &platform.tokens;
        let is_token = [&tokens.create, &tokens.refresh].contains(&&api.name)
            || tokens.create_also.contains(&api.name)
            || tokens.refresh_also.contains(&api.name)
            || api.namespace.as_deref() == Some("system.oauth2");
        if is_token || EMPTY.answer(&call).is_some() || !matches!(EMPTY.known(&call), Ok(None)) {
            Self::World
        } else {
            Self::without_fixtures(api)
        }
    }

    /// Returns where the answers of an API come from that no fixtures are behind.
    pub(crate) const fn without_fixtures(api: &Api) -> Self {
        if api.reply.is_some() { Self::Documented } else { Self::Generated }
    }

    /// Returns the word for it: `world`, `documented` or `generated`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::World => "world",
            Self::Documented => "documented",
            Self::Generated => "generated",
        }
    }

    /// Returns what it means, for people.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::World => "shops, products and orders that agree from call to call",
            Self::Documented => "the sample reply, with the ids and the page that were asked for",
            Self::Generated => "invented values for the documented fields",
        }
    }
}
