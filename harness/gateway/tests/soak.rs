//! A gateway under long load leaks no descriptor, socket, thread or memory.

use std::sync::atomic::{AtomicU64, Ordering};
use std::{env, fs};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::alone::alone;
use super::*;
use crate::gateway::Gateway;
use crate::gateway::tap::Tap;
use crate::model::seed::Seed;

/// Number of open connections through the gateway.
const HELD: usize = 1_000;

/// Connections reset and replaced every second.
const RESET: usize = 200;

/// Steps per second.
const STEPS: usize = 10;

/// Default duration, in seconds, unless [`SECONDS`] is set.
const BRIEF: u64 = 6;

/// Environment variable: duration in seconds.
const SECONDS: &str = "PGSQUALL_SOAK_SECONDS";

/// Allowed memory growth after the first second. Allocator reserves vary by a few megabytes; a kilobyte leaked per
/// connection exceeds this after 21 s, so only runs longer than [`BRIEF`] find such a leak.
const GROWTH_KB: u64 = 4_096;

/// A tap that only counts, because a history would grow.
#[derive(Default)]
struct Count {
    opened: AtomicU64,
    ended: AtomicU64,
    doubts: AtomicU64,
}

impl Tap for Count {
    fn connection(&self, _id: u64, change: ConnectionChange) {
        match change {
            ConnectionChange::Opened => self.opened.fetch_add(1, Ordering::Relaxed),
            ConnectionChange::Ended { .. } => self.ended.fetch_add(1, Ordering::Relaxed),
            _ => 0,
        };
    }

    fn refusing(&self, _on: bool) {}

    fn doubt(&self, _reason: String) {
        self.doubts.fetch_add(1, Ordering::Relaxed);
    }
}

/// Resources of this process.
#[derive(Clone, Copy, Debug)]
struct Figures {
    connections: usize,
    descriptors: usize,
    sockets: usize,
    memory_kb: u64,
    threads: u64,
}

fn status(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

async fn figures(gateway: &Gateway, server: &TcpListener) -> Figures {
    let ports = [gateway.address().port(), server.local_addr().unwrap().port()];
    // Two listeners, and four sockets for each connection.
    until(|| sockets::sockets(ports) == 2 + 4 * gateway.connections()).await;
    Figures {
        connections: gateway.connections(),
        descriptors: fs::read_dir("/proc/self/fd").unwrap().count(),
        sockets: sockets::sockets(ports),
        memory_kb: status("VmRSS:"),
        threads: status("Threads:"),
    }
}

/// Opens a connection through the gateway, and passes bytes each way; returns both ends.
async fn pair(gateway: &Gateway, server: &TcpListener) -> (TcpStream, TcpStream) {
    let mut client = in_time(TcpStream::connect(gateway.address())).await.unwrap();
    let (mut served, _) = in_time(server.accept()).await.unwrap();
    assert_passes(&mut client, &mut served).await;
    assert_passes(&mut served, &mut client).await;
    (client, served)
}

async fn soak(seconds: u64) {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let count = Arc::new(Count::default());
    let tap: Arc<dyn Tap> = count.clone();
    let gateway = Gateway::open(server.local_addr().unwrap(), Seed(0), tap).unwrap();
    let empty = figures(&gateway, &server).await;
    let mut pairs = std::collections::VecDeque::new();
    for _ in 0..HELD {
        pairs.push_back(pair(&gateway, &server).await);
    }
    let began = tokio::time::Instant::now();
    let mut warm = None;
    for step in 0..seconds as usize * STEPS {
        let leaving: Vec<_> = pairs.drain(..RESET / STEPS).collect();
        for (number, (client, served)) in leaving.into_iter().enumerate() {
            // The client and the server reset the connection alternately.
            let (first, mut second) = if number % 2 == 0 { (client, served) } else { (served, client) };
            leave_by_rst(first);
            assert_rst(&mut second).await;
        }
        for _ in 0..RESET / STEPS {
            pairs.push_back(pair(&gateway, &server).await);
        }
        if step + 1 == STEPS {
            warm = Some(figures(&gateway, &server).await);
        }
        tokio::time::sleep_until(began + Duration::from_millis(1_000 / STEPS as u64) * (step as u32 + 1)).await;
    }
    until(|| gateway.connections() == HELD).await;
    let (warm, last) = (warm.unwrap(), figures(&gateway, &server).await);
    drop(pairs);
    until(|| gateway.connections() == 0).await;
    let after = figures(&gateway, &server).await;
    let (opened, ended) = (count.opened.load(Ordering::Relaxed), count.ended.load(Ordering::Relaxed));
    println!("soak of {seconds} s, {opened} connections in all, {:?}:", began.elapsed());
    for (when, figures) in [("empty", empty), ("warm", warm), ("last", last), ("after", after)] {
        println!("  {when}: {figures:?}");
    }
    assert_eq!(opened, (HELD + RESET * seconds as usize) as u64);
    assert_eq!((empty.connections, last.connections, after.connections), (0, HELD, 0));
    assert_eq!((ended, count.doubts.load(Ordering::Relaxed)), (opened, 0));
    assert_eq!((last.descriptors, last.sockets, last.threads), (warm.descriptors, warm.sockets, warm.threads));
    assert_eq!((after.descriptors, after.sockets, after.threads), (empty.descriptors, empty.sockets, empty.threads));
    assert!(last.memory_kb < warm.memory_kb + GROWTH_KB, "from {} kB to {} kB", warm.memory_kb, last.memory_kb);
}

#[test]
fn replacing_connections_leaks_nothing() {
    let test = "replacing_connections_leaks_nothing";
    if let Some(text) = alone(module_path!(), test) {
        text.lines()
            .filter(|line| line.starts_with("soak") || line.starts_with("  "))
            .for_each(|line| println!("{line}"));
        return;
    }
    // Four descriptors for each connection, because the peers are in this process too.
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
    assert!(most > 4 * HELD as u64 + 200, "at most {most} descriptors");
    let seconds = env::var(SECONDS).map_or(BRIEF, |seconds| seconds.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(soak(seconds));
}
