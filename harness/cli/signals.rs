//! How the program is asked to stop.

use tokio::signal::unix::{SignalKind, signal};

/// Ready at Ctrl-C or SIGTERM, from the moment it is called.
pub fn asked_to_stop() -> impl Future<Output = ()> {
    let interrupt = signal(SignalKind::interrupt());
    let terminate = signal(SignalKind::terminate());
    async move {
        let (Ok(mut interrupt), Ok(mut terminate)) = (interrupt, terminate) else {
            // Without a handler the default action ends the program; the next run cleans up.
            return std::future::pending().await;
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}
