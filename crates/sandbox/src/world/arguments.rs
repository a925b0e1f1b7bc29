//! Reading arguments, and refusing those that make no sense.

use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::{Answer, Args, times};

/// Reads arguments; what is wrong becomes the refusal that the protocol has for it.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    /// The arguments.
    args: &'a dyn Args,
    dialect: Dialect,
}

/// In whose words a refusal is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `MissingParameter`, `InvalidParameter`; a TOP door turns them to 40 and 41, for which they
    /// carry a sub code.
    Iop,
    /// Codes 40 and 41 with a sub code.
    Top,
    /// `gw.ParamMissing`; the gateway has no word for an argument of the wrong form, the service
    /// behind it answers.
    Param2,
}

impl<'a> Reader<'a> {
    /// Creates a reader.
    pub(super) fn new(args: &'a dyn Args, dialect: Dialect) -> Self {
        Self { args, dialect }
    }

    /// Returns an argument; an empty one counts as absent.
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.args.get(name).map(str::trim).filter(|value| !value.is_empty())
    }

    /// Returns an argument that must be there.
    pub(super) fn required(&self, name: &str) -> Result<&'a str, Answer> {
        self.text(name).ok_or_else(|| self.missing(name))
    }

    /// Returns a whole number.
    pub(super) fn number(&self, name: &str) -> Result<Option<i64>, Answer> {
        self.text(name).map(|text| text.parse().map_err(|_| self.invalid(name))).transpose()
    }

    /// Returns an id.
    pub(super) fn id(&self, name: &str) -> Result<Option<u64>, Answer> {
        self.text(name).map(|text| text.parse().map_err(|_| self.invalid(name))).transpose()
    }

    /// Returns a page number or size of at least `least`.
    pub(super) fn count(&self, name: &str, least: i64, default: usize) -> Result<usize, Answer> {
        match self.number(name)? {
            None => Ok(default),
            Some(number) if number >= least => usize::try_from(number).map_err(|_| self.invalid(name)),
            Some(_) => Err(self.invalid(name)),
        }
    }

    /// Returns a time in seconds; see [`times::read`] for the forms.
    pub(super) fn time(&self, name: &str, zone: &TimeZone, end_of_day: bool) -> Result<Option<i64>, Answer> {
        self.text(name)
            .map(|text| times::read(text, zone, end_of_day).ok_or_else(|| self.invalid(name)))
            .transpose()
    }

    /// Returns a JSON object.
    pub(super) fn object(&self, name: &str) -> Result<Option<Map<String, Value>>, Answer> {
        self.text(name).map(|text| serde_json::from_str(text).map_err(|_| self.invalid(name))).transpose()
    }

    /// Returns a list of texts or numbers, as JSON or joined by commas.
    pub(super) fn list(&self, name: &str) -> Result<Vec<String>, Answer> {
        let Some(text) = self.text(name) else { return Ok(Vec::new()) };
        if text.starts_with('[') {
            let values: Vec<Value> = serde_json::from_str(text).map_err(|_| self.invalid(name))?;
            return Ok(values.iter().filter_map(sesame_core::scalar::text).collect());
        }
        Ok(text.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect())
    }

    /// Refuses because an argument is missing.
    pub(super) fn missing(&self, name: &str) -> Answer {
        match self.dialect {
            Dialect::Iop => refusal(
                "MissingParameter",
                format!(
                    "The input parameter \"{name}\" that is mandatory for processing this request is not supplied"
                ),
                Some(format!("isv.missing-parameter:{name}")),
            ),
            Dialect::Top => top(
                "40",
                "Missing Required Arguments",
                format!("isv.missing-parameter:{name}"),
                "缺少必选参数",
            ),
            Dialect::Param2 => refusal("gw.ParamMissing", format!("Required argument {name}"), None),
        }
    }

    /// Refuses because an argument has a form that cannot be read.
    pub(super) fn invalid(&self, name: &str) -> Answer {
        match self.dialect {
            Dialect::Iop => refusal(
                "InvalidParameter",
                format!("The specified parameter \"{name}\" is not valid"),
                Some(format!("isv.invalid-parameter:{name}")),
            ),
            Dialect::Top => {
                top("41", "Invalid Arguments", format!("isv.invalid-parameter:{name}"), "非法参数")
            }
            Dialect::Param2 => {
                refusal("14030996", format!("The argument {name} cannot be read: wrong type or format"), None)
            }
        }
    }

    /// Refuses because the call carries no token.
    pub(super) fn no_session(&self) -> Answer {
        match self.dialect {
            Dialect::Iop => refusal(
                "IllegalAccessToken",
                "The specified access token is invalid or expired".to_owned(),
                None,
            ),
            Dialect::Top => refusal("26", "Missing session".to_owned(), None),
            Dialect::Param2 => refusal("401", "Request need user authorized".to_owned(), None),
        }
    }
}

/// Refuses in the words of IOP or param2.
pub(super) fn refusal(code: &'static str, message: String, sub_code: Option<String>) -> Answer {
    Answer::Refusal {
        code: code.into(),
        message: message.into(),
        sub_code: sub_code.map(Into::into),
        sub_message: None,
        origin: "ISV",
    }
}

fn top(code: &'static str, message: &'static str, sub_code: String, sub_message: &'static str) -> Answer {
    Answer::Refusal {
        code: code.into(),
        message: message.into(),
        sub_code: Some(sub_code.into()),
        sub_message: Some(sub_message.into()),
        origin: "ISV",
    }
}

/// Turns a JSON object into arguments: texts, numbers and truths as text, the rest as JSON.
pub(super) fn members(object: &Map<String, Value>) -> Vec<(&str, String)> {
    object
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| {
            let text = sesame_core::scalar::text(value).unwrap_or_else(|| value.to_string());
            (name.as_str(), text)
        })
        .collect()
}
