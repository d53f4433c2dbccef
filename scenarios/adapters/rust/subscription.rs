//! The reports of a listening client on its subscription.

use serde_json::json;

use crate::adapter::say;

#[derive(Default)]
pub struct Subscription {
    listened: bool,
}

impl Subscription {
    /// The subscription listens: for the first time, or again after it was lost.
    pub fn had(&mut self) {
        say(if self.listened { json!({"gap": true}) } else { json!({"id": 0, "ok": true}) });
        self.listened = true;
    }

    pub fn heard(&self, payload: &str) {
        say(json!({"notification": {"payload": payload}}));
    }
}
