//! The stall: bytes are accepted and acknowledged, and go nowhere.
//!
//! What a frozen peer looks like from outside (FACTS §4): the kernel goes on taking bytes until its buffers are full.
//! What it had already been given to send, before the stall, it still sends. What was held is delivered when the stall
//! is healed, also after its sender has left: a frozen server, too, finds the bytes in its buffers when it thaws.

use std::sync::atomic::Ordering;

use tokio::sync::watch;

use super::link::Traffic;

/// The toxics in force. The default is none: bytes pass as they come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Toxics {
    /// Nothing that arrives is passed on until this is taken away; then everything is.
    pub stall: bool,
}

/// Holds `bytes` for as long as a stall is in force, and counts them.
pub(super) async fn pass_stall(toxics: &mut watch::Receiver<Toxics>, bytes: usize, traffic: &Traffic<'_>) {
    if toxics.borrow().stall {
        traffic.withheld.fetch_add(bytes as u64, Ordering::Relaxed);
        // An error means that the gateway is gone, and its connections with it.
        let _ = toxics.wait_for(|toxics| !toxics.stall).await;
    }
}

/// Returns once a stall is in force. Cancel safe.
pub(super) async fn stall_begins(toxics: &mut watch::Receiver<Toxics>) {
    if toxics.wait_for(|toxics| toxics.stall).await.is_err() {
        // The gateway is gone, and nothing will begin any more.
        std::future::pending().await
    }
}
