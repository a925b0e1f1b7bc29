//! APIs: the contract of one call.

use serde_json::Value as Json;
use sesame_core::Shape;

use crate::record::{ApiErrorNote, Field, HttpMethods, Paging, Param, Safety};

impl Safety {
    /// Returns the word used in data files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Idempotent => "idempotent",
            Self::Write => "write",
        }
    }
}

/// What the catalog knows of one API on one platform, overlays applied.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Api {
    /// The platform's name.
    pub platform: String,
    /// The canonical name: a path (`/alibaba/icbu/product/list`), a method
    /// (`taobao.items.onsale.get`) or `namespace:name` (`aliexpress.open:api.findAeProductById`).
    pub name: String,
    /// The title.
    pub title: Option<String>,
    /// `true` if the title is made of the words of the name.
    pub title_derived: bool,
    /// The title in Chinese.
    pub title_zh: Option<String>,
    /// What it does, in one or two sentences.
    pub about: Option<String>,
    /// The same in Chinese.
    pub about_zh: Option<String>,
    /// How it is called.
    pub shape: Shape,
    /// The path that is called and signed (IOP `/rest` only); may hold `{variables}`.
    pub path: Option<String>,
    /// The namespace (param2 only).
    pub namespace: Option<String>,
    /// The version (param2 only), 1 unless said otherwise.
    pub version: u32,
    /// HTTP methods the documents print; `None` when they do not say.
    pub http: Option<HttpMethods>,
    /// Whether it needs an access token; `None` when the documents do not say.
    pub auth: Option<bool>,
    /// Whether an unsigned call is refused; `None` when the documents do not say (param2 only).
    pub signed: Option<bool>,
    /// The parameters.
    pub params: Vec<Param>,
    /// The fields of the payload.
    pub response: Vec<Field>,
    /// How it pages, if it does.
    pub paging: Option<Paging>,
    /// Whether it may be repeated.
    pub safety: Safety,
    /// `true` if `safety` was derived from the name and is written down nowhere.
    pub safety_derived: bool,
    /// Other names it is known by.
    pub aliases: Vec<String>,
    /// Business errors the documents print.
    pub errors: Vec<ApiErrorNote>,
    /// An example of arguments.
    pub example: Option<Json>,
    /// A sample of the payload, shortened.
    pub reply: Option<Json>,
    /// How dates are written, and in which time zone.
    pub dates: Option<String>,
    /// How often it may be called.
    pub quota: Option<String>,
    /// What users should know.
    pub notes: Vec<String>,
    /// The group in the vendor's documents.
    pub group: Option<String>,
    /// Where this is known from.
    pub source: Option<String>,
    /// False for an API that no catalog lists; it is called raw, as a write unless its name
    /// says otherwise.
    pub known: bool,
    /// True for an API of the platform whose dialect this one speaks (Lazada's on Daraz): nobody has
    /// confirmed that it exists here.
    pub presumed: bool,
}
