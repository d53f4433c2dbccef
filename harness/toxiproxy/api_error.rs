//! What the API answers where it cannot do what was asked: a status and a sentence, in Toxiproxy's form.

use std::fmt;

/// An error as a caller gets to see it.
///
/// *Source*: Toxiproxy, `api.go`: the body is `{"error": …, "status": …}`, and each text begins as it does there, since
/// client libraries compare texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Complaint {
    /// An HTTP status.
    pub status: u16,
    pub message: String,
}

impl Complaint {
    pub fn new(status: u16, message: impl Into<String>) -> Complaint {
        Complaint { status, message: message.into() }
    }

    /// The body of a request cannot be understood; `what` names the field and what to write.
    pub fn body(what: impl fmt::Display) -> Complaint {
        Complaint::new(400, format!("bad request body: {what}"))
    }

    pub fn missing(field: &str) -> Complaint {
        Complaint::new(400, format!("missing required field: {field}"))
    }

    pub fn no_proxy() -> Complaint {
        Complaint::new(404, "proxy not found")
    }

    pub fn no_toxic() -> Complaint {
        Complaint::new(404, "toxic not found")
    }

    pub fn proxy_exists() -> Complaint {
        Complaint::new(409, "proxy already exists")
    }

    pub fn toxic_exists() -> Complaint {
        Complaint::new(409, "toxic already exists")
    }

    /// The system would not do it.
    pub fn failed(what: impl fmt::Display) -> Complaint {
        Complaint::new(500, what.to_string())
    }
}
