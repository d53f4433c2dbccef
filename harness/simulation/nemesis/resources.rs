//! What a server runs out of: room on a disk, and time of a processor.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep};

use super::World;
use crate::model::fault::Share;
use crate::model::history::Evidence;
use crate::model::time::show;
use crate::model::topology::SmallDisk;
use crate::nemesis::{Injection, NemesisError, SLOW, decisive, supporting};

/// How the server says that there is no room.
const FULL: &str = "No space left on device";

/// Longest until a server without room for its WAL has ended: the client must write first, and then recovery must fail.
const END_WITHIN: Duration = Duration::from_secs(20);

/// No room until heal: for the ledger, where writes get 53100 and sessions live on; or for the write-ahead log, where
/// the client's next commit ends the server, and it cannot start.
#[derive(Default)]
pub(super) struct FillingDisk {
    sessions: usize,
    full: usize,
    refused: usize,
}

fn is_of_wal(world: &World) -> bool {
    world.layout.small_disk == Some(SmallDisk::Wal)
}

#[async_trait]
impl Injection<World> for FillingDisk {
    async fn inject(&mut self, world: &World) -> Result<(), NemesisError> {
        (self.full, self.refused) = (world.said(FULL), world.refused("53100"));
        self.sessions = world.gateway.connections();
        if !is_of_wal(world) {
            world.server().fill_disk(true);
            return Ok(());
        }
        world.server().fill_wal(true);
        world.server().ended(END_WITHIN).await?;
        world.without_server().await
    }

    async fn heal(&mut self, world: &World) -> Result<(), NemesisError> {
        world.server().fill_disk(false);
        world.server().fill_wal(false);
        // Whether it has ended, or was about to.
        match is_of_wal(world) && world.server().ended(Duration::ZERO).await.is_ok() {
            true => world.start_server().await,
            false => Ok(world.server().ready().await?),
        }
    }

    async fn evidence(&mut self, world: &World) -> Result<Vec<Evidence>, NemesisError> {
        let (full, refused) = (world.said(FULL) - self.full, world.refused("53100") - self.refused);
        Ok(match is_of_wal(world) {
            true => vec![
                decisive("sessions lost with the server", if full > 0 { self.sessions } else { 0 }),
                supporting("lines in the log for want of room", full),
                supporting("of the client's own writes", refused),
            ],
            false => vec![decisive("statements refused with 53100", refused)],
        })
    }
}

/// How often the server has its share of a processor, as where it is given by signals.
const TURN: Duration = Duration::from_millis(200);

/// Between two round trips of the harness's own.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A server that stands still for most of each turn until heal, and runs for its share.
pub(super) struct Throttling {
    share: Share,
    looks: usize,
    /// Slow round trips while the client had connections, and the slowest.
    slow: usize,
    slowest: Duration,
}

impl Throttling {
    pub fn new(share: Share) -> Throttling {
        Throttling { share, looks: 0, slow: 0, slowest: Duration::ZERO }
    }

    async fn look(&mut self, world: &World) {
        loop {
            sleep(LOOK_EVERY).await;
            let there = world.gateway.connections() > 0;
            let began = Instant::now();
            world.server().turn().await;
            let took = began.elapsed();
            self.looks += 1;
            self.slowest = self.slowest.max(took);
            self.slow += usize::from(there && took >= SLOW);
        }
    }
}

#[async_trait]
impl Injection<World> for Throttling {
    async fn inject(&mut self, world: &World) -> Result<(), NemesisError> {
        world.server().freeze();
        Ok(())
    }

    async fn go_on(&mut self, world: &World) {
        let runs = TURN.mul_f64(self.share.as_f64());
        let turns = async {
            loop {
                sleep(TURN - runs).await;
                world.server().thaw();
                sleep(runs).await;
                world.server().freeze();
            }
        };
        tokio::select! {
            biased;
            () = turns => {}
            () = self.look(world) => {}
        }
    }

    async fn heal(&mut self, world: &World) -> Result<(), NemesisError> {
        world.server().thaw();
        Ok(world.server().ready().await?)
    }

    async fn evidence(&mut self, _world: &World) -> Result<Vec<Evidence>, NemesisError> {
        let (usual, slowest, slow) = (show(Duration::ZERO), show(self.slowest), show(SLOW));
        Ok(vec![
            decisive(&format!("round trips of {slow} or more beside the client's connections"), self.slow),
            supporting(&format!("round trips (usually {usual}; the slowest took {slowest})"), self.looks),
        ])
    }
}
