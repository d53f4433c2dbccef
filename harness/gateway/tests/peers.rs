//! Actions and expectations of TCP peers.

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::*;
use crate::gateway::Cut;

/// Reads to the end of the stream; returns the bytes, and FIN or the error.
pub async fn read_out(stream: &mut TcpStream) -> (Vec<u8>, Result<(), io::ErrorKind>) {
    let mut bytes = Vec::new();
    let end = in_time(stream.read_to_end(&mut bytes)).await;
    (bytes, end.map(|_| ()).map_err(|error| error.kind()))
}

/// Asserts that the peer sends FIN, and nothing before it.
pub async fn assert_fin(stream: &mut TcpStream) {
    assert_eq!(read_out(stream).await, (Vec::new(), Ok(())), "a FIN and nothing else");
}

/// Asserts that the peer sends RST, and nothing before it.
pub async fn assert_rst(stream: &mut TcpStream) {
    assert_eq!(read_out(stream).await, (Vec::new(), Err(io::ErrorKind::ConnectionReset)), "an RST and nothing else");
}

/// Returns the end of the stream that a peer observes after a cut.
pub fn by(cut: Cut) -> Result<(), io::ErrorKind> {
    match cut {
        Cut::Close => Ok(()),
        Cut::Reset => Err(io::ErrorKind::ConnectionReset),
    }
}

/// Asserts that nothing arrives within [`WATCH`], neither bytes nor FIN or RST.
pub async fn assert_silence(stream: &mut TcpStream) {
    let arrived = timeout(WATCH, stream.read_u8()).await;
    assert!(arrived.is_err(), "something arrived: {arrived:?}");
}

pub async fn assert_passes(from: &mut TcpStream, to: &mut TcpStream) {
    in_time(from.write_all(b"still here")).await.unwrap();
    let mut bytes = [0; 10];
    in_time(to.read_exact(&mut bytes)).await.unwrap();
    assert_eq!(&bytes, b"still here");
}

/// Closes by RST, like a process that is killed with unread bytes in its socket.
pub fn leave_by_rst(stream: TcpStream) {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
}

pub async fn unused_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// Returns pseudo-random bytes, so that a missing, duplicated or misplaced one is noticed.
pub fn pattern(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..length).map(next).collect()
}

/// Sends and receives at the same time; returns the received bytes.
pub async fn exchange(stream: TcpStream, sent: Vec<u8>) -> Vec<u8> {
    let (mut read, mut write) = stream.into_split();
    let sending = tokio::spawn(async move {
        write.write_all(&sent).await.unwrap();
        write.shutdown().await.unwrap();
        write
    });
    let mut received = Vec::new();
    read.read_to_end(&mut received).await.unwrap();
    sending.await.unwrap();
    received
}

/// A server whose accept queue is full: the kernel drops the SYNs of new clients.
pub struct FullServer {
    pub address: SocketAddr,
    _listener: Socket,
    _queue: Vec<TcpStream>,
}

impl FullServer {
    pub async fn new() -> FullServer {
        let full = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
        full.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
        full.listen(0).unwrap();
        let address = full.local_addr().unwrap().as_socket().unwrap();
        let mut queue = Vec::new();
        while let Ok(waiting) = timeout(WATCH, TcpStream::connect(address)).await {
            queue.push(waiting.unwrap());
        }
        FullServer { address, _listener: full, _queue: queue }
    }
}
