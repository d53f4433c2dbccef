//! The name server: serves the zone over UDP and TCP.
//!
//! Two small loops around the messages of hickory-proto; its server library would add six crates and a catalogue of
//! zones in order to serve one name.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use socket2::{Domain, Protocol, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::files;
use super::zone::Zone;
use crate::gateway::port::SocketSource;
use crate::netns::{DnsAnswer, NetNs};

/// Port of name servers.
const PORT: u16 = 53;

/// Longest UDP message that is read, in bytes: more than any query.
const DATAGRAM: usize = 4096;

/// Time limit for a query on an open connection, and for sending an answer: longer than a resolver waits.
const IDLE: Duration = Duration::from_secs(30);

/// Pause after a socket error, to avoid a hot loop.
const PAUSE: Duration = Duration::from_millis(10);

type Shared = Arc<Mutex<Zone>>;

/// A name server. It answers until it is dropped.
pub(crate) struct Names {
    zone: Shared,
    place: Ipv4Addr,
    _tasks: [AbortOnDropHandle<()>; 2],
}

impl Names {
    /// Starts answering at `place`, an address in the gateway's namespace, with `addresses` for the name.
    ///
    /// *Errors*: a socket cannot be created or bound.
    pub fn serve(gateway: &NetNs, place: Ipv4Addr, addresses: Vec<IpAddr>) -> io::Result<Names> {
        let zone = Arc::new(Mutex::new(Zone::new(addresses).map_err(io::Error::other)?));
        let address = SocketAddr::from((place, PORT)).into();
        let datagrams = gateway.socket(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        let connections = gateway.socket(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        for socket in [&datagrams, &connections] {
            socket.set_nonblocking(true)?;
            socket.bind(&address)?;
        }
        connections.listen(16)?;
        let datagrams = UdpSocket::from_std(datagrams.into())?;
        let connections = TcpListener::from_std(connections.into())?;
        let tasks = [
            AbortOnDropHandle::new(tokio::spawn(answer_datagrams(datagrams, Arc::clone(&zone)))),
            AbortOnDropHandle::new(tokio::spawn(answer_connections(connections, Arc::clone(&zone)))),
        ];
        Ok(Names { zone, place, _tasks: tasks })
    }

    /// Makes this the only name server of processes that enter the namespace from now on. Writes their files to
    /// `folder`.
    ///
    /// *Errors*: a file cannot be written, or not mounted.
    pub fn use_in(&self, client: &mut NetNs, folder: &Path) -> io::Result<()> {
        client.bind_mount_over(&files::files(folder, self.place)?)
    }

    /// Changes the answer to later queries for the name.
    pub fn answer_with(&self, dns_answer: DnsAnswer) {
        locked(&self.zone).answer_with(dns_answer);
    }

    /// Moves the name to other addresses. Ends [`DnsAnswer::OldAddress`]; a configured failure stays.
    pub fn set_addresses(&self, addresses: Vec<IpAddr>) {
        locked(&self.zone).set_addresses(addresses);
    }

    /// Returns the number of queries for the name that got this answer.
    pub fn answered(&self, dns_answer: DnsAnswer) -> u64 {
        locked(&self.zone).answered(dns_answer)
    }
}

fn locked(zone: &Mutex<Zone>) -> MutexGuard<'_, Zone> {
    zone.lock()
}

async fn answer_datagrams(socket: UdpSocket, zone: Shared) {
    let mut buffer = [0; DATAGRAM];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else {
            // Most likely an ICMP error: a client has closed the port to which an answer was sent.
            sleep(PAUSE).await;
            continue;
        };
        let answer = locked(&zone).answer(&buffer[..length]);
        if let Some(answer) = answer {
            // A resolver that gets no answer sends its query again.
            let _ = socket.send_to(&answer, from).await;
        }
    }
}

async fn answer_connections(listener: TcpListener, zone: Shared) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(serve_connection(stream, Arc::clone(&zone)));
            }
            Err(_) => sleep(PAUSE).await,
        }
    }
}

/// Serves one connection until its client closes it, or sends no query within [`IDLE`].
async fn serve_connection(mut stream: TcpStream, zone: Shared) -> io::Result<()> {
    loop {
        let Ok(question) = timeout(IDLE, read_message(&mut stream)).await else { return Ok(()) };
        let question = question?;
        let answer = locked(&zone).answer(&question);
        if let Some(answer) = answer {
            let length = u16::try_from(answer.len()).map_err(io::Error::other)?;
            let framed = [length.to_be_bytes().as_slice(), &answer].concat();
            timeout(IDLE, stream.write_all(&framed)).await??;
        }
    }
}

/// Reads one message, which is prefixed with its length.
async fn read_message(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = stream.read_u16().await?;
    let mut message = vec![0; length.into()];
    stream.read_exact(&mut message).await?;
    Ok(message)
}
