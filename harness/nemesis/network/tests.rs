//! Faults of the path in an environment that is only a gateway, with a paused clock.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::super::{HasGateway, Injection, Nemesis};
use super::{BlockMode, BlockNewConnections, Cutting, RuleFault};
use crate::gateway::samples::{Memory, MemoryListener, MemorySocket};
use crate::gateway::transport::Host;
use crate::gateway::{Cut, Gateway, RuleKind};
use crate::model::fault::{Fault, FaultKind, ToxicKind};
use crate::model::history::{Event, FaultStep};
use crate::model::seed::Seed;
use crate::plan::Plan;
use crate::recorder::Recorder;
use crate::scenario::Scenario;

/// An environment that is only a gateway.
struct Bare {
    gateway: Gateway,
    network: Memory,
    /// Kept, so that connections to it are queued; it never accepts.
    _server: MemoryListener,
    recorder: Recorder,
}

impl HasGateway for Bare {
    fn gateway(&self) -> &Gateway {
        &self.gateway
    }
}

impl Bare {
    fn new() -> Bare {
        let scenario = "schema = 1\ntitle = \"t\"\n[[fault]]\nkind = \"close\"\nat = \"2s\"\n";
        let scenario = Scenario::parse("bare", "file", "bare.toml", scenario).unwrap();
        let recorder = Recorder::begin(Plan::new(&scenario, "nobody", Seed(1), 0, 1).header, None, None);
        let (network, at) = (Memory::default(), |host| SocketAddr::from(([10, 0, 0, host], 5432)));
        let server = network.listen(at(2)).unwrap();
        let gateway =
            Gateway::open_on_host(network.clone(), at(1), at(2), Seed(1), Arc::new(recorder.clone())).unwrap();
        Bare { gateway, network, _server: server, recorder }
    }

    fn connect(&self) -> io::Result<MemorySocket> {
        self.network.connect(self.gateway.address())
    }

    /// Returns the steps of the fault, with their times.
    fn steps(&self) -> Vec<(Duration, FaultStep)> {
        let step = |event: &Event| match event {
            Event::Fault { at, step, .. } => Some((*at, step.clone())),
            _ => None,
        };
        self.recorder.look(|history| history.events.iter().filter_map(step).collect())
    }

    /// Returns the evidence of the fault.
    fn shown(&self) -> Vec<(String, u64)> {
        let shown = |event: &Event| match event {
            Event::Evidence { found, .. } => Some((found.what.clone(), found.count)),
            _ => None,
        };
        self.recorder.look(|history| history.events.iter().filter_map(shown).collect())
    }
}

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Returns a fault at two seconds; `lasts`: seconds.
fn fault(kind: FaultKind, lasts: u64) -> Fault {
    Fault { kind, at: s(2), lasts: s(lasts) }
}

fn injection(fault: &Fault) -> Box<dyn Injection<Bare>> {
    match fault.kind {
        FaultKind::ResetRepeatedly { every } => Box::new(Cutting::new(Cut::Reset, Some(every))),
        FaultKind::Toxic(toxic) => Box::new(RuleFault::new("toxic".into(), RuleKind::Toxic(toxic))),
        FaultKind::Refuse => Box::new(BlockNewConnections::new(BlockMode::Refuse)),
        FaultKind::Hang => Box::new(BlockNewConnections::new(BlockMode::Hang)),
        kind => panic!("{kind} is not asked for"),
    }
}

/// Carries out one fault while a client runs, and records its evidence.
async fn carry_out(bare: &Bare, fault: Fault, stop: &CancellationToken, client: impl Future<Output = ()>) {
    let mut nemesis = Nemesis::arm(injection, &[fault], bare, bare.recorder.clone()).await.unwrap();
    tokio::join!(nemesis.run(bare, Instant::now(), stop), client);
    nemesis.record_evidence(bare).await;
}

#[tokio::test(start_paused = true)]
async fn resets_come_at_their_times_and_none_when_it_is_to_be_healed() {
    let bare = Bare::new();
    let began = Instant::now();
    let connections: Vec<_> = (0..3).map(|_| bare.connect().unwrap()).collect();
    let client = async {
        for mut connection in connections {
            assert_eq!(connection.read_u8().await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
            assert_eq!(began.elapsed(), s(2));
        }
        for second in [4, 6] {
            let mut connection = bare.connect().unwrap();
            assert_eq!(connection.read_u8().await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
            assert_eq!(began.elapsed(), s(second));
        }
    };
    carry_out(&bare, fault(FaultKind::ResetRepeatedly { every: s(2) }, 6), &CancellationToken::new(), client).await;
    let steps = bare.steps();
    let (injecting, healed) = ((s(2), FaultStep::Injecting), (s(8), FaultStep::Healed));
    assert_eq!((&steps[0], &steps[steps.len() - 1]), (&injecting, &healed));
    // A round that is due at the moment of healing is not carried out.
    assert_eq!(bare.shown(), [("sockets reset".to_owned(), 5), ("rounds".to_owned(), 3)]);
}

#[tokio::test(start_paused = true)]
async fn new_connections_are_refused_until_heal() {
    let bare = Bare::new();
    let began = Instant::now();
    let mut inside = bare.connect().unwrap();
    let client = async {
        assert_eq!(inside.read_u8().await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(bare.connect().err().unwrap().kind(), io::ErrorKind::ConnectionRefused);
        sleep_until(began + s(5) + Duration::from_millis(1)).await;
        bare.connect().unwrap();
    };
    carry_out(&bare, fault(FaultKind::Refuse, 3), &CancellationToken::new(), client).await;
    assert_eq!(bare.shown(), [("sockets reset".to_owned(), 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_stopped_heals_at_once() {
    let bare = Bare::new();
    let stop = CancellationToken::new();
    let began = Instant::now();
    let stopping = async {
        sleep_until(began + s(3)).await;
        stop.cancel();
    };
    let stall = ToxicKind::Stall { close_after: None };
    carry_out(&bare, fault(FaultKind::Toxic(stall.into()), 3600), &stop, stopping).await;
    let steps = bare.steps();
    assert_eq!(steps.last(), Some(&(s(3), FaultStep::Healed)));
}

#[tokio::test(start_paused = true)]
async fn unsupported_gateway_fault_is_recorded_as_failed() {
    let bare = Bare::new();
    carry_out(&bare, fault(FaultKind::Hang, 3), &CancellationToken::new(), async {}).await;
    let failed = |step: &FaultStep| matches!(step, FaultStep::Failed { reason } if reason.contains("packet filter"));
    assert!(bare.steps().iter().any(|(_, step)| failed(step)), "{:?}", bare.steps());
}
