//! What reaches a backend from others: cancellation, its end, notifications.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// How a session is made to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// By an administrator, or a fast shutdown.
    Terminated,
    /// Another backend has died.
    Crash,
    /// An immediate shutdown.
    Immediate,
    /// The postmaster is gone.
    Orphaned,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interrupt {
    Cancel,
    End(Ending),
}

/// A notification on its way to a session that listens.
#[derive(Clone, Debug)]
pub(super) struct Notification {
    /// The backend that sent it.
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

/// One backend's.
#[derive(Default)]
pub(super) struct Mailbox {
    contents: Mutex<Contents>,
    something: Notify,
}

impl Mailbox {
    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn cancel(&self) {
        self.contents().cancel = true;
        self.something.notify_one();
    }

    /// The last word wins: an immediate shutdown overtakes a fast one.
    pub fn end(&self, how: Ending) {
        self.contents().ending = Some(how);
        self.something.notify_one();
    }

    pub fn notify(&self, notification: Notification) {
        self.contents().notifications.push(notification);
        self.something.notify_one();
    }

    /// What interrupts a statement. An end stays one however often it is looked at.
    pub fn interrupt(&self) -> Option<Interrupt> {
        let mut contents = self.contents();
        let cancel = std::mem::take(&mut contents.cancel);
        contents.ending.map(Interrupt::End).or(cancel.then_some(Interrupt::Cancel))
    }

    pub fn ending(&self) -> Option<Ending> {
        self.contents().ending
    }

    /// Forgets a cancellation that came too late.
    pub fn forget_cancel(&self) {
        self.contents().cancel = false;
    }

    pub fn notifications(&self) -> Vec<Notification> {
        std::mem::take(&mut self.contents().notifications)
    }

    /// Waits until something has come that was not looked at; cancel safe.
    pub async fn something(&self) {
        self.something.notified().await;
    }

    /// Waits until a statement is interrupted; cancel safe.
    pub async fn interrupted(&self) -> Interrupt {
        loop {
            if let Some(interrupt) = self.interrupt() {
                return interrupt;
            }
            self.something().await;
        }
    }

    /// Waits until the session is to end; cancel safe.
    pub async fn ended(&self) -> Ending {
        loop {
            if let Some(how) = self.ending() {
                return how;
            }
            self.something().await;
        }
    }
}
