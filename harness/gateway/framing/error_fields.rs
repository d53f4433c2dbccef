//! Severity and SQLSTATE of an ErrorResponse or NoticeResponse.

use super::Severity;

/// Severity and SQLSTATE.
pub(super) struct ErrorFields {
    pub severity: Severity,
    pub sqlstate: Option<[u8; 5]>,
}

impl ErrorFields {
    /// Reads the beginning of a message's body: each field is a letter and a text that ends with NUL. Stops at a field
    /// that is incomplete.
    ///
    /// *Source*: PostgreSQL manual, "Error and Notice Message Fields". `V` is the severity in English; servers before
    /// 9.6 send it only in their own language (`S`), and an unknown word counts as ERROR.
    pub fn read(mut body: &[u8]) -> ErrorFields {
        let (mut localized, mut severity, mut sqlstate) = (None, None, None);
        while let [field, text @ ..] = body
            && let Some(end) = text.iter().position(|byte| *byte == 0)
        {
            let (text, rest) = text.split_at(end);
            match field {
                b'S' => localized = severity_from(text),
                b'V' => severity = severity_from(text),
                b'C' => sqlstate = text.try_into().ok(),
                _ => {}
            }
            // The server sends these three first, so the rest need not be read.
            if *field == 0 || (severity.is_some() && sqlstate.is_some()) {
                break;
            }
            body = &rest[1..];
        }
        ErrorFields { severity: severity.or(localized).unwrap_or(Severity::Error), sqlstate }
    }
}

fn severity_from(text: &[u8]) -> Option<Severity> {
    match text {
        b"ERROR" => Some(Severity::Error),
        b"FATAL" => Some(Severity::Fatal),
        b"PANIC" => Some(Severity::Panic),
        b"WARNING" | b"NOTICE" | b"DEBUG" | b"INFO" | b"LOG" => Some(Severity::Warning),
        _ => None,
    }
}
