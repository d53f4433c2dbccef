//! Error replies of the API, in Toxiproxy's form.

use std::fmt;

/// An error reply: a status and a message.
///
/// *Source*: Toxiproxy, `api.go`: the body is `{"error": …, "status": …}`. Each message begins as in Toxiproxy, because
/// client libraries compare messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ApiError {
    /// An HTTP status.
    pub status: u16,
    pub message: String,
}

impl ApiError {
    pub fn new(status: u16, message: impl Into<String>) -> ApiError {
        ApiError { status, message: message.into() }
    }

    /// Returns the error for an invalid body of a request; `what` names the field and the fix.
    pub fn bad_request(what: impl fmt::Display) -> ApiError {
        ApiError::new(400, format!("bad request body: {what}"))
    }

    pub fn missing(field: &str) -> ApiError {
        ApiError::new(400, format!("missing required field: {field}"))
    }

    pub fn no_proxy() -> ApiError {
        ApiError::new(404, "proxy not found")
    }

    pub fn no_toxic() -> ApiError {
        ApiError::new(404, "toxic not found")
    }

    pub fn proxy_exists() -> ApiError {
        ApiError::new(409, "proxy already exists")
    }

    pub fn toxic_exists() -> ApiError {
        ApiError::new(409, "toxic already exists")
    }

    /// Returns the error for a failure on our side, for example of the operating system.
    pub fn failed(what: impl fmt::Display) -> ApiError {
        ApiError::new(500, what.to_string())
    }
}
