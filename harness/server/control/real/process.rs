//! Process control of a real server: passes each operation on to the server's `Server` implementation.

use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;

use super::RealServer;
use crate::model::fault::StopMode;
use crate::model::history::ServerFacts;
use crate::server::control::ProcessControl;
use crate::server::{Readiness, START_PATIENCE, ServerError, Superuser};

#[async_trait]
impl ProcessControl for RealServer {
    fn facts(&self) -> ServerFacts {
        self.server.facts()
    }

    fn address(&self) -> SocketAddr {
        self.server.address()
    }

    fn superuser(&self) -> Result<Superuser, ServerError> {
        Ok(self.server.superuser())
    }

    async fn start(&self) -> Result<(), ServerError> {
        self.server.start().await
    }

    async fn wait(&self, wanted: Readiness) -> Result<(), ServerError> {
        self.server.wait(wanted, START_PATIENCE).await
    }

    async fn stop(&self, mode: StopMode) -> Result<(), ServerError> {
        self.server.stop(mode).await
    }

    async fn request_stop(&self, mode: StopMode) -> Result<(), ServerError> {
        self.server.request_stop(mode).await
    }

    async fn ended(&self, within: Duration) -> Result<(), ServerError> {
        self.server.ended(within).await
    }

    async fn kill(&self) -> Result<String, ServerError> {
        self.server.kill().await
    }

    async fn freeze(&self) -> Result<(), ServerError> {
        self.server.pause().await
    }

    async fn thaw(&self) -> Result<(), ServerError> {
        self.server.resume().await
    }

    async fn remove(&self) -> Result<(), ServerError> {
        self.server.remove().await
    }
}
