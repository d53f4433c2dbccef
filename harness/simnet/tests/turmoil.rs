//! Why time is brought from here: what turmoil-net itself makes of a blackhole depends on how often it is driven.

use std::cell::Cell;
use std::rc::Rc;

use turmoil_net::fixture::ClientServer;
use turmoil_net::shim::tokio::net::{TcpListener, TcpStream};
use turmoil_net::{Packet, Verdict};

use super::*;

#[test]
fn by_itself_it_gives_a_connection_up_after_some_passes_and_not_after_some_time() {
    let accepted = Rc::new(Cell::new(None));
    let server = async {
        let listener = TcpListener::bind("10.0.0.2:1").await.unwrap();
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut byte = [0];
        let _ = socket.read(&mut byte).await;
        std::future::pending::<()>().await;
    };
    let told = Rc::clone(&accepted);
    let client = async move {
        let mut socket = TcpStream::connect("10.0.0.2:1").await.unwrap();
        let hole = turmoil_net::rule(|_: &Packet| Verdict::Drop);
        socket.write_all(b"x").await.unwrap();
        let (error, took) = timed(socket.read_u8()).await;
        told.set(Some((error.unwrap_err().kind(), took)));
        drop(hole);
    };
    ClientServer::new().server("10.0.0.2", server).run("10.0.0.1", client);
    let (kind, took) = accepted.take().unwrap();
    // Linux would try for a quarter of an hour. It is driven once a millisecond here, and has six times three passes.
    assert_eq!(kind, io::ErrorKind::TimedOut);
    assert!(took < 0.05, "{took} s");
}
