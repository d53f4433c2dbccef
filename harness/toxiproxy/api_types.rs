//! Parses and formats the API's JSON types for proxies and toxics.
//!
//! Pure: `toxic_types` computes the effect of a toxic, `proxy` applies it.
//!
//! *Source*: Toxiproxy, `proxy.go`, `toxics/toxic.go`, `toxic_collection.go`.

use serde::Serialize;
use serde_json::Value;

use super::api_error::ApiError;
use super::fields::{Fields, json};
use super::toxic_types::{Attributes, Effect, ToxicType};
use crate::gateway::RuleKind;
use crate::model::fault;
use crate::model::fault::{Scope, Share, Stream};

/// The configuration of a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyConfig {
    /// The proxy's name in the API.
    pub name: String,
    /// The address for clients, `host:port`. Port 0 means any free port; an empty text means `127.0.0.1:0`.
    pub listen: String,
    /// The server's address, `host:port`.
    pub upstream: String,
    /// Whether the proxy listens as soon as it is created.
    pub enabled: bool,
}

impl ProxyConfig {
    /// Parses a list of proxies in the format of Toxiproxy's configuration file.
    ///
    /// *Errors*: a message with the number of the proxy in the list (its name, if two are named alike), the field and
    /// the fix.
    pub fn read_list(text: &[u8]) -> Result<Vec<ProxyConfig>, String> {
        ProxyConfig::list(text).map_err(|error| error.message)
    }

    pub(super) fn list(body: &[u8]) -> Result<Vec<ProxyConfig>, ApiError> {
        let Value::Array(list) = json(body)? else {
            return Err(ApiError::bad_request("a list of proxies was expected: [{\"name\": …, \"upstream\": …}, …]"));
        };
        let mut proxies: Vec<ProxyConfig> = Vec::new();
        for (number, value) in (1..).zip(list) {
            let at = |error: ApiError| ApiError { message: format!("{} at proxy {number}", error.message), ..error };
            let proxy = Fields::from_value(value).and_then(ProxyConfig::from_fields).map_err(at)?;
            if proxies.iter().any(|other| other.name == proxy.name) {
                let message = format!("two proxies are named {:?}: give each its own name", proxy.name);
                return Err(ApiError::bad_request(message));
            }
            proxies.push(proxy);
        }
        Ok(proxies)
    }

    pub(super) fn read(body: &[u8]) -> Result<ProxyConfig, ApiError> {
        ProxyConfig::from_fields(Fields::parse(body)?)
    }

    fn from_fields(mut fields: Fields) -> Result<ProxyConfig, ApiError> {
        Ok(ProxyConfig {
            name: fields.needed("name")?,
            upstream: fields.needed("upstream")?,
            listen: fields.text("listen")?.unwrap_or_default(),
            enabled: fields.flag("enabled")?.unwrap_or(true),
        })
    }
}

/// A requested change of a proxy; a field with `None` stays unchanged.
pub(super) struct ProxyChange {
    pub listen: Option<String>,
    pub upstream: Option<String>,
    pub enabled: Option<bool>,
}

impl ProxyChange {
    pub fn read(body: &[u8]) -> Result<ProxyChange, ApiError> {
        let mut fields = Fields::parse(body)?;
        Ok(ProxyChange {
            listen: fields.text("listen")?,
            upstream: fields.text("upstream")?.filter(|upstream| !upstream.is_empty()),
            enabled: fields.flag("enabled")?,
        })
    }
}

/// A proxy in a reply of the API.
#[derive(Debug, Serialize)]
pub(super) struct ProxyView {
    pub name: String,
    pub listen: String,
    pub upstream: String,
    pub enabled: bool,
    pub toxics: Vec<ToxicView>,
}

/// A toxic in a reply of the API. `connections`, which Toxiproxy does not have, appears only if it restricts the toxic:
/// a strict client library rejects unknown fields.
#[derive(Debug, Serialize)]
pub(super) struct ToxicView {
    attributes: serde_json::Map<String, Value>,
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    stream: &'static str,
    toxicity: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    connections: Option<&'static str>,
}

/// A toxic as requested, and its effect.
#[derive(Clone)]
pub(super) struct Toxic {
    pub name: String,
    pub kind: &'static ToxicType,
    pub stream: Stream,
    /// The share of connections that the toxic affects, from 0 to 1.
    toxicity: f64,
    connections: Scope,
    attributes: Attributes,
    /// Follows from the type and the attributes.
    pub effect: Effect,
}

const STREAMS: [(&str, Stream); 3] =
    [("upstream", Stream::Upstream), ("downstream", Stream::Downstream), ("both", Stream::Both)];

const SCOPES: [(&str, Scope); 3] = [("every", Scope::Every), ("established", Scope::Established), ("new", Scope::New)];

fn word<T: PartialEq>(words: &[(&'static str, T)], meaning: &T) -> &'static str {
    words.iter().find(|(_, other)| other == meaning).map_or("?", |(word, _)| word)
}

impl Toxic {
    pub fn read(body: &[u8]) -> Result<Toxic, ApiError> {
        let mut fields = Fields::parse(body)?;
        // The client of noxious, a Toxiproxy in Rust, sends `direction` instead.
        let stream = match fields.text("stream")? {
            Some(stream) => stream,
            None => fields.text("direction")?.unwrap_or_else(|| "downstream".into()),
        };
        let kind = ToxicType::by_name(&fields.needed("type")?)?;
        let name = fields.text("name")?.filter(|name| !name.is_empty());
        let (word, stream) = *STREAMS.iter().find(|(word, _)| *word == stream).ok_or_else(|| {
            ApiError::new(400, "stream was invalid, can be either upstream or downstream (or, here, both)")
        })?;
        let attributes = kind.attributes(&fields.object("attributes")?, None)?;
        Toxic {
            name: name.unwrap_or_else(|| format!("{}_{word}", kind.word)),
            kind,
            stream,
            toxicity: fields.share("toxicity")?.unwrap_or(1.0),
            connections: scope(&mut fields)?.unwrap_or_default(),
            effect: kind.effect(&attributes)?,
            attributes,
        }
        .checked()
    }

    /// Returns the toxic after an update. Values that are not given stay, as do name, type and stream in any case.
    ///
    /// *Errors*: 400 with the field and the fix.
    pub fn changed(&self, body: &[u8]) -> Result<Toxic, ApiError> {
        let mut fields = Fields::parse(body)?;
        let attributes = self.kind.attributes(&fields.object("attributes")?, Some(&self.attributes))?;
        Toxic {
            toxicity: fields.share("toxicity")?.unwrap_or(self.toxicity),
            connections: scope(&mut fields)?.unwrap_or(self.connections),
            effect: self.kind.effect(&attributes)?,
            attributes,
            ..self.clone()
        }
        .checked()
    }

    /// Rejects combinations that the gateway cannot produce.
    fn checked(self) -> Result<Toxic, ApiError> {
        let word = self.kind.word;
        match self.effect {
            Effect::Bytes(_) => {}
            _ if self.toxicity < 1.0 => {
                return Err(ApiError::bad_request(format_args!(
                    "{word} cannot be applied to a part of the connections: leave toxicity at 1"
                )));
            }
            _ if self.connections != Scope::Every => {
                return Err(ApiError::bad_request(format_args!(
                    "{word} cannot be limited to some connections: leave connections out"
                )));
            }
            _ => {}
        }
        Ok(self)
    }

    /// Returns the toxic's rule at the gateway; `None` if the toxic only affects how connections are accepted.
    pub fn rule_kind(&self) -> Option<RuleKind> {
        match self.effect {
            Effect::Bytes(kind) => {
                let toxicity = Share::new(self.toxicity).unwrap_or(Share::ALL);
                Some(RuleKind::Toxic(fault::Toxic { kind, stream: self.stream, scope: self.connections, toxicity }))
            }
            Effect::Connections(rule_kind) => Some(rule_kind),
            Effect::NewConnections(_) => None,
        }
    }

    pub fn to_view(&self) -> ToxicView {
        // Go writes 1 where others write 1.0.
        let toxicity = if self.toxicity.fract() == 0.0 { (self.toxicity as u64).into() } else { self.toxicity.into() };
        ToxicView {
            attributes: self.attributes.0.clone(),
            name: self.name.clone(),
            kind: self.kind.word,
            stream: word(&STREAMS, &self.stream),
            toxicity,
            connections: (self.connections != Scope::Every).then(|| word(&SCOPES, &self.connections)),
        }
    }
}

fn scope(fields: &mut Fields) -> Result<Option<Scope>, ApiError> {
    let Some(given) = fields.text("connections")? else { return Ok(None) };
    let scope = SCOPES.iter().find(|(word, _)| *word == given).map(|(_, scope)| *scope);
    scope.map(Some).ok_or_else(|| {
        ApiError::bad_request(format_args!("connections must be every, established or new, not {given:?}"))
    })
}
