//! What a client that listens tells of its subscription, for as long as it runs.

use serde_json::json;

use crate::adapter::say;

#[derive(Default)]
pub struct Subscription {
    listened: bool,
}

impl Subscription {
    /// It is had: for the first time, or again after it was lost.
    pub fn had(&mut self) {
        say(if self.listened { json!({"gap": true}) } else { json!({"id": 0, "ok": true}) });
        self.listened = true;
    }

    pub fn heard(&self, payload: &str) {
        say(json!({"notification": {"payload": payload}}));
    }
}
