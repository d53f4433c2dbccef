//! The API's HTTP/1 server; every request is completed even if the caller disconnects.

use axum::Router;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Serves until `closing`, and then completes the requests in progress. Dropping it ends every connection.
///
/// Not axum's own server, which drops a request if its caller disconnects before the handler has begun: whether a
/// change was made would depend on timing. Toxiproxy makes the change in any case.
pub(super) async fn serve(mut listener: TcpListener, routes: Router, closing: CancellationToken) {
    let mut server = http1::Builder::new();
    server.half_close(true);
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = tokio::select! {
            // Errors of a single connection, and a lack of descriptors, are waited out.
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
