//! TLS that the proxies end, so that cut points and the tap work under it.

use std::fs;
use std::path::{Path, PathBuf};

use super::ServiceError;
use crate::gateway::Termination;

/// The files with which a proxy speaks TLS to both sides.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The server's own certificate, and those that lead to its authority, in PEM. Another one than the server's would
    /// do for clients that verify no channel binding.
    pub certificate: PathBuf,
    /// Its key, in PEM.
    pub key: PathBuf,
    /// Who must have signed what the server shows; `None`: whatever it shows is taken.
    pub authority: Option<PathBuf>,
}

/// What was in the files.
pub(super) struct Encryption {
    chain: Vec<u8>,
    key: Vec<u8>,
    authority: Option<Vec<u8>>,
}

impl Encryption {
    pub fn read(files: &TlsFiles) -> Result<Encryption, ServiceError> {
        let read = |path: &Path| {
            fs::read(path)
                .map_err(|error| ServiceError::Settings(format!("{} cannot be read: {error}", path.display())))
        };
        let authority = files.authority.as_deref().map(read).transpose()?;
        let encryption = Encryption { chain: read(&files.certificate)?, key: read(&files.key)?, authority };
        // Found wrong now rather than when the first proxy is made.
        encryption.termination("localhost:0").map_err(ServiceError::Settings)?;
        Ok(encryption)
    }

    /// What a gateway needs that leads to `upstream`, `host:port`.
    pub fn termination(&self, upstream: &str) -> Result<Termination, String> {
        let host = upstream.rsplit_once(':').map_or(upstream, |(host, _)| host);
        Termination::new(&self.chain, &self.key, self.authority.as_deref(), host.trim_matches(['[', ']']))
    }
}
