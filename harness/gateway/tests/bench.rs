//! Test bench of the gateway: a server behind it, and a recorder as its tap.

use super::*;
use crate::gateway::{Gateway, Rule, RuleKind};
use crate::model::budget::Budget;
use crate::model::fault::{Class, Toxic};
use crate::model::history::{Header, RunSetup};
use crate::model::pace::Pace;
use crate::model::seed::Seed;
use crate::recorder::Recorder;

pub(super) fn recorder() -> Recorder {
    let header = Header {
        format: 1,
        pgsquall: String::new(),
        setup: RunSetup::new("", "", Seed(0)),
        title: String::new(),
        class: Class::Transient,
        faults: Vec::new(),
        precedes_client: false,
        budget: Budget::default(),
        load: Pace::default(),
        middlebox: None,
        layout: Default::default(),
    };
    Recorder::begin(header, None, None)
}

/// A gateway, and its server.
pub struct GatewayBench {
    pub gateway: Gateway,
    pub recorder: Recorder,
    pub server: TcpListener,
}

impl GatewayBench {
    pub async fn new() -> GatewayBench {
        GatewayBench::with_seed(Seed(0)).await
    }

    pub async fn with_seed(seed: Seed) -> GatewayBench {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let recorder = recorder();
        let gateway = Gateway::open(server.local_addr().unwrap(), seed, Arc::new(recorder.clone())).unwrap();
        GatewayBench { gateway, recorder, server }
    }

    /// Stalls every connection.
    pub async fn stall(&self) -> Arc<Rule> {
        self.install(ToxicKind::Stall { close_after: None }).await
    }

    /// Installs a toxic.
    pub async fn install(&self, toxic: impl Into<Toxic>) -> Arc<Rule> {
        in_time(self.gateway.install("toxic", RuleKind::Toxic(toxic.into()))).await
    }

    /// Installs a rule of any kind.
    pub async fn install_rule(&self, kind: RuleKind) -> Arc<Rule> {
        in_time(self.gateway.install("rule", kind)).await
    }

    /// Removes a rule.
    pub async fn remove(&self, rule: &Rule) {
        in_time(self.gateway.remove(rule)).await;
    }

    /// Waits until the gateway has no connection, and only the two listening sockets are left.
    pub async fn assert_empty(&self) {
        until(|| self.gateway.connections() == 0).await;
        let ports = self.ports();
        until(|| sockets::sockets(ports) == 2).await;
    }

    /// The ports of the gateway and of the server.
    pub fn ports(&self) -> [u16; 2] {
        [self.gateway.address().port(), self.server.local_addr().unwrap().port()]
    }

    pub async fn connect(&self) -> TcpStream {
        in_time(TcpStream::connect(self.gateway.address())).await.unwrap()
    }

    /// Opens a connection through the gateway; returns the client's end and the server's.
    pub async fn pair(&self) -> (TcpStream, TcpStream) {
        let client = self.connect().await;
        let (server, _) = in_time(self.server.accept()).await.unwrap();
        (client, server)
    }

    /// Asserts that clients already connected are served, in any order.
    pub async fn serves(&self, clients: Vec<std::net::TcpStream>) {
        let mut waiting = Vec::new();
        for client in clients {
            io::Write::write_all(&mut &client, &[waiting.len() as u8]).unwrap();
            client.set_nonblocking(true).unwrap();
            waiting.push(TcpStream::from_std(client).unwrap());
        }
        for _ in 0..waiting.len() {
            let (mut server, _) = in_time(self.server.accept()).await.unwrap();
            let which = in_time(server.read_u8()).await.unwrap();
            assert_passes(&mut waiting[usize::from(which)], &mut server).await;
        }
    }

    pub async fn pairs(&self, count: usize) -> (Vec<TcpStream>, Vec<TcpStream>) {
        let mut pairs = (Vec::new(), Vec::new());
        for _ in 0..count {
            let (client, server) = self.pair().await;
            pairs.0.push(client);
            pairs.1.push(server);
        }
        pairs
    }

    /// Waits until `count` connections have ended; returns how, by number, with the bytes carried up and down. Asserts
    /// that no others were opened.
    pub async fn endings(&self, count: usize) -> Vec<(Severed, u64, u64)> {
        let look = || {
            let mut found: Vec<_> = self.recorder.look(|history| {
                let ended = |event: &Event| match *event {
                    Event::Connection { id, change: ConnectionChange::Ended { by, upstream, downstream }, .. } => {
                        Some((id, (by, upstream, downstream)))
                    }
                    _ => None,
                };
                history.events.iter().filter_map(ended).collect()
            });
            found.sort_by_key(|(id, _)| *id);
            found.into_iter().map(|(_, ending)| ending).collect::<Vec<_>>()
        };
        in_time(async {
            while look().len() < count {
                sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
        assert_eq!(self.opened(), count, "one record of its beginning for each");
        look()
    }

    pub fn opened(&self) -> usize {
        let opened = |event: &&Event| matches!(event, Event::Connection { change: ConnectionChange::Opened, .. });
        self.recorder.look(|history| history.events.iter().filter(opened).count())
    }

    pub fn doubts(&self) -> usize {
        self.recorder.look(|history| history.events.iter().filter(|event| matches!(event, Event::Doubt { .. })).count())
    }
}
