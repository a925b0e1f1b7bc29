//! The format of the data files: what is known of one API, as one JSON object.
//!
//! The build script reads this file too, so nothing here may use other modules or `sesame_core`.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// One API as a line of `crates/catalog/data/base/*.jsonl` holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// A path, a method, or the bare name of a param2 API.
    pub name: String,
    /// The namespace (param2 only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The version (param2 only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// The title in the vendor's documents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The title in Chinese.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title_zh: Option<String>,
    /// What it does, in one or two sentences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// The same in Chinese.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about_zh: Option<String>,
    /// The group in the vendor's documents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Other names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// HTTP methods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpMethods>,
    /// Whether it needs an access token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<bool>,
    /// Whether an unsigned call is refused (param2 only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<bool>,
    /// Whether it may be repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub safety: Option<Safety>,
    /// Parameters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<Param>,
    /// Fields of the payload.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub response: Vec<Field>,
    /// How it pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paging: Option<Paging>,
    /// Business errors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ApiErrorNote>,
    /// An example of arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<Json>,
    /// A sample of the payload, shortened, as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<Json>,
    /// How dates are written, and in which time zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dates: Option<String>,
    /// How often it may be called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<String>,
    /// What users should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The document's number at the vendor (TOP).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doc_id: Option<u64>,
    /// Where this is known from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

impl Record {
    /// Returns a record that knows nothing but its name.
    pub fn named(name: String) -> Self {
        Self {
            name,
            namespace: None,
            version: None,
            title: None,
            title_zh: None,
            about: None,
            about_zh: None,
            group: None,
            aliases: Vec::new(),
            http: None,
            auth: None,
            signed: None,
            safety: None,
            params: Vec::new(),
            response: Vec::new(),
            paging: None,
            errors: Vec::new(),
            example: None,
            reply: None,
            dates: None,
            quota: None,
            notes: Vec::new(),
            doc_id: None,
            source: None,
        }
    }
}

/// A business error that the documents of one API print.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiErrorNote {
    /// The code.
    pub code: String,
    /// What it means; empty when the documents only list the code.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub says: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub advice: String,
}

/// HTTP methods an API takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum HttpMethods {
    /// GET only.
    #[serde(rename = "GET")]
    Get,
    /// POST only.
    #[serde(rename = "POST")]
    Post,
    /// Either.
    #[serde(rename = "GET|POST")]
    Both,
    /// PUT, as one page of Alibaba.com prints. The public clients POST it.
    #[serde(rename = "PUT")]
    Put,
}

/// Whether a call may be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Safety {
    /// Changes nothing.
    Read,
    /// Changes something, but twice is the same as once.
    Idempotent,
    /// Twice is worse than once. An ambiguous one is never sent again.
    Write,
}

/// The type of a parameter or field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Type {
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// A number with a fraction.
    Number,
    /// An exact decimal, e.g. a price.
    Decimal,
    /// A truth.
    Boolean,
    /// `yyyy-MM-dd HH:mm:ss`, in the platform's time zone.
    Date,
    /// JSON in a text; the members are its layout.
    Json,
    /// XML in a text; the only member is the root element.
    Xml,
    /// File content: a multipart part that is not signed.
    Bytes,
    /// An object.
    Object,
}

/// A parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Param {
    /// Name.
    #[serde(rename = "n")]
    pub name: String,
    /// Type.
    #[serde(rename = "t")]
    pub kind: Type,
    /// True for a list of `kind`.
    #[serde(rename = "l", default, skip_serializing_if = "std::ops::Not::not")]
    pub list: bool,
    /// Required; `None` when the documents do not say.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub required: Option<bool>,
    /// The longest text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_len: Option<u64>,
    /// The largest number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// The smallest number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// Maximum number of items of a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_items: Option<u64>,
    /// Values the documents list; may be incomplete.
    #[serde(rename = "enum", default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Json>,
    /// The value the platform takes when the parameter is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Json>,
    /// Members of an object.
    #[serde(rename = "c", default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Param>,
    /// The vendor's name of the type.
    #[serde(rename = "vt", default, skip_serializing_if = "Option::is_none")]
    pub vendor_type: Option<String>,
    /// What users should know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Param {
    /// Returns a parameter that is known by name and type alone.
    pub fn named(name: String, kind: Type) -> Self {
        Self {
            name,
            kind,
            list: false,
            required: None,
            max_len: None,
            max: None,
            min: None,
            max_items: None,
            values: Vec::new(),
            default: None,
            children: Vec::new(),
            vendor_type: None,
            note: None,
        }
    }
}

/// A field of a payload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Name.
    #[serde(rename = "n")]
    pub name: String,
    /// Type.
    #[serde(rename = "t")]
    pub kind: Type,
    /// True for a list of `kind`.
    #[serde(rename = "l", default, skip_serializing_if = "std::ops::Not::not")]
    pub list: bool,
    /// Members of an object.
    #[serde(rename = "c", default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Field>,
    /// The vendor's name of the type: names the wrapper of a TOP list.
    #[serde(rename = "vt", default, skip_serializing_if = "Option::is_none")]
    pub vendor_type: Option<String>,
    /// An example value.
    #[serde(rename = "eg", default, skip_serializing_if = "Option::is_none")]
    pub example: Option<Json>,
    /// What users should know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// How pages are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PagingStyle {
    /// A page number.
    Page,
    /// A row offset.
    Offset,
    /// A cursor from the previous reply.
    Cursor,
}

/// How an API pages. Paths are dotted, from the payload; lists are crossed without index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paging {
    /// Page number, offset or cursor.
    pub style: PagingStyle,
    /// The parameter that says which page. Dotted when it sits inside a JSON argument.
    pub index: String,
    /// The parameter that says how many rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    /// Maximum number of rows of a page. Some platforms cut larger wishes silently.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_size: Option<u64>,
    /// The rows of a page that cannot be chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixed_size: Option<u64>,
    /// The number of the first page: 0 or 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<u64>,
    /// Where the rows are. The wrapper that TOP puts around lists unless `simplify=true`
    /// (`{"items":{"item":[..]}}`) is not part of the path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<String>,
    /// Where the number of all rows is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<String>,
    /// Where the number of all pages is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_pages: Option<String>,
    /// Where it says that more follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub has_next: Option<String>,
    /// Where the next cursor is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The field of a row that tells rows apart, to find pages that come again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Maximum number of rows that can be reached at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reachable: Option<u64>,
    /// The largest page number or offset that the platform accepts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_index: Option<u64>,
    /// Rows leave the list while it is read, and those behind them move up: read it from its last page
    /// back. Takes `style = "page"`, `total` and `key`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub backward: bool,
    /// What to do when more rows exist than can be reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// `true` for a rule made from the names of parameters and fields: no document states it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub derived: bool,
}
