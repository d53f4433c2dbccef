//! The gateway between plain TCP peers: what each peer observes of the other, and of the nemesis.

mod alone;
mod bench;
mod cut;
mod cut_points;
mod drop_state;
mod ends;
mod hanging_connects;
mod idle_timeout;
mod laws;
mod on_host;
mod peers;
mod refuse;
mod soak;
mod sockets;
mod stall;
mod teardown;
#[cfg(feature = "proxy")]
mod tls;
#[cfg(feature = "proxy")]
mod tls_server;
mod transfer;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use self::bench::GatewayBench;
use self::peers::*;
use crate::model::fault::ToxicKind;
use crate::model::history::{ConnectionChange, Event, Severed};

/// Timeout for operations that take microseconds, on a slow, busy machine; only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a test watches before it concludes that nothing happens.
const WATCH: Duration = Duration::from_millis(150);

async fn in_time<T>(work: impl Future<Output = T>) -> T {
    timeout(PATIENCE, work).await.expect("it takes far too long")
}

/// Waits until a condition holds.
async fn until(mut is_so: impl FnMut() -> bool) {
    in_time(async {
        while !is_so() {
            sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}
