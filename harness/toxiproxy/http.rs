//! The API's HTTP/1 server. It starts every request that it has received, even if the caller has disconnected.

use axum::Router;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Serves until `closing` is cancelled, then completes the requests in progress. Dropping the future ends every
/// connection.
///
/// Axum's own server drops a request if its caller disconnects before the handler has begun: whether a change was made
/// would depend on timing. Toxiproxy makes the change in any case. Once begun, `routes` completes a request.
pub(super) async fn serve(mut listener: TcpListener, routes: Router, closing: CancellationToken) {
    let mut server = http1::Builder::new();
    server.half_close(true);
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = tokio::select! {
            // Axum's `accept` returns no errors: it skips those of one connection, and retries any other after 1 s.
            accepted = Listener::accept(&mut listener) => accepted,
            Some(_) = connections.join_next() => continue,
            () = closing.cancelled() => break,
        };
        let service = TowerToHyperService::new(routes.clone());
        connections.spawn(graceful.watch(server.serve_connection(TokioIo::new(stream), service)));
    }
    drop(listener);
    graceful.shutdown().await;
}
