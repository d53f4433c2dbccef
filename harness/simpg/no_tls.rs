//! A build without TLS: the simulated server has none to offer.

use std::net::SocketAddr;

use super::serving::Serving;
use crate::gateway::transport::Leg;

/// There is no way to make one.
#[derive(Clone)]
pub(super) enum Acceptor {}

/// Of a connection that there never is.
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
