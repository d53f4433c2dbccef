//! Measures the gateway against a direct connection: round trips, bulk data, and new sessions. The server is a stub
//! with just enough of the protocol for framing and the tap to work; `ci/bench-gateway.sh` measures with a real
//! server, and beside HAProxy and nginx.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pgsquall::toxiproxy::{ProxyConfig, Service, Settings};

const STARTUP: &[u8] = b"\0\0\0\x11\0\x03\0\0user\0me\0\0";
/// AuthenticationOk and ReadyForQuery.
const WELCOME: &[u8] = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";
const QUERY: &[u8] = b"Q\0\0\0\x0dSELECT 1\0";
/// DataRow, CommandComplete and ReadyForQuery.
const REPLY: &[u8] = b"D\0\0\0\x0b\0\x01\0\0\0\x011C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I";

/// The number of messages of 8 KiB in a reply to [`BULK`].
const CHUNKS: usize = 2_048;
const BULK: &[u8] = b"Q\0\0\0\x08all\0";

/// Starts a server that answers every query with one row, and the bulk query with [`CHUNKS`] messages.
fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    let address = listener.local_addr().expect("its address");
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            thread::spawn(move || serve(client));
        }
    });
    address
}

fn serve(mut client: TcpStream) -> Option<()> {
    client.set_nodelay(true).ok()?;
    client.read_exact(&mut [0; STARTUP.len()]).ok()?;
    client.write_all(WELCOME).ok()?;
    let chunk = chunk();
    loop {
        let mut header = [0; 5];
        client.read_exact(&mut header).ok()?;
        let mut body = vec![0; usize::from(header[4]) - 4];
        client.read_exact(&mut body).ok()?;
        if body.starts_with(b"SELECT") {
            client.write_all(REPLY).ok()?;
        } else {
            for _ in 0..CHUNKS {
                client.write_all(&chunk).ok()?;
            }
        }
    }
}

/// Returns a CopyData message of 8 KiB.
fn chunk() -> Vec<u8> {
    let mut chunk = vec![b'x'; 8 << 10];
    chunk[0] = b'd';
    let length = chunk.len() as u32 - 1;
    chunk[1..5].copy_from_slice(&length.to_be_bytes());
    chunk
}

fn session(address: SocketAddr) -> TcpStream {
    let mut client = TcpStream::connect(address).expect("a connection");
    client.set_nodelay(true).expect("a socket option");
    client.write_all(STARTUP).expect("the startup packet leaves");
    client.read_exact(&mut [0; WELCOME.len()]).expect("a welcome");
    client
}

fn gateway(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let server = server();
    let config =
        ProxyConfig { name: "stub".into(), listen: "127.0.0.1:0".into(), upstream: server.to_string(), enabled: true };
    let settings = Settings { api: None, proxies: vec![config], ..Settings::default() };
    let service = runtime.block_on(Service::start(settings)).expect("a gateway");
    let gateway = runtime.block_on(service.proxies())[0].listen.parse().expect("an address");
    let paths = [("direct", server), ("gateway", gateway)];

    let mut group = criterion.benchmark_group("round trip");
    for (name, address) in paths {
        let mut client = session(address);
        let mut reply = [0; REPLY.len()];
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                client.write_all(QUERY).expect("the query leaves");
                client.read_exact(&mut reply).expect("a reply");
            });
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("bulk");
    let bytes = CHUNKS * chunk().len();
    group.throughput(Throughput::Bytes(bytes as u64)).sample_size(20);
    for (name, address) in paths {
        let mut client = session(address);
        let mut buffer = vec![0; 64 << 10];
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                client.write_all(BULK).expect("the query leaves");
                let mut left = bytes;
                while left > 0 {
                    let room = left.min(buffer.len());
                    left -= client.read(&mut buffer[..room]).expect("data");
                }
            });
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("connect and sign in");
    for (name, address) in paths {
        group.bench_function(name, |bencher| bencher.iter(|| session(address)));
    }
    group.finish();
    runtime.block_on(service.shutdown()).expect("an orderly end");
}

criterion_group!(benches, gateway);
criterion_main!(benches);
