//! An error of the API: a status and a sentence, in Toxiproxy's form.

use std::fmt;

/// An error reply.
///
/// *Source*: Toxiproxy, `api.go`: the body is `{"error": …, "status": …}`, and each text begins as in Toxiproxy,
/// because client libraries compare texts.
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

    /// A request's body is invalid; `what` names the field and the fix.
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

    /// The operating system refused the operation.
    pub fn failed(what: impl fmt::Display) -> ApiError {
        ApiError::new(500, what.to_string())
    }
}
