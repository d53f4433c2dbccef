//! `ServerControl` of a simulated server: each operation changes the state of `simpg`, at once or in virtual time.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;

#[cfg(feature = "tls")]
use crate::credentials::certificate::Certificate;
#[cfg(feature = "tls")]
use crate::credentials::wall_clock::WallClock;
use crate::model::fault::{Share, StopMode};
use crate::model::history::{ServerFacts, Sessions};
use crate::model::topology::SmallDisk;
use crate::server::bootstrap::{CHANNEL, DATABASE, ROLE};
#[cfg(feature = "tls")]
use crate::server::control::TlsSetup;
use crate::server::control::{
    Admission, CrashControl, Denial, Ledger, Probe, ProcessControl, ReplicationControl, ResourceControl, ServerRecord,
    SessionControl, SignInControl,
};
use crate::server::{LogLine, Readiness, ServerError, Shortage, Superuser};
use crate::simnet::SimHost;
use crate::simpg::{self, Postgres};
#[cfg(feature = "tls")]
use crate::simpg::{Clients, Tls};

/// The period in which a throttled server runs for its share of the time; as in `server::throttle`, which uses
/// signals.
const TURN: Duration = Duration::from_millis(200);

/// Deadline for a server with a full WAL disk to end: the client must write first, and then recovery must fail.
const END_WITHIN: Duration = Duration::from_secs(20);

/// How long each range of addresses stays in pg_hba.conf before the next one replaces it.
const RELOAD: Duration = Duration::from_millis(10);

/// The password of the client's role; it need not be secret, because a simulation has no other clients.
pub(super) const PASSWORD: &str = "squall";

/// A simulated server, and the state that operations share.
pub(super) struct SimulatedServer {
    postgres: Postgres<SimHost>,
    state: Mutex<State>,
}

struct State {
    /// The task that freezes and thaws the server in turns, while the server is throttled.
    throttle: Option<AbortOnDropHandle<()>>,
    /// The admission at the start of the run, which `Admission::AsBefore` restores.
    admission: simpg::Admission,
    /// The TLS configuration; `None`: the server does not offer TLS.
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
}

impl SimulatedServer {
    pub fn new(postgres: Postgres<SimHost>) -> SimulatedServer {
        let state = State {
            throttle: None,
            admission: simpg::Admission::Everybody,
            #[cfg(feature = "tls")]
            tls: None,
        };
        SimulatedServer { postgres, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Enables TLS. `clock`: the clock for the validity of client certificates.
    ///
    /// *Errors*: the files cannot be loaded.
    #[cfg(feature = "tls")]
    pub fn set_up_tls(&self, setup: TlsSetup, clock: WallClock) -> Result<(), ServerError> {
        let TlsSetup { version, certificate, key, clients, is_required } = setup;
        if is_required {
            let admission = simpg::Admission::TlsOnly { certificate: clients.is_some() };
            self.state().admission = admission;
            self.postgres.admit(admission);
        }
        let clients = clients.map(|(authority, revoked)| Clients { authority, revoked });
        let tls = Tls { version, clock, certificate: certificate.pem, key, clients };
        self.postgres.load(&tls)?;
        self.state().tls = Some(tls);
        Ok(())
    }

    /// Changes the TLS files, and loads them.
    ///
    /// *Errors*: the server does not offer TLS, or the files cannot be loaded.
    #[cfg(feature = "tls")]
    fn change_tls(&self, change: impl FnOnce(&mut Tls)) -> Result<(), ServerError> {
        match &mut self.state().tls {
            Some(tls) => {
                change(tls);
                self.postgres.load(tls)
            }
            None => Err(unable("change a certificate of", "it speaks no TLS")),
        }
    }
}

fn unable(doing: &'static str, reason: &str) -> ServerError {
    ServerError::Control { doing, reason: reason.into() }
}

#[async_trait]
impl ProcessControl for SimulatedServer {
    fn facts(&self) -> ServerFacts {
        let origin = format!("pgsquall {}", env!("CARGO_PKG_VERSION"));
        ServerFacts { kind: "simulated".into(), version: self.postgres.version().into(), origin }
    }

    fn address(&self) -> SocketAddr {
        self.postgres.address()
    }

    fn superuser(&self) -> Result<Superuser, ServerError> {
        Err(unable("connect to", "it is simulated"))
    }

    async fn start(&self) -> Result<(), ServerError> {
        self.postgres.launch().map_err(|error| unable("start", &error.to_string()))
    }

    /// A launched server answers at once, if only with refusals: `Readiness::Answering` does not wait.
    async fn wait(&self, wanted: Readiness) -> Result<(), ServerError> {
        match wanted {
            Readiness::Answering => Ok(()),
            Readiness::AcceptingQueries => self.postgres.ready().await,
        }
    }

    async fn stop(&self, mode: StopMode) -> Result<(), ServerError> {
        self.postgres.stop(mode).await
    }

    async fn request_stop(&self, mode: StopMode) -> Result<(), ServerError> {
        self.postgres.request_stop(mode);
        Ok(())
    }

    async fn ended(&self, within: Duration) -> Result<(), ServerError> {
        self.postgres.ended(within).await
    }

    async fn kill(&self) -> Result<String, ServerError> {
        self.postgres.kill().await?;
        Ok("killed".into())
    }

    async fn freeze(&self) -> Result<(), ServerError> {
        self.postgres.freeze();
        Ok(())
    }

    async fn thaw(&self) -> Result<(), ServerError> {
        self.postgres.thaw();
        Ok(())
    }

    /// Nothing to remove: a simulated server exists in memory only.
    async fn remove(&self) -> Result<(), ServerError> {
        Ok(())
    }
}

#[async_trait]
impl CrashControl for SimulatedServer {
    async fn crash_backend(&self) -> Result<bool, ServerError> {
        self.postgres.crash_backend(ROLE).await
    }

    /// Not needed: `simpg` holds recovery without a transaction to replay.
    async fn begin_large_transaction(&self) -> Result<(), ServerError> {
        Ok(())
    }

    async fn crash_into_recovery(&self) -> Result<(), ServerError> {
        self.postgres.crash_into_recovery().await
    }

    async fn release_recovery(&self) -> Result<(), ServerError> {
        self.postgres.release_recovery().await
    }
}

#[async_trait]
impl SessionControl for SimulatedServer {
    async fn sessions(&self, idle: Duration) -> Result<Sessions, ServerError> {
        Ok(self.postgres.sessions_idle_for(ROLE, idle))
    }

    async fn terminate_sessions(&self) -> Result<usize, ServerError> {
        self.postgres.terminate_sessions(ROLE).await
    }

    async fn clear_sessions(&self) -> Result<usize, ServerError> {
        self.postgres.terminate_sessions(ROLE).await
    }

    async fn take_slots(&self, reserved_too: bool) -> Result<usize, ServerError> {
        self.postgres.occupy(ROLE, !reserved_too).await
    }

    async fn rush_slots(&self) -> Result<usize, ServerError> {
        self.postgres.ready().await?;
        Ok(self.postgres.occupy_ordinary())
    }

    fn leave_slot(&self) {
        self.postgres.vacate_one();
    }

    async fn give_back_slots(&self) -> Result<(), ServerError> {
        self.postgres.vacate();
        Ok(())
    }

    async fn limit_role(&self, sessions: Option<u32>) -> Result<(), ServerError> {
        self.postgres.limit_role(ROLE, sessions.map(|sessions| sessions as usize));
        Ok(())
    }

    async fn probe(&self) -> Result<Box<dyn Probe>, ServerError> {
        Ok(Box::new(SimulatedProbe(self.postgres.clone())))
    }
}

/// Round trips that take no time, unless the server is frozen: then they wait until it is thawed.
struct SimulatedProbe(Postgres<SimHost>);

#[async_trait]
impl Probe for SimulatedProbe {
    async fn round_trip(&self) -> Result<Duration, ServerError> {
        let began = Instant::now();
        self.0.turn().await;
        Ok(began.elapsed())
    }
}

#[async_trait]
impl SignInControl for SimulatedServer {
    async fn set_password(&self, password: &str) -> Result<(), ServerError> {
        self.postgres.set_password(ROLE, password);
        Ok(())
    }

    /// A new password is in force at once.
    async fn check_password(&self, _password: &str) -> Result<(), ServerError> {
        Ok(())
    }

    async fn deny(&self, denial: Denial) -> Result<usize, ServerError> {
        self.set_denied(denial, true);
        self.postgres.terminate_sessions(ROLE).await
    }

    async fn permit(&self, denial: Denial) -> Result<(), ServerError> {
        self.set_denied(denial, false);
        Ok(())
    }

    async fn set_for_role(&self, setting: &str, value: Option<&str>) -> Result<(), ServerError> {
        self.postgres.set_for_role(ROLE, setting, value);
        Ok(())
    }

    /// The address from which the gateway connects to the server.
    async fn client_address(&self) -> Result<Ipv4Addr, ServerError> {
        Ok(Ipv4Addr::LOCALHOST)
    }

    async fn admit(&self, admission: Admission) -> Result<(), ServerError> {
        self.postgres.admit(match admission {
            Admission::AsBefore => self.state().admission,
            Admission::From(range) => simpg::Admission::From(range),
            Admission::Nobody => simpg::Admission::Nobody,
            Admission::TlsOnly { certificate } => simpg::Admission::TlsOnly { certificate },
        });
        if let Admission::From(_) = admission {
            // Each range of a sequence must be in force long enough for a client to connect.
            sleep(RELOAD).await;
        }
        Ok(())
    }

    #[cfg(feature = "tls")]
    async fn serve_certificate(&self, certificate: &Certificate) -> Result<(), ServerError> {
        self.change_tls(|tls| tls.certificate.clone_from(&certificate.pem))
    }

    #[cfg(feature = "tls")]
    async fn revoke_certificates(&self, list: &str) -> Result<(), ServerError> {
        self.change_tls(|tls| tls.clients.iter_mut().for_each(|clients| clients.revoked = list.to_owned()))
    }
}

impl SimulatedServer {
    fn set_denied(&self, denial: Denial, denied: bool) {
        match denial {
            Denial::Role => self.postgres.set_role_present(ROLE, !denied),
            Denial::Database => self.postgres.set_database_present(DATABASE, !denied),
            Denial::Login => self.postgres.permit_login(ROLE, !denied),
            Denial::Connect => self.postgres.permit_connect(DATABASE, !denied),
        }
    }
}

#[async_trait]
impl ResourceControl for SimulatedServer {
    async fn squeeze_memory(&self) -> Result<Shortage, ServerError> {
        self.postgres.exhaust_memory(true);
        Ok(Shortage::Fails)
    }

    async fn exceed_memory(&self) -> Result<(), ServerError> {
        Err(unable("exceed the memory of", "its allocations fail, and no kernel kills it"))
    }

    async fn release_memory(&self) -> Result<(), ServerError> {
        self.postgres.exhaust_memory(false);
        Ok(())
    }

    async fn fill_disk(&self, disk: SmallDisk) -> Result<(), ServerError> {
        match disk {
            SmallDisk::Heap => {
                self.postgres.fill_disk(true);
                Ok(())
            }
            SmallDisk::Wal => {
                self.postgres.fill_wal(true);
                self.postgres.ended(END_WITHIN).await
            }
        }
    }

    async fn free_disk(&self, disk: SmallDisk) -> Result<(), ServerError> {
        match disk {
            SmallDisk::Heap => self.postgres.fill_disk(false),
            SmallDisk::Wal => self.postgres.fill_wal(false),
        }
        Ok(())
    }

    async fn throttle(&self, share: Share) -> Result<(), ServerError> {
        let (postgres, runs) = (self.postgres.clone(), TURN.mul_f64(share.as_f64()));
        postgres.freeze();
        let turns = tokio::spawn(async move {
            loop {
                sleep(TURN - runs).await;
                postgres.thaw();
                sleep(runs).await;
                postgres.freeze();
            }
        });
        self.state().throttle = Some(AbortOnDropHandle::new(turns));
        Ok(())
    }

    async fn unthrottle(&self) -> Result<(), ServerError> {
        self.state().throttle = None;
        self.postgres.thaw();
        self.postgres.ready().await
    }

    async fn lock_ledger(&self) -> Result<(), ServerError> {
        self.postgres.lock_ledger(true);
        Ok(())
    }

    async fn unlock_ledger(&self) -> Result<(), ServerError> {
        self.postgres.lock_ledger(false);
        Ok(())
    }
}

#[async_trait]
impl ReplicationControl for SimulatedServer {
    async fn promote(&self) -> Result<(), ServerError> {
        self.postgres.promote();
        Ok(())
    }

    async fn demote(&self) -> Result<(), ServerError> {
        self.postgres.demote().await
    }

    async fn fence(&self) -> Result<usize, ServerError> {
        self.postgres.fence(ROLE).await
    }

    async fn end_unconfirmed(&self) -> Result<usize, ServerError> {
        self.postgres.end_unconfirmed(ROLE).await
    }
}

#[async_trait]
impl ServerRecord for SimulatedServer {
    async fn log(&self) -> Result<Vec<LogLine>, ServerError> {
        Ok(self.postgres.log(0))
    }

    async fn ledger(&self) -> Result<Ledger, ServerError> {
        Ok(self.postgres.ledger())
    }

    async fn notify(&self, number: u64) -> Result<(), ServerError> {
        match self.postgres.is_answering() {
            true => {
                self.postgres.notify(CHANNEL, &number.to_string());
                Ok(())
            }
            false => Err(unable("send a notification of", "it does not answer")),
        }
    }
}
