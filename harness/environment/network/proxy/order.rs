//! What the nemesis has done to one connection.

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// How the nemesis ends connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// FIN to both sides, as a process that exits sends it.
    Close,
    /// RST to both sides.
    Reset,
}

/// An order to one connection; answered once both sides have been told.
pub(in crate::environment::network) struct Order {
    pub cut: Cut,
    pub done: oneshot::Sender<()>,
}

/// Where a connection gets its orders.
pub(in crate::environment::network) struct Orders {
    orders: mpsc::UnboundedReceiver<Order>,
    closing: CancellationToken,
}

impl Orders {
    pub fn new(orders: mpsc::UnboundedReceiver<Order>, closing: CancellationToken) -> Orders {
        Orders { orders, closing }
    }

    /// The next order; `None` once the gateway itself ends. Cancel safe.
    pub(super) async fn next(&mut self) -> Option<Order> {
        tokio::select! {
            biased;
            () = self.closing.cancelled() => None,
            order = self.orders.recv() => order,
        }
    }
}
