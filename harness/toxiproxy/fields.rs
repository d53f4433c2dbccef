//! Reads the fields of a JSON object one by one, so that an error can name the field and the fix.

use serde_json::{Map, Value};

use super::api_error::ApiError;

/// An object in a request's body. Unknown fields are ignored, as by Toxiproxy, because client libraries send extra
/// ones. `null` means that the field is absent.
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    pub fn from_value(value: Value) -> Result<Fields, ApiError> {
        match value {
            Value::Object(fields) => Ok(Fields(fields)),
            other => Err(ApiError::bad_request(format_args!("an object {{…}} was expected, not {}", brief(&other)))),
        }
    }

    pub fn parse(body: &[u8]) -> Result<Fields, ApiError> {
        Fields::from_value(json(body)?)
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }

    pub fn text(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        self.take(name)
            .map(|value| match value {
                Value::String(text) => Ok(text),
                other => Err(wrong(name, "a text in quotes", &other)),
            })
            .transpose()
    }

    /// Takes a text that must be present and not empty.
    ///
    /// *Errors*: 400 with the field, as for all of these functions.
    pub fn needed(&mut self, name: &str) -> Result<String, ApiError> {
        self.text(name)?.filter(|text| !text.is_empty()).ok_or_else(|| ApiError::missing(name))
    }

    pub fn flag(&mut self, name: &str) -> Result<Option<bool>, ApiError> {
        self.take(name).map(|value| value.as_bool().ok_or_else(|| wrong(name, "true or false", &value))).transpose()
    }

    /// Takes a number from 0 to 1.
    pub fn share(&mut self, name: &str) -> Result<Option<f64>, ApiError> {
        let share = |value: Value| {
            let share = value.as_f64().filter(|share| (0.0..=1.0).contains(share));
            share.ok_or_else(|| wrong(name, "a number from 0 to 1", &value))
        };
        self.take(name).map(share).transpose()
    }

    /// Takes a nested object; returns an empty one if the field is absent.
    pub fn object(&mut self, name: &str) -> Result<Map<String, Value>, ApiError> {
        match self.take(name) {
            None => Ok(Map::new()),
            Some(Value::Object(fields)) => Ok(fields),
            Some(other) => Err(wrong(name, "an object {…}", &other)),
        }
    }
}

/// Parses JSON.
///
/// *Errors*: 400; an empty body has a message of its own.
pub(super) fn json(body: &[u8]) -> Result<Value, ApiError> {
    match serde_json::from_slice(body) {
        Ok(value) => Ok(value),
        Err(_) if body.trim_ascii().is_empty() => Err(ApiError::bad_request("the body is empty: send JSON")),
        Err(error) => Err(ApiError::bad_request(format_args!("the body is not JSON: {error}"))),
    }
}

/// Returns the error for a field with a wrong value.
pub(super) fn wrong(field: &str, expected: &str, found: &Value) -> ApiError {
    ApiError::bad_request(format_args!("{field} must be {expected}, not {}", brief(found)))
}

/// Shortens a value for an error.
fn brief(value: &Value) -> String {
    const MAX_CHARS: usize = 40;
    let text = value.to_string();
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
