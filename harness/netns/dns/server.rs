//! The name server: the zone on its sockets, UDP and TCP.
//!
//! Two small loops of our own around the messages of hickory-proto: a whole server library would bring six crates more,
//! and a catalogue of zones, to say one name.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

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

/// Where name servers listen.
const PORT: u16 = 53;

/// Longest message over UDP that is read, in bytes: more than any question is long.
const DATAGRAM: usize = 4096;

/// How long a connection may be silent: longer than a resolver waits for an answer.
const IDLE: Duration = Duration::from_secs(30);

/// After an error of a socket, which would otherwise be asked in a hot loop.
const PAUSE: Duration = Duration::from_millis(10);

type Shared = Arc<Mutex<Zone>>;

/// A name server that answers for as long as it lives.
pub(crate) struct Names {
    zone: Shared,
    place: Ipv4Addr,
    _tasks: [AbortOnDropHandle<()>; 2],
}

impl Names {
    /// Begins to answer at a place in the gateway's namespace; the name leads to these addresses.
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

    /// Has processes of a namespace ask here, and nowhere else.
    pub fn use_in(&self, client: &mut NetNs, folder: &Path) -> io::Result<()> {
        client.bind_mount_over(&files::files(folder, self.place)?)
    }

    /// Changes what is said of the name, for questions to come.
    pub fn answer_with(&self, dns_answer: DnsAnswer) {
        locked(&self.zone).answer_with(dns_answer);
    }

    /// Leads the name elsewhere; says so, unless something else is to be said of it.
    pub fn set_addresses(&self, addresses: Vec<IpAddr>) {
        locked(&self.zone).set_addresses(addresses);
    }

    /// Questions about the name that were answered so.
    pub fn answered(&self, dns_answer: DnsAnswer) -> u64 {
        locked(&self.zone).answered(dns_answer)
    }
}

fn locked(zone: &Mutex<Zone>) -> MutexGuard<'_, Zone> {
    zone.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer_datagrams(socket: UdpSocket, zone: Shared) {
    let mut buffer = [0; DATAGRAM];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else {
            // The port of somebody who was answered is closed.
            sleep(PAUSE).await;
            continue;
        };
        let answer = locked(&zone).answer(&buffer[..length]);
        if let Some(answer) = answer {
            // Who has not heard it asks again.
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

/// One connection, to its end.
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

/// One message, after its length.
async fn read_message(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = stream.read_u16().await?;
    let mut message = vec![0; length.into()];
    stream.read_exact(&mut message).await?;
    Ok(message)
}
