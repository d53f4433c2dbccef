//! Stand-in for `tls` in a build without TLS: the simulated server never offers it.

use std::net::SocketAddr;

use super::serving::Serving;
use crate::gateway::transport::Leg;

/// Has no values, so that no code path can begin TLS.
#[derive(Clone)]
pub(super) enum Acceptor {}

/// Parameters of an encrypted connection, which never exists in this build.
#[derive(Clone, Copy)]
pub(super) struct Encrypted {
    pub protocol: &'static str,
    pub with_certificate: bool,
}

impl<S: Leg> Serving<S> {
    pub async fn encrypt(self, acceptor: Acceptor, _peer: SocketAddr) {
        match acceptor {}
    }
}
