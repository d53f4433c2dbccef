//! Signals that stop the program.

use tokio::signal::unix::{SignalKind, signal};

/// Completes at Ctrl-C or SIGTERM. Catches signals from the call on, not only from the first poll.
pub fn stop_requested() -> impl Future<Output = ()> {
    let interrupt = signal(SignalKind::interrupt());
    let terminate = signal(SignalKind::terminate());
    async move {
        let (Ok(mut interrupt), Ok(mut terminate)) = (interrupt, terminate) else {
            // A signal without a handler ends the program at once, and the next run cleans up.
            return std::future::pending().await;
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}
