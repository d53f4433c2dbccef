//! TLS termination by the proxies, so that cut points and the tap can read the protocol.

use std::fs;
use std::path::{Path, PathBuf};

use super::ServiceError;
use crate::gateway::Termination;

/// The files with which a proxy speaks TLS to clients and to the server.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The server's own certificate with its chain, in PEM. With another one, channel binding fails.
    pub certificate: PathBuf,
    /// The certificate's key, in PEM.
    pub key: PathBuf,
    /// The authority that must have signed the server's certificate, in PEM; `None`: the proxy accepts any certificate.
    pub authority: Option<PathBuf>,
}

/// The contents of [`TlsFiles`].
pub(super) struct ProxyTls {
    chain: Vec<u8>,
    key: Vec<u8>,
    authority: Option<Vec<u8>>,
}

impl ProxyTls {
    /// Reads and checks the files.
    ///
    /// *Errors*: a file cannot be read, or its contents are invalid.
    pub fn read(files: &TlsFiles) -> Result<ProxyTls, ServiceError> {
        let read = |path: &Path| {
            fs::read(path).map_err(|error| ServiceError::Settings(format!("cannot read {}: {error}", path.display())))
        };
        let authority = files.authority.as_deref().map(read).transpose()?;
        let tls = ProxyTls { chain: read(&files.certificate)?, key: read(&files.key)?, authority };
        // Reports invalid files now rather than when the first proxy is created.
        tls.termination("localhost:0").map_err(ServiceError::Settings)?;
        Ok(tls)
    }

    /// Returns the TLS settings of a gateway to `upstream`, `host:port`. If there is an authority, the server's
    /// certificate must name that host.
    ///
    /// *Errors*: a message; the files or the host name are invalid.
    pub fn termination(&self, upstream: &str) -> Result<Termination, String> {
        let host = upstream.rsplit_once(':').map_or(upstream, |(host, _)| host);
        Termination::new(&self.chain, &self.key, self.authority.as_deref(), host.trim_matches(['[', ']']))
    }
}
