//! Tests of the local server with real binaries. Skipped if Postgres is not installed.

mod control;
mod files;
mod leftovers;
mod recovery;
mod removal;
mod sign_in;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, io};

use tokio::time::{sleep, timeout};
use tokio_postgres::{Client, NoTls};

use super::{Binaries, LocalServer, Readiness, Server, Session};
use crate::run_folder::RunFolder;
use crate::server::bootstrap::{DATABASE, ROLE, set_password};

/// Deadline for steps that take milliseconds, on a slow, busy machine; a passing test never waits that long.
const PATIENCE: Duration = Duration::from_secs(60);

const PASSWORD: &str = "test-password";

async fn in_time<T>(work: impl Future<Output = T>) -> T {
    timeout(PATIENCE, work).await.expect("an end within PATIENCE")
}

/// A running server with its own folder. The server must be dropped before the folder.
struct ServerBench {
    server: LocalServer,
    folder: RunFolder,
}

impl ServerBench {
    /// Starts a server; `None`, with a message, if Postgres is not installed.
    async fn new() -> Option<ServerBench> {
        let binaries = match Binaries::find() {
            Ok(binaries) => binaries,
            Err(error) => {
                eprintln!("skipped: {error}");
                return None;
            }
        };
        let folder = RunFolder::create().unwrap();
        let server = in_time(LocalServer::create(&binaries, &folder, &[])).await.unwrap();
        let bench = ServerBench { server, folder };
        bench.start().await;
        let session = bench.server.superuser().connect().await.unwrap();
        set_password(&session, ROLE, PASSWORD).await.unwrap();
        Some(bench)
    }

    async fn start(&self) {
        self.server.start().await.unwrap();
        self.server.wait(Readiness::AcceptingQueries, PATIENCE).await.unwrap();
    }

    async fn client(&self) -> Result<Client, String> {
        connect(self.server.address(), ROLE, Some(PASSWORD)).await
    }

    /// Opens a superuser's session; returns it with the pid of its backend.
    async fn backend(&self) -> (Session, i32) {
        let session = self.server.superuser().in_database(DATABASE).connect().await.unwrap();
        let rows = session.rows("SELECT pg_backend_pid()", &[]).await.unwrap();
        let pid = rows[0].get(0);
        (session, pid)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("server.log")).unwrap()
    }

    fn remains(&self) -> Remains {
        Remains::of(self.folder.path())
    }
}

/// Signs in over TCP. The error is the SQLSTATE; without one, the error's text.
async fn connect(address: SocketAddr, role: &str, password: Option<&str>) -> Result<Client, String> {
    let mut config = tokio_postgres::Config::new();
    config.host(address.ip().to_string()).port(address.port()).user(role).dbname(DATABASE);
    config.connect_timeout(PATIENCE);
    if let Some(password) = password {
        config.password(password);
    }
    match in_time(config.connect(NoTls)).await {
        Ok((client, connection)) => {
            tokio::spawn(connection); // ends with the client
            Ok(client)
        }
        Err(error) => Err(error.code().map_or_else(|| error.to_string(), |code| code.code().to_owned())),
    }
}

async fn one(client: &Client) -> Result<i32, tokio_postgres::Error> {
    in_time(client.query_one("SELECT 1", &[])).await.map(|row| row.get(0))
}

/// A server's processes, folder and shared memory, noted while it runs, to check that they are gone afterwards.
struct Remains {
    folder: PathBuf,
    data: PathBuf,
    segment: i32,
}

impl Remains {
    fn of(folder: &Path) -> Remains {
        Remains::within(folder, "data")
    }

    /// Notes the remains of one of several servers, by the name of its data folder.
    fn within(folder: &Path, name: &str) -> Remains {
        let data = folder.join(name);
        let pid_file = fs::read_to_string(data.join("postmaster.pid")).unwrap();
        let segment = pid_file.lines().nth(6).unwrap().split_whitespace().nth(1).unwrap().parse().unwrap();
        let remains = Remains { folder: folder.to_owned(), data, segment };
        assert!(
            remains.segment_is_there() && !remains.processes().is_empty(),
            "no process or segment of the running server was found"
        );
        remains
    }

    fn processes(&self) -> Vec<i32> {
        super::process_tree::processes_in(&self.data)
    }

    fn segment_is_there(&self) -> bool {
        let table = fs::read_to_string("/proc/sysvipc/shm").unwrap();
        let ids = table.lines().skip(1).filter_map(|line| line.split_whitespace().nth(1)?.parse::<i32>().ok());
        ids.into_iter().any(|id| id == self.segment)
    }

    fn assert_no_process_and_no_segment(&self) {
        assert_eq!(self.processes(), Vec::<i32>::new());
        assert!(!self.segment_is_there());
    }

    fn assert_nothing(&self) {
        self.assert_no_process_and_no_segment();
        assert!(!self.folder.exists());
    }
}
