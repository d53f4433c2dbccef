//! The reason why `simnet` has timers of its own: with turmoil-net, how long TCP survives a blackhole depends on how
//! often the network is driven.

use std::cell::Cell;
use std::rc::Rc;

use turmoil_net::fixture::ClientServer;
use turmoil_net::shim::tokio::net::{TcpListener, TcpStream};
use turmoil_net::{Packet, Verdict};

use super::*;

#[test]
fn turmoil_net_gives_up_after_passes_not_time() {
    let result = Rc::new(Cell::new(None));
    let server = async {
        let listener = TcpListener::bind("10.0.0.2:1").await.unwrap();
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut byte = [0];
        let _ = socket.read(&mut byte).await;
        std::future::pending::<()>().await;
    };
    let outcome = Rc::clone(&result);
    let client = async move {
        let mut socket = TcpStream::connect("10.0.0.2:1").await.unwrap();
        let hole = turmoil_net::rule(|_: &Packet| Verdict::Drop);
        socket.write_all(b"x").await.unwrap();
        let (error, took) = timed(socket.read_u8()).await;
        outcome.set(Some((error.unwrap_err().kind(), took)));
        drop(hole);
    };
    ClientServer::new().server("10.0.0.2", server).run("10.0.0.1", client);
    let (kind, took) = result.take().unwrap();
    // Linux would retry for 15 minutes. Driven once a millisecond, turmoil-net gives up after six retries of three passes.
    assert_eq!(kind, io::ErrorKind::TimedOut);
    assert!(took < 0.05, "{took} s");
}
