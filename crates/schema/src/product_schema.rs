//! Products against the JSON Schemas that AliExpress has for its categories.

use jsonschema::{
    Draft, PatternOptions, ValidationError, Validator,
    error::{TypeKind, ValidationErrorKind},
};
use serde_json::Value as Json;

use crate::{Finding, MAX_BYTES, Report, Step};

/// How often a match may go back before it is given up.
const STEPS: usize = 100_000;
/// The largest compiled expression, in bytes.
const SIZE: usize = 1 << 20;
/// Maximum number of findings of one product.
const MOST: usize = 1_000;

/// The JSON Schema of a category, as `aliexpress.solution.product.schema.get` gives it.
///
/// It is read as it stands, by the draft that `$schema` declares, or else by draft 7. Nothing is fetched.
///
/// ```
/// use sesame_schema::ProductSchema;
/// let schema = ProductSchema::from_json(
///     r#"{"$schema": "http://json-schema.org/draft-07/schema#", "required": ["price"],
///         "properties": {"titles": {"items": {"properties": {"title": {"maxLength": 5}}}}}}"#,
/// )?;
/// let report = schema.check(&serde_json::json!({"titles": [{"title": "Teacup"}]}));
/// let [price, title] = &report.findings[..] else { panic!() };
/// assert_eq!((price.rule.as_str(), price.path.to_string().as_str()), ("required", "/price"));
/// assert_eq!((title.rule.as_str(), title.path.to_string().as_str()), ("maxLength", "/titles/0/title"));
/// assert_eq!((title.limit.as_deref(), title.actual), (Some("5"), Some(6)));
/// # Ok::<(), sesame_schema::ProductSchemaError>(())
/// ```
#[derive(Debug)]
pub struct ProductSchema {
    validator: Validator,
}

/// Why a text is not a schema.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProductSchemaError {
    /// It is too large.
    #[error("the schema is larger than {} MiB", MAX_BYTES >> 20)]
    TooLarge,
    /// It is not JSON.
    #[error("the schema is not JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    /// It is JSON, and not a schema of its draft, or it refers to another document.
    #[error("the schema cannot be used, at {place:?}: {message}")]
    NotASchema {
        /// A JSON pointer into the schema.
        place: String,
        /// What is wrong.
        message: String,
    },
}

impl ProductSchema {
    /// Reads a schema.
    ///
    /// # Errors
    /// [`ProductSchemaError`]: more than [`MAX_BYTES`], text that is not JSON, a schema that its draft does not allow,
    /// expressions that cannot be compiled, and references to other documents.
    pub fn from_json(text: &str) -> Result<Self, ProductSchemaError> {
        if text.len() > MAX_BYTES {
            return Err(ProductSchemaError::TooLarge);
        }
        let schema: Json = serde_json::from_str(text)?;
        let patterns =
            PatternOptions::fancy_regex().backtrack_limit(STEPS).size_limit(SIZE).dfa_size_limit(SIZE);
        let mut options =
            jsonschema::options().offline().should_validate_formats(true).with_pattern_options(patterns);
        if schema.get("$schema").is_none() {
            options = options.with_draft(Draft::Draft7);
        }
        let validator = options.build(&schema).map_err(|error| ProductSchemaError::NotASchema {
            place: error.instance_path().to_string(),
            message: error.masked().to_string(),
        })?;
        Ok(Self { validator })
    }

    /// Judges a product. Rules are keywords of JSON Schema; a property that is missing or too many is at the end of
    /// its path.
    pub fn check(&self, product: &Json) -> Report {
        let mut findings = Vec::new();
        for error in self.validator.iter_errors(product).take(MOST) {
            add(&mut findings, product, &error);
        }
        findings.truncate(MOST);
        Report { findings }
    }
}

fn add(findings: &mut Vec<Finding>, product: &Json, error: &ValidationError<'_>) {
    let path = steps(product, error.instance_path().as_str());
    let kind = error.kind();
    let mut finding = Finding::new(kind.keyword(), path, error.masked_with("the value").to_string());
    finding.value = match error.instance().as_ref() {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        _ => None,
    };
    finding.limit = limit(kind);
    finding.actual = actual(kind, error.instance());
    match kind {
        ValidationErrorKind::Required { property } => {
            finding.path.0.extend(property.as_str().map(Step::from));
            "the field has to be there".clone_into(&mut finding.message);
        }
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            "the schema has no such field".clone_into(&mut finding.message);
            // A finding for each.
            findings.extend(unexpected.iter().map(|name| {
                let mut one = finding.clone();
                one.path.0.push(Step::from(name.as_str()));
                one
            }));
            return;
        }
        _ => {}
    }
    findings.push(finding);
}

/// Reads a pointer into a document that is there: numbers are indexes in lists alone.
fn steps(mut at: &Json, pointer: &str) -> Vec<Step> {
    let mut path = Vec::new();
    for step in pointer.split('/').skip(1) {
        let name = step.replace("~1", "/").replace("~0", "~");
        let index = name.parse::<usize>().ok().filter(|_| at.is_array());
        at = match index {
            Some(index) => &at[index],
            None => &at[name.as_str()],
        };
        path.push(index.map_or_else(|| Step::Field(name), Step::Index));
    }
    path
}

fn limit(kind: &ValidationErrorKind) -> Option<String> {
    Some(match kind {
        ValidationErrorKind::AdditionalItems { limit } => limit.to_string(),
        ValidationErrorKind::MaxItems { limit }
        | ValidationErrorKind::MinItems { limit }
        | ValidationErrorKind::MaxLength { limit }
        | ValidationErrorKind::MinLength { limit }
        | ValidationErrorKind::MaxProperties { limit }
        | ValidationErrorKind::MinProperties { limit } => limit.to_string(),
        ValidationErrorKind::Maximum { limit }
        | ValidationErrorKind::Minimum { limit }
        | ValidationErrorKind::ExclusiveMaximum { limit }
        | ValidationErrorKind::ExclusiveMinimum { limit } => limit.to_string(),
        ValidationErrorKind::MultipleOf { multiple_of } => multiple_of.to_string(),
        ValidationErrorKind::Constant { expected_value } => expected_value.to_string(),
        ValidationErrorKind::Enum { options } => options.to_string(),
        ValidationErrorKind::Pattern { pattern } => pattern.clone(),
        ValidationErrorKind::Format { format } => format.clone(),
        ValidationErrorKind::Type { kind: TypeKind::Single(name) } => name.to_string(),
        ValidationErrorKind::Type { kind: TypeKind::Multiple(names) } => {
            let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
            names.join(", ")
        }
        _ => return None,
    })
}

fn actual(kind: &ValidationErrorKind, value: &Json) -> Option<u64> {
    let count = match (kind, value) {
        (
            ValidationErrorKind::MaxLength { .. } | ValidationErrorKind::MinLength { .. },
            Json::String(text),
        ) => text.chars().count(),
        (
            ValidationErrorKind::MaxItems { .. }
            | ValidationErrorKind::MinItems { .. }
            | ValidationErrorKind::AdditionalItems { .. },
            Json::Array(items),
        ) => items.len(),
        (
            ValidationErrorKind::MaxProperties { .. } | ValidationErrorKind::MinProperties { .. },
            Json::Object(members),
        ) => members.len(),
        _ => return None,
    };
    Some(count as u64)
}
