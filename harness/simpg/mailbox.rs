//! Requests to a backend from others: cancellation, termination, notifications.

use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

/// The reason why a session is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Terminated by an administrator, or by a fast shutdown.
    Terminated,
    /// Another backend has died.
    Crash,
    /// An immediate shutdown.
    Immediate,
    /// The postmaster has died.
    Orphaned,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interrupt {
    Cancel,
    End(Ending),
}

/// A notification for a session that listens on its channel.
#[derive(Clone, Debug)]
pub(super) struct Notification {
    /// The pid of the backend that sent it.
    pub pid: i32,
    pub channel: Arc<str>,
    pub payload: Arc<str>,
}

#[derive(Default)]
struct Contents {
    ending: Option<Ending>,
    cancel: bool,
    notifications: Vec<Notification>,
}

/// The mailbox of one backend.
#[derive(Default)]
pub(super) struct Mailbox {
    contents: Mutex<Contents>,
    something: Notify,
}

impl Mailbox {
    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock()
    }

    pub fn cancel(&self) {
        self.contents().cancel = true;
        self.something.notify_one();
    }

    /// Requests the session's end. The latest request counts: an immediate shutdown overrides a fast one.
    pub fn end(&self, how: Ending) {
        self.contents().ending = Some(how);
        self.something.notify_one();
    }

    pub fn notify(&self, notification: Notification) {
        self.contents().notifications.push(notification);
        self.something.notify_one();
    }

    /// The pending interrupt, an ending before a cancellation. A cancellation is cleared; an ending stays.
    pub fn interrupt(&self) -> Option<Interrupt> {
        let mut contents = self.contents();
        let cancel = std::mem::take(&mut contents.cancel);
        contents.ending.map(Interrupt::End).or(cancel.then_some(Interrupt::Cancel))
    }

    pub fn ending(&self) -> Option<Ending> {
        self.contents().ending
    }

    /// Clears a cancellation that arrived after its statement had ended.
    pub fn forget_cancel(&self) {
        self.contents().cancel = false;
    }

    /// Takes the pending notifications.
    pub fn notifications(&self) -> Vec<Notification> {
        std::mem::take(&mut self.contents().notifications)
    }

    /// Waits until a request has arrived since the last call; cancel safe.
    pub async fn something(&self) {
        self.something.notified().await;
    }

    /// Waits for an interrupt; cancel safe.
    pub async fn interrupted(&self) -> Interrupt {
        loop {
            if let Some(interrupt) = self.interrupt() {
                return interrupt;
            }
            self.something().await;
        }
    }

    /// Waits until the session has to end; cancel safe.
    pub async fn ended(&self) -> Ending {
        loop {
            if let Some(how) = self.ending() {
                return how;
            }
            self.something().await;
        }
    }
}
