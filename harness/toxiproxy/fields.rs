//! The fields of a JSON object, read one by one, so that an error can name the field and say what to write.

use serde_json::{Map, Value};

use super::api_error::Complaint;

/// An object from the body of a request. Fields that nobody asks for are ignored, as by Toxiproxy: client libraries
/// send more than they must. `null` stands for a field that is not there.
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    pub fn of(value: Value) -> Result<Fields, Complaint> {
        match value {
            Value::Object(fields) => Ok(Fields(fields)),
            other => Err(Complaint::body(format_args!("an object {{…}} was expected, not {}", brief(&other)))),
        }
    }

    pub fn parse(body: &[u8]) -> Result<Fields, Complaint> {
        Fields::of(json(body)?)
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }

    pub fn text(&mut self, name: &str) -> Result<Option<String>, Complaint> {
        self.take(name)
            .map(|value| match value {
                Value::String(text) => Ok(text),
                other => Err(wrong(name, "a text in quotes", &other)),
            })
            .transpose()
    }

    /// A text that must be there, and hold something.
    pub fn needed(&mut self, name: &str) -> Result<String, Complaint> {
        self.text(name)?.filter(|text| !text.is_empty()).ok_or_else(|| Complaint::missing(name))
    }

    pub fn flag(&mut self, name: &str) -> Result<Option<bool>, Complaint> {
        self.take(name).map(|value| value.as_bool().ok_or_else(|| wrong(name, "true or false", &value))).transpose()
    }

    /// A number between 0 and 1.
    pub fn share(&mut self, name: &str) -> Result<Option<f64>, Complaint> {
        let share = |value: Value| {
            let share = value.as_f64().filter(|share| (0.0..=1.0).contains(share));
            share.ok_or_else(|| wrong(name, "a number from 0 to 1", &value))
        };
        self.take(name).map(share).transpose()
    }

    /// An object in this one; empty where there is none.
    pub fn object(&mut self, name: &str) -> Result<Map<String, Value>, Complaint> {
        match self.take(name) {
            None => Ok(Map::new()),
            Some(Value::Object(fields)) => Ok(fields),
            Some(other) => Err(wrong(name, "an object {…}", &other)),
        }
    }
}

/// Reads JSON.
pub(super) fn json(body: &[u8]) -> Result<Value, Complaint> {
    match serde_json::from_slice(body) {
        Ok(value) => Ok(value),
        Err(_) if body.trim_ascii().is_empty() => Err(Complaint::body("it is empty: send JSON")),
        Err(error) => Err(Complaint::body(format_args!("it is no JSON: {error}"))),
    }
}

/// A field holds something else than it should.
pub(super) fn wrong(field: &str, expected: &str, found: &Value) -> Complaint {
    Complaint::body(format_args!("{field} must be {expected}, not {}", brief(found)))
}

/// A value as an error shows it: short, whatever was sent.
fn brief(value: &Value) -> String {
    const MOST: usize = 40;
    let text = value.to_string();
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
