//! Toxiproxy's words for a proxy and for a toxic: read from JSON, and written again.
//!
//! Pure: what a toxic comes to is said here, and done by `proxy`.
//!
//! *Source*: Toxiproxy, `proxy.go`, `toxics/toxic.go`, `toxic_collection.go`.

use serde::Serialize;
use serde_json::Value;

use super::api_error::Complaint;
use super::fields::{Fields, json};
use super::toxic_types::{Attributes, Effect, Kind};
use crate::gateway::RuleKind;
use crate::model::fault;
use crate::model::fault::{Scope, Share, Stream};

/// A proxy, as somebody wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyConfig {
    /// By which the API knows it.
    pub name: String,
    /// Where clients connect, `host:port`; port 0 stands for any that is free, and nothing at all for `127.0.0.1:0`.
    pub listen: String,
    /// Where it leads, `host:port`.
    pub upstream: String,
    /// Whether it is to listen at once.
    pub enabled: bool,
}

impl ProxyConfig {
    /// Reads a list of proxies, as Toxiproxy's configuration file has it.
    ///
    /// *Errors*: a sentence that names the proxy and the field, and says what to write.
    pub fn read_list(text: &[u8]) -> Result<Vec<ProxyConfig>, String> {
        ProxyConfig::list(text).map_err(|complaint| complaint.message)
    }

    pub(super) fn list(body: &[u8]) -> Result<Vec<ProxyConfig>, Complaint> {
        let Value::Array(list) = json(body)? else {
            return Err(Complaint::body("a list of proxies was expected: [{\"name\": …, \"upstream\": …}, …]"));
        };
        let mut proxies: Vec<ProxyConfig> = Vec::new();
        for (number, value) in (1..).zip(list) {
            let at = |complaint: Complaint| Complaint {
                message: format!("{} at proxy {number}", complaint.message),
                ..complaint
            };
            let proxy = Fields::of(value).and_then(ProxyConfig::of).map_err(at)?;
            if proxies.iter().any(|other| other.name == proxy.name) {
                let message = format!("two proxies are named {:?}: give each its own name", proxy.name);
                return Err(Complaint::body(message));
            }
            proxies.push(proxy);
        }
        Ok(proxies)
    }

    pub(super) fn read(body: &[u8]) -> Result<ProxyConfig, Complaint> {
        ProxyConfig::of(Fields::parse(body)?)
    }

    fn of(mut fields: Fields) -> Result<ProxyConfig, Complaint> {
        Ok(ProxyConfig {
            name: fields.needed("name")?,
            upstream: fields.needed("upstream")?,
            listen: fields.text("listen")?.unwrap_or_default(),
            enabled: fields.flag("enabled")?.unwrap_or(true),
        })
    }
}

/// What is to change of a proxy; `None`: as it is.
pub(super) struct ProxyChange {
    pub listen: Option<String>,
    pub upstream: Option<String>,
    pub enabled: Option<bool>,
}

impl ProxyChange {
    pub fn read(body: &[u8]) -> Result<ProxyChange, Complaint> {
        let mut fields = Fields::parse(body)?;
        Ok(ProxyChange {
            listen: fields.text("listen")?,
            upstream: fields.text("upstream")?.filter(|upstream| !upstream.is_empty()),
            enabled: fields.flag("enabled")?,
        })
    }
}

/// A proxy, as the API shows it.
#[derive(Debug, Serialize)]
pub(super) struct ProxyShown {
    pub name: String,
    pub listen: String,
    pub upstream: String,
    pub enabled: bool,
    pub toxics: Vec<ToxicShown>,
}

/// A toxic, as the API shows it. What is not Toxiproxy's is shown only where it was asked for, so that no strict client
/// library meets a field that it does not know.
#[derive(Debug, Serialize)]
pub(super) struct ToxicShown {
    attributes: serde_json::Map<String, Value>,
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    stream: &'static str,
    toxicity: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    connections: Option<&'static str>,
}

/// A toxic.
#[derive(Clone)]
pub(super) struct Toxic {
    pub name: String,
    pub kind: &'static Kind,
    pub stream: Stream,
    /// From 0 to 1.
    toxicity: f64,
    connections: Scope,
    attributes: Attributes,
    /// What all of that comes to.
    pub effect: Effect,
}

const STREAMS: [(&str, Stream); 3] =
    [("upstream", Stream::Upstream), ("downstream", Stream::Downstream), ("both", Stream::Both)];

const SCOPES: [(&str, Scope); 3] = [("every", Scope::Every), ("established", Scope::Established), ("new", Scope::New)];

fn word<T: PartialEq>(words: &[(&'static str, T)], meaning: &T) -> &'static str {
    words.iter().find(|(_, other)| other == meaning).map_or("?", |(word, _)| word)
}

impl Toxic {
    pub fn read(body: &[u8]) -> Result<Toxic, Complaint> {
        let mut fields = Fields::parse(body)?;
        // noxious, a Toxiproxy in Rust, and its client write `direction`.
        let stream = match fields.text("stream")? {
            Some(stream) => stream,
            None => fields.text("direction")?.unwrap_or_else(|| "downstream".into()),
        };
        let kind = Kind::named(&fields.needed("type")?)?;
        let name = fields.text("name")?.filter(|name| !name.is_empty());
        let (word, stream) = *STREAMS.iter().find(|(word, _)| *word == stream).ok_or_else(|| {
            Complaint::new(400, "stream was invalid, can be either upstream or downstream (or, here, both)")
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

    /// The toxic as it is to be from now on: attributes that are not given stay.
    pub fn changed(&self, body: &[u8]) -> Result<Toxic, Complaint> {
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

    /// Refuses what the gateway cannot do, rather than doing something else.
    fn checked(self) -> Result<Toxic, Complaint> {
        let word = self.kind.word;
        match self.effect {
            Effect::Bytes(_) => {}
            _ if self.toxicity < 1.0 => {
                return Err(Complaint::body(format_args!("{word} cannot be left to chance: leave toxicity at 1")));
            }
            _ if self.connections != Scope::Every => {
                return Err(Complaint::body(format_args!(
                    "{word} cannot choose its connections: leave connections out"
                )));
            }
            _ => {}
        }
        Ok(self)
    }

    /// The rule that it is at the gateway; `None` for one that only keeps the door.
    pub fn what(&self) -> Option<RuleKind> {
        match self.effect {
            Effect::Bytes(kind) => {
                let toxicity = Share::new(self.toxicity).unwrap_or(Share::ALL);
                Some(RuleKind::Toxic(fault::Toxic { kind, stream: self.stream, scope: self.connections, toxicity }))
            }
            Effect::Connections(what) => Some(what),
            Effect::Door(_) => None,
        }
    }

    pub fn shown(&self) -> ToxicShown {
        // Go writes 1 where others write 1.0.
        let toxicity = if self.toxicity.fract() == 0.0 { (self.toxicity as u64).into() } else { self.toxicity.into() };
        ToxicShown {
            attributes: self.attributes.0.clone(),
            name: self.name.clone(),
            kind: self.kind.word,
            stream: word(&STREAMS, &self.stream),
            toxicity,
            connections: (self.connections != Scope::Every).then(|| word(&SCOPES, &self.connections)),
        }
    }
}

fn scope(fields: &mut Fields) -> Result<Option<Scope>, Complaint> {
    let Some(given) = fields.text("connections")? else { return Ok(None) };
    let scope = SCOPES.iter().find(|(word, _)| *word == given).map(|(_, scope)| *scope);
    scope
        .map(Some)
        .ok_or_else(|| Complaint::body(format_args!("connections must be every, established or new, not {given:?}")))
}
